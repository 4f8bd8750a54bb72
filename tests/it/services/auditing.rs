//! The auditor's side: what the service tells is enough to check everything, and no more than hashes.

use super::*;
use crate::support::{DAY_MS, START_MS, TestLog, ingest, log_id, traces};
use ceralacca::access::{self, Checkpoint as CheckpointAct, Principal, Prove};
use ceralacca::ambient::{Clock, SystemClock};
use ceralacca::audit::{ReadError, Within};
use ceralacca::desk::{DeskError, LeafName};
use ceralacca::index::hashes;
use ceralacca::ingest::Submission;
use ceralacca_formats::id::TreeSize;
use ceralacca_formats::leaf::Class;
use ceralacca_formats::proof::ProofFile;
use ceralacca_formats::sample::sample;
use ceralacca_formats::tree::{CompactRange, LeafHash, verify_inclusions};
use std::time::Duration;

async fn submit_some(clients: &Clients, seed: u64, count: usize) {
    let records = traces(seed, count);
    for records in records.chunks(1000) {
        let items = records.iter().map(|r| trace_item(r, "")).collect();
        let answer = clients.submission.clone().submit_batch(batch(items)).await;
        assert_eq!(answer.unwrap().into_inner().results.len(), records.len());
    }
}

async fn checkpoint(clients: &Clients, key: &VerifierKey) -> Checkpoint {
    let mut audit = clients.audit.clone();
    let answer = audit.get_checkpoint(checkpoint_of(None)).await;
    let answer = answer.unwrap().into_inner();
    Checkpoint::open(answer.note.as_bytes(), key).unwrap()
}

fn checkpoint_of(which: Option<v1::get_checkpoint_request::Which>) -> v1::GetCheckpointRequest {
    v1::GetCheckpointRequest {
        log: LOG.to_owned(),
        which,
        witnessed: false,
    }
}

/// A replay: the size it is up to, its note, and the leaves.
async fn replay(
    clients: &Clients,
    first_index: u64,
    tree_size: u64,
) -> Result<(u64, String, Vec<u8>), Status> {
    let request = v1::GetLeavesRequest {
        log: LOG.to_owned(),
        first_index,
        tree_size,
    };
    let mut pieces = clients
        .audit
        .clone()
        .get_leaves(request)
        .await?
        .into_inner();
    let head = pieces.message().await?.unwrap();
    let (size, note) = (head.tree_size, head.checkpoint.clone());
    let (mut leaves, mut next) = (Vec::new(), Some(head));
    while let Some(piece) = next {
        assert_eq!(piece.first_index, first_index + leaves.len() as u64 / 64);
        assert!(piece.leaves.len() <= 4096 * 64);
        leaves.extend_from_slice(&piece.leaves);
        next = pieces.message().await?;
        let more = next
            .as_ref()
            .map(|next| (next.tree_size, &*next.checkpoint));
        assert!(more.is_none_or(|more| more == (0, "")));
    }
    Ok((size, note, leaves))
}

fn root_of(leaves: &[u8]) -> ceralacca_formats::tree::RootHash {
    let mut range = CompactRange::default();
    for leaf in leaves.chunks(64) {
        range.push(LeafHash::of(leaf), |_, _, _| {});
    }
    range.root()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replay_of_all_leaves_gives_the_root_and_goes_on_where_it_broke_off() {
    let (mut served, clients) = served("").await;
    let key = served.installation.verifier(LOG).clone();
    submit_some(&clients, 5, 9000).await;
    let published = checkpoint(&clients, &key).await;
    let (size, note, leaves) = replay(&clients, 0, 0).await.unwrap();
    assert_eq!((size, &*note), (9001, published.note()));
    assert_eq!(leaves.len(), 9001 * 64);
    assert_eq!(root_of(&leaves), published.root());
    for (at, leaf) in leaves.chunks(64).enumerate() {
        assert_eq!(Leaf::from_bytes(leaf).unwrap().seq.get(), at as u64);
    }
    for first in [1, 4095, 4096, 4097, 9000] {
        let (_, _, rest) = replay(&clients, first, 0).await.unwrap();
        assert_eq!(rest, leaves[first as usize * 64..]);
    }
    // Up to an older size; from its very end, nothing.
    let (size, note, older) = replay(&clients, 17, 5000).await.unwrap();
    assert_eq!((size, &*note), (5000, ""));
    assert_eq!(older, leaves[17 * 64..5000 * 64]);
    let (size, note, none) = replay(&clients, 9001, 0).await.unwrap();
    assert_eq!((size, &*note, none.len()), (9001, published.note(), 0));
    for (first, size) in [(9002, 0), (0, 9002), (u64::MAX, 0), (5, 4)] {
        let answer = replay(&clients, first, size).await;
        refused(answer, Code::OutOfRange, "BEYOND_TREE");
    }
    // A replay is no disclosure.
    assert_eq!(super::size(&clients).await, 9001);
    served.stop_and_check();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replay_nobody_reads_holds_neither_a_thread_nor_memory() {
    let (mut served, clients) = served("").await;
    submit_some(&clients, 6, 60_000).await;
    let request = || v1::GetLeavesRequest {
        log: LOG.to_owned(),
        ..v1::GetLeavesRequest::default()
    };
    // As many as there may be, and none is read; each on a connection of its own, so that no window is shared.
    let mut held = Vec::new();
    for _ in 0..16 {
        let clients = Clients::over(&served.channel().await);
        let pieces = clients.audit.clone().get_leaves(request()).await.unwrap();
        held.push((clients, pieces.into_inner()));
    }
    // Other calls are answered, and one replay more waits for a place.
    assert_eq!(super::size(&clients).await, 60_001);
    let mut audit = clients.audit.clone();
    let waiting = audit.get_leaves(request());
    let more = tokio::time::timeout(Duration::from_millis(300), waiting);
    assert!(more.await.is_err(), "a place too many");
    // Whoever reads at last gets everything.
    let (_clients, mut pieces) = held.pop().unwrap();
    let mut bytes = 0;
    while let Some(piece) = pieces.message().await.unwrap() {
        bytes += piece.leaves.len();
    }
    assert_eq!(bytes, 60_001 * 64);
    let after = replay(&clients, 0, 0).await.unwrap();
    assert_eq!(after.2.len(), bytes);
    drop(held);
    served.stop_and_check();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leaf_is_named_by_its_hash_as_well_as_by_its_index() {
    let (mut served, clients) = served("").await;
    let key = served.installation.verifier(LOG).clone();
    submit_some(&clients, 7, 600).await;
    let published = checkpoint(&clients, &key).await;
    let (_, _, leaves) = replay(&clients, 0, 0).await.unwrap();
    let by_hash = |hash: Vec<u8>, first_index, end_index| v1::GetInclusionProofRequest {
        log: LOG.to_owned(),
        leaf_hash: hash.into(),
        first_index,
        end_index,
        ..v1::GetInclusionProofRequest::default()
    };
    let mut audit = clients.audit.clone();
    for index in [0, 1, 255, 256, 511, 512, 600] {
        let leaf = &leaves[index * 64..][..64];
        let hash = LeafHash::of(leaf);
        let bytes = hash.as_bytes().to_vec();
        let answer = audit.get_inclusion_proof(by_hash(bytes.clone(), 0, 0));
        let answer = answer.await.unwrap().into_inner();
        assert_eq!(answer.leaf, leaf);
        let at = LeafIndex::new(index as u64);
        verify_inclusion(&published, at, hash, &path(&answer.path)).unwrap();
        // A range that holds it, and those that end before or begin after it.
        let index = index as u64;
        let held = audit.get_inclusion_proof(by_hash(bytes.clone(), index, index + 1));
        assert_eq!(held.await.unwrap().into_inner().leaf, leaf);
        if index > 0 {
            let before = audit.get_inclusion_proof(by_hash(bytes.clone(), 0, index));
            refused(before.await, Code::NotFound, "LEAF_UNKNOWN");
        }
        let after = audit.get_inclusion_proof(by_hash(bytes.clone(), index + 1, 0));
        refused(after.await, Code::NotFound, "LEAF_UNKNOWN");
    }
    let unknown = audit.get_inclusion_proof(by_hash(vec![7; 32], 0, 0)).await;
    let status = refused(unknown, Code::NotFound, "LEAF_UNKNOWN");
    assert_eq!(told(&status).2, numbers([("tree_size", 601)]));
    let short = audit.get_inclusion_proof(by_hash(vec![7; 31], 0, 0)).await;
    refused(short, Code::InvalidArgument, "HASH_LENGTH");
    let mut both = by_hash(vec![7; 32], 0, 0);
    both.index = 1;
    let both = audit.get_inclusion_proof(both).await;
    refused(both, Code::InvalidArgument, "INDEX_OR_HASH");

    // A record by the hash of its leaf, with its proof file: a disclosure, recorded before it is shown.
    let hash = LeafHash::of(&leaves[300 * 64..301 * 64]);
    let request = |hash: &[u8]| v1::GetRecordRequest {
        log: LOG.to_owned(),
        leaf_hash: hash.to_vec().into(),
        proof: true,
        ..v1::GetRecordRequest::default()
    };
    let answer = audit.get_record(request(hash.as_bytes())).await.unwrap();
    let answer = answer.into_inner();
    assert_eq!(answer.record.unwrap().index, 300);
    let proof = ProofFile::parse(answer.proof.as_bytes()).unwrap();
    assert_eq!(proof.verify(&key).unwrap(), published);
    let detail = record(&clients, 602).await.unwrap().metadata;
    let Metadata::DisclosureDetail(detail) = Metadata::parse(&detail).unwrap() else {
        panic!("no disclosure");
    };
    let query = format!("read leaf_hash={hash}");
    assert_eq!(detail.query.as_bytes(), query.as_bytes());
    let unknown = audit.get_record(request(&[7; 32])).await;
    refused(unknown, Code::NotFound, "LEAF_UNKNOWN");
    served.stop_and_check();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_leaves_are_proven_in_one_call_at_one_size() {
    let (mut served, clients) = served("").await;
    let key = served.installation.verifier(LOG).clone();
    submit_some(&clients, 8, 699).await;
    let older = checkpoint(&clients, &key).await;
    submit_some(&clients, 9, 1300).await;
    let newer = checkpoint(&clients, &key).await;
    let (_, _, leaves) = replay(&clients, 0, 0).await.unwrap();
    let hash = |index: usize| LeafHash::of(&leaves[index * 64..][..64]);
    let request = |indexes: Vec<u64>, hashes: &[LeafHash], tree_size| {
        let hashes = hashes.iter().map(|hash| hash.as_bytes().to_vec().into());
        v1::GetInclusionProofsRequest {
            log: LOG.to_owned(),
            indexes,
            leaf_hashes: hashes.collect(),
            tree_size,
            ..v1::GetInclusionProofsRequest::default()
        }
    };
    let mut audit = clients.audit.clone();
    for checkpoint in [&older, &newer] {
        let size = checkpoint.size().get();
        let indexes: Vec<u64> = (0..size).step_by(3).take(1000).collect();
        let asked = request(indexes.clone(), &[hash(5), hash(2)], size);
        let answer = audit
            .get_inclusion_proofs(asked)
            .await
            .unwrap()
            .into_inner();
        assert_eq!(answer.tree_size, size);
        let note = if size == 2000 { newer.note() } else { "" };
        assert_eq!(answer.checkpoint, note);
        let proofs: Vec<_> = answer
            .proofs
            .iter()
            .map(|proof| {
                let leaf = Leaf::from_bytes(&proof.leaf).unwrap();
                assert_eq!(leaf.seq.get(), proof.index);
                (leaf.seq, leaf.hash(), path(&proof.path))
            })
            .collect();
        let named: Vec<u64> = proofs.iter().map(|(index, ..)| index.get()).collect();
        assert_eq!(named, [indexes, vec![5, 2]].concat());
        let (by_index, by_hash) = proofs.split_at(proofs.len() - 2);
        let whole = by_index
            .iter()
            .map(|(index, hash, path)| (*index, *hash, path.as_slice()));
        verify_inclusions(checkpoint, whole).unwrap();
        for (index, hash, path) in by_hash {
            verify_inclusion(checkpoint, *index, *hash, path).unwrap();
        }
    }
    let mut refuse =
        async |asked, code, reason| refused(audit.get_inclusion_proofs(asked).await, code, reason);
    let bad = Code::InvalidArgument;
    refuse(request(vec![3, 2], &[], 0), bad, "INDEXES_UNSORTED").await;
    refuse(request(vec![3, 3], &[], 0), bad, "INDEXES_UNSORTED").await;
    let status = refuse(request((0..1001).collect(), &[], 0), bad, "TOO_LARGE").await;
    assert_eq!(told(&status).2, numbers([("found", 1001), ("limit", 1000)]));
    refuse(request(vec![], &[hash(0); 101], 0), bad, "TOO_LARGE").await;
    // One that is beyond the size refuses all.
    let status = refuse(
        request(vec![1, 700], &[], 700),
        Code::OutOfRange,
        "BEYOND_TREE",
    )
    .await;
    assert_eq!(
        told(&status).2,
        numbers([("index", 700), ("tree_size", 700)])
    );
    refuse(
        request(vec![1], &[hash(700)], 700),
        Code::OutOfRange,
        "BEYOND_TREE",
    )
    .await;
    refuse(request(vec![1], &[], 2001), Code::OutOfRange, "BEYOND_TREE").await;
    served.stop_and_check();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_seed_names_the_leaves_that_anybody_derives_from_it() {
    let (mut served, clients) = served("").await;
    let key = served.installation.verifier(LOG).clone();
    submit_some(&clients, 10, 999).await;
    let checkpoint = checkpoint(&clients, &key).await;
    let request = |seed: &[u8], count, tree_size| v1::GetSampleRequest {
        log: LOG.to_owned(),
        seed: seed.to_vec().into(),
        count,
        tree_size,
    };
    let mut audit = clients.audit.clone();
    for (count, size) in [(1, 0), (25, 0), (1000, 0), (7, 7), (3, 500)] {
        let asked = request(b"estrazione 21/11/2026", count, size);
        let answer = audit.get_sample(asked).await.unwrap().into_inner();
        let expected = if size == 0 { 1000 } else { size };
        assert_eq!(answer.tree_size, expected);
        let derived = sample(
            b"estrazione 21/11/2026",
            TreeSize::new(expected),
            count as usize,
        );
        let named = answer
            .proofs
            .iter()
            .map(|proof| LeafIndex::new(proof.index));
        assert_eq!(named.collect::<Vec<_>>(), derived.unwrap());
        assert_eq!(answer.checkpoint.is_empty(), size > 0);
        for proof in answer.proofs.iter().filter(|_| size == 0) {
            let leaf = Leaf::from_bytes(&proof.leaf).unwrap();
            assert_eq!(leaf.seq.get(), proof.index);
            verify_inclusion(&checkpoint, leaf.seq, leaf.hash(), &path(&proof.path)).unwrap();
        }
    }
    let mut refuse =
        async |asked, code, reason| refused(audit.get_sample(asked).await, code, reason);
    let bad = Code::InvalidArgument;
    refuse(request(b"", 1, 0), bad, "SEED").await;
    refuse(request(&[7; 257], 1, 0), bad, "SEED").await;
    let status = refuse(request(b"s", 8, 7), bad, "SAMPLE").await;
    assert_eq!(told(&status).2, numbers([("count", 8), ("tree_size", 7)]));
    refuse(request(b"s", 0, 0), bad, "SAMPLE").await;
    refuse(request(b"s", 1001, 0), bad, "SAMPLE").await;
    refuse(request(b"s", 1, 1001), Code::OutOfRange, "BEYOND_TREE").await;
    served.stop_and_check();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_checkpoint_that_was_not_kept_is_told_apart_from_one_to_come() {
    use v1::get_checkpoint_request::Which;
    let (mut served, clients) = served("").await;
    let key = served.installation.verifier(LOG).clone();
    submit_some(&clients, 11, 9).await;
    let mut audit = clients.audit.clone();
    let mut ask = async |which| audit.get_checkpoint(checkpoint_of(Some(which))).await;
    let last = ask(Which::TreeSize(10)).await.unwrap().into_inner();
    assert_eq!(last.note, checkpoint(&clients, &key).await.note());
    let status = refused(
        ask(Which::TreeSize(9)).await,
        Code::NotFound,
        "CHECKPOINT_NOT_KEPT",
    );
    let expected = [("tree_size", 9), ("kept_below", 0), ("kept_above", 10)];
    assert_eq!(told(&status).2, numbers(expected));
    refused(
        ask(Which::TreeSize(11)).await,
        Code::OutOfRange,
        "BEYOND_TREE",
    );
    refused(
        ask(Which::IntervalAtMs(5)).await,
        Code::NotFound,
        "INTERVAL_UNKNOWN",
    );
    let both = v1::GetCheckpointRequest {
        witnessed: true,
        ..checkpoint_of(Some(Which::TreeSize(10)))
    };
    let answer = clients.audit.clone().get_checkpoint(both).await;
    refused(answer, Code::InvalidArgument, "WITNESSED_ALONE");
    let interval = record(&clients, 1).await.unwrap().interval_ms;
    let status = refused(
        ask(Which::IntervalAtMs(interval)).await,
        Code::NotFound,
        "INTERVAL_OPEN",
    );
    let expected = [("interval_ms", interval), ("end_ms", interval + DAY_MS)];
    assert_eq!(told(&status).2, numbers(expected));
    served.stop_and_check();
}

#[test]
fn the_checkpoint_of_every_interval_is_kept_and_proofs_hold_under_it() {
    let test = TestLog::new();
    let log = test.open();
    let writer = ingest(&log);
    let mut sizes = [TreeSize::default(); 5];
    for (day, count) in [0, 3, 0, 5, 1].into_iter().enumerate() {
        for record in traces(20 + day as u64, count) {
            let submission = Submission::trace(Class::Trace, record, None);
            writer
                .submit(submission)
                .map(|t| writer.wait(t))
                .unwrap()
                .unwrap();
        }
        sizes[day] = log.reader().published().tip.size;
        // To the instant of the cut: one that is late is recorded in the log.
        test.clock.pass(DAY_MS - test.clock.now() % DAY_MS);
        log.tick().unwrap();
    }
    let permit = |log| access::authorize(&Principal::development(), log, UtcMillis::new(0));
    let permit = permit(&log_id()).unwrap();
    let desk = log.desk::<CheckpointAct>(&permit).unwrap();
    let start = START_MS - START_MS % DAY_MS;
    for (day, size) in sizes.iter().enumerate() {
        let begin = start + day as u64 * DAY_MS;
        for at in [begin, begin + 1, begin + DAY_MS - 1] {
            let kept = desk.kept_of_interval(UtcMillis::new(at)).unwrap();
            let checkpoint = Checkpoint::open(kept.note.as_bytes(), log.verifier()).unwrap();
            assert_eq!(
                (checkpoint.size(), checkpoint.root()),
                (kept.size, kept.root)
            );
            assert_eq!(kept.size, *size, "day {day}");
            assert_eq!(desk.kept(*size).unwrap(), kept);
        }
    }
    assert_eq!(sizes.map(TreeSize::get), [1, 4, 4, 9, 10]);
    let not_kept = |size| match desk.kept(TreeSize::new(size)) {
        Err(DeskError::Read(ReadError::NotKept { below, above, .. })) => (below.get(), above.get()),
        other => panic!("{other:?}"),
    };
    assert_eq!(not_kept(2), (1, 4));
    assert_eq!(not_kept(7), (4, 9));
    assert_eq!(not_kept(0), (0, 1));
    let prove = access::authorize::<Prove>(&Principal::development(), &log_id(), UtcMillis::new(0));
    let prove = prove.unwrap();
    let desk = log.desk(&prove).unwrap();
    let size = TreeSize::new(4);
    let name = LeafName::Index(LeafIndex::new(2));
    let (proven, found) = desk.inclusion(name, Some(size)).unwrap();
    let note = desk.note_of(found).unwrap();
    let checkpoint = Checkpoint::open(note.as_bytes(), log.verifier()).unwrap();
    verify_inclusion(
        &checkpoint,
        proven.leaf.seq,
        proven.leaf.hash(),
        &proven.path,
    )
    .unwrap();
    log.stop().unwrap();
}

/// What the static face gives above the leaves is what the tiles below it come to.
fn whole_tiles_of_level_1(log: &ceralacca::archive::Log) {
    use ceralacca_formats::tile::{Tile, TilePath, tile_root};
    let get = |path: &str| log.face().tile(TilePath::parse(path).unwrap()).unwrap();
    let root = |path: &str| tile_root(&Tile::from_bytes(&get(path).unwrap()).unwrap());
    let upper = get("tile/1/001").unwrap();
    assert_eq!(upper.len(), 8192);
    for (place, hash) in upper.chunks(32).enumerate().step_by(51) {
        let lower = 256 + place;
        assert_eq!(root(&format!("tile/0/{lower:03}")).as_bytes(), hash);
    }
    let top = get("tile/2/000.p/2").unwrap();
    assert_eq!(
        top,
        [
            *root("tile/1/000").as_bytes(),
            *root("tile/1/001").as_bytes()
        ]
        .concat()
    );
    // 131 072 + 700 leaves: 512 full tiles of level 0 and two more, of which the roots are level 1, tile 2.
    assert_eq!(get("tile/1/002.p/2").unwrap().len(), 64);
    assert_eq!(get("tile/1/002.p/3"), None);
    assert_eq!(get("tile/1/002"), None);
    assert_eq!(get("tile/0/514.p/188").unwrap().len(), 188 * 32);
    assert_eq!(get("tile/0/514.p/189"), None);
}

/// Two runs of 65 536 leaves are made behind the writer; every leaf is found in them and after them, in a log that
/// was opened again too, and the runs are those of the tiles.
#[test]
fn a_leaf_is_found_by_its_hash_however_old_it_is() {
    let test = TestLog::new();
    let log = test.open();
    let writer = ingest(&log);
    let total = 2 * hashes::RUN_LEAVES + 700;
    let record = traces(30, 1).remove(0);
    let mut waiting = std::collections::VecDeque::new();
    for _ in 1..total {
        if waiting.len() == 2000 {
            writer.wait(waiting.pop_front().unwrap()).unwrap();
        }
        let submission = Submission::trace(Class::Trace, record.clone(), None);
        waiting.push_back(writer.submit_waiting(submission).unwrap());
    }
    for ticket in waiting {
        writer.wait(ticket).unwrap();
    }
    let find_all = |log: &ceralacca::archive::Log| {
        let (reader, state) = (log.reader(), log.reader().published());
        let size = state.tip.size.get();
        for index in (0..size)
            .step_by(997)
            .chain([65_535, 65_536, 131_071, 131_072, size - 1])
        {
            let leaf = reader.leaf(&state, LeafIndex::new(index)).unwrap();
            assert_eq!(reader.find(&state, leaf.hash(), Within::ALL).unwrap(), leaf);
            let elsewhere = Within {
                first: LeafIndex::new(index + 1),
                end: None,
            };
            let missed = reader.find(&state, leaf.hash(), elsewhere);
            assert!(matches!(missed, Err(ReadError::NoLeaf { .. })), "{index}");
        }
    };
    find_all(&log);
    whole_tiles_of_level_1(&log);
    drop(writer);
    log.stop().unwrap();
    drop(log);
    let log = test.open();
    // What the stop left undone is made after the opening.
    let covered = || hashes::covered(log.reader().store()).unwrap().get();
    for _ in 0..500 {
        if covered() == 2 * hashes::RUN_LEAVES {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(covered(), 2 * hashes::RUN_LEAVES);
    find_all(&log);
    let store = log.reader().store();
    store.settle().unwrap();
    let bytes = store
        .disk_bytes(ceralacca::store::cf::Family::LeafHash)
        .unwrap();
    assert!(
        bytes < 5 * covered(),
        "{bytes} bytes of {} leaves",
        covered()
    );
    log.stop().unwrap();
    drop(log);
    assert!(test.check().is_clean());
    damaged_runs_are_named(&test);
}

/// A row with other leaves, one that is gone, and one beyond its run.
fn damaged_runs_are_named(test: &TestLog) {
    use ceralacca::audit::fsck::Damage;
    use ceralacca::store::cf::leaf_hash::{HashBucket, LeafHashes};
    use ceralacca::store::rocks::{Mode, RocksStore};
    use ceralacca::store::{Batch, Store, outside};
    let bucket = |first, run| HashBucket { first, run };
    let store = RocksStore::open(&outside::database_of(&test.path()), Mode::Write).unwrap();
    let mut batch = Batch::new();
    batch.put::<LeafHashes>(&bucket(7, 1), &Vec::new());
    batch.delete::<LeafHashes>(&bucket(8, 0));
    batch.put::<LeafHashes>(&bucket(9, 5), &Vec::new());
    store.commit(&batch).unwrap();
    drop(store);
    let damage = |bucket: u8, run, why| Damage::LeafHash { bucket, run, why };
    let expected = [
        damage(8, 0, "is missing"),
        damage(7, 1, "has other leaves than the tiles"),
        damage(9, 5, "is beyond the tree or its run"),
    ];
    assert_eq!(test.check().damages, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watcher_gets_the_newest_checkpoint_and_a_good_end() {
    let (mut served, clients) = served("").await;
    let key = served.installation.verifier(LOG).clone();
    let request = |every_ms| v1::WatchCheckpointsRequest {
        log: LOG.to_owned(),
        every_ms,
    };
    let watch = clients.audit.clone().watch_checkpoints(request(0)).await;
    let mut checkpoints = watch.unwrap().into_inner();
    let opened = |answer: Option<v1::WatchCheckpointsResponse>| {
        let answer = answer.unwrap();
        let checkpoint = Checkpoint::open(answer.note.as_bytes(), &key).unwrap();
        assert_eq!(answer.tree_size, checkpoint.size().get());
        assert_eq!(answer.root, checkpoint.root().as_bytes().as_slice());
        checkpoint.size().get()
    };
    assert_eq!(opened(checkpoints.message().await.unwrap()), 1, "at once");
    // Groups that follow each other fast are few messages, of which the last is the newest.
    let (clock, start) = now();
    for seed in 0..50 {
        submit_some(&clients, 100 + seed, 1).await;
    }
    let mut seen = vec![1];
    while seen.last() != Some(&51) {
        seen.push(opened(checkpoints.message().await.unwrap()));
    }
    let most = 2 + (clock.monotone() - start).as_millis() / 250;
    assert!(seen.is_sorted_by(|one, next| one < next), "{seen:?}");
    assert!(seen.len() as u128 <= 1 + most, "{seen:?}");
    let slow = clients
        .audit
        .clone()
        .watch_checkpoints(request(3_600_000))
        .await;
    let mut slow = slow.unwrap().into_inner();
    assert_eq!(opened(slow.message().await.unwrap()), 51);
    let too_slow = clients
        .audit
        .clone()
        .watch_checkpoints(request(3_600_001))
        .await;
    refused(too_slow, Code::InvalidArgument, "TOO_LARGE");
    // The service stops at once although both streams are open, and they end well.
    let (clock, stopping) = now();
    let ended = tokio::task::spawn_blocking(move || served.stop_and_check());
    assert!(checkpoints.message().await.unwrap().is_none());
    assert!(slow.message().await.unwrap().is_none());
    ended.await.unwrap();
    assert!(clock.monotone() - stopping < Duration::from_secs(20));
}

fn now() -> (SystemClock, std::time::Duration) {
    let clock = SystemClock::default();
    let now = clock.monotone();
    (clock, now)
}
