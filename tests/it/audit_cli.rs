//! `ceralacca audit`: everything is checked with the log's key alone, and a service that lies is found out.

use crate::support::tls::{Installation, Served};
use ceralacca::api::v1;
use ceralacca::api::v1::audit_client::AuditClient;
use ceralacca::api::v1::audit_server::{Audit, AuditServer};
use ceralacca::api::v1::submission_client::SubmissionClient;
use ceralacca_formats::leaf::Leaf;
use ceralacca_formats::note::VerifierKey;
use ceralacca_formats::sample::sample;
use futures_util::stream::{self, BoxStream, StreamExt};
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::Channel;
use tonic::{Request, Response, Status};

const LOG: &str = "gestore-1";

async fn submit(served: &Served, count: u64) {
    let mut client = SubmissionClient::new(served.channel().await);
    let item = |number: u64| v1::SubmissionItem {
        what: Some(v1::submission_item::What::Trace(v1::TraceRecord {
            identificativo: format!("t{number}@pec.example"),
            event: "accettazione".to_owned(),
            ..v1::TraceRecord::default()
        })),
        ..v1::SubmissionItem::default()
    };
    let items: Vec<_> = (0..count).map(item).collect();
    for items in items.chunks(1000) {
        let request = v1::SubmitBatchRequest {
            items: items.to_vec(),
            ..v1::SubmitBatchRequest::default()
        };
        client.submit_batch(request).await.unwrap();
    }
}

/// Runs `ceralacca audit` in a folder, towards an address, with a key.
fn audit(folder: &Path, address: &str, key: &VerifierKey, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ceralacca"));
    command.current_dir(folder).arg("audit").args(arguments);
    command.env("CERALACCA_SERVER", format!("http://{address}"));
    command.args(["--key", &key.to_string()]).output().unwrap()
}

fn line(output: &Output) -> String {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    text.lines().last().unwrap_or_default().to_owned()
}

#[track_caller]
fn verified(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let line = line(output);
    assert!(line.starts_with("VERIFIED: ") || line.starts_with('{') || line.starts_with("Their"));
    line
}

#[track_caller]
fn refused(output: &Output, why: &str) {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let line = line(output);
    assert!(
        line.starts_with("NOT VERIFIED: ") && line.contains(why),
        "{line}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_auditor_checks_the_whole_log_with_its_key_alone() {
    let mut served = Installation::plain(&[LOG], "").serve();
    let key = served.installation.verifier(LOG).clone();
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let address = served.address.clone();
    let run = |arguments: &[&str]| audit(folder, &address, &key, arguments);
    let json = |arguments: &[&str]| -> Value {
        let output = run(&[arguments, &["--json"]].concat());
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        serde_json::from_slice(&output.stdout).unwrap()
    };
    submit(&served, 4999).await;
    assert!(verified(&run(&["checkpoint", "--out", "old"])).contains("5000 leaves"));
    assert_eq!(
        run(&["checkpoint", "--out", "old"]).status.code(),
        Some(2),
        "it is kept"
    );
    // The leaves of the beginning; then the log grows, the copy goes on, also over a torn end.
    assert!(verified(&run(&["leaves", "--out", "leaves.bin"])).contains("5000 leaves"));
    submit(&served, 1000).await;
    let path = folder.join("leaves.bin");
    let mut torn = std::fs::read(&path).unwrap();
    torn.truncate(4000 * 64 + 17);
    std::fs::write(&path, torn).unwrap();
    let told = json(&["leaves", "--out", "leaves.bin"]);
    assert_eq!(
        (&told["leaves"], &told["fetched"]),
        (&6000.into(), &2000.into())
    );
    let leaves = std::fs::read(&path).unwrap();
    assert_eq!(leaves.len(), 6000 * 64);
    let told = json(&["leaves", "--checkpoint", "old"]);
    assert_eq!(told["leaves"], 5000);
    // Consistency with what was held; the later note takes its place.
    let grown = run(&["consistency", "--since", "old", "--out", "new"]);
    assert!(verified(&grown).contains("continues"));
    let told = json(&["consistency", "--since", "new"]);
    assert_eq!(told["first"], told["second"]);
    let not_kept = run(&["consistency", "--first", "5999"]);
    assert_eq!(not_kept.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&not_kept.stderr).contains("CHECKPOINT_NOT_KEPT"));
    // Leaves by index and by hash, under the last checkpoint and under one that is held.
    let leaf = |index: usize| Leaf::from_bytes(&leaves[index * 64..][..64]).unwrap();
    let hash = leaf(4321).hash().to_string();
    let asked = [
        "inclusion",
        "--index",
        "7",
        "--index",
        "0",
        "--leaf-hash",
        &hash,
    ];
    let told = json(&asked);
    let found = told["leaves"].as_array().unwrap();
    let found: Vec<_> = found
        .iter()
        .map(|leaf| leaf["index"].as_u64().unwrap())
        .collect();
    assert_eq!(found, [0, 7, 4321]);
    assert_eq!(told["checkpoint"]["tree_size"], 6000);
    let told = json(&[&asked[..], &["--checkpoint", "old"]].concat());
    assert_eq!(told["checkpoint"]["tree_size"], 5000);
    // A sample, with the records themselves.
    let told = json(&[
        "sample",
        "--seed",
        "estrazione",
        "--count",
        "5",
        "--records",
        "r",
    ]);
    let found = told["leaves"].as_array().unwrap();
    let found: Vec<_> = found
        .iter()
        .map(|leaf| leaf["index"].as_u64().unwrap())
        .collect();
    let named = sample(b"estrazione", ceralacca_formats::id::TreeSize::new(6000), 5).unwrap();
    assert_eq!(
        found,
        named.iter().map(|index| index.get()).collect::<Vec<_>>()
    );
    for index in found {
        let file = format!("r/{index}.tlog-proof");
        let mut verify = Command::new(env!("CARGO_BIN_EXE_ceralacca"));
        let verify = verify
            .current_dir(folder)
            .args(["verify", &file, "--key", &key.to_string()]);
        assert!(verify.output().unwrap().status.success());
    }
    let hex = [
        "sample",
        "--seed-hex",
        "00ff",
        "--count",
        "3",
        "--checkpoint",
        "old",
    ];
    assert!(verified(&run(&hex)).contains("5000 leaves"));
    // Without the key nothing is proven; with another's, all is refused.
    let mut keyless = served.command(folder, &["audit", "checkpoint"]);
    let keyless = keyless.output().unwrap();
    assert_eq!(keyless.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&keyless.stderr).contains("--key"));
    let other = Installation::new(&[LOG]);
    let other = other.verifier(LOG);
    for arguments in [
        &["checkpoint"][..],
        &["leaves"],
        &["inclusion", "--index", "1"],
        &["sample", "--seed", "s", "--count", "1"],
    ] {
        let output = audit(folder, &address, other, arguments);
        refused(&output, "not signed by a known key");
    }
    // A file that is of another log, or has a leaf altered, does not come to the root.
    let mut altered = leaves.clone();
    altered[100 * 64 + 40] ^= 1;
    std::fs::write(&path, altered).unwrap();
    refused(&run(&["leaves", "--out", "leaves.bin"]), "have the root");
    // Watching ends well when the service does, and told what it saw.
    let mut watch = Command::new(env!("CARGO_BIN_EXE_ceralacca"));
    watch.args(["audit", "checkpoint", "--watch", "--key", &key.to_string()]);
    watch.env("CERALACCA_SERVER", format!("http://{address}"));
    let mut watching = watch.stdout(std::process::Stdio::piped()).spawn().unwrap();
    let mut lines = std::io::BufReader::new(watching.stdout.take().unwrap());
    let mut next = || {
        let mut line = String::new();
        std::io::BufRead::read_line(&mut lines, &mut line).unwrap();
        line
    };
    assert!(next().starts_with("VERIFIED: "));
    submit(&served, 1).await;
    assert!(next().contains("leaves, root "));
    served.stop_and_check();
    assert!(watching.wait().unwrap().success());
}

/// What a service says that is not so.
#[derive(Clone, Copy, Debug)]
enum Lie {
    None,
    /// A checkpoint that was, as the last one.
    Older,
    /// A leaf with another bit.
    Flipped,
    /// A leaf left out, the others in order.
    Skipped,
    /// An end before the end.
    Short,
    /// The leaves of another seed, well proven.
    OtherSeed,
    /// Leaves beside those asked for, well proven.
    Beside,
    /// A proof without its last hash.
    Cut,
    /// A proof with one hash more.
    Longer,
    /// Proofs of a larger tree than said.
    Size,
}

/// A service that passes on what another says, but for one lie.
struct Liar {
    honest: AuditClient<Channel>,
    lie: Lie,
}

type Answer<T> = Result<Response<T>, Status>;

impl Liar {
    async fn serve(served: &Served, lie: Lie) -> String {
        let honest = AuditClient::new(served.channel().await);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let server = tonic::transport::Server::builder();
        let server = { server }.add_service(AuditServer::new(Self { honest, lie }));
        tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
        address
    }

    fn bend(&self, proofs: &mut [v1::InclusionProof], size: &mut u64) {
        let first = &mut proofs[0];
        match self.lie {
            Lie::Flipped => {
                let mut leaf = first.leaf.to_vec();
                leaf[40] ^= 1;
                first.leaf = leaf.into();
            }
            Lie::Cut => drop(first.path.pop()),
            Lie::Longer => first.path.push(vec![0; 32].into()),
            Lie::Size => *size += 1,
            _ => {}
        }
    }
}

#[tonic::async_trait]
impl Audit for Liar {
    type WatchCheckpointsStream = BoxStream<'static, Result<v1::WatchCheckpointsResponse, Status>>;
    type GetLeavesStream = BoxStream<'static, Result<v1::GetLeavesResponse, Status>>;
    type GetMapProofStream = BoxStream<'static, Result<v1::GetMapProofResponse, Status>>;

    async fn get_map_proof(
        &self,
        request: Request<v1::GetMapProofRequest>,
    ) -> Answer<Self::GetMapProofStream> {
        let mut honest = self.honest.clone();
        let answer = honest.get_map_proof(request.into_inner()).await?;
        Ok(Response::new(answer.into_inner().boxed()))
    }

    async fn get_checkpoint(
        &self,
        request: Request<v1::GetCheckpointRequest>,
    ) -> Answer<v1::GetCheckpointResponse> {
        self.honest
            .clone()
            .get_checkpoint(request.into_inner())
            .await
    }

    async fn list_key_rotations(
        &self,
        request: Request<v1::ListKeyRotationsRequest>,
    ) -> Answer<v1::ListKeyRotationsResponse> {
        let mut honest = self.honest.clone();
        honest.list_key_rotations(request.into_inner()).await
    }

    async fn watch_checkpoints(
        &self,
        request: Request<v1::WatchCheckpointsRequest>,
    ) -> Answer<Self::WatchCheckpointsStream> {
        let mut honest = self.honest.clone();
        let answer = honest.watch_checkpoints(request.into_inner()).await?;
        let mut answers = answer.into_inner();
        // The newest first, then one that was: a log that rolls back.
        let older = answers.message().await?.unwrap();
        let newer = answers.message().await?.unwrap();
        Ok(Response::new(stream::iter([Ok(newer), Ok(older)]).boxed()))
    }

    async fn get_record(
        &self,
        request: Request<v1::GetRecordRequest>,
    ) -> Answer<v1::GetRecordResponse> {
        let mut request = request.into_inner();
        if matches!(self.lie, Lie::Beside) {
            request.index ^= 1;
        }
        self.honest.clone().get_record(request).await
    }

    async fn get_leaves(
        &self,
        request: Request<v1::GetLeavesRequest>,
    ) -> Answer<Self::GetLeavesStream> {
        let answer = self.honest.clone().get_leaves(request.into_inner()).await?;
        let mut pieces: Vec<_> = answer.into_inner().collect().await;
        let piece = pieces[0].as_mut().unwrap();
        let mut leaves = piece.leaves.to_vec();
        match self.lie {
            Lie::Flipped => leaves[10 * 64 + 40] ^= 1,
            Lie::Skipped => drop(leaves.drain(64..128)),
            Lie::Short => leaves.truncate(64 * 50),
            _ => {}
        }
        piece.leaves = leaves.into();
        if matches!(self.lie, Lie::Short) {
            pieces.truncate(1);
        }
        Ok(Response::new(stream::iter(pieces).boxed()))
    }

    async fn get_inclusion_proof(
        &self,
        request: Request<v1::GetInclusionProofRequest>,
    ) -> Answer<v1::GetInclusionProofResponse> {
        self.honest
            .clone()
            .get_inclusion_proof(request.into_inner())
            .await
    }

    async fn get_inclusion_proofs(
        &self,
        request: Request<v1::GetInclusionProofsRequest>,
    ) -> Answer<v1::GetInclusionProofsResponse> {
        let mut request = request.into_inner();
        if matches!(self.lie, Lie::Beside) {
            request.indexes.iter_mut().for_each(|index| *index += 1);
        }
        let answer = self.honest.clone().get_inclusion_proofs(request).await?;
        let mut answer = answer.into_inner();
        self.bend(&mut answer.proofs, &mut answer.tree_size);
        if matches!(self.lie, Lie::Short) {
            answer.proofs.pop();
        }
        Ok(Response::new(answer))
    }

    async fn get_sample(
        &self,
        request: Request<v1::GetSampleRequest>,
    ) -> Answer<v1::GetSampleResponse> {
        let mut request = request.into_inner();
        if matches!(self.lie, Lie::OtherSeed) {
            request.seed = b"one that suits us".to_vec().into();
        }
        let answer = self.honest.clone().get_sample(request).await?;
        let mut answer = answer.into_inner();
        self.bend(&mut answer.proofs, &mut answer.tree_size);
        match self.lie {
            Lie::Short => drop(answer.proofs.pop()),
            Lie::Skipped => answer.proofs.swap(0, 1),
            _ => {}
        }
        Ok(Response::new(answer))
    }

    async fn get_consistency_proof(
        &self,
        request: Request<v1::GetConsistencyProofRequest>,
    ) -> Answer<v1::GetConsistencyProofResponse> {
        let mut honest = self.honest.clone();
        let answer = honest.get_consistency_proof(request.into_inner()).await?;
        let mut answer = answer.into_inner();
        match self.lie {
            Lie::Cut => drop(answer.path.pop()),
            Lie::Longer => answer.path.push(vec![0; 32].into()),
            Lie::Flipped => answer.path[0] = vec![0; 32].into(),
            _ => {}
        }
        Ok(Response::new(answer))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_lie_of_a_service_is_found_out() {
    let mut served = Installation::plain(&[LOG], "").serve();
    let key = served.installation.verifier(LOG).clone();
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    submit(&served, 298).await;
    let held = audit(
        folder,
        &served.address,
        &key,
        &["checkpoint", "--out", "held"],
    );
    verified(&held);
    submit(&served, 400).await;
    let inclusion = ["inclusion", "--index", "3", "--index", "5"];
    let sampled = ["sample", "--seed", "s", "--count", "4"];
    let with_records = [&sampled[..], &["--records", "r"]].concat();
    let leaves = ["leaves", "--out", "leaves.bin"];
    let grown = ["consistency", "--since", "held"];
    let cases: [(Lie, &[&str], &str); 20] = [
        (Lie::Flipped, &leaves, "have the root"),
        (Lie::Skipped, &leaves, "leaf 1: says index 2"),
        (Lie::Short, &leaves, "the leaves ended at 50 of 699"),
        (Lie::Flipped, &inclusion, "leads to another root"),
        (Lie::Cut, &inclusion, "too short"),
        (Lie::Longer, &inclusion, "extra hashes"),
        (
            Lie::Size,
            &inclusion,
            "a tree of 700 leaves, the checkpoint about one of 699",
        ),
        (Lie::Beside, &inclusion, "other leaves than those asked for"),
        (Lie::Short, &inclusion, "proves 1 leaves"),
        (
            Lie::OtherSeed,
            &sampled,
            "other leaves than those that the seed names",
        ),
        (
            Lie::Short,
            &sampled,
            "other leaves than those that the seed names",
        ),
        (
            Lie::Skipped,
            &sampled,
            "other leaves than those that the seed names",
        ),
        (Lie::Flipped, &sampled, "leads to another root"),
        (Lie::Cut, &sampled, "too short"),
        (Lie::Size, &sampled, "a tree of 700 leaves"),
        (
            Lie::Beside,
            &with_records,
            "has another leaf than was proven",
        ),
        (Lie::Cut, &grown, "not proven to continue"),
        (Lie::Longer, &grown, "not proven to continue"),
        (Lie::Flipped, &grown, "not proven to continue"),
        (
            Lie::Older,
            &["checkpoint", "--watch"],
            "does not continue the one before",
        ),
    ];
    for (lie, arguments, why) in cases {
        let address = Liar::serve(&served, lie).await;
        // The twin: the same words from the same mouth, but for the lie.
        let twin = Liar::serve(&served, Lie::None).await;
        // A service that was refused left nothing that a good one could not mend.
        let _ = std::fs::remove_file(folder.join("leaves.bin"));
        if matches!(lie, Lie::Older) {
            let watch = {
                let (folder, key) = (folder.to_owned(), key.clone());
                move || audit(&folder, &address, &key, &["checkpoint", "--watch"])
            };
            let watching = tokio::task::spawn_blocking(watch);
            // There must be two for it to tell them in the wrong order.
            while !watching.is_finished() {
                submit(&served, 1).await;
            }
            refused(&watching.await.unwrap(), why);
            continue;
        }
        refused(&audit(folder, &address, &key, arguments), why);
        let _ = std::fs::remove_file(folder.join("leaves.bin"));
        verified(&audit(folder, &twin, &key, arguments));
    }
    served.stop_and_check();
}
