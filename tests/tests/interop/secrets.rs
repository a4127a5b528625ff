//! What a phone behind TLS with SRTP must not leave behind: its keys and its password.

use offhook_tests::appliance::Appliance;
use offhook_tests::baresip::{Baresip, PASSWORD, Setup};
use offhook_tests::net::Net;

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
    let mut places =
        vec![("the journal".to_owned(), appliance.log()), ("the record".into(), shown)];
    for entry in std::fs::read_dir(appliance.data()).expect("a folder").flatten() {
        let bytes = std::fs::read(entry.path()).unwrap_or_default();
        places.push((entry.path().display().to_string(), String::from_utf8_lossy(&bytes).into()));
    }
    assert!(places.len() >= 4, "database, its log and others");
    for (place, text) in places {
        for secret in ["inline:", PASSWORD, "auth_pass"] {
            assert!(!text.contains(secret), "{secret} stands in {place}");
        }
    }
}
