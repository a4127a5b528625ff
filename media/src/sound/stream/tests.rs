use super::*;
use crate::wav::{Format, to_bytes};

/// Reads so much; `more` is called when nothing is there.
fn hear(
    stream: &mut Stream,
    mut at: u64,
    count: usize,
    mut more: impl FnMut(),
) -> (Vec<i16>, bool) {
    let mut heard = Vec::new();
    while heard.len() < count {
        let mut room = vec![0; (count - heard.len()).min(160)];
        let (n, next) = stream.read(at, Rate::Narrow, &mut room);
        heard.extend_from_slice(&room[..n]);
        at += n as u64;
        match next {
            More::Ready => {}
            More::Late => more(),
            More::End => return (heard, true),
        }
    }
    (heard, false)
}

fn place() -> Place {
    Place::of(&Arc::default(), 1).unwrap()
}

fn file(samples: &[i16]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("long.wav");
    std::fs::write(&path, to_bytes(Format::Pcm16, samples)).unwrap();
    (folder, path)
}

#[test]
fn a_file_is_heard_whole_again_without_a_gap_and_from_wherever_is_wanted() {
    let samples: Vec<i16> = (0..50_000).map(|n| (n % 30_011) as i16).collect();
    let (_folder, path) = file(&samples);
    let (mut stream, mut job) = connect(&path, place()).unwrap();
    let mut feed = || assert_eq!(job.feed().unwrap(), Fed::Sent);
    let (heard, over) = hear(&mut stream, 0, 50_000, &mut feed);
    assert!(over && heard == samples);
    // It begins again without being told.
    let mut fed = 0;
    let (heard, _) = hear(&mut stream, 0, 1600, || {
        fed += 1;
        feed();
    });
    assert_eq!((heard.as_slice(), fed), (&samples[..1600], 1));
    for from in [30_000u64, 5, 49_990, 49_000] {
        let (heard, _) = hear(&mut stream, from, 500, &mut feed);
        let from = from as usize;
        assert_eq!(heard, samples[from..(from + 500).min(50_000)], "from {from}");
    }
    assert_eq!(hear(&mut stream, 70_000, 10, &mut feed), (Vec::new(), true));
}

#[test]
fn the_thread_reads_ahead_and_takes_many_at_a_time() {
    let samples: Vec<i16> = (0..40_000).map(|n| (n % 20_011) as i16).collect();
    let (_folder, path) = file(&samples);
    let streams = Streams::start().unwrap();
    let mut all: Vec<Stream> = (0..20).map(|_| streams.open(&path).unwrap()).collect();
    for stream in &mut all {
        // The first second is there at once.
        let (heard, _) = hear(stream, 0, BUFFERS * CHUNK, || panic!("late"));
        assert_eq!(heard, samples[..BUFFERS * CHUNK]);
    }
    for stream in &mut all {
        let (heard, over) = hear(stream, 9600, 40_000, std::thread::yield_now);
        assert!(over && heard == samples[9600..]);
    }
    assert!(streams.open(Path::new("/nowhere/x.wav")).is_err());
}

#[test]
fn one_stream_too_many_is_refused_and_not_broken_off_until_another_one_ends() {
    let samples: Vec<i16> = (0..20_000).map(|n| (n % 19_001) as i16).collect();
    let (_folder, path) = file(&samples);
    let streams = Streams::start_for(8).unwrap();
    for _ in 0..9 {
        let error = streams.open(Path::new("/nowhere/x.wav")).unwrap_err();
        assert!(!error.to_string().contains("too many"), "it takes nobody's place: {error}");
    }
    let mut all: Vec<Stream> = (0..8).map(|_| streams.open(&path).unwrap()).collect();
    let error = streams.open(&path).unwrap_err();
    assert!(error.to_string().contains("too many long files"), "{error}");
    let (heard, over) = hear(&mut all[7], 0, 20_000, std::thread::yield_now);
    assert!(over && heard == samples);
    all.pop();
    while streams.open.load(Ordering::Relaxed) == 8 {
        std::thread::yield_now();
    }
    all.push(streams.open(&path).unwrap());
}

#[test]
fn a_stream_that_nobody_hears_any_more_is_closed() {
    let (_folder, path) = file(&[7; 20_000]);
    let (stream, mut job) = connect(&path, place()).unwrap();
    while job.feed().unwrap() == Fed::Sent {}
    assert_eq!(job.feed().unwrap(), Fed::Full);
    drop(stream);
    // The buffers that wait go first.
    assert_eq!(job.feed().unwrap(), Fed::Gone);
}
