//! TLS and SRTP.

use offhook_tests::appliance::Appliance;
use offhook_tests::baresip::{Baresip, Setup};
use offhook_tests::net::Net;
use offhook_tests::scenario::{SDP, Scenario};
use offhook_tests::sipp::Sipp;
use offhook_tests::tone::assert_tone;

use crate::pki::Authority;
use crate::{last_call, last_events, line, office, understand};

/// A phone behind TLS whose audio must be encrypted.
fn secure<'a>(appliance: &Appliance, last: u8, user: &'a str, trusted: &'a str) -> Setup<'a> {
    Setup {
        server: format!("{}:5061", appliance.net.appliance()),
        transport: "tls",
        account: ";mediaenc=srtp-mand;answermode=auto",
        config: trusted,
        ..Setup::of(appliance, last, user)
    }
}

/// An office that listens for TLS, and what its phones have to trust.
fn behind_tls() -> (Appliance, String, tempfile::TempDir) {
    let net = Net::new();
    let folder = tempfile::tempdir().expect("a folder");
    let ca = Authority::new(folder.path(), "ca");
    ca.issue(net.appliance());
    let appliance = office(net, &ca.listen(net.appliance()), &["101", "102"]);
    (appliance, ca.trusted(), folder)
}

fn protections(appliance: &Appliance) -> Vec<String> {
    let media = last_events(appliance, "media");
    media.iter().filter_map(|e| Some(e["protection"].as_str()?.to_owned())).collect()
}

#[test]
fn a_phone_behind_tls_is_called_over_its_own_connection_and_speaks_srtp_to_a_plain_one() {
    let (appliance, trusted, _folder) = behind_tls();
    let mut desk = Baresip::registered(&secure(&appliance, 3, "101", &trusted).tone(1000));
    let mut plain = Baresip::registered(&Setup::of(&appliance, 4, "102"));
    plain.dial("101");
    plain.expect("CALL_ESTABLISHED");
    desk.expect("CALL_ESTABLISHED");
    understand(&appliance, [(&mut plain, 1000.0), (&mut desk, 440.0)], 1.5);
    let protections = protections(&appliance);
    let has = |start: &str| protections.iter().any(|p| p.starts_with(start));
    assert!(has("RTP/SAVP") && has("RTP/AVP"), "{protections:?}");
    assert!(!appliance.log().contains("inline:"), "a key stands in the log");
}

#[test]
fn a_phone_behind_tls_calls_a_plain_one() {
    let (appliance, trusted, _folder) = behind_tls();
    let mut desk = Baresip::registered(&secure(&appliance, 3, "101", &trusted));
    let mut plain = Baresip::registered(
        &Setup::of(&appliance, 4, "102").tone(1000).account(";answermode=auto"),
    );
    desk.dial("102");
    desk.expect("CALL_ESTABLISHED");
    plain.expect("CALL_ESTABLISHED");
    understand(&appliance, [(&mut plain, 440.0), (&mut desk, 1000.0)], 1.5);
}

#[test]
fn a_renewed_certificate_is_shown_at_once_and_no_phone_is_dropped() {
    let net = Net::new();
    let folder = tempfile::tempdir().expect("a folder");
    let old = Authority::new(folder.path(), "old");
    old.issue(net.appliance());
    let appliance = office(net, &old.listen(net.appliance()), &["101", "102"]);
    let trusted = old.trusted();
    let mut desk = Baresip::registered(&secure(&appliance, 3, "101", &trusted));
    // From now on another authority vouches for the appliance.
    let new = Authority::new(folder.path(), "new");
    new.issue(net.appliance());
    appliance.signal("HUP");
    offhook_tests::net::eventually("reloaded", || {
        appliance.log().contains("configuration reloaded").then_some(())
    });
    let trusted = new.trusted();
    let mut caller = Baresip::registered(&secure(&appliance, 5, "102", &trusted));
    // The phone that came with the old one is rung over its connection.
    caller.dial("101");
    desk.expect("CALL_ESTABLISHED");
    caller.expect("CALL_ESTABLISHED");
    caller.command("hangup", "");
    desk.expect("CALL_CLOSED");
    appliance.assert_nothing_left();
}

#[test]
fn a_phone_behind_tls_that_speaks_plain_audio_is_called_so() {
    let (appliance, trusted, _folder) = behind_tls();
    let desk = secure(&appliance, 3, "101", &trusted).account(";answermode=auto");
    let mut desk = Baresip::registered(&desk);
    let mut plain = Baresip::registered(&Setup::of(&appliance, 4, "102"));
    plain.dial("101");
    plain.expect("CALL_ESTABLISHED");
    desk.expect("CALL_ESTABLISHED");
    plain.command("hangup", "");
    desk.expect("CALL_CLOSED");
    appliance.assert_nothing_left();
    let protections = protections(&appliance);
    assert!(protections.iter().all(|p| p.starts_with("RTP/AVP")), "{protections:?}");
}

#[test]
fn a_phone_over_udp_that_insists_on_encryption_is_called_so() {
    let appliance = office(Net::new(), "", &["101", "102"]);
    let secure = ";mediaenc=srtp-mand;answermode=auto";
    let mut desk = Baresip::registered(&Setup::of(&appliance, 3, "101").account(secure));
    let mut plain = Baresip::registered(&Setup::of(&appliance, 4, "102"));
    plain.dial("101");
    plain.expect("CALL_ESTABLISHED");
    desk.expect("CALL_ESTABLISHED");
    plain.command("hangup", "");
    desk.expect("CALL_CLOSED");
    appliance.assert_nothing_left();
    assert!(protections(&appliance).iter().any(|p| p.starts_with("RTP/SAVP")));
}

#[test]
fn a_plain_phone_is_refused_where_encryption_is_required() {
    let net = Net::new();
    let config = line(net, "extension:101")
        + "[media]\nsrtp_phones = \"required\"\n[[extension]]\nnumber = \"101\"\nvoicemail = false\n";
    let appliance = office(net, &config, &["101", "102"]);
    let mut plain = Baresip::registered(&Setup::of(&appliance, 4, "102"));
    plain.dial("101");
    let closed = plain.expect("CALL_CLOSED");
    assert!(closed["param"].as_str().unwrap_or("").starts_with("488"), "{closed}");
    appliance.assert_nothing_left();
}

/// sipp -> an appliance that plays the Voice Connector's part towards us (TLS, SDES) -> ours ->
/// a phone behind TLS with SRTP.
#[test]
fn a_connect_call_over_tls_with_sdes_shows_the_callers_own_number() {
    let (far_net, net) = (Net::new(), Net::new());
    let folder = tempfile::tempdir().expect("a folder");
    let ca = Authority::new(folder.path(), "ca");
    ca.issue(net.appliance());
    let connector = format!(
        "{listen}[[trunk]]\nname = \"connect\"\ntype = \"voice_connector\"\n\
         host = \"abcdefghij1234567890ab.voiceconnector.chime.aws\"\nregion = \"us-east-1\"\n\
         transport = \"tls\"\ncaller_id = \"+15550100100\"\noptions_seconds = 0\n\
         peers = [\"{far}/32\", \"127.0.0.1/32\"]\n\
         [[number]]\nmatch = \"+15550100100\"\nto = \"extension:101\"\n",
        listen = ca.listen(net.appliance()),
        far = far_net.appliance()
    );
    let ours = office(net, &connector, &["101"]);
    let far = format!(
        "{feeder}[sip]\nca_files = [\"{ca}\"]\n\
         [[trunk]]\nname = \"office\"\ntype = \"generic\"\nhost = \"{to}:5061\"\n\
         transport = \"tls\"\nsrtp = \"required\"\ncaller_id = \"+15550100999\"\n\
         options_seconds = 0\n",
        feeder = line(far_net, "trunk:office"),
        ca = ca.certificate().display(),
        to = net.appliance()
    );
    let far = office(far_net, &far, &[]);
    let trusted = ca.trusted();
    let desk = secure(&ours, 3, "101", &trusted).tone(1000).account(";mediaenc=srtp-mand");
    let mut desk = Baresip::registered(&desk);
    let customer = Scenario::new("+12065550123", "+15550100100").invite("", SDP);
    let customer = customer.answered().ack().wait(8000).bye();
    let caller = Sipp::start(&customer.xml(), (far_net.trunk(), 5060), far.sip(), &["-rtp_echo"]);
    let ringing = desk.expect("CALL_INCOMING");
    let shown = ringing["peeruri"].as_str().unwrap_or("");
    assert!(shown.contains("+12065550123"), "the phone shows {ringing}");
    desk.command("accept", "");
    desk.expect("CALL_ESTABLISHED");
    desk.expect("CALL_CLOSED");
    caller.finish();
    ours.assert_nothing_left();
    far.assert_nothing_left();
    assert_tone(&desk.heard()[0], 1000.0, 2.0);
    let call = last_call(&ours);
    assert_eq!(call["original_caller"], "+12065550123");
    assert_eq!(call["from"], "+15550100999");
    let protections = protections(&ours);
    assert!(protections.iter().all(|p| p.starts_with("RTP/SAVP")), "{protections:?}");
}
