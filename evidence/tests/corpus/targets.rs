//! What must hold of any input: a function for each fuzz target, panicking where it does not hold.
//!
//! The fuzz targets (`fuzz/`) and the tests of this folder call the very same functions.

use ceralacca_evidence::Imprint;
use ceralacca_evidence::authority::Authority;
use ceralacca_evidence::certificates::{self, Purpose, Wanted};
use ceralacca_evidence::ers::renewal::{Held, Margin, plan};
use ceralacca_evidence::ers::{
    ArchiveTimeStamp, Check, Coverage, Document, EvidenceRecord, STAMPS_MAX, Table, TreeFile,
    TreeWriter, Verified, VerifyError, verify,
};
use ceralacca_evidence::pindex;
use ceralacca_evidence::software_key::{PrivateKey, SoftwareKey};
use ceralacca_evidence::tsp::{AnswerError, Checked, Request, Rules};
use ceralacca_formats::absence::{self, Follower, Said, Told};
use ceralacca_formats::catalogue::{Catalogue, Entry, FILES_MAX, is_path};
use ceralacca_formats::closing::Contents;
use ceralacca_formats::digest::Sha256;
use ceralacca_formats::export::{Exported, Manifest};
use ceralacca_formats::id::UtcMillis;
use ceralacca_formats::leaf::Commitment;
use ceralacca_formats::log_file::{Head, Line};
use ceralacca_formats::map::file::BUCKET_KEYS_MAX;
use ceralacca_formats::map::{
    MapFile, MapKey, MapNode, MapProof, MapSaltDigest, MapValue, MapWriter, subtree_root,
};
use ceralacca_formats::metadata::{Metadata, metadata_digest};
use ceralacca_formats::note::VerifierKey;
use ceralacca_formats::renewal::RenewalFacts;
use ceralacca_formats::rotation::KeyChain;
use ceralacca_pec::DigestAlgorithm::{Sha256 as SHA256, Sha384, Sha512};
use ceralacca_pec::judge::{Material, Times, Trust};
use ceralacca_pec::tsp::{Answer, Asked, Token};
use std::convert::Infallible;
use std::fmt::Display;
use std::sync::OnceLock;

/// The root of an invented authority, whose key nobody has: made with the seeds.
const ROOT: &[u8] = include_bytes!("../../../fuzz/fixed/stamping-root.der");
/// 21 November 2026.
pub const START_MS: u64 = 1_795_219_200_000;
const YEAR_MS: u64 = 365 * 86_400_000;
/// When that authority stamped, in the seeds: what verifies was stamped then, whoever writes around it.
pub const STAMPED_MS: [u64; 3] = [START_MS, START_MS + YEAR_MS, START_MS + 2 * YEAR_MS];
const NOW: UtcMillis = UtcMillis::new(START_MS + 3 * YEAR_MS);
/// What the seeds' records are of.
pub const FILE: &[u8] = b"what was preserved\n";
/// The longest text that is told of any input, in bytes.
const TOLD_BYTES_MAX: usize = 2000;
/// The longest serial number, policy or nonce of a token.
const NAME_BYTES_MAX: usize = 64;

/// An error is told in a line.
fn told(error: &dyn Display) {
    let text = error.to_string();
    assert!((1..=TOLD_BYTES_MAX).contains(&text.len()), "{}", text.len());
}

fn material() -> Material {
    Material {
        anchors: vec![ROOT.to_vec()],
        ..Material::default()
    }
}

fn trust() -> &'static Trust {
    static TRUST: OnceLock<Trust> = OnceLock::new();
    TRUST.get_or_init(|| Trust::new(material()).expect("the fixed root"))
}

/// Evidence; the first octet says whether a record, an archive time-stamp or the file of a tree.
pub fn ers(data: &[u8]) {
    let Some((kind, octets)) = data.split_first() else {
        return;
    };
    match kind % 3 {
        0 => record(octets),
        1 => archive_time_stamp(octets),
        _ => tree(octets),
    }
}

/// Of a document that is one of the group.
pub fn verified(record: &EvidenceRecord, document: &[u8]) -> Result<Verified, VerifyError> {
    let document = Document::of(document, &[SHA256, Sha384, Sha512]);
    let table = Table::built_in();
    let check = Check {
        trust: trust(),
        table: &table,
        now: NOW,
        coverage: Coverage::Members,
    };
    verify(record, &[document], &check)
}

fn record(octets: &[u8]) {
    let record = match EvidenceRecord::from_der(octets) {
        Ok(record) => record,
        Err(error) => return told(&error),
    };
    assert_eq!(record.to_der(), octets, "as it came");
    let stamps = record.chains().iter().flatten();
    let (count, kept) = stamps.fold((0, 0), |(n, kept), s| (n + 1, kept + s.to_der().len()));
    assert!((1..=STAMPS_MAX).contains(&count) && kept <= octets.len());
    let found = verified(&record, FILE);
    assert_eq!(found, verified(&record, FILE), "twice");
    match found {
        Err(error) => told(&error),
        Ok(verified) => {
            let times: Vec<u64> = verified.stamps.iter().map(|s| s.time.get()).collect();
            assert_eq!(times.len(), count, "every stamp is looked at");
            assert!(times.is_sorted_by(|a, b| a < b), "{times:?}");
            assert!(times.iter().all(|time| STAMPED_MS.contains(time)));
            assert_eq!(verified.existed_at.get(), times[0]);
            assert!(verified.until >= NOW);
        }
    }
    // Nobody stamped it.
    assert!(verified(&record, b"what nobody preserved").is_err());
    if let Some(last) = record.last() {
        planned(last);
    }
}

/// What is said of its renewal.
fn planned(stamp: &ArchiveTimeStamp) {
    match Held::by_its_own_word("an interval", stamp, &[ROOT.to_vec()]) {
        Err(error) => told(&error),
        Ok(held) => {
            let steps = plan(&[held], &Table::built_in(), Margin::default(), NOW);
            assert_eq!(steps.len(), 1);
            told(&steps[0].english());
            told(&steps[0].italian());
        }
    }
}

fn archive_time_stamp(octets: &[u8]) {
    match ArchiveTimeStamp::from_der(octets) {
        Err(error) => told(&error),
        Ok(stamp) => {
            assert_eq!(stamp.to_der(), octets, "as it came");
            assert!(stamp.token().len() < octets.len());
            assert!(stamp.reduced().is_none_or(|tree| tree.root().is_some()));
            planned(&stamp);
        }
    }
}

/// Reads pieces of a file that is these octets, none longer than `most`.
fn pieces(
    octets: &[u8],
    most: usize,
) -> impl Fn(u64, usize) -> Result<Vec<u8>, &'static str> + Copy {
    move |at, length| {
        assert!(length <= most, "{length} octets at a time");
        let at = usize::try_from(at).map_err(|_| "far")?;
        let end = at.checked_add(length).ok_or("far")?;
        octets.get(at..end).map(<[u8]>::to_vec).ok_or("beyond")
    }
}

fn tree(octets: &[u8]) {
    // A block of 256 groups: an id and the longest hash.
    let read_at = pieces(octets, 256 * 72);
    let file = match TreeFile::open(octets.len() as u64, read_at) {
        Ok(file) => file,
        Err(error) => return told(&error),
    };
    assert!(file.groups() <= octets.len() as u64 / 40);
    let whole = file.check(read_at);
    let group = |place| file.group_at(place, read_at).expect("a group within");
    for place in (0..file.groups()).step_by(97) {
        let (id, hash) = group(place);
        match file.reduced(id, &[hash], read_at) {
            Ok(reduced) => assert_eq!(reduced.root(), Some(file.root())),
            Err(error) => {
                assert!(whole.is_err(), "cut of a whole tree: {error}");
                told(&error);
            }
        }
    }
    if whole.is_ok() {
        let mut again = Vec::new();
        let mut writer = TreeWriter::new(file.algorithm(), sink(&mut again)).expect("an algorithm");
        for place in 0..file.groups() {
            let (id, hash) = group(place);
            writer.push(id, hash).expect("ascending");
        }
        let written = writer.finish().expect("groups");
        assert_eq!(written, (file.groups(), file.root()));
        assert_eq!(again, octets, "one spelling");
    }
}

fn sink(out: &mut Vec<u8>) -> impl FnMut(&[u8]) -> Result<(), Infallible> {
    |piece| {
        out.extend_from_slice(piece);
        Ok(())
    }
}

/// Time-stamps; the first octet says whether an answer, a token or a request.
pub fn stamp(data: &[u8]) {
    let Some((kind, octets)) = data.split_first() else {
        return;
    };
    match kind % 3 {
        0 => answer(octets),
        1 => token(octets),
        _ => request(octets),
    }
}

/// What the seeds' answers are to.
pub fn asked() -> Request {
    asked_with([7; 8])
}

/// The same, asked at another time.
pub fn asked_with(nonce: [u8; 8]) -> Request {
    let imprint = Imprint::Sha256(*Sha256::of(FILE).as_bytes());
    Request::new(imprint, nonce, None)
}

/// What is found of an answer to a request, had when the first of the seeds' stamps was made.
pub fn checked(request: &Request, octets: &[u8]) -> Result<Checked, AnswerError> {
    let rules = Rules::new("prova", material(), true).expect("the fixed root");
    rules.check(request, octets, UtcMillis::new(STAMPED_MS[0]))
}

fn answer(octets: &[u8]) {
    let found = checked(&asked(), octets);
    match &found {
        Err(error) => {
            assert!(!error.code().is_empty());
            told(error);
        }
        Ok(checked) => {
            let stamped = &checked.stamped;
            assert_eq!(stamped.time.get(), STAMPED_MS[0]);
            assert_eq!(stamped.response, octets);
            assert!(stamped.token.len() < octets.len());
            assert!(stamped.serial.len() <= NAME_BYTES_MAX);
            assert!(stamped.proven_past() <= stamped.time);
        }
    }
    assert_eq!(found, checked(&asked(), octets), "twice");
    // Nobody answered these.
    let imprint = Imprint::Sha256(*Sha256::of(b"what nobody preserved").as_bytes());
    let others = [Request::new(imprint, [7; 8], None), asked_with([9; 8])];
    for other in others {
        assert!(checked(&other, octets).is_err());
    }
    if let Some(answer) = Answer::read(octets) {
        assert!(answer.words.len() <= TOLD_BYTES_MAX && answer.failures.len() <= 256);
    }
}

fn token(octets: &[u8]) {
    let token = match Token::read(octets) {
        Ok(token) => token,
        Err(refusal) => return assert!(!refusal.english().is_empty()),
    };
    let info = token.info();
    assert!(token.der().len() <= octets.len());
    assert_eq!(info.imprint.len(), info.algorithm.of(&[]).as_ref().len());
    assert!(info.serial.len() <= 2 * NAME_BYTES_MAX);
    assert!(info.policy.len() <= 4 * NAME_BYTES_MAX);
    assert!(
        info.nonce
            .as_ref()
            .is_none_or(|n| n.len() <= NAME_BYTES_MAX)
    );
    let verify = |imprint: &[u8]| token.verify(imprint, trust(), Times::default());
    if let Ok(verified) = verify(&info.imprint) {
        let at = u64::try_from(verified.info.gen_ms);
        assert!(at.is_ok_and(|at| STAMPED_MS.contains(&at)), "{at:?}");
        assert_eq!(verified.certificates.last().map(Vec::as_slice), Some(ROOT));
    }
    let other = info.algorithm.of(b"what nobody preserved");
    assert!(verify(other.as_ref()).is_err());
    let _ = token.by_its_own_word(&[]);
}

/// An authority with a key of its own.
fn authority() -> &'static Authority {
    static AUTHORITY: OnceLock<Authority> = OnceLock::new();
    AUTHORITY.get_or_init(|| {
        let key = new_key();
        let certificate = certificate(Purpose::TimeStamping, &key, &key);
        let signer = SoftwareKey::new(key, certificate, Vec::new(), true);
        Authority::new(Box::new(signer.expect("a key and its certificate")))
    })
}

/// A new key on P-256.
pub fn new_key() -> PrivateKey {
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
    let random = aws_lc_rs::rand::SystemRandom::new();
    let made = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random);
    PrivateKey::from_pkcs8(made.expect("a key").as_ref()).expect("a key")
}

/// A certificate for all the years of the seeds.
pub fn certificate(purpose: Purpose, key: &PrivateKey, issuer: &PrivateKey) -> Vec<u8> {
    let wanted = Wanted {
        purpose,
        public_key: &key.public_key(),
        serial: [5; 16],
        from: UtcMillis::new(START_MS - YEAR_MS),
        until: UtcMillis::new(START_MS + 15 * YEAR_MS),
    };
    certificates::make(&wanted, issuer).expect("a certificate")
}

fn request(octets: &[u8]) {
    let now = UtcMillis::new(START_MS);
    let answer = authority().answer(octets, now, [1; 16]);
    let answer = answer.expect("the key signs");
    assert!(answer.len() <= octets.len() + 4096);
    let said = Answer::read(&answer).expect("an answer of ours");
    match Asked::read(octets).filter(|_| said.status == 0) {
        None => assert!(said.status == 2 && !said.has_token && !said.failures.is_empty()),
        Some(asked) => {
            let token = Token::read(&answer).expect("a token of ours");
            assert_eq!(token.info().imprint, asked.imprint);
            assert!(
                asked
                    .nonce
                    .is_none_or(|nonce| token.info().nonce_is(&nonce))
            );
        }
    }
}

/// Interval maps; the first octet says whether a file, a proof, a line of what intervals say, or its head.
pub fn map(data: &[u8]) {
    let Some((kind, octets)) = data.split_first() else {
        return;
    };
    match kind % 4 {
        0 => map_file(octets),
        1 => map_proof(octets),
        2 => told_line(octets),
        _ => {
            if let Ok(head) = absence::Head::parse(octets) {
                assert_eq!(head.to_line().as_bytes(), octets, "one spelling");
            }
        }
    }
}

fn map_file(octets: &[u8]) {
    let bucket_bytes = usize::try_from(64 * BUCKET_KEYS_MAX).expect("four mebibytes");
    let read_at = pieces(octets, bucket_bytes);
    let file = match MapFile::open(octets.len() as u64, read_at) {
        Ok(file) => file,
        Err(error) => return told(&error),
    };
    assert!(file.keys() <= octets.len() as u64 / 64);
    let whole = file.check(read_at);
    let buckets = (0..file.buckets()).step_by(file.buckets().div_ceil(4));
    let some = buckets.filter_map(|bucket| file.bucket(bucket, read_at).ok()?.first().copied());
    for (key, value) in some.chain([(
        MapKey::from_bytes([0x5a; 32]),
        MapValue::from_bytes([0; 32]),
    )]) {
        match file.prove(&key, read_at) {
            Ok(proof) => {
                assert_eq!(MapProof::from_bytes(&proof.to_bytes()), Ok(proof.clone()));
                assert_eq!(proof.verify(&file.root(), &key), Ok(proof.value));
                assert!(proof.value.is_none_or(|found| found == value));
            }
            Err(error) => {
                assert!(whole.is_err(), "a proof of a whole map: {error}");
                told(&error);
            }
        }
    }
    if whole.is_ok() {
        let bits = u8::try_from(file.buckets().trailing_zeros()).expect("at most twenty");
        let mut again = Vec::new();
        let mut writer = MapWriter::new(&file.salt(), bits, sink(&mut again)).expect("memory");
        for bucket in 0..file.buckets() {
            for (key, value) in file.bucket(bucket, read_at).expect("checked") {
                writer.push(key, value).expect("ascending");
            }
        }
        let written = writer.finish().expect("memory");
        assert_eq!(written, (file.keys(), file.root()));
        assert_eq!(again, octets, "one spelling");
    }
}

/// The salt of the map that the seeds' proofs are of.
pub const SALT: [u8; 32] = [9; 32];

/// The key of a numbered identificativo, and its value.
pub fn entry(number: u32) -> (MapKey, MapValue) {
    let term = format!("opec{number}@pec.alfa.example");
    let value = Sha256::of(&number.to_be_bytes());
    (
        MapKey::of_identificativo(&SALT, term.as_bytes()),
        MapValue::from_bytes(*value.as_bytes()),
    )
}

/// The map that the seeds' proofs are of.
pub fn entries() -> Vec<(MapKey, MapValue)> {
    let mut entries: Vec<_> = (0..100).map(entry).collect();
    entries.sort();
    entries
}

/// Its root.
pub fn map_root() -> &'static MapNode {
    static ROOT: OnceLock<MapNode> = OnceLock::new();
    ROOT.get_or_init(|| subtree_root(0, &entries()).expect("ascending"))
}

fn map_proof(octets: &[u8]) {
    let root = map_root();
    let proof = match MapProof::from_bytes(octets) {
        Ok(proof) => proof,
        Err(error) => return told(&error),
    };
    assert_eq!(proof.to_bytes(), octets, "one spelling");
    for number in [7, 8, 1000, 1001] {
        let (key, value) = entry(number);
        // A key is present or absent, and nobody proves otherwise.
        match proof.verify(root, &key) {
            Err(error) => told(&error),
            Ok(found) => assert_eq!(found, Some(value).filter(|_| number < 100)),
        }
    }
}

/// A key of a log.
const KEY: &str = "pec.example.test/log+b0b5d5af+AYqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c";

fn told_line(octets: &[u8]) {
    let line = match Told::parse(octets) {
        Ok(line) => line,
        Err(error) => return told(&error),
    };
    let again = line.to_line();
    assert_eq!(
        again.strip_suffix('\n').map(str::as_bytes),
        Some(octets),
        "one spelling"
    );
    let keys = KeyChain::new(VerifierKey::parse(KEY).expect("a key"));
    let mut follower = Follower::new(&keys, b"opec7@pec.alfa.example");
    match follower.take(&line, UtcMillis::new(0)) {
        Err(error) => told(&error),
        // Nobody closed an interval with that key.
        Ok(checked) => assert!(matches!(checked.said, Said::NotClosed(_)), "{checked:?}"),
    }
}

/// A document of a package, or metadata; the first octet says of which kind.
pub fn package(data: &[u8]) {
    let Some((kind, octets)) = data.split_first() else {
        return;
    };
    match kind % 7 {
        0 => {
            if let Some(catalogue) = Catalogue::parse(octets) {
                assert_eq!(catalogue.to_bytes(), octets, "one spelling");
                listed(&catalogue.files, octets);
                let found = catalogue.files.iter().take(8);
                for file in found {
                    assert_eq!(catalogue.file(&file.path), Some(file));
                }
            }
        }
        1 => {
            if let Some(contents) = Contents::parse(octets) {
                assert_eq!(contents.to_bytes(), octets, "one spelling");
            }
        }
        2 => index(octets),
        3 => {
            if let Some(facts) = RenewalFacts::parse(octets) {
                assert_eq!(facts.to_bytes(), octets, "one spelling");
            }
        }
        4 | 5 => {
            let exported = match kind % 7 {
                4 => Exported::Contents,
                _ => Exported::Secrets,
            };
            if let Some(manifest) = Manifest::parse(octets, exported) {
                assert_eq!(manifest.to_bytes(), octets, "one spelling");
                listed(&manifest.files, octets);
            }
        }
        _ => metadata(octets),
    }
}

/// No path leaves the package, none stands twice.
fn listed(files: &[Entry], octets: &[u8]) {
    assert!(files.len() <= FILES_MAX && files.iter().all(|file| is_path(&file.path)));
    assert!(files.is_sorted_by(|a, b| a.path < b.path));
    let paths: usize = files.iter().map(|file| file.path.len()).sum();
    assert!(paths <= octets.len());
}

fn index(octets: &[u8]) {
    match pindex::read(octets) {
        Err(error) => told(&error),
        Ok(index) => {
            let written = pindex::write(&index).expect("what was read is written");
            assert_eq!(pindex::read(&written), Ok(index), "the same value");
        }
    }
}

fn metadata(canonical: &[u8]) {
    match Metadata::parse(canonical) {
        Err(error) => told(&error),
        Ok(metadata) => assert_eq!(metadata.to_bytes(), canonical, "one spelling"),
    }
}

/// A log file: its head, and a record a line.
pub fn log_file(data: &[u8]) {
    let mut lines = data.split(|octet| *octet == b'\n');
    let first = lines.next().unwrap_or_default();
    match Head::parse(first) {
        Err(error) => told(&error),
        Ok(head) => assert_eq!(ended(first), head.to_line().as_bytes(), "one spelling"),
    }
    for line in lines.take(64) {
        let read = match Line::parse(line) {
            Ok(read) => read,
            Err(error) => {
                told(&error);
                continue;
            }
        };
        let mut again = Vec::new();
        read.write(&mut again);
        assert_eq!(again, ended(line), "one spelling");
        if let Line::Full {
            leaf,
            opening,
            content,
            canonical,
        } = read
        {
            let digest = metadata_digest(canonical);
            let commitment = Commitment::new(&opening, leaf.kind, &content, &digest);
            assert_eq!(commitment, leaf.commitment);
            metadata(canonical);
        }
    }
}

fn ended(line: &[u8]) -> Vec<u8> {
    [line, b"\n"].concat()
}

/// Digest of the salt.
pub fn salt() -> MapSaltDigest {
    MapSaltDigest::of(&SALT)
}
