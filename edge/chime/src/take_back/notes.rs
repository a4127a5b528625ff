//! Notes in the table of pairs by which an office that has no port open is asked to move its calls:
//! the message of the queue ([`super::queue`]), with `Id` and `SentTimestamp`, in the attribute
//! `update_request` of the call's row. What became of it is in `update_answer`.
//!
//! > Only the rows that this box has leased are looked at, and only while there are any. A note is
//! > obeyed by whoever takes it out of the row, once.

use std::collections::VecDeque;
use std::time::Duration;

use futures_util::future::BoxFuture;
use offhook_dnis::{DnisError, Pair};
use serde_json::{Value, json};

use super::deliver::Refusal;
use super::pause::Pause;
use super::queue::{Moves, REMEMBERED, TIMES, Taken, Told, Update, is_old, read};
use crate::dnis::{DynamoDbPool, Note};

/// Updates that wait for a call that is busy. One more is refused.
const WAITING: usize = 64;
/// Polls between two attempts at such a call.
const REST: u32 = 4;

/// Those who know which rows are leased here.
pub trait Leased: Send + Sync {
    /// The pairs, each with its call's transaction id.
    fn leased(&self) -> Vec<(Pair, String)>;
    /// Ends when there is one.
    fn some(&self) -> BoxFuture<'_, ()>;
}

/// How the table is looked into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotesConfig {
    /// Between two looks.
    pub interval: Duration,
    /// An update that is older moves nobody.
    pub max_age: Duration,
}

/// The notes.
pub struct Notes {
    pool: DynamoDbPool,
    config: NotesConfig,
    /// Ids of what was taken, each with its answer so far: a writer that was not answered writes
    /// again, and is answered the same.
    taken: VecDeque<(String, String)>,
    waiting: VecDeque<Waiting>,
    /// Notes that may have been taken: the table did not say.
    unsure: VecDeque<Waiting>,
    /// Tells this taker's answers from those of another one.
    nonce: String,
}

/// A note that was taken, and whose call had no time for it.
struct Waiting {
    note: Note,
    request: Request,
    /// The text that it was taken with.
    taken: String,
    tries: u64,
    rests: u32,
}

/// A note that makes sense.
struct Request {
    id: String,
    sent: u64,
    update: Update,
}

impl Notes {
    /// Nothing is asked yet.
    #[must_use]
    pub fn new(pool: DynamoDbPool, config: NotesConfig) -> Self {
        use std::hash::{BuildHasher as _, RandomState};
        let random = RandomState::new().hash_one(std::process::id());
        let nonce = format!("{:x}-{random:x}", pool.now().as_millisecond());
        let (taken, waiting, unsure) = Default::default();
        Self { pool, config, taken, waiting, unsure, nonce }
    }

    /// Moves calls until the future is dropped.
    pub async fn run(mut self, leased: &dyn Leased, moves: &dyn Moves, mut tell: impl FnMut(Told)) {
        let mut pause = Pause::default();
        loop {
            leased.some().await;
            let polled = self.poll(&leased.leased(), moves, &mut tell).await;
            pause.after(polled, &mut tell).await;
            if !pause.is_on() {
                tokio::time::sleep(self.config.interval).await;
            }
        }
    }

    /// Looks once, and does what the notes say.
    ///
    /// # Errors
    /// The table cannot be asked. What was taken is done, and is not done again.
    pub async fn poll(
        &mut self,
        leased: &[(Pair, String)],
        moves: &dyn Moves,
        tell: &mut impl FnMut(Told),
    ) -> Result<(), DnisError> {
        let mut first = self.make_sure(moves, tell).await;
        // Before those that wait: a newer request takes the place of an older one.
        match self.pool.notes(leased).await {
            Ok(notes) => {
                for note in notes {
                    first = first.and(self.take(note, moves, tell).await);
                }
            }
            Err(error) => first = first.and(Err(error)),
        }
        for _ in 0..self.waiting.len() {
            let Some(waiting) = self.waiting.pop_front() else { break };
            if waiting.rests > 0 {
                self.waiting.push_back(Waiting { rests: waiting.rests - 1, ..waiting });
            } else {
                first = first.and(self.act(waiting, moves, tell).await);
            }
        }
        first
    }

    async fn take(
        &mut self,
        note: Note,
        moves: &dyn Moves,
        tell: &mut impl FnMut(Told),
    ) -> Result<(), DnisError> {
        let request = match request(&note) {
            Ok(request) => request,
            Err(why) => {
                let answer = self.answer("", REFUSED, &why);
                if self.pool.take_note(&note, &answer).await? {
                    tell(Told::Dropped { transaction: note.owner, why });
                }
                return Ok(());
            }
        };
        let before = self.taken.iter().find(|(id, _)| *id == request.id);
        let taken = before.map(|(_, answer)| answer.clone());
        let taken = taken.unwrap_or_else(|| self.answer(&request.id, TAKEN, ""));
        let is_taken = self.pool.take_note(&note, &taken).await;
        let one = Waiting { note, request, taken, tries: 0, rests: 0 };
        match is_taken {
            Ok(true) => self.begin(one, moves, tell).await,
            // Whoever takes it away has it to do: a newer one, or another taker, is left alone.
            Ok(false) => Ok(()),
            Err(error) => {
                self.unsure.truncate(WAITING - 1);
                self.unsure.push_front(one);
                Err(error)
            }
        }
    }

    /// Looks once more whether notes were taken, where the table did not say.
    async fn make_sure(
        &mut self,
        moves: &dyn Moves,
        tell: &mut impl FnMut(Told),
    ) -> Result<(), DnisError> {
        let mut first = Ok(());
        for _ in 0..self.unsure.len() {
            let Some(one) = self.unsure.pop_back() else { break };
            match self.pool.has_taken(&one.note, &one.taken).await {
                Ok(true) => first = first.and(self.begin(one, moves, tell).await),
                // It is still there, or another one is: it is found as any other.
                Ok(false) => {}
                Err(error) => {
                    self.unsure.push_back(one);
                    return first.and(Err(error));
                }
            }
        }
        first
    }

    /// Does what a note says that was taken, unless it was taken before.
    async fn begin(
        &mut self,
        one: Waiting,
        moves: &dyn Moves,
        tell: &mut impl FnMut(Told),
    ) -> Result<(), DnisError> {
        if self.taken.iter().any(|(id, _)| *id == one.request.id) {
            return Ok(());
        }
        if self.taken.len() >= REMEMBERED {
            self.taken.pop_front();
        }
        self.taken.push_back((one.request.id.clone(), one.taken.clone()));
        self.supersede(&one.note.owner, tell);
        self.act(one, moves, tell).await
    }

    /// A newer request of a call is there: older ones, which wait for it, are not done any more.
    /// The row has no place for their answers.
    fn supersede(&mut self, owner: &str, tell: &mut impl FnMut(Told)) {
        let waiting = std::mem::take(&mut self.waiting).into_iter();
        let (old, rest) = waiting.partition(|waiting| waiting.note.owner == owner);
        self.waiting = rest;
        for Waiting { note, request, .. } in old {
            let answer = self.answer(&request.id, REFUSED, SUPERSEDED);
            self.remember(&request.id, &answer);
            tell(Told::Dropped { transaction: note.owner, why: SUPERSEDED.to_owned() });
        }
    }

    /// What a repetition is answered from now on.
    fn remember(&mut self, id: &str, answer: &str) {
        if let Some((_, known)) = self.taken.iter_mut().find(|(of, _)| of == id) {
            answer.clone_into(known);
        }
    }

    fn answer(&self, id: &str, status: &str, message: &str) -> String {
        json!({"Id": id, "Status": status, "Message": message, "Taker": self.nonce}).to_string()
    }

    async fn act(
        &mut self,
        mut waiting: Waiting,
        moves: &dyn Moves,
        tell: &mut impl FnMut(Told),
    ) -> Result<(), DnisError> {
        let Request { sent, update, .. } = &waiting.request;
        let transaction = update.transaction.clone();
        waiting.tries += 1;
        let taken = if is_old(self.pool.now(), *sent, self.config.max_age) {
            Taken::Hopeless("it is too old".to_owned())
        } else {
            moves.update(&update.application, &transaction, update.arguments.clone())
        };
        let (status, why) = match taken {
            Taken::Told => {
                tell(Told::Done { transaction });
                return Ok(());
            }
            Taken::Later(_) if waiting.tries < TIMES && self.waiting.len() < WAITING => {
                self.waiting.push_back(Waiting { rests: REST, ..waiting });
                return Ok(());
            }
            Taken::Later(why) => (BUSY, why),
            // The row is this box's: nobody else has the call.
            Taken::Elsewhere => (ENDED, "there is no such call".to_owned()),
            Taken::Hopeless(why) => (REFUSED, why),
        };
        let answer = self.answer(&waiting.request.id, status, &why);
        self.remember(&waiting.request.id, &answer);
        tell(Told::Dropped { transaction, why });
        self.pool.answer_note(&waiting.note, &waiting.taken, &answer).await.map(drop)
    }
}

/// Words of `Status` in an answer.
const TAKEN: &str = "taken";
const ENDED: &str = "ended";
const REFUSED: &str = "refused";
const BUSY: &str = "unavailable";

const SUPERSEDED: &str = "a newer request took its place";

/// What an answer says to whoever asked with this id. `None`: nothing that went wrong, or it is of
/// another request.
pub(super) fn refusal(answer: &str, id: &str) -> Option<(Refusal, String)> {
    let answer: Value = serde_json::from_str(answer).ok()?;
    let refusal = match answer["Status"].as_str()? {
        ENDED => Refusal::Ended,
        REFUSED => Refusal::Refused,
        BUSY => Refusal::Unavailable,
        _ => return None,
    };
    // What could not be read has no id.
    let own = answer["Id"].as_str().is_some_and(|of| of.is_empty() || of == id);
    own.then(|| (refusal, answer["Message"].as_str().unwrap_or_default().to_owned()))
}

fn request(note: &Note) -> Result<Request, String> {
    let update = read(&note.text)?;
    if update.transaction != note.owner {
        return Err("the message is about another call".to_owned());
    }
    let whole: Value = serde_json::from_str(&note.text).unwrap_or_default();
    let sent = match &whole["SentTimestamp"] {
        Value::String(text) => text.parse().ok(),
        number => number.as_u64(),
    };
    let sent = sent.ok_or("the message has no SentTimestamp in milliseconds since 1970")?;
    let id = whole["Id"].as_str().filter(|id| !id.is_empty() && id.len() <= 128);
    Ok(Request { id: id.ok_or("the message has no Id")?.to_owned(), sent, update })
}
