//! The service as a process of its own: over mutual TLS with throw-away certificates, or in plain text.

use super::{check_directory, master, origin};
use ceralacca::archive::{self, Archive, Settings};
use ceralacca::audit::fsck;
use ceralacca_formats::digest::Sha256;
use ceralacca_formats::id::{LogId, Origin};
use ceralacca_formats::note::VerifierKey;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, SanType};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};

/// A throw-away authority.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

/// A certificate with its key, PEM, and the digest by which a configuration names it.
pub struct Certified {
    pub certificate: String,
    pub key: String,
    pub sha256: String,
}

impl Authority {
    pub fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
            .distinguished_name
            .push(DnType::CommonName, "Autorita' di prova");
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self {
            issuer: Issuer::new(params, key),
            pem,
        }
    }

    /// Its own certificate, PEM.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// A certificate in force, good for clients and for a server on this host.
    pub fn certify(&self) -> Certified {
        self.certify_until(2100)
    }

    /// One that ended long ago.
    pub fn certify_expired(&self) -> Certified {
        self.certify_until(2021)
    }

    fn certify_until(&self, year: i32) -> Certified {
        let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        let host = std::net::Ipv4Addr::LOCALHOST.into();
        params.subject_alt_names.push(SanType::IpAddress(host));
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(year, 1, 1);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Certified {
            sha256: Sha256::of(certificate.der()).to_string(),
            certificate: certificate.pem(),
            key: key.serialize_pem(),
        }
    }
}

/// A folder with logs and a master key, to be served.
pub struct Installation {
    folder: tempfile::TempDir,
    verifiers: Vec<(String, VerifierKey)>,
}

impl Installation {
    /// With these logs. The first has the origin that `fsck` here expects.
    pub fn new(logs: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let mut verifiers = Vec::new();
        for (number, log) in logs.iter().enumerate() {
            let id = LogId::try_from(*log).unwrap();
            let origin = match number {
                0 => origin(),
                _ => Origin::try_from(format!("pec.example.test/{log}").as_str()).unwrap(),
            };
            let directory = Archive::directory_of(&data, &id);
            let settings = Settings::default();
            let verifier = archive::init(&directory, &id, &origin, &master(), &settings).unwrap();
            verifiers.push(((*log).to_owned(), verifier));
        }
        let path = folder.path().join("master.key");
        let mut file = std::fs::File::options();
        let mut file = file.write(true).create_new(true).mode(0o600).open(path);
        let digits = "4d".repeat(32);
        file.as_mut().unwrap().write_all(digits.as_bytes()).unwrap();
        Self { folder, verifiers }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn verifier(&self, log: &str) -> &VerifierKey {
        let mut verifiers = self.verifiers.iter();
        &verifiers.find(|(id, _)| id == log).unwrap().1
    }

    /// Directory of a log.
    pub fn log(&self, log: &str) -> PathBuf {
        Archive::directory_of(&self.path("data"), &LogId::try_from(log).unwrap())
    }

    /// Writes a configuration that listens on this address, with these tables after it.
    pub fn configure(&self, listen: &str, tables: &str) {
        let head = format!("data = \"data\"\nmaster_key = \"master.key\"\nlisten = \"{listen}\"\n");
        std::fs::write(self.path("c.toml"), head + tables).unwrap();
    }

    /// Over TLS, with clients of this authority, these logs and further tables.
    pub fn configure_tls(&self, authority: &Authority, logs: &[&str], tables: &str) {
        let server = authority.certify();
        let write = |name: &str, text: &str| std::fs::write(self.path(name), text).unwrap();
        write("server.pem", &server.certificate);
        write("server.key", &server.key);
        write("clients.pem", authority.pem());
        let mut head = "[tls]\ncertificate = \"server.pem\"\nkey = \"server.key\"\n\
                        client_ca = \"clients.pem\"\n"
            .to_owned();
        for log in logs {
            head += &format!("[[log]]\nid = \"{log}\"\n");
        }
        self.configure("127.0.0.1:0", &(head + tables));
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ceralacca"));
        command.args(["serve", "--config"]).arg(self.path("c.toml"));
        command
    }

    /// A service that does not start.
    pub fn serve_in_vain(&self) -> Output {
        self.command().output().unwrap()
    }

    /// Starts the service as configured. Another test of this process may be starting a program just now: between
    /// fork and exec the child holds a copy of every lock, so a log that was made a moment ago may still seem in use.
    pub fn serve(self) -> Served {
        let (child, address, [static_face, metrics]) = self.start();
        Served {
            address,
            static_face,
            metrics,
            installation: self,
            child,
        }
    }

    fn start(&self) -> (Child, String, [Option<String>; 2]) {
        for _ in 0..200 {
            let log = std::fs::File::create(self.path("serve.log")).unwrap();
            let mut child = self.command();
            child.stdout(Stdio::piped()).stderr(log);
            let mut child = child.spawn().unwrap();
            let mut line = String::new();
            let mut out = BufReader::new(child.stdout.take().unwrap());
            out.read_line(&mut line).unwrap();
            if let Some(address) = line.trim().strip_prefix("listening on ") {
                let faces = [
                    ("\n[static]\n", "static face on "),
                    ("\n[metrics]\n", "metrics on "),
                ];
                let faces = faces.map(|(table, before)| self.face(&mut out, table, before));
                return (child, address.to_owned(), faces);
            }
            child.wait().unwrap();
            let log = std::fs::read_to_string(self.path("serve.log")).unwrap();
            let in_use = log.contains("is in use by another process");
            assert!(in_use, "{line:?} {log}");
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        panic!("the log stays in use");
    }

    /// The URL of what has this table, which is told after the address of the services.
    fn face(&self, out: &mut impl BufRead, table: &str, before: &str) -> Option<String> {
        let config = std::fs::read_to_string(self.path("c.toml")).unwrap();
        config.contains(table).then(|| {
            let mut line = String::new();
            out.read_line(&mut line).unwrap();
            let address = line.trim().strip_prefix(before);
            address.unwrap_or_else(|| panic!("{line:?}")).to_owned()
        })
    }

    /// Plain text on loopback, with these logs and further lines of `[limits]`.
    pub fn plain(logs: &[&str], limits: &str) -> Self {
        let installation = Self::new(logs);
        let mut tables = format!("[development]\nplain_text = true\n[limits]\n{limits}\n");
        for log in logs {
            tables += &format!(
                "[[log]]\nid = \"{log}\"\njustice = {}\n",
                *log == "giustizia"
            );
        }
        installation.configure("127.0.0.1:0", &tables);
        installation
    }
}

/// A service that runs; it is killed when this is dropped.
pub struct Served {
    pub address: String,
    /// URL of the static face, where it is configured.
    pub static_face: Option<String>,
    /// URL of the metrics, where they are configured.
    pub metrics: Option<String>,
    pub installation: Installation,
    child: Child,
}

impl Served {
    /// A command of the program as a client of this service in plain text, in a folder.
    pub fn command(&self, folder: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ceralacca"));
        let server = format!("http://{}", self.address);
        command.args(arguments).env("CERALACCA_SERVER", server);
        command.current_dir(folder);
        command
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Served {
    /// A connection in plain text.
    pub async fn channel(&self) -> Channel {
        let address = format!("http://{}", self.address);
        let endpoint = Endpoint::from_shared(address).unwrap();
        endpoint.connect().await.unwrap()
    }

    /// The way to it over TLS, with a certificate or without.
    pub fn secured(&self, authority: &Authority, client: Option<&Certified>) -> Endpoint {
        let mut tls = ClientTlsConfig::new()
            .ca_certificate(Certificate::from_pem(&authority.pem))
            .domain_name("localhost");
        if let Some(client) = client {
            tls = tls.identity(Identity::from_pem(&client.certificate, &client.key));
        }
        let address = format!("https://{}", self.address);
        let endpoint = Endpoint::from_shared(address).unwrap();
        endpoint.tls_config(tls).unwrap()
    }

    /// Kills it as `kill -9` does, and starts it again over what it left.
    pub fn kill_and_serve(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.start_again();
    }

    /// Resident memory of the service, in bytes.
    pub fn resident(&self) -> u64 {
        let path = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(path).unwrap();
        let mut lines = status.lines();
        let line = lines.find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        let kib: u64 = line.trim().trim_end_matches(" kB").parse().unwrap();
        kib << 10
    }

    /// The most resident memory since [`Self::forget_peak`], in bytes.
    pub fn peak(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let mut lines = status.lines();
        let line = lines.find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        let kib: u64 = line.trim().trim_end_matches(" kB").parse().unwrap();
        kib << 10
    }

    /// Counts the most resident memory from here on.
    pub fn forget_peak(&self) {
        std::fs::write(format!("/proc/{}/clear_refs", self.child.id()), "5").unwrap();
    }

    /// Processor time of the service so far, in user and system; the kernel counts hundredths of a second.
    pub fn cpu(&self) -> std::time::Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let fields = stat.rsplit_once(") ").unwrap().1;
        let ticks = fields.split(' ').skip(11).take(2);
        let ticks: u64 = ticks.map(|field| field.parse::<u64>().unwrap()).sum();
        std::time::Duration::from_millis(ticks * 10)
    }

    /// Starts it anew, after it was stopped.
    pub fn start_again(&mut self) {
        (self.child, self.address, [self.static_face, self.metrics]) = self.installation.start();
    }

    /// Tells it to read its trust material again.
    pub fn hang_up(&self) {
        self.signal(rustix::process::Signal::HUP);
    }

    fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Ends it in order; what it left stays.
    pub fn stop(&mut self) {
        self.signal(rustix::process::Signal::TERM);
        let status = self.child.wait().unwrap();
        let log = std::fs::read_to_string(self.installation.path("serve.log")).unwrap();
        assert!(status.success(), "{status}\n{log}");
    }

    /// Ends it in order; everything in its first log is then checked from scratch.
    pub fn stop_and_check(&mut self) -> fsck::Report {
        self.stop();
        let (log, _) = self.installation.verifiers.first().unwrap();
        let report = check_directory(&self.installation.log(log));
        assert!(report.is_clean(), "{:?}", report.damages);
        report
    }
}
