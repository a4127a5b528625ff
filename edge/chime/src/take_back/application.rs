//! The function of the SIP media application: decisions, with a pool behind them.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use offhook_dnis::{Claim, DnisError, DnisPool, Pair};
use offhook_sma::InvocationEvent;
use tokio::time::Instant;

use super::decide::{Decision, Turn, decide, decide_claimed};
use super::rules::Rules;
use super::state::{OWED_PAIR, Phase, State};
use super::view::View;

/// What all that is done for one event may take: the service asks again after five seconds, and
/// hangs up after twenty.
const ALL: Duration = Duration::from_millis(4_500);
/// What a claim may take of it: a pair may have to be given back afterwards.
const CLAIM: Duration = Duration::from_secs(3);
/// What giving back and extending may take: the caller waits for the answer.
const REST: Duration = Duration::from_secs(2);

/// Calls whose pairs are still to be given back. One more is left to its lease's end.
const MOST_OWED: usize = 256;
/// How many of them one event gives back, and what that may take: the caller waits for the answer.
const OWED_AT_ONCE: usize = 8;
const OWED: Duration = Duration::from_millis(500);

/// The application.
#[derive(Debug)]
pub struct Application<P> {
    rules: Rules,
    pool: P,
    /// Calls that are over and whose pairs could not be given back.
    owed: Mutex<VecDeque<Owed>>,
}

/// What a call has to give back, by what it remembers.
#[derive(Debug, Clone)]
struct Owed {
    owner: String,
    pair: Option<Pair>,
    /// A claim may have been asked for whose answer was never stored.
    may_have_another: bool,
}

impl Owed {
    fn of(event: &InvocationEvent) -> Self {
        let details = &event.call_details;
        let state = State::read(details.transaction_attributes.as_ref());
        let may_have_another = state.phase.may_claim();
        Self { owner: details.transaction_id.clone(), pair: state.pair, may_have_another }
    }
}

impl<P: DnisPool> Application<P> {
    /// With a pool.
    pub fn new(rules: Rules, pool: P) -> Self {
        Self { rules, pool, owed: Mutex::default() }
    }

    /// Answers an event. There is an answer whatever the pool does: a caller is never left in
    /// silence because of it.
    pub async fn handle(&self, event: &InvocationEvent) -> Turn {
        let end = Instant::now() + ALL;
        let mut turn = match decide(&self.rules, event) {
            Decision::Turn(turn) => turn,
            Decision::Claim => {
                // One of them may be the pair that this caller waits for.
                self.give_back_owed(end).await;
                let claimed = within(CLAIM, self.pool.claim(self.claim(event))).await;
                decide_claimed(&self.rules, event, &claimed)
            }
        };
        let owner = &event.call_details.transaction_id;
        let rest = REST.min(end.saturating_duration_since(Instant::now()));
        let done = if turn.release {
            within(rest, self.release(&Owed::of(event))).await.map(|()| true)
        } else if let Some(pair) = &turn.extend {
            within(rest, self.pool.extend(owner, pair, self.rules.lease)).await
        } else {
            Ok(true)
        };
        let trouble = match done {
            Ok(true) => {
                if turn.release {
                    // It can be asked again.
                    self.give_back_owed(end).await;
                }
                return turn;
            }
            Ok(false) => {
                "the pair is not this call's any more: Connect will not find it".to_owned()
            }
            // The lease ends by itself, which may be in hours.
            Err(error) => {
                if turn.release && !self.pool.repeats_releases() {
                    match is_over(&turn) {
                        true => self.owe(Owed::of(event)),
                        false => still_owed(&mut turn),
                    }
                }
                error.to_string()
            }
        };
        turn.note = Some(match turn.note {
            Some(note) => format!("{note}; {trouble}"),
            None => trouble,
        });
        turn
    }

    fn owed(&self) -> MutexGuard<'_, VecDeque<Owed>> {
        self.owed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A call is over, and its pair could not be given back: a later event does it. Not of calls that
    /// go on, which may claim again meanwhile.
    fn owe(&self, what: Owed) {
        let mut owed = self.owed();
        if owed.len() < MOST_OWED && !owed.iter().any(|other| other.owner == what.owner) {
            owed.push_back(what);
        }
    }

    /// `end`: of the event that it is done with.
    async fn give_back_owed(&self, end: Instant) {
        let giving = async {
            let most = self.owed().len().min(OWED_AT_ONCE);
            for _ in 0..most {
                let Some(next) = self.next_owed() else { return };
                if self.release(&next).await.is_ok() {
                    self.owed().retain(|other| other.owner != next.owner);
                }
            }
        };
        let time = OWED.min(end.saturating_duration_since(Instant::now()));
        let _ = tokio::time::timeout(time, giving).await;
    }

    /// It goes to the back before it is tried: one that fails, or takes too long, keeps nobody waiting.
    fn next_owed(&self) -> Option<Owed> {
        let mut owed = self.owed();
        let next = owed.pop_front()?;
        owed.push_back(next.clone());
        Some(next)
    }

    /// Gives back the pair that the call remembers. While a claim may be under way whose answer was
    /// never stored, it is whatever the call has, which is dear to find out where rows are found by
    /// their pairs only. What is left of an invocation that was repeated ends by itself.
    async fn release(&self, what: &Owed) -> Result<(), DnisError> {
        if let Some(pair) = &what.pair {
            // A pool that goes on by itself goes on with what it was asked for last.
            let goes_on = what.may_have_another && self.pool.repeats_releases();
            match self.pool.release(&what.owner, Some(pair)).await {
                Ok(given) if given > 0 || !what.may_have_another => return Ok(()),
                Err(error) if !goes_on => return Err(error),
                Ok(_) | Err(_) => {}
            }
        }
        self.pool.release(&what.owner, None).await.map(drop)
    }

    /// Gives back what calls have left that nobody ended: for a function that has just begun. How
    /// many there were.
    ///
    /// # Errors
    /// The pool cannot be asked.
    pub async fn sweep(&self) -> Result<usize, DnisError> {
        Ok(within(REST, self.pool.sweep()).await?.len())
    }

    fn claim(&self, event: &InvocationEvent) -> Claim {
        let details = &event.call_details;
        let application = details.sip_media_application_id.clone();
        Claim {
            owner: details.transaction_id.clone(),
            holder: self.rules.holder.clone(),
            application: (!application.is_empty()).then_some(application),
            original_calling_number: View(event).caller().to_owned(),
            lease: self.rules.ringing_lease,
        }
    }
}

/// The call remembers that its pair is still to be given back, and does it at its end.
fn still_owed(turn: &mut Turn) {
    if let Some(attributes) = &mut turn.reply.transaction_attributes {
        attributes.insert(OWED_PAIR.to_owned(), "true".into());
    }
}

/// Whether nothing comes after this for the call.
fn is_over(turn: &Turn) -> bool {
    let phase = State::read(turn.reply.transaction_attributes.as_ref()).phase;
    matches!(phase, Phase::Over | Phase::Ending)
}

async fn within<T>(
    time: Duration,
    asking: impl Future<Output = Result<T, DnisError>>,
) -> Result<T, DnisError> {
    let late = |_| {
        let words = format!("no answer within {} s", time.as_secs_f32());
        Err(DnisError::Unavailable(words))
    };
    tokio::time::timeout(time, asking).await.unwrap_or_else(late)
}
