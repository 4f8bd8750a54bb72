//! The shipped program, over TLS, by who may and by who may not: single erasure, and infected messages.

use crate::conformance::are_there;
use crate::gone::{self, Marked, Size};
use crate::support::program::{cannot, out, status};
use crate::support::sealing::{Sealing, close_all};
use crate::support::tls::{Authority, Certified, Installation, Served};
use crate::support::*;
use ceralacca::ambient::{Clock, SystemClock, SystemEntropy};
use ceralacca::archive::{Log, Settings};
use ceralacca::ingest::Declared;
use ceralacca::seal_key::{self, DevelopmentFiles};
use ceralacca_formats::erasure::ErasureCertificate;
use ceralacca_formats::id::{LeafIndex, UtcMillis};
use ceralacca_formats::leaf::Class;
use serde_json::Value;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::Arc;

const LOG: &str = "gestore-1";
const INFECTED: &[u8] = b"Subject: innocuo\r\n\r\ncorpo con un virus inventato\r\n";

/// A served archive whose first interval is closed, and everybody who may ask it for something.
struct Office {
    served: Served,
    folder: tempfile::TempDir,
    receipt: Marked,
    other: Marked,
    infected: LeafIndex,
    people: Vec<(&'static str, Certified)>,
}

/// Names and roles; the court's grant names the transaction of the receipt.
const PEOPLE: [(&str, &str); 5] = [
    ("anna", "role = \"provider\""),
    ("bruno", "role = \"approver\""),
    ("carla", "role = \"auditor\""),
    ("olga", "role = \"operator\""),
    (
        "tribunale",
        "role = \"court\"\nact = \"decreto 7/2026\"\nuntil = \"2100-01-01T00:00:00Z\"\n\
         identificativi = [\"marker-ricevuta-identificativo-5f3c9a\"]",
    ),
];

impl Office {
    fn new() -> Self {
        let installation = Installation::new(&[LOG]);
        let now = SystemClock::default().wall().get();
        let files = DevelopmentFiles::beside(&installation.path("master.key"));
        seal_key::make(&files, UtcMillis::new(now), &SystemEntropy).unwrap();
        let clock = MovableClock::at(now - 3 * DAY_MS);
        let sealing = Sealing::named(&clock, true, "uno");
        let settings = Settings {
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            ..Settings::default()
        };
        let log = Log::open(&installation.log(LOG), &master(), &settings).unwrap();
        let receipt = gone::put(&log, "ricevuta", Class::Receipt, Size::Small);
        let other = gone::put(&log, "altra", Class::Receipt, Size::Small);
        let declared = ingest(&log).object(INFECTED.to_vec(), Declared::Infected, None);
        let infected = ingest(&log).record(declared.unwrap()).unwrap();
        for _ in 0..2 {
            clock.pass(DAY_MS);
            log.tick().unwrap();
            close_all(&log, &sealing);
        }
        log.stop().unwrap();
        drop(log);
        let authority = Authority::new();
        let people = PEOPLE.map(|(name, _)| (name, authority.certify()));
        let mut tables = String::new();
        for ((name, certified), (_, role)) in people.iter().zip(PEOPLE) {
            tables += &format!(
                "[[principal]]\nname = \"{name}\"\ncertificates = [\"{}\"]\n\
                 [[principal.role]]\nlog = \"{LOG}\"\n{role}\n",
                certified.sha256
            );
        }
        installation.configure_tls(&authority, &[LOG], &tables);
        let office = Self {
            served: installation.serve(),
            folder: tempfile::tempdir().unwrap(),
            receipt,
            other,
            infected: infected.records[0].leaf.seq,
            people: people.into(),
        };
        let write = |name: &str, text: &str| std::fs::write(office.path(name), text).unwrap();
        write("ca.pem", authority.pem());
        for (name, certified) in &office.people {
            write(&format!("{name}.pem"), &certified.certificate);
            write(&format!("{name}.key"), &certified.key);
        }
        office
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What a command comes to, as this principal.
    fn run(&self, who: &str, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ceralacca"));
        command.args(arguments).current_dir(self.folder.path());
        command.args(["--server", &format!("https://{}", self.served.address)]);
        command.args(["--ca", "ca.pem"]);
        command.args(["--client-certificate", &format!("{who}.pem")]);
        command.args(["--client-key", &format!("{who}.key")]);
        command.output().unwrap()
    }

    fn good(&self, who: &str, arguments: &[&str]) -> String {
        let output = self.run(who, arguments);
        assert_eq!(status(&output), 0, "{who}: {arguments:?}: {output:?}");
        out(&output)
    }

    fn propose(&self, who: &str, index: LeafIndex) -> Output {
        let index = index.to_string();
        let asked = ["--ground", "data-subject", "--statement", "richiesta"];
        self.run(who, &[&["erase", "propose", &index][..], &asked].concat())
    }

    fn confirm(&self, who: &str, index: LeafIndex) -> Output {
        let index = index.to_string();
        let stated = ["--statement", "visto", "--json"];
        self.run(who, &[&["erase", "confirm", &index][..], &stated].concat())
    }

    fn reissue(&self, who: &str, index: LeafIndex, more: &[&str]) -> Output {
        let index = index.to_string();
        let asked = ["reissue", "--index", &index, "--dir", "copia"];
        self.run(who, &[&asked[..], more].concat())
    }
}

#[test]
fn an_object_is_erased_from_the_command_line_by_two_who_may_and_by_nobody_else() {
    let mut office = Office::new();
    let (index, other) = (office.receipt.object, office.other.object);
    for who in ["carla", "olga", "tribunale"] {
        cannot(&office.propose(who, index), "DENIED: no role allows this");
        cannot(&office.confirm(who, index), "DENIED: no role allows this");
    }
    cannot(&office.confirm("bruno", index), "ERASURE_NOT_PROPOSED: ");
    let facts = office.propose("anna", office.receipt.facts);
    cannot(&facts, "KEPT_BY_LAW: ");
    let why = String::from_utf8(facts.stderr).unwrap();
    assert!(why.contains("art. 11"), "{why}");
    cannot(&office.propose("anna", office.infected), "KEPT_BY_LAW: ");
    let told = out(&office.propose("anna", index));
    assert!(told.contains("is proposed"), "{told}");
    cannot(&office.confirm("anna", index), "SAME_PRINCIPAL: ");
    let copy = ["--index", &index.to_string(), "--dir", "prima"];
    office.good("anna", &[&["reissue"][..], &copy].concat());
    let erased = office.confirm("bruno", index);
    assert_eq!(status(&erased), 0, "{erased:?}");
    let erased: Value = serde_json::from_str(&out(&erased)).unwrap();
    assert_eq!(erased["index"], index.get());
    assert_eq!(erased["certified"], true);
    cannot(&office.confirm("bruno", index), "ERASED: ");
    cannot(&office.reissue("anna", index, &[]), "ERASED: ");
    assert!(!office.path("copia").exists(), "nothing is written");

    // Who may see that it is gone, and who may not.
    let show = ["erase", "show", &index.to_string()];
    for who in ["anna", "bruno", "carla", "tribunale"] {
        let told = office.good(who, &show);
        assert!(told.contains("was erased on"), "{told}");
        assert!(told.contains("gone from the files too"), "{told}");
    }
    cannot(&office.run("olga", &show), "DENIED: ");
    cannot(
        &office.run("anna", &["erase", "show", &other.to_string()]),
        "NOT_ERASED: ",
    );
    let certificate = [&show[..], &["--certificate", "c.p7m"]].concat();
    office.good("carla", &certificate);
    if are_there(&[("openssl", &["version"])]) {
        let root = office.served.installation.path("sviluppo/root.pem");
        let verify = |name: &str| {
            let mut command = Command::new("openssl");
            command.args(["cms", "-verify", "-inform", "DER", "-purpose", "any"]);
            command.args(["-in", name, "-out", "plain.json", "-CAfile"]);
            command.arg(&root).current_dir(office.folder.path());
            command.output().unwrap()
        };
        let verified = verify("c.p7m");
        assert!(verified.status.success(), "{verified:?}");
        let plain = std::fs::read(office.path("plain.json")).unwrap();
        let plain = ErasureCertificate::parse(&plain).unwrap();
        assert_eq!(plain.leaf.seq, index);
        let names = plain.acts.map(|act| act.principal);
        assert_eq!(
            names.each_ref().map(|name| name.to_str()),
            [Some("anna"), Some("bruno")]
        );
        let mut twin = std::fs::read(office.path("c.p7m")).unwrap();
        let at = twin.windows(12).position(|w| w == b"data-subject");
        twin[at.unwrap()] ^= 1;
        std::fs::write(office.path("twin.p7m"), twin).unwrap();
        assert!(!verify("twin.p7m").status.success(), "a damaged twin");
    }
    // The other one is there.
    office.good(
        "anna",
        &["reissue", "--index", &other.to_string(), "--dir", "seconda"],
    );
    let report = office.served.stop_and_check();
    assert_eq!(report.erased, 1);
}

#[test]
fn an_infected_message_is_taken_out_by_its_keeper_alone_who_asks_for_it_as_such() {
    let mut office = Office::new();
    let (infected, clean) = (office.infected, office.receipt.object);
    // Without the flag, nobody.
    let refused = office.reissue("anna", infected, &[]);
    cannot(&refused, "INFECTED: ");
    // With it, only a role that may.
    for who in ["bruno", "carla", "olga", "tribunale"] {
        let refused = office.reissue(who, infected, &["--infected"]);
        assert_eq!(status(&refused), 2, "{who}: {refused:?}");
        cannot(&refused, "DENIED: no role allows this");
    }
    cannot(
        &office.reissue("anna", clean, &["--infected"]),
        "NOT_INFECTED: ",
    );
    assert!(!office.path("copia").exists(), "nothing is written");
    let given = office.reissue("anna", infected, &["--infected", "--json"]);
    assert_eq!(status(&given), 0, "{given:?}");
    let given: Value = serde_json::from_str(&out(&given)).unwrap();
    assert_eq!(given["index"], infected.get());
    let octets = std::fs::read(office.path("copia/INFECTED.eml.quarantine")).unwrap();
    assert_eq!(octets, INFECTED);
    let names = std::fs::read_dir(office.path("copia")).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let opens: Vec<_> = names.filter(|name| name.ends_with(".eml")).collect();
    assert!(opens.is_empty(), "{opens:?}");
    office.served.stop_and_check();
}
