use super::*;
use crate::clip::decode_bytes;

const FORMATS: [Format; 3] = [Format::Pcm16, Format::Pcmu, Format::Pcma];

/// What the header promises must lie in the file.
fn assert_promises_kept(bytes: &[u8]) {
    let (layout, promised) = read_header(bytes).unwrap();
    assert!(layout.header_len() as u64 + promised <= bytes.len() as u64);
    let riff = u32::from_le_bytes(bytes[4..8].try_into().unwrap());
    // RIFF counts the padding byte, which the end of a recording adds.
    assert!(u64::from(riff) + 8 <= bytes.len() as u64 + promised % 2);
}

#[test]
fn a_finished_recording_is_read_back_by_the_decoder() {
    for format in FORMATS {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.wav");
        let mut writer = WavWriter::create(&path, format).unwrap();
        for piece in 0..10 {
            writer.append(&vec![piece * 100; 161]).unwrap();
        }
        writer.append(&[7]).unwrap();
        assert_eq!(writer.finish().unwrap(), 1611);
        let bytes = std::fs::read(&path).unwrap();
        assert_eq!(bytes.len() % 2, 0);
        assert_eq!(decode_bytes("a.wav", bytes).unwrap().samples().len(), 1611);
        assert_eq!(repair(&path).unwrap(), WavInfo { layout: format.into(), samples: 1611 });
    }
}

#[test]
fn an_existing_file_is_never_overwritten() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.wav");
    std::fs::write(&path, "precious").unwrap();
    assert!(WavWriter::create(&path, Format::Pcm16).is_err());
    assert_eq!(std::fs::read(&path).unwrap(), b"precious");
}

#[test]
fn the_file_is_right_after_each_append_without_finish() {
    for format in FORMATS {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.wav");
        let mut writer = WavWriter::create(&path, format).unwrap();
        assert_promises_kept(&std::fs::read(&path).unwrap());
        for count in 1..=20 {
            writer.append(&[1000; 41]).unwrap();
            let bytes = std::fs::read(&path).unwrap();
            assert_promises_kept(&bytes);
            assert_eq!(decode_bytes("a.wav", bytes).unwrap().samples().len(), 41 * count);
        }
    }
}

/// `kill -9` between the audio and the header: the state of the disk in each step of an append.
#[test]
fn a_kill_between_audio_and_header_leaves_a_right_file_that_repair_completes() {
    for format in FORMATS {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.wav");
        let before = to_bytes(format, &[500; 40]);
        let whole = to_bytes(format, &[500; 60]);
        for audio in before.len()..=whole.len() {
            let mut torn = whole[..audio].to_vec();
            torn[..Layout::from(format).header_len()]
                .copy_from_slice(&before[..Layout::from(format).header_len()]);
            assert_promises_kept(&torn);
            assert_eq!(decode_bytes("a.wav", torn.clone()).unwrap().samples().len(), 40);
            std::fs::write(&path, &torn).unwrap();
            let width = usize::from(format.sample_bytes());
            let samples = (audio - Layout::from(format).header_len()) / width;
            assert_eq!(repair(&path).unwrap().samples, samples as u64);
        }
    }
}

#[test]
fn a_file_cut_at_any_byte_is_repaired_to_what_is_there() {
    for format in FORMATS {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.wav");
        let whole = to_bytes(format, &(0..101).map(|n| n * 50).collect::<Vec<_>>());
        for cut in 0..whole.len() {
            std::fs::write(&path, &whole[..cut]).unwrap();
            let info = repair(&path).unwrap();
            let audio = cut.saturating_sub(Layout::from(format).header_len());
            assert_eq!(info.samples, (audio / usize::from(format.sample_bytes())).min(101) as u64);
            let bytes = std::fs::read(&path).unwrap();
            assert_promises_kept(&bytes);
            if info.samples > 0 {
                let clip = decode_bytes("a.wav", bytes).unwrap();
                assert_eq!(clip.samples().len() as u64, info.samples, "cut at {cut}");
            }
            assert_eq!(repair(&path).unwrap().samples, info.samples, "repair is idempotent");
        }
    }
}

#[test]
fn a_foreign_file_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.wav");
    for foreign in
        [&b"ID3 some mp3 that is long enough to hold a whole header of ours ......"[..], b"RIFX"]
    {
        std::fs::write(&path, foreign).unwrap();
        assert_eq!(repair(&path).unwrap_err().kind(), io::ErrorKind::InvalidData);
        assert_eq!(std::fs::read(&path).unwrap(), foreign);
    }
    assert!(repair(&directory.path().join("missing.wav")).is_err());
}

#[test]
fn a_failed_append_leaves_what_was_promised() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.wav");
    let mut writer = WavWriter::create(&path, Format::Pcm16).unwrap();
    writer.append(&[1; 80]).unwrap();
    writer.file = File::open(&path).unwrap();
    assert!(writer.append(&[1; 80]).is_err());
    assert_eq!(writer.samples(), 80);
    assert_eq!(repair(&path).unwrap().samples, 80);
}

#[test]
fn two_channels_are_told_by_the_header_and_kept_apart() {
    for format in FORMATS {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.wav");
        let layout = Layout { format, channels: 2 };
        let mut writer = WavWriter::create(&path, layout).unwrap();
        writer.append(&[1000, -2000].repeat(333)).unwrap();
        assert_eq!(writer.samples(), 333);
        let bytes = std::fs::read(&path).unwrap();
        assert_promises_kept(&bytes);
        // Block, and bytes a second.
        let width = format.sample_bytes();
        assert_eq!(bytes[32..34], (width * 2).to_le_bytes());
        assert_eq!(bytes[28..32], (u32::from(width) * 2 * RATE).to_le_bytes());
        drop(writer);
        // Killed between two channels: half a pair is no sample.
        let audio = layout.header_len() as u64;
        let file = OpenOptions::new().write(true).open(&path).unwrap();
        file.set_len(audio + u64::from(layout.block()) * 300 + u64::from(width)).unwrap();
        assert_eq!(repair(&path).unwrap(), WavInfo { layout, samples: 300 });
    }
}
