//! What closes intervals in tests: a development root, a seal key below it, and an authority with a clock of its own.

use super::MovableClock;
use ceralacca::ambient::{Clock, SystemClock};
use ceralacca::archive::Log;
use ceralacca::disposal::Step;
use ceralacca::ingest::Submission;
use ceralacca::seal::{Authorities, Probe};
use ceralacca::store::cf::disposal::{DisposalKey, DisposalRow, Disposals, GoneRow};
use ceralacca::store::cf::secret::{SecretKey, Secrets};
use ceralacca::store::{Batch, Store};
use ceralacca_evidence::authority::Authority;
use ceralacca_evidence::certificates::{Purpose, Wanted, make};
use ceralacca_evidence::pindex::{
    Agent, AgentId, AgentName, Holder, HolderRole, Process, Signatory,
};
use ceralacca_evidence::software_key::{PrivateKey, SoftwareKey};
use ceralacca_evidence::tsp::{Request, Rules};
use ceralacca_evidence::{Imprint, SealSigner, StampError, Stamped, Stamper};
use ceralacca_formats::digest::Sha256;
use ceralacca_formats::disposal::DisposalUnit;
use ceralacca_formats::disposal_certificate::{DisposalCertificate, GivenApproval};
use ceralacca_formats::id::{IntervalId, LeafIndex, TreeSize, UtcMillis};
use ceralacca_formats::leaf::{Class, Kind};
use ceralacca_formats::metadata::ObjectRecord;
use ceralacca_pec::judge::Material;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Gives time-stamps by its own clock, or none.
pub struct TestTsa {
    authority: Authority,
    rules: Rules,
    /// What it takes the time to be.
    pub clock: Arc<MovableClock>,
    /// Gives no answer.
    pub silent: AtomicBool,
    /// Answers given.
    pub given: AtomicU64,
    is_proven: bool,
}

impl Stamper for TestTsa {
    fn stamp(&self, imprint: &Imprint) -> Result<Stamped, StampError> {
        if self.silent.load(Ordering::SeqCst) {
            return Err(StampError::Silent("nobody answers".to_owned()));
        }
        let request = Request::new(*imprint, rand::random(), None);
        let number = u128::from(self.given.fetch_add(1, Ordering::SeqCst) + 1);
        let serial = (number << 64 | 1).to_be_bytes();
        let now = UtcMillis::new(self.clock.now());
        let answer = self.authority.answer(request.der(), now, serial);
        let checked = self.rules.check(&request, &answer.unwrap(), now);
        let checked = checked.map_err(|error| StampError::Refused(error.to_string()))?;
        Ok(checked.stamped)
    }

    fn anchors(&self) -> Vec<Vec<u8>> {
        self.rules.anchors().to_vec()
    }

    fn is_development(&self) -> bool {
        !self.is_proven
    }
}

/// Several authorities: asked in order for a time-stamp, all of them for the time.
pub struct Several(pub Vec<Arc<dyn Stamper>>);

impl Stamper for Several {
    fn stamp(&self, imprint: &Imprint) -> Result<Stamped, StampError> {
        let mut given = self.0.iter().map(|one| one.stamp(imprint));
        let none = Err(StampError::Silent("none is configured".to_owned()));
        given.find(Result::is_ok).unwrap_or(none)
    }

    fn stamp_each(&self, imprint: &Imprint) -> Vec<Result<Stamped, StampError>> {
        self.0.iter().map(|one| one.stamp(imprint)).collect()
    }

    fn anchors(&self) -> Vec<Vec<u8>> {
        self.0.iter().flat_map(|one| one.anchors()).collect()
    }

    fn is_development(&self) -> bool {
        self.0.iter().all(|one| one.is_development())
    }
}

/// A root, what it vouches for, and the authorities to close with.
pub struct Sealing {
    pub root: Vec<u8>,
    /// Who signs time-stamps.
    pub tsa_certificate: Vec<u8>,
    pub tsa: Arc<TestTsa>,
    pub seal: Arc<SoftwareKey>,
}

fn key() -> PrivateKey {
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
    let random = aws_lc_rs::rand::SystemRandom::new();
    let made = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random);
    PrivateKey::from_pkcs8(made.unwrap().as_ref()).unwrap()
}

impl Sealing {
    /// An authority whose clock is this one; `is_proven` where it is said to be its own.
    pub fn new(clock: &Arc<MovableClock>, is_proven: bool) -> Self {
        Self::named(clock, is_proven, "prova")
    }

    /// The same, of an authority of this name, with keys of its own.
    pub fn named(clock: &Arc<MovableClock>, is_proven: bool, name: &str) -> Self {
        Self::lasting(clock, is_proven, name, 15)
    }

    /// The same, with certificates for so many years.
    pub fn lasting(clock: &Arc<MovableClock>, is_proven: bool, name: &str, years: u64) -> Self {
        let from = clock.now() - super::DAY_MS;
        let certificate = |purpose, key: &PrivateKey, issuer: &PrivateKey| {
            let wanted = Wanted {
                purpose,
                public_key: &key.public_key(),
                serial: rand::random(),
                from: UtcMillis::new(from),
                until: UtcMillis::new(from + years * 365 * super::DAY_MS),
            };
            make(&wanted, issuer).unwrap()
        };
        let root_key = key();
        let root = certificate(Purpose::Root, &root_key, &root_key);
        let signer = |purpose| {
            let key = key();
            let own = certificate(purpose, &key, &root_key);
            let signer = SoftwareKey::new(key, own.clone(), vec![root.clone()], true);
            (signer.unwrap(), own)
        };
        let (stamping, tsa_certificate) = signer(Purpose::TimeStamping);
        let material = Material {
            anchors: vec![root.clone()],
            ..Material::default()
        };
        let tsa = TestTsa {
            authority: Authority::new(Box::new(stamping)),
            rules: Rules::new(name, material, is_proven).unwrap(),
            clock: Arc::clone(clock),
            silent: AtomicBool::new(false),
            given: AtomicU64::new(0),
            is_proven,
        };
        Self {
            seal: Arc::new(signer(Purpose::Seal).0),
            tsa: Arc::new(tsa),
            tsa_certificate,
            root,
        }
    }

    pub fn authorities(&self) -> Authorities {
        Authorities {
            stamper: Arc::clone(&self.tsa) as Arc<dyn Stamper>,
            signer: Arc::clone(&self.seal) as Arc<dyn SealSigner>,
            process: process(),
            tolerance_ms: 60_000,
            file_bytes_max: 1 << 20,
        }
    }

    /// The same seal, stamped by the authority of another.
    pub fn stamped_by(self, other: &Self) -> Self {
        Self {
            tsa: Arc::clone(&other.tsa),
            tsa_certificate: other.tsa_certificate.clone(),
            ..self
        }
    }

    /// The same, with these authorities to stamp.
    pub fn with(&self, stampers: Vec<Arc<dyn Stamper>>) -> Authorities {
        Authorities {
            stamper: Arc::new(Several(stampers)),
            ..self.authorities()
        }
    }

    /// The root as PEM, for openssl.
    pub fn root_pem(&self) -> String {
        use base64::Engine as _;
        let text = base64::engine::general_purpose::STANDARD.encode(&self.root);
        format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
    }
}

fn process() -> Process {
    let agent = |id: &str, name, document: &str| {
        let ids = vec![AgentId::try_from(id).unwrap()];
        Agent::new(ids, name, vec![document.to_owned()]).unwrap()
    };
    let company = AgentName::Organization("Gestore di prova S.p.A.".to_owned());
    let provider = agent("VATIT-00000000000", company, "Manuale di conservazione");
    let person = AgentName::Person {
        first: "Prova".to_owned(),
        last: "Inventata".to_owned(),
    };
    Process {
        submitter: provider.clone(),
        holders: vec![Holder {
            agent: provider,
            role: HolderRole::Producer,
        }],
        signatories: vec![Signatory {
            agent: agent("TINIT-XXXXXX00X00X000X", person, "Atto di nomina"),
            role: Some("Responsabile della conservazione".to_owned()),
        }],
        time: UtcMillis::new(0),
        has_time_stamp: true,
        laws: None,
    }
}

/// Fills a log with records of a seed, and an object with keys of its own.
pub fn fill(log: &Log, seed: u64, count: usize) {
    for record in super::traces(seed, count) {
        let submission = Submission::trace(Class::Trace, record, None);
        super::ingest(log).record(submission).unwrap();
    }
    let bytes = format!("ricevuta inventata {seed}").into_bytes();
    let content = super::ingest(log).content(Class::Receipt, bytes).unwrap();
    let record = ObjectRecord::default();
    let submission = Submission::object(Kind::Receipt, Class::Receipt, record, content, None, None);
    super::ingest(log).record(submission).unwrap();
}

/// Closes every interval that was cut.
pub fn close_all(log: &Log, sealing: &Sealing) -> Vec<IntervalId> {
    let authorities = sealing.authorities();
    let mut closed = Vec::new();
    while let Some(sealed) = log.close_next(&authorities, &Probe::default()).unwrap() {
        closed.push(sealed.closing.interval);
    }
    closed
}

/// A log with so many records on each of some days that ended today; each closed. It may be served then.
pub fn closed_days(path: &std::path::Path, days: &[usize]) -> (Sealing, Vec<IntervalId>) {
    let work = || {
        let today = SystemClock::default().wall().get();
        let clock = MovableClock::at(today - days.len() as u64 * super::DAY_MS);
        let sealing = Sealing::new(&clock, true);
        let settings = super::settings(&clock);
        let log = Log::open(path, &super::master(), &settings).unwrap();
        for (seed, count) in (1..).zip(days) {
            fill(&log, seed, *count);
            clock.pass(super::DAY_MS);
            log.tick().unwrap();
        }
        let closed = close_all(&log, &sealing);
        log.stop().unwrap();
        (sealing, closed)
    };
    // Submitting blocks, which the thread of a runtime must not.
    std::thread::scope(|scope| scope.spawn(work).join().unwrap())
}

/// What a disposal of these classes of an interval leaves of their secrets, and its row. No leaf of the log says that it
/// was intended or approved, so `fsck` finds it damaged.
pub fn as_disposed(store: &dyn Store, interval: IntervalId, classes: &[Class]) {
    let mut batch = Batch::new();
    for class in classes {
        batch.delete::<Secrets>(&SecretKey::Class(interval, *class));
        let unit = DisposalUnit {
            interval,
            class: *class,
            carried: 0,
        };
        let row = GoneRow {
            step: Step::Done.code(),
            intent: LeafIndex::new(0),
            completed: None,
            facts: facts_of(unit).to_bytes(),
        };
        batch.put::<Disposals>(&DisposalKey::Gone(unit), &DisposalRow::Gone(row));
    }
    store.commit(&batch).unwrap();
}

/// What a certificate would say of a unit that held nothing.
fn facts_of(unit: DisposalUnit) -> DisposalCertificate {
    let approval = |principal: &str| GivenApproval {
        leaf: LeafIndex::new(0),
        principal: principal.into(),
    };
    let start = unit.interval.start();
    DisposalCertificate {
        approvals: [approval("anna"), approval("bruno")],
        authorities: Vec::new(),
        clock: start,
        completed: None,
        completed_at: None,
        is_development: false,
        executed_at: start,
        first: LeafIndex::new(0),
        size: TreeSize::default(),
        freed_bytes: 0,
        grace_hours: 72,
        held: Vec::new(),
        holds_set: 0,
        holds_released: 0,
        intent: LeafIndex::new(0),
        interval_end: start,
        lawful_from: start,
        leaf_hashes: Sha256::of(b""),
        log: super::origin().as_str().into(),
        method: vec!["keys-destroyed".into()],
        months: 30,
        proven: start,
        proven_by: "authorities".into(),
        records: 0,
        rule: "per prova".into(),
        software: "per prova".into(),
        statement: "per prova".into(),
        unit,
    }
}
