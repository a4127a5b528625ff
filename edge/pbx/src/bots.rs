//! Bots that listen to a caller and speak to him: what one is told, and what it does. Stated here,
//! done elsewhere: no HTTP and no AWS in this crate.
//!
//! > What a caller says goes to the bot through a queue that loses what it has no room for; what the
//! > bot says goes to the caller without passing through the call, which is told when it begins.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use futures_util::future::BoxFuture;
use offhook_media::engine::TapeSink;
use offhook_media::resample::{Rates, Samples};
use offhook_media::sound::{Grower, Growing};
use offhook_sma::event::ActionError;
use serde_json::{Map, Value};
use tokio::sync::{mpsc, oneshot};

/// Samples at 8 kHz in one piece of what a caller says: 20 ms.
pub const CHUNK: usize = 160;
/// One of them.
pub type Chunk = [i16; CHUNK];

/// Pieces of sound that wait for a slow bot: two seconds. What comes then is lost.
const SOUND: usize = 100;
/// Keys, and the like, that wait.
const KEYS: usize = 64;
/// What the bot did and the call has not seen yet.
const SAID: usize = 16;
/// Seconds of sound in one answer that are taken: a text of Lex's has 4,000 characters at the most,
/// which is less. What is beyond that is not heard.
const MOST_SECONDS: u64 = 5 * 60;

/// A conversation that is wanted.
#[derive(Debug, Clone, PartialEq)]
pub struct Talk {
    /// Which bot: the ARN of its alias.
    pub bot: String,
    /// `en_US`.
    pub locale: String,
    /// Conversations of the same one go on with what was understood before.
    pub session: String,
    /// `Configuration` of `StartBotConversation`.
    pub configuration: Option<Map<String, Value>>,
}

/// Has bots.
pub trait Bots: Send + Sync {
    /// Lets a bot talk until it says that it is done with it, or the caller is gone
    /// ([`Heard::Gone`]). What is asked for has to be bounded in time.
    ///
    /// # Errors
    /// As the application is told of it: there is no bot, or it broke off.
    fn talk(
        &self,
        talk: Talk,
        ears: Ears,
        voice: Voice,
    ) -> BoxFuture<'static, Result<(), ActionError>>;
}

/// Something that a bot is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// What the caller says.
    Sound(Box<Chunk>),
    /// A key that he pressed.
    Key(char),
    /// He has heard an answer to its end.
    Played,
    /// He is gone, or is wanted elsewhere.
    Gone,
}

/// What comes from the call to the bot.
#[derive(Debug)]
pub struct Ears {
    keys: mpsc::Receiver<Heard>,
    sound: mpsc::Receiver<Chunk>,
    lost: Arc<Lost>,
}

impl Ears {
    /// The next thing. After [`Heard::Gone`] there is nothing else.
    pub async fn next(&mut self) -> Heard {
        tokio::select! {
            biased;
            key = self.keys.recv() => key.unwrap_or(Heard::Gone),
            // Its sender may go first: keys say when it is over.
            Some(sound) = self.sound.recv() => Heard::Sound(Box::new(sound)),
        }
    }

    /// This was taken, and the bot cannot be told: it counts among what was lost.
    pub fn lose(&self, heard: &Heard) {
        match heard {
            Heard::Sound(_) => self.lost.sound.fetch_add(1, Ordering::Relaxed),
            Heard::Key(_) => self.lost.keys.fetch_add(1, Ordering::Relaxed),
            Heard::Played | Heard::Gone => 0,
        };
    }
}

/// What did not reach a bot.
#[derive(Debug, Default)]
pub(crate) struct Lost {
    /// Pieces.
    sound: AtomicU64,
    keys: AtomicU64,
}

impl Lost {
    /// A key that found no room.
    pub(crate) fn key(&self) {
        self.keys.fetch_add(1, Ordering::Relaxed);
    }

    /// In words, when anything was.
    pub(crate) fn words(&self) -> Option<String> {
        let sound = self.sound.load(Ordering::Relaxed) * 20;
        let keys = self.keys.load(Ordering::Relaxed);
        let parts = [(sound, "ms of sound"), (keys, "keys")].into_iter();
        let parts = parts.filter(|(count, _)| *count > 0);
        let parts: Vec<String> = parts.map(|(count, of)| format!("{count} {of}")).collect();
        (!parts.is_empty()).then(|| format!("{} did not reach the bot", parts.join(" and ")))
    }
}

/// Something that a bot does.
#[derive(Debug)]
pub(crate) enum Said {
    /// It will say something.
    Announced,
    /// It says this, which may still grow.
    Speaks(Arc<Growing>),
    /// What it says is to be heard no further.
    Interrupted,
    /// What it understood.
    Understood { result: Map<String, Value>, intent: Option<String>, over: bool },
    /// It is gone.
    Ended(Result<(), ActionError>),
}

/// An answer that is being spoken.
struct Answer {
    rate: u32,
    rates: Rates,
    grower: Grower,
    samples: Samples,
    /// The first half of a sample.
    half: Option<u8>,
    left: u64,
}

/// What goes from the bot to the call.
pub struct Voice {
    to: mpsc::Sender<Said>,
    answer: Option<Box<Answer>>,
}

impl Voice {
    /// Speaks, or goes on to: mono PCM16, little-endian. Nothing is said at a rate that is none.
    pub async fn speak(&mut self, rate: u32, octets: &[u8]) {
        if self.answer.as_ref().is_some_and(|answer| answer.rate != rate) {
            self.end();
        }
        if self.answer.is_none() {
            let Some(answer) = Answer::new(rate) else { return };
            let growing = answer.grower.growing();
            self.answer = Some(Box::new(answer));
            self.tell(Said::Speaks(growing)).await;
        }
        if let Some(answer) = &mut self.answer
            && !answer.push(octets)
        {
            answer.left = 0;
        }
    }

    /// The answer is complete.
    pub fn end(&mut self) {
        if let Some(answer) = self.answer.take() {
            answer.finish();
        }
    }

    /// The words of an answer are there; the sound of it comes.
    pub async fn announce(&mut self) {
        self.tell(Said::Announced).await;
    }

    /// Nothing more of what was said is to be heard.
    pub async fn interrupt(&mut self) {
        self.end();
        self.tell(Said::Interrupted).await;
    }

    /// What was understood: `IntentResult`, the intent in words, and whether the conversation is to
    /// end with what is said next.
    pub async fn understand(
        &mut self,
        result: Map<String, Value>,
        intent: Option<String>,
        over: bool,
    ) {
        self.tell(Said::Understood { result, intent, over }).await;
    }

    /// A call that is gone needs to know nothing.
    async fn tell(&self, said: Said) {
        let _ = self.to.send(said).await;
    }
}

impl std::fmt::Debug for Voice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Voice").field("speaks", &self.answer.is_some()).finish_non_exhaustive()
    }
}

impl Answer {
    fn new(rate: u32) -> Option<Self> {
        Some(Self {
            rate,
            rates: Rates::both(rate).ok()?,
            grower: Growing::begin(),
            samples: Samples::default(),
            half: None,
            left: MOST_SECONDS * u64::from(rate),
        })
    }

    fn push(&mut self, octets: &[u8]) -> bool {
        let mut samples = Vec::with_capacity(octets.len() / 2 + 1);
        for &octet in octets {
            match self.half.take() {
                Some(low) => {
                    samples.push(f32::from(i16::from_le_bytes([low, octet])) / 32768.0);
                }
                None => self.half = Some(octet),
            }
        }
        samples.truncate(usize::try_from(self.left).unwrap_or(usize::MAX));
        self.left -= samples.len() as u64;
        if self.rates.push(&samples).is_err() {
            return false;
        }
        self.rates.take(&mut self.samples);
        self.samples.narrow.is_empty() || self.grower.push(&mut self.samples)
    }

    fn finish(mut self) {
        if self.rates.finish(&mut self.samples).is_ok() {
            self.grower.push(&mut self.samples);
        }
        // The grower ends what is heard when it is dropped.
    }
}

/// The call's side of a conversation.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) keys: mpsc::Sender<Heard>,
    pub(crate) lost: Arc<Lost>,
    /// Dropped with it: [`Doings`] end.
    _life: oneshot::Sender<()>,
}

/// What a bot does, as long as the call's side is there.
#[derive(Debug)]
pub(crate) struct Doings {
    said: mpsc::Receiver<Said>,
    life: oneshot::Receiver<()>,
}

impl Doings {
    /// The next thing; `None`: nothing comes, or nobody wants it any more.
    pub(crate) async fn next(&mut self) -> Option<Said> {
        tokio::select! {
            biased;
            _ = &mut self.life => None,
            said = self.said.recv() => said,
        }
    }
}

/// Both ends of a conversation, and what takes the caller's sound.
pub(crate) fn open() -> (Line, Tap, Ears, Voice, mpsc::Sender<Said>, Doings) {
    let (keys, keys_heard) = mpsc::channel(KEYS);
    let (sound, sound_heard) = mpsc::channel(SOUND);
    let (to, said) = mpsc::channel(SAID);
    let (life, lives) = oneshot::channel();
    let lost = Arc::<Lost>::default();
    let tap = Tap { sound, waiting: [0; CHUNK], filled: 0, lost: Arc::clone(&lost) };
    let ears = Ears { keys: keys_heard, sound: sound_heard, lost: Arc::clone(&lost) };
    let voice = Voice { to: to.clone(), answer: None };
    let line = Line { keys, lost, _life: life };
    (line, tap, ears, voice, to, Doings { said, life: lives })
}

/// Takes what the caller says, on a media thread: neither waits nor, but for the queue's own blocks,
/// allocates.
pub(crate) struct Tap {
    sound: mpsc::Sender<Chunk>,
    waiting: Chunk,
    filled: usize,
    lost: Arc<Lost>,
}

impl TapeSink for Tap {
    fn push(&mut self, _: Instant, mut samples: &[i16]) {
        while let Some((&sample, rest)) = samples.split_first() {
            if let Some(place) = self.waiting.get_mut(self.filled) {
                *place = sample;
            }
            self.filled += 1;
            samples = rest;
            if self.filled >= CHUNK {
                self.filled = 0;
                if let Err(mpsc::error::TrySendError::Full(_)) = self.sound.try_send(self.waiting) {
                    self.lost.sound.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
