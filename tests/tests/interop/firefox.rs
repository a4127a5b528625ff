//! Pages in Firefox as telephones: another ICE, DTLS and WebSocket than Chromium's.

use std::net::{IpAddr, SocketAddr, UdpSocket};

use offhook_tests::baresip::{Baresip, Setup};
use offhook_tests::browser::{Browser, Library, Page, Program};
use offhook_tests::net::Net;
use offhook_tests::tone::assert_tone;
use serde_json::json;

use crate::pki::Authority;
use crate::{ended_call, last_events, office};

/// Firefox gathers no candidate on the loopback: audio goes over an address of the machine's, and
/// signalling over the test's own.
fn audio_port() -> SocketAddr {
    let any = UdpSocket::bind("0.0.0.0:0").expect("a socket");
    // Nothing is sent: this only asks which interface leads there.
    let routed = any.connect("192.0.2.1:9").and_then(|()| any.local_addr());
    let ip = routed.map_or(IpAddr::from([127, 0, 0, 1]), |address| address.ip());
    assert!(!ip.is_loopback(), "Firefox's audio needs a network interface beside the loopback");
    UdpSocket::bind((ip, 0)).and_then(|free| free.local_addr()).expect("a free port")
}

#[test]
fn a_page_in_firefox_calls_holds_sends_digits_and_is_called_and_comes_back_after_a_broken_connection()
 {
    let net = Net::new();
    let folder = tempfile::tempdir().expect("a folder");
    let ca = Authority::new(folder.path(), "ca");
    ca.issue(net.appliance());
    let config = format!(
        "[media]\ncodecs = [\"opus\", \"PCMU\"]\n[webrtc]\naddress = \"{audio}\"\n{wss}",
        audio = audio_port(),
        wss = ca.listen(net.appliance()).replace("\"tls\"", "\"wss\"").replace(":5061", ":5443"),
    );
    let appliance = office(net, &config, &["101", "102"]);
    let certificate = folder.path().join("server.pem");
    let program = Program::Firefox(&certificate);
    let page =
        Page { program, library: Library::JsSip, last: 9, user: "101", tone: 700, codec: None };
    let mut browser = Browser::registered(&appliance, &page);
    let desk = Setup::of(&appliance, 4, "102").tone(1000);
    let mut desk = Baresip::registered(&desk.account(";answermode=auto"));

    // We begin the handshake, with the desk phone's codec.
    browser.call("102");
    browser.expect("established");
    desk.expect("CALL_ESTABLISHED");
    browser.expect_tone(1000, 2.0);
    browser.command(json!({"do": "hold"}));
    browser.expect("hold");
    browser.expect_silence(1.0);
    browser.command(json!({"do": "unhold"}));
    browser.expect("unhold");
    browser.expect_tone(1000, 1.0);
    browser.command(json!({"do": "digit", "key": "5"}));
    assert_eq!(desk.expect("CALL_DTMF_START")["param"], "5");
    browser.command(json!({"do": "hangup"}));
    browser.expect("ended");
    desk.expect("CALL_CLOSED");
    appliance.assert_nothing_left();
    assert_tone(&desk.heard()[0], 700.0, 2.0);
    // Its DTLS says goodbye before its BYE is there: that is no failure.
    let call = ended_call(&appliance);
    assert!(call["failure"].is_null(), "{call}");
    let protected = last_events(&appliance, "media");
    assert!(protected.iter().any(|e| e["protection"] == "UDP/TLS/RTP/SAVPF"), "{protected:?}");

    // Firefox begins the handshake.
    desk.dial("101");
    assert_eq!(browser.expect("incoming")["from"], "102");
    browser.command(json!({"do": "answer"}));
    browser.expect("established");
    desk.expect("CALL_ESTABLISHED");
    browser.expect_tone(1000, 2.0);
    // Its connection breaks and it comes back over another one: the call goes on, and its end is told.
    browser.command(json!({"do": "cut"}));
    browser.expect("registered");
    browser.expect_tone(1000, 1.0);
    desk.command("hangup", "");
    browser.expect("ended");
    appliance.assert_nothing_left();
    assert_tone(&desk.heard()[1], 700.0, 2.0);
}
