//! The call flows of RFC 3665 through the appliance. A B2BUA stands where the RFC draws proxies,
//! so that §3.2 to §3.5 (several proxies, their failures and an ALG) have no counterpart here;
//! what a caller and a callee see of them is in §3.1 with its digest challenge.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::net::SocketAddr;
use std::time::Duration;

use offhook_sip::header::HeaderName;
use offhook_sip::message::{Request, Response};
use offhook_tests::sim::agent::{Agent, AgentConfig, Dial, Left};
use offhook_tests::sim::net::{SimNet, Weather};
use offhook_tests::sim::office::{self, Leftovers, SimOffice};
use offhook_tests::sim::sdp;

fn config() -> String {
    let mut text = format!(
        "[server]\nrealm = \"sim\"\n\
         [[listen]]\ntransport = \"udp\"\naddress = \"127.0.0.1:5060\"\n\
         [media]\nports = \"{}\"\n",
        office::fresh_ports()
    );
    for number in ["101", "102", "103"] {
        text += &format!(
            "[[extension]]\nnumber = \"{number}\"\npassword = \"of-{number}\"\nvoicemail = false\n\
             ring_seconds = 20\n"
        );
    }
    text
}

struct Lab {
    net: SimNet,
    office: SimOffice,
    alice: Agent,
    bob: Agent,
    carol: Agent,
}

fn phone(net: &SimNet, office: &SimOffice, last: u8, number: &str, password: &str) -> Agent {
    let address: SocketAddr = ([127, 1, 0, last], 5060).into();
    Agent::start(net, AgentConfig::phone(address, number, password, office.address))
}

impl Lab {
    fn new() -> Self {
        let net = SimNet::start(1, Weather::CALM);
        let office = SimOffice::open(&net, &config());
        let alice = phone(&net, &office, 1, "101", "of-101");
        let bob = phone(&net, &office, 2, "102", "of-102");
        let carol = phone(&net, &office, 3, "103", "of-103");
        Self { net, office, alice, bob, carol }
    }

    async fn registered() -> Self {
        let lab = Self::new();
        for phone in [&lab.alice, &lab.bob, &lab.carol] {
            phone.register(3_600).await;
        }
        lab
    }

    /// How often the appliance answered a method with a status.
    fn answers(&self, status: u16, method: &str) -> usize {
        let all = self.net.messages(&format!("SIP/2.0 {status}"));
        let ours = all.iter().filter(|(from, ..)| *from == self.office.address);
        ours.filter(|(.., text)| text.lines().any(|l| l.starts_with("CSeq") && l.ends_with(method)))
            .count()
    }

    async fn nothing_is_left(&self) {
        let left = self.office.settle().await;
        assert_eq!(left, Leftovers::default(), "{}", self.office.ladder(""));
        for phone in [&self.alice, &self.bob, &self.carol] {
            assert_eq!(phone.left().await, Left::default());
        }
        self.net.close();
    }
}

fn contacts(response: &Response) -> Vec<String> {
    response.headers.get_all(&HeaderName::Contact).map(|v| v.to_text().into_owned()).collect()
}

/// The user part and display name of From.
fn from_of(invite: &Request) -> String {
    invite.headers.text(&HeaderName::From).unwrap().into_owned()
}

// §2: registration.

#[tokio::test(start_paused = true)]
async fn s2_1_a_new_registration_is_challenged_and_then_kept() {
    let lab = Lab::new();
    let ok = lab.bob.register(7_200).await;
    assert_eq!((lab.answers(401, "REGISTER"), lab.answers(200, "REGISTER")), (1, 1));
    let contact = contacts(&ok).join(",");
    assert!(contact.contains("sip:102@127.1.0.2:5060"), "{contact}");
    // The configured ceiling, not what the phone asked for.
    assert!(contact.contains("expires=3600"), "{contact}");
    assert_eq!(lab.office.keep.bindings().len(), 1);
    lab.nothing_is_left().await;
}

#[tokio::test(start_paused = true)]
async fn s2_2_a_second_contact_joins_the_list() {
    let lab = Lab::new();
    lab.bob.register(3_600).await;
    let second = lab.bob.registration_of("<sip:102@127.1.0.9:5070>;expires=1800");
    let ok = lab.bob.request(second).await.unwrap();
    let list = contacts(&ok).join(",");
    assert!(list.contains("127.1.0.2") && list.contains("127.1.0.9:5070"), "{list}");
    assert_eq!(lab.office.registrar.lookup("102").len(), 2);
    lab.nothing_is_left().await;
}

#[tokio::test(start_paused = true)]
async fn s2_3_a_register_without_contact_asks_for_the_list() {
    let lab = Lab::new();
    lab.bob.register(3_600).await;
    let ok = lab.bob.request(lab.bob.registration_of("")).await.unwrap();
    assert_eq!((ok.status.code(), contacts(&ok).len()), (200, 1));
    lab.nothing_is_left().await;
}

#[tokio::test(start_paused = true)]
async fn s2_4_a_star_with_expires_zero_cancels_all() {
    let lab = Lab::new();
    lab.bob.register(3_600).await;
    let star = lab.bob.registration_of("*").with(HeaderName::Expires, "0");
    let ok = lab.bob.request(star).await.unwrap();
    assert_eq!((ok.status.code(), contacts(&ok).len()), (200, 0));
    assert!(lab.office.keep.bindings().is_empty());
    // Who calls now hears at once that nobody is there.
    lab.alice.register(3_600).await;
    let mut out = lab.alice.dial(Dial::to("102"));
    assert_eq!(out.rejected().await.status.code(), 480);
    lab.nothing_is_left().await;
}

#[tokio::test(start_paused = true)]
async fn s2_5_a_wrong_password_registers_nobody() {
    let lab = Lab::new();
    let thief = phone(&lab.net, &lab.office, 66, "102", "guessed");
    let answer = thief.request(thief.registration(3_600)).await.unwrap();
    assert!(matches!(answer.status.code(), 401 | 403), "{answer:?}");
    assert!(lab.office.keep.bindings().is_empty());
    lab.nothing_is_left().await;
}

#[tokio::test(start_paused = true)]
async fn a_registration_runs_out_by_itself() {
    let lab = Lab::new();
    lab.bob.register(60).await;
    tokio::time::sleep(Duration::from_secs(59)).await;
    assert_eq!(lab.office.registrar.lookup("102").len(), 1);
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(lab.office.registrar.lookup("102").len(), 0);
    lab.nothing_is_left().await;
}

// §3: sessions.

#[tokio::test(start_paused = true)]
async fn s3_1_a_call_is_set_up_and_the_callee_hangs_up() {
    let lab = Lab::registered().await;
    let mut out = lab.alice.dial(Dial::to("102"));
    let mut back = lab.bob.call().await;
    assert_eq!(lab.answers(401, "INVITE"), 1, "the caller proves who it is");
    let invite = back.invite.clone().unwrap();
    assert!(from_of(&invite).contains("sip:101@"), "{}", from_of(&invite));
    back.ring();
    out.progressed(180).await;
    back.answer();
    out.answered().await;
    back.confirmed().await;
    // Topology hiding: neither leg shows the other's addresses or Call-ID.
    let text = String::from_utf8(invite.to_bytes().to_vec()).unwrap();
    assert!(!text.contains("127.1.0.1") && !text.contains("127.9.9.9"), "{text}");
    // Far beyond the half minute after which a call dies whose ACK was never matched.
    tokio::time::sleep(Duration::from_secs(300)).await;
    back.hang_up();
    let end = out.ended().await;
    assert!(end.answered.is_some());
    back.ended().await;
    let record = lab.office.keep.records().pop().unwrap();
    assert_eq!((record.disposition.as_str(), record.to.as_str()), ("answered", "102"));
    assert_eq!(record.hung_up_by.as_deref(), Some("callee"));
    lab.nothing_is_left().await;
}

#[tokio::test(start_paused = true)]
async fn s3_6_a_redirected_call_with_its_answer_in_the_ack() {
    let lab = Lab::registered().await;
    let mut out = lab.alice.dial(Dial { without_offer: true, ..Dial::to("102") });
    let mut moved = lab.bob.call().await;
    moved.redirect("sip:103@127.0.0.1:5060");
    moved.ended().await;
    let mut back = lab.carol.call().await;
    back.ring();
    back.answer();
    out.answered().await;
    back.confirmed().await;
    tokio::time::sleep(Duration::from_secs(90)).await;
    out.hang_up();
    assert!(back.ended().await.answered.is_some());
    out.ended().await;
    lab.nothing_is_left().await;
}

#[tokio::test(start_paused = true)]
async fn s3_7_a_phone_that_moves_keeps_its_call() {
    let lab = Lab::registered().await;
    let mut out = lab.alice.dial(Dial::to("102"));
    let mut back = lab.bob.call().await;
    back.answer();
    let ok = out.answered().await;
    back.confirmed().await;
    let before = sdp::audio_address(&ok.body).unwrap();
    back.move_audio(41_000);
    let answer = back.offer_accepted().await;
    let ours = sdp::audio_address(&answer).unwrap();
    assert_ne!(ours.1, 0, "the stream was refused");
    // The other leg's media stays where it is.
    out.move_audio(41_002);
    let answer = out.offer_accepted().await;
    assert_eq!(sdp::audio_address(&answer).unwrap(), before);
    tokio::time::sleep(Duration::from_secs(90)).await;
    out.hang_up();
    assert!(back.ended().await.answered.is_some());
    out.ended().await;
    lab.nothing_is_left().await;
}

#[tokio::test(start_paused = true)]
async fn s3_8_a_caller_who_gives_up_cancels_the_ringing() {
    let lab = Lab::registered().await;
    let mut out = lab.alice.dial(Dial::to("102"));
    let mut back = lab.bob.call().await;
    back.ring();
    out.progressed(180).await;
    out.hang_up();
    let end = back.ended().await;
    assert_eq!(end.answered, None);
    out.ended().await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(lab.answers(487, "INVITE"), 1, "{}", lab.office.ladder("INVITE"));
    let record = lab.office.keep.records().pop().unwrap();
    assert_eq!(record.disposition, "cancelled");
    lab.nothing_is_left().await;
}

#[tokio::test(start_paused = true)]
async fn s3_9_a_busy_phone_is_heard_as_busy() {
    let lab = Lab::registered().await;
    let mut out = lab.alice.dial(Dial::to("102"));
    let back = lab.bob.call().await;
    back.reject(486);
    assert_eq!(out.rejected().await.status.code(), 486);
    assert_eq!(lab.office.keep.records().pop().unwrap().to, "102");
    lab.nothing_is_left().await;
    assert_eq!(lab.office.keep.records().pop().unwrap().disposition, "busy");
}

#[tokio::test(start_paused = true)]
async fn s3_10_a_phone_that_went_dark_ends_the_call_in_time() {
    let lab = Lab::registered().await;
    lab.net.detach(lab.bob.config.address);
    let started = tokio::time::Instant::now();
    let mut out = lab.alice.dial(Dial::to("102"));
    let refusal = out.rejected().await;
    assert!(matches!(refusal.status.code(), 408 | 480), "{refusal:?}");
    assert!(started.elapsed() < Duration::from_secs(40), "{:?}", started.elapsed());
    lab.nothing_is_left().await;
}

#[tokio::test(start_paused = true)]
async fn s3_11_a_phone_that_says_temporarily_unavailable_is_believed() {
    let lab = Lab::registered().await;
    let mut out = lab.alice.dial(Dial::to("102"));
    let back = lab.bob.call().await;
    back.ring();
    out.progressed(180).await;
    back.reject(480);
    assert_eq!(out.rejected().await.status.code(), 480);
    lab.nothing_is_left().await;
}
