//! Files that somebody asked for just now. Whoever hears the same in a burst of calls waits for no
//! other thread to look at it again: those that may wait for a disk come after signalling, and where the
//! processor is short they come late.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use offhook_media::clip::Clip;
use offhook_media::sound::Part;
use offhook_sma::action::AudioSource;

use super::sounds::Loaded;

/// For so long after it was asked for a file is taken for unchanged: nobody records another meanwhile.
const UNCHANGED: Duration = Duration::from_millis(250);

/// Clips by what [`key`] calls them, and when they were asked for. What is older than [`UNCHANGED`]
/// goes as soon as another comes.
#[derive(Debug, Default)]
pub(super) struct Lately(Mutex<HashMap<String, (Instant, Arc<Clip>)>>);

/// What a file is called here; `None` for what is at hand anyway, or made anew each time.
pub(super) fn key(source: &AudioSource) -> Option<String> {
    match source {
        AudioSource::File { path } => Some(format!("file {path}")),
        AudioSource::S3 { bucket_name, key } => Some(format!("s3 {bucket_name}/{key}")),
        AudioSource::Builtin { .. } | AudioSource::Speech(_) | AudioSource::List { .. } => None,
    }
}

impl Lately {
    /// The clip when it is as good as unchanged.
    pub(super) fn get(&self, now: Instant, key: &str) -> Option<Loaded> {
        let files = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (asked, clip) = files.get(key)?;
        let fresh = now.saturating_duration_since(*asked) <= UNCHANGED;
        fresh.then(|| Loaded { parts: vec![Part::Clip(Arc::clone(clip))], notes: Vec::new() })
    }

    /// Takes note of what was asked for then. What is read while it plays is everybody's own.
    pub(super) fn note(&self, asked: Instant, key: String, loaded: &Loaded) {
        let ([Part::Clip(clip)], []) = (&*loaded.parts, &*loaded.notes) else { return };
        let mut files = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        files.retain(|_, (other, _)| asked.saturating_duration_since(*other) <= UNCHANGED);
        files.insert(key, (asked, Arc::clone(clip)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loaded(clip: &Arc<Clip>) -> Loaded {
        Loaded { parts: vec![Part::Clip(Arc::clone(clip))], notes: Vec::new() }
    }

    #[test]
    fn a_file_is_taken_for_unchanged_for_a_quarter_of_a_second_and_then_forgotten() {
        let (lately, begin) = (Lately::default(), Instant::now());
        let clip = Arc::new(Clip::from_samples(vec![1; 160]));
        assert!(lately.get(begin, "file a").is_none());
        lately.note(begin, "file a".to_owned(), &loaded(&clip));
        assert!(lately.get(begin + UNCHANGED, "file a").is_some());
        assert!(lately.get(begin, "s3 a").is_none(), "another");
        let later = begin + UNCHANGED + Duration::from_millis(1);
        assert!(lately.get(later, "file a").is_none());
        lately.note(later, "file b".to_owned(), &loaded(&clip));
        assert_eq!(lately.0.lock().unwrap().len(), 1, "nothing old is kept");
    }

    #[test]
    fn what_is_no_clip_or_has_something_to_be_told_is_asked_for_again() {
        let (lately, now) = (Lately::default(), Instant::now());
        let clip = Arc::new(Clip::from_samples(vec![1; 160]));
        let notes = vec!["spoken by another instead".to_owned()];
        lately.note(now, "file a".to_owned(), &Loaded { notes, ..loaded(&clip) });
        let parts = vec![Part::Silence(Duration::from_secs(1))];
        lately.note(now, "file b".to_owned(), &Loaded { parts, notes: Vec::new() });
        assert!(lately.get(now, "file a").is_none() && lately.get(now, "file b").is_none());
    }
}
