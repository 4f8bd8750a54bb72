//! Bouncy Castle judges evidence records at every stage of their life; damaged twins are refused by it and by ours.

use crate::authority::Authority;
use crate::foreign::are_there;
use crate::interval::{FILE, Interval, OBJECT, OPENING, year};
use ceralacca_evidence::ers::EvidenceRecord;
use std::path::Path;
use std::process::Command;

const JARS: &str =
    "/usr/share/java/bcpkix.jar:/usr/share/java/bcprov.jar:/usr/share/java/bcutil.jar";
impl Interval {
    /// What Bouncy Castle says of each record with its documents; damaged twins of documents and record among them.
    fn bouncy(&self, cases: &[(&[u8], &[&[u8]])]) -> Vec<String> {
        let mut command = Command::new("java");
        command.args(["-cp", JARS]);
        command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/JudgeRecords.java"));
        command.arg(self.tsa.path().join("tsa.der"));
        command.arg(year(2050).to_string());
        for (number, (record, all)) in cases.iter().enumerate() {
            let files = all.iter().enumerate();
            let files = files.map(|(n, file)| self.tsa.write(&format!("{number}.{n}"), file));
            command.arg(self.tsa.write(&format!("{number}.ers"), record));
            command.arg(files.collect::<Vec<_>>().join(":"));
        }
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{output:?}");
        said.lines().map(str::to_owned).collect()
    }

    /// Both judges accept both records, and refuse their twins.
    fn judged(&self, stage: &str) {
        assert_eq!(
            self.check(&self.file, &[FILE]).unwrap().stamps.len(),
            self.stamps(),
            "{stage}"
        );
        self.check(&self.object, &[OPENING, OBJECT]).unwrap();
        let (object, file) = (self.object.to_der(), self.file.to_der());
        // The last octet is in the signature of the last token.
        let mut twin = file.clone();
        *twin.last_mut().unwrap() ^= 1;
        // One octet of the first hash of the reduced tree.
        let mut other_tree = object.clone();
        let hash = *self.object.chains()[0][0]
            .reduced()
            .unwrap()
            .group()
            .first()
            .unwrap();
        let at = other_tree
            .windows(32)
            .position(|w| w == hash.as_bytes())
            .unwrap();
        other_tree[at] ^= 1;
        let said = self.bouncy(&[
            (&file, &[FILE]),
            (&object, &[OBJECT, OPENING]),
            (&file, &[b"another file\n"]),
            (&object, &[b"another object", OPENING]),
            (&twin, &[FILE]),
            (&other_tree, &[OBJECT, OPENING]),
        ]);
        let reasons = [
            "OK",
            "OK",
            "object hash not found",
            "object hash not found",
            "signature not created by certificate",
            "object hash not found",
        ];
        let as_expected = said
            .iter()
            .zip(reasons)
            .all(|(said, reason)| said.contains(reason));
        assert!(
            as_expected && said.len() == reasons.len(),
            "{stage}: {said:#?}"
        );

        assert!(
            self.check(&self.file, &[b"another file\n"]).is_err(),
            "{stage}"
        );
        assert!(
            self.check(&self.object, &[b"another object", OPENING])
                .is_err(),
            "{stage}"
        );
        let twin = EvidenceRecord::from_der(&twin).unwrap();
        assert!(self.check(&twin, &[FILE]).is_err(), "{stage}");
        let twin = EvidenceRecord::from_der(&other_tree).unwrap();
        assert!(self.check(&twin, &[OBJECT, OPENING]).is_err(), "{stage}");
    }
}

#[test]
fn bouncy_castle_and_ours_agree_on_records_through_both_renewals() {
    if !are_there(&[("openssl", &["version"]), ("java", &["--version"])]) {
        return;
    }
    if !Path::new("/usr/share/java/bcpkix.jar").exists() {
        let in_ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
        assert!(!in_ci, "missing: bcpkix.jar");
        println!("SKIPPED: missing bcpkix.jar");
        return;
    }
    let mut interval = Interval::closed(Authority::new(2100, 3));
    interval.judged("closed");
    interval.renew_time_stamp();
    interval.judged("time-stamp renewed");
    interval.renew_hash_tree();
    interval.judged("hash tree renewed");
    interval.renew_time_stamp();
    interval.judged("time-stamp renewed again");
}
