//! How often somebody is asked who did not answer.

use std::fmt::Display;
use std::time::Duration;

use super::queue::Told;

/// Between attempts: doubled each time, up to the latter.
const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(30);

/// The last pause; none: the last attempt went well.
#[derive(Debug, Default)]
pub(super) struct Pause(Option<Duration>);

impl Pause {
    /// After an attempt: tells of the first that failed and of the first that went well again, and
    /// waits after one that failed.
    pub(super) async fn after(
        &mut self,
        attempt: Result<(), impl Display>,
        tell: &mut impl FnMut(Told),
    ) {
        match (attempt, self.0) {
            (Ok(()), None) => {}
            (Ok(()), Some(_)) => {
                self.0 = None;
                tell(Told::Reachable);
            }
            (Err(error), None) => {
                tell(Told::Unreachable(error.to_string()));
                self.wait(FIRST).await;
            }
            (Err(_), Some(last)) => self.wait(LONGEST.min(last * 2)).await,
        }
    }

    /// Whether the last attempt failed.
    pub(super) fn is_on(&self) -> bool {
        self.0.is_some()
    }

    async fn wait(&mut self, pause: Duration) {
        self.0 = Some(pause);
        tokio::time::sleep(pause).await;
    }
}
