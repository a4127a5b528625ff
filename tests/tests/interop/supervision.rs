//! A supervisor's phone and the call that it listens to, by ear.

use std::time::Duration;

use offhook_tests::baresip::{Baresip, Setup};
use offhook_tests::net::{Net, eventually};
use offhook_tests::tone::{likeness, read_growing, read_wav, seconds_of_sound, share};

use crate::speech::espeak;
use crate::{last_events, office};

const CALLER: f64 = 440.0;
const STAFF: f64 = 1000.0;
const SUPERVISOR: f64 = 1700.0;
const RIGHT: &str = "[[supervisor]]\nextension = \"103\"\nof = [\"102\"]\n";

/// Seconds in which a tone is a good part of what a phone heard.
fn seconds_with(phone: &Baresip, tone: f64) -> f64 {
    let (samples, rate) = read_growing(&phone.heard()[0]).expect("a recording");
    let pieces = samples.chunks_exact((rate / 10) as usize);
    let loud = |piece: &&[i16]| piece.iter().any(|sample| sample.unsigned_abs() > 300);
    pieces.filter(loud).filter(|piece| share(piece, rate, tone) > 0.15).count() as f64 / 10.0
}

#[test]
fn a_supervisor_hears_both_then_speaks_to_one_and_then_to_both() {
    let appliance = office(Net::new(), RIGHT, &["101", "102", "103"]);
    let mut caller = Baresip::registered(&Setup::of(&appliance, 3, "101"));
    let staff = Setup::of(&appliance, 4, "102").tone(STAFF as u32).account(";answermode=auto");
    let mut staff = Baresip::registered(&staff);
    let mut supervisor =
        Baresip::registered(&Setup::of(&appliance, 5, "103").tone(SUPERVISOR as u32));
    caller.dial("102");
    caller.expect("CALL_ESTABLISHED");
    staff.expect("CALL_ESTABLISHED");
    supervisor.dial("*55102");
    supervisor.expect("CALL_ESTABLISHED");
    let hears = |phone: &Baresip, tone: f64, seconds: f64| {
        let what = format!("{seconds} s with {tone} Hz");
        eventually(&what, || (seconds_with(phone, tone) >= seconds).then_some(()));
    };
    hears(&supervisor, CALLER, 2.0);
    hears(&supervisor, STAFF, 2.0);
    supervisor.command("sndcode", "5");
    hears(&staff, SUPERVISOR, 4.0);
    supervisor.command("sndcode", "6");
    hears(&caller, SUPERVISOR, 2.0);
    supervisor.command("hangup", "");
    supervisor.expect("CALL_CLOSED");
    hears(&caller, STAFF, seconds_with(&caller, STAFF) + 2.0);
    hears(&staff, CALLER, seconds_with(&staff, CALLER) + 2.0);
    assert!(!caller.saw("CALL_CLOSED") && !staff.saw("CALL_CLOSED"));
    caller.command("hangup", "");
    staff.expect("CALL_CLOSED");
    caller.expect("CALL_CLOSED");
    appliance.assert_nothing_left();

    let heard = [seconds_with(&supervisor, CALLER), seconds_with(&supervisor, STAFF)];
    assert!(heard.iter().all(|seconds| *seconds > 4.0), "the supervisor heard {heard:?}");
    // First a whisper, then to all; the caller only the latter.
    let (whispered, barged) = (seconds_with(&staff, SUPERVISOR), seconds_with(&caller, SUPERVISOR));
    assert!(barged > 1.5, "{barged} s reached the caller");
    assert!(whispered - barged > 1.5, "{whispered} s reached the staff and {barged} s the caller");
    // They heard each other before, meanwhile and afterwards.
    let talk = [seconds_with(&caller, STAFF), seconds_with(&staff, CALLER)];
    assert!(talk.iter().all(|seconds| *seconds > 7.0), "{talk:?}");

    let calls = appliance.json(&["calls", "list"]);
    let call = calls.as_array().unwrap().iter().find(|call| call["to"] == "102").unwrap();
    assert_eq!(call["supervised"][0]["by"], "extension:103", "{call}");
    assert_eq!(call["supervised"][0]["how"], "barge", "{call}");
    let shown = appliance.cli(&["calls", "show", call["id"].as_str().unwrap()]);
    assert!(shown.contains("extension:103 listens") && shown.contains("speaks to all"), "{shown}");
}

#[test]
fn a_supervisor_of_nobody_hears_why_and_those_who_are_listened_to_hear_a_tone() {
    let config = format!("{RIGHT}[supervision]\nnotice = \"beep\"\n");
    let appliance = office(Net::new(), &config, &["101", "102", "103"]);
    let mut supervisor = Baresip::registered(&Setup::of(&appliance, 5, "103"));
    supervisor.dial("*55102");
    supervisor.expect("CALL_ESTABLISHED");
    supervisor.expect("CALL_CLOSED");
    let (samples, rate) = read_wav(&supervisor.heard()[0]);
    let words = seconds_of_sound(&samples, rate);
    assert!(words > 0.8, "{words} s of words");
    assert!(!last_events(&appliance, "prompt").is_empty());

    let mut caller = Baresip::registered(&Setup::of(&appliance, 3, "101").tone(0));
    let staff = Setup::of(&appliance, 4, "102").tone(0).account(";answermode=auto");
    let mut staff = Baresip::registered(&staff);
    caller.dial("102");
    caller.expect("CALL_ESTABLISHED");
    staff.expect("CALL_ESTABLISHED");
    std::thread::sleep(Duration::from_secs(1));
    supervisor.dial("*55102");
    supervisor.expect("CALL_ESTABLISHED");
    caller.hears_sound(0.1);
    staff.hears_sound(0.1);
    caller.command("hangup", "");
    supervisor.expect("CALL_CLOSED");
    appliance.assert_nothing_left();
    for phone in [&caller, &staff] {
        let (samples, rate) = read_wav(&phone.heard()[0]);
        let tone = seconds_of_sound(&samples, rate);
        assert!(tone > 0.05, "{tone} s of the tone");
    }
}

#[test]
fn those_who_are_listened_to_hear_the_announcement_and_go_on_talking() {
    const WORDS: &str = "This call may be monitored for quality.";
    let config = format!("{RIGHT}[supervision]\nannouncement = \"{WORDS}\"\n");
    let appliance = office(Net::new(), &config, &["101", "102", "103"]);
    let mut caller = Baresip::registered(&Setup::of(&appliance, 3, "101").tone(0));
    let staff = Setup::of(&appliance, 4, "102").tone(0).account(";answermode=auto");
    let mut staff = Baresip::registered(&staff);
    let mut supervisor = Baresip::registered(&Setup::of(&appliance, 5, "103").tone(0));
    caller.dial("102");
    caller.expect("CALL_ESTABLISHED");
    staff.expect("CALL_ESTABLISHED");
    std::thread::sleep(Duration::from_secs(1));
    supervisor.dial("*55102");
    supervisor.expect("CALL_ESTABLISHED");
    let spoken = espeak(WORDS);
    let length = seconds_of_sound(&spoken, 8000);
    caller.hears_sound(length * 0.9);
    staff.hears_sound(length * 0.9);
    assert!(!caller.saw("CALL_CLOSED") && !staff.saw("CALL_CLOSED"));
    caller.command("hangup", "");
    supervisor.expect("CALL_CLOSED");
    appliance.assert_nothing_left();
    for phone in [&caller, &staff] {
        let (samples, rate) = read_wav(&phone.heard()[0]);
        assert_eq!(rate, 8000);
        let found = likeness(&spoken, &samples);
        assert!(found > 0.8, "a party heard something else: {found}");
    }
}
