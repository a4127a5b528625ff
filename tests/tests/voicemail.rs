//! Voicemail over real media threads: the message of a caller who hangs up is kept, and `*97`
//! deletes it. In real time, since audio has no other.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use offhook_media::wav::{Format, to_bytes};
use offhook_pbx::keep::Voicemails;
use offhook_sip::header::Headers;
use offhook_sip::message::Method;
use offhook_tests::sim::agent::{Agent, AgentConfig, Dial};
use offhook_tests::sim::media::{eventually, pcmu, square_wave};
use offhook_tests::sim::net::{SimNet, Weather};
use offhook_tests::sim::office::{SimOffice, fresh_ports};
use offhook_tests::sim::sdp;
use tokio::net::UdpSocket;

const OFFICE: SocketAddr = at(1);

const fn at(host: u8) -> SocketAddr {
    SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::new(127, 3, 0, host), 5060))
}

fn config(folder: &Path) -> String {
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
silence_seconds = 60
[[extension]]
number = "101"
password = "secret-101"
[[extension]]
number = "102"
password = "secret-102"
"#
    )
}

/// 20 ms of a loud square wave in PCMU.
fn packet(n: u16) -> Vec<u8> {
    pcmu(n, square_wave(0x90, 0x10))
}

#[tokio::test]
async fn a_caller_who_hangs_up_leaves_the_message_and_the_menu_deletes_it() {
    let folder = tempfile::tempdir().unwrap();
    let greeting = to_bytes(Format::Pcm16, &[0; 400]);
    std::fs::write(folder.path().join("greeting.wav"), greeting).unwrap();
    let net = SimNet::start(3, Weather::CALM);
    let office = SimOffice::open(&net, &config(folder.path()));
    let phone = |n: u8| {
        let (user, password) = (format!("10{n}"), format!("secret-10{n}"));
        let config = AgentConfig::phone(at(10 + n), &user, &password, OFFICE);
        Agent::start(&net, config)
    };
    let (ann, bob) = (phone(1), phone(2));

    // 102 is not registered: the box answers.
    let began = Instant::now();
    let mut out = ann.dial(Dial::to("102"));
    let answer = out.answered().await;
    let to = sdp::audio_address(&answer.body).unwrap();
    let socket = UdpSocket::bind((at(11).ip(), 40_000)).await.unwrap();
    let mut every = tokio::time::interval(Duration::from_millis(20));
    let mut of_the_message = 0;
    for n in 0.. {
        every.tick().await;
        socket.send_to(&packet(n), &to).await.unwrap();
        of_the_message += u8::from(office.keep.is_taking_a_message("102"));
        if of_the_message == 110 {
            break;
        }
    }
    out.hang_up();
    eventually("the message is kept", async || {
        !office.keep.list_voicemails("102".into()).await.unwrap().is_empty()
    })
    .await;
    let message = office.keep.list_voicemails("102".into()).await.unwrap().remove(0);
    let longest = u64::try_from(began.elapsed().as_millis()).unwrap();
    assert!((1_000..=longest).contains(&message.duration_ms), "{longest} {message:?}");
    assert_eq!(message.caller, "101");
    let clip = offhook_media::clip::decode(&message.file).unwrap();
    let loud = clip.samples().iter().filter(|s| s.unsigned_abs() > 1_000).count();
    assert!(loud > 6_000, "{loud} of {}", clip.samples().len());
    eventually("the call is over", async || office.calls.count() == 0).await;
    assert_eq!(office.keep.records()[0].disposition, "voicemail");

    // 102's own phone needs no PIN.
    let mut menu = bob.dial(Dial::to("*97"));
    menu.answered().await;
    eventually("the message is deleted", async || {
        let body =
            Some(("application/dtmf-relay", Bytes::from_static(b"Signal=3\r\nDuration=160")));
        menu.send(Method::Info, Headers::new(), body);
        office.keep.list_voicemails("102".into()).await.unwrap().is_empty()
    })
    .await;
    menu.ended().await;
    eventually("nothing is left", async || {
        office.calls.tasks() == 0 && office.engine.open_ports() == 0
    })
    .await;
    assert!(!message.file.exists() || office.keep.records().len() == 2);
    net.close();
}
