//! Receipts read, judged and stored durably, beside the bare digests and signature verifications they need.
//!
//! ```text
//! cargo bench --bench judged                         as CI runs it, small
//! cargo bench --bench judged -- --receipts 16000     by hand; further
//!     --rounds N      of each side in turn, the median counts (default 3)
//! ```
//!
//! Both sides run on two threads over the same complete delivery receipts (some 13 KB, RSA-2048, a chain of three).
//! Bare: SHA-256 and BLAKE3 of the whole, the digest the signature names over the signed part, the signature over
//! the signed attributes; keys, attributes and places were cut out before. Ours: the shipped path in process, from the
//! bytes to the acknowledgement after the sync. What was written is read back: contents and levels,
//! and `fsck` finds it clean, with the root that was published.

#![allow(clippy::disallowed_methods, reason = "a bench is about real time")]

use aws_lc_rs::digest;
use aws_lc_rs::signature::{
    RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY, RSA_PKCS1_2048_8192_SHA256, RsaParameters,
    UnparsedPublicKey,
};
use ceralacca::access::{self, Principal};
use ceralacca::archive::{self, Log, Settings};
use ceralacca::audit::fsck;
use ceralacca::ingest::Declared;
use ceralacca::keyring::Keyring;
use ceralacca::store::outside;
use ceralacca::store::rocks::{Mode, RocksStore};
use ceralacca::trust::{Bundle, Item, What};
use ceralacca_formats::digest::{ContentDigest, Sha256};
use ceralacca_formats::id::{LeafIndex, LogId, Origin, UtcMillis};
use ceralacca_formats::metadata::Metadata;
use ceralacca_formats::secret::MasterKey;
use ceralacca_synthetic::mail::{PkiOptions, Postal, Select};
use ceralacca_synthetic::pki::Keys;
use cms::cert::CertificateChoices;
use cms::content_info::ContentInfo;
use cms::signed_data::{SignedData, SignerIdentifier};
use der::{Decode, Encode};
use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

const START_MS: i64 = 1_763_700_000_000;
const THREADS: usize = 2;
/// Receipts under way on each thread.
const UNDER_WAY: usize = 512;

struct Options {
    receipts: usize,
    rounds: usize,
}

impl Options {
    fn parse() -> Self {
        let mut options = Self {
            receipts: 4000,
            rounds: 3,
        };
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            let mut number = || {
                let text = arguments.next();
                text.and_then(|n| n.parse().ok()).expect("a number")
            };
            match argument.as_str() {
                "--receipts" => options.receipts = number(),
                "--rounds" => options.rounds = number(),
                "--bench" => {}
                other => panic!("unknown argument {other}"),
            }
        }
        options
    }
}

/// A receipt, and what a bare verification needs of it.
struct Receipt {
    bytes: Vec<u8>,
    signed: Range<usize>,
    parameters: &'static RsaParameters,
    digest: &'static digest::Algorithm,
    message_digest: Vec<u8>,
    attributes: Vec<u8>,
    signature: Vec<u8>,
    key: Arc<Vec<u8>>,
}

impl Receipt {
    fn new(bytes: Vec<u8>) -> Self {
        let reading = ceralacca_pec::read(&bytes);
        let detached = reading.detached(&bytes).expect("a signature");
        let start = detached.signed.as_ptr() as usize - bytes.as_ptr() as usize;
        let signed = start..start + detached.signed.len();
        let info = ContentInfo::from_ber(&detached.p7s).expect("CMS");
        let content = info.content.to_der().expect("SignedData");
        let data = SignedData::from_ber(&content).expect("SignedData");
        let signer = data.signer_infos.0.get(0).expect("a signer");
        let SignerIdentifier::IssuerAndSerialNumber(id) = &signer.sid else {
            panic!("a signer named by its key");
        };
        let certificates = data.certificates.as_ref().expect("certificates");
        let mut certificates = certificates.0.iter().filter_map(|choice| match choice {
            CertificateChoices::Certificate(certificate) => Some(certificate.tbs_certificate()),
            CertificateChoices::Other(_) => None,
        });
        let certificate = certificates
            .find(|c| *c.serial_number() == id.serial_number && *c.issuer() == id.issuer)
            .expect("the certificate of the signer");
        let attributes = signer.signed_attrs.as_ref().expect("signed attributes");
        let digest_attribute = attributes
            .iter()
            .find(|a| a.oid == const_oid::db::rfc6268::ID_MESSAGE_DIGEST)
            .and_then(|a| a.values.get(0))
            .expect("a message digest");
        let is_sha1 = signer.digest_alg.oid == const_oid::db::rfc5912::ID_SHA_1;
        Self {
            signed,
            parameters: match is_sha1 {
                true => &RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY,
                false => &RSA_PKCS1_2048_8192_SHA256,
            },
            digest: match is_sha1 {
                true => &digest::SHA1_FOR_LEGACY_USE_ONLY,
                false => &digest::SHA256,
            },
            message_digest: digest_attribute.value().to_vec(),
            attributes: attributes.to_der().expect("attributes"),
            signature: signer.signature.as_bytes().to_vec(),
            key: Arc::new(
                certificate
                    .subject_public_key_info()
                    .subject_public_key
                    .raw_bytes()
                    .to_vec(),
            ),
            bytes,
        }
    }

    /// The digests and the verification, nothing else.
    fn verify(&self) -> ContentDigest {
        let whole = ContentDigest::of(&self.bytes);
        let signed = digest::digest(self.digest, &self.bytes[self.signed.clone()]);
        assert_eq!(signed.as_ref(), self.message_digest);
        let key = UnparsedPublicKey::new(self.parameters, self.key.as_slice());
        key.verify(&self.attributes, &self.signature)
            .expect("signature");
        whole
    }
}

/// Receipts a second on two threads, with what was digested.
fn bare(receipts: &[Receipt]) -> f64 {
    let start = Instant::now();
    std::thread::scope(|scope| {
        for part in receipts.chunks(receipts.len().div_ceil(THREADS)) {
            scope.spawn(move || {
                for receipt in part {
                    std::hint::black_box(receipt.verify());
                }
            });
        }
    });
    receipts.len() as f64 / start.elapsed().as_secs_f64()
}

/// Receipts a second to their acknowledgements, on a fresh log, checked after the clock stopped.
fn ours(receipts: &[Receipt], root: &[u8]) -> f64 {
    let directory = tempfile::tempdir().expect("directory");
    let path = directory.path().join("log");
    let id = LogId::try_from("bench").expect("id");
    let origin = Origin::try_from("pec.example.test/bench").expect("origin");
    let (master, settings) = (MasterKey::from_bytes([7; 32]), Settings::default());
    archive::init(&path, &id, &origin, &master, &settings).expect("init");
    let log = Log::open(&path, &master, &settings).expect("open");
    let anchor = Arc::new(Item::held(What::Anchor, root.to_vec()));
    log.judge_with(&Bundle::new(vec![anchor]).expect("trust"))
        .expect("trust");
    let permit =
        access::authorize(&Principal::development(), &id, UtcMillis::new(0)).expect("permit");
    let submitter = log.ingest(&permit).expect("ingest");
    let first = log.reader().published().tip.size.get();
    let start = Instant::now();
    std::thread::scope(|scope| {
        for part in receipts.chunks(receipts.len().div_ceil(THREADS)) {
            let submitter = &submitter;
            scope.spawn(move || {
                let mut waiting = VecDeque::new();
                for receipt in part {
                    if waiting.len() >= UNDER_WAY {
                        let ticket = waiting.pop_front().expect("a ticket");
                        submitter.wait(ticket).expect("acknowledgement");
                    }
                    let submission = submitter
                        .object(receipt.bytes.clone(), Declared::AsRead, None)
                        .expect("an object");
                    waiting.push_back(submitter.submit_waiting(submission).expect("submitted"));
                }
                for ticket in waiting {
                    submitter.wait(ticket).expect("acknowledgement");
                }
            });
        }
    });
    let rate = receipts.len() as f64 / start.elapsed().as_secs_f64();
    check(&log, first, receipts);
    let tip = log.reader().published().tip;
    log.stop().expect("stop");
    drop(log);
    let report = recheck(&path, &master, &origin);
    assert!(report.is_clean(), "{:?}", report.damages);
    // Nothing was recorded between.
    assert_eq!(
        (report.leaves, report.root),
        (tip.size.get(), Some(tip.root))
    );
    rate
}

/// What the check of everything finds in a log at rest.
fn recheck(path: &Path, master: &MasterKey, origin: &Origin) -> fsck::Report {
    let store = RocksStore::open(&outside::database_of(path), Mode::Read).expect("store");
    let (keyring, signer) = Keyring::open(&store, master, origin).expect("keys");
    let subject = fsck::Subject {
        store: &store,
        keyring: &keyring,
        verifier: signer.verifier(),
        outside: outside::read_checkpoint(path).expect("checkpoint"),
    };
    fsck::check(&subject, &mut |_| {})
}

/// Every receipt is there, whole, trusted, each with its facts beside it.
fn check(log: &Log, first: u64, receipts: &[Receipt]) {
    let reader = log.reader();
    let state = reader.published();
    let mut wanted: BTreeMap<Sha256, usize> = BTreeMap::new();
    for receipt in receipts {
        *wanted.entry(Sha256::of(&receipt.bytes)).or_default() += 1;
    }
    let (mut objects, mut facts) = (0, 0);
    for index in first..state.tip.size.get() {
        let opened = reader
            .record(&state, LeafIndex::new(index))
            .expect("a record");
        match opened.metadata().expect("metadata") {
            Metadata::Object(object) => {
                let level = object.signature.expect("a level");
                // Who signed with SHA-1 is trusted, and weak.
                let level = level.to_str().expect("a word").to_owned();
                assert!(["integral-trusted", "integral-weak"].contains(&level.as_str()));
                let mut hasher = Vec::new();
                opened
                    .content(reader.store(), |piece| hasher.extend_from_slice(piece))
                    .expect("content");
                let left = wanted.get_mut(&Sha256::of(&hasher)).expect("a receipt");
                *left = left.checked_sub(1).expect("not more often than submitted");
                objects += 1;
            }
            Metadata::Trace(trace) => {
                assert!(trace.identificativo.is_some());
                facts += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((objects, facts), (receipts.len(), receipts.len()));
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

fn main() {
    let options = Options::parse();
    let postal = Postal::new(&PkiOptions::with_keys(Keys::Rsa2048), START_MS).expect("postal");
    let root = postal.pki().root_der().to_vec();
    let receipts: Vec<Receipt> = postal
        .stream(11, Select::CompleteDeliveries)
        .take(options.receipts)
        .map(|message| Receipt::new(message.bytes))
        .collect();
    let bytes: usize = receipts.iter().map(|receipt| receipt.bytes.len()).sum();
    println!(
        "{} receipts of {} bytes on average, two threads, {} rounds in turn",
        receipts.len(),
        bytes / receipts.len(),
        options.rounds
    );
    let (mut there, mut here) = (Vec::new(), Vec::new());
    for _ in 0..options.rounds {
        there.push(bare(&receipts));
        here.push(ours(&receipts, &root));
    }
    let (there, here) = (median(there), median(here));
    println!("  bare digests and verifications: {there:.0} a second");
    println!("  read, judged, stored durably:   {here:.0} a second");
    println!("  ratio {:.2}, asked 0.35", here / there);
}
