//! Linphone, whose SIP stack, codecs and SRTP are its own: it shares no code with baresip.

use offhook_tests::appliance::Appliance;
use offhook_tests::baresip::{Baresip, Setup};
use offhook_tests::linphone::Linphone;
use offhook_tests::net::{Net, eventually};

use crate::pki::Authority;
use crate::{codecs_of, contacts, last_call, last_events, office};

const PHONES: [&str; 3] = ["101", "102", "103"];

/// Extension 101, with 440 Hz at its microphone.
fn linphone(appliance: &Appliance, more: &str) -> Linphone {
    Linphone::registered(&Setup { config: more, ..Setup::of(appliance, 3, "101") })
}

/// A baresip that takes every call, with a tone of its own.
fn answering(appliance: &Appliance, last: u8, user: &str, tone: u32) -> Baresip {
    let setup = Setup::of(appliance, last, user).tone(tone).account(";answermode=auto");
    Baresip::registered(&setup)
}

/// They call each other, both ways, and hear each other's tone each time.
fn call_each_other(linphone: &mut Linphone, baresip: &mut Baresip) {
    linphone.dial("102");
    linphone.expect("Media streams established");
    baresip.expect("CALL_ESTABLISHED");
    linphone.hears(1000.0, 1.5);
    baresip.hears(440.0, 1.5);
    linphone.command("terminate");
    linphone.expect("ended (No error)");
    baresip.expect("CALL_CLOSED");
    let (before, recordings) = (linphone.heard(1000.0), baresip.heard().len());
    baresip.dial("101");
    linphone.answers();
    baresip.expect("CALL_ESTABLISHED");
    linphone.hears(1000.0, before + 1.5);
    // One a call: the newest is this call's.
    eventually("it records", || (baresip.heard().len() > recordings).then_some(()));
    baresip.hears(440.0, 1.5);
    baresip.command("hangup", "");
    linphone.expect("ended (No error)");
    baresip.expect("CALL_CLOSED");
}

#[test]
fn a_linphone_and_a_baresip_call_each_other() {
    let appliance = office(Net::new(), "", &PHONES);
    let mut linphone = linphone(&appliance, "");
    assert_eq!(contacts(&appliance, "101"), 1);
    let mut baresip = answering(&appliance, 4, "102", 1000);
    call_each_other(&mut linphone, &mut baresip);
    linphone.command("quit");
    eventually("it unregisters", || (contacts(&appliance, "101") == 0).then_some(()));
    appliance.assert_nothing_left();
}

#[test]
fn a_linphone_speaks_opus_to_a_phone_that_knows_g711_only() {
    let config = "[media]\ncodecs = [\"opus\", \"PCMU\", \"PCMA\"]\n";
    let appliance = office(Net::new(), config, &PHONES);
    let mut linphone = linphone(&appliance, "");
    linphone.command("codec disable all");
    linphone.command("codec enable 0");
    linphone.expect("opus (48000) enabled");
    let mut baresip = answering(&appliance, 4, "102", 1000);
    call_each_other(&mut linphone, &mut baresip);
    let codecs = codecs_of(&appliance);
    assert!(codecs.contains(&"opus".into()) && codecs.contains(&"PCMU".into()), "{codecs:?}");
    appliance.assert_nothing_left();
}

#[test]
fn whom_a_linphone_holds_is_there_again_afterwards_and_its_keys_arrive() {
    let appliance = office(Net::new(), "", &PHONES);
    let mut linphone = linphone(&appliance, "");
    let mut baresip = answering(&appliance, 4, "102", 1000);
    linphone.dial("102");
    linphone.expect("Media streams established");
    baresip.hears(440.0, 1.0);
    linphone.command("pause");
    linphone.expect("is now paused");
    // The music is no tone of theirs.
    let before = baresip.heard_beside(440.0);
    let music = || baresip.heard_beside(440.0) - before;
    eventually("three seconds of music are heard", || (music() >= 3.0).then_some(()));
    let before = linphone.heard(1000.0);
    linphone.command("resume 1");
    linphone.expect("Media streams established");
    linphone.hears(1000.0, before + 2.0);
    linphone.command("5");
    assert_eq!(baresip.expect("CALL_DTMF_START")["param"], "5");
    baresip.command("sndcode", "7");
    linphone.expect("Receiving tone 7");
    linphone.command("terminate");
    baresip.expect("CALL_CLOSED");
    appliance.assert_nothing_left();
}

#[test]
fn a_linphone_puts_its_caller_through() {
    let appliance = office(Net::new(), "", &PHONES);
    let mut linphone = linphone(&appliance, "");
    let mut caller = Baresip::registered(&Setup::of(&appliance, 4, "102").tone(1000));
    let mut other = answering(&appliance, 5, "103", 700);
    caller.dial("101");
    linphone.answers();
    linphone.hears(1000.0, 0.5);
    linphone.command(&format!("transfer 1 sip:103@{}", appliance.sip()));
    other.expect("CALL_ESTABLISHED");
    linphone.expect("has been transfered");
    linphone.expect("ended (No error)");
    caller.hears(700.0, 1.5);
    other.hears(1000.0, 1.5);
    other.command("hangup", "");
    caller.expect("CALL_CLOSED");
    appliance.assert_nothing_left();
}

#[test]
fn a_linphone_asks_another_phone_and_then_puts_its_caller_through() {
    let appliance = office(Net::new(), "", &PHONES);
    let mut linphone = linphone(&appliance, "");
    let mut caller = Baresip::registered(&Setup::of(&appliance, 4, "102").tone(1000));
    let mut other = answering(&appliance, 5, "103", 700);
    caller.dial("101");
    linphone.answers();
    linphone.command("pause");
    linphone.expect("is now paused");
    linphone.dial("103");
    linphone.expect("Media streams established");
    linphone.hears(700.0, 1.0);
    linphone.command("transfer 1 --to-call 2");
    linphone.expect("has been transfered");
    caller.hears(700.0, 1.5);
    other.hears(1000.0, 1.5);
    assert!(!caller.saw("CALL_CLOSED") && !other.saw("CALL_CLOSED"));
    caller.command("hangup", "");
    other.expect("CALL_CLOSED");
    assert_eq!(last_call(&appliance)["transfers"][0]["status"], 200);
    appliance.assert_nothing_left();
}

/// An office that listens for TLS, and a Linphone behind it with more lines of its configuration.
fn behind_tls(scheme: &str, more: &str) -> (Appliance, Linphone) {
    let (net, folder) = (Net::new(), tempfile::tempdir().expect("a folder"));
    let ca = Authority::new(folder.path(), "ca");
    ca.issue(net.appliance());
    let appliance = office(net, &ca.listen(net.appliance()), &PHONES);
    let linphone = Linphone::registered(&Setup {
        server: format!("{}:5061", appliance.net.appliance()),
        transport: "tls",
        config: more,
        account: scheme,
        ..Setup::of(&appliance, 3, "101")
    });
    (appliance, linphone)
}

#[test]
fn a_linphone_with_a_sips_address_calls_and_is_given_one_to_come_back_to() {
    let (appliance, mut linphone) = behind_tls("sips", "");
    let mut baresip = answering(&appliance, 4, "102", 1000);
    let us = format!("{}:5061", appliance.net.appliance());
    linphone.command(&format!("call sips:102@{us}"));
    linphone.expect("Media streams established");
    baresip.hears(440.0, 1.0);
    // RFC 3261 §12.1.1.
    let contact = format!("Contact: <sips:{us}>");
    eventually("a SIPS URI is its peer's", || linphone.log().contains(&contact).then_some(()));
    linphone.command("pause");
    linphone.expect("is now paused");
    let before = linphone.heard(1000.0);
    linphone.command("resume 1");
    linphone.expect("Media streams established");
    linphone.hears(1000.0, before + 1.5);
    linphone.command("terminate");
    baresip.expect("CALL_CLOSED");
    appliance.assert_nothing_left();
}

/// Behind TLS, with audio that must be encrypted as `encryption` says.
fn speaks_encrypted(encryption: &str, profile: &str) {
    let more = format!("media_encryption={encryption}\nmedia_encryption_mandatory=1");
    let (appliance, mut linphone) = behind_tls("sip", &more);
    let mut baresip = answering(&appliance, 4, "102", 1000);
    call_each_other(&mut linphone, &mut baresip);
    let media = last_events(&appliance, "media");
    let is = |start| {
        media.iter().any(|e| e["protection"].as_str().is_some_and(|p| p.starts_with(start)))
    };
    assert!(is(profile) && is("RTP/AVP"), "{media:?}");
    appliance.assert_nothing_left();
}

#[test]
fn a_linphone_with_sdes_keys_and_a_plain_phone_hear_each_other() {
    speaks_encrypted("srtp", "RTP/SAVP");
}

#[test]
fn a_linphone_with_dtls_keys_and_a_plain_phone_hear_each_other() {
    speaks_encrypted("dtls", "UDP/TLS/RTP/SAVP");
}
