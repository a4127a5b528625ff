use std::sync::mpsc::{Receiver, channel};

use super::*;
use crate::clip::decode;
use crate::wav::WavWriter;

fn recorder() -> Recorder {
    Recorder::with(RecorderConfig { min_free: 0, ..RecorderConfig::default() }).unwrap()
}

/// A callback and where its result comes out.
fn done() -> (OnDone, Receiver<RecordingDone>) {
    let (sender, receiver) = channel();
    (Box::new(move |done| sender.send(done).unwrap()), receiver)
}

fn finished(handle: &RecordingHandle) -> RecordingDone {
    let (callback, result) = done();
    handle.finish(callback);
    result.recv().unwrap()
}

#[test]
fn what_was_pushed_is_in_the_file_when_the_callback_comes() {
    let directory = tempfile::tempdir().unwrap();
    let recorder = recorder();
    for (name, format) in [("a", Format::Pcm16), ("u", Format::Pcmu), ("l", Format::Pcma)] {
        let path = directory.path().join(name);
        let handle = recorder.create(&path, format).unwrap();
        for n in 0..50 {
            handle.push(&[n * 100; 160]);
        }
        handle.push(&[1; 333]);
        let done = finished(&handle);
        assert_eq!((done.samples, done.dropped, done.error.clone()), (8333, 0, None));
        assert_eq!(done.duration(), Duration::from_micros(8333 * 125));
        assert_eq!(decode(&path).unwrap().samples().len(), 8333);
        assert_eq!(finished(&handle), done, "a second finish hears the same");
    }
    assert_eq!(recorder.open(), 0);
}

#[test]
fn many_recordings_at_once_do_not_mix() {
    let directory = tempfile::tempdir().unwrap();
    let recorder = recorder();
    let path = |n: i16| directory.path().join(format!("{n}.wav"));
    let handles: Vec<RecordingHandle> =
        (0..20).map(|n| recorder.create(&path(n), Format::Pcm16).unwrap()).collect();
    for _ in 0..30 {
        for (n, handle) in handles.iter().enumerate() {
            handle.push(&[n as i16; 160]);
        }
    }
    for (n, handle) in handles.iter().enumerate() {
        let done = finished(handle);
        let clip = decode(&done.path).unwrap();
        assert_eq!(clip.samples().len() as u64 + done.dropped, 4800);
        assert!(clip.samples().iter().all(|s| *s == n as i16));
    }
}

#[test]
fn a_caller_who_hangs_up_still_leaves_the_message() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.wav");
    let recorder = recorder();
    let handle = recorder.create(&path, Format::Pcm16).unwrap();
    handle.push(&[9; 800]);
    drop(handle);
    drop(recorder);
    assert_eq!(decode(&path).unwrap().samples(), [9; 800]);
}

#[test]
fn the_port_finishes_the_file_and_the_call_hears_of_it_later() {
    let directory = tempfile::tempdir().unwrap();
    let recorder = recorder();
    let handle = recorder.create(&directory.path().join("a.wav"), Format::Pcmu).unwrap();
    let mut sink = handle.sink();
    sink.push(&[1; 160]);
    sink.finish();
    handle.push(&[1; 160]);
    assert_eq!(finished(&handle).samples, 160, "audio after the end is not taken");
}

#[test]
fn stopping_the_recorder_finishes_every_recording_and_calls_back() {
    let directory = tempfile::tempdir().unwrap();
    let recorder = recorder();
    let handle = recorder.create(&directory.path().join("a.wav"), Format::Pcm16).unwrap();
    handle.push(&[1; 160]);
    drop(recorder);
    assert_eq!(finished(&handle).samples, 160);
    handle.push(&[1; 160]);
}

#[test]
fn a_full_share_of_the_queue_drops_and_counts_but_never_blocks() {
    let directory = tempfile::tempdir().unwrap();
    let config = RecorderConfig { queue: 8, queue_per_recording: 4, min_free: 0 };
    let recorder = Recorder::with(config).unwrap();
    let handle = recorder.create(&directory.path().join("a.wav"), Format::Pcm16).unwrap();
    for _ in 0..2000 {
        handle.push(&[3; 160]);
    }
    let done = finished(&handle);
    assert_eq!(done.samples + done.dropped, 2000 * 160);
    assert_eq!(decode(&done.path).map_or(0, |c| c.samples().len()) as u64, done.samples);
}

#[test]
fn a_disk_without_room_refuses_the_recording() {
    let directory = tempfile::tempdir().unwrap();
    let config = RecorderConfig { min_free: u64::MAX, ..RecorderConfig::default() };
    let recorder = Recorder::with(config).unwrap();
    let path = directory.path().join("a.wav");
    let error = recorder.create(&path, Format::Pcm16).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    assert!(!path.exists());
    assert_eq!(RecordError::from(error), RecordError::DiskFull);
}

#[test]
fn a_disk_that_fails_ends_the_recording_and_not_the_recorder() {
    let directory = tempfile::tempdir().unwrap();
    let recorder = recorder();
    // Takes the header, then nothing: pages of this device cannot be written beyond that.
    let path = directory.path().join("a.wav");
    let writer = WavWriter::failing_after_header(&path, Format::Pcm16).unwrap();
    let handle = recorder.adopt(&path, AudioFile::Wav(writer), 1, false).unwrap();
    handle.push(&[1; 4000]);
    let done = finished(&handle);
    assert!(matches!(done.error, Some(RecordError::Io(_))), "{done:?}");
    assert_eq!(done.samples, 0);
    assert!(handle.failed());
    assert_eq!(recorder.open(), 0);
    assert_eq!(repair(&path).unwrap(), 0);
    let other = recorder.create(&directory.path().join("b.wav"), Format::Pcm16).unwrap();
    other.push(&[1; 160]);
    assert_eq!(finished(&other).error, None);
}

#[test]
fn a_push_that_meets_the_close_cannot_keep_the_recording_open() {
    let directory = tempfile::tempdir().unwrap();
    // The writer is turned by hand.
    let shared = Arc::new(Shared::default());
    let mut writer = writer::Recordings::new(Arc::clone(&shared));
    let config = RecorderConfig { min_free: 0, ..RecorderConfig::default() };
    let (queue, _jobs) = sync_channel(8);
    let recorder = Recorder { config, queue, shared, thread: None };
    let handle = recorder.create(&directory.path().join("a"), Format::Pcm16).unwrap();
    // A push has counted its frame when the close comes ...
    handle.handle.inner.waiting.fetch_add(1, Ordering::SeqCst);
    let (callback, result) = done();
    handle.finish(callback);
    writer.look();
    assert!(result.try_recv().is_err(), "one frame may still come");
    // ... sees it, and takes the frame back.
    handle.handle.inner.waiting.fetch_sub(1, Ordering::SeqCst);
    writer.look();
    assert_eq!(result.try_recv().unwrap().error, None);
    assert_eq!(recorder.open(), 0);
}
