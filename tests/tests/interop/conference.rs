//! Three phones in one conversation.

use std::time::Duration;

use offhook_tests::baresip::{Baresip, Setup};
use offhook_tests::net::Net;
use offhook_tests::tone::{read_wav, seconds_of_sound, share};

use crate::{last_call, office};

const RULE: &str = "[[number]]\nmatch = \"800\"\nto = \"conference:weekly\"\n";
const TONES: [u32; 3] = [440, 1000, 1700];

/// How much of what a phone heard each tone is.
fn shares(phone: &Baresip) -> [f64; 3] {
    let (samples, rate) = read_wav(&phone.heard()[0]);
    assert!(seconds_of_sound(&samples, rate) > 2.0, "little was heard");
    // The end, when all were there.
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
    std::thread::sleep(Duration::from_secs(4));
    for phone in &mut phones {
        phone.command("hangup", "");
        phone.expect("CALL_CLOSED");
    }
    appliance.assert_nothing_left();
    for (own, phone) in phones.iter().enumerate() {
        let shares = shares(phone);
        for (n, share) in shares.iter().enumerate() {
            let heard = *share > 0.25;
            assert_eq!(heard, n != own, "phone {own}: {shares:?}");
        }
    }
    assert_eq!(last_call(&appliance)["destination"], "conference:weekly");
}
