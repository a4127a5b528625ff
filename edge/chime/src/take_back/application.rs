//! The function of the SIP media application: decisions, with a pool behind them.

use std::time::Duration;

use offhook_dnis::{Claim, DnisError, DnisPool};
use offhook_sma::InvocationEvent;

use super::decide::{Decision, Turn, decide, decide_claimed};
use super::rules::Rules;
use super::view::View;

/// What a claim may take: the service asks again after five seconds, and hangs up after twenty.
const CLAIM: Duration = Duration::from_secs(4);
/// What giving back and extending may take: the caller waits for the answer.
const REST: Duration = Duration::from_secs(2);

/// The application.
#[derive(Debug)]
pub struct Application<P> {
    rules: Rules,
    pool: P,
}

impl<P: DnisPool> Application<P> {
    /// With a pool.
    pub fn new(rules: Rules, pool: P) -> Self {
        Self { rules, pool }
    }

    /// Answers an event. There is an answer whatever the pool does: a caller is never left in
    /// silence because of it.
    pub async fn handle(&self, event: &InvocationEvent) -> Turn {
        let mut turn = match decide(&self.rules, event) {
            Decision::Turn(turn) => turn,
            Decision::Claim => {
                let claimed = within(CLAIM, self.pool.claim(self.claim(event))).await;
                decide_claimed(&self.rules, event, &claimed)
            }
        };
        let owner = &event.call_details.transaction_id;
        let done = if turn.release {
            // Whatever it has: an invocation that was repeated may have claimed twice.
            within(REST, self.pool.release(owner, None)).await.map(|_| true)
        } else if let Some(pair) = &turn.extend {
            within(REST, self.pool.extend(owner, pair, self.rules.lease)).await
        } else {
            Ok(true)
        };
        let trouble = match done {
            Ok(true) => return turn,
            Ok(false) => {
                "the pair is not this call's any more: Connect will not find it".to_owned()
            }
            // The lease ends by itself.
            Err(error) => error.to_string(),
        };
        turn.note = Some(match turn.note {
            Some(note) => format!("{note}; {trouble}"),
            None => trouble,
        });
        turn
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

async fn within<T>(
    time: Duration,
    asking: impl Future<Output = Result<T, DnisError>>,
) -> Result<T, DnisError> {
    let late = |_| {
        let words = format!("no answer within {} s", time.as_secs());
        Err(DnisError::Unavailable(words))
    };
    tokio::time::timeout(time, asking).await.unwrap_or_else(late)
}
