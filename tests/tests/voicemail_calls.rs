//! Voicemail played whole, over real media threads and in real time: how a message ends, a full
//! mailbox, the PIN from outside, the last words, and music on hold.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use offhook_media::codec::Codec;
use offhook_media::dtmf::DigitSet;
use offhook_media::engine::{Recording, SampleSink, StreamConfig};
use offhook_media::wav::{Format, to_bytes};
use offhook_pbx::event::CallEventKind;
use offhook_pbx::keep::{Extension, Extensions, Voicemail, Voicemails};
use offhook_pbx::pin;
use offhook_tests::net::PATIENCE;
use offhook_tests::sim::agent::{Agent, AgentConfig, Dial};
use offhook_tests::sim::keep::MemoryKeep;
use offhook_tests::sim::line::Line;
use offhook_tests::sim::media::{eventually, pcmu, square_wave};
use offhook_tests::sim::net::{SimNet, Weather};
use offhook_tests::sim::office::{SimOffice, fresh_ports};
use offhook_tests::sim::sdp::{self, Direction};
use tokio::net::UdpSocket;

const OFFICE: SocketAddr = at(1);
const TRUNK: SocketAddr = at(9);

const fn at(host: u8) -> SocketAddr {
    SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::new(127, 4, 0, host), 5060))
}

struct Scene {
    net: SimNet,
    office: SimOffice,
    _folder: tempfile::TempDir,
}

impl Scene {
    fn open(more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("greeting.wav"), to_bytes(Format::Pcm16, &[0; 400]))
            .unwrap();
        let net = SimNet::start(3, Weather::CALM);
        let office = SimOffice::open(&net, &config(folder.path(), more));
        Self { net, office, _folder: folder }
    }

    fn phone(&self, n: u8) -> Agent {
        let (user, password) = (format!("10{n}"), format!("secret-10{n}"));
        Agent::start(&self.net, AgentConfig::phone(at(10 + n), &user, &password, OFFICE))
    }

    async fn messages(&self, mailbox: &str) -> Vec<Voicemail> {
        self.office.keep.list_voicemails(mailbox.into()).await.unwrap()
    }

    /// How the last call's recording ended.
    fn recorded(&self) -> Option<String> {
        let id = self.office.keep.records().pop()?.id;
        self.office.keep.timeline(&id).into_iter().find_map(|event| match event.kind {
            CallEventKind::Recorded { ended_by, .. } => Some(ended_by),
            _ => None,
        })
    }
}

/// On a slow machine a caller may say nothing for a while in the middle of a word.
const PATIENT: &str = "silence_seconds = 60\n";

fn config(folder: &Path, more: &str) -> String {
    let ports = fresh_ports();
    let folder = folder.display();
    format!(
        r#"
[[listen]]
transport = "udp"
address = "{OFFICE}"
[media]
ports = "{ports}"
address = "127.0.0.1"
[voicemail]
folder = "{folder}"
greeting = "{folder}/greeting.wav"
min_seconds = 1
{more}
[[extension]]
number = "101"
password = "secret-101"
[[extension]]
number = "102"
password = "secret-102"
[[trunk]]
name = "carrier"
type = "generic"
host = "{TRUNK}"
transport = "udp"
srtp = "off"
[[number]]
match = "+15550009700"
from = "trunks"
to = "voicemail-menu"
"#
    )
}

/// 20 ms of a square wave in PCMU; `loud`: at full scale.
fn packet(n: u16, loud: bool) -> Vec<u8> {
    let (low, high) = if loud { (0x00, 0x80) } else { (0x10, 0x90) };
    pcmu(n, square_wave(high, low))
}

/// A call of 101 to a mailbox, with a voice.
struct Speaker {
    line: Line,
    keep: Arc<MemoryKeep>,
    mailbox: String,
    socket: UdpSocket,
    to: SocketAddr,
    next: u16,
}

impl Speaker {
    async fn call(scene: &Scene, from: &Agent) -> Self {
        Self::answered(scene, from.dial(Dial::to("102")), "102").await
    }

    async fn answered(scene: &Scene, mut line: Line, mailbox: &str) -> Self {
        let answer = line.answered().await;
        let (ip, port) = sdp::audio_address(&answer.body).unwrap();
        let to = SocketAddr::new(ip.parse().unwrap(), port);
        let socket = UdpSocket::bind((at(11).ip(), 0)).await.unwrap();
        let (keep, mailbox) = (Arc::clone(&scene.office.keep), mailbox.to_owned());
        Self { line, keep, mailbox, socket, to, next: 0 }
    }

    /// Says so many packets of the message, and before them whatever is said before it begins.
    async fn speak(&mut self, packets: u16) {
        let mut every = tokio::time::interval(Duration::from_millis(20));
        let mut said = 0;
        while said < packets {
            every.tick().await;
            said += u16::from(self.keep.is_taking_a_message(&self.mailbox));
            self.send(false).await;
        }
    }

    async fn send(&mut self, loud: bool) {
        self.socket.send_to(&packet(self.next, loud), self.to).await.unwrap();
        self.next += 1;
    }
}

#[tokio::test]
async fn a_message_ends_by_the_hash_key() {
    let scene = Scene::open(PATIENT);
    let ann = scene.phone(1);
    // An event of RFC 4733 is the media's business and tested there; this key comes by INFO.
    let mut speaker = Speaker::call(&scene, &ann).await;
    speaker.speak(110).await;
    speaker.line.press("#");
    speaker.line.ended().await;
    eventually("the message is kept", async || scene.messages("102").await.len() == 1).await;
    eventually("it is told how", async || scene.recorded().as_deref() == Some("terminator")).await;
    scene.net.close();
}

#[tokio::test]
async fn a_message_ends_by_silence() {
    let scene = Scene::open("silence_seconds = 2");
    let ann = scene.phone(1);
    let mut speaker = Speaker::call(&scene, &ann).await;
    speaker.speak(110).await;
    // No more packets: silence, and the office says good-bye.
    speaker.line.ended().await;
    eventually("the message is kept", async || scene.messages("102").await.len() == 1).await;
    eventually("it is told how", async || scene.recorded().as_deref() == Some("silence")).await;

    // Who says nothing at all leaves no message.
    let mut silent = Speaker::call(&scene, &ann).await;
    silent.line.ended().await;
    eventually("the call is over", async || scene.office.calls.tasks() == 0).await;
    assert_eq!(scene.messages("102").await.len(), 1);
    scene.net.close();
}

#[tokio::test]
async fn whatever_a_phone_may_be_called_it_rings_and_takes_messages() {
    let names = ["Front-desk", "front_desk", "10.1", "*7", "1#", "+1"];
    let extension =
        |n: &&str| format!("[[extension]]\nnumber = \"{n}\"\npassword = \"secret-0\"\n");
    let extensions: String = names.iter().map(extension).collect();
    let scene = Scene::open(&format!("{PATIENT}{extensions}"));
    let ann = scene.phone(1);
    for (n, name) in (20..).zip(names) {
        let config = AgentConfig::phone(at(n), name, "secret-0", OFFICE);
        let phone = Agent::start(&scene.net, config);
        phone.register(3600).await;
        let line = ann.dial(Dial::to(name));
        phone.call().await.reject(486);
        let mut speaker = Speaker::answered(&scene, line, name).await;
        tokio::spawn(async move {
            speaker.speak(110).await;
            speaker.line.hang_up();
        });
    }
    for name in names {
        eventually(name, async || scene.messages(name).await.len() == 1).await;
    }
    scene.net.close();
}

#[tokio::test]
async fn a_full_mailbox_says_so_and_takes_no_message() {
    let scene = Scene::open(&format!("{PATIENT}max_messages = 1"));
    let ann = scene.phone(1);
    let mut speaker = Speaker::call(&scene, &ann).await;
    speaker.speak(110).await;
    speaker.line.hang_up();
    eventually("the message is kept", async || scene.messages("102").await.len() == 1).await;
    let mut speaker = Speaker::call(&scene, &ann).await;
    speaker.line.ended().await;
    assert_eq!(scene.messages("102").await.len(), 1);
    let id = scene.office.keep.records().pop().unwrap().id;
    eventually("the prompt is in the timeline", async || {
        let timeline = scene.office.keep.timeline(&id);
        timeline.iter().any(|e| e.kind == CallEventKind::Prompt { name: "vm-full".into() })
    })
    .await;
    scene.net.close();
}

#[tokio::test]
async fn from_outside_the_pin_opens_the_mailbox_and_nothing_else_does() {
    let scene = Scene::open("");
    let message = Voicemail {
        id: "m".into(),
        mailbox: "102".into(),
        caller: "101".into(),
        original_caller: None,
        call_id: "c".into(),
        received: std::time::SystemTime::now(),
        duration_ms: 0,
        file: scene._folder.path().join("greeting.wav"),
        heard: false,
        saved: false,
    };
    scene.office.keep.begin_voicemail(message).await.unwrap();
    scene.office.keep.finish_voicemail("m".into(), 3_000).await.unwrap();
    let account = Extension {
        number: "102".into(),
        name: String::new(),
        ha1_md5: String::new(),
        ha1_sha256: String::new(),
        realm: String::new(),
        voicemail: true,
        pin: Some(pin::hash("4711", [7; 16])),
        do_not_disturb: false,
        greeting: None,
    };
    scene.office.keep.put_extension(account).await.unwrap();
    let trunk = Agent::start(&scene.net, AgentConfig::carrier(TRUNK, "carrier", OFFICE));
    let mut line = trunk.dial(Dial::to("+15550009700").from("+15550007777"));
    line.answered().await;
    let prompts = async |wanted: &str| {
        let id = scene.office.keep.records().pop().unwrap().id;
        eventually(wanted, async || {
            let timeline = scene.office.keep.timeline(&id);
            timeline
                .iter()
                .any(|e| matches!(&e.kind, CallEventKind::Prompt { name } if name == wanted))
        })
        .await;
    };
    prompts("vm-enter-mailbox").await;
    for key in ["1", "0", "2", "#"] {
        line.press(key);
    }
    prompts("vm-enter-pin").await;
    for key in ["0", "0", "0", "0", "#"] {
        line.press(key);
    }
    prompts("vm-wrong-pin").await;
    for key in ["4", "7", "1", "1", "#"] {
        line.press(key);
    }
    prompts("vm-you-have 1 vm-new-message").await;
    // No digit of it stands in the journal.
    let id = scene.office.keep.records().pop().unwrap().id;
    let told: Vec<_> = scene.office.keep.timeline(&id).into_iter().map(|e| e.kind).collect();
    // Without its times, which have any digits.
    assert!(!format!("{told:?}").contains("4711"), "{told:?}");
    line.hang_up();
    eventually("nothing is left", async || {
        scene.office.calls.tasks() == 0 && scene.office.engine.open_ports() == 0
    })
    .await;
    scene.net.close();
}

/// Stops the media thread that hands it audio, until it is let go.
struct Stall {
    entered: mpsc::Sender<()>,
    go_on: mpsc::Receiver<()>,
    once: bool,
}

impl SampleSink for Stall {
    fn push(&mut self, _: &[i16]) {
        if !std::mem::replace(&mut self.once, true) {
            let _ = self.entered.send(());
            let _ = self.go_on.recv_timeout(PATIENCE);
        }
    }
}

#[tokio::test]
async fn what_was_said_before_the_bye_is_in_the_message_however_late_the_media_thread_is() {
    let scene = Scene::open(PATIENT);
    let ann = scene.phone(1);
    let mut speaker = Speaker::call(&scene, &ann).await;
    speaker.speak(80).await;
    // The one media thread stands still.
    let (entered, waits) = mpsc::channel();
    let (release, go_on) = mpsc::channel();
    let (events, _keep) = tokio::sync::mpsc::channel(8);
    let other = scene.office.engine.open(Ipv4Addr::LOCALHOST.into(), events).unwrap();
    let peer = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    other.set_stream(StreamConfig::new(peer.local_addr().unwrap(), Codec::Pcmu));
    let to = Box::new(Stall { entered, go_on, once: false });
    let terminators = DigitSet::NONE;
    other.record(Recording { id: 1, to, max: None, silence: None, terminators });
    let mut n = 0;
    eventually("the media thread stands still", async || {
        // What is heard goes through some time late: keys are taken out of it.
        n += 1;
        peer.send_to(&packet(n, false), other.rtp_addr()).await.unwrap();
        waits.try_recv().is_ok()
    })
    .await;
    // The last words, then the BYE, then the call is over: all of it before the thread goes on.
    for _ in 0..40 {
        speaker.send(true).await;
    }
    speaker.line.hang_up();
    speaker.line.ended().await;
    eventually("the call is over", async || scene.office.calls.count() == 0).await;
    release.send(()).unwrap();
    eventually("the message is kept", async || scene.messages("102").await.len() == 1).await;
    let message = scene.messages("102").await.remove(0);
    let clip = offhook_media::clip::decode(&message.file).unwrap();
    let loud = clip.samples().iter().filter(|s| s.unsigned_abs() > 30_000).count();
    assert_eq!(loud, 40 * 160, "of {}", clip.samples().len());
    drop(other);
    eventually("nothing is left", async || {
        scene.office.calls.tasks() == 0 && scene.office.engine.open_ports() == 0
    })
    .await;
    scene.net.close();
}

#[tokio::test]
async fn who_is_put_on_hold_hears_music_until_the_call_goes_on() {
    let scene = Scene::open("");
    let (ann, bob) = (scene.phone(1), scene.phone(2));
    bob.register(3600).await;
    let mut out = ann.dial(Dial::to("102"));
    let mut back = bob.call().await;
    let (_, port) = sdp::audio_address(&back.invite.as_ref().unwrap().body).unwrap();
    back.answer();
    out.answered().await;
    back.confirmed().await;
    // Where agents say that they listen.
    let bobs_ear = UdpSocket::bind("127.9.9.9:40000").await.unwrap();
    let music = async |time: Duration, most: usize| {
        let (until, mut heard) = (tokio::time::Instant::now() + time, 0);
        let mut buffer = [0; 2048];
        while heard < most
            && let Ok(Ok((length, from))) =
                tokio::time::timeout_at(until, bobs_ear.recv_from(&mut buffer)).await
        {
            let loud = buffer[12..length].iter().filter(|b| !matches!(**b, 0xff | 0x7f)).count();
            heard += usize::from(from.port() == port && length > 100 && loud > 40);
        }
        heard
    };
    let moment = Duration::from_millis(1_500);
    assert_eq!(music(moment, 1).await, 0);
    for hold in [Direction::SendOnly, Direction::Inactive] {
        out.reinvite(hold);
        out.offer_accepted().await;
        let heard = music(PATIENCE, 31).await;
        assert!(heard > 30, "{hold:?}: {heard}");
        out.reinvite(Direction::SendRecv);
        out.offer_accepted().await;
        // What the media thread has sent, or sends before the order comes, is heard still.
        eventually("the music ends", async || music(moment, usize::MAX).await == 0).await;
    }
    out.hang_up();
    back.ended().await;
    scene.net.close();
}
