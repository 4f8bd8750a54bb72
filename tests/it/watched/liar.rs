//! A server of `ceralacca.v1.Audit` over an invented log, which lies as it is told.
//!
//! It speaks the wire itself, path by path: what it does not serve is unimplemented, as with an older archive.

use ceralacca::api::v1;
use ceralacca_formats::checkpoint::Checkpoint;
use ceralacca_formats::cosignature::Cosigner;
use ceralacca_formats::id::{LeafIndex, Origin, TreeSize, UtcMillis};
use ceralacca_formats::leaf::{Class, Commitment, Epoch, Kind, Leaf};
use ceralacca_formats::note::{NoteSigner, VerifierKey};
use ceralacca_formats::oracle;
use ceralacca_formats::secret::SigningSeed;
use ceralacca_formats::tree::{LeafHash, NodeHash, NodeReader, RootHash, prove_consistency};
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::body::Body;
use tonic::server::{Grpc, NamedService};
use tonic::{Code, Request, Response, Status};
use tonic_types::{ErrorDetails, StatusExt};

pub const LOG: &str = "pec.example.test/log";

/// How the log lies from now on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Lie {
    None,
    /// A leaf that was signed is another now, and the tree goes on.
    Fork,
    /// The same, at the size that was signed.
    ForkSameSize,
    /// A smaller tree.
    Rollback,
    /// The note says one thing, the answer beside it another.
    Size,
    Root,
    Origin,
    /// The signature is of other bytes, by another key, over another origin.
    BadSignature,
    OtherKey,
    OtherOrigin,
    /// Nothing new any more.
    Stale,
    ProofCut,
    ProofLong,
    ProofEmpty,
    ProofOfOtherSizes,
    ProofRefused,
    ProofHashCut,
    /// Leaves: an index twice, one left out, an end too early, one altered, an older writer's.
    LeafTwice,
    LeafLeftOut,
    LeavesEnd,
    LeafAltered,
    LeafMalformed,
    /// A leaf lacks its last byte.
    LeafCut,
    /// Cosignatures: none at all, too few, over another checkpoint, by strangers.
    NoWitness,
    TooFewWitnesses,
    BadCosignature,
    Strangers,
    /// Witnesses cosigned another history than auditors are shown.
    WitnessedFork,
}

/// The invented log.
pub struct World {
    leaves: Vec<Leaf>,
    forked: Vec<Leaf>,
    pub lie: Lie,
}

struct Memory(Vec<LeafHash>);

impl NodeReader for Memory {
    type Error = Infallible;

    fn node(&mut self, level: u8, index: u64) -> Result<NodeHash, Infallible> {
        let (start, end) = ((index << level) as usize, ((index + 1) << level) as usize);
        let root = oracle::root(&self.0[start..end]).unwrap();
        Ok(NodeHash::from_bytes(*root.as_bytes()))
    }
}

fn leaf(seq: u64, salt: u8) -> Leaf {
    Leaf {
        kind: Kind::Trace,
        epoch: Epoch(1),
        seq: LeafIndex::new(seq),
        time: UtcMillis::new(1_763_700_000_000),
        class: Class::Trace,
        commitment: Commitment::from_bytes([salt; 32]),
    }
}

fn signer(seed: u8, name: &str) -> NoteSigner {
    NoteSigner::new(name, &SigningSeed::from_bytes([seed; 32])).unwrap()
}

pub fn key() -> VerifierKey {
    signer(1, LOG).verifier().clone()
}

/// Witness of a number from 2.
pub fn witness(number: u8) -> Cosigner {
    let name = format!("witness.example.test/w{number}");
    Cosigner::new(&name, &SigningSeed::from_bytes([number; 32])).unwrap()
}

fn root(leaves: &[Leaf]) -> RootHash {
    let hashes: Vec<LeafHash> = leaves.iter().map(Leaf::hash).collect();
    oracle::root(&hashes).unwrap_or_else(RootHash::empty)
}

fn checkpoint(leaves: &[Leaf], key: &NoteSigner) -> Checkpoint {
    let origin = Origin::try_from(key.verifier().name()).unwrap();
    let size = TreeSize::new(leaves.len() as u64);
    Checkpoint::sign(key, &origin, size, root(leaves)).unwrap()
}

impl World {
    pub fn new(size: u64) -> Self {
        let mut world = Self {
            leaves: Vec::new(),
            forked: Vec::new(),
            lie: Lie::None,
        };
        world.grow(size);
        world
    }

    pub fn grow(&mut self, size: u64) {
        for seq in self.leaves.len() as u64..size {
            self.leaves.push(leaf(seq, 7));
            self.forked.push(leaf(seq, if seq == 2 { 8 } else { 7 }));
        }
    }

    /// The leaves as they are shown now.
    fn shown(&self) -> &[Leaf] {
        match self.lie {
            Lie::Fork => &self.forked,
            Lie::ForkSameSize => &self.forked[..5],
            Lie::Rollback => &self.leaves[..4],
            Lie::Stale => &self.leaves[..5],
            _ => &self.leaves,
        }
    }

    fn note(&self, witnessed: bool) -> (Checkpoint, String) {
        let shown = self.shown();
        let honest = checkpoint(shown, &signer(1, LOG));
        let note = match self.lie {
            // Signed as 4 leaves, shown as what there are.
            Lie::BadSignature => {
                let four = checkpoint(&self.leaves[..4], &signer(1, LOG));
                let line = four.note().split("\n\n").nth(1).unwrap().to_owned();
                format!("{}\n{line}", honest.text())
            }
            Lie::OtherKey => checkpoint(shown, &signer(9, LOG)).note().to_owned(),
            Lie::OtherOrigin => {
                let text = honest.text().replace(LOG, "pec.example.test/altro");
                signer(1, LOG).sign(&text)
            }
            _ if witnessed => return self.witnessed(),
            _ => honest.note().to_owned(),
        };
        (honest, note)
    }

    fn witnessed(&self) -> (Checkpoint, String) {
        let now = ceralacca::ambient::Clock::wall(&ceralacca::ambient::SystemClock::default());
        let seconds = now.get() / 1000;
        let size = self.leaves.len() - 1;
        let leaves = match self.lie {
            Lie::WitnessedFork => &self.forked[..size],
            _ => &self.leaves[..size],
        };
        let own = checkpoint(leaves, &signer(1, LOG));
        let other = checkpoint(&leaves[..size - 1], &signer(1, LOG));
        let lines = match self.lie {
            Lie::TooFewWitnesses => witness(2).cosign(&own, seconds).repeat(2),
            Lie::BadCosignature => {
                witness(2).cosign(&own, seconds) + &witness(3).cosign(&other, seconds)
            }
            Lie::Strangers => witness(4).cosign(&own, seconds) + &witness(5).cosign(&own, seconds),
            _ => witness(2).cosign(&own, seconds) + &witness(3).cosign(&own, seconds),
        };
        let note = own.with_lines(&lines).note().to_owned();
        (own, note)
    }

    fn get_checkpoint(&self, witnessed: bool) -> Result<v1::GetCheckpointResponse, Status> {
        if witnessed && self.lie == Lie::NoWitness {
            let none = std::collections::HashMap::new();
            let details = ErrorDetails::with_error_info("NOT_WITNESSED", "ceralacca", none);
            let why = "no checkpoint is witnessed yet";
            return Err(Status::with_error_details(Code::Unavailable, why, details));
        }
        let (checkpoint, note) = self.note(witnessed);
        let mut root = checkpoint.root().as_bytes().to_vec();
        if self.lie == Lie::Root {
            root[31] ^= 1;
        }
        Ok(v1::GetCheckpointResponse {
            note,
            origin: match self.lie {
                Lie::Origin => "pec.example.test/altro".to_owned(),
                _ => LOG.to_owned(),
            },
            tree_size: checkpoint.size().get() + u64::from(self.lie == Lie::Size),
            root: root.into(),
            verifier_key: key().to_string(),
            ..Default::default()
        })
    }

    fn get_consistency_proof(
        &self,
        request: &v1::GetConsistencyProofRequest,
    ) -> Result<v1::GetConsistencyProofResponse, Status> {
        if self.lie == Lie::ProofRefused {
            return Err(Status::out_of_range("no such size"));
        }
        let leaves = match self.lie {
            Lie::Fork => &self.forked,
            _ => &self.leaves,
        };
        let hashes: Vec<LeafHash> = leaves.iter().map(Leaf::hash).collect();
        let (first, second) = (request.first_size, request.second_size);
        let (from, to) = (TreeSize::new(first), TreeSize::new(second));
        let path = prove_consistency(&mut Memory(hashes), from, to);
        let path = path.map_err(|_| Status::out_of_range("sizes"))?;
        let mut path: Vec<bytes::Bytes> = path
            .iter()
            .map(|hash| bytes::Bytes::copy_from_slice(hash.as_bytes()))
            .collect();
        match self.lie {
            Lie::ProofCut => drop(path.pop()),
            Lie::ProofLong => path.push(path[0].clone()),
            Lie::ProofEmpty => path.clear(),
            Lie::ProofHashCut => path[0] = path[0].slice(..31),
            _ => {}
        }
        Ok(v1::GetConsistencyProofResponse {
            first_size: first,
            second_size: second - u64::from(self.lie == Lie::ProofOfOtherSizes),
            path,
            checkpoint: String::new(),
        })
    }

    /// The leaves of a range, in pieces of two.
    fn get_leaves(
        &self,
        request: &v1::GetLeavesRequest,
    ) -> Vec<Result<v1::GetLeavesResponse, Status>> {
        let leaves = (request.first_index..request.tree_size).map_while(|index| {
            let at = index as usize;
            let mut bytes = self.leaves[at].to_bytes().to_vec();
            match self.lie {
                Lie::LeafTwice if at == 6 => bytes = self.leaves[5].to_bytes().to_vec(),
                Lie::LeafLeftOut if at >= 6 => bytes = leaf(index + 1, 7).to_bytes().to_vec(),
                Lie::LeavesEnd if at >= 7 => return None,
                Lie::LeafAltered if at == 6 => bytes = leaf(6, 9).to_bytes().to_vec(),
                Lie::LeafMalformed if at == 6 => bytes[0] ^= 1,
                Lie::LeafCut if at == 6 => bytes.truncate(63),
                _ => {}
            }
            Some(bytes)
        });
        let leaves: Vec<_> = leaves.collect();
        let pieces = leaves.chunks(2).zip((request.first_index..).step_by(2));
        let pieces = pieces.map(|(leaves, first_index)| {
            Ok(v1::GetLeavesResponse {
                first_index,
                leaves: leaves.concat().into(),
                ..v1::GetLeavesResponse::default()
            })
        });
        pieces.collect()
    }
}

#[derive(Clone)]
struct Liar(Arc<Mutex<World>>);

impl NamedService for Liar {
    const NAME: &'static str = "ceralacca.v1.Audit";
}

type Answering = Pin<Box<dyn Future<Output = Result<http::Response<Body>, Infallible>> + Send>>;

impl tower::Service<http::Request<Body>> for Liar {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Answering;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Answering {
        let world = Arc::clone(&self.0);
        macro_rules! unary {
            (|$world:ident, $message:ident: $request:ty| $answer:expr) => {{
                let service = tower::service_fn(move |request: Request<$request>| {
                    let $message = request.into_inner();
                    let $world = world.lock().unwrap();
                    let answer = $answer.map(Response::new);
                    async move { answer }
                });
                let codec = tonic_prost::ProstCodec::default();
                Box::pin(async move { Ok(Grpc::new(codec).unary(service, request).await) })
            }};
        }
        match request.uri().path() {
            "/ceralacca.v1.Audit/GetCheckpoint" => {
                unary!(|world, message: v1::GetCheckpointRequest| world
                    .get_checkpoint(message.witnessed))
            }
            "/ceralacca.v1.Audit/GetConsistencyProof" => {
                unary!(|world, message: v1::GetConsistencyProofRequest| world
                    .get_consistency_proof(&message))
            }
            "/ceralacca.v1.Audit/GetLeaves" => {
                let service = tower::service_fn(move |request: Request<v1::GetLeavesRequest>| {
                    let pieces = world.lock().unwrap().get_leaves(request.get_ref());
                    async move { Ok::<_, Status>(Response::new(tokio_stream::iter(pieces))) }
                });
                let codec = tonic_prost::ProstCodec::default();
                let answering =
                    async move { Grpc::new(codec).server_streaming(service, request).await };
                Box::pin(async move { Ok(answering.await) })
            }
            _ => Box::pin(async { Ok(Status::unimplemented("not served").into_http()) }),
        }
    }
}

/// A liar that serves, until it is dropped.
pub struct Served {
    pub address: String,
    pub world: Arc<Mutex<World>>,
    _runtime: tokio::runtime::Runtime,
}

pub fn serve(world: World) -> Served {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let world = Arc::new(Mutex::new(world));
    let liar = Liar(Arc::clone(&world));
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0"));
    let listener = listener.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    runtime.spawn(
        tonic::transport::Server::builder()
            .add_service(liar)
            .serve_with_incoming(TcpListenerStream::new(listener)),
    );
    Served {
        address,
        world,
        _runtime: runtime,
    }
}
