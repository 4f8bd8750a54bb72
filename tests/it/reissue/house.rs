//! A service in this process, whose clock a test moves: intervals open, are cut and closed as the test says.

use super::served::{Came, asked, came, delivered};
use super::*;
use ceralacca::ambient::Clock;
use ceralacca::api::{Limits, Principals, Service, v1};
use ceralacca::archive::{self, Archive};
use ceralacca::ingest::Submission;
use ceralacca_formats::leaf::Class;
use ceralacca_formats::metadata::TraceRecord;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::Status;
use v1::reissue_client::ReissueClient;

pub(super) struct House {
    pub(super) archive: Arc<Archive>,
    pub(super) clock: Arc<MovableClock>,
    sealing: Sealing,
    pub(super) transaction: Transaction,
    address: String,
    pub(super) runtime: tokio::runtime::Runtime,
    pub(super) folder: tempfile::TempDir,
}

/// Providers whose messages go into an archive at [`START_MS`].
pub(super) fn postal() -> Postal {
    let start = START_MS as i64 - HOUR_MS as i64;
    Postal::new(&PkiOptions::with_keys(Keys::P256), start).unwrap()
}

/// A transaction, judged and archived.
pub(super) fn fill(log: &Log, postal: &Postal) -> Transaction {
    let anchor = Item::held(What::Anchor, postal.pki().root_der().to_vec());
    log.judge_with(&Bundle::new(vec![Arc::new(anchor)]).unwrap())
        .unwrap();
    let transaction = delivered(postal);
    for message in &transaction.messages {
        let submission = ingest(log).object(message.bytes.clone(), Declared::default(), None);
        ingest(log).record(submission.unwrap()).unwrap();
    }
    transaction
}

impl House {
    /// With a transaction in the open interval.
    pub(super) fn new() -> Self {
        let clock = MovableClock::at(START_MS);
        let sealing = Sealing::new(&clock, true);
        let folder = tempfile::tempdir().unwrap();
        let directory = Archive::directory_of(&folder.path().join("data"), &log_id());
        std::fs::create_dir_all(directory.parent().unwrap()).unwrap();
        let settings = settings(&clock);
        archive::init(&directory, &log_id(), &origin(), &master(), &settings).unwrap();
        let log = Log::open(&directory, &master(), &settings).unwrap();
        let postal = postal();
        let transaction = fill(&log, &postal);
        log.stop().unwrap();
        drop(log);
        let roots = sealing.root_pem() + &postal.pki().root_pem();
        std::fs::write(folder.path().join("roots.pem"), roots).unwrap();
        Self::serve(folder, clock, sealing, transaction)
    }

    /// Serves the archive below `data` of a folder that has `roots.pem`.
    pub(super) fn serve(
        folder: tempfile::TempDir,
        clock: Arc<MovableClock>,
        sealing: Sealing,
        transaction: Transaction,
    ) -> Self {
        let mut settings = settings(&clock);
        settings.authorities = Some(sealing.authorities());
        let data = folder.path().join("data");
        let archive = Archive::open(&data, &[log_id()], &master(), &settings).unwrap();
        let archive = Arc::new(archive);
        let key = archive.log(&log_id()).unwrap().verifier().to_string();
        std::fs::write(folder.path().join("log.vkey"), key).unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = { runtime }.worker_threads(2).enable_all().build().unwrap();
        let service = Service::new(
            Arc::clone(&archive),
            Principals::Development,
            Arc::clone(&clock) as Arc<dyn Clock>,
            Limits::default(),
        );
        let routes = service.routes().unwrap().routes();
        let server = tonic::transport::Server::builder().add_routes(routes);
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0"));
        let listener = listener.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        {
            let _entered = runtime.enter();
            let listener = TcpListenerStream::new(listener);
            runtime.spawn(server.serve_with_incoming(listener));
        }
        Self {
            archive,
            clock,
            sealing,
            transaction,
            address,
            runtime,
            folder,
        }
    }

    /// The same archive, sealed from now on by another key, whose root its readers have too; stamped by another
    /// authority as well, or by the same.
    pub(super) fn resealed(self, is_restamped: bool) -> Self {
        let Self {
            archive,
            clock,
            sealing,
            transaction,
            runtime,
            folder,
            ..
        } = self;
        archive.stop().unwrap();
        runtime.shutdown_timeout(std::time::Duration::from_secs(5));
        drop(archive);
        let other = Sealing::named(&clock, true, "altra");
        let path = folder.path().join("roots.pem");
        let roots = std::fs::read_to_string(&path).unwrap() + &other.root_pem();
        std::fs::write(&path, roots).unwrap();
        let sealing = match is_restamped {
            true => other,
            false => other.stamped_by(&sealing),
        };
        Self::serve(folder, clock, sealing, transaction)
    }

    /// Who seals and stamps.
    pub(super) fn sealing(&self) -> &Sealing {
        &self.sealing
    }

    pub(super) fn address(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(super) fn log(&self) -> &Log {
        self.archive.log(&log_id()).unwrap()
    }

    /// The interval ends and is closed.
    pub(super) fn seal(&self) {
        self.clock.pass(DAY_MS);
        self.log().tick().unwrap();
        crate::support::sealing::close_all(self.log(), &self.sealing);
    }

    /// A trace record of another transaction.
    pub(super) fn put(&self, identificativo: &str) {
        let record = TraceRecord {
            identificativo: Some(identificativo.into()),
            event: Some("accettazione".into()),
            ..TraceRecord::default()
        };
        let submission = Submission::trace(Class::Trace, record, None);
        ingest(self.log()).record(submission).unwrap();
    }

    pub(super) fn size(&self) -> u64 {
        self.log().reader().published().tip.size.get()
    }

    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(super) fn ask(&self, request: v1::GetPackageRequest) -> Result<Came, Status> {
        let address = format!("http://{}", self.address);
        self.runtime.block_on(async {
            let client = ReissueClient::connect(address).await.unwrap();
            came(client, request).await
        })
    }

    /// The messages of an answer, as they come.
    pub(super) fn parts(
        &self,
        request: v1::GetPackageRequest,
    ) -> Result<Vec<v1::GetPackageResponse>, Status> {
        let address = format!("http://{}", self.address);
        self.runtime.block_on(async {
            let mut client = ReissueClient::connect(address).await.unwrap();
            let mut parts = client.get_package(request).await?.into_inner();
            let mut all = Vec::new();
            while let Some(part) = parts.message().await? {
                all.push(part);
            }
            Ok(all)
        })
    }

    pub(super) fn of_transaction(&self) -> v1::GetPackageRequest {
        v1::GetPackageRequest {
            identificativo: self.transaction.identificativo.clone(),
            whole_transaction: true,
            ..asked()
        }
    }

    /// A command of the program, against this service.
    pub(super) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ceralacca"));
        let server = format!("http://{}", self.address);
        command.args(arguments).env("CERALACCA_SERVER", server);
        command.current_dir(self.path());
        command
    }

    pub(super) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// `package` over an identificativo.
    pub(super) fn package(&self, identificativo: &str, more: &[&str]) -> Output {
        let who = [
            "package",
            "--requester",
            "Tribunale di Prova",
            "--capacity",
            "court",
            "--act",
            "decreto 12/2026",
            "--purpose",
            "R.G. 345/2026",
            "--identificativo",
            identificativo,
        ];
        self.run(&[&who[..], more].concat())
    }

    /// `verify` at the time of the test.
    pub(super) fn verify(&self, package: &str) -> Output {
        let anchors = ["--key", "log.vkey", "--roots", "roots.pem"];
        let rest = ["--mail-roots", "roots.pem", "--at", "2026-01-01T00:00:00Z"];
        self.run(&[&["verify", package][..], &anchors, &rest].concat())
    }
}
