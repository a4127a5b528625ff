//! Bots of Amazon Lex, for calls: wiring of `offhook-chime` with them.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use offhook_chime::lex::{
    Ears as BotEars, Event, Heard as Told, Lex, LexError, Mouth, OPENING, Opening,
};
use offhook_pbx::bots::{Bots, CHUNK, Ears, Heard, Talk, Voice};
use offhook_sma::action::BotAlias;
use offhook_sma::event::{ActionError, error_type};
use tokio::time::{Instant, sleep, timeout, timeout_at};

/// When nothing comes of a caller for so long (a phone that sends no silence, or is held), the bot is
/// told that he is silent: it counts pauses by what it hears.
const GAP: Duration = Duration::from_millis(200);
/// Pieces of 20 ms in it.
const PIECES: u32 = 10;
/// A bot that takes nothing for so long is given up.
const STUCK: Duration = Duration::from_secs(10);
/// An answer of which nothing more comes for so long is over.
const PAUSE: Duration = Duration::from_secs(5);
/// A bot that was told of the end has so long to hang up too.
const PARTING: Duration = Duration::from_secs(2);
/// What a caller says before the bot is there is kept so far: two seconds.
const EARLY: usize = 100;
/// Keys, and the like, that he presses meanwhile.
const EARLY_KEYS: usize = 64;
/// When the session's last conversation has not ended yet, it is asked for again after this.
const AGAIN: Duration = Duration::from_millis(300);

/// The way to Lex, with the keys of the day.
type Source = dyn Fn() -> Result<Lex, String> + Send + Sync;

/// Bots of Amazon Lex.
pub struct LexBots(Arc<Source>);

impl LexBots {
    /// With what `source` gives for each conversation.
    pub fn new(source: impl Fn() -> Result<Lex, String> + Send + Sync + 'static) -> Self {
        Self(Arc::new(source))
    }
}

impl Bots for LexBots {
    fn talk(
        &self,
        talk: Talk,
        ears: Ears,
        voice: Voice,
    ) -> BoxFuture<'static, Result<(), ActionError>> {
        let lex = (self.0)();
        Box::pin(async move {
            let lex = lex.map_err(|why| ActionError::system(&why))?;
            let bot = BotAlias::parse(&talk.bot).ok_or_else(|| {
                let text = "BotAliasArn parameter value is invalid.";
                ActionError::new(error_type::INVALID_ACTION_PARAMETER, text)
            })?;
            let opening = Opening {
                bot: &bot,
                locale: &talk.locale,
                session: &talk.session,
                configuration: talk.configuration.as_ref(),
            };
            converse(&lex, opening, ears, voice).await.map_err(|error| error.as_action_error())
        })
    }
}

/// What was heard while there was no bot yet.
#[derive(Default)]
struct Early {
    heard: VecDeque<Heard>,
    sound: usize,
}

impl Early {
    /// Keeps it, or gives it back: there is no room.
    fn keep(&mut self, heard: Heard) -> Result<(), Heard> {
        let sound = matches!(heard, Heard::Sound(_));
        let room =
            if sound { self.sound < EARLY } else { self.heard.len() - self.sound < EARLY_KEYS };
        if !room {
            return Err(heard);
        }
        self.sound += usize::from(sound);
        self.heard.push_back(heard);
        Ok(())
    }

    fn take(&mut self) -> Option<Heard> {
        let heard = self.heard.pop_front()?;
        self.sound -= usize::from(matches!(heard, Heard::Sound(_)));
        Some(heard)
    }
}

/// The call's side of a conversation.
struct Caller {
    ears: Ears,
    early: Early,
    voice: Voice,
}

/// Has the conversation. One of the same session that was left a moment ago is in its way until Lex
/// has let go of it (`ConflictException`).
async fn converse(
    lex: &Lex,
    opening: Opening<'_>,
    ears: Ears,
    voice: Voice,
) -> Result<(), LexError> {
    let until = Instant::now() + OPENING;
    let mut caller = Caller { ears, early: Early::default(), voice };
    loop {
        let mut begun = false;
        match attempt(lex, opening, &mut caller, &mut begun).await {
            Err(error) if error.is_conflict() && !begun && Instant::now() < until => {
                sleep(AGAIN).await;
            }
            outcome => return outcome,
        }
    }
}

/// One attempt; `begun`: the bot did something.
async fn attempt(
    lex: &Lex,
    opening: Opening<'_>,
    Caller { ears, early, voice }: &mut Caller,
    begun: &mut bool,
) -> Result<(), LexError> {
    let (bot, mouth) = {
        let starting = lex.start(opening);
        tokio::pin!(starting);
        loop {
            tokio::select! {
                started = &mut starting => break started?,
                heard = ears.next() => match heard {
                    // The request goes with its future.
                    Heard::Gone => return Ok(()),
                    heard => {
                        if let Err(lost) = early.keep(heard) {
                            ears.lose(&lost);
                        }
                    }
                },
            }
        }
    };
    let speaking = speak(mouth, voice, begun);
    tokio::pin!(speaking);
    tokio::select! {
        outcome = &mut speaking => outcome,
        heard = hear(bot, early, ears) => {
            heard?;
            // What it still says nobody hears, be it an error.
            let _ = timeout(PARTING, speaking).await;
            Ok(())
        }
    }
}

/// Tells the bot what comes from the call, until that is over.
async fn hear(mut bot: BotEars, early: &mut Early, ears: &mut Ears) -> Result<(), LexError> {
    let stuck = |_| LexError::Broken("it takes nothing".to_owned());
    loop {
        let heard = match early.take() {
            Some(heard) => Some(heard),
            None => timeout(GAP, ears.next()).await.ok(),
        };
        let (times, told) = match heard {
            Some(Heard::Sound(samples)) => (1, sound(samples.as_slice())),
            Some(Heard::Key(key)) => (1, Told::Key(key)),
            Some(Heard::Played) => (1, Told::Played),
            Some(Heard::Gone) => return timeout(STUCK, bot.close()).await.map_err(stuck),
            None => (PIECES, sound(&[0; CHUNK])),
        };
        for _ in 0..times {
            if !timeout(STUCK, bot.hear(&told)).await.map_err(stuck)? {
                // Why it takes nothing more is said where it speaks; the caller may still go.
                while ears.next().await != Heard::Gone {}
                return Ok(());
            }
        }
    }
}

fn sound(samples: &[i16]) -> Told {
    Told::Audio(samples.iter().flat_map(|sample| sample.to_le_bytes()).collect::<Bytes>())
}

/// Tells the call what the bot does, until it hangs up.
async fn speak(mut mouth: Mouth, voice: &mut Voice, begun: &mut bool) -> Result<(), LexError> {
    let mut pause = None;
    loop {
        let next = match pause {
            Some(at) => match timeout_at(at, mouth.next()).await {
                Ok(next) => next,
                Err(_) => {
                    voice.end();
                    pause = None;
                    continue;
                }
            },
            None => mouth.next().await,
        };
        *begun |= matches!(next, Ok(Some(_)));
        match next {
            Ok(Some(Event::Audio { rate, octets })) => {
                voice.speak(rate, &octets).await;
                // A long answer comes as fast as the line is; calls have their turns meanwhile.
                tokio::task::yield_now().await;
                pause = Some(Instant::now() + PAUSE);
            }
            Ok(Some(Event::AudioEnd)) => {
                voice.end();
                pause = None;
            }
            Ok(Some(Event::Text)) => voice.announce().await,
            Ok(Some(Event::Interrupted)) => {
                voice.interrupt().await;
                pause = None;
            }
            Ok(Some(Event::Understood { result, intent, over })) => {
                voice.understand(result, intent, over).await;
            }
            Ok(Some(Event::Other)) => {}
            Ok(None) => {
                voice.end();
                return Ok(());
            }
            Err(error) => {
                voice.end();
                return Err(error);
            }
        }
    }
}
