//! REGISTER with several contacts, with none, and with `*` (RFC 3261 §10.2); a storm of them, killed.

use offhook_tests::appliance::Appliance;
use offhook_tests::baresip::PASSWORD;
use offhook_tests::net::{Net, eventually};
use offhook_tests::scenario::Scenario;
use offhook_tests::sipp::{Sipp, header};

use crate::{contacts, office};

/// The Contacts of the 200 to a REGISTER with these header lines.
fn register(appliance: &Appliance, lines: &str) -> Vec<String> {
    let text = Scenario::new("101", "101").register(PASSWORD).xml();
    // The scenario's own Contact makes room for ours.
    let own = "Contact: <sip:101@[local_ip]:[local_port];transport=[transport]>\n";
    let text = text.replace(own, "").replace("Expires: 300\n", &format!("{lines}\n"));
    let messages = Sipp::start(&text, (appliance.net.ip(4), 5060), appliance.sip(), &[]).received();
    let ok = messages.iter().find(|m| m.starts_with("SIP/2.0 200")).expect("a 200");
    let fields = ok.lines().filter_map(|l| l.strip_prefix("Contact:"));
    fields.flat_map(|f| f.split(',')).map(|c| c.trim().to_owned()).collect()
}

#[test]
fn several_contacts_come_in_one_request_and_one_of_them_goes() {
    let appliance = office(Net::new(), "", &["101"]);
    let (one, two) = ("<sip:101@192.0.2.1>", "<sip:101@192.0.2.2;transport=tcp>;expires=120");
    let kept = register(&appliance, &format!("Contact: {one}, {two}\nExpires: 300"));
    assert_eq!(kept.len(), 2, "{kept:?}");
    let expires = |who: &str| {
        let contact = kept.iter().find(|c| c.contains(who)).expect("it is kept");
        contact.rsplit("expires=").next().and_then(|e| e.parse::<u32>().ok()).unwrap_or(0)
    };
    // Each its own time, the header's for those that name none (RFC 3261 §10.2.1.1).
    assert!((290..=300).contains(&expires("192.0.2.1")), "{kept:?}");
    assert!((110..=120).contains(&expires("192.0.2.2")), "{kept:?}");
    let left = register(&appliance, &format!("Contact: {one};expires=0"));
    assert_eq!(left.len(), 1, "{left:?}");
    assert!(left[0].contains("192.0.2.2"), "{left:?}");
}

#[test]
fn a_star_takes_all_contacts_away_and_a_question_changes_nothing() {
    let appliance = office(Net::new(), "", &["101"]);
    register(
        &appliance,
        "Contact: <sip:101@192.0.2.1>\nContact: <sip:101@192.0.2.2>\nExpires: 300",
    );
    // Without a Contact it is a question (RFC 3261 §10.2.3).
    assert_eq!(register(&appliance, "Subject: who is there").len(), 2);
    assert_eq!(contacts(&appliance, "101"), 2);
    assert_eq!(register(&appliance, "Contact: *\nExpires: 0").len(), 0);
    assert_eq!(contacts(&appliance, "101"), 0);
}

#[test]
fn what_was_answered_in_a_storm_of_registrations_is_there_after_kill_9() {
    const PHONES: usize = 300;
    let net = Net::new();
    let accounts: String = (0..PHONES)
        .map(|n| format!("[[extension]]\nnumber = \"u{n}\"\npassword = \"{PASSWORD}\"\n"))
        .collect();
    let mut appliance = office(net, &accounts, &[]);
    let text = Scenario::new("[field0]", "[field0]").register(PASSWORD).xml();
    // sipp knows a user of its list only where the whole answer comes from the list.
    let text = text
        .replace(&format!("[authentication username=[field0] password={PASSWORD}]"), "[field1]");
    let users: String = (0..PHONES)
        .map(|n| format!("u{n};[authentication username=u{n} password={PASSWORD}]\n"))
        .collect();
    let list = appliance.folder().join("users.csv");
    std::fs::write(&list, format!("SEQUENTIAL\n{users}")).expect("file");
    let list = list.display().to_string();
    let options = ["-m", "300", "-r", "200", "-inf", &list];
    let storm = Sipp::start(&text, (net.ip(4), 5060), appliance.sip(), &options);
    let answered = |log: &str| {
        let messages = offhook_tests::sipp::received(log);
        let ok = messages.iter().filter(|m| m.starts_with("SIP/2.0 200"));
        ok.filter_map(|m| Some(header(m, "To")?.split(['<', '>', ';']).nth(1)?.to_owned()))
            .collect::<Vec<_>>()
    };
    eventually("a hundred are registered", || {
        (answered(&storm.messages()).len() >= 100).then_some(())
    });
    appliance.kill();
    let answered = answered(&storm.messages());
    drop(storm);
    appliance.launch();
    let phones = appliance.json(&["phone", "list"]);
    let registered: Vec<&str> = phones
        .as_array()
        .expect("a list")
        .iter()
        .filter(|p| p["contacts"].as_array().is_some_and(|c| !c.is_empty()))
        .filter_map(|p| p["number"].as_str())
        .collect();
    for uri in &answered {
        let user = uri.trim_start_matches("sip:").split('@').next().unwrap_or("");
        assert!(registered.contains(&user), "{user} was told 200 and is not there");
    }
    assert!(registered.len() <= PHONES);
}
