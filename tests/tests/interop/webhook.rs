//! A web server of the operator's, in a process of its own and behind TLS, runs real calls. It
//! knows of us what docs/applications.md says.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use offhook_tests::appliance::Appliance;
use offhook_tests::baresip::{Baresip, Setup};
use offhook_tests::killed::Killed;
use offhook_tests::net::{Net, eventually};
use offhook_tests::scenario::{SDP, Scenario};
use offhook_tests::sipp::Sipp;
use offhook_tests::tone::{read_wav, seconds_of_sound};
use serde_json::{Value, json};

use crate::pki::Authority;
use crate::{ended_call, last_call, last_ladder, line, office, understand};

const SECRET: &str = "a secret of sixteen characters, or more";

/// The receiver. Dropping it kills it.
struct Receiver {
    _child: Killed,
    folder: PathBuf,
}

impl Receiver {
    fn start(net: Net, folder: &Path, secret: &str) -> Self {
        let ca = Authority::new(folder, "ca");
        ca.issue(net.ip(6));
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios/webhook.py");
        let mut child: Killed = Command::new("python3")
            .arg(script)
            .arg(secret)
            .args([folder.join("server.pem"), folder.join("server.key")])
            .arg(format!("{}:8443", net.ip(6)))
            .arg(folder.join("events"))
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3 is installed (make test does it)")
            .into();
        let mut ready = String::new();
        let output = child.stdout.take().expect("its output");
        BufReader::new(output).read_line(&mut ready).expect("a line");
        assert_eq!(ready, "ready\n");
        Self { _child: child, folder: folder.to_owned() }
    }

    /// `[[webhook]]` of a path of it.
    fn webhook(&self, net: Net, name: &str) -> String {
        format!(
            "[[webhook]]\nname = \"{name}\"\nurl = \"https://{}:8443/{name}?version=2\"\n\
             secret = \"{SECRET}\"\nca_file = {:?}\n",
            net.ip(6),
            self.folder.join("ca.pem")
        )
    }

    /// What it was told and answered: path, key, attempt, status, event.
    fn log(&self) -> Vec<[Value; 5]> {
        let log = std::fs::read_to_string(self.folder.join("events")).unwrap_or_default();
        log.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }
}

/// The desk, and a caller who is asked for his number.
fn asked(appliance: &Appliance) -> (Baresip, Baresip) {
    let desk = Setup { trace: true, ..Setup::of(appliance, 3, "101").tone(1000) };
    let desk = Baresip::registered(&desk.account(";answermode=auto"));
    let outside = Setup { ip: appliance.net.trunk(), ..Setup::of(appliance, 2, "+12065550123") };
    let mut caller = Baresip::start(&Setup { regint: 0, ..outside });
    caller.command("dial", &format!("sip:+15550100100@{}", appliance.sip()));
    caller.expect("CALL_ESTABLISHED");
    // The question.
    caller.hears_sound(0.3);
    caller.command("sndcode", "4711#");
    (desk, caller)
}

#[test]
fn a_web_server_asks_the_caller_for_digits_and_rings_a_desk_with_them() {
    let net = Net::new();
    let folder = tempfile::tempdir().expect("a folder");
    let receiver = Receiver::start(net, folder.path(), SECRET);
    let config = line(net, "webhook:slow") + &receiver.webhook(net, "slow");
    let appliance = office(net, &config, &["101"]);
    let (mut desk, mut caller) = asked(&appliance);
    // The first attempt with the digits is not answered in five seconds; the second one is.
    desk.expect("CALL_ESTABLISHED");
    assert!(desk.log().contains("X-Customer: 4711"), "{}", desk.log());
    understand(&appliance, [(&mut caller, 1000.0), (&mut desk, 440.0)], 2.0);
    let log = eventually("the late answer", || {
        let log = receiver.log();
        log.iter().any(|line| line[1] == log[1][1] && line[2] == 1 && line[3] == 200).then_some(log)
    });
    // Each event has a key, which a second attempt repeats.
    let call = last_call(&appliance)["id"].as_str().expect("an id").to_owned();
    let with = |n: u32| log.iter().filter(|l| l[1] == format!("{call}/{n}")).count();
    assert_eq!((with(1), with(2), with(3)), (1, 2, 1), "{log:?}");
    assert!(log.iter().all(|line| line[0] == "/slow?version=2" && line[3] == 200), "{log:?}");
}

#[test]
fn a_web_server_that_refuses_is_asked_once_more_and_then_the_call_ends() {
    let net = Net::new();
    let folder = tempfile::tempdir().expect("a folder");
    let receiver = Receiver::start(net, folder.path(), SECRET);
    let config = line(net, "webhook:throttled")
        + "[[number]]\nmatch = \"+15550100101\"\nto = \"webhook:forbidden\"\n"
        + &receiver.webhook(net, "throttled")
        + &receiver.webhook(net, "forbidden");
    let appliance = office(net, &config, &["101"]);
    let refused = Scenario::new("+12065550123", "+15550100101").invite("", SDP).refused(480);
    Sipp::start(&refused.xml(), (net.trunk(), 5070), appliance.sip(), &[]).finish();
    let (call, ladder) = (ended_call(&appliance), last_ladder(&appliance));
    assert_eq!(call["failure"], "application-failed", "{call}");
    assert!(ladder.contains("/forbidden answers 403 Forbidden"), "{ladder}");
    let log = receiver.log();
    let kinds: Vec<_> = log.iter().map(|l| (l[2].clone(), l[3].clone(), l[4].clone())).collect();
    let attempt = |n: u32| (json!(n), json!(403), json!("NEW_INBOUND_CALL"));
    assert_eq!(kinds[..2], [attempt(1), attempt(2)], "{log:?}");
    // One that was merely throttled runs the call.
    let (mut desk, mut caller) = asked(&appliance);
    desk.expect("CALL_ESTABLISHED");
    caller.command("hangup", "");
    desk.expect("CALL_CLOSED");
    appliance.assert_nothing_left();
    let throttled = receiver.log().iter().filter(|line| line[3] == 429).count();
    assert!(throttled >= 3, "{:?}", receiver.log());
}

#[test]
fn a_receiver_with_another_secret_believes_nothing() {
    let net = Net::new();
    let folder = tempfile::tempdir().expect("a folder");
    let receiver = Receiver::start(net, folder.path(), "another secret");
    let config = line(net, "webhook:calls") + &receiver.webhook(net, "calls");
    let appliance = office(net, &config, &["101"]);
    let refused = Scenario::new("+12065550123", "+15550100100").invite("", SDP).refused(480);
    Sipp::start(&refused.xml(), (net.trunk(), 5060), appliance.sip(), &[]).finish();
    ended_call(&appliance);
    assert!(last_ladder(&appliance).contains("401"), "{}", last_ladder(&appliance));
    assert!(!receiver.log().is_empty() && receiver.log().iter().all(|line| line[3] == 401));
    appliance.assert_nothing_left();
}

/// The server is gone in the middle of a call.
#[test]
fn when_the_web_server_is_gone_the_caller_hears_an_apology() {
    let net = Net::new();
    let folder = tempfile::tempdir().expect("a folder");
    let receiver = Receiver::start(net, folder.path(), SECRET);
    let config = line(net, "webhook:calls") + &receiver.webhook(net, "calls");
    let appliance = office(net, &config, &["101"]);
    let outside = Setup { ip: net.trunk(), ..Setup::of(&appliance, 2, "+12065550123") };
    let mut caller = Baresip::start(&Setup { regint: 0, ..outside });
    caller.command("dial", &format!("sip:+15550100100@{}", appliance.sip()));
    caller.expect("CALL_ESTABLISHED");
    caller.hears_sound(1.0);
    drop(receiver);
    std::thread::sleep(Duration::from_secs(2));
    caller.command("sndcode", "4711#");
    caller.expect_within("CALL_CLOSED", Duration::from_secs(30));
    let (heard, rate) = read_wav(&caller.heard()[0]);
    assert!(seconds_of_sound(&heard, rate) > 3.0, "the question and the apology");
    assert_eq!(ended_call(&appliance)["failure"], "application-failed");
    let ladder = last_ladder(&appliance);
    assert!(ladder.contains("refused"), "{ladder}");
    appliance.assert_nothing_left();
}
