//! The operator's commands at bad moments: a file with a mistake, a wrong folder, a taken port.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};

use offhook_tests::appliance::{Appliance, program};
use offhook_tests::baresip::{Baresip, Setup};
use offhook_tests::net::{Net, eventually};
use offhook_tests::scenario::{SDP, Scenario};
use offhook_tests::sipp::Sipp;

use crate::{last_call, line, office};

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn check(file: &Path) -> Output {
    Command::new(program()).arg("check").arg(file).output().expect("it runs")
}

fn append(appliance: &Appliance, more: &str) {
    let before = std::fs::read_to_string(appliance.config_path()).expect("configuration");
    std::fs::write(appliance.config_path(), before + more).expect("configuration");
}

#[test]
fn a_running_appliance_can_be_looked_at_while_its_file_has_mistakes() {
    let net = Net::new();
    let appliance = office(net, &line(net, "extension:199"), &["101"]);
    let call = Scenario::new("+15550100999", "+15550100100").invite("", SDP).refused(404);
    Sipp::start(&call.xml(), (net.trunk(), 5060), appliance.sip(), &[]).finish();
    appliance.assert_nothing_left();
    // A value, a key, and what is no TOML.
    append(&appliance, "\n[sip]\nmax_calls = \"many\"\nnonsense = 1\nbroken = = 2\n");
    assert_eq!(appliance.json(&["status"])["phones"]["known"], 1);
    let id = last_call(&appliance)["id"].as_str().expect("an id").to_owned();
    let shown = appliance.cli(&["calls", "show", &id]);
    assert!(shown.contains("What to do:"), "{shown}");
    assert!(appliance.cli(&["bans", "list"]).contains("Nobody"));
    assert!(appliance.cli(&["phone", "list"]).contains("101"));
    let output = appliance.try_cli(&["status"], "");
    assert!(text(&output.stderr).contains("offhook check"), "{output:?}");
    // A password is made for a realm: that one must be sure.
    assert!(!appliance.try_cli(&["phone", "add", "102"], "").status.success());
}

#[test]
fn a_command_on_a_folder_that_is_not_there_makes_none() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("slip");
    for words in [&["calls", "list"][..], &["bans", "list"], &["phone", "list"], &["status"]] {
        let output = Command::new(program()).args(words).arg("--data").arg(&data).output();
        let output = output.expect("it runs");
        assert!(!output.status.success(), "{words:?}");
        assert!(text(&output.stderr).contains("slip"), "{words:?}: {output:?}");
        assert!(!data.exists(), "{words:?} made a folder");
    }
}

#[test]
fn a_file_that_cannot_be_checked_says_why_in_a_word() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("offhook.toml");
    for (path, expected) in [
        (folder.path(), "this is a folder"),
        (file.as_path(), "there is no such file"),
        (Path::new("/dev/zero"), "larger than 16 MiB"),
    ] {
        let output = check(path);
        assert!(!output.status.success(), "{}", path.display());
        let said = text(&output.stderr);
        assert!(said.starts_with(&format!("{}: ", path.display())), "{said}");
        assert!(said.contains(expected), "{said}");
    }
    std::fs::write(&file, "\u{feff}[server]\r\n\trealm = \"x\"\r\n").expect("file");
    assert!(check(&file).status.success(), "a mark and line ends of Windows are no mistakes");
}

#[test]
fn what_could_not_be_checked_is_said() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("offhook.toml");
    let group = "[server]\ndata_dir = \"data\"\n[[group]]\nname = \"g\"\nmembers = [\"101\"]\n";
    std::fs::write(&file, group).expect("file");
    // Before the first phone is made, all are to come.
    let output = check(&file);
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    std::fs::create_dir(folder.path().join("data")).expect("a folder");
    std::fs::write(folder.path().join("data/offhook.db"), "this is no database at all, but long")
        .expect("file");
    let said = text(&check(&file).stderr);
    assert!(said.contains("WARNING") && said.contains("offhook.db"), "{said}");
}

#[test]
fn a_reload_says_what_changed_and_what_waits_for_a_restart() {
    let net = Net::new();
    let account = "[[extension]]\nnumber = \"101\"\npassword = \"s3cret-pass\"\n";
    let appliance = office(net, account, &[]);
    append(&appliance, "[voicemail]\nmenu_number = \"*98\"\nmax_messages = 5\n");
    let config = std::fs::read_to_string(appliance.config_path()).expect("configuration");
    std::fs::write(
        appliance.config_path(),
        config.replacen("[server]", "[server]\nrealm = \"new\"", 1),
    )
    .expect("configuration");
    let said = appliance.cli(&["reload"]);
    for expected in [
        "[voicemail] max_messages changed\n",
        "[voicemail] menu_number changed (after a restart)",
        "[server] realm changed (after a restart)",
    ] {
        assert!(said.contains(expected), "{said}");
    }
    // The phones' passwords still go with the realm of the challenge.
    let _phone = Baresip::registered(&Setup::of(&appliance, 3, "101"));
    append(&appliance, "nonsense = 1\n");
    let refused = appliance.try_cli(&["reload"], "");
    assert!(!refused.status.success());
    assert!(text(&refused.stderr).contains("nonsense"), "{refused:?}");
}

#[test]
fn a_taken_metrics_port_is_told_and_calls_are_taken_all_the_same() {
    let net = Net::new();
    let _other = TcpListener::bind((net.appliance(), 9480)).expect("a port");
    let appliance = office(net, "", &["101"]);
    let status = appliance.cli(&["status"]);
    assert!(status.contains("PROBLEM: no metrics") && status.contains(":9480"), "{status}");
}

#[test]
fn what_the_appliance_writes_is_for_its_own_user() {
    let net = Net::new();
    let appliance = office(net, &line(net, "voicemail:101"), &["101"]);
    let call = Scenario::new("+15550100999", "+15550100100").invite("", SDP);
    let call = call.answered().ack().wait(4000).bye();
    Sipp::start(&call.xml(), (net.trunk(), 5060), appliance.sip(), &["-rtp_echo"]).finish();
    let mut folders = vec![appliance.data()];
    let mut seen = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
            let (path, meta) = (entry.path(), entry.metadata().expect("metadata"));
            let mode = meta.permissions().mode() & 0o777;
            match path.file_name().and_then(|n| n.to_str()) {
                // The operator's group may ask.
                Some("control.sock") => assert_eq!(mode, 0o660),
                Some("offhook.lock") => assert_eq!(mode & 0o037, 0, "{mode:o}"),
                _ => assert_eq!(mode & 0o077, 0, "{}: {mode:o}", path.display()),
            }
            if meta.is_dir() {
                folders.push(path);
            }
            seen += 1;
        }
    }
    assert!(seen >= 5, "{seen} files");
}

#[test]
fn a_second_appliance_on_the_same_port_says_what_to_do() {
    let net = Net::new();
    let first = office(net, "", &[]);
    let mut second = Appliance::prepare(net, "");
    let output = Command::new(program())
        .args(["serve", "--config"])
        .arg(second.config_path())
        // As good as not set: the journal is not silenced by it.
        .env("RUST_LOG", "")
        .output()
        .expect("it runs");
    assert!(!output.status.success());
    let said = text(&output.stderr);
    assert!(said.contains("5060") && said.contains("ss -lnp"), "{said}");
    assert!(said.contains("ERROR"), "{said}");
    drop(first);
    eventually("the port is free", || TcpListener::bind((net.appliance(), 5060)).ok());
    second.launch();
}
