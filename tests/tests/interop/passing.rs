//! What two phones have and we have not: their own codec, and video.

use offhook_tests::appliance::Appliance;
use offhook_tests::net::Net;

use crate::pki::Authority;
use crate::{codecs_of, last_events, last_ladder, understood, understood_at};

/// Codecs that the appliance does not have.
const FOREIGN: &str = "module gsm.so\nmodule l16.so\n";

#[test]
fn two_phones_with_a_codec_of_their_own_hear_each_other() {
    let appliance = understood("", FOREIGN, [";audio_codecs=gsm/8000/1"; 2]);
    let codecs = codecs_of(&appliance);
    assert!(!codecs.is_empty() && codecs.iter().all(|codec| codec == "GSM"), "{codecs:?}");
}

#[test]
fn a_codec_of_ours_is_used_where_both_have_one_beside_their_own() {
    let accounts = [";audio_codecs=gsm/8000/1,pcmu/8000/1", ";audio_codecs=pcma/8000/1"];
    let appliance = understood("", FOREIGN, accounts);
    assert!(codecs_of(&appliance).iter().all(|codec| codec == "PCMU" || codec == "PCMA"));
}

#[test]
fn two_phones_with_cameras_see_each_other() {
    let modules = "module vp8.so\nmodule fakevideo.so\nvideo_source fakevideo,nil\n\
                   video_display fakevideo,nil\nvideo_size 176x144\nvideo_fps 10\n";
    let appliance = understood("", modules, [";video_codecs=vp8"; 2]);
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
    let appliance = understood("", DTLS, [";mediaenc=dtls_srtp", ""]);
    let ladder = last_ladder(&appliance);
    assert_eq!(ladder.matches(KEYS_OF_DTLS).count(), 1, "{ladder}");
}

/// The second one is called: it refuses plain audio, and takes our certificate beside the SDES keys.
#[test]
fn two_desk_phones_with_dtls_srtp_talk_also_the_one_that_is_called() {
    let appliance = understood("", DTLS, [";mediaenc=dtls_srtp"; 2]);
    let ladder = last_ladder(&appliance);
    assert_eq!(ladder.matches(KEYS_OF_DTLS).count(), 2, "{ladder}");
}

const ICE: &str = "module dtls_srtp.so\nmodule ice.so\nrtcp_mux yes\n";
/// Such a phone's account.
const OVER_ICE: &str = ";mediaenc=dtls_srtp;medianat=ice";

/// With the port for legs with ICE, which is open where pages are let in.
#[test]
fn a_desk_phone_with_ice_and_an_rsa_certificate_talks_with_a_plain_one() {
    let net = Net::new();
    let folder = tempfile::tempdir().expect("a folder");
    let ca = Authority::new(folder.path(), "ca");
    ca.issue(net.appliance());
    let config = ca.webrtc(net.appliance());
    let appliance = understood_at(net, &config, ICE, [OVER_ICE, ""]);
    let media = last_events(&appliance, "media");
    for (key, value) in [("remote", "by ICE"), ("protection", "RTP/AVP")] {
        assert!(media.iter().any(|event| event[key] == value), "{media:?}");
    }
    assert!(last_ladder(&appliance).contains("the phone is at "), "{}", last_ladder(&appliance));
}

const ICE_ALONE: &str = "module ice.so\n";

/// What the timeline says of the legs of the newest call: by ICE, or an address.
fn by_ice(appliance: &Appliance) -> usize {
    let media = last_events(appliance, "media");
    let mut by_ice: Vec<_> =
        media.iter().filter(|e| e["remote"] == "by ICE").map(|e| e["leg"].to_string()).collect();
    by_ice.sort();
    by_ice.dedup();
    by_ice.len()
}

/// baresip with ICE says nothing and hears nothing before its checks were answered.
#[test]
fn a_desk_phone_with_ice_and_plain_audio_talks_with_one_that_has_none_whoever_calls() {
    for accounts in [[";medianat=ice", ""], ["", ";medianat=ice"]] {
        let appliance = understood("", ICE_ALONE, accounts);
        assert_eq!(by_ice(&appliance), 1, "{}", last_ladder(&appliance));
    }
}

#[test]
fn two_desk_phones_with_ice_talk_also_with_rtcp_on_the_port_of_rtp() {
    let modules = format!("{ICE_ALONE}rtcp_mux yes\n");
    let appliance = understood("", &modules, [";medianat=ice"; 2]);
    assert_eq!(by_ice(&appliance), 2, "{}", last_ladder(&appliance));
}

#[test]
fn two_desk_phones_with_ice_and_keys_of_sdes_talk() {
    let appliance = understood("", ICE_ALONE, [";medianat=ice;mediaenc=srtp-mand"; 2]);
    let media = last_events(&appliance, "media");
    assert!(media.iter().any(|e| e["protection"].as_str().unwrap_or("").starts_with("RTP/SAVP ")));
    assert_eq!(by_ice(&appliance), 2, "{}", last_ladder(&appliance));
}
