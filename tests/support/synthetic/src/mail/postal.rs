//! The postal system: providers with their keys, transactions from seeds, endless streams.

use super::plan::{self, Plan, Story};
use super::{Draft, Family, Message, MessageKind, Original, ReceiptForm, Transaction, layout};
use crate::SyntheticError;
use crate::pki::{DigestKind, Keys, Pki, Signer, Validity};
use crate::traffic::{DOMAINS, domain_name};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::VecDeque;

const DAY_MS: i64 = 86_400_000;

/// An invented provider, as it is wished.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ProviderOptions {
    /// The name in its certificate.
    pub name: &'static str,
    /// The name it writes into daticert, which is seldom spelled the same.
    pub name_in_daticert: &'static str,
    /// The domain of its service address.
    pub domain: &'static str,
    /// What its identifiers begin with.
    pub prefix: &'static str,
    /// The engine it runs.
    pub family: Family,
    /// The digest it signs with, when its key is RSA.
    pub digest: DigestKind,
}

/// What [`Postal::new`] makes.
#[derive(Clone, Debug)]
pub struct PkiOptions {
    /// The keys of authorities and providers. With P-256 all sign SHA-256, and their headers say so.
    pub keys: Keys,
    /// When certificates hold; `None`: from 400 days before the start to 800 after.
    pub validity: Option<Validity>,
    /// Whether the intermediate is constrained to the providers' names and domains, as the real one is.
    pub has_name_constraints: bool,
    /// The providers: five by default, one of each family and two of B.
    pub providers: Vec<ProviderOptions>,
}

impl PkiOptions {
    /// The five providers, with these keys.
    pub fn with_keys(keys: Keys) -> Self {
        let provider = |name, name_in_daticert, domain, prefix, family, digest| ProviderOptions {
            name,
            name_in_daticert,
            domain,
            prefix,
            family,
            digest,
        };
        use DigestKind::{Sha1, Sha256};
        Self {
            keys,
            validity: None,
            has_name_constraints: false,
            providers: vec![
                provider(
                    "Gestore Alfa PEC S.p.A.",
                    "Gestore Alfa PEC S.p.A.",
                    "pec.alfa.example",
                    "alfa",
                    Family::A,
                    Sha1,
                ),
                provider(
                    "Beta Posta Certificata S.p.A.",
                    "BETA POSTA CERTIFICATA S.P.A.",
                    "pec.beta.example",
                    "beta",
                    Family::B,
                    Sha1,
                ),
                provider(
                    "Gamma Fiducia S.p.A.",
                    "Gamma Fiducia SpA",
                    "pec.gamma.example",
                    "jgam",
                    Family::C,
                    Sha256,
                ),
                provider(
                    "Delta Servizi SpA",
                    "DELTA SERVIZI SPA - GRUPPO DELTA",
                    "posta.delta.test",
                    "delta",
                    Family::D,
                    Sha1,
                ),
                provider(
                    "Epsilon S.r.l.",
                    "Epsilon s.r.l.",
                    "legal.epsilon.test",
                    "eps",
                    Family::B,
                    Sha256,
                ),
            ],
        }
    }
}

impl Default for PkiOptions {
    fn default() -> Self {
        Self::with_keys(Keys::P256)
    }
}

/// A provider with its key.
pub struct Provider {
    options: ProviderOptions,
    signer: Signer,
}

impl Provider {
    /// What was wished.
    pub fn options(&self) -> &ProviderOptions {
        &self.options
    }

    /// Its key and certificate.
    pub fn signer(&self) -> &Signer {
        &self.signer
    }

    /// `posta-certificata@…`: where everything it makes comes from.
    pub fn service_address(&self) -> &str {
        self.signer.address()
    }

    /// The mailbox that takes the receipts among providers (`mailReceipt`).
    pub fn receipts_address(&self) -> String {
        format!("prese.in.carico@{}", self.options.domain)
    }
}

/// Which messages of a stream are wanted. What is not is never signed, hence nearly free.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Select {
    /// Everything.
    All,
    /// Everything but envelopes.
    Receipts,
    /// Complete delivery receipts.
    CompleteDeliveries,
}

impl Select {
    fn takes(self, kind: MessageKind) -> bool {
        match self {
            Self::All => true,
            Self::Receipts => !kind.is_envelope(),
            Self::CompleteDeliveries => kind == MessageKind::DeliveryComplete,
        }
    }
}

/// The invented postal system: providers with their keys, from a start in time.
pub struct Postal {
    pki: Pki,
    start_ms: i64,
    providers: Vec<Provider>,
}

impl Postal {
    /// Makes the PKI and the providers. `start_ms` is the first instant of mail, in milliseconds since 1970.
    pub fn new(options: &PkiOptions, start_ms: i64) -> Result<Self, SyntheticError> {
        let validity = options.validity.unwrap_or(Validity {
            from_ms: start_ms - 400 * DAY_MS,
            until_ms: start_ms + 800 * DAY_MS,
        });
        let pki = if options.has_name_constraints {
            let permitted: Vec<(&str, &str)> = options
                .providers
                .iter()
                .map(|p| (p.name, p.domain))
                .collect();
            Pki::constrained(validity, options.keys, &permitted)?
        } else {
            Pki::new(validity, options.keys)?
        };
        let mut providers = Vec::new();
        for provider in &options.providers {
            providers.push(Provider {
                signer: pki.signer(provider.name, provider.domain, options.keys)?,
                options: provider.clone(),
            });
        }
        if providers.is_empty() {
            return Err(SyntheticError::NoProvider { index: 0, count: 0 });
        }
        Ok(Self {
            pki,
            start_ms,
            providers,
        })
    }

    /// The authorities.
    pub fn pki(&self) -> &Pki {
        &self.pki
    }

    /// The providers.
    pub fn providers(&self) -> &[Provider] {
        &self.providers
    }

    /// The first instant of mail.
    pub fn start_ms(&self) -> i64 {
        self.start_ms
    }

    /// The first provider that runs an engine of this family.
    pub fn provider_of(&self, family: Family) -> Option<usize> {
        self.providers
            .iter()
            .position(|p| p.options.family == family)
    }

    /// The domains whose mailboxes a provider keeps, its own first: its `managedDomains`.
    pub fn managed_domains(&self, provider: usize) -> Vec<String> {
        let own = self.providers.get(provider).map(|p| p.options.domain);
        let customers = (0..DOMAINS).filter(|d| self.provider_of_domain(*d) == provider);
        own.map(str::to_owned)
            .into_iter()
            .chain(customers.map(domain_name))
            .collect()
    }

    pub(super) fn provider_of_domain(&self, domain: u32) -> usize {
        // There is at least one provider: see `new`.
        domain as usize % self.providers.len().max(1)
    }

    /// The transaction of a seed, on some instant of the first day.
    pub fn transaction(&self, seed: u64) -> Transaction {
        self.carry_out(seed, &self.plan(seed))
    }

    /// The plan of a seed: who writes to whom, when, and how it ends.
    pub fn plan(&self, seed: u64) -> Plan {
        let mut rng = ChaCha8Rng::seed_from_u64(seed ^ 0x706c_616e);
        let at_ms = self.start_ms + rng.random_range(0..DAY_MS);
        Plan::invent(&mut rng, self.providers.len(), at_ms)
    }

    /// Carries out a plan; the seed gives all that the plan leaves open.
    pub fn carry_out(&self, seed: u64, plan: &Plan) -> Transaction {
        let (original, identificativo, drafts) = self.drafts(seed, plan);
        Transaction {
            original,
            identificativo,
            messages: drafts.into_iter().map(|draft| self.sign(draft)).collect(),
        }
    }

    /// As [`Postal::carry_out`], up to the signatures.
    pub fn drafts(&self, seed: u64, plan: &Plan) -> (Original, String, Vec<Draft>) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        plan::carry_out(self, &mut rng, plan)
    }

    /// Writes and signs a draft. One whose provider does not exist becomes a message without octets.
    pub fn sign(&self, draft: Draft) -> Message {
        layout::write(self, draft)
    }

    /// One message of each type, in the order of their letters, all by one provider of this family; none when
    /// there is no such provider.
    pub fn one_of_each_type(&self, family: Family) -> Vec<Message> {
        let provider = self.provider_of(family);
        provider.map_or_else(Vec::new, |provider| self.one_of_each_type_by(provider))
    }

    /// One message of each type, in the order of their letters, by this provider.
    pub fn one_of_each_type_by(&self, provider: usize) -> Vec<Message> {
        let mut drafts: Vec<Draft> = Vec::new();
        for (seed, (story, form)) in (0..).zip([
            (Story::Delivered, ReceiptForm::Complete),
            (Story::Delivered, ReceiptForm::Brief),
            (Story::Delivered, ReceiptForm::Short),
            (Story::Anomalous, ReceiptForm::Complete),
            (Story::Refused, ReceiptForm::Complete),
            (Story::RefusedForVirus, ReceiptForm::Complete),
            (Story::Undeliverable, ReceiptForm::Complete),
            (Story::Infected, ReceiptForm::Complete),
            (Story::Silent, ReceiptForm::Complete),
        ]) {
            let plan = Plan {
                from: provider,
                to: Some(provider),
                story,
                form,
                ..self.plan(seed)
            };
            for draft in self.drafts(seed, &plan).2 {
                if drafts.iter().all(|known| known.kind != draft.kind) {
                    drafts.push(draft);
                }
            }
        }
        drafts.sort_by_key(|draft| draft.kind);
        drafts.into_iter().map(|draft| self.sign(draft)).collect()
    }

    /// An endless stream of messages, all distinct, in about the order and at the pace of a nation's mail: a
    /// transaction every 11 ms from the start on.
    pub fn stream(&self, seed: u64, select: Select) -> Stream<'_> {
        Stream {
            postal: self,
            select,
            rng: ChaCha8Rng::seed_from_u64(seed),
            now_ms: self.start_ms,
            waiting: VecDeque::new(),
        }
    }

    /// The endless stream of receipts and notices: all but envelopes.
    pub fn receipts(&self, seed: u64) -> Stream<'_> {
        self.stream(seed, Select::Receipts)
    }
}

/// See [`Postal::stream`].
pub struct Stream<'a> {
    postal: &'a Postal,
    select: Select,
    rng: ChaCha8Rng,
    now_ms: i64,
    waiting: VecDeque<Draft>,
}

impl Stream<'_> {
    /// The next message, before its signature.
    pub fn next_draft(&mut self) -> Draft {
        loop {
            if let Some(draft) = self.waiting.pop_front() {
                return draft;
            }
            self.now_ms += self.rng.random_range(0..22);
            let plan = Plan::invent(&mut self.rng, self.postal.providers.len(), self.now_ms);
            let seed = self.rng.random();
            let (_, _, drafts) = self.postal.drafts(seed, &plan);
            let wanted = drafts.into_iter().filter(|d| self.select.takes(d.kind));
            self.waiting.extend(wanted);
        }
    }
}

impl Iterator for Stream<'_> {
    type Item = Message;

    fn next(&mut self) -> Option<Message> {
        let draft = self.next_draft();
        Some(self.postal.sign(draft))
    }
}
