//! A monitor is content with an honest log, and names every lie.

use super::*;
use crate::cosignature::Cosigner;
use crate::id::Origin;
use crate::leaf::{Class, Commitment, Kind};
use crate::note::{NoteError, NoteSigner};
use crate::oracle;
use crate::policy::Witness;
use crate::secret::SigningSeed;
use crate::tree::{NodeReader, prove_consistency};
use std::convert::Infallible;

const LOG: &str = "pec.example.test/log";
const NOW: UtcMillis = UtcMillis::new(1_763_700_000_000);

struct Memory(Vec<LeafHash>);

impl NodeReader for Memory {
    type Error = Infallible;

    fn node(&mut self, level: u8, index: u64) -> Result<NodeHash, Infallible> {
        let (start, end) = ((index << level) as usize, ((index + 1) << level) as usize);
        let root = oracle::root(&self.0[start..end]).unwrap();
        Ok(NodeHash::from_bytes(*root.as_bytes()))
    }
}

fn signer(seed: u8, name: &str) -> NoteSigner {
    NoteSigner::new(name, &SigningSeed::from_bytes([seed; 32])).unwrap()
}

fn witness(seed: u8) -> Cosigner {
    let name = format!("witness.example.test/w{seed}");
    Cosigner::new(&name, &SigningSeed::from_bytes([seed; 32])).unwrap()
}

fn leaf(seq: u64, epoch: u32) -> Leaf {
    Leaf {
        kind: Kind::Trace,
        epoch: Epoch(epoch),
        seq: LeafIndex::new(seq),
        time: NOW,
        class: Class::Trace,
        commitment: Commitment::from_bytes([seq as u8; 32]),
    }
}

fn leaves(count: u64, fork: u32) -> Vec<Leaf> {
    (0..count).map(|n| leaf(n, 1 + fork)).collect()
}

fn hashes(leaves: &[Leaf]) -> Vec<LeafHash> {
    leaves.iter().map(Leaf::hash).collect()
}

fn checkpoint(leaves: &[Leaf]) -> Checkpoint {
    let root = oracle::root(&hashes(leaves)).unwrap_or_else(RootHash::empty);
    let size = TreeSize::new(leaves.len() as u64);
    Checkpoint::sign(&signer(1, LOG), &Origin::try_from(LOG).unwrap(), size, root).unwrap()
}

fn answer(checkpoint: &Checkpoint) -> (String, u64, [u8; 32]) {
    let (size, root) = (checkpoint.size().get(), *checkpoint.root().as_bytes());
    (checkpoint.note().to_owned(), size, root)
}

fn rules() -> Rules {
    Rules {
        keys: KeyChain::new(signer(1, LOG).verifier().clone()),
        policy: None,
        stale_ms: None,
    }
}

fn look(rules: &Rules, trusted: Option<&Trusted>, note: &Checkpoint) -> Result<Next, Finding> {
    let (note, size, root) = answer(note);
    let answer = Answer {
        note: note.as_bytes(),
        origin: LOG,
        size,
        root: &root,
    };
    rules.look(trusted, &answer, NOW)
}

fn path(leaves: &[Leaf], first: u64) -> Vec<NodeHash> {
    let second = TreeSize::new(leaves.len() as u64);
    prove_consistency(&mut Memory(hashes(leaves)), TreeSize::new(first), second).unwrap()
}

fn proof(path: &[NodeHash], first: u64, second: u64) -> Proof<'_> {
    Proof {
        first,
        second,
        path,
    }
}

#[test]
fn an_honest_log_is_followed_from_its_first_checkpoint() {
    let (rules, all) = (rules(), leaves(9, 0));
    let first = checkpoint(&all[..3]);
    assert_eq!(look(&rules, None, &first), Ok(Next::First(first.clone())));
    let trusted = Trusted::new(first.clone(), NOW);
    assert_eq!(look(&rules, Some(&trusted), &first), Ok(Next::Same));
    let second = checkpoint(&all);
    let next = look(&rules, Some(&trusted), &second);
    assert_eq!(next, Ok(Next::Prove(second.clone())));
    let path = path(&all, 3);
    assert_eq!(follow(&first, &second, &proof(&path, 3, 9)), Ok(()));
    // The evidence of a pair that agrees would be cosigned.
    let text = evidence(&first, second.note(), &path);
    assert_eq!(AddCheckpoint::parse(text.as_bytes()).unwrap().proof, path);
}

/// What a log answers, before it lies.
struct Told {
    note: String,
    origin: String,
    size: u64,
    root: Vec<u8>,
}

#[test]
fn every_lie_about_a_checkpoint_has_its_finding() {
    let (rules, all) = (rules(), leaves(9, 0));
    let trusted = Trusted::new(checkpoint(&all[..5]), NOW);
    let good = checkpoint(&all);
    let lie = |change: &dyn Fn(&mut Told)| {
        let (note, size, root) = answer(&good);
        let (origin, root) = (LOG.to_owned(), root.to_vec());
        let mut told = Told {
            note,
            origin,
            size,
            root,
        };
        change(&mut told);
        let answer = Answer {
            note: told.note.as_bytes(),
            origin: &told.origin,
            size: told.size,
            root: &told.root,
        };
        rules.look(Some(&trusted), &answer, NOW)
    };
    assert_eq!(lie(&|_| {}), Ok(Next::Prove(good.clone())));
    let size = |n| TreeSize::new(n);
    assert_eq!(
        look(&rules, Some(&trusted), &checkpoint(&all[..4])),
        Err(Finding::Rollback {
            trusted: size(5),
            found: size(4)
        })
    );
    assert_eq!(
        look(&rules, Some(&trusted), &checkpoint(&leaves(5, 1))),
        Err(Finding::Fork(size(5)))
    );
    assert_eq!(lie(&|t| t.size += 1), Err(Finding::Stated("size")));
    assert_eq!(lie(&|t| t.root[0] ^= 1), Err(Finding::Stated("root")));
    assert_eq!(
        lie(&|t| t.origin = "altro".to_owned()),
        Err(Finding::Stated("origin"))
    );
    let bad = |error: NoteError| Err(Finding::Checkpoint(error.into()));
    assert_eq!(
        lie(&|t| t.note = t.note.replace("\n9\n", "\n8\n")),
        bad(NoteError::BadSignature)
    );
    let signed = |seed, name: &str, body: &str| signer(seed, name).sign(body);
    let body = good.text().to_owned();
    assert_eq!(
        lie(&|t| t.note = signed(2, LOG, &body)),
        bad(NoteError::UnknownSigner)
    );
    assert_eq!(
        lie(&|t| t.note = signed(1, LOG, &body.replace(LOG, "pec.example.test/altro"))),
        Err(Finding::Checkpoint(CheckpointError::OtherOrigin))
    );
    assert_eq!(
        lie(&|t| t.note = signed(1, LOG, &body.replace("\n9\n", "\n09\n"))),
        Err(Finding::Checkpoint(CheckpointError::Body))
    );
}

#[test]
fn every_lie_in_a_proof_has_its_finding() {
    let all = leaves(9, 0);
    let (first, second) = (checkpoint(&all[..3]), checkpoint(&all));
    let good = path(&all, 3);
    let check = |path: &[NodeHash]| follow(&first, &second, &proof(path, 3, 9));
    assert_eq!(check(&good), Ok(()));
    let inconsistent = |error| {
        Err(Finding::Inconsistent {
            first: first.size(),
            second: second.size(),
            error,
        })
    };
    assert_eq!(check(&[]), inconsistent(VerifyError::TooShort));
    let short = &good[..good.len() - 1];
    assert_eq!(check(short), inconsistent(VerifyError::TooShort));
    let long = [&good[..], &good[..1]].concat();
    assert_eq!(check(&long), inconsistent(VerifyError::ExtraHashes));
    let forked = leaves(9, 1);
    let theirs = path(&forked, 3);
    assert_eq!(check(&theirs), inconsistent(VerifyError::OtherRoot));
    let fork = checkpoint(&forked);
    let found = follow(&first, &fork, &proof(&theirs, 3, 9));
    assert_eq!(found, inconsistent(VerifyError::OtherRoot));
    for (a, b) in [(2, 9), (3, 8)] {
        let found = follow(&first, &second, &proof(&good, a, b));
        assert!(matches!(found, Err(Finding::OtherProof { .. })));
    }
}

#[test]
fn nothing_new_for_too_long_is_stale() {
    let first = checkpoint(&leaves(3, 0));
    let limited = |stale_ms| Rules {
        stale_ms,
        ..rules()
    };
    let trusted = Trusted::new(first.clone(), UtcMillis::new(NOW.get() - 60_000));
    for (limit, expected) in [
        (None, Ok(Next::Same)),
        (Some(60_000), Ok(Next::Same)),
        (
            Some(59_999),
            Err(Finding::Stale {
                since: trusted.since,
                seconds: 60,
            }),
        ),
    ] {
        assert_eq!(look(&limited(limit), Some(&trusted), &first), expected);
    }
}

#[test]
fn a_witnessed_checkpoint_needs_a_quorum_that_verifies_and_is_fresh() {
    let witnesses = [2, 3].map(|seed| Witness {
        name: format!("W{seed}"),
        key: witness(seed).verifier().clone(),
        url: None,
    });
    let rules = Rules {
        policy: Some(Policy::of(2, witnesses.into()).unwrap()),
        stale_ms: Some(10_000),
        ..rules()
    };
    let plain = checkpoint(&leaves(3, 0));
    let cosigned = |seeds: &[u8], seconds: u64| {
        let lines = seeds
            .iter()
            .map(|seed| witness(*seed).cosign(&plain, seconds));
        plain.with_lines(&lines.collect::<String>())
    };
    let look = |checkpoint: &Checkpoint| {
        let (note, size, root) = answer(checkpoint);
        let answer = Answer {
            note: note.as_bytes(),
            origin: LOG,
            size,
            root: &root,
        };
        rules.look_witnessed(&answer, NOW)
    };
    let now = NOW.get() / 1000;
    let good = cosigned(&[2, 3], now - 10);
    assert_eq!(look(&good), Ok(good.clone()));
    let not = Err(Finding::NotWitnessed(plain.size()));
    assert_eq!(look(&plain), not);
    assert_eq!(look(&cosigned(&[2], now)), not);
    assert_eq!(look(&cosigned(&[2, 2], now)), not);
    assert_eq!(look(&cosigned(&[2, 4], now)), not);
    assert!(matches!(
        look(&cosigned(&[2, 3], now - 11)),
        Err(Finding::Stale { seconds: 11, .. })
    ));
    // One witness that says another second, be it a far one, does not make an old quorum fresh.
    for ahead in [now, u64::MAX] {
        let line = witness(3).cosign(&plain, ahead);
        let one_ahead = cosigned(&[2], now - 11).with_lines(&line);
        assert!(matches!(
            look(&one_ahead),
            Err(Finding::Stale { seconds: 11, .. })
        ));
    }
    // A known witness's line that does not verify is worse than none.
    let line = witness(3).cosign(&checkpoint(&leaves(4, 0)), now);
    let spoiled = cosigned(&[2], now).with_lines(&line);
    assert_eq!(
        look(&spoiled),
        Err(Finding::Checkpoint(NoteError::BadSignature.into()))
    );
}

fn replayed(leaves: &[Leaf]) -> Result<Replay, Finding> {
    let mut replay = Replay::default();
    for leaf in leaves {
        replay.push(&leaf.to_bytes())?;
    }
    Ok(replay)
}

#[test]
fn leaves_replayed_are_those_that_were_signed_and_every_other_is_told() {
    let all = leaves(9, 0);
    let signed = checkpoint(&all);
    assert_eq!(replayed(&all).unwrap().finish(&signed), Ok(()));
    let size = |n| TreeSize::new(n);
    assert_eq!(
        replayed(&all[..8]).unwrap().finish(&signed),
        Err(Finding::Gap {
            found: size(8),
            signed: size(9)
        })
    );
    let index = |n| LeafIndex::new(n);
    let twice = [&all[..4], &all[3..]].concat();
    let (place, says) = (index(4), index(3));
    assert_eq!(replayed(&twice), Err(Finding::Index { place, says }));
    let left_out = [&all[..4], &all[5..]].concat();
    let (place, says) = (index(4), index(5));
    assert_eq!(replayed(&left_out), Err(Finding::Index { place, says }));
    let mut changed = all.clone();
    changed[4].commitment = Commitment::from_bytes([0xff; 32]);
    assert_eq!(
        replayed(&changed).unwrap().finish(&signed),
        Err(Finding::OtherRoot(size(9)))
    );
    let fell = [leaf(0, 2), leaf(1, 2), leaf(2, 1)];
    assert_eq!(replayed(&fell), Err(Finding::EpochFell(index(2))));
    let mut bytes = all[0].to_bytes();
    bytes[6] = 1;
    let found = Replay::default().push(&bytes);
    assert!(matches!(found, Err(Finding::Leaf { index: i, .. }) if i == index(0)));
    let found = Replay::default().push(&all[0].to_bytes()[1..]);
    assert!(matches!(found, Err(Finding::Leaf { .. })));
}

#[test]
fn the_state_file_is_the_published_text_and_holds_itself_to_key_and_root() {
    let all = leaves(5, 0);
    let mut trusted = Trusted::new(checkpoint(&all), NOW);
    let key = rules().keys;
    assert_eq!(
        Trusted::parse(trusted.to_text().as_bytes(), &key),
        Ok(trusted.clone())
    );
    trusted.replayed = replayed(&all).unwrap();
    let text = trusted.to_text();
    assert_eq!(text, include_str!("../vectors/monitor-state.txt"));
    let read = Trusted::parse(text.as_bytes(), &key).unwrap();
    assert_eq!((read.checkpoint, read.since), (trusted.checkpoint, NOW));
    assert_eq!(read.replayed.range, trusted.replayed.range);
    let node = trusted.replayed.range.nodes()[0].to_string();
    let other = "00".repeat(32);
    for (changed, expected) in [
        (
            text.replace("monitor/1", "monitor/2"),
            StateError::Malformed,
        ),
        (
            text.replace("replayed 5", "replayed 4"),
            StateError::Malformed,
        ),
        (
            text.replace("replayed 5", "replayed 6"),
            StateError::Replayed,
        ),
        (text.replace(&node, &other), StateError::Replayed),
        (text.replace(&node, &node[2..]), StateError::Malformed),
        (
            text.replace("\n5\n", "\n4\n"),
            StateError::Checkpoint(NoteError::BadSignature.into()),
        ),
    ] {
        assert_eq!(
            Trusted::parse(changed.as_bytes(), &key),
            Err(expected),
            "{changed}"
        );
    }
}

#[test]
fn every_finding_has_a_word_of_its_own_and_one_line() {
    let (n, i) = (TreeSize::new(1), LeafIndex::new(1));
    let findings = [
        Finding::Checkpoint(NoteError::BadSignature.into()),
        Finding::Checkpoint(CheckpointError::Body),
        Finding::Checkpoint(CheckpointError::OtherOrigin),
        Finding::Stated("size"),
        Finding::Rollback {
            trusted: n,
            found: n,
        },
        Finding::Fork(n),
        Finding::Refused {
            first: n,
            second: n,
            why: "no".to_owned(),
        },
        Finding::NotWitnessed(n),
        Finding::Stale {
            since: NOW,
            seconds: 1,
        },
        Finding::Index { place: i, says: i },
        Finding::EpochFell(i),
        Finding::Gap {
            found: n,
            signed: n,
        },
        Finding::OtherRoot(n),
    ];
    let mut words: Vec<_> = findings.iter().map(Finding::word).collect();
    assert!(findings.iter().all(|f| !f.to_string().contains('\n')));
    words.sort_unstable();
    words.dedup();
    assert_eq!(words.len(), findings.len());
}
