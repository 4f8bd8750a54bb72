//! Who writes to whom, how it ends, and which messages come of it.

use super::daticert::{Daticert, Recipient};
use super::{
    Attachment, Draft, Family, HashInput, MessageKind, Original, Postal, ProviderOptions,
    ReceiptForm,
};
use crate::civil::Civil;
use crate::traffic::{self, DOMAINS};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;
use std::sync::Arc;

const HOUR_MS: i64 = 3_600_000;

/// How a transaction ends.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Story {
    /// Accepted, taken over, delivered.
    Delivered,
    /// Refused at the access point for a formal exception.
    Refused,
    /// Refused at the access point for a virus.
    RefusedForVirus,
    /// Taken over; the mailbox does not exist.
    Undeliverable,
    /// The recipient's provider finds a virus.
    Infected,
    /// Nobody answers: the notices of twelve and of twenty-four hours.
    Silent,
    /// Taken over and delivered after the notice of twelve hours.
    Late,
    /// Ordinary mail reaches a PEC mailbox, in an envelope of anomaly.
    Anomalous,
}

/// What a transaction shall be. [`Postal::plan`] invents one; any field may then be set.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The instant of acceptance, in milliseconds since 1970.
    pub at_ms: i64,
    /// The author's provider: an index of [`Postal::providers`].
    pub from: usize,
    /// The recipients' provider; `None`: each domain's own.
    pub to: Option<usize>,
    /// How it ends.
    pub story: Story,
    /// The receipts asked for.
    pub form: ReceiptForm,
    /// What a brief receipt hashes.
    pub hash_input: HashInput,
    /// How many recipients in `To`, when they are not given.
    pub recipients: usize,
    /// The recipients in `To`, instead of invented ones.
    pub given_recipients: Option<Vec<Recipient>>,
    /// The subject, instead of an invented one; `Some(None)`: no Subject at all.
    pub subject: Option<Option<String>>,
    /// Sizes of the attachments, decoded: base64 adds 37 %.
    pub attachments: Vec<usize>,
    /// What the author attaches before those, for instance [`Attachment::of_forwarded`].
    pub also_attached: Vec<Attachment>,
    /// Whether the client sets a Message-ID. Ordinary mail always has one.
    pub has_msgid: bool,
    /// Of how many recipients, at most, deliveries and notices are made: each repeats the whole list, so that ten
    /// thousand of ten thousand recipients would not fit in memory.
    pub followed: usize,
}

impl Plan {
    /// An ordinary one: most mail is delivered, to one recipient, with one attachment of some kilobytes, so that
    /// its complete receipt has about 13 KB.
    pub(crate) fn invent(rng: &mut ChaCha8Rng, providers: usize, at_ms: i64) -> Self {
        let story = match rng.random_range(0..1000) {
            0..955 => Story::Delivered,
            955..980 => Story::Undeliverable,
            980..986 => Story::Refused,
            986..988 => Story::RefusedForVirus,
            988..990 => Story::Infected,
            990..993 => Story::Silent,
            993..995 => Story::Late,
            _ => Story::Anomalous,
        };
        let form = match rng.random_range(0..100) {
            0 => ReceiptForm::Brief,
            1 => ReceiptForm::Short,
            _ => ReceiptForm::Complete,
        };
        let hash_input = match rng.random_range(0..3) {
            0 => HashInput::Decoded,
            1 => HashInput::EncodedLf,
            _ => HashInput::EncodedCrlf,
        };
        let attachments = match rng.random_range(0..4) {
            0 => vec![rng.random_range(1200..2600), rng.random_range(800..1800)],
            _ => vec![rng.random_range(2000..4500)],
        };
        Self {
            at_ms,
            from: rng.random_range(0..providers.max(1)),
            to: None,
            story,
            form,
            hash_input,
            recipients: if rng.random_range(0..20) == 0 {
                rng.random_range(2..6)
            } else {
                1
            },
            given_recipients: None,
            subject: None,
            attachments,
            also_attached: Vec::new(),
            has_msgid: rng.random_range(0..50) != 0,
            followed: 100,
        }
    }
}

/// What every message of a transaction shares.
struct Case<'a> {
    postal: &'a Postal,
    plan: &'a Plan,
    original: Original,
    identificativo: String,
    envelope: Arc<[u8]>,
    drafts: Vec<Draft>,
}

pub(crate) fn carry_out(
    postal: &Postal,
    rng: &mut ChaCha8Rng,
    plan: &Plan,
) -> (Original, String, Vec<Draft>) {
    let (mut author, _) = mailbox(postal, rng, Some(plan.from));
    if plan.story == Story::Anomalous {
        author = author.replace('@', ".") + "@ordinaria.example";
    }
    let mut original = Original::invent(rng, author, plan.at_ms - 3000, &plan.attachments);
    let attachments = plan.also_attached.iter().cloned();
    original.attachments.splice(0..0, attachments);
    if let Some(subject) = &plan.subject {
        original.subject = subject.clone();
    }
    if !plan.has_msgid && plan.story != Story::Anomalous {
        original.msgid = None;
    }
    if plan.form != ReceiptForm::Complete || rng.random_range(0..10) == 0 {
        original.asks_for = Some(plan.form);
    }
    if rng.random_range(0..20) == 0 {
        original.reply_to = Some(format!("segreteria@{}", domain_of(&original.sender)));
    }
    let sending = postal.providers().get(plan.from);
    original.has_rem = sending.is_some_and(|p| p.options().family == Family::C) && rng.random();
    let addressed = address(postal, rng, plan, &mut original);
    let at_ms = plan.at_ms.div_euclid(1000) * 1000;
    let identificativo = match plan.story {
        Story::Anomalous => bracketless(original.msgid.as_deref().unwrap_or_default()),
        _ => sending
            .map(|p| identifier(p.options(), rng, at_ms, false))
            .unwrap_or_default(),
    };
    let envelope = match plan.story {
        Story::Anomalous => original.as_submitted().into(),
        _ => original.as_sent(&identificativo),
    };
    let mut case = Case {
        postal,
        plan,
        original,
        identificativo,
        envelope,
        drafts: Vec::new(),
    };
    case.tell(rng, at_ms, &addressed);
    case.drafts.sort_by_key(|draft| draft.facts.at_ms);
    (case.original, case.identificativo, case.drafts)
}

/// Fills `To` and `Cc`; the answer is who is reached, with the provider of each.
fn address(
    postal: &Postal,
    rng: &mut ChaCha8Rng,
    plan: &Plan,
    original: &mut Original,
) -> Vec<(Recipient, usize, bool)> {
    let mut reached = Vec::new();
    if let Some(given) = &plan.given_recipients {
        original.to = given.clone();
        let provider = plan.to.unwrap_or(plan.from);
        reached.extend(given.iter().map(|r| (r.clone(), provider, false)));
    } else {
        for _ in 0..plan.recipients {
            let (address, provider) = mailbox(postal, rng, plan.to);
            let recipient = Recipient::certified(address);
            original.to.push(recipient.clone());
            reached.push((recipient, provider, false));
        }
        match rng.random_range(0..20) {
            0 => {
                let (address, provider) = mailbox(postal, rng, plan.to);
                let recipient = Recipient::certified(address);
                original.cc.push(recipient.clone());
                reached.push((recipient, provider, true));
            }
            1 => {
                let ordinary = format!("ufficio{}@ordinaria.example", rng.random_range(1..9999));
                original.cc.push(Recipient::external(ordinary));
            }
            _ => {}
        }
    }
    reached.retain(|(recipient, ..)| recipient.is_certified);
    reached
}

impl Case<'_> {
    fn tell(&mut self, rng: &mut ChaCha8Rng, at_ms: i64, reached: &[(Recipient, usize, bool)]) {
        use MessageKind as K;
        let from = self.plan.from;
        match self.plan.story {
            Story::Anomalous => {
                let to = reached.first().map_or(from, |(_, provider, _)| *provider);
                self.failed(rng, K::AnomalyEnvelope, to, at_ms, None, "altro", |_| {
                    "firma assente".to_owned()
                });
                return;
            }
            Story::Refused => {
                self.failed(rng, K::NonAcceptance, from, at_ms, None, "altro", |_| {
                    "un destinatario del messaggio non presente tra quelli dell'intestazione"
                        .to_owned()
                });
                return;
            }
            Story::RefusedForVirus => {
                self.failed(
                    rng,
                    K::NonAcceptanceVirus,
                    from,
                    at_ms,
                    None,
                    "virus",
                    |name| format!("5.5.1, {name}, presenza di un virus nel messaggio"),
                );
                return;
            }
            _ => {}
        }
        let followed = reached.get(..self.plan.followed).unwrap_or(reached);
        self.push(rng, K::Acceptance, from, at_ms, |_| {});
        let form = self.plan.form;
        self.push(rng, K::TransportEnvelope, from, at_ms, |facts| {
            facts.receipt_form = Some(form.as_str());
        });
        if self.plan.story == Story::Silent {
            for (recipient, ..) in followed {
                self.warn(rng, at_ms, recipient, K::Warning12h);
                self.warn(rng, at_ms, recipient, K::Warning24h);
            }
            return;
        }
        let mut delay_ms = 1000 * rng.random_range(1..4);
        if self.plan.story == Story::Late {
            for (recipient, ..) in followed {
                self.warn(rng, at_ms, recipient, K::Warning12h);
            }
            delay_ms += 14 * HOUR_MS;
        }
        let arrival_ms = at_ms + delay_ms;
        if self.plan.story != Story::Infected {
            let mut by_provider: BTreeMap<usize, Vec<String>> = BTreeMap::new();
            for (recipient, provider, _) in reached {
                by_provider
                    .entry(*provider)
                    .or_default()
                    .push(recipient.address.clone());
            }
            for (provider, addresses) in by_provider {
                self.push(rng, K::Takeover, provider, arrival_ms, |facts| {
                    facts.taken_over = addresses;
                });
            }
        }
        for (recipient, provider, is_copy) in followed {
            let at_ms = arrival_ms + 1000 * rng.random_range(0..3);
            self.arrive(rng, at_ms, recipient, *provider, *is_copy);
        }
    }

    fn arrive(
        &mut self,
        rng: &mut ChaCha8Rng,
        at_ms: i64,
        recipient: &Recipient,
        provider: usize,
        is_copy: bool,
    ) {
        use MessageKind as K;
        let whom = Some(recipient);
        match self.plan.story {
            Story::Undeliverable => {
                let error = if rng.random() { "no-dest" } else { "altro" };
                self.failed(rng, K::NonDelivery, provider, at_ms, whom, error, |name| {
                    format!("5.1.1 - {name} - indirizzo non valido")
                });
            }
            Story::Infected => {
                let detail =
                    |name: &str| format!("5.5.1, {name}, presenza di un virus nel messaggio");
                self.failed(
                    rng,
                    K::VirusDetected,
                    provider,
                    at_ms,
                    whom,
                    "virus",
                    detail,
                );
                let (from, later) = (self.plan.from, at_ms + 2000);
                self.failed(rng, K::NonDeliveryVirus, from, later, whom, "virus", detail);
            }
            _ => {
                let form = if is_copy {
                    ReceiptForm::Short
                } else {
                    self.plan.form
                };
                let kind = match form {
                    ReceiptForm::Complete => K::DeliveryComplete,
                    ReceiptForm::Brief => K::DeliveryBrief,
                    ReceiptForm::Short => K::DeliveryShort,
                };
                self.push(rng, kind, provider, at_ms, |facts| {
                    facts.receipt_form = Some(form.as_str());
                    facts.delivered_to = Some(recipient.address.clone());
                });
            }
        }
    }

    fn warn(&mut self, rng: &mut ChaCha8Rng, at_ms: i64, recipient: &Recipient, kind: MessageKind) {
        // The last notice goes out within the twenty-fourth hour, and not before the twenty-second.
        let (after, code, ore) = match kind {
            MessageKind::Warning12h => (12 * HOUR_MS, "4.4.1", "dodici"),
            _ => (23 * HOUR_MS, "5.4.1", "ventiquattro"),
        };
        let (from, whom) = (self.plan.from, Some(recipient));
        self.failed(rng, kind, from, at_ms + after, whom, "nessuno", |name| {
            format!("{code} - {name} - il messaggio non è stato consegnato nelle prime {ore} ore dal suo invio")
        });
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "the columns of a table of failures"
    )]
    fn failed(
        &mut self,
        rng: &mut ChaCha8Rng,
        kind: MessageKind,
        provider: usize,
        at_ms: i64,
        recipient: Option<&Recipient>,
        error: &'static str,
        detail: impl Fn(&str) -> String,
    ) {
        self.push(rng, kind, provider, at_ms, |facts| {
            facts.error = Some(error);
            facts.delivered_to = recipient.map(|r| r.address.clone());
            facts.error_detail = Some(detail(&facts.provider));
        });
    }

    fn push(
        &mut self,
        rng: &mut ChaCha8Rng,
        kind: MessageKind,
        provider: usize,
        at_ms: i64,
        change: impl FnOnce(&mut Daticert),
    ) {
        let Some(maker) = self.postal.providers().get(provider) else {
            return;
        };
        let options = maker.options();
        let original = &self.original;
        let mut facts = Daticert {
            event: kind.event().unwrap_or_default(),
            // One engine leaves the default unsaid.
            error: (options.family != Family::D).then_some("nessuno"),
            sender: original.sender.clone(),
            recipients: original.recipients().cloned().collect(),
            reply_to: if options.family == Family::C && !kind.is_envelope() {
                String::new()
            } else {
                original.replies_go_to().to_owned()
            },
            subject: original.subject.clone(),
            provider: options.name_in_daticert.to_owned(),
            at_ms,
            identificativo: self.identificativo.clone(),
            msgid: original.msgid.clone(),
            receipt_form: None,
            delivered_to: None,
            taken_over: Vec::new(),
            error_detail: None,
        };
        change(&mut facts);
        let message_id = if kind.is_envelope() {
            self.identificativo.clone()
        } else {
            identifier(options, rng, at_ms, true)
        };
        let (mut to, mut cc) = (vec![original.sender.clone()], Vec::new());
        if kind.is_envelope() {
            to = original.to.iter().map(|r| r.address.clone()).collect();
            cc = original.cc.iter().map(|r| r.address.clone()).collect();
        } else if matches!(kind, MessageKind::Takeover | MessageKind::VirusDetected) {
            let sending = self.postal.providers().get(self.plan.from);
            to = sending.map(|p| p.receipts_address()).into_iter().collect();
        }
        let postacert = match kind {
            MessageKind::TransportEnvelope
            | MessageKind::AnomalyEnvelope
            | MessageKind::DeliveryComplete => Some(Arc::clone(&self.envelope)),
            MessageKind::DeliveryBrief => {
                Some(original.brief(&self.identificativo, self.plan.hash_input))
            }
            _ => None,
        };
        self.drafts.push(Draft {
            kind,
            provider,
            facts,
            message_id,
            to,
            cc,
            postacert,
            xml: None,
            daticert_parts: usize::from(kind != MessageKind::AnomalyEnvelope),
            signing_offset_ms: 1000 * rng.random_range(-1..=1),
            has_rem: match kind {
                MessageKind::TransportEnvelope => original.has_rem,
                _ => options.family == Family::C && rng.random(),
            },
            layout_seed: rng.random(),
        });
    }
}

/// An invented mailbox and its provider, which may be prescribed.
fn mailbox(postal: &Postal, rng: &mut ChaCha8Rng, provider: Option<usize>) -> (String, usize) {
    let (local, domain) = traffic::mailbox(rng);
    let count = postal.providers().len().max(1);
    // The nearest domain that is the prescribed provider's.
    let domain = provider.map_or(domain, |wanted| {
        let base = domain as usize / count * count;
        let near = base + wanted % count;
        // The last group may be short.
        let within = if near < DOMAINS as usize {
            near
        } else {
            near - count
        };
        within as u32
    });
    (
        format!("{local}@{}", traffic::domain_name(domain)),
        postal.provider_of_domain(domain),
    )
}

/// A new identifier in the shape of an engine. A receipt's looks like a transaction's, with one group more.
fn identifier(
    options: &ProviderOptions,
    rng: &mut ChaCha8Rng,
    at_ms: i64,
    is_receipt: bool,
) -> String {
    let ProviderOptions { prefix, domain, .. } = options;
    if options.family == Family::D {
        let groups: [u32; 4] = rng.random();
        let groups = groups.map(|group| format!("{group:08X}")).join(".");
        return format!("{groups}.posta-certificata@{domain}");
    }
    let mut id = format!(
        "{prefix}{}.{}.{:05}",
        rng.random_range(210..320),
        Civil::rome(at_ms).compact(),
        rng.random_range(0..100_000),
    );
    match options.family {
        Family::A => id += &format!(".{:02}", rng.random_range(0..100)),
        _ => {
            id += &format!(
                ".{}.{}",
                rng.random_range(100..1000),
                rng.random_range(1..10)
            )
        }
    }
    if is_receipt {
        id += &format!(".{}", rng.random_range(1..500));
    }
    id + &format!(
        ".{}.{}@{domain}",
        rng.random_range(1..10),
        rng.random_range(10..100_000)
    )
}

fn domain_of(address: &str) -> &str {
    address.rsplit('@').next().unwrap_or_default()
}

fn bracketless(msgid: &str) -> String {
    msgid.trim_matches(['<', '>']).to_owned()
}
