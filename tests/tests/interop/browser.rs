//! Pages in Chromium and Firefox with JsSIP and SIP.js as telephones (RFC 7118, WebRTC).

use offhook_tests::appliance::Appliance;
use offhook_tests::baresip::{Baresip, Setup};
use offhook_tests::browser::{Browser, Library, Page, Program};
use offhook_tests::net::{Net, eventually};
use offhook_tests::tone::assert_tone;
use serde_json::json;
use tempfile::TempDir;

use crate::pki::Authority;
use crate::{last_call, last_events, office};

/// An office where extension 101 is a page in a browser, 102 a desk phone, and 103 to be had.
struct Scene {
    appliance: Appliance,
    browser: Browser,
    desk: Baresip,
    certificates: TempDir,
}

fn page(library: Library) -> Page<'static> {
    let program = Program::Chromium;
    Page { program, library, last: 9, user: "101", tone: 700, codec: None, camera_first: None }
}

fn firefox(library: Library) -> Page<'static> {
    Page { program: Program::Firefox, ..page(library) }
}

fn scene(page: &Page<'_>, more: &str, answers: &str) -> Scene {
    let net = Net::new();
    let folder = tempfile::tempdir().expect("a folder");
    let ca = Authority::new(folder.path(), "ca");
    ca.issue(net.appliance());
    let config = format!("{more}{}", ca.webrtc(net.appliance()));
    let appliance = office(net, &config, &["101", "102", "103"]);
    let browser = Browser::registered(&appliance, &folder.path().join("server.pem"), page);
    let desk = Setup::of(&appliance, 4, "102").tone(1000);
    let desk = Baresip::registered(&desk.account(answers));
    Scene { appliance, browser, desk, certificates: folder }
}

impl Scene {
    /// How the legs of the last call were protected.
    fn protections(&self) -> Vec<String> {
        let media = last_events(&self.appliance, "media");
        media.iter().filter_map(|e| Some(e["protection"].as_str()?.to_owned())).collect()
    }
}

/// The page holds the desk phone and lets it go on.
fn page_holds(browser: &mut Browser) {
    browser.command(json!({"do": "hold"}));
    browser.expect("hold");
    browser.expect_silence(1.0);
    browser.command(json!({"do": "unhold"}));
    browser.expect("unhold");
    browser.expect_tone(1000, 1.0);
}

/// The desk phone holds the page and lets it go on.
fn desk_holds(desk: &mut Baresip, browser: &mut Browser) {
    desk.command("hold", "");
    browser.expect_silence(0.5);
    desk.command("resume", "");
    browser.expect_tone(1000, 1.0);
}

/// The page calls the desk phone, holds it, sends a key, and hangs up.
fn page_calls(page: &Page<'_>) {
    let mut scene = scene(page, "", ";answermode=auto");
    let Scene { browser, desk, .. } = &mut scene;
    browser.call("102");
    browser.expect("established");
    desk.expect("CALL_ESTABLISHED");
    browser.expect_tone(1000, 2.0);
    page_holds(browser);
    browser.command(json!({"do": "digit", "key": "5"}));
    assert_eq!(desk.expect("CALL_DTMF_START")["param"], "5");
    browser.command(json!({"do": "hangup"}));
    browser.expect("ended");
    desk.expect("CALL_CLOSED");
    scene.appliance.assert_nothing_left();
    assert_tone(&scene.desk.heard()[0], 700.0, 2.0);
    let protections = scene.protections();
    assert!(protections.iter().any(|p| p == "UDP/TLS/RTP/SAVPF"), "{protections:?}");
    assert!(protections.iter().any(|p| p == "RTP/AVP"), "{protections:?}");
}

#[test]
fn a_page_with_jssip_calls_a_desk_phone_holds_it_and_hangs_up() {
    page_calls(&page(Library::JsSip));
}

#[test]
fn a_page_in_firefox_calls_a_desk_phone_holds_it_and_hangs_up() {
    page_calls(&firefox(Library::JsSip));
}

/// The desk phone calls the page with JsSIP, holds it, and hangs up.
fn desk_calls(page: &Page<'_>) {
    let mut scene = scene(page, "", "");
    let Scene { browser, desk, .. } = &mut scene;
    desk.dial("101");
    assert_eq!(browser.expect("incoming")["from"], "102");
    browser.command(json!({"do": "answer"}));
    browser.expect("established");
    desk.expect("CALL_ESTABLISHED");
    browser.expect_tone(1000, 2.0);
    desk_holds(desk, browser);
    desk.command("hangup", "");
    browser.expect("ended");
    scene.appliance.assert_nothing_left();
    assert_tone(&scene.desk.heard()[0], 700.0, 2.0);
}

#[test]
fn a_desk_phone_calls_a_page_with_jssip_and_hangs_up() {
    desk_calls(&page(Library::JsSip));
}

#[test]
fn a_desk_phone_calls_a_page_in_firefox_and_hangs_up() {
    desk_calls(&firefox(Library::JsSip));
}

/// The page with SIP.js calls the desk phone and holds it, which hangs up.
fn page_is_hung_up_on(page: &Page<'_>) {
    let mut scene = scene(page, "", ";answermode=auto");
    let Scene { browser, desk, .. } = &mut scene;
    browser.call("102");
    browser.expect("established");
    desk.expect("CALL_ESTABLISHED");
    browser.expect_tone(1000, 2.0);
    page_holds(browser);
    desk.command("hangup", "");
    browser.expect("ended");
    scene.appliance.assert_nothing_left();
    assert_tone(&scene.desk.heard()[0], 700.0, 2.0);
}

#[test]
fn a_page_with_sip_js_calls_holds_and_is_hung_up_on() {
    page_is_hung_up_on(&page(Library::SipJs));
}

#[test]
fn a_page_with_sip_js_in_firefox_calls_holds_and_is_hung_up_on() {
    page_is_hung_up_on(&firefox(Library::SipJs));
}

/// The desk phone with G.711 calls a page that has Opus only.
fn talks_opus(page: &Page<'_>) {
    let codecs = "[media]\ncodecs = [\"PCMU\", \"opus\"]\n";
    let opus = Page { codec: Some("audio/opus"), ..*page };
    let mut scene = scene(&opus, codecs, "");
    let Scene { browser, desk, .. } = &mut scene;
    desk.dial("101");
    browser.expect("incoming");
    browser.command(json!({"do": "answer"}));
    browser.expect("established");
    desk.expect("CALL_ESTABLISHED");
    browser.expect_tone(1000, 2.5);
    browser.command(json!({"do": "hangup"}));
    desk.expect("CALL_CLOSED");
    scene.appliance.assert_nothing_left();
    assert_tone(&scene.desk.heard()[0], 700.0, 1.5);
    let media = last_events(&scene.appliance, "media");
    let codecs: Vec<_> = media.iter().filter_map(|e| e["codec"].as_str()).collect();
    assert!(codecs.contains(&"opus") && codecs.contains(&"PCMU"), "{codecs:?}");
}

#[test]
fn a_page_with_opus_only_talks_to_a_phone_with_g711_only() {
    talks_opus(&page(Library::SipJs));
}

#[test]
fn a_page_in_firefox_with_opus_only_talks_to_a_phone_with_g711_only() {
    talks_opus(&firefox(Library::SipJs));
}

#[test]
fn a_page_that_goes_away_is_not_called_any_more_and_its_call_ends() {
    let mut scene = scene(&page(Library::JsSip), "", "");
    scene.desk.dial("101");
    scene.browser.expect("incoming");
    scene.browser.command(json!({"do": "answer"}));
    scene.browser.expect("established");
    scene.browser.expect_tone(1000, 0.5);
    let Scene { appliance, browser, mut desk, .. } = scene;
    drop(browser);
    // RFC 7675 §5.1: consent to send holds for thirty seconds.
    eventually("the call ends", || {
        (appliance.json(&["status"])["left"]["calls"] == 0).then_some(())
    });
    desk.expect("CALL_CLOSED");
    appliance.assert_nothing_left();
    assert_eq!(last_call(&appliance)["failure"], "browser-unreachable");
    // Nobody rings a page that is gone: the caller speaks to the mailbox at once.
    desk.dial("101");
    desk.expect("CALL_ESTABLISHED");
    assert_eq!(last_call(&appliance)["disposition"], "voicemail");
}

#[test]
fn a_page_that_comes_back_over_another_connection_is_told_of_the_end_of_its_call() {
    let mut scene = scene(&page(Library::JsSip), "", ";answermode=auto");
    let Scene { browser, desk, .. } = &mut scene;
    browser.call("102");
    browser.expect("established");
    desk.expect("CALL_ESTABLISHED");
    browser.expect_tone(1000, 0.5);
    browser.command(json!({"do": "cut"}));
    browser.expect("registered");
    // The call goes on meanwhile.
    browser.expect_tone(1000, 1.0);
    desk.command("hangup", "");
    // By a BYE, and not because its ICE found out.
    let end = browser.expect("ended");
    assert_eq!((&end["by"], &end["cause"]), (&json!("remote"), &json!("Terminated")));
    scene.appliance.assert_nothing_left();
}

/// A page whose camera stands before its microphone calls, is held by both sides, and hangs up.
fn calls_with_a_camera_in_front(page: &Page<'_>, policy: &str) {
    let page = Page { camera_first: Some(policy), ..*page };
    let mut scene = scene(&page, "", ";answermode=auto");
    let Scene { browser, desk, .. } = &mut scene;
    browser.call("102");
    browser.expect("established");
    desk.expect("CALL_ESTABLISHED");
    browser.expect_tone(1000, 2.0);
    page_holds(browser);
    desk_holds(desk, browser);
    browser.command(json!({"do": "hangup"}));
    browser.expect("ended");
    desk.expect("CALL_CLOSED");
    scene.appliance.assert_nothing_left();
    assert_tone(&scene.desk.heard()[0], 700.0, 2.0);
}

#[test]
fn a_page_with_a_camera_in_front_and_one_transport_talks_to_a_desk_phone() {
    calls_with_a_camera_in_front(&page(Library::JsSip), "max-bundle");
}

#[test]
fn a_page_with_a_camera_in_front_and_many_transports_talks_to_a_desk_phone() {
    calls_with_a_camera_in_front(&page(Library::JsSip), "balanced");
}

#[test]
fn a_page_with_sip_js_and_a_camera_in_front_talks_to_a_desk_phone() {
    calls_with_a_camera_in_front(&page(Library::SipJs), "max-bundle");
}

#[test]
fn a_page_in_firefox_with_a_camera_in_front_talks_to_a_desk_phone() {
    calls_with_a_camera_in_front(&firefox(Library::JsSip), "balanced");
}

#[test]
fn a_page_in_firefox_with_a_camera_in_front_and_one_transport_talks_to_a_desk_phone() {
    calls_with_a_camera_in_front(&firefox(Library::JsSip), "max-bundle");
}

#[test]
fn two_pages_with_cameras_in_front_talk_without_seeing_each_other() {
    let first = Page { camera_first: Some("max-bundle"), ..page(Library::JsSip) };
    let mut scene = scene(&first, "", "");
    let other = Page { last: 10, user: "103", tone: 1300, ..first };
    let certificate = scene.certificates.path().join("server.pem");
    let mut other = Browser::registered(&scene.appliance, &certificate, &other);
    scene.browser.call("103");
    other.expect("incoming");
    other.command(json!({"do": "answer"}));
    scene.browser.expect("established");
    other.expect("established");
    scene.browser.expect_tone(1300, 1.5);
    other.expect_tone(700, 1.5);
    other.command(json!({"do": "hangup"}));
    scene.browser.expect("ended");
    scene.appliance.assert_nothing_left();
}
