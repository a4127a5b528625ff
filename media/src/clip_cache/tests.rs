use super::*;
use crate::wav::{Format, to_bytes};

fn write(path: &Path, samples: usize) {
    std::fs::write(path, to_bytes(Format::Pcm16, &vec![5; samples])).unwrap();
}

/// Names of files in a folder that goes with it.
fn files<const N: usize>(lengths: [usize; N]) -> (tempfile::TempDir, [PathBuf; N]) {
    let folder = tempfile::tempdir().unwrap();
    let mut n = 0;
    let paths = lengths.map(|samples| {
        n += 1;
        let path = folder.path().join(format!("{n}.wav"));
        write(&path, samples);
        path
    });
    (folder, paths)
}

/// A cache that keeps long files of four seconds, two at a time.
fn cache() -> Arc<ClipCache> {
    Arc::new(ClipCache::new(SHARE * 4 * Clip::SECOND))
}

/// Asks once, and waits until nothing is being decoded any more.
fn ask(cache: &Arc<ClipCache>, path: &Path, now: Instant) -> Option<Arc<Clip>> {
    let clip = cache.get_or_keep(path, now);
    while cache.keeping.load(Ordering::Acquire) {
        std::thread::yield_now();
    }
    clip
}

/// Whether a file is here when it is asked for a third time.
fn is_kept_when_asked_twice(cache: &Arc<ClipCache>, path: &Path, now: Instant) -> bool {
    assert!(ask(cache, path, now).is_none() && ask(cache, path, now).is_none());
    ask(cache, path, now).is_some()
}

#[test]
fn a_file_is_decoded_once_until_it_changes() {
    let (_folder, [path]) = files([100]);
    let cache = ClipCache::new(20_000);
    let first = cache.get(&path).unwrap();
    assert!(Arc::ptr_eq(&first, &cache.get(&path).unwrap()));
    // Longer than a short clip: it changes the room.
    write(&path, 200);
    assert_eq!(cache.get(&path).unwrap().samples().len(), 200);
    assert_eq!((cache.len(), cache.bytes()), (1, 1600));
    write(&path, 50);
    assert_eq!(cache.get(&path).unwrap().samples().len(), 50);
    assert_eq!((cache.len(), cache.bytes()), (1, 400));
}

#[test]
fn the_clip_used_longest_ago_makes_room() {
    let (_folder, paths) = files([100; 9]);
    // Eight short clips.
    let cache = ClipCache::new(2 * 8 * 800);
    let [first, second] = [0, 1].map(|n| cache.get(&paths[n]).unwrap());
    for path in &paths[2..8] {
        cache.get(path).unwrap();
    }
    assert!(Arc::ptr_eq(&first, &cache.get(&paths[0]).unwrap()));
    cache.get(&paths[8]).unwrap();
    assert!(Arc::ptr_eq(&first, &cache.get(&paths[0]).unwrap()));
    assert_eq!((cache.len(), cache.bytes()), (8, 6400));
    assert!(!Arc::ptr_eq(&second, &cache.get(&paths[1]).unwrap()), "it was decoded again");
}

#[test]
fn what_is_larger_than_its_room_passes_through() {
    let (_folder, [short, huge]) = files([100, 1000]);
    let cache = ClipCache::new(2 * 8 * 800 - 1);
    cache.get(&short).unwrap();
    let passes = cache.get(&huge).unwrap();
    assert_eq!(passes.samples().len(), 1000);
    assert_eq!(cache.len(), 1);
    assert!(passes.encoded_already(Law::Mu).is_none(), "nothing is made beforehand for nobody");
}

#[test]
fn long_clips_make_room_for_each_other_and_never_push_a_short_one_out() {
    let (_folder, [prompt, a, b, c]) = files([8000, 30_000, 31_000, 32_000]);
    let (cache, now) = (cache(), Instant::now());
    let kept = cache.get(&prompt).unwrap();
    assert!([&a, &b, &c].map(|path| is_kept_when_asked_twice(&cache, path, now)) == [true; 3]);
    assert!(Arc::ptr_eq(&kept, &cache.get(&prompt).unwrap()));
    assert_eq!(cache.bytes(), (8000 + 31_000 + 32_000) * 8, "two long ones");
    // However it is asked for.
    cache.get(&a).unwrap();
    assert!(Arc::ptr_eq(&kept, &cache.get(&prompt).unwrap()));
    assert_eq!(cache.bytes(), (8000 + 32_000 + 30_000) * 8);
    cache.get_fitting(&b).unwrap().unwrap();
    assert!(Arc::ptr_eq(&kept, &cache.get(&prompt).unwrap()));
    assert_eq!(cache.bytes(), (8000 + 30_000 + 31_000) * 8);
}

#[test]
fn one_file_is_decoded_behind_its_hearers_at_a_time() {
    let (_folder, [path]) = files([30_000]);
    let (cache, now) = (cache(), Instant::now());
    // As if another one were being decoded.
    cache.keeping.store(true, Ordering::Release);
    for _ in 0..3 {
        assert!(cache.get_or_keep(&path, now).is_none());
    }
    let known = lock(&cache.known).get(&path);
    assert!(matches!(known, Some((_, Known::Once))), "{known:?}");
    cache.keeping.store(false, Ordering::Release);
    assert!(ask(&cache, &path, now).is_none());
    assert!(ask(&cache, &path, now).is_some());
}

#[test]
fn a_long_file_is_decoded_behind_its_second_hearer_once_until_it_changes() {
    let (folder, [path]) = files([30_000]);
    let (cache, now) = (cache(), Instant::now());
    assert!(ask(&cache, &path, now).is_none() && cache.is_empty(), "once is not enough");
    assert!(ask(&cache, &path, now).is_none(), "not yet");
    let kept = ask(&cache, &path, now).unwrap();
    assert_eq!(kept.samples().len(), 30_000);
    assert!(Arc::ptr_eq(&kept, &ask(&cache, &path, now).unwrap()));
    assert!(Arc::ptr_eq(&kept, &cache.get(&path).unwrap()), "it is the same cache");
    for law in [Law::Mu, Law::A] {
        assert!(kept.encoded_already(law).is_some(), "no call has to encode it");
    }
    write(&path, 20_000);
    assert!(is_kept_when_asked_twice(&cache, &path, now), "it is another now");
    assert_eq!(ask(&cache, &path, now).unwrap().samples().len(), 20_000);
    assert!(ask(&cache, &folder.path().join("none.wav"), now).is_none());
}

#[test]
fn what_had_to_make_room_is_not_decoded_again_for_ten_minutes() {
    let (_folder, songs) = files([30_000, 30_001, 30_002, 30_003, 30_004, 30_005]);
    let (cache, now) = (cache(), Instant::now());
    for song in &songs {
        assert!(is_kept_when_asked_twice(&cache, song, now));
    }
    let held = cache.bytes();
    for _ in 0..3 {
        for song in &songs[..4] {
            assert!(ask(&cache, song, now + AGAIN - Duration::from_secs(1)).is_none());
        }
    }
    assert_eq!(cache.bytes(), held, "the last two are still there");
    assert!(ask(&cache, &songs[5], now).is_some());
    assert!(ask(&cache, &songs[0], now + AGAIN).is_none());
    assert!(ask(&cache, &songs[0], now + AGAIN).is_some());
}

#[test]
fn what_had_to_make_room_is_decoded_again_as_soon_as_many_ask() {
    let (_folder, [a, b, c]) = files([30_000, 30_001, 30_002]);
    let (cache, now) = (cache(), Instant::now());
    for path in [&a, &b, &c] {
        assert!(is_kept_when_asked_twice(&cache, path, now));
    }
    for _ in 0..MANY {
        assert!(ask(&cache, &a, now).is_none());
    }
    assert!(ask(&cache, &a, now).is_none());
    assert!(ask(&cache, &a, now).is_some());
}

#[test]
fn a_file_that_would_fill_the_cache_is_tried_once_and_not_kept() {
    let (_folder, [path]) = files([60_000]);
    let (cache, now) = (cache(), Instant::now());
    assert!(!is_kept_when_asked_twice(&cache, &path, now) && cache.is_empty());
    for _ in 0..=MANY {
        assert!(cache.get_or_keep(&path, now + 2 * AGAIN).is_none());
        assert!(!cache.keeping.load(Ordering::Acquire), "nor is it decoded again");
    }
    // Once it is shorter it is.
    write(&path, 30_000);
    assert!(is_kept_when_asked_twice(&cache, &path, now));
}

#[test]
fn a_file_that_could_not_be_read_for_a_moment_is_tried_again() {
    let (folder, [path]) = files([30_000]);
    let (cache, now) = (cache(), Instant::now());
    let stamp = Stamp::of(&path).unwrap();
    // As if it could not be opened, for want of descriptors.
    std::fs::rename(&path, folder.path().join("away.wav")).unwrap();
    cache.keep(&path, stamp, now);
    assert!(!cache.is_due(&path, stamp, now));
    assert!(cache.is_due(&path, stamp, now + RETRY));
    // What is broken stays so.
    write(&path, 0);
    let stamp = Stamp::of(&path).unwrap();
    cache.keep(&path, stamp, now);
    assert!(!cache.is_due(&path, stamp, now + 2 * AGAIN));
}

#[test]
fn a_missing_file_is_an_error_that_names_it() {
    let error = ClipCache::new(1).get(Path::new("/nowhere/x.wav")).unwrap_err();
    assert!(error.to_string().contains("/nowhere/x.wav"));
}

#[test]
fn a_small_file_that_plays_for_long_is_not_decoded_for_each_who_hears_it() {
    let (_folder, [fits, longer]) = files([30_000, 60_000]);
    let cache = cache();
    let kept = cache.get_fitting(&fits).unwrap().unwrap();
    assert!(Arc::ptr_eq(&kept, &cache.get_fitting(&fits).unwrap().unwrap()));
    assert!(cache.get_fitting(&longer).unwrap().is_none());
    // Remembered: a look at what is known needs no decoding.
    let known = lock(&cache.known).get(&longer);
    assert!(matches!(known, Some((_, Known::Never))), "{known:?}");
    assert!(cache.get_fitting(&longer).unwrap().is_none());
    write(&longer, 30_000);
    assert!(cache.get_fitting(&longer).unwrap().is_some());
    assert!(cache.get_fitting(Path::new("/nowhere/x.wav")).is_err());
}
