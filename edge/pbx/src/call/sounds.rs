//! Where audio comes from: prompts that are part of the program, the operator's own, files, and text
//! that is spoken.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use futures_util::future::{BoxFuture, try_join_all};
use offhook_media::clip::Clip;
use offhook_media::clip_cache::ClipCache;
use offhook_media::sound::{Part, Streams};
use offhook_media::speech::{Speech, SpeechError, Utterance, VoiceEngine};
use offhook_media::{prompts, tone};
use offhook_sma::action::AudioSource;
use offhook_sma::event::error_type;
use offhook_sma::speech::SpeechParameters;

use super::lately::{Lately, Looked};
use super::music::{hold_music, waiting_music};
use crate::failure::{self, Failure};
use crate::objects::{Objects, is_inside};

/// Parts of one list, and names in one of prompts.
const MAX_PARTS: usize = 32;
/// Characters of one `Speak`, as AWS has it.
const MAX_SPEAK: usize = 1000;
/// As AWS says it.
const NO_ACCESS: &str = "Cannot access S3 bucket or audio file.";
/// Files of more bytes are read while they play, until they are decoded behind that: about a minute.
const LONG_FILE: u64 = 1 << 20;
/// Of files that replace prompts.
const ENDINGS: [&str; 4] = ["wav", "mp3", "flac", "ogg"];

/// How often an object is looked for whose file goes away before it is open.
const MAX_LOOKS: usize = 3;

/// Finds audio and keeps it decoded.
pub struct Sounds {
    cache: Arc<ClipCache>,
    /// `None`: the system refused the thread, and long files are decoded whole.
    streams: Option<Streams>,
    /// Files that were asked for just now.
    pub(super) lately: Lately,
    speech: Option<Speaker>,
    folder: Option<PathBuf>,
    /// Objects of buckets.
    pub(super) objects: Option<Arc<dyn Objects>>,
    beep: Arc<Clip>,
    ringback: Arc<Clip>,
    hold_music: Arc<Clip>,
    waiting_music: Arc<Clip>,
}

struct Speaker {
    speech: Speech,
    /// Of texts that name none.
    voice: String,
}

/// Audio that can be played, and what is to be told about it.
#[derive(Debug, Default)]
pub(crate) struct Loaded {
    pub(crate) parts: Vec<Part>,
    pub(crate) notes: Vec<String>,
    /// How the files were found that it was read from, when nothing else decides what it is.
    pub(super) looked: Option<Looked>,
}

/// Why there is none.
#[derive(Debug)]
pub(crate) struct NotLoaded {
    /// AWS's word for it.
    pub(crate) kind: &'static str,
    pub(crate) failure: &'static Failure,
    pub(crate) text: String,
}

/// Why a file could not be read.
struct Unread {
    why: String,
    /// It was found and is not there any more: what waits for its store goes there when it can, and
    /// what was fetched from there makes way for the next one.
    moved: bool,
}

impl From<Unread> for NotLoaded {
    fn from(unread: Unread) -> Self {
        unread.why.into()
    }
}

impl From<String> for NotLoaded {
    fn from(text: String) -> Self {
        Self { kind: error_type::INVALID_AUDIO_SOURCE, failure: failure::AUDIO_MISSING, text }
    }
}

impl From<SpeechError> for NotLoaded {
    fn from(error: SpeechError) -> Self {
        let kind = match &error {
            SpeechError::Empty => error_type::MISSING_REQUIRED_ACTION_PARAMETER,
            SpeechError::TooLong
            | SpeechError::Ssml(_)
            | SpeechError::UnknownVoice(_)
            | SpeechError::UnknownLanguage(_) => error_type::INVALID_ACTION_PARAMETER,
            SpeechError::Busy => error_type::ACTION_EXECUTION_THROTTLED,
            _ => error_type::SYSTEM_EXCEPTION,
        };
        Self { kind, failure: failure::SPEECH_FAILED, text: error.to_string() }
    }
}

fn wrong(kind: &'static str, text: &str) -> NotLoaded {
    NotLoaded { kind, failure: failure::SPEECH_FAILED, text: text.to_owned() }
}

/// What a timeline calls it. The words of a text are nobody's business there.
pub(crate) fn name_of(source: &AudioSource) -> String {
    match source {
        AudioSource::Builtin { name } => name.clone(),
        AudioSource::File { path } => path.clone(),
        AudioSource::S3 { bucket_name, key } => format!("s3://{bucket_name}/{key}"),
        AudioSource::Speech(speech) => {
            let length = speech.text.as_deref().unwrap_or_default().chars().count();
            format!("a text of {length} characters")
        }
        AudioSource::List { parts } => {
            let names = parts.iter().take(MAX_PARTS).map(name_of);
            names.collect::<Vec<_>>().join(" ")
        }
    }
}

/// The prompt that stands in for an object that is not in its bucket.
pub(super) fn prompt_of(key: &str) -> &str {
    Path::new(key).file_stem().and_then(|name| name.to_str()).unwrap_or_default()
}

impl Sounds {
    /// `folder`: files that replace prompts of the same name.
    pub fn new(cache_bytes: usize, folder: Option<PathBuf>) -> Self {
        let streams = Streams::start()
            .inspect_err(|error| tracing::warn!(%error, "no thread to read long files"))
            .ok();
        Self {
            cache: Arc::new(ClipCache::new(cache_bytes)),
            streams,
            lately: Lately::default(),
            speech: None,
            folder,
            objects: None,
            beep: Arc::new(tone::beep()),
            ringback: Arc::new(tone::ringback(tone::Region::default())),
            hold_music: Arc::new(hold_music()),
            waiting_music: Arc::new(waiting_music()),
        }
    }

    /// With the objects of buckets that applications name.
    #[must_use]
    pub fn with_objects(mut self, objects: Arc<dyn Objects>) -> Self {
        self.objects = Some(objects);
        self
    }

    /// A short tone of our own.
    pub(super) fn beep(&self) -> Arc<Clip> {
        Arc::clone(&self.beep)
    }

    /// With something that speaks; `voice`: of texts that name none.
    #[must_use]
    pub fn with_speech(self, speech: Speech, voice: impl Into<String>) -> Self {
        Self { speech: Some(Speaker { speech, voice: voice.into() }), ..self }
    }

    /// What is in memory already; `None`: [`Sounds::load`] has to be asked.
    pub(crate) fn at_hand(&self, source: &AudioSource) -> Option<Loaded> {
        let parts = match source {
            AudioSource::Builtin { name } if self.folder.is_none() => name
                .split_ascii_whitespace()
                .take(MAX_PARTS)
                .map(|name| self.builtin(name).map(Part::Clip))
                .collect::<Option<_>>()?,
            AudioSource::Speech(text) => {
                let speaker = self.speech.as_ref()?;
                vec![speaker.speech.at_hand(&speaker.utterance(text).ok()?)?.part()]
            }
            AudioSource::List { parts } if parts.len() <= MAX_PARTS => {
                let loaded = parts.iter().map(|part| self.at_hand(part));
                let loaded = loaded.collect::<Option<Vec<_>>>()?;
                loaded.into_iter().flat_map(|loaded| loaded.parts).collect()
            }
            _ => return None,
        };
        Some(Loaded { parts, ..Loaded::default() })
    }

    /// Reads files and has texts spoken, all at a time; ready when the first audio of each is there.
    pub(crate) fn load(
        self: &Arc<Self>,
        source: AudioSource,
    ) -> BoxFuture<'static, Result<Loaded, NotLoaded>> {
        let sounds = Arc::clone(self);
        match source {
            AudioSource::Speech(text) => Box::pin(async move { sounds.speak(&text).await }),
            AudioSource::List { parts } if parts.len() > MAX_PARTS => {
                let text = format!("a list of more than {MAX_PARTS} parts");
                Box::pin(std::future::ready(Err(text.into())))
            }
            AudioSource::List { parts } => {
                let parts: Vec<_> = parts.into_iter().map(|part| self.load(part)).collect();
                Box::pin(async move {
                    let mut all = Loaded::default();
                    for mut loaded in try_join_all(parts).await? {
                        all.parts.append(&mut loaded.parts);
                        all.notes.append(&mut loaded.notes);
                    }
                    Ok(all)
                })
            }
            source => Box::pin(async move {
                for _ in 1..MAX_LOOKS {
                    match sounds.find_and_read(source.clone()).await {
                        Err(Unread { moved: true, .. }) => {}
                        read => return Ok(read?),
                    }
                }
                Ok(sounds.find_and_read(source).await?)
            }),
        }
    }

    async fn find_and_read(self: &Arc<Self>, source: AudioSource) -> Result<Loaded, Unread> {
        let sounds = Arc::clone(self);
        let object = match &source {
            AudioSource::S3 { bucket_name, key } => sounds.object(bucket_name, key).await,
            _ => Ok(None),
        };
        let now = tokio::time::Instant::now().into_std();
        let read = move || {
            let found = object.as_ref().ok().cloned().flatten();
            // The look comes first: what is written after it is seen by the next one.
            let looked = sounds.look(&source).filter(|looked| looked.fits(&object));
            match sounds.read(&source, object, now) {
                Ok(parts) => Ok(Loaded { parts, looked, ..Loaded::default() }),
                Err(why) => Err(Unread { why, moved: found.is_some_and(|file| !file.is_file()) }),
            }
        };
        let read = tokio::task::spawn_blocking(read).await;
        let fault = || "the audio could not be decoded".to_owned();
        read.unwrap_or_else(|_| Err(Unread { why: fault(), moved: false }))
    }

    async fn speak(&self, text: &SpeechParameters) -> Result<Loaded, NotLoaded> {
        let off = || SpeechError::Unavailable("[speech] engine is \"off\"".to_owned());
        let speaker = self.speech.as_ref().ok_or_else(off)?;
        let spoken = speaker.speech.say(&speaker.utterance(text)?).await?;
        let note = |why: &String| format!("spoken by {} instead: {why}", spoken.engine);
        let notes = spoken.instead.iter().map(note).collect();
        Ok(Loaded { parts: vec![spoken.part()], notes, looked: None })
    }

    /// Blocks while a file is read and decoded. `object`: the file of what is in a bucket.
    fn read(
        &self,
        source: &AudioSource,
        object: Result<Option<PathBuf>, String>,
        now: Instant,
    ) -> Result<Vec<Part>, String> {
        match source {
            AudioSource::File { path } => self.file(Path::new(path), now).map(|part| vec![part]),
            AudioSource::Builtin { name } => {
                let names = name.split_ascii_whitespace().take(MAX_PARTS);
                names.map(|name| self.prompt(name, now)).collect()
            }
            AudioSource::S3 { bucket_name, key } => {
                self.file_or_prompt(object, bucket_name, key, now).map(|part| vec![part])
            }
            AudioSource::Speech(_) | AudioSource::List { .. } => Ok(Vec::new()),
        }
    }

    /// The file of an object of a bucket.
    async fn object(&self, bucket: &str, key: &str) -> Result<Option<PathBuf>, String> {
        let inside = is_inside(bucket) && is_inside(key);
        match self.objects.as_ref().filter(|_| inside) {
            Some(objects) => {
                let found = objects.file(bucket.to_owned(), key.to_owned()).await;
                found.map_err(|why| format!("{NO_ACCESS} s3://{bucket}/{key}: {why}"))
            }
            None => Ok(None),
        }
    }

    /// A file of a bucket; for want of it, the operator's prompt or our own of that file's name,
    /// whatever bucket a workflow names.
    fn file_or_prompt(
        &self,
        file: Result<Option<PathBuf>, String>,
        bucket: &str,
        key: &str,
        now: Instant,
    ) -> Result<Part, String> {
        let why = match file {
            Ok(Some(path)) => return self.file(&path, now),
            Ok(None) => format!("{NO_ACCESS} s3://{bucket}/{key} is not in its bucket"),
            Err(why) => why,
        };
        self.prompt(prompt_of(key), now).map_err(|_| why)
    }

    fn file(&self, path: &Path, now: Instant) -> Result<Part, String> {
        let long =
            std::fs::metadata(path).is_ok_and(|file| file.is_file() && file.len() > LONG_FILE);
        let error = |error: offhook_media::clip::ClipError| error.to_string();
        let Some(streams) = &self.streams else {
            return self.cache.get(path).map(Part::Clip).map_err(error);
        };
        let clip = if long {
            self.cache.get_or_keep(path, now)
        } else {
            self.cache.get_fitting(path).map_err(error)?
        };
        match clip {
            Some(clip) => Ok(Part::Clip(clip)),
            None => streams.open(path).map(|stream| Part::Stream(Box::new(stream))).map_err(error),
        }
    }

    fn prompt(&self, name: &str, now: Instant) -> Result<Part, String> {
        // A name is one word of our own or of a workflow: it must not lead out of the folder.
        if !name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_')) {
            return Err(format!("`{name}` is no prompt's name"));
        }
        if let Some(path) = self.operators(name).find(|path| path.exists()) {
            return self.file(&path, now);
        }
        self.builtin(name).map(Part::Clip).ok_or_else(|| format!("there is no prompt `{name}`"))
    }

    /// Where the operator's own prompt of this name may be.
    pub(super) fn operators(&self, name: &str) -> impl Iterator<Item = PathBuf> {
        let files = |folder| ENDINGS.map(|ending| Path::join(folder, format!("{name}.{ending}")));
        self.folder.as_deref().map(files).into_iter().flatten()
    }

    fn builtin(&self, name: &str) -> Option<Arc<Clip>> {
        match name {
            "beep" => Some(Arc::clone(&self.beep)),
            "ringback" => Some(Arc::clone(&self.ringback)),
            "hold-music" => Some(Arc::clone(&self.hold_music)),
            "waiting-music" => Some(Arc::clone(&self.waiting_music)),
            name => prompts::named(name).map(prompts::get),
        }
    }
}

impl Speaker {
    /// A text with what it leaves to the house.
    fn utterance(&self, speech: &SpeechParameters) -> Result<Utterance, NotLoaded> {
        let text = speech.text.as_deref().unwrap_or_default();
        if text.trim().is_empty() {
            let text = "Text is a required parameter.";
            return Err(wrong(error_type::MISSING_REQUIRED_ACTION_PARAMETER, text));
        }
        if text.chars().count() > MAX_SPEAK {
            let text = "Text is limited to 1,000 characters";
            return Err(wrong(error_type::MISSING_REQUIRED_ACTION_PARAMETER, text));
        }
        let voice = speech.voice_id.as_deref().unwrap_or(&self.voice);
        let utterance = match speech.text_type.as_deref() {
            None | Some("text") => Utterance::plain(text, voice)?,
            Some("ssml") => Utterance::ssml(text, voice)?,
            Some(_) => {
                let text = "The TextType parameter is invalid.";
                return Err(wrong(error_type::INVALID_ACTION_PARAMETER, text));
            }
        };
        let engine =
            speech.engine.as_deref().map_or(Some(VoiceEngine::default()), VoiceEngine::named);
        let Some(engine) = engine else {
            let text = "The Engine parameter is invalid.";
            return Err(wrong(error_type::INVALID_ACTION_PARAMETER, text));
        };
        let utterance = utterance.with_engine(engine);
        Ok(match speech.language_code.as_deref() {
            Some(code) => utterance.in_language(code)?,
            None => utterance,
        })
    }
}
