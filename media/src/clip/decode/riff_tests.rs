//! Odd WAV files, each with the same second of a tone.

use super::super::decode_bytes;
use crate::g711::Law;

const RATE: u32 = 8000;

fn tone() -> Vec<i16> {
    (0..RATE).map(|n| if n / 4 % 2 == 0 { 8000 } else { -8000 }).collect()
}

fn pcm() -> Vec<u8> {
    tone().iter().flat_map(|sample| sample.to_le_bytes()).collect()
}

fn law(law: Law) -> Vec<u8> {
    tone().into_iter().map(|sample| law.encode(sample)).collect()
}

fn format(tag: u16, bits: u16) -> Vec<u8> {
    let block = bits / 8;
    let mut format = Vec::new();
    format.extend(tag.to_le_bytes());
    format.extend(1u16.to_le_bytes());
    format.extend(RATE.to_le_bytes());
    format.extend((RATE * u32::from(block)).to_le_bytes());
    format.extend(block.to_le_bytes());
    format.extend(bits.to_le_bytes());
    format
}

/// `WAVE_FORMAT_EXTENSIBLE` with this tag in its sub-format.
fn extensible(tag: u16, bits: u16) -> Vec<u8> {
    let mut format = format(0xfffe, bits);
    format.extend(22u16.to_le_bytes());
    format.extend(bits.to_le_bytes());
    format.extend(4u32.to_le_bytes());
    format.extend(tag.to_le_bytes());
    format.extend([0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xaa, 0, 0x38, 0x9b, 0x71]);
    format
}

fn chunk(name: &[u8], body: &[u8], length: Option<u32>) -> Vec<u8> {
    let length = length.unwrap_or(u32::try_from(body.len()).unwrap());
    let pad: &[u8] = if body.len() % 2 == 1 { &[0] } else { &[] };
    [name, &length.to_le_bytes(), body, pad].concat()
}

fn file(magic: &[u8], length: Option<u32>, chunks: &[Vec<u8>]) -> Vec<u8> {
    let body = chunks.concat();
    let length = length.unwrap_or(u32::try_from(body.len() + 4).unwrap());
    [magic, &length.to_le_bytes(), b"WAVE", &body].concat()
}

fn riff(chunks: &[Vec<u8>]) -> Vec<u8> {
    file(b"RIFF", None, chunks)
}

#[test]
fn a_wav_file_that_is_written_oddly_is_played_all_the_same() {
    let plain = || chunk(b"fmt ", &format(1, 16), None);
    let data = |body: &[u8]| chunk(b"data", body, None);
    let note = b"INFOISFT\x05\0\0\0Lavf\0";
    let (mu, a, pcm) = (law(Law::Mu), law(Law::A), pcm());
    let files = [
        ("extensible mu-law", riff(&[chunk(b"fmt ", &extensible(7, 8), None), data(&mu)])),
        ("extensible A-law", riff(&[chunk(b"fmt ", &extensible(6, 8), None), data(&a)])),
        ("extensible PCM", riff(&[chunk(b"fmt ", &extensible(1, 16), None), data(&pcm)])),
        ("mu-law without a size", riff(&[chunk(b"fmt ", &format(7, 8), None), data(&mu)])),
        ("A-law without a size", riff(&[chunk(b"fmt ", &format(6, 8), None), data(&a)])),
        ("odd notes", riff(&[chunk(b"LIST", note, None), plain(), data(&pcm)])),
        ("data first", riff(&[data(&pcm), plain()])),
        ("no lengths", file(b"RIFF", Some(0), &[plain(), chunk(b"data", &pcm, Some(0))])),
        (
            "RF64",
            file(
                b"RF64",
                Some(u32::MAX),
                &[chunk(b"ds64", &[0; 28], None), plain(), chunk(b"data", &pcm, Some(u32::MAX))],
            ),
        ),
        ("plain", riff(&[plain(), data(&pcm)])),
    ];
    for (what, bytes) in files {
        let clip = decode_bytes("a.wav", bytes).unwrap_or_else(|error| panic!("{what}: {error}"));
        let samples = clip.samples();
        assert_eq!(samples.len(), 8000, "{what}");
        let wrong = samples.iter().zip(tone()).filter(|(is, was)| (**is - was).abs() > 400);
        assert_eq!(wrong.count(), 0, "{what}");
    }
}

/// `ds64` of EBU Tech 3306: the lengths of the file and of `data`, how many samples, no table.
fn ds64(data: u64) -> Vec<u8> {
    let body = [&(data + 80).to_le_bytes()[..], &data.to_le_bytes(), &8000u64.to_le_bytes()];
    chunk(b"ds64", &[&body.concat()[..], &[0; 4]].concat(), None)
}

#[test]
fn notes_behind_the_samples_of_a_long_wav_file_are_not_played() {
    let pcm = pcm();
    let notes =
        [chunk(b"bext", &[0x55; 602], None), chunk(b"LIST", b"INFOISFT\x04\0\0\0Lavf", None)];
    let length = u64::try_from(pcm.len()).unwrap();
    for magic in [b"RF64", b"BW64"] {
        let chunks = [
            &[ds64(length), chunk(b"fmt ", &format(1, 16), None)][..],
            &[chunk(b"data", &pcm, Some(u32::MAX))],
            &notes,
        ];
        let clip = decode_bytes("a.wav", file(magic, Some(u32::MAX), &chunks.concat())).unwrap();
        assert_eq!(clip.samples().len(), 8000);
    }
    // One that says more than there is: what is there.
    for told in [length * 2, u64::MAX - 80] {
        let chunks = [
            ds64(told),
            chunk(b"fmt ", &format(1, 16), None),
            chunk(b"data", &pcm, Some(u32::MAX)),
        ];
        let clip = decode_bytes("a.wav", file(b"RF64", Some(u32::MAX), &chunks)).unwrap();
        assert_eq!(clip.samples().len(), 8000);
    }
}

#[test]
fn a_wav_file_of_a_known_length_whose_samples_are_none_is_not_its_notes() {
    let plain = || chunk(b"fmt ", &format(1, 16), None);
    let chunks = [plain(), chunk(b"data", &[], None), chunk(b"bext", &[0x55; 602], None)];
    let length = |bytes| decode_bytes("a.wav", bytes).map_or(0, |clip| clip.samples().len());
    assert_eq!(length(riff(&chunks)), 0);
    let piped = |whole| file(b"RIFF", Some(whole), &[plain(), chunk(b"data", &pcm(), Some(0))]);
    assert_eq!([0, u32::MAX].map(|whole| length(piped(whole))), [8000, 8000]);
}

#[test]
fn a_wav_file_that_makes_no_sense_is_refused_with_words_and_no_panic() {
    let whole = riff(&[
        chunk(b"LIST", b"INFO", None),
        chunk(b"fmt ", &extensible(7, 8), None),
        chunk(b"data", &law(Law::Mu), None),
    ]);
    for length in (0..120).chain([whole.len() - 1]) {
        let _ = decode_bytes("a.wav", whole[..length].to_vec());
    }
    for at in 0..100 {
        for value in [0, 1, 0x7f, 0xff] {
            let mut bytes = whole.clone();
            bytes[at] = value;
            let _ = decode_bytes("a.wav", bytes);
        }
    }
    let error = decode_bytes("a.wav", riff(&[chunk(b"LIST", b"INFO", None)])).unwrap_err();
    assert!(error.to_string().starts_with("a.wav: not audio that can be read"), "{error}");
}
