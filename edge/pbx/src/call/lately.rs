//! Files that somebody asked for just now. Whoever hears the same in a burst of calls waits for no
//! other thread to read it again: those that may wait for a disk come after signalling, and where the
//! processor is short they come late. That the file is still the same is seen by its stamp, which a
//! call's own thread may ask for: the file was read a moment ago.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use offhook_media::clip::Clip;
use offhook_media::sound::Part;
use offhook_media::stamp::Stamp;
use offhook_sma::action::AudioSource;

use super::sounds::{Loaded, Sounds, prompt_of};
use crate::objects::is_inside;

/// For so long after it was read a clip is kept for others.
const BURST: Duration = Duration::from_millis(250);

/// How files were found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Looked {
    /// What they were looked for for.
    key: String,
    /// That of a file or of an object.
    file: Option<Stamp>,
    /// Those of prompts that stand in for an object that is not there.
    prompts: Vec<Option<Stamp>>,
}

impl Looked {
    /// Whether it goes with what else is known of an object.
    pub(super) fn fits(&self, object: &Result<Option<PathBuf>, String>) -> bool {
        let found = matches!(object, Ok(Some(_)));
        !self.key.starts_with(OBJECT) || found == self.file.is_some()
    }
}

/// Begin keys.
const FILE: &str = "file ";
const OBJECT: &str = "s3 ";

/// What a source is called here; `None` for what is at hand anyway, or made anew each time.
fn key(source: &AudioSource) -> Option<String> {
    match source {
        AudioSource::File { path } => Some(format!("{FILE}{path}")),
        AudioSource::S3 { bucket_name, key } => Some(format!("{OBJECT}{bucket_name}/{key}")),
        AudioSource::Builtin { .. } | AudioSource::Speech(_) | AudioSource::List { .. } => None,
    }
}

/// Clips by [`key`], each with the time it was read.
#[derive(Debug, Default)]
pub(super) struct Lately(Mutex<HashMap<String, Entry>>);

#[derive(Debug, Clone)]
struct Entry {
    read: Instant,
    looked: Looked,
    clip: Arc<Clip>,
}

impl Lately {
    fn get(&self, now: Instant, key: &str) -> Option<(Looked, Arc<Clip>)> {
        self.with(now, |files| files.get(key).map(|of| (of.looked.clone(), Arc::clone(&of.clip))))
    }

    /// Takes note of what was read. What is read while it plays is everybody's own.
    pub(super) fn note(&self, now: Instant, loaded: &Loaded) {
        let Some(looked) = &loaded.looked else { return };
        let ([Part::Clip(clip)], []) = (&*loaded.parts, &*loaded.notes) else { return };
        let entry = Entry { read: now, looked: looked.clone(), clip: Arc::clone(clip) };
        self.with(now, |files| files.insert(looked.key.clone(), entry));
    }

    /// Without what is old.
    fn with<T>(&self, now: Instant, act: impl FnOnce(&mut HashMap<String, Entry>) -> T) -> T {
        let mut files = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        files.retain(|_, entry| now.saturating_duration_since(entry.read) <= BURST);
        act(&mut files)
    }
}

impl Sounds {
    /// The clip of a source that was read a moment ago, when its files are still the same.
    pub(super) fn lately(&self, now: Instant, source: &AudioSource) -> Option<Loaded> {
        let (looked, clip) = self.lately.get(now, &key(source)?)?;
        let same = self.look(source)? == looked;
        same.then(|| Loaded { parts: vec![Part::Clip(clip)], ..Loaded::default() })
    }

    /// Looks at the files that decide what a source is. `None`: it is no file of this machine, or not
    /// of it alone: what is in an object store has a cache with its own time.
    pub(super) fn look(&self, source: &AudioSource) -> Option<Looked> {
        let stamp = |path: &Path| Stamp::of(path).ok();
        let (file, prompts) = match source {
            AudioSource::File { path } => (stamp(Path::new(path)), Vec::new()),
            AudioSource::S3 { bucket_name, key } => {
                let inside = is_inside(bucket_name) && is_inside(key);
                let file = match self.objects.as_ref().filter(|_| inside) {
                    Some(objects) => stamp(&objects.in_folder(bucket_name, key)?),
                    None => None,
                };
                let prompts = self.operators(prompt_of(key)).filter(|_| file.is_none());
                (file, prompts.map(|path| stamp(&path)).collect())
            }
            _ => return None,
        };
        Some(Looked { key: key(source)?, file, prompts })
    }
}

#[cfg(test)]
mod tests {
    use futures_util::future::BoxFuture;

    use super::*;
    use crate::objects::Objects;

    /// Buckets that are folders of one, but for `remote`.
    struct Folders(PathBuf);

    impl Objects for Folders {
        fn file(
            &self,
            bucket: String,
            key: String,
        ) -> BoxFuture<'static, Result<Option<PathBuf>, String>> {
            let file = self.0.join(bucket).join(key);
            Box::pin(std::future::ready(Ok(file.is_file().then_some(file))))
        }

        fn in_folder(&self, bucket: &str, key: &str) -> Option<PathBuf> {
            (bucket != "remote").then(|| self.0.join(bucket).join(key))
        }
    }

    fn write(path: &Path, samples: &[i16]) {
        let wav = offhook_media::wav::to_bytes(offhook_media::wav::Format::Pcm16, samples);
        // As workflows do it, and operators should.
        let temporary = path.with_extension("tmp");
        std::fs::write(&temporary, wav).unwrap();
        std::fs::rename(temporary, path).unwrap();
    }

    fn object(bucket: &str, key: &str) -> AudioSource {
        AudioSource::S3 { bucket_name: bucket.to_owned(), key: key.to_owned() }
    }

    /// A folder with the buckets `local` and `remote` and the operator's `prompts`, and what finds them.
    fn sounds() -> (tempfile::TempDir, Arc<Sounds>) {
        let folder = tempfile::tempdir().unwrap();
        for name in ["local", "remote", "prompts"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        let objects = Arc::new(Folders(folder.path().to_owned()));
        let prompts = Some(folder.path().join("prompts"));
        (folder, Arc::new(Sounds::new(1 << 20, prompts).with_objects(objects)))
    }

    /// Reads it as a call does that finds none.
    async fn read(sounds: &Arc<Sounds>, now: Instant, source: &AudioSource) {
        let loaded = sounds.load(source.clone()).await.unwrap();
        sounds.lately.note(now, &loaded);
    }

    /// The first sample of what was read lately.
    fn heard(sounds: &Sounds, now: Instant, source: &AudioSource) -> Option<i16> {
        match &*sounds.lately(now, source)?.parts {
            [Part::Clip(clip)] => clip.samples().first().copied(),
            parts => panic!("{parts:?}"),
        }
    }

    #[tokio::test]
    async fn a_clip_is_there_for_the_burst_in_which_it_was_read_and_then_forgotten() {
        let ((folder, sounds), begin) = (sounds(), Instant::now());
        let path = folder.path().join("local/a.wav");
        write(&path, &[1000; 160]);
        let file = AudioSource::File { path: path.to_string_lossy().into_owned() };
        assert_eq!(heard(&sounds, begin, &file), None);
        read(&sounds, begin, &file).await;
        read(&sounds, begin, &object("local", "a.wav")).await;
        assert_eq!(heard(&sounds, begin + BURST, &file), Some(1000));
        assert_eq!(heard(&sounds, begin + BURST, &object("local", "a.wav")), Some(1000));
        assert_eq!(heard(&sounds, begin, &object("local", "b.wav")), None, "another");
        let later = begin + BURST + Duration::from_millis(1);
        assert_eq!(heard(&sounds, later, &file), None);
        assert!(sounds.lately.0.lock().unwrap().is_empty(), "nothing old is kept");
    }

    #[tokio::test]
    async fn what_was_written_a_moment_ago_is_heard_at_once() {
        let ((folder, sounds), now) = (sounds(), Instant::now());
        let (path, source) = (folder.path().join("local/a.wav"), object("local", "a.wav"));
        for sample in [1000, 2000] {
            write(&path, &[sample; 160]);
            assert_eq!(heard(&sounds, now, &source), None);
            read(&sounds, now, &source).await;
            assert_eq!(heard(&sounds, now, &source), Some(sample));
        }
        std::fs::remove_file(path).unwrap();
        assert_eq!(heard(&sounds, now, &source), None);
    }

    #[tokio::test]
    async fn a_prompt_stands_in_until_it_changes_or_the_object_comes() {
        let ((folder, sounds), now) = (sounds(), Instant::now());
        let source = object("local", "beep.wav");
        read(&sounds, now, &source).await;
        assert!(heard(&sounds, now, &source).is_some(), "our own");
        for (name, sample) in [("prompts/beep.wav", 1000), ("local/beep.wav", 2000)] {
            write(&folder.path().join(name), &[sample; 160]);
            assert_eq!(heard(&sounds, now, &source), None, "{name}");
            read(&sounds, now, &source).await;
            assert_eq!(heard(&sounds, now, &source), Some(sample));
        }
    }

    #[tokio::test]
    async fn what_is_in_an_object_store_is_asked_for_each_time() {
        let ((folder, sounds), now) = (sounds(), Instant::now());
        write(&folder.path().join("remote/a.wav"), &[1000; 160]);
        read(&sounds, now, &object("remote", "a.wav")).await;
        assert_eq!(heard(&sounds, now, &object("remote", "a.wav")), None);
        // Also for what is not there yet, and has a prompt in its stead.
        read(&sounds, now, &object("remote", "beep.wav")).await;
        assert_eq!(heard(&sounds, now, &object("remote", "beep.wav")), None);
    }

    #[test]
    fn an_object_that_came_while_it_was_looked_for_is_not_taken_for_its_prompt() {
        let ((folder, sounds), source) = (sounds(), object("local", "beep.wav"));
        assert!(sounds.look(&source).unwrap().fits(&Ok(None)));
        let path = folder.path().join("local/beep.wav");
        write(&path, &[1000; 160]);
        let looked = sounds.look(&source).unwrap();
        assert!(!looked.fits(&Ok(None)) && looked.fits(&Ok(Some(path))));
    }

    #[test]
    fn a_key_that_leads_out_of_its_bucket_is_not_looked_at() {
        let (folder, sounds) = sounds();
        write(&folder.path().join("prompts/greeting.wav"), &[1000; 160]);
        let ways = [("local", "../prompts/greeting.wav"), ("local/..", "prompts/greeting.wav")];
        for (bucket, key) in ways {
            assert_eq!(sounds.look(&object(bucket, key)).unwrap().file, None, "{bucket} {key}");
        }
    }

    #[test]
    fn what_is_no_clip_or_has_something_to_be_told_is_asked_for_again() {
        let ((folder, sounds), now) = (sounds(), Instant::now());
        write(&folder.path().join("local/a.wav"), &[1000; 160]);
        let source = object("local", "a.wav");
        let loaded = |parts, notes| Loaded { parts, notes, looked: sounds.look(&source) };
        let clip = || vec![Part::Clip(Arc::new(Clip::from_samples(vec![1; 160])))];
        let silence = vec![Part::Silence(Duration::from_secs(1))];
        sounds.lately.note(now, &loaded(clip(), vec!["spoken by another instead".to_owned()]));
        sounds.lately.note(now, &loaded(silence, Vec::new()));
        assert_eq!(heard(&sounds, now, &source), None);
        sounds.lately.note(now, &loaded(clip(), Vec::new()));
        assert_eq!(heard(&sounds, now, &source), Some(1));
    }

    /// A bucket whose object goes from one place to another whenever it was found.
    struct Moving(PathBuf, std::sync::atomic::AtomicUsize);

    impl Objects for Moving {
        fn file(
            &self,
            _: String,
            key: String,
        ) -> BoxFuture<'static, Result<Option<PathBuf>, String>> {
            let moved = self.1.fetch_sub(1, std::sync::atomic::Ordering::Relaxed) - 1;
            let folder = if moved > 0 { self.0.join("before") } else { self.0.clone() };
            Box::pin(std::future::ready(Ok(Some(folder.join(key)))))
        }

        fn in_folder(&self, _: &str, _: &str) -> Option<PathBuf> {
            None
        }
    }

    #[tokio::test]
    async fn what_was_carried_to_its_store_after_it_was_found_is_found_again() {
        let folder = tempfile::tempdir().unwrap();
        let sounds = |looks: usize| {
            let objects = Arc::new(Moving(folder.path().to_owned(), looks.into()));
            Arc::new(Sounds::new(1 << 20, None).with_objects(objects))
        };
        // One of our own prompts has this name: it is not what was asked for.
        write(&folder.path().join("beep.wav"), &[1000; 160]);
        for looks in [1, 2, 3] {
            let loaded = sounds(looks).load(object("remote", "beep.wav")).await.unwrap();
            let [Part::Clip(clip)] = &*loaded.parts else { panic!("{loaded:?}") };
            assert_eq!(clip.samples().first(), Some(&1000), "found at look {looks}");
        }
        assert!(sounds(4).load(object("remote", "beep.wav")).await.is_err(), "no end of looking");
    }
}
