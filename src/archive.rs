//! One process, many logs: each with its id, origin, keys, tree, store and directory.
//!
//! ```text
//! <data>/logs/<log id>/     one log (store::outside draws it)
//! ```

use crate::access::{self, Denied, Migrate, Permit, Status, Submit};
use crate::ambient::{Clock, Entropy, SystemClock, SystemEntropy};
use crate::audit::scrub::{Report, Scrub, Ticked};
use crate::audit::{ReadError, Reader};
use crate::custody::{Certifier, Custodian, CustodyError};
use crate::desk::{Desk, Packages};
use crate::disclosure::Disclosures;
use crate::disposal::{self, DisposalRules, Disposer, Overview};
use crate::erasures;
use crate::ingest::{Ingest, IngestError, JudgeWithError, OBJECT_BYTES_MAX, Policy};
use crate::keyring::{self, KeyError, Keyring};
use crate::reissue::{ReissueError, Reissuer};
use crate::seal::{
    Authorities, Probe, RenewalRules, RenewalState, Renewed, SealError, Sealed, Sealer,
};
use crate::sequencer::{
    ConfirmError, OpenError, QueueLimits, Recovered, Schedule, Sequencer, Span, SubmitError,
    WriterError,
};
use crate::store::cf::Family;
use crate::store::cf::dictionary::Dictionaries;
use crate::store::cf::state::{Identity, State, StateRow};
use crate::store::outside::{FORMAT_VERSION, LogDirectory};
use crate::store::rocks::{Mode, RocksStore};
use crate::store::scrub_folder::ScrubFolder;
use crate::store::{Batch, Store, StoreError};
use crate::tiles::Face;
use crate::trust::{Bundle, TrustCell};
use crate::witnessed::{Rule, WitnessState, Witnessed};
use ceralacca_evidence::Stamper;
use ceralacca_formats::acknowledgement::Acknowledgement;
use ceralacca_formats::canonical::Integer;
use ceralacca_formats::checkpoint::{Checkpoint, CheckpointError};
use ceralacca_formats::encrypt::Dictionary;
use ceralacca_formats::id::{
    INTEGER_MAX, IntervalId, LeafIndex, LogId, Origin, TreeSize, UtcMillis,
};
use ceralacca_formats::leaf::{Class, Kind};
use ceralacca_formats::metadata::CustodyRecord;
use ceralacca_formats::note::{NoteSigner, VerifierKey};
use ceralacca_formats::proof::ProofFile;
use ceralacca_formats::rotation::{RotationError, follow};
use ceralacca_formats::secret::MasterKey;
use ceralacca_formats::tree::RootHash;
use ceralacca_retention::StoreKind;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Why a log could not be made, opened or stopped.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// What is on disk does not open.
    #[error("open log")]
    Open(#[from] OpenError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A secret could not be made.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// The first checkpoint could not be signed.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The writer could not start, or ended badly.
    #[error(transparent)]
    Writer(#[from] WriterError),
    /// Something just written cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The writer ended before it answered.
    #[error(transparent)]
    Submit(#[from] SubmitError),
    /// The key to be retired is not the one that signs, nor the one before. The operator's to say which is meant.
    #[error("the log signs with another key: {0}")]
    OtherKey(VerifierKey),
    /// The proof of a rotation just made does not verify. An alarm: run `fsck`.
    #[error(transparent)]
    Rotation(#[from] RotationError),
    /// Two logs of one archive have the same origin.
    #[error("logs {0} and {1} have the same origin")]
    SameOrigin(LogId, LogId),
}

/// Why a migration was not declared.
#[derive(Debug, thiserror::Error)]
pub enum MigrationError {
    /// The permit is for another log.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// It could not be recorded.
    #[error(transparent)]
    Ingest(#[from] IngestError),
}

/// What is ambient, and what an operator chooses, for the logs of one process.
#[derive(Clone)]
pub struct Settings {
    /// The clocks.
    pub clock: Arc<dyn Clock>,
    /// The source of randomness.
    pub entropy: Arc<dyn Entropy>,
    /// When intervals are cut.
    pub schedule: Schedule,
    /// Limits of queue and group.
    pub limits: QueueLimits,
    /// The largest object, in bytes.
    pub object_bytes_max: u64,
    /// Logs of the Ministry of Justice's provider: their trace records are kept five years (DM 44/2011
    /// art. 4(3)).
    pub justice: BTreeSet<LogId>,
    /// Whose cosignatures are asked for, and what is shown meanwhile; none where nobody is asked.
    pub witnesses: Option<Rule>,
    /// Who signs and stamps; none where intervals are cut and not closed.
    pub authorities: Option<Authorities>,
    /// Terms, grace and sizes of disposals.
    pub disposal: DisposalRules,
}

impl Settings {
    fn trace_class(&self, log: &LogId) -> Class {
        match self.justice.contains(log) {
            true => Class::Justice,
            false => Class::Trace,
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            clock: Arc::new(SystemClock::default()),
            entropy: Arc::new(SystemEntropy),
            schedule: Schedule::default(),
            limits: QueueLimits::default(),
            object_bytes_max: OBJECT_BYTES_MAX,
            justice: BTreeSet::new(),
            witnesses: None,
            authorities: None,
            disposal: DisposalRules::default(),
        }
    }
}

/// Makes a new log in `directory`; gives the key that verifies its checkpoints.
pub fn init(
    directory: &Path,
    log: &LogId,
    origin: &Origin,
    master: &MasterKey,
    settings: &Settings,
) -> Result<VerifierKey, ArchiveError> {
    init_as(
        directory,
        log,
        origin,
        master,
        settings,
        StoreKind::Production,
    )
}

/// The same, of a log for one purpose or the other: that is fixed here, and nothing changes it later. In a development log
/// the embedded time-stamping authority is enough to dispose of records.
pub fn init_as(
    directory: &Path,
    log: &LogId,
    origin: &Origin,
    master: &MasterKey,
    settings: &Settings,
    kind: StoreKind,
) -> Result<VerifierKey, ArchiveError> {
    let directory = LogDirectory::create(directory)?;
    let store = RocksStore::open(&directory.database(), Mode::Create)?;
    let signer = found(&store, log, origin, master, &*settings.entropy)?;
    if kind == StoreKind::Development {
        let mut batch = Batch::new();
        let row = StateRow::Development;
        batch.put::<State>(&row.key(), &row);
        store.commit(&batch)?;
    }
    drop(store);
    let empty = Checkpoint::sign(&signer, origin, TreeSize::default(), RootHash::empty())?;
    directory.write_checkpoint(empty.note())?;
    directory.finish()?;
    Ok(signer.verifier().clone())
}

/// Writes the rows every log begins with.
pub fn found(
    store: &dyn Store,
    log: &LogId,
    origin: &Origin,
    master: &MasterKey,
    entropy: &dyn Entropy,
) -> Result<NoteSigner, ArchiveError> {
    let mut batch = Batch::new();
    let (_, signer) = Keyring::create(master, origin, entropy, &mut batch)?;
    for dictionary in Dictionary::ALL {
        batch.put::<Dictionaries>(&dictionary.id(), &dictionary.bytes().to_vec());
    }
    let row = StateRow::Identity(Identity {
        version: FORMAT_VERSION,
        log: log.clone(),
        origin: origin.clone(),
    });
    batch.put::<State>(&row.key(), &row);
    store.commit(&batch)?;
    Ok(signer)
}

/// How a log fares.
#[derive(Clone, Debug)]
pub struct LogState {
    /// Size of the published tree.
    pub size: TreeSize,
    /// The open interval.
    pub interval: IntervalId,
    /// Cuts wait until the time is proven.
    pub cuts_suspended: bool,
    /// Intervals that were cut and are not closed: more than one is late.
    pub cut: usize,
    /// The last interval that was closed.
    pub closed: Option<Span>,
    /// Up to which leaf sorted runs of the index reach.
    pub indexed: TreeSize,
    /// Bytes of the store on disk.
    pub disk_bytes: u64,
    /// Size of the last witnessed checkpoint; 0 for none.
    pub witnessed: TreeSize,
    /// Its witnesses.
    pub witnesses: Vec<WitnessState>,
    /// When the last scrub ended; 0 before the first.
    pub scrubbed: UtcMillis,
    /// Damages that the scrub found: in the round under way, or in the last one if that found more.
    pub damaged: u64,
    /// Disposals: overdue, open, under way, done.
    pub disposals: Overview,
    /// Renewals of evidence.
    pub renewals: RenewalState,
}

/// A rotation of a log's key, in force.
#[derive(Clone, Debug)]
pub struct KeyRotation {
    /// Signs from here on: the key to publish.
    pub current: VerifierKey,
    /// Leads from the retired key to it.
    pub proof: ProofFile,
    /// It was in force already: nothing was changed.
    pub repeated: bool,
}

/// An open log: its writer, and what reads and submits.
pub struct Log {
    id: LogId,
    origin: Origin,
    verifier: VerifierKey,
    sequencer: Arc<Sequencer>,
    reader: Reader,
    disclosures: Disclosures,
    custodian: Custodian,
    witnessed: Arc<Witnessed>,
    ingest: Ingest,
    scrub: Scrub,
    sealer: Sealer,
    disposer: Disposer,
    authorities: Option<Authorities>,
    clock: Arc<dyn Clock>,
    swept_uploads: u64,
}

impl Log {
    /// Opens the log in a directory and takes it over.
    pub fn open(
        directory: &Path,
        master: &MasterKey,
        settings: &Settings,
    ) -> Result<Self, ArchiveError> {
        let directory = LogDirectory::open(directory)?;
        let store = RocksStore::open(&directory.database(), Mode::Write)?;
        Self::over(Arc::new(store), Some(directory), master, settings)
    }

    /// Takes over the log in a store: with a directory as shipped, without one in simulation.
    pub fn over(
        store: Arc<dyn Store>,
        directory: Option<LogDirectory>,
        master: &MasterKey,
        settings: &Settings,
    ) -> Result<Self, ArchiveError> {
        let folder = directory.as_ref().map(|d| ScrubFolder::of(d.path()));
        let packages = directory.as_ref().map(|d| packages_below(d.path()));
        let parts = crate::sequencer::Parts {
            directory,
            store: Arc::clone(&store),
            clock: Arc::clone(&settings.clock),
            entropy: Arc::clone(&settings.entropy),
            schedule: settings.schedule,
        };
        let recovered = Recovered::read(parts, master)?;
        let identity = recovered.identity.clone();
        let verifier = recovered.signer.verifier().clone();
        let rule = settings.witnesses.clone();
        let keys = keyring::chain(&*store, &verifier)?;
        let keys = keys.keys().cloned().collect();
        let witnessed = Witnessed::open(Arc::clone(&store), keys, rule)?;
        let keyring = Arc::clone(&recovered.keyring);
        let index = Arc::clone(&recovered.index);
        let swept_uploads = recovered.swept_uploads;
        let sequencer = Arc::new(Sequencer::start(recovered, settings.limits)?);
        let published = Arc::clone(sequencer.published());
        let reader = Reader::new(store, keyring, published, index);
        let disclosures = Disclosures::new(Arc::clone(&sequencer), Arc::clone(&settings.entropy));
        let custodian = Custodian::new(Arc::clone(&sequencer));
        let scrub = Scrub::open(reader.clone(), verifier.clone(), folder)?;
        let sealer = Sealer::new(
            reader.clone(),
            Arc::clone(&sequencer),
            identity.origin.clone(),
            packages.clone(),
            Arc::clone(&settings.clock),
            Arc::clone(&settings.entropy),
        );
        let parts = disposal::Parts {
            reader: reader.clone(),
            sequencer: Arc::clone(&sequencer),
            origin: identity.origin.clone(),
            packages,
            clock: Arc::clone(&settings.clock),
            entropy: Arc::clone(&settings.entropy),
            trace: settings.trace_class(&identity.log),
        };
        let disposer = Disposer::open(parts, settings.disposal)?;
        let ingest = Ingest::new(
            Arc::clone(&sequencer),
            reader.clone(),
            Arc::clone(&settings.entropy),
            identity.origin.clone(),
            Policy {
                object_bytes_max: settings.object_bytes_max,
                trace_class: settings.trace_class(&identity.log),
                trust: TrustCell::default(),
                clock: Arc::clone(&settings.clock),
            },
        );
        Ok(Self {
            id: identity.log,
            origin: identity.origin,
            verifier,
            sequencer,
            reader,
            disclosures,
            custodian,
            witnessed: Arc::new(witnessed),
            ingest,
            scrub,
            sealer,
            disposer,
            authorities: settings.authorities.clone(),
            clock: Arc::clone(&settings.clock),
            swept_uploads,
        })
    }

    /// Its name in this installation.
    pub fn id(&self) -> &LogId {
        &self.id
    }

    /// Its origin.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The key that verifies its checkpoints.
    pub fn verifier(&self) -> &VerifierKey {
        &self.verifier
    }

    /// The engine below the use cases, which asks for no permit: for checks, benches and simulation. No
    /// service may name it (`tests/it/layering.rs`).
    pub fn reader(&self) -> &Reader {
        &self.reader
    }

    /// Its witnessed checkpoints: signed notes, nothing of anybody.
    pub fn witnessed(&self) -> &Witnessed {
        &self.witnessed
    }

    /// Submits to it, for the holder of a permit for this log.
    pub fn ingest(&self, permit: &Permit<Submit>) -> Result<Ingest, Denied> {
        self.check(permit)?;
        Ok(self.ingest.of(permit))
    }

    /// Declares an interval of an older archive migrated, in milliseconds since 1970.
    pub fn declare_migration(
        &self,
        permit: &Permit<Migrate>,
        interval: (Integer, Integer),
        statement: &str,
    ) -> Result<Acknowledgement, MigrationError> {
        self.check(permit)?;
        let declared = self.ingest.declare_migration(permit, interval, statement);
        Ok(declared?)
    }

    /// Reads it, for the holder of a permit for this log.
    pub fn desk<'a, A>(&'a self, permit: &'a Permit<A>) -> Result<Desk<'a, A>, Denied> {
        self.check(permit)?;
        let (reader, disclosures) = (&self.reader, &self.disclosures);
        let (witnessed, sealer) = (&self.witnessed, &self.sealer);
        let custodian = &self.custodian;
        Ok(Desk::new(
            reader,
            disclosures,
            witnessed,
            sealer,
            custodian,
            permit,
        ))
    }

    /// Makes up for what follows an erasure and was not done: the bytes that still stand in files, the certificate.
    pub fn complete_erasure(&self, record: LeafIndex) -> Result<(), CustodyError> {
        let (store, keyring) = (self.reader.store(), self.reader.keyring());
        let kept = erasures::find(store, keyring, record)?;
        let kept = kept.ok_or(CustodyError::NotErased(record))?;
        let interval = self.reader.published().interval_of(record);
        let certifier = self.authorities.as_ref().map(|authorities| Certifier {
            origin: &self.origin,
            signer: &*authorities.signer,
            stamper: &*authorities.stamper,
            now: self.clock.wall(),
        });
        let custodian = &self.custodian;
        custodian.complete_erasure(store, record, certifier.as_ref(), &kept, interval)
    }

    /// The same, of every record whose erasure is not complete; gives how many there were. The first failure is told
    /// after all were tried.
    pub fn complete_erasures(&self) -> Result<u64, CustodyError> {
        let mut done = 0;
        let mut failed = Ok(());
        for record in erasures::incomplete(self.reader.store()) {
            match self.complete_erasure(record?) {
                Ok(()) => done += 1,
                Err(error) => failed = failed.and(Err(error)),
            }
        }
        failed.map(|()| done)
    }

    /// Makes packages from it, for the holder of a permit for this log.
    pub fn reissuer<'a>(
        &'a self,
        permit: &'a Permit<access::Reissue>,
    ) -> Result<Result<Reissuer<'a>, ReissueError>, Denied> {
        let desk = self.desk(permit)?;
        let Some(authorities) = &self.authorities else {
            return Ok(Err(ReissueError::NoAuthorities));
        };
        let keys = keyring::chain(self.reader.store(), &self.verifier);
        let rule = self.witnessed.rule();
        let witnesses = rule.map(|rule| rule.policy.keys().into_iter().cloned().collect());
        let witnesses: Vec<VerifierKey> = witnesses.unwrap_or_default();
        let keys = keys.map_err(|error| ReissueError::Record(error.into()));
        Ok(keys.map(|keys| {
            Reissuer::new(
                desk,
                &self.sealer,
                authorities,
                keys,
                witnesses,
                &*self.clock,
            )
        }))
    }

    /// Its intervals and their packages, for the holder of a permit for this log.
    pub fn packages<'a>(
        &'a self,
        permit: &'a Permit<access::Preserve>,
    ) -> Result<Packages<'a>, Denied> {
        Ok(Packages::new(self.desk(permit)?, &self.sealer))
    }

    /// What of it is open to everybody, without a permit: hashes under its published checkpoint.
    pub fn face(&self) -> Face {
        Face::new(&self.reader, &self.witnessed)
    }

    fn check<A>(&self, permit: &Permit<A>) -> Result<(), Denied> {
        (*permit.log() == self.id).then_some(()).ok_or(Denied)
    }

    /// The leaves of its published tree, its open interval and its index, in numbers.
    pub fn state(&self, _: &Permit<Status>) -> Result<LogState, StoreError> {
        let published = self.reader.published();
        let disk_bytes = Family::ALL
            .iter()
            .map(|family| self.reader.store().disk_bytes(*family));
        let scrub = self.scrub.report();
        Ok(LogState {
            size: published.tip.size,
            interval: published.open_interval(),
            cuts_suspended: published.suspended,
            cut: self.sealer.waiting(),
            closed: self.sealer.last_closed(),
            indexed: self.reader.coverage().runs,
            disk_bytes: disk_bytes.sum::<Result<u64, _>>()?,
            witnessed: self
                .witnessed
                .last()
                .map_or_else(TreeSize::default, |c| c.size()),
            witnesses: self.witnessed.states(),
            scrubbed: scrub.finished,
            damaged: scrub.damaged.max(scrub.last_damaged),
            disposals: self.disposer.overview(),
            renewals: self.sealer.renewals(),
        })
    }

    /// Has everything it holds checked; gives the number of the round. One that is under way goes on.
    pub fn start_scrub(
        &self,
        permit: &Permit<access::Scrub>,
        now: UtcMillis,
    ) -> Result<Result<u64, StoreError>, Denied> {
        self.check(permit)?;
        Ok(self.scrub.start(now))
    }

    /// How far the check of everything is, and what it found.
    pub fn scrub_report(&self, permit: &Permit<access::Scrub>) -> Result<Arc<Report>, Denied> {
        self.check(permit)?;
        Ok(self.scrub.report())
    }

    /// Begins a scrub by itself where the last one began so long ago, in milliseconds, and goes on with one that is
    /// under way for about so many bytes.
    pub fn scrub_tick(
        &self,
        now: UtcMillis,
        every_ms: Option<u64>,
        bytes: u64,
    ) -> Result<Ticked, StoreError> {
        let report = self.scrub.report();
        let due =
            |every| report.round == 0 || now.get() >= report.started.get().saturating_add(every);
        if report.phase.is_none() && every_ms.is_some_and(due) {
            self.scrub.start(now)?;
        }
        self.scrub.tick(now, bytes)
    }

    /// Closes the oldest interval that was cut, with these authorities; `None` where all are closed. `probe` is for
    /// tests: [`Probe::default`] ends nothing.
    pub fn close_next(
        &self,
        authorities: &Authorities,
        probe: &Probe,
    ) -> Result<Option<Sealed>, SealError> {
        let trust = self.ingest.trust();
        self.sealer.close_next(authorities, &trust, probe)
    }

    /// Does the most urgent renewal of evidence that is due, or goes on with one under way; `None` where nothing is due.
    /// `probe` is for tests, as above.
    pub fn renew_next(
        &self,
        rules: &RenewalRules,
        stamper: &dyn Stamper,
        probe: &Probe,
    ) -> Result<Option<Renewed>, SealError> {
        self.sealer.renew_next(rules, stamper, probe)
    }

    /// Disposals of it, for the holder of a permit for this log; what changes something asks for its own permit again.
    pub fn disposals<A>(&self, permit: &Permit<A>) -> Result<&Disposer, Denied> {
        self.check(permit)?;
        Ok(&self.disposer)
    }

    /// What of it is disposed of, and is to be: for the service itself, which takes the steps that are due.
    pub fn disposer(&self) -> &Disposer {
        &self.disposer
    }

    /// Who signs and stamps for it; none where none is configured.
    pub fn authorities(&self) -> Option<&Authorities> {
        self.authorities.as_ref()
    }

    /// What was closed, and where its packages are.
    pub fn sealer(&self) -> &Sealer {
        &self.sealer
    }

    /// Uploads swept at open because their leaf never came.
    pub fn swept_uploads(&self) -> u64 {
        self.swept_uploads
    }

    /// Judges signatures with this material from here on, recorded first. Without a call there is none.
    pub fn judge_with(&self, material: &Bundle) -> Result<(), JudgeWithError> {
        self.ingest.judge_with(material)
    }

    /// Tells the writer that an instant is proven; cuts that were suspended go on if the wall agrees.
    pub fn confirm_time(&self, proven: UtcMillis) -> Result<(), ConfirmError> {
        self.sequencer.confirm_time(proven)
    }

    /// Records that its store was built again: with how many leaves, from how many packages, held against a checkpoint
    /// of which size.
    pub(crate) fn restored(
        &self,
        size: TreeSize,
        packages: u64,
        known: Option<TreeSize>,
    ) -> Result<LeafIndex, SubmitError> {
        let integer = |n: u64| Integer::try_from(n.min(INTEGER_MAX)).unwrap_or(Integer::ZERO);
        let act = CustodyRecord::Restored {
            size: integer(size.get()),
            packages: integer(packages),
            known: known.map(|size| integer(size.get())),
        };
        self.sequencer.act(Kind::Restore, act)
    }

    /// Has the writer look at its clock now.
    pub fn tick(&self) -> Result<(), SubmitError> {
        self.sequencer.tick()
    }

    /// Replaces the key that signs the log, and stops it: the key to be retired is named, so that a call that is
    /// repeated, because nobody knows how the first one ended, changes nothing more.
    pub fn rotate_key(self, retire: &VerifierKey) -> Result<KeyRotation, ArchiveError> {
        let chain = keyring::chain(self.reader.store(), &self.verifier)?;
        let before = chain.rotations().checked_sub(1);
        let repeated = before.filter(|number| chain.keys().nth(*number) == Some(retire));
        let number = match repeated {
            Some(number) => number,
            None if *retire != self.verifier => {
                self.stop()?;
                return Err(ArchiveError::OtherKey(self.verifier));
            }
            None => {
                if let Err(unanswered) = self.sequencer.rotate_key() {
                    // How the writer ended says why.
                    self.stop()?;
                    return Err(unanswered.into());
                }
                chain.rotations()
            }
        };
        // At most a thousand (`ROTATIONS_MAX`).
        let number = u32::try_from(number).unwrap_or(u32::MAX);
        let state = self.reader.published();
        let proof = self
            .reader
            .rotations(&state, number, 1, state.tip.size)?
            .pop();
        let proof = proof.ok_or(ReadError::Missing("the rotation of the log key"))?;
        let current = follow(retire, [&proof])?.current().clone();
        self.stop()?;
        Ok(KeyRotation {
            current,
            proof,
            repeated: repeated.is_some(),
        })
    }

    /// Stops cleanly: what is queued is recorded and answered; runs and checkpoint are written. Records
    /// acknowledged before are safe whether or not this is called.
    pub fn stop(&self) -> Result<(), ArchiveError> {
        Ok(self.sequencer.stop()?)
    }
}

/// The open logs of one process.
#[derive(Default)]
pub struct Archive {
    logs: BTreeMap<LogId, Log>,
}

fn packages_below(log: &Path) -> PathBuf {
    log.join("packages")
}

impl Archive {
    /// Where a log lives below a data directory.
    pub fn directory_of(data: &Path, log: &LogId) -> PathBuf {
        data.join("logs").join(log.as_str())
    }

    /// Where the packages of a log are.
    pub fn packages_of(data: &Path, log: &LogId) -> PathBuf {
        packages_below(&Self::directory_of(data, log))
    }

    /// Opens these logs below a data directory; origins must differ.
    pub fn open(
        data: &Path,
        logs: &[LogId],
        master: &MasterKey,
        settings: &Settings,
    ) -> Result<Self, ArchiveError> {
        let mut archive = Self::default();
        for id in logs {
            let log = Log::open(&Self::directory_of(data, id), master, settings)?;
            let same = archive.logs.values().find(|l| l.origin == log.origin);
            if let Some(other) = same {
                return Err(ArchiveError::SameOrigin(other.id.clone(), id.clone()));
            }
            archive.logs.insert(id.clone(), log);
        }
        Ok(archive)
    }

    /// A log by name.
    pub fn log(&self, id: &LogId) -> Option<&Log> {
        self.logs.get(id)
    }

    /// All logs.
    pub fn logs(&self) -> impl Iterator<Item = &Log> {
        self.logs.values()
    }

    /// Stops every log cleanly; the first failure is reported after all were tried.
    pub fn stop(&self) -> Result<(), ArchiveError> {
        let results: Vec<_> = self.logs.values().map(Log::stop).collect();
        results.into_iter().collect()
    }
}
