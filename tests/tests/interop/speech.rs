//! Texts that a telephone hears spoken.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::process::{Command, Stdio};

use offhook_media::clip;
use offhook_tests::baresip::{Baresip, Setup};
use offhook_tests::net::Net;
use offhook_tests::tone::{likeness, read_wav, seconds_of_tone};

use crate::office;

const TEXT: &str = "We are closed today. Please call again on Monday.";

/// What espeak-ng itself makes of a text, at 8 kHz.
pub(crate) fn espeak(text: &str) -> Vec<i16> {
    let mut child = Command::new("espeak-ng")
        .args(["--stdin", "--stdout", "-v", "en-us+f2"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("espeak-ng is installed (make test does it)");
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let wav = child.wait_with_output().unwrap().stdout;
    clip::decode_bytes("x.wav", wav).unwrap().samples().to_vec()
}

/// Two calls to a number that says [`TEXT`]: what the phone heard of each, and what the first one's
/// timeline tells.
fn two_calls(speech: &str) -> ([Vec<i16>; 2], String) {
    let config = format!("{speech}\n[[number]]\nmatch = \"700\"\nto = \"say:{TEXT}\"\n");
    let appliance = office(Net::new(), &config, &["101"]);
    let mut desk = Baresip::registered(&Setup::of(&appliance, 3, "101"));
    for _ in 0..2 {
        desk.dial("700");
        desk.expect("CALL_ESTABLISHED");
        desk.expect("CALL_CLOSED");
    }
    appliance.assert_nothing_left();
    let heard = desk.heard();
    let heard = [0, 1].map(|n| read_wav(&heard[n]).0);
    let first = appliance.json(&["calls", "list"])[1].clone();
    assert_eq!(first["disposition"], "answered", "{first}");
    (heard, appliance.cli(&["calls", "show", first["id"].as_str().unwrap()]))
}

#[test]
fn a_telephone_hears_what_espeak_says_and_the_same_again_from_memory() {
    let (heard, shown) = two_calls("");
    let spoken = espeak(TEXT);
    for heard in &heard {
        let found = likeness(&spoken, heard);
        assert!(found > 0.9, "the phone heard something else: {found}");
    }
    assert!(shown.contains("a text of 49 characters") && !shown.contains("Monday"), "{shown}");
}

#[test]
fn when_amazon_polly_cannot_be_reached_the_local_engine_speaks_and_the_call_tells() {
    let polly = "[speech]\nengine = \"polly\"\npolly_key = \"AKIATEST\"\npolly_secret = \"s\"\n\
                 polly_endpoint = \"http://127.0.0.1:9\"";
    let (heard, shown) = two_calls(polly);
    let spoken = espeak(TEXT);
    assert!(heard.iter().all(|heard| likeness(&spoken, heard) > 0.9));
    assert!(shown.contains("spoken by espeak-ng instead: Amazon Polly"), "{shown}");
}

#[test]
fn amazon_polly_is_heard_when_it_is_configured() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let at = listener.local_addr().unwrap();
    // One answer: the second call hears it from memory.
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = vec![0; 4096];
        let n = stream.read(&mut request).unwrap();
        let step = std::f64::consts::TAU * 700.0 / 16_000.0;
        let pcm: Vec<u8> = (0..32_000)
            .flat_map(|n| (((step * f64::from(n)).sin() * 10_000.0) as i16).to_le_bytes())
            .collect();
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", pcm.len());
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(&pcm).unwrap();
        String::from_utf8_lossy(&request[..n]).into_owned()
    });
    let polly = format!(
        "[speech]\nengine = \"polly\"\npolly_key = \"AKIATEST\"\npolly_secret = \"s\"\n\
         polly_endpoint = \"http://{at}\""
    );
    let (heard, shown) = two_calls(&polly);
    let request = server.join().unwrap();
    assert!(request.contains("AKIATEST/") && request.contains("/us-east-1/polly/aws4_request"));
    for heard in &heard {
        assert!(seconds_of_tone(heard, 8000, 700.0) > 1.5, "{shown}");
    }
}
