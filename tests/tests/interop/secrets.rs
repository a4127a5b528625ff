//! What must not be left behind: keys and password of a phone behind TLS with SRTP, and the PIN that
//! a caller gives to a workflow.

use offhook_tests::appliance::Appliance;
use offhook_tests::baresip::{Baresip, PASSWORD, Setup};
use offhook_tests::net::{Net, eventually};

use crate::line;
use crate::pki::Authority;

#[test]
fn a_secure_phone_s_keys_and_password_stand_in_no_journal_record_or_file() {
    let net = Net::new();
    let folder = tempfile::tempdir().expect("a folder");
    let ca = Authority::new(folder.path(), "ca");
    ca.issue(net.appliance());
    let mut appliance = Appliance::prepare(net, &ca.listen(net.appliance()));
    appliance.add_phone("101", PASSWORD);
    appliance.add_phone("102", PASSWORD);
    appliance.launch_with(&[("RUST_LOG", "trace")]);
    let trusted = ca.trusted();
    let mut desk = Baresip::registered(&Setup {
        server: format!("{}:5061", net.appliance()),
        transport: "tls",
        account: ";mediaenc=srtp-mand;answermode=auto",
        config: &trusted,
        ..Setup::of(&appliance, 3, "101")
    });
    let mut plain = Baresip::registered(&Setup::of(&appliance, 4, "102"));
    plain.dial("101");
    plain.expect("CALL_ESTABLISHED");
    desk.expect("CALL_ESTABLISHED");
    plain.command("hangup", "");
    desk.expect("CALL_CLOSED");
    appliance.assert_nothing_left();
    let call = appliance.json(&["calls", "list"])[0].clone();
    let id = call["id"].as_str().expect("an id");
    let shown =
        appliance.cli(&["calls", "show", id]) + &appliance.cli(&["calls", "show", id, "--json"]);
    assert!(shown.contains("RTP/SAVP"), "{shown}");
    assert_nowhere(&appliance, shown, &["inline:", PASSWORD, "auth_pass"]);
}

/// These stand neither in the journal, nor in what is shown, nor in any file of the appliance.
fn assert_nowhere(appliance: &Appliance, shown: String, secrets: &[&str]) {
    let mut places =
        vec![("the journal".to_owned(), appliance.log()), ("the record".into(), shown)];
    for entry in std::fs::read_dir(appliance.data()).expect("a folder").flatten() {
        let bytes = std::fs::read(entry.path()).unwrap_or_default();
        places.push((entry.path().display().to_string(), String::from_utf8_lossy(&bytes).into()));
    }
    assert!(places.len() >= 4, "database, its log and others");
    for (place, text) in places {
        for secret in secrets {
            assert!(!text.contains(secret), "{secret} stands in {place}");
        }
    }
}

#[test]
fn the_pin_that_opens_the_owner_s_menu_stands_nowhere() {
    const PIN: &str = "80415277";
    const OWNER: &str = "+15557654321";
    let net = Net::new();
    let business = format!(
        "[business]\nname = \"Flowers\"\nnumber = \"+15550100100\"\nowner = \"{OWNER}\"\n\
         pin_of = \"101\"\n"
    );
    let config = line(net, "flow:business-number") + &business;
    let mut appliance = Appliance::prepare(net, &config);
    appliance.add_phone("101", PASSWORD);
    let set = appliance.try_cli(&["phone", "pin", "101"], &format!("{PIN}\n"));
    assert!(set.status.success(), "{}", String::from_utf8_lossy(&set.stderr));
    appliance.launch_with(&[("RUST_LOG", "trace")]);
    let owner = Setup { ip: net.trunk(), ..Setup::of(&appliance, 2, OWNER) };
    let mut owner = Baresip::start(&Setup { regint: 0, ..owner });
    owner.command("dial", &format!("sip:+15550100100@{}", appliance.sip()));
    owner.expect("CALL_ESTABLISHED");
    let reached = |state: &str| {
        eventually(state, || {
            let shown = appliance.try_cli(&["flow", "show", "--json"], "").stdout;
            String::from_utf8_lossy(&shown).contains(&format!("\"name\":\"{state}\"")).then_some(())
        });
    };
    reached("Ask for the PIN");
    owner.command("sndcode", &format!("{PIN}#"));
    reached("Owner menu");
    // While the execution runs, what it goes on from is kept as well.
    let history = appliance.cli(&["flow", "show", "--json", "--digits"]);
    assert!(history.contains("ReceivedDigits") && history.contains("****"), "{history}");
    assert_nowhere(&appliance, history, &[PIN]);
    owner.command("sndcode", "9");
    owner.expect("CALL_CLOSED");
    appliance.assert_nothing_left();
    let call = appliance.json(&["calls", "list"])[0].clone();
    let id = call["id"].as_str().expect("an id");
    let shown = appliance.cli(&["calls", "show", id, "--json"])
        + &appliance.cli(&["flow", "show"])
        + &appliance.cli(&["flow", "show", "--json", "--digits"]);
    assert!(shown.contains("Owner menu"), "{shown}");
    assert_nowhere(&appliance, shown, &[PIN]);
    // The choice in the menu is no secret, and shown to who asks for it.
    let digits = |more: &[&str]| {
        let history = appliance.cli(&[&["flow", "show", "--json"], more].concat());
        history.replace('\\', "").contains("\"ReceivedDigits\":\"9\"")
    };
    assert!(!digits(&[]) && digits(&["--digits"]));
}
