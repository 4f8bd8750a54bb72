//! The commands, and a rebuild that is killed.

use super::*;
use crate::support::program::{cannot, out, status};
use serde_json::Value;
use std::process::{Command, Output};
use std::time::Duration;

/// The log of the world as an installation has it, and a folder to work in.
struct House {
    folder: tempfile::TempDir,
}

impl House {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("data/logs")).unwrap();
        copy(
            &world().test.path(),
            &folder.path().join("data/logs/gestore-1"),
        );
        let key = hex::encode(master().as_bytes());
        std::fs::write(folder.path().join("master.key"), key).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(folder.path().join("master.key"), mode).unwrap();
        Self { folder }
    }

    fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ceralacca"));
        command.args(arguments.split_whitespace());
        command.current_dir(self.folder.path());
        command
    }

    fn run(&self, arguments: &str) -> Output {
        self.command(arguments).output().unwrap()
    }

    fn json(&self, arguments: &str) -> Value {
        let output = self.run(arguments);
        assert_eq!(status(&output), 0, "{output:?}");
        serde_json::from_str(&out(&output)).unwrap()
    }
}

const EXPORT: &str = "export --data data --log gestore-1 --contents c --secrets s --json";
const REBUILD: &str = "rebuild --from data/logs/gestore-1/packages --contents c --secrets s \
                       --master-key master.key --into again";

#[test]
fn a_log_is_exported_and_rebuilt_by_command_and_fsck_finds_it_clean() {
    let house = House::new();
    let exported = house.json(EXPORT);
    assert_eq!(exported["size"], world().size.get());
    assert_eq!(exported["contents"]["kept"], 0);
    assert_eq!(house.json(EXPORT)["contents"]["kept"], 3);
    cannot(&house.run(REBUILD), "--checkpoint");
    let same = "export --data data --log gestore-1 --contents c --secrets c";
    cannot(&house.run(same), "folders of their own");
    let checkpoint = "--checkpoint data/logs/gestore-1/checkpoint";
    let built = house.json(&format!("{REBUILD} {checkpoint} --json"));
    assert_eq!(built["size"], world().size.get());
    assert_eq!(built["known_checkpoint"], world().size.get());
    assert_eq!(built["packages"], 3);
    // The epoch of the writer, and that its clock is far beyond the log's; then the restore.
    assert_eq!(built["restored"], world().size.get() + 2);
    let fsck = "fsck --data again --log gestore-1 --master-key master.key --json";
    let checked = house.json(fsck);
    assert_eq!(checked["clean"], true, "{checked}");
    assert_eq!(checked["leaves"], world().size.get() + 3);
    let again = house.run(&format!("{REBUILD} {checkpoint}"));
    cannot(&again, "there is a log already");
    // In words.
    std::fs::remove_dir_all(house.folder.path().join("again")).unwrap();
    let told = out(&house.run(&format!("{REBUILD} --without-checkpoint")));
    assert!(
        told.contains("packages, each the one that its leaf names"),
        "{told}"
    );
    assert!(told.contains("its restore is leaf"), "{told}");
}

#[test]
fn a_rebuild_that_is_killed_leaves_nothing_that_opens_and_begins_anew() {
    let house = House::new();
    house.json(EXPORT);
    let rebuild = format!("{REBUILD} --checkpoint data/logs/gestore-1/checkpoint --json");
    let fsck = "fsck --data again --log gestore-1 --master-key master.key --json";
    let marker = house
        .folder
        .path()
        .join("again/logs/gestore-1/rebuild.partial");
    let (mut begun, mut finished) = (0, false);
    for pause in [3, 15, 40, 80, 120, 180, 240, 320, 420] {
        let mut child = house.command(&rebuild).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(pause));
        let _ = child.kill();
        finished |= child.wait().unwrap().success();
        if finished {
            break;
        }
        let checked = house.run(fsck);
        // Killed after the last step it is there whole.
        if status(&checked) != 0 {
            assert_eq!(status(&checked), 2, "{checked:?}");
            begun += u32::from(marker.is_file());
        } else {
            finished = true;
            break;
        }
    }
    assert!(begun > 0, "one was killed under way");
    if !finished {
        let built = house.json(&rebuild);
        assert_eq!(built["size"], world().size.get());
    }
    assert_eq!(house.json(fsck)["clean"], true);
}
