//! Three phones in one conversation.

use std::time::Duration;

use offhook_tests::baresip::{Baresip, PASSWORD, Setup};
use offhook_tests::net::{Net, eventually};
use offhook_tests::sipp::{Sipp, header, received};
use offhook_tests::tone::{read_growing, read_wav, seconds_of_tone, share};

use crate::{last_call, office};

const RULE: &str = "[[number]]\nmatch = \"800\"\nto = \"conference:weekly\"\n";
const TONES: [u32; 3] = [440, 1000, 1700];

/// How much of what a phone heard each tone is.
fn shares(phone: &Baresip) -> [f64; 3] {
    let (samples, rate) = read_growing(&phone.heard()[0]).expect("a recording");
    // The end, when all are there.
    let last = &samples[samples.len().saturating_sub(rate as usize * 2)..];
    TONES.map(|tone| share(last, rate, f64::from(tone)))
}

#[test]
fn three_phones_with_three_codecs_hear_each_other_and_the_last_one_ends_the_room() {
    let appliance = office(Net::new(), RULE, &["101", "102", "103"]);
    let codecs =
        [";audio_codecs=pcmu/8000/1", ";audio_codecs=pcma/8000/1", ";audio_codecs=g722/16000/1"];
    let mut phones = Vec::new();
    for (n, (user, account)) in ["101", "102", "103"].into_iter().zip(codecs).enumerate() {
        let setup = Setup::of(&appliance, 3 + n as u8, user).tone(TONES[n]).account(account);
        phones.push(Baresip::registered(&setup));
    }
    for phone in &mut phones {
        phone.dial("800");
        phone.expect("CALL_ESTABLISHED");
    }
    for (own, phone) in phones.iter().enumerate() {
        phone.hears_sound(2.1);
        let others = [0, 1, 2].map(|n| n != own);
        eventually(&format!("phone {own} hears the others and not itself"), || {
            (shares(phone).map(|share| share > 0.25) == others).then_some(())
        });
    }
    for phone in &mut phones {
        phone.command("hangup", "");
        phone.expect("CALL_CLOSED");
    }
    appliance.assert_nothing_left();
    assert_eq!(last_call(&appliance)["destination"], "conference:weekly");
}

/// 101 (sipp, mute) is called by 103, calls 102, and asks the appliance to bring both together.
#[test]
fn a_phone_that_asks_for_a_conference_brings_both_its_calls_into_it() {
    let net = Net::new();
    let appliance = office(net, "", &["101", "102", "103"]);
    Sipp::register((net.ip(3), 5060), appliance.sip(), "101", PASSWORD);
    let desk = Sipp::start(
        include_str!("../scenarios/network_conference.xml"),
        (net.ip(3), 5060),
        appliance.sip(),
        &[],
    );
    let other = Setup::of(&appliance, 4, "102").tone(1000).account(";answermode=auto");
    let mut other = Baresip::registered(&other);
    let mut caller = Baresip::registered(&Setup::of(&appliance, 5, "103"));
    caller.dial("101");
    caller.expect("CALL_ESTABLISHED");
    // It ends when the phone has left the room.
    desk.finish();
    caller.hears(1000.0, 3.1);
    other.hears(440.0, 3.1);
    assert!(!caller.saw("CALL_CLOSED") && !other.saw("CALL_CLOSED"));
    for phone in [&mut caller, &mut other] {
        phone.command("hangup", "");
        phone.expect("CALL_CLOSED");
    }
    appliance.assert_nothing_left();
    for (phone, tone) in [(&caller, 1000.0), (&other, 440.0)] {
        let (samples, rate) = read_wav(&phone.heard()[0]);
        let heard = seconds_of_tone(&samples, rate, tone);
        assert!(heard > 3.0, "{heard} s of {tone} Hz");
    }
    let calls = appliance.json(&["calls", "list"]);
    let moved = calls.as_array().unwrap().iter().filter(|c| c["destination"] == "conference");
    assert_eq!(moved.count(), 3, "{calls}");
}

/// 101 is called by 103, holds, calls 102, and presses the keys.
#[test]
fn keys_bring_the_call_on_hold_and_the_one_that_talks_together() {
    let appliance = office(Net::new(), "", &["101", "102", "103"]);
    let auto = ";answermode=auto";
    let mut desk =
        Baresip::registered(&Setup::of(&appliance, 3, "101").tone(TONES[0]).account(auto));
    let other = Setup::of(&appliance, 4, "102").tone(TONES[1]).account(auto);
    let mut other = Baresip::registered(&other);
    let mut caller = Baresip::registered(&Setup::of(&appliance, 5, "103").tone(TONES[2]));
    caller.dial("101");
    caller.expect("CALL_ESTABLISHED");
    desk.expect("CALL_ESTABLISHED");
    desk.command("hold", "");
    desk.dial("102");
    desk.expect("CALL_ESTABLISHED");
    std::thread::sleep(Duration::from_secs(1));
    for key in ["*", "3", "#"] {
        desk.command("sndcode", key);
        std::thread::sleep(Duration::from_millis(300));
    }
    // The line that held ends by itself.
    desk.expect("CALL_CLOSED");
    // In windows of 50 ms.
    let together = |own: usize, phone: &Baresip| {
        let (samples, rate) = read_growing(phone.heard().last().unwrap()).expect("a recording");
        let others: Vec<u32> = (0..3).filter(|n| *n != own).map(|n| TONES[n]).collect();
        let both = |window: &&[i16]| {
            others.iter().all(|tone| share(window, rate, f64::from(*tone)) > 0.25)
        };
        samples.chunks_exact(rate as usize / 20).filter(both).count()
    };
    for (own, phone) in [(0, &desk), (1, &other), (2, &caller)] {
        eventually(&format!("phone {own} hears both others for 2 s"), || {
            (together(own, phone) > 40).then_some(())
        });
    }
    // Without the phone that made it the others go on.
    desk.command("hangup", "");
    desk.expect("CALL_CLOSED");
    std::thread::sleep(Duration::from_secs(3));
    assert!(!caller.saw("CALL_CLOSED") && !other.saw("CALL_CLOSED"));
    for phone in [&mut caller, &mut other] {
        phone.command("hangup", "");
        phone.expect("CALL_CLOSED");
    }
    appliance.assert_nothing_left();
    let calls = appliance.json(&["calls", "list"]);
    let moved = calls.as_array().unwrap().iter().filter(|c| c["destination"] == "conference");
    assert_eq!(moved.count(), 2, "{calls}");
}

#[test]
fn a_phone_is_told_over_the_network_who_comes_into_a_conference_and_goes() {
    let net = Net::new();
    let appliance = office(net, RULE, &["101", "102", "103"]);
    let mut first = Baresip::registered(&Setup::of(&appliance, 4, "102"));
    let mut second = Baresip::registered(&Setup::of(&appliance, 5, "103"));
    first.dial("800");
    first.expect("CALL_ESTABLISHED");
    // The room is there when its tone is over.
    first.hears_sound(0.1);
    std::thread::sleep(Duration::from_secs(5));
    let scenario = include_str!("../scenarios/conference_roster.xml");
    let desk = Sipp::start(scenario, (net.ip(3), 5060), appliance.sip(), &[]);
    desk.wait_for("version=\"0\"");
    second.dial("800");
    desk.wait_for("version=\"1\"");
    second.command("hangup", "");
    desk.wait_for("version=\"2\"");
    first.command("hangup", "");
    let messages = received(&desk.finish());
    let notifies: Vec<_> = messages.iter().filter(|m| m.starts_with("NOTIFY ")).collect();
    let counts = notifies.iter().map(|m| m.matches("<user ").count());
    assert_eq!(counts.collect::<Vec<_>>(), [1, 2, 1, 0], "{notifies:#?}");
    let entity = format!("entity=\"sip:103@{}\"", appliance.sip().ip());
    assert!(notifies[1].contains(&entity), "{}", notifies[1]);
    let state = header(notifies[3], "Subscription-State");
    assert_eq!(state, Some("terminated;reason=noresource"));
    appliance.assert_nothing_left();
}
