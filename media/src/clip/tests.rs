use std::path::{Path, PathBuf};
use std::time::Duration;

use super::*;
use crate::resample::tests::{level_of, sine};
use crate::wav::{Format, to_bytes};

/// Each holds 0.6 s of 1 kHz, 6 dB below full scale.
const SAMPLES: [(&str, &[u8]); 8] = [
    ("tone.mp3", include_bytes!("samples/tone.mp3")),
    ("tone.ogg", include_bytes!("samples/tone.ogg")),
    ("tone48-24.flac", include_bytes!("samples/tone48-24.flac")),
    ("tone-alaw.wav", include_bytes!("samples/tone-alaw.wav")),
    ("tone-ulaw-11k.wav", include_bytes!("samples/tone-ulaw-11k.wav")),
    ("tone-ima.wav", include_bytes!("samples/tone-ima.wav")),
    ("tone-float.wav", include_bytes!("samples/tone-float.wav")),
    ("tone-8bit.wav", include_bytes!("samples/tone-8bit.wav")),
];

#[test]
fn every_format_becomes_eight_kilohertz_mono() {
    for (name, bytes) in SAMPLES {
        let clip = decode_bytes(name, bytes).unwrap();
        let level = level_of(clip.samples(), 1000.0);
        assert!((level + 6.02).abs() < 0.5, "{name}: {level} dB");
        let seconds = clip.duration().as_secs_f64();
        assert!((0.59..0.66).contains(&seconds), "{name}: {seconds} s");
    }
}

#[test]
fn a_wrong_extension_does_not_mislead() {
    let (_, mp3) = SAMPLES[0];
    assert!(decode_bytes("greeting.wav", mp3).is_ok());
}

#[test]
fn our_own_files_come_back_as_they_were() {
    let samples: Vec<i16> = (0..1000).map(|n| n * 7).collect();
    let clip = decode_bytes("a.wav", to_bytes(Format::Pcm16, &samples)).unwrap();
    assert_eq!(clip.samples(), samples);
    for (format, codec) in [(Format::Pcmu, Law::Mu), (Format::Pcma, Law::A)] {
        let clip = decode_bytes("a.wav", to_bytes(format, &samples)).unwrap();
        let expected: Vec<i16> = samples.iter().map(|s| codec.decode(codec.encode(*s))).collect();
        assert_eq!(clip.samples(), expected);
    }
}

#[test]
fn stereo_is_mixed_without_getting_louder() {
    let mut frames = Vec::new();
    for sample in sine(8000, 500.0, 0.5, 0.9) {
        frames.extend(((sample * 32767.0) as i16).to_le_bytes());
        frames.extend(((sample * 32767.0) as i16).to_le_bytes());
    }
    let mut file = to_bytes(Format::Pcm16, &[]);
    file[22] = 2;
    file[28..32].copy_from_slice(&32_000u32.to_le_bytes());
    file[32] = 4;
    file[40..44].copy_from_slice(&(frames.len() as u32).to_le_bytes());
    file[4..8].copy_from_slice(&(36 + frames.len() as u32).to_le_bytes());
    file.extend(frames);
    let clip = decode_bytes("stereo.wav", file).unwrap();
    assert_eq!(clip.samples().len(), 4000);
    assert!((level_of(clip.samples(), 500.0) + 0.92).abs() < 0.3);
}

#[test]
fn the_g711_forms_are_made_once_and_match_the_samples() {
    let clip = Clip::from_samples(vec![0, 1000, -1000]);
    let first = clip.encoded(Law::Mu);
    assert!(Arc::ptr_eq(&first, &clip.encoded(Law::Mu)));
    assert_eq!(first[0], 0xff);
    assert_eq!(clip.encoded(Law::A)[0], 0xd5);
    assert_eq!(Clip::silence(Duration::from_millis(20)).samples(), [0; 160]);
}

#[test]
fn every_refusal_names_the_file() {
    let small = Limits { bytes: 100, seconds: 3600 };
    let short = Limits { bytes: 1_000_000, seconds: 1 };
    let long = to_bytes(Format::Pcm16, &[1; 8001]);
    let cases = [
        decode_bytes_with("x.wav", long.clone(), small).unwrap_err(),
        decode_bytes_with("x.wav", long, short).unwrap_err(),
        decode_bytes("x.wav", b"this is no audio at all, only words").unwrap_err(),
        decode_bytes("x.wav", b"").unwrap_err(),
        decode_bytes("x.wav", to_bytes(Format::Pcm16, &[])).unwrap_err(),
        decode(Path::new("/nowhere/x.wav")).unwrap_err(),
    ];
    assert!(matches!(cases[0], ClipError::TooLarge { .. }), "{}", cases[0]);
    assert!(matches!(cases[1], ClipError::TooLong { .. }), "{}", cases[1]);
    assert!(matches!(cases[2], ClipError::Format { .. }), "{}", cases[2]);
    assert!(matches!(cases[5], ClipError::Io { .. }), "{}", cases[5]);
    for error in cases {
        assert!(error.to_string().contains("x.wav"), "{error}");
    }
}

#[test]
fn a_directory_or_a_pipe_is_refused_without_waiting() {
    let directory = tempfile::tempdir().unwrap();
    assert!(matches!(decode(directory.path()), Err(ClipError::NotAFile { .. })));
    assert!(matches!(decode(&PathBuf::from("/dev/zero")), Err(ClipError::NotAFile { .. })));
}

#[test]
fn a_file_cut_anywhere_gives_what_is_there_or_an_error_but_never_a_panic() {
    for (name, bytes) in SAMPLES {
        for cut in (0..bytes.len()).step_by(bytes.len() / 24) {
            let _ = decode_bytes(name, &bytes[..cut]);
        }
        if name == "tone.ogg" {
            // All of it is one Ogg page, which is whole or nothing.
            continue;
        }
        let half = decode_bytes(name, &bytes[..bytes.len() * 3 / 4]).unwrap();
        assert!(half.duration() > Duration::from_millis(200), "{name}");
    }
}

#[test]
fn a_file_with_flipped_bytes_never_panics() {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for (name, bytes) in SAMPLES {
        for _ in 0..12 {
            let mut broken = bytes.to_vec();
            for _ in 0..4 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let at = (state >> 33) as usize % broken.len();
                broken[at] = (state >> 20) as u8;
            }
            let _ = decode_bytes_with(name, broken, Limits { bytes: 1_000_000, seconds: 10 });
        }
    }
}
