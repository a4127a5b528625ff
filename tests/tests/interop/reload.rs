//! SIGHUP.

use std::process::Command;

use offhook_tests::appliance::Appliance;
use offhook_tests::baresip::{Baresip, Setup};
use offhook_tests::net::{Net, eventually};
use offhook_tests::scenario::{SDP, Scenario};
use offhook_tests::sipp::Sipp;

use crate::{last_call, line, office};

fn rewrite(appliance: &Appliance, from: &str, to: &str) {
    let text = std::fs::read_to_string(appliance.config_path()).expect("configuration");
    std::fs::write(appliance.config_path(), text.replace(from, to)).expect("configuration");
}

fn call(millis: u32) -> Scenario {
    let call = Scenario::new("+15550100999", "+15550100100").invite("", SDP);
    call.answered().ack().wait(millis).bye()
}

#[test]
fn new_calls_go_by_the_new_configuration_and_live_ones_go_on() {
    let net = Net::new();
    let appliance = office(net, &line(net, "extension:101"), &["101", "102"]);
    let auto = ";answermode=auto";
    let mut one = Baresip::registered(&Setup::of(&appliance, 3, "101").account(auto));
    let mut two = Baresip::registered(&Setup::of(&appliance, 4, "102").account(auto));
    let live = Sipp::start(&call(5000).xml(), (net.trunk(), 5060), appliance.sip(), &["-rtp_echo"]);
    one.expect("CALL_ESTABLISHED");
    rewrite(&appliance, "extension:101", "extension:102");
    appliance.signal("HUP");
    eventually("it is reloaded", || {
        appliance.log().contains("configuration reloaded").then_some(())
    });
    let new = Sipp::start(&call(300).xml(), (net.trunk(), 5070), appliance.sip(), &[]);
    two.expect("CALL_ESTABLISHED");
    two.expect("CALL_CLOSED");
    new.finish();
    assert_eq!(last_call(&appliance)["destination"], "extension:102");
    assert!(!one.saw("CALL_CLOSED"), "the reload ended a call");
    live.finish();
    one.expect("CALL_CLOSED");
    appliance.assert_nothing_left();
}

#[test]
fn a_configuration_with_a_mistake_is_refused_whole_and_the_old_one_holds() {
    let net = Net::new();
    let appliance = office(net, &line(net, "extension:101"), &["101"]);
    let auto = Setup::of(&appliance, 3, "101").account(";answermode=auto");
    let mut desk = Baresip::registered(&auto);
    rewrite(&appliance, "extension:101", "extension:102\"\nnonsense = \"");
    appliance.signal("HUP");
    eventually("the mistake is told", || appliance.log().contains("nonsense").then_some(()));
    Sipp::start(&call(300).xml(), (net.trunk(), 5060), appliance.sip(), &[]).finish();
    desk.expect("CALL_ESTABLISHED");
    desk.expect("CALL_CLOSED");
    // The command line reads the same file.
    rewrite(&appliance, "extension:102\"\nnonsense = \"", "extension:101");
    appliance.assert_nothing_left();
}

/// A reload looks into the database for the phones that the configuration names. Afterwards whoever
/// looks at it from another process must not take its write-ahead log for left over.
#[test]
fn a_look_at_the_database_after_a_reload_leaves_it_whole() {
    let net = Net::new();
    let appliance = office(net, &line(net, "extension:101"), &["101", "102"]);
    rewrite(&appliance, "extension:101", "extension:102");
    appliance.signal("HUP");
    eventually("it is reloaded", || {
        appliance.log().contains("configuration reloaded").then_some(())
    });
    appliance.cli(&["flow", "list"]);
    let look = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); \
                c.execute('select count(*) from calls').fetchall(); c.close()";
    let looked = Command::new("python3")
        .args(["-c", look])
        .arg(appliance.data().join("offhook.db"))
        .status()
        .expect("python3 is installed (make test does it)");
    assert!(looked.success());
    let files = std::fs::read_dir(format!("/proc/{}/fd", appliance.pid())).expect("its files");
    let gone: Vec<_> = files
        .filter_map(|file| std::fs::read_link(file.ok()?.path()).ok())
        .map(|target| target.display().to_string())
        .filter(|target| target.contains("offhook.db") && target.ends_with("(deleted)"))
        .collect();
    assert!(gone.is_empty(), "deleted under the daemon: {gone:?}");
    appliance.assert_nothing_left();
}
