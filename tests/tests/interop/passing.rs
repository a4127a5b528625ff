//! What two phones have and we have not: their own codec, and video.

use offhook_tests::appliance::Appliance;
use offhook_tests::baresip::{Baresip, Setup};
use offhook_tests::net::Net;
use offhook_tests::tone::assert_tone;

use crate::{last_events, last_ladder, office};

/// Codecs that the appliance does not have.
const FOREIGN: &str = "module gsm.so\nmodule l16.so\n";

fn talk(config: &str, modules: &str, accounts: [&str; 2]) -> Appliance {
    let appliance = office(Net::new(), config, &["101", "102"]);
    let auto = format!("{};answermode=auto", accounts[1]);
    let one = Setup::of(&appliance, 3, "101").account(accounts[0]);
    let two = Setup::of(&appliance, 4, "102").tone(1000).account(&auto);
    let mut one = Baresip::registered(&Setup { config: modules, ..one });
    let mut two = Baresip::registered(&Setup { config: modules, ..two });
    one.dial("102");
    one.expect("CALL_ESTABLISHED");
    two.expect("CALL_ESTABLISHED");
    one.hears(1000.0, 1.5);
    two.hears(440.0, 1.5);
    one.command("hangup", "");
    two.expect("CALL_CLOSED");
    appliance.assert_nothing_left();
    assert_tone(&one.heard()[0], 1000.0, 1.5);
    assert_tone(&two.heard()[0], 440.0, 1.5);
    appliance
}

fn codecs(appliance: &Appliance) -> Vec<String> {
    let media = last_events(appliance, "media");
    media.iter().filter_map(|e| Some(e["codec"].as_str()?.to_owned())).collect()
}

#[test]
fn two_phones_with_a_codec_of_their_own_hear_each_other() {
    let appliance = talk("", FOREIGN, [";audio_codecs=gsm/8000/1"; 2]);
    let codecs = codecs(&appliance);
    assert!(!codecs.is_empty() && codecs.iter().all(|codec| codec == "GSM"), "{codecs:?}");
}

#[test]
fn a_codec_of_ours_is_used_where_both_have_one_beside_their_own() {
    let accounts = [";audio_codecs=gsm/8000/1,pcmu/8000/1", ";audio_codecs=pcma/8000/1"];
    let appliance = talk("", FOREIGN, accounts);
    assert!(codecs(&appliance).iter().all(|codec| codec == "PCMU" || codec == "PCMA"));
}

#[test]
fn two_phones_with_cameras_see_each_other() {
    let modules = "module vp8.so\nmodule fakevideo.so\nvideo_source fakevideo,nil\n\
                   video_display fakevideo,nil\nvideo_size 176x144\nvideo_fps 10\n";
    let appliance = talk("", modules, [";video_codecs=vp8"; 2]);
    let ladder = last_ladder(&appliance);
    let sums: Vec<u32> = ladder
        .lines()
        .filter_map(|line| line.split("video ended: ").nth(1))
        .flat_map(|sum| sum.split(|c: char| !c.is_ascii_digit()).filter_map(|n| n.parse().ok()))
        .collect();
    // Packets in and out, on both legs.
    assert!(sums.len() == 4 && sums.iter().all(|packets| *packets > 10), "{ladder}");
}

const DTLS: &str = "module dtls_srtp.so\nrtcp_mux yes\n";
/// What a leg's timeline says of its keys.
const KEYS_OF_DTLS: &str = "with keys of DTLS";

/// Debian's baresip makes itself a certificate with an RSA key.
#[test]
fn a_desk_phone_with_dtls_srtp_and_an_rsa_certificate_talks_with_a_plain_one() {
    let appliance = talk("", DTLS, [";mediaenc=dtls_srtp", ""]);
    let ladder = last_ladder(&appliance);
    assert_eq!(ladder.matches(KEYS_OF_DTLS).count(), 1, "{ladder}");
}

/// The second one is called: it refuses plain audio, and takes our certificate beside the SDES keys.
#[test]
fn two_desk_phones_with_dtls_srtp_talk_also_the_one_that_is_called() {
    let appliance = talk("", DTLS, [";mediaenc=dtls_srtp"; 2]);
    let ladder = last_ladder(&appliance);
    assert_eq!(ladder.matches(KEYS_OF_DTLS).count(), 2, "{ladder}");
}
