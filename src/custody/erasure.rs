//! Single erasure: one object kept by contract goes before its term, and what stays says so.
//!
//! ```text
//! proposed by one ─▶ confirmed by another ─▶ ERASED: keys, rows, contents, postings in one batch with the leaf
//!                                              ─▶ purged: tables and blobs rewritten ─▶ certified
//! ```
//!
//! # Invariants
//! 1. Never of a class with a floor, never under a hold, never of an act of the archive; looked at in the writer's
//!    thread, in the batch that destroys the keys.
//! 2. The leaf, its tiles and every proof stay, and the trace record of its facts.
//! 3. A hold with an end counts until it is released: an erasure proves no time.
//! 4. What a hold carried over from a disposal is not erased singly: it is a unit, and goes by disposal.
//!
//! # Crash
//! Before the batch nothing happened. After it the record is gone: purge and certificate are made up for
//! ([`Custodian::complete_erasure`]), each once.

use super::hold::drafts;
use super::{Custodian, CustodyError};
use crate::erasures::{self, KeptErasure};
use crate::holds;
use crate::keyring::DetailOf;
use crate::record::open;
use crate::record::prepare;
use crate::sequencer::{Moment, Span};
use crate::store::cf::chunk::Chunks;
use crate::store::cf::chunk::UploadKey;
use crate::store::cf::content::{Contents, PartKey};
use crate::store::cf::erasure::{ErasedRow, ErasureRow, ErasureStep, Erasures, ProposedRow};
use crate::store::cf::hold::WrappedDetail;
use crate::store::cf::index::{Index, Posting};
use crate::store::cf::leaf::Leaves;
use crate::store::cf::metadata::{EncryptedMetadata, RecordKey};
use crate::store::cf::secret::{SecretKey, Secrets};
use crate::store::cf::state::{State, StateKey, StateRow};
use crate::store::cf::{ColumnFamily, Family, unit_prefix};
use crate::store::{Batch, KeyRange, Rows, Store, StoreError};
use ceralacca_evidence::Stamper;
use ceralacca_evidence::cades::{self, Content};
use ceralacca_evidence::seal_key::SealSigner;
use ceralacca_formats::canonical::Text;
use ceralacca_formats::erasure::{
    ErasureAct, ErasureCertificate, ErasureProposed, Ground, RecordErased,
};
use ceralacca_formats::hold::ActDetail;
use ceralacca_formats::id::{IntervalId, LeafIndex, Origin, UtcMillis};
use ceralacca_formats::leaf::{Class, Kind, Leaf};
use ceralacca_formats::metadata::{CustodyRecord, Metadata};
use ceralacca_retention as retention;

/// An erasure to propose or to confirm.
pub struct Erasure {
    /// The record.
    pub record: LeafIndex,
    /// Why; of a confirmation that of the proposal counts.
    pub ground: Ground,
    /// The role that allows it.
    pub role: Text,
    /// Who does it, and what is stated.
    pub detail: ActDetail,
}

/// What a certificate is signed with.
pub struct Certifier<'a> {
    /// Whose log it is.
    pub origin: &'a Origin,
    /// Signs.
    pub signer: &'a dyn SealSigner,
    /// Stamps the signature.
    pub stamper: &'a dyn Stamper,
    /// What the signer claims as its time.
    pub now: UtcMillis,
}

/// What the statement of every certificate says.
const STATEMENT: &str = "Si attesta che le chiavi dell'oggetto indicato sono state distrutte e che i suoi dati sono stati \
                         rimossi dall'archivio alla data indicata. La foglia resta nel registro e ne prova l'avvenuta \
                         registrazione; i fatti della traccia restano conservati per legge. L'attestazione prova quanto \
                         dichiarato dall'archivio; non può provare che non esistano copie presso terzi.";
/// What was done, a word for each step.
const METHOD: [&str; 6] = [
    "keys-destroyed",
    "rows-removed",
    "postings-removed",
    "tables-and-blobs-rewritten",
    "write-ahead-log-shed",
    "manifest-begun-anew",
];
const SOFTWARE: &str = concat!("ceralacca ", env!("CARGO_PKG_VERSION"));

/// A record that may be erased.
struct Target {
    leaf: Leaf,
    interval: IntervalId,
    facts: Option<LeafIndex>,
    upload: Option<UploadKey>,
    postings: Vec<Posting>,
    holds: (u64, u64),
}

impl Custodian {
    /// Proposes to erase a record; gives the leaf that says so. Another principal confirms.
    pub fn propose_erasure(&self, erasure: Erasure) -> Result<LeafIndex, CustodyError> {
        self.sequencer
            .perform(move |moment, batch| propose(moment, batch, &erasure))?
    }

    /// Erases a record whose erasure another principal proposed; gives the leaf that says so. From here on it is gone:
    /// [`Custodian::complete_erasure`] does the rest.
    pub fn erase(&self, erasure: Erasure) -> Result<LeafIndex, CustodyError> {
        self.sequencer
            .perform(move |moment, batch| erase(moment, batch, &erasure))?
    }

    /// What follows the batch: the bytes go from the files, and the certificate is signed. What was done is not done
    /// again, so it is called as often as need be. `store` is that of this log.
    pub fn complete_erasure(
        &self,
        store: &dyn Store,
        record: LeafIndex,
        certifier: Option<&Certifier<'_>>,
        kept: &KeptErasure,
        interval: IntervalId,
    ) -> Result<(), CustodyError> {
        let Some((row, confirmed)) = &kept.erased else {
            return Err(CustodyError::NotErased(record));
        };
        let leaf = store.read::<Leaves>(&record)?;
        let leaf = leaf.ok_or(CustodyError::NoRecord(record))?;
        if !row.is_purged {
            purge(store, interval, &leaf)?;
            let purged = ErasureRow::Erased(ErasedRow {
                is_purged: true,
                ..row.clone()
            });
            self.write(record, purged)?;
        }
        let Some(certifier) = certifier.filter(|_| kept.certificate.is_none()) else {
            return Ok(());
        };
        let proposed = kept.proposed.as_ref();
        let (proposal, proposer) = proposed.ok_or(CustodyError::NotErased(record))?;
        let act = |leaf, detail: &ActDetail| ErasureAct {
            leaf,
            principal: detail.principal.clone(),
        };
        let certificate = ErasureCertificate {
            acts: [act(proposal.leaf, proposer), act(row.leaf, confirmed)],
            erased_at: row.at,
            facts: row.facts,
            ground: row.ground,
            holds_set: row.holds.set,
            holds_released: row.holds.released,
            interval,
            leaf,
            // No tier locks copies yet.
            locked_until: None,
            log: certifier.origin.as_str().into(),
            method: METHOD.map(Text::from).to_vec(),
            software: SOFTWARE.into(),
            statement: STATEMENT.into(),
        };
        let bytes = certificate.to_bytes();
        let content = Content::Enveloping(&bytes);
        let (signer, stamper) = (certifier.signer, certifier.stamper);
        let (signed, _) = cades::sign_stamped(content, certifier.now, signer, stamper)?;
        self.sequencer.perform(move |moment, batch| {
            let of = DetailOf::Erasure(record, ErasureStep::Certificate.code());
            let wrapped = moment.keyring.wrap_detail(of, &signed, moment.entropy);
            let row = ErasureRow::Certificate(WrappedDetail(wrapped));
            batch.put::<Erasures>(&(record, row.step()), &row);
            Ok::<_, CustodyError>((Vec::new(), ()))
        })?
    }

    fn write(&self, record: LeafIndex, row: ErasureRow) -> Result<(), CustodyError> {
        self.sequencer.perform(move |_, batch| {
            batch.put::<Erasures>(&(record, row.step()), &row);
            Ok::<_, CustodyError>((Vec::new(), ()))
        })?
    }
}

type Decided = Result<(Vec<prepare::Draft>, LeafIndex), CustodyError>;

fn propose(moment: &Moment<'_>, batch: &mut Batch, erasure: &Erasure) -> Decided {
    let target = target(moment, erasure.record)?;
    principal(&erasure.detail)?;
    let row = ErasureRow::Proposed(ProposedRow {
        leaf: moment.next,
        at: moment.time,
        ground: erasure.ground,
        detail: wrapped(moment, erasure, ErasureStep::Proposed),
    });
    batch.put::<Erasures>(&(erasure.record, row.step()), &row);
    let custody = CustodyRecord::ErasureProposed(ErasureProposed {
        record: erasure.record,
        ground: erasure.ground,
        role: erasure.role.clone(),
    });
    let (class, detail) = (target.leaf.class, erasure.detail.clone());
    let drafts = drafts(Kind::DisposalIntent, custody, class, detail);
    Ok((drafts, moment.next))
}

fn erase(moment: &Moment<'_>, batch: &mut Batch, erasure: &Erasure) -> Decided {
    let record = erasure.record;
    let target = target(moment, record)?;
    let kept = erasures::find(moment.store, moment.keyring, record)?;
    let kept = kept.and_then(|kept| kept.proposed);
    let (proposal, proposer) = kept.ok_or(CustodyError::ErasureNotProposed(record))?;
    retention::TwoPrincipals::new(principal(&proposer)?, principal(&erasure.detail)?)?;
    let class = target.leaf.class;
    let key = RecordKey {
        interval: target.interval,
        class,
        index: record,
    };
    batch.set_apart();
    batch.delete::<Secrets>(&SecretKey::Object(key));
    batch.delete::<EncryptedMetadata>(&key);
    batch.delete_range::<Contents>(&contents_of(&key));
    if let Some(upload) = &target.upload {
        batch.delete_range::<Chunks>(&KeyRange::prefix(&upload.prefix()));
    }
    for posting in &target.postings {
        batch.delete::<Index>(posting);
    }
    let (set, released) = target.holds;
    let row = ErasureRow::Erased(ErasedRow {
        leaf: moment.next,
        at: moment.time,
        ground: proposal.ground,
        proposal: proposal.leaf,
        facts: target.facts,
        holds: ceralacca_formats::hold::HoldCounts { set, released },
        is_purged: false,
        detail: wrapped(moment, erasure, ErasureStep::Erased),
    });
    batch.put::<Erasures>(&(record, row.step()), &row);
    let custody = CustodyRecord::RecordErased(RecordErased {
        record,
        class,
        facts: target.facts,
        ground: proposal.ground,
        proposal: proposal.leaf,
        role: erasure.role.clone(),
    });
    let detail = erasure.detail.clone();
    let drafts = drafts(Kind::DisposalCompleted, custody, class, detail);
    Ok((drafts, moment.next))
}

/// The record, if it may be erased now; else why not.
fn target(moment: &Moment<'_>, record: LeafIndex) -> Result<Target, CustodyError> {
    let store = moment.store;
    let leaf = match store.read::<Leaves>(&record)? {
        Some(leaf) if record < moment.next => leaf,
        _ => return Err(CustodyError::NoRecord(record)),
    };
    let class = leaf.class;
    let floor = retention_class(class).basis();
    match (class, floor) {
        (_, retention::Basis::Law(article)) => {
            return Err(CustodyError::Floor {
                record,
                class,
                article: article.italian(),
            });
        }
        (Class::Receipt | Class::Content, _) if !leaf.kind.is_act() => {}
        _ => return Err(CustodyError::NotErasable(record)),
    }
    if let Some(erased) = erased(store, record)? {
        return Err(CustodyError::Erased {
            record,
            erasure: erased,
        });
    }
    let span = span_of(moment.spans, record).ok_or(CustodyError::NoRecord(record))?;
    let interval = span.id;
    if span.closed.is_none() {
        return Err(CustodyError::NotClosed { record, interval });
    }
    // Postings that are still in memory would be written after the batch.
    let indexed = match store.read::<State>(&StateKey::Indexed)? {
        Some(StateRow::Indexed(size)) => size,
        _ => Default::default(),
    };
    if !record.is_within(indexed) {
        return Err(CustodyError::NotIndexed(record));
    }
    let opened = open::open(store, moment.keyring, interval, leaf)?;
    if opened.is_carried_over() {
        return Err(CustodyError::CarriedOver {
            record,
            interval,
            class,
        });
    }
    if !opened.has_own_keys() {
        return Err(CustodyError::NotErasable(record));
    }
    let metadata = opened.metadata().ok();
    let facts = match &metadata {
        Some(Metadata::Object(object)) => object.companion.and_then(|offset| {
            let facts = record.get().checked_add_signed(offset.get());
            facts.map(LeafIndex::new)
        }),
        _ => None,
    };
    let holds = unheld(moment, record, facts)?;
    let mut postings = Vec::new();
    if let Some(metadata) = &metadata {
        let keys = moment.keyring.class(store, interval, class)?;
        let tokens = prepare::tokens(&keys, metadata).into_iter();
        postings.extend(tokens.map(|(field, token)| Posting {
            interval,
            class,
            field,
            token,
            index: record,
        }));
    }
    Ok(Target {
        leaf,
        interval,
        facts,
        upload: opened.upload(),
        postings,
        holds,
    })
}

/// How many holds were set and released, none of which names the record or its facts.
fn unheld(
    moment: &Moment<'_>,
    record: LeafIndex,
    facts: Option<LeafIndex>,
) -> Result<(u64, u64), CustodyError> {
    let interval_of = |index| moment.interval_of(index);
    let set = holds::load(moment.store, moment.keyring, interval_of)?;
    let mut released = 0;
    for hold in set.holds() {
        if hold.released().is_some() {
            released += 1;
            continue;
        }
        let named = |index: LeafIndex| {
            let index = retention::LeafIndex::new(index.get());
            hold.indexes().contains(index)
        };
        if named(record) || facts.is_some_and(named) {
            let hold = LeafIndex::new(hold.id().as_u64());
            return Err(CustodyError::Held { record, hold });
        }
    }
    Ok((set.holds().len() as u64, released))
}

/// The leaf that says that a record was erased.
fn erased(store: &dyn Store, record: LeafIndex) -> Result<Option<LeafIndex>, StoreError> {
    Ok(
        match store.read::<Erasures>(&(record, ErasureStep::Erased))? {
            Some(ErasureRow::Erased(row)) => Some(row.leaf),
            _ => None,
        },
    )
}

/// Brings the bytes out of the files: tables and blobs with rows of the record are rewritten; the log of writes and the
/// MANIFEST, which kept keys of tables that are gone, go.
fn purge(store: &dyn Store, interval: IntervalId, leaf: &Leaf) -> Result<(), StoreError> {
    let key = RecordKey {
        interval,
        class: leaf.class,
        index: leaf.seq,
    };
    let mut metadata = Vec::new();
    EncryptedMetadata::encode_key(&key, &mut metadata);
    let mut secret = Vec::new();
    Secrets::encode_key(&SecretKey::Object(key), &mut secret);
    let unit = unit_prefix(interval, leaf.class);
    let within = KeyRange::prefix(&unit);
    // Classes of an interval share blobs.
    let with_blobs = KeyRange::prefix(&interval.get().to_be_bytes());
    store.purge(
        Family::Secret,
        &KeyRange::prefix(&secret),
        &KeyRange::prefix(&[&[4][..], &unit].concat()),
    )?;
    store.purge(Family::Metadata, &KeyRange::prefix(&metadata), &within)?;
    store.purge(Family::Content, &contents_of(&key), &with_blobs)?;
    // Chunks and uploads are keyed by a nonce that went with the metadata, postings by tokens: an empty range, and all
    // that may share a table with them.
    let nothing = KeyRange {
        start: unit.clone(),
        end: Some(unit.clone()),
    };
    store.purge(Family::Chunk, &nothing, &with_blobs)?;
    store.purge(Family::Staging, &nothing, &within)?;
    store.purge(Family::Index, &nothing, &within)?;
    store.flush(Family::ALL)?;
    store.shed_manifest()
}

fn contents_of(key: &RecordKey) -> KeyRange {
    let mut start = Vec::new();
    Contents::encode_key(
        &PartKey {
            record: *key,
            part: 0,
        },
        &mut start,
    );
    start.truncate(start.len().saturating_sub(4));
    KeyRange::prefix(&start)
}

fn span_of(spans: &[Span], index: LeafIndex) -> Option<&Span> {
    let after = spans.partition_point(|span| span.first <= index);
    after.checked_sub(1).and_then(|at| spans.get(at))
}

fn retention_class(class: Class) -> retention::RetentionClass {
    match class {
        Class::Trace => retention::RetentionClass::Trace,
        Class::Infected => retention::RetentionClass::Infected,
        Class::Justice => retention::RetentionClass::Justice,
        Class::Receipt => retention::RetentionClass::Receipt,
        Class::Content => retention::RetentionClass::Content,
        Class::Custody => retention::RetentionClass::Custody,
    }
}

fn principal(detail: &ActDetail) -> Result<retention::Principal, CustodyError> {
    Ok(retention::Principal::new(
        detail.principal.to_str().unwrap_or_default(),
    )?)
}

fn wrapped(moment: &Moment<'_>, erasure: &Erasure, step: ErasureStep) -> WrappedDetail {
    let plain = Metadata::ActDetail(erasure.detail.clone()).to_bytes();
    let of = DetailOf::Erasure(erasure.record, step.code());
    WrappedDetail(moment.keyring.wrap_detail(of, &plain, moment.entropy))
}
