//! The command line.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Command, Stdio};

use offhook_tests::appliance::{Appliance, program};
use offhook_tests::killed::Killed;
use offhook_tests::net::{Net, eventually};

#[test]
fn check_prints_every_problem_with_its_place_and_fails() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("offhook.toml");
    let text = "[server]\nrealm = 7\n\n[media]\ncodecs = [\"G729\"]\nprots = \"1-2\"\n\n\
                [[trunk]]\nname = \"t\"\ntype = \"generic\"\nhost = \"sip:x\"\n\n\
                [[number]]\nmatch = \"+1555\"\nto = \"extnsion:101\"\n";
    std::fs::write(&file, text).expect("file");
    let output = Command::new(program()).arg("check").arg(&file).output().expect("it runs");
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    for place in [":2:", ":5:", ":6:", ":11:", ":15:"] {
        let whole = format!("{}{place}", file.display());
        assert!(said.contains(&whole), "nothing at {place}:\n{said}");
    }
    assert!(said.contains("ports"), "no suggestion for prots:\n{said}");
    // A good one passes.
    std::fs::write(&file, "[server]\nrealm = \"office\"\n").expect("file");
    let output = Command::new(program()).arg("check").arg(&file).output().expect("it runs");
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn a_daemon_with_a_bad_configuration_does_not_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("offhook.toml");
    std::fs::write(&file, "[server]\nrealm = 7\n").expect("file");
    let output = Command::new(program()).args(["serve", "--config"]).arg(&file).output();
    let output = output.expect("it runs");
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains(":2:"), "{output:?}");
}

#[test]
fn the_demonstration_really_happens() {
    let output = Command::new(program()).arg("demo").output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("INVITE") && said.contains("+1"), "{said}");
}

/// A log file on a full disk, or a reader of the journal that is gone.
#[test]
fn a_journal_that_takes_nothing_ends_no_appliance() {
    let appliance = Appliance::prepare(Net::new(), "");
    let full = || std::fs::File::options().write(true).open("/dev/full").expect("/dev/full");
    let mut child: Killed = Command::new(program())
        .args(["serve", "--config"])
        .arg(appliance.config_path())
        .env("RUST_LOG", "debug")
        .stdin(Stdio::null())
        .stdout(full())
        .stderr(full())
        .spawn()
        .expect("it starts")
        .into();
    let healthy = eventually("it is well", || {
        if child.try_wait().expect("its state").is_some() {
            return Some(false);
        }
        let mut web = TcpStream::connect((appliance.net.appliance(), 9480)).ok()?;
        web.write_all(b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").ok()?;
        let mut answer = String::new();
        web.read_to_string(&mut answer).ok()?;
        answer.starts_with("HTTP/1.1 200").then_some(true)
    });
    let _ = child.kill();
    let ended = child.wait().expect("its end");
    assert!(healthy, "it ended by itself: {ended}");
}

#[test]
fn check_reads_the_file_that_the_environment_names_when_none_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("a file");
        path
    };
    let (good, bad) = (file("good.toml", ""), file("bad.toml", "[server]\nrealm = 7\n"));
    let check = |named: &[&std::path::PathBuf]| {
        let mut command = Command::new(program());
        command.arg("check").args(named).env("OFFHOOK_CONFIG", &bad);
        command.output().expect("it runs")
    };
    let told = check(&[]);
    assert!(!told.status.success());
    assert!(String::from_utf8_lossy(&told.stderr).contains("bad.toml:2:"), "{told:?}");
    assert!(check(&[&good]).status.success());
}

/// A container's description cannot always take a variable away.
#[test]
fn a_variable_that_is_empty_counts_as_not_set() {
    let folder = tempfile::tempdir().expect("a folder");
    let good = folder.path().join("good.toml");
    std::fs::write(&good, "").expect("a file");
    let says = |args: &[&str], good: &std::path::Path| {
        let mut command = Command::new(program());
        command.args(args).arg(good).env("OFFHOOK_CONFIG", "").env("OFFHOOK_DATA", "");
        command.output().expect("it runs")
    };
    let told = says(&["check"], &good);
    assert!(told.status.success(), "{told:?}");
    let data = folder.path().join("data");
    for args in [&["phone", "list", "--data"][..], &["flow", "list", "--data"]] {
        let with = says(args, &data);
        let mut command = Command::new(program());
        let without = command.args(args).arg(&data).env_remove("OFFHOOK_CONFIG");
        let without = without.env_remove("OFFHOOK_DATA").output().expect("it runs");
        assert_eq!((with.status, &with.stderr), (without.status, &without.stderr), "{args:?}");
    }
    // Nothing named at all: as where neither is set.
    let mut command = Command::new(program());
    let alone = command.arg("check").env("OFFHOOK_CONFIG", "").output().expect("it runs");
    let words = String::from_utf8_lossy(&alone.stderr).into_owned();
    assert!(!words.contains("a value is required"), "{words}");
}

#[test]
fn a_phone_that_is_added_again_is_told_to_have_been_there() {
    let appliance = Appliance::prepare(Net::new(), "");
    let add = || appliance.try_cli(&["phone", "add", "101"], "");
    let words = "101 was there already: this is its password from now on.";
    let first = add();
    assert!(first.status.success(), "{first:?}");
    assert!(!String::from_utf8_lossy(&first.stderr).contains(words), "{first:?}");
    let second = add();
    assert!(second.status.success(), "{second:?}");
    assert!(String::from_utf8_lossy(&second.stderr).contains(words), "{second:?}");
    assert_ne!(first.stdout, second.stdout, "the password is another one");
}
