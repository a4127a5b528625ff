//! Phones that have no codec in common: each hears the other's tone, whatever stands between.

use offhook_tests::baresip::{Baresip, Setup};
use offhook_tests::net::Net;
use offhook_tests::tone::assert_tone;

use crate::{last_events, office};

/// All that the appliance can translate, G.711 last.
const ALL: &str = "[media]\ncodecs = [\"opus\", \"G722\", \"PCMU\", \"PCMA\"]\n";

/// What a phone needs to have the codecs; its microphone and loudspeaker stay mono beside Opus.
const MODULES: &str = "module g722.so\nmodule opus.so\nausrc_channels 1\nauplay_channels 1\n";

/// Lets a phone call another; both must hear the other's tone. Gives the codecs
/// of the call's timeline.
fn talk(config: &str, caller: &str, callee: &str) -> Vec<String> {
    let appliance = office(Net::new(), config, &["101", "102"]);
    let auto = format!("{callee};answermode=auto");
    let one = Setup::of(&appliance, 3, "101").account(caller);
    let two = Setup::of(&appliance, 4, "102").tone(1000).account(&auto);
    let mut one = Baresip::registered(&Setup { config: MODULES, ..one });
    let mut two = Baresip::registered(&Setup { config: MODULES, ..two });
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
    let media = last_events(&appliance, "media");
    media.iter().filter_map(|e| Some(e["codec"].as_str()?.to_owned())).collect()
}

#[test]
fn a_phone_with_g722_talks_to_one_with_pcmu() {
    let codecs = talk(ALL, ";audio_codecs=g722/16000/1", ";audio_codecs=pcmu/8000/1");
    assert!(codecs.iter().any(|c| c == "G722") && codecs.iter().any(|c| c == "PCMU"), "{codecs:?}");
}

#[test]
fn a_phone_with_pcmu_talks_to_one_with_opus() {
    let codecs = talk(ALL, ";audio_codecs=pcmu/8000/1", ";audio_codecs=opus/48000/2");
    assert!(codecs.iter().any(|c| c == "opus") && codecs.iter().any(|c| c == "PCMU"), "{codecs:?}");
}

#[test]
fn a_phone_with_opus_talks_to_one_with_g722_in_packets_of_40_ms() {
    let codecs = talk(ALL, ";audio_codecs=opus/48000/2", ";ptime=40;audio_codecs=g722/16000/1");
    assert!(codecs.iter().any(|c| c == "opus") && codecs.iter().any(|c| c == "G722"), "{codecs:?}");
}

#[test]
fn two_phones_that_have_a_codec_in_common_use_it_though_the_operator_prefers_another() {
    let codecs = talk(
        ALL,
        ";audio_codecs=g722/16000/1,pcmu/8000/1",
        ";audio_codecs=pcma/8000/1,pcmu/8000/1",
    );
    assert!(codecs.iter().all(|c| c == "PCMU"), "{codecs:?}");
}
