//! `witness` over HTTP: the statuses of the protocol, and what is left after kill -9.

use super::{Testimony, witness_here};
use ceralacca::plain_http::Limits;
use ceralacca::witness::http;
use ceralacca_formats::checkpoint::{self, Checkpoint};
use ceralacca_formats::cosignature;
use ceralacca_formats::digest::Sha256;
use ceralacca_formats::id::{Origin, TreeSize};
use ceralacca_formats::note::{NoteSigner, VerifierKey};
use ceralacca_formats::oracle;
use ceralacca_formats::secret::SigningSeed;
use ceralacca_formats::tree::{LeafHash, NodeHash, NodeReader, RootHash, prove_consistency};
use ceralacca_formats::witness::{AddCheckpoint, REQUEST_BYTES_MAX};
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const LOG: &str = "pec.example.test/log";

struct Memory(Vec<LeafHash>);

impl NodeReader for Memory {
    type Error = Infallible;

    fn node(&mut self, level: u8, index: u64) -> Result<NodeHash, Infallible> {
        let (start, end) = ((index << level) as usize, ((index + 1) << level) as usize);
        let root = oracle::root(&self.0[start..end]).unwrap();
        Ok(NodeHash::from_bytes(*root.as_bytes()))
    }
}

fn signer(seed: u8) -> NoteSigner {
    NoteSigner::new(LOG, &SigningSeed::from_bytes([seed; 32])).unwrap()
}

fn key() -> VerifierKey {
    signer(1).verifier().clone()
}

fn request(old: u64, size: u64, fork: bool) -> AddCheckpoint {
    let leaf = |n: u64| LeafHash::of(&[&n.to_be_bytes()[..], &[u8::from(fork)]].concat());
    let leaves: Vec<LeafHash> = (0..size).map(leaf).collect();
    let root = oracle::root(&leaves).unwrap_or_else(RootHash::empty);
    let origin = Origin::try_from(LOG).unwrap();
    let size = TreeSize::new(size);
    let note = Checkpoint::sign(&signer(1), &origin, size, root).unwrap();
    AddCheckpoint {
        old: TreeSize::new(old),
        proof: prove_consistency(&mut Memory(leaves), TreeSize::new(old), size).unwrap(),
        note: note.note().to_owned(),
    }
}

struct Told {
    status: u16,
    kind: String,
    body: String,
}

async fn post(client: &reqwest::Client, url: &str, body: String) -> Option<Told> {
    let answer = client.post(url).body(body).send().await.ok()?;
    let kind = answer.headers().get("content-type");
    Some(Told {
        status: answer.status().as_u16(),
        kind: kind.map_or("", |kind| kind.to_str().unwrap()).to_owned(),
        body: answer.text().await.ok()?,
    })
}

fn client() -> reqwest::Client {
    let client = reqwest::Client::builder().no_proxy().tls_certs_only([]);
    client.timeout(Duration::from_secs(10)).build().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_statuses_are_those_of_the_protocol() {
    let folder = tempfile::tempdir().unwrap();
    let witness = Testimony::new(folder.path(), "witness.example.test/w1", &[&key()]);
    let (client, url) = (client(), witness.url("add-checkpoint"));
    let ask = |text: String| async { post(&client, &url, text).await.unwrap() };
    let first = request(0, 5, false);
    let told = ask(first.to_text()).await;
    assert_eq!(told.status, 200, "{}", told.body);
    let opened = Checkpoint::open(first.note.as_bytes(), &key()).unwrap();
    let (line, seconds) = cosignature::take(&opened, told.body.as_bytes(), &witness.key).unwrap();
    assert_eq!(line, told.body);
    assert!(seconds > 1_763_700_000);
    let told = ask(request(0, 9, false).to_text()).await;
    assert_eq!((told.status, told.body.as_str()), (409, "5\n"));
    assert_eq!(told.kind, "text/x.tlog.size");
    let mut unsigned = request(5, 9, false);
    unsigned.note = unsigned.note.replace("\n9\n", "\n8\n");
    let mut foreign = request(5, 9, false);
    let text = foreign.note.split("\n\n").next().unwrap().to_owned() + "\n";
    foreign.note = signer(2).sign(&text);
    let mut unknown = request(5, 9, false);
    unknown.note = unknown.note.replace(LOG, "pec.example.test/altro");
    let mut cut = request(5, 9, false);
    cut.proof.pop();
    let mut above = request(5, 9, false);
    above.old = TreeSize::new(10);
    for (text, status) in [
        (unsigned.to_text(), 403),
        (foreign.to_text(), 403),
        (unknown.to_text(), 404),
        (cut.to_text(), 422),
        (request(5, 9, true).to_text(), 422),
        (request(5, 5, true).to_text(), 422),
        (above.to_text(), 400),
        ("old 05\n\n".to_owned(), 400),
        ("x".repeat(REQUEST_BYTES_MAX + 1), 400),
    ] {
        let told = ask(text.clone()).await;
        assert_eq!(told.status, status, "{text:.60}: {}", told.body);
        assert!(!told.body.contains('\u{2014}'));
    }
    assert_eq!(ask(request(5, 9, false).to_text()).await.status, 200);
    assert_eq!(kept(&client, &witness).await, Some(9));
    let strange = client.get(witness.url("altro/checkpoint")).send().await;
    assert_eq!(strange.unwrap().status().as_u16(), 404);
    // No request is a reason to show the key.
    let key = client.get(witness.url("key")).send().await;
    assert_eq!(key.unwrap().status().as_u16(), 404);
}

/// The size that the witness keeps and shows.
async fn kept(client: &reqwest::Client, witness: &Testimony) -> Option<u64> {
    let name = Sha256::of(LOG.as_bytes());
    let url = witness.url(&format!("{name}/checkpoint"));
    let answer = client.get(url).send().await.unwrap();
    if answer.status().as_u16() == 404 {
        return None;
    }
    let note = answer.bytes().await.unwrap();
    // Signed by the log, and by the witness.
    let (checkpoint, by) = Checkpoint::open_cosigned(&note, &[&key()], &[&witness.key]).unwrap();
    assert_eq!(by.len(), 1);
    let own = checkpoint::read_cosigned(&note, &witness.key).unwrap();
    assert_eq!(own.1, checkpoint.size());
    Some(checkpoint.size().get())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_before_a_kill_is_kept_and_never_taken_back() {
    let folder = tempfile::tempdir().unwrap();
    let mut witness = Testimony::new(folder.path(), "witness.example.test/w1", &[&key()]);
    let client = client();
    let answered = AtomicU64::new(0);
    for round in 0..4u64 {
        let stop = AtomicBool::new(false);
        let url = witness.url("add-checkpoint");
        let asking = async {
            let mut old = answered.load(Ordering::SeqCst);
            while !stop.load(Ordering::SeqCst) {
                let told = post(&client, &url, request(old, old + 1, false).to_text()).await;
                match told.map(|told| (told.status, told.body)) {
                    Some((200, _)) => {
                        old += 1;
                        answered.store(old, Ordering::SeqCst);
                    }
                    // The answer of the round before did not arrive.
                    Some((409, body)) => old = body.trim().parse().unwrap(),
                    Some(other) => panic!("{other:?}"),
                    None => break,
                }
            }
        };
        let killing = async {
            tokio::time::sleep(Duration::from_millis(60 + 37 * round)).await;
            witness.child.kill().unwrap();
            stop.store(true, Ordering::SeqCst);
        };
        tokio::join!(asking, killing);
        witness.kill();
        witness.restart();
        let (kept, answered) = (
            kept(&client, &witness).await,
            answered.load(Ordering::SeqCst),
        );
        let kept = kept.unwrap_or(0);
        assert!(kept >= answered, "kept {kept}, answered {answered}");
        assert!(kept <= answered + 1);
        // Neither an older tree nor another one is cosigned after it.
        let url = witness.url("add-checkpoint");
        if kept > 1 {
            let smaller = post(&client, &url, request(0, kept - 1, false).to_text()).await;
            assert_eq!(smaller.unwrap().body, format!("{kept}\n"));
            let fork = post(&client, &url, request(kept, kept + 1, true).to_text()).await;
            assert_eq!(fork.unwrap().status, 422);
        }
    }
    assert!(answered.load(Ordering::SeqCst) > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_requests_at_once_no_two_fork() {
    let folder = tempfile::tempdir().unwrap();
    let witness = Testimony::new(folder.path(), "witness.example.test/w1", &[&key()]);
    let client = client();
    let url = witness.url("add-checkpoint");
    assert_eq!(
        post(&client, &url, request(0, 4, false).to_text())
            .await
            .unwrap()
            .status,
        200
    );
    // The honest history and a fork of its leaf 4 on race for every size.
    let asks = (5..21u64).flat_map(|size| [(size, false), (size, true)]);
    let asks = asks.map(|(size, fork)| {
        let text = match fork {
            false => request(4, size, false).to_text(),
            true => forked(4, size).to_text(),
        };
        let (client, url) = (client.clone(), url.clone());
        async move { post(&client, &url, text).await.unwrap().status }
    });
    let statuses = futures_util::future::join_all(asks).await;
    let good = statuses.iter().filter(|status| **status == 200).count();
    assert_eq!(good, 1, "{statuses:?}");
    assert!(statuses.iter().all(|status| [200, 409].contains(status)));
}

/// Leaves as in the honest log up to `common`, others from there.
fn forked(common: u64, size: u64) -> AddCheckpoint {
    let leaf = |n: u64| LeafHash::of(&[&n.to_be_bytes()[..], &[u8::from(n >= common)]].concat());
    let leaves: Vec<LeafHash> = (0..size).map(leaf).collect();
    let root = oracle::root(&leaves).unwrap();
    let (old, size) = (TreeSize::new(common), TreeSize::new(size));
    let origin = Origin::try_from(LOG).unwrap();
    let note = Checkpoint::sign(&signer(1), &origin, size, root).unwrap();
    AddCheckpoint {
        old,
        proof: prove_consistency(&mut Memory(leaves), old, size).unwrap(),
        note: note.note().to_owned(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_sends_no_request_to_a_witness_is_cut_off_and_keeps_nobody_out_for_long() {
    let folder = tempfile::tempdir().unwrap();
    let witness = witness_here(folder.path(), "witness.example.test/w1", &key());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let limits = Limits {
        head: Duration::from_millis(300),
        ..Limits::of(2)
    };
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let serving = tokio::spawn(async move {
        let stopped = async {
            let _ = stopped.await;
        };
        http::serve(Arc::new(witness), listener, limits, stopped).await;
    });
    let mut silent = TcpStream::connect(address).await.unwrap();
    let mut slow = TcpStream::connect(address).await.unwrap();
    slow.write_all(b"POST /add-checkpoint HTTP/1.1\r\nHost:")
        .await
        .unwrap();
    // Both places are taken: this one waits until they are given back.
    let url = format!("http://{address}/add-checkpoint");
    let told = post(&client(), &url, request(0, 5, false).to_text()).await;
    assert_eq!(told.unwrap().status, 200);
    for stream in [&mut silent, &mut slow] {
        let mut rest = Vec::new();
        let read = stream.read_to_end(&mut rest);
        let read = tokio::time::timeout(Duration::from_secs(10), read).await;
        // Cut, with or without a word (408), and surely with no cosignature.
        assert!(read.is_ok() && !rest.starts_with(b"HTTP/1.1 200"));
    }
    stop.send(()).unwrap();
    serving.await.unwrap();
    assert!(TcpStream::connect(address).await.is_err());
}
