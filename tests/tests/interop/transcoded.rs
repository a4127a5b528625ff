//! Phones that have no codec in common: each hears the other's tone, whatever stands between.

use crate::{codecs_of, understood};

/// All that the appliance can translate, G.711 last.
const ALL: &str = "[media]\ncodecs = [\"opus\", \"G722\", \"PCMU\", \"PCMA\"]\n";

/// What a phone needs to have the codecs; its microphone and loudspeaker stay mono beside Opus.
const MODULES: &str = "module g722.so\nmodule opus.so\nausrc_channels 1\nauplay_channels 1\n";

/// The codecs of a call of two phones that have understood each other.
fn talk(caller: &str, callee: &str) -> Vec<String> {
    codecs_of(&understood(ALL, MODULES, [caller, callee]))
}

#[test]
fn a_phone_with_g722_talks_to_one_with_pcmu() {
    let codecs = talk(";audio_codecs=g722/16000/1", ";audio_codecs=pcmu/8000/1");
    assert!(codecs.iter().any(|c| c == "G722") && codecs.iter().any(|c| c == "PCMU"), "{codecs:?}");
}

#[test]
fn a_phone_with_pcmu_talks_to_one_with_opus() {
    let codecs = talk(";audio_codecs=pcmu/8000/1", ";audio_codecs=opus/48000/2");
    assert!(codecs.iter().any(|c| c == "opus") && codecs.iter().any(|c| c == "PCMU"), "{codecs:?}");
}

#[test]
fn a_phone_with_opus_talks_to_one_with_g722_in_packets_of_40_ms() {
    let codecs = talk(";audio_codecs=opus/48000/2", ";ptime=40;audio_codecs=g722/16000/1");
    assert!(codecs.iter().any(|c| c == "opus") && codecs.iter().any(|c| c == "G722"), "{codecs:?}");
}

#[test]
fn two_phones_that_have_a_codec_in_common_use_it_though_the_operator_prefers_another() {
    let codecs =
        talk(";audio_codecs=g722/16000/1,pcmu/8000/1", ";audio_codecs=pcma/8000/1,pcmu/8000/1");
    assert!(codecs.iter().all(|c| c == "PCMU"), "{codecs:?}");
}
