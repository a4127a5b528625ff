//! Text that is spoken: by engines one after the other, remembered in memory and on the disk.
//!
//! > A text is made once while many wait for it, heard from its first piece on, and kept under the
//! > engine that made it. What an engine cannot say before it was heard, the next one says.

mod disk;
mod espeak;
mod maker;
pub mod ssml;
#[cfg(test)]
mod tests;
mod utterance;
pub mod voices;

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use self::disk::Disk;
pub use self::espeak::Espeak;
use self::maker::Maker;
pub use self::utterance::{Key, MAX_TEXT, Utterance, VoiceEngine};
use crate::clip::Clip;
use crate::lru::Lru;
use crate::sound::{Growing, Part};

/// Texts that may wait for a thread.
const QUEUE: usize = 64;
/// An engine that could not be reached is left alone for so long when there is another.
const REST: Duration = Duration::from_secs(30);

/// Why a text is not spoken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpeechError {
    /// There is none.
    #[error("the text is empty")]
    Empty,
    /// Longer than [`MAX_TEXT`].
    #[error("the text is longer than {MAX_TEXT} characters")]
    TooLong,
    /// Broken or unknown markup.
    #[error(transparent)]
    Ssml(ssml::SsmlError),
    /// No voice of Polly's.
    #[error("there is no voice {0}")]
    UnknownVoice(String),
    /// No language of Polly's.
    #[error("there is no language {0}")]
    UnknownLanguage(String),
    /// Too many texts wait already, or the engine says so.
    #[error("too many texts are waiting to be spoken")]
    Busy,
    /// The engine took too long.
    #[error("the speech engine took too long")]
    TimedOut,
    /// It cannot be run or reached.
    #[error("the speech engine cannot be used: {0}")]
    Unavailable(String),
    /// It failed at this text.
    #[error("the speech engine failed: {0}")]
    Failed(String),
    /// More audio than a text may become.
    #[error("the text takes too long to say")]
    TooMuch,
}

impl SpeechError {
    /// Whether the next text would meet it, too.
    fn is_lasting(&self) -> bool {
        matches!(self, Self::TimedOut | Self::Unavailable(_) | Self::Busy)
    }
}

/// Takes samples of one channel: their rate in Hz, and some of them.
pub type Hear<'a> = dyn FnMut(u32, &[i16]) -> Result<(), SpeechError> + 'a;

/// What makes speech of text.
pub trait Engine: Send + Sync {
    /// For the journal and the cache.
    fn name(&self) -> &'static str;

    /// Speaks, and gives the audio piece by piece as it comes. Blocks, not longer than `until`. An
    /// error of `hear` ends it.
    ///
    /// # Errors
    /// See [`SpeechError`].
    fn speak(
        &self,
        utterance: &Utterance,
        until: Instant,
        hear: &mut Hear<'_>,
    ) -> Result<(), SpeechError>;
}

/// Bounds.
#[derive(Debug, Clone)]
pub struct SpeechConfig {
    /// Where spoken texts are kept; `None`: in memory alone.
    pub folder: Option<PathBuf>,
    /// Bytes there.
    pub disk_bytes: u64,
    /// Bytes in memory.
    pub memory_bytes: usize,
    /// Texts that are made at a time.
    pub threads: usize,
    /// Longest time that an engine may take.
    pub patience: Duration,
    /// Longest audio of a text.
    pub longest: Duration,
}

impl Default for SpeechConfig {
    fn default() -> Self {
        Self {
            folder: None,
            disk_bytes: 100 << 20,
            memory_bytes: 32 << 20,
            threads: 4,
            patience: Duration::from_secs(5),
            longest: Duration::from_secs(300),
        }
    }
}

/// A text as audio, whole or still being made.
#[derive(Debug, Clone)]
pub struct Spoken {
    audio: Audio,
    /// Who made it.
    pub engine: &'static str,
    /// Why another engine than the first did, when it did.
    pub instead: Option<String>,
}

#[derive(Debug, Clone)]
enum Audio {
    Whole(Arc<Clip>),
    Growing(Arc<Growing>),
}

impl Spoken {
    /// To be played.
    #[must_use]
    pub fn part(&self) -> Part {
        match &self.audio {
            Audio::Whole(clip) => Part::Clip(Arc::clone(clip)),
            Audio::Growing(growing) => Part::Growing(Arc::clone(growing)),
        }
    }
}

/// What became of a text.
pub type Answer = Result<Spoken, SpeechError>;

/// Speaks. Clones share the threads, which end with the last of them.
#[derive(Clone)]
pub struct Speech {
    house: Arc<House>,
    jobs: SyncSender<Utterance>,
}

struct House {
    config: SpeechConfig,
    engines: Vec<Backend>,
    memory: Mutex<Lru<Key, Arc<Clip>>>,
    disk: Option<Disk>,
    flights: Mutex<HashMap<Utterance, Flight>>,
}

struct Backend {
    engine: Arc<dyn Engine>,
    rests_until: Mutex<Option<Instant>>,
}

/// A text that is asked for and not whole yet.
enum Flight {
    Waiting(Vec<oneshot::Sender<Answer>>),
    Heard(Spoken),
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Speech {
    /// Starts the threads. The first engine speaks; each other one speaks what those before cannot.
    ///
    /// # Errors
    /// When the system refuses a thread. A folder that cannot be used is told and done without.
    pub fn start(config: SpeechConfig, engines: Vec<Arc<dyn Engine>>) -> io::Result<Self> {
        let disk = config.folder.clone().and_then(|folder| {
            Disk::open(&folder, config.disk_bytes)
                .inspect_err(|error| {
                    let folder = folder.display();
                    tracing::warn!(%folder, %error, "spoken texts are kept in memory alone");
                })
                .ok()
        });
        let backend = |engine| Backend { engine, rests_until: Mutex::default() };
        let house = Arc::new(House {
            memory: Mutex::new(Lru::new(config.memory_bytes)),
            engines: engines.into_iter().map(backend).collect(),
            disk,
            flights: Mutex::default(),
            config,
        });
        let (jobs, come) = sync_channel(QUEUE);
        let come = Arc::new(Mutex::new(come));
        for n in 0..house.config.threads.max(1) {
            let (house, come) = (Arc::clone(&house), Arc::clone(&come));
            let thread = std::thread::Builder::new().name(format!("speech-{n}"));
            thread.spawn(move || house.work(&come))?;
        }
        Ok(Self { house, jobs })
    }

    /// The text when it is in memory.
    #[must_use]
    pub fn at_hand(&self, utterance: &Utterance) -> Option<Spoken> {
        let name = self.house.well(Instant::now()).next()?.engine.name();
        self.house.in_memory(name, &utterance.key(name))
    }

    /// Has the text spoken. Ready as soon as its first audio is there.
    pub fn say(&self, utterance: &Utterance) -> impl Future<Output = Answer> + Send + use<> {
        let asked = self.ask(utterance);
        async move {
            match asked {
                Ok(answer) => answer,
                // Only when the program ends.
                Err(answer) => answer.await.unwrap_or(Err(SpeechError::Busy)),
            }
        }
    }

    fn ask(&self, utterance: &Utterance) -> Result<Answer, oneshot::Receiver<Answer>> {
        if let Some(spoken) = self.at_hand(utterance) {
            return Ok(Ok(spoken));
        }
        let (answer, asked) = oneshot::channel();
        let mut flights = lock(&self.house.flights);
        match flights.get_mut(utterance) {
            Some(Flight::Heard(spoken)) => return Ok(Ok(spoken.clone())),
            Some(Flight::Waiting(waiting)) => {
                // Whoever does not wait any more makes room.
                waiting.retain(|one| !one.is_closed());
                waiting.push(answer);
            }
            None if self.jobs.try_send(utterance.clone()).is_err() => {
                return Ok(Err(SpeechError::Busy));
            }
            None => {
                flights.insert(utterance.clone(), Flight::Waiting(vec![answer]));
            }
        }
        Err(asked)
    }
}

impl House {
    fn work(&self, come: &Mutex<Receiver<Utterance>>) {
        loop {
            let next = lock(come).recv();
            let Ok(utterance) = next else { return };
            self.serve(&utterance);
            let mut flights = lock(&self.flights);
            // One that failed was taken out when it was told, and may have been asked for again.
            if matches!(flights.get(&utterance), Some(Flight::Heard(_))) {
                flights.remove(&utterance);
            }
        }
    }

    /// Engines that do not rest; all but the last may.
    fn well(&self, now: Instant) -> impl Iterator<Item = &Backend> {
        let last = self.engines.len().saturating_sub(1);
        let resting =
            move |backend: &Backend| lock(&backend.rests_until).is_some_and(|at| at > now);
        let engines = self.engines.iter().enumerate();
        engines.filter(move |(n, backend)| *n == last || !resting(backend)).map(|(_, b)| b)
    }

    fn serve(&self, utterance: &Utterance) {
        let mut instead = None;
        let mut error = SpeechError::Unavailable("there is none".to_owned());
        for backend in self.well(Instant::now()) {
            let name = backend.engine.name();
            let key = utterance.key(name);
            let kept = self.in_memory(name, &key).or_else(|| self.on_disk(name, &key));
            if let Some(spoken) = kept {
                return self.tell(utterance, &Ok(Spoken { instead, ..spoken }));
            }
            match self.make(&*backend.engine, utterance, &key, &instead) {
                Ok(()) => return,
                Err(failed) => error = failed,
            }
            if error.is_lasting() {
                *lock(&backend.rests_until) = Some(Instant::now() + REST);
            }
            instead = Some(format!("{name}: {error}"));
        }
        self.tell(utterance, &Err(error));
    }

    /// Has one engine speak. An error: nothing was heard of it.
    fn make(
        &self,
        engine: &dyn Engine,
        utterance: &Utterance,
        key: &Key,
        instead: &Option<String>,
    ) -> Result<(), SpeechError> {
        let first = |growing| {
            let (audio, instead) = (Audio::Growing(growing), instead.clone());
            self.tell(utterance, &Ok(Spoken { audio, engine: engine.name(), instead }));
        };
        let mut maker = Maker::new(self.config.longest, first);
        let until = Instant::now() + self.config.patience;
        let made = engine.speak(utterance, until, &mut |rate, pcm| maker.hear(rate, pcm));
        match made.and_then(|()| maker.finish()) {
            Ok(clip) => {
                self.keep(key, &Arc::new(clip));
                Ok(())
            }
            Err(error) if maker.was_heard => {
                tracing::warn!(engine = engine.name(), %error, "a spoken text breaks off");
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Tells those who wait, and whoever asks from now on.
    fn tell(&self, utterance: &Utterance, answer: &Answer) {
        let mut flights = lock(&self.flights);
        let waiting = flights.remove(utterance);
        if let Ok(spoken) = answer {
            flights.insert(utterance.clone(), Flight::Heard(spoken.clone()));
        }
        drop(flights);
        if let Some(Flight::Waiting(waiting)) = waiting {
            for one in waiting {
                // Its call has ended meanwhile.
                let _ = one.send(answer.clone());
            }
        }
    }

    fn in_memory(&self, engine: &'static str, key: &Key) -> Option<Spoken> {
        let clip = lock(&self.memory).get(key)?;
        Some(Spoken { audio: Audio::Whole(clip), engine, instead: None })
    }

    fn on_disk(&self, engine: &'static str, key: &Key) -> Option<Spoken> {
        let clip = Arc::new(self.disk.as_ref()?.get(key)?);
        lock(&self.memory).put(key.clone(), Arc::clone(&clip), clip.memory());
        Some(Spoken { audio: Audio::Whole(clip), engine, instead: None })
    }

    fn keep(&self, key: &Key, clip: &Arc<Clip>) {
        lock(&self.memory).put(key.clone(), Arc::clone(clip), clip.memory());
        if let Some(Err(error)) = self.disk.as_ref().map(|disk| disk.put(key, clip)) {
            tracing::warn!(%error, "a spoken text is not kept on the disk");
        }
    }
}

impl fmt::Debug for Speech {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Speech").field("config", &self.house.config).finish_non_exhaustive()
    }
}
