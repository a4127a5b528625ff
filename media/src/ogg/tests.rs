use opus_pure::{OggOpusReader, OpusDecoder, Trim};

use super::*;

/// A sine of so many samples at this frequency.
fn sine(frequency: f64, count: usize) -> Vec<i16> {
    let step = frequency / f64::from(RATE) * std::f64::consts::TAU;
    (0..count).map(|n| ((n as f64 * step).sin() * 8000.0) as i16).collect()
}

/// Reads a file with the library's own reader: one list of samples per channel.
fn read(path: &Path) -> Vec<Vec<i16>> {
    let mut reader = OggOpusReader::new(File::open(path).unwrap()).unwrap();
    let head = reader.head().clone();
    let channels = usize::from(head.channel_count);
    assert_eq!((head.stream_count, head.coupled_count), (head.channel_count, 0));
    let rate = RATE.cast_signed();
    let mut decoders: Vec<OpusDecoder> =
        (0..channels).map(|_| OpusDecoder::new(rate, 1).unwrap()).collect();
    let mut trims: Vec<Trim> = (0..channels).map(|_| Trim::new(&head, rate, 1).unwrap()).collect();
    let mut audio = vec![Vec::new(); channels];
    while let Some(packet) = reader.read_packet().unwrap() {
        let mut data = &packet.data[..];
        for channel in 0..channels {
            // One frame a packet: type, length (where another stream follows), frame.
            let one = if channel + 1 == channels {
                data.to_vec()
            } else {
                assert_eq!(data[0] & 3, 0, "one frame");
                let (length, skip) = match data[1] {
                    n @ ..252 => (usize::from(n), 2),
                    n => (usize::from(n) + 4 * usize::from(data[2]), 3),
                };
                let one = [&data[..1], &data[skip..skip + length]].concat();
                data = &data[skip + length..];
                one
            };
            let mut samples = vec![0; FRAME];
            let n = decoders[channel].decode_s16(&one, FRAME, &mut samples).unwrap();
            assert_eq!(n, FRAME);
            audio[channel].extend_from_slice(trims[channel].keep(&packet, &samples));
        }
    }
    audio
}

/// Where a loud sound begins.
fn onset(samples: &[i16]) -> usize {
    samples.iter().position(|s| s.unsigned_abs() > 3000).unwrap_or(samples.len())
}

#[test]
fn what_was_recorded_comes_out_as_long_and_at_its_place() {
    let directory = tempfile::tempdir().unwrap();
    for count in [1, 159, 160, 161, 8000, 8001, 20_011] {
        let path = directory.path().join(format!("{count}.ogg"));
        let mut writer = OggWriter::create(&path, 1).unwrap();
        for piece in sine(440.0, count).chunks(317) {
            writer.append(piece).unwrap();
        }
        assert_eq!(writer.finish().unwrap(), count as u64);
        assert_eq!(read(&path)[0].len(), count);
        assert_eq!(repair(&path).unwrap(), count as u64, "a finished file needs no repair");
    }
    let path = directory.path().join("late.ogg");
    let mut writer = OggWriter::create(&path, 1).unwrap();
    writer.append(&[vec![0; 4000], sine(1000.0, 4000)].concat()).unwrap();
    writer.finish().unwrap();
    let at = onset(&read(&path)[0]);
    assert!((3960..4040).contains(&at), "{at}");
}

#[test]
fn one_side_is_not_heard_on_the_other() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.ogg");
    let mut writer = OggWriter::create(&path, 2).unwrap();
    let both: Vec<i16> = sine(440.0, 16_000).into_iter().flat_map(|s| [s, 0]).collect();
    writer.append(&both).unwrap();
    assert_eq!(writer.finish().unwrap(), 16_000);
    let audio = read(&path);
    let loudest = |side: &[i16]| side.iter().map(|s| s.unsigned_abs()).max().unwrap();
    assert!(loudest(&audio[0]) > 7000);
    assert!(loudest(&audio[1]) < 10, "{}", loudest(&audio[1]));
}

#[test]
fn the_file_is_right_after_each_second_without_finish() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.ogg");
    let mut writer = OggWriter::create(&path, 2).unwrap();
    assert_eq!(read(&path)[0].len(), 0);
    for second in 1..=5 {
        writer.append(&vec![700; 16_000]).unwrap();
        // The encoder's delay comes off at the front.
        let behind = 8000 * second - read(&path)[0].len();
        assert!(behind <= 160, "{behind}");
    }
}

#[test]
fn a_file_cut_at_any_byte_is_repaired_to_its_whole_pages() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.ogg");
    let mut writer = OggWriter::create(&path, 2).unwrap();
    writer.append(&sine(440.0, 40_000)).unwrap();
    writer.finish().unwrap();
    let whole = std::fs::read(&path).unwrap();
    let headers = {
        let file = File::open(&path).unwrap();
        let mut scan = Scan::new(&file).unwrap();
        scan.next_page().unwrap().unwrap();
        scan.next_page().unwrap().unwrap();
        scan.position() as usize
    };
    let mut lengths = Vec::new();
    for cut in (headers..whole.len()).step_by(97) {
        std::fs::write(&path, &whole[..cut]).unwrap();
        let samples = repair(&path).unwrap();
        assert_eq!(read(&path)[0].len() as u64, samples);
        assert_eq!(repair(&path).unwrap(), samples, "repaired once and for all");
        lengths.push(samples);
    }
    lengths.dedup();
    assert_eq!(lengths.len(), 3, "nothing, one second, two: {lengths:?}");
}

#[test]
fn what_is_no_recording_of_ours_is_not_touched() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.ogg");
    for content in [&b""[..], b"OggS", b"RIFF....WAVEfmt "] {
        std::fs::write(&path, content).unwrap();
        assert_eq!(repair(&path).unwrap_err().kind(), io::ErrorKind::InvalidData);
        assert_eq!(std::fs::read(&path).unwrap(), content);
    }
}

#[test]
fn a_last_page_without_room_leaves_those_before_it_with_the_end_marked() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.ogg");
    let mut writer = OggWriter::create(&path, 1).unwrap();
    writer.append(&sine(440.0, 16_000)).unwrap();
    let whole = writer.length;
    writer.append(&sine(440.0, 100)).unwrap();
    // The disk took half of the next page.
    writer.file.write_all_at(&[1; 100], whole).unwrap();
    writer.page = Page::default();
    writer.rest.clear();
    writer.taken = writer.coded;
    assert!(writer.finish().is_ok());
    assert!(read(&path)[0].len() >= 15_900);
}
