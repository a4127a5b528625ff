//! Amazon Lex V2: `StartConversation` of its runtime, in which a bot hears a caller and speaks to him
//! (Lex V2 API reference, "StartConversation"; developer guide, "Starting a conversation stream").

mod event;
#[cfg(test)]
mod tests;
mod words;

use std::time::Duration;

use bytes::Bytes;
use offhook_sma::action::BotAlias;
use offhook_sma::event::{ActionError, error_type};
use serde_json::{Map, Value};

pub use self::event::{CHUNK, Event, Heard};
use crate::aws::stream::{Answers, EVENTS, Sends};
use crate::aws::{Aws, AwsError, Service};
use crate::eventstream::Message;
use crate::sigv4::{Draft, encoded};

const SERVICE: Service<'static> = Service { prefix: "runtime-v2-lex", signing: "lex" };
/// What opening a conversation may take, keys and handshakes included: a caller hears nothing
/// meanwhile.
pub const OPENING: Duration = Duration::from_secs(15);
/// Letters of `ErrorMessage`: an exception may have a megabyte of them.
const WORDS: usize = 1000;
/// How long a bot may say nothing at all: Lex sends heartbeats meanwhile (`HeartbeatEvent`).
const SILENT: Duration = Duration::from_secs(60);

/// A conversation to be begun.
#[derive(Debug, Clone, Copy)]
pub struct Opening<'a> {
    /// With which bot.
    pub bot: &'a BotAlias,
    /// `en_US`.
    pub locale: &'a str,
    /// The session's id: conversations of the same one go on with what was understood before.
    pub session: &'a str,
    /// `Configuration` of `StartBotConversation`.
    pub configuration: Option<&'a Map<String, Value>>,
}

/// Why there is no conversation, or why it broke.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LexError {
    /// It did not begin.
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// Lex ended it, with an exception's name and message.
    #[error("{code} {message}")]
    Exception {
        /// `ThrottlingException`.
        code: String,
        /// In the service's words.
        message: String,
    },
    /// The connection broke, or what came over it is no event.
    #[error("the connection to Amazon Lex broke: {0}")]
    Broken(String),
    /// It says nothing.
    #[error("Amazon Lex says nothing for {} s", .0.as_secs())]
    Silent(Duration),
}

impl LexError {
    /// The same as an application is told of it (Chime SDK developer guide, "StartBotConversation",
    /// table of errors).
    #[must_use]
    pub fn as_action_error(&self) -> ActionError {
        let mut error = self.in_words_of_aws();
        if let Some((end, _)) = error.message.char_indices().nth(WORDS) {
            error.message.truncate(end);
        }
        error
    }

    /// Whether a conversation of the same session goes on still: one that was left a moment ago.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        match self {
            Self::Aws(AwsError::Refused { status, code, .. }) => {
                *status == 409 || code == "ConflictException"
            }
            Self::Exception { code, .. } => code == "ConflictException",
            _ => false,
        }
    }

    /// Whether other keys may do better.
    fn is_of_keys(&self) -> bool {
        let of_keys = [
            "AccessDeniedException",
            "ExpiredTokenException",
            "InvalidSignatureException",
            "UnrecognizedClientException",
        ];
        matches!(self, Self::Exception { code, .. } if of_keys.contains(&code.as_str()))
    }

    fn in_words_of_aws(&self) -> ActionError {
        let (code, message) = match self {
            Self::Aws(AwsError::Refused { code, message, .. })
            | Self::Exception { code, message } => (code.as_str(), message.as_str()),
            other => return ActionError::system(&other.to_string()),
        };
        let (kind, text) = match code {
            "ResourceNotFoundException" => {
                (error_type::RESOURCE_NOT_FOUND, "A specified bot is not found.")
            }
            "AccessDeniedException"
            | "ExpiredTokenException"
            | "IncompleteSignatureException"
            | "InvalidSignatureException"
            | "MissingAuthenticationTokenException"
            | "UnrecognizedClientException" => {
                (error_type::RESOURCE_ACCESS_DENIED, "Access to the bot is denied.")
            }
            "ThrottlingException" => (
                error_type::ACTION_EXECUTION_THROTTLED,
                "Bot conversation service limit is exceeded.",
            ),
            "ValidationException" => {
                (error_type::INVALID_ACTION_PARAMETER, "One or more action parameters are invalid.")
            }
            // Conflict, DependencyFailed, BadGateway, InternalServer, and what is not known.
            _ => return ActionError::system(&self.to_string()),
        };
        ActionError::new(kind, format!("{text} {message}").trim_end().to_owned())
    }
}

/// Amazon Lex, or what stands in for it.
#[derive(Debug, Clone)]
pub struct Lex(Aws);

impl Lex {
    /// With these credentials and addresses.
    #[must_use]
    pub fn new(aws: Aws) -> Self {
        Self(aws)
    }

    /// Begins a conversation (Lex Runtime V2 API, `StartConversation`).
    ///
    /// # Errors
    /// See [`LexError`].
    pub async fn start(&self, opening: Opening<'_>) -> Result<(Ears, Mouth), LexError> {
        let begun = tokio::time::timeout(OPENING, self.begin(opening)).await;
        begun.unwrap_or(Err(LexError::Silent(OPENING)))
    }

    async fn begin(&self, opening: Opening<'_>) -> Result<(Ears, Mouth), LexError> {
        let bot = opening.bot;
        let endpoint = self.0.endpoint(SERVICE, &bot.region)?;
        let path = format!(
            "/bots/{}/botAliases/{}/botLocales/{}/sessions/{}/conversation",
            encoded(&bot.bot_id),
            encoded(&bot.alias_id),
            encoded(opening.locale),
            encoded(opening.session)
        );
        let mut draft = Draft::post(&endpoint.authority, &path, EVENTS, Bytes::new());
        // Sound and keys (`conversationMode`).
        draft.headers.push(("x-amz-lex-conversation-mode".to_owned(), "AUDIO".to_owned()));
        let mut counted = 0;
        let first = event::configuration(opening.configuration, &mut counted);
        let first = encode(&first)?;
        let (sends, answers) = self.0.stream(SERVICE, &bot.region, draft, first).await?;
        Ok((Ears { sends, counted }, Mouth { answers }))
    }
}

fn encode(message: &Message) -> Result<Bytes, LexError> {
    message.encode().map_err(|error| LexError::Broken(error.to_string()))
}

/// What the bot hears with. Dropped, it ends the request.
#[derive(Debug)]
pub struct Ears {
    sends: Sends,
    counted: u64,
}

impl Ears {
    /// Tells the bot something, as soon as the connection takes it; `false`: it takes nothing more,
    /// and [`Mouth`] knows why.
    pub async fn hear(&mut self, heard: &Heard) -> bool {
        match encode(&event::heard(heard, &mut self.counted)) {
            Ok(event) => self.sends.send(event).await.is_ok(),
            Err(_) => false,
        }
    }

    /// The caller is gone, or is wanted elsewhere.
    pub async fn close(mut self) {
        if self.hear(&Heard::Gone).await {
            self.sends.finish().await;
        }
    }
}

/// What the bot speaks with. Dropped, it closes the connection.
#[derive(Debug)]
pub struct Mouth {
    answers: Answers,
}

impl Mouth {
    /// What the bot does next; `None`: the conversation is over.
    ///
    /// # Errors
    /// See [`LexError`].
    pub async fn next(&mut self) -> Result<Option<Event>, LexError> {
        let next = tokio::time::timeout(SILENT, self.answers.next()).await;
        match next.map_err(|_| LexError::Silent(SILENT))? {
            Ok(Some(message)) => {
                let event = event::read(&message);
                if event.as_ref().is_err_and(LexError::is_of_keys) {
                    self.answers.refused().await;
                }
                event.map(Some)
            }
            Ok(None) => Ok(None),
            Err(error) => Err(LexError::Broken(error.to_string())),
        }
    }
}
