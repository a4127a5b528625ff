//! Rolling DNIS: the telephone network keeps two numbers of a call and drops everything else, so a
//! pair of numbers (the one shown, the one dialled) says which call it is while it is on its way.
//!
//! > A pair is a *lease*: it has an owner and an end. Only its owner gives it back or extends it,
//! > nobody is told of a lease that has ended, and whoever asks late never hears of the next call.
//!
//! The idea and the table are those of AWS's take-back-and-transfer sample; the lease is what keeps
//! it from leaking pairs and from moving another caller's call. Three backends keep leases: SQLite
//! (`edge/store`), the sample's DynamoDB table (`edge/chime`) and PostgreSQL (`edge/postgres`). One
//! suite of tests runs on each of them (`suite/`).

mod lease;
mod order;
mod shared;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use jiff::Timestamp;

pub use self::lease::{Count, Lease, Pair};
pub use self::order::{Candidate, candidates};

/// What a backend answers.
pub type Answer<'a, T> = BoxFuture<'a, Result<T, DnisError>>;

/// Gives the time. A backend whose server has a clock of its own may prefer that.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The clock of this machine.
#[must_use]
pub fn system_clock() -> Clock {
    Arc::new(Timestamp::now)
}

/// Why there is no answer, or no pair.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DnisError {
    /// Each pair is leased to a call.
    #[error("all {pairs} pairs of numbers are in use")]
    Exhausted {
        /// How many there are in all.
        pairs: usize,
    },
    /// The backend cannot be asked. In words.
    #[error("the pairs of numbers cannot be asked for: {0}")]
    Unavailable(String),
}

/// A call wants a pair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The call's transaction id. Whoever claims again gets the pair that he has.
    pub owner: String,
    /// Which program holds the call's first leg: what it leased is given back when it starts anew.
    pub holder: String,
    /// The SIP media application that the call belongs to: who is asked to move it.
    pub application: Option<String>,
    /// Who called, E.164.
    pub original_calling_number: String,
    /// How long it is good for, unless it is extended.
    pub lease: Duration,
}

/// Somebody was called at a pair and asks which call it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lookup {
    /// As the telephone network showed it.
    pub pair: Pair,
    /// The Connect contact that asks. The first one binds the lease to itself: another contact
    /// that comes over the same pair belongs to another call.
    pub contact: Option<String>,
    /// Only if this transaction owns it: whoever looked before, and remembers.
    pub owner: Option<String>,
}

/// A pool of pairs.
///
/// Every method may be repeated: a repeated claim gives the same pair, a repeated release nothing.
pub trait DnisPool: Send + Sync {
    /// Leases a pair that is free, or whose lease has ended.
    ///
    /// # Errors
    /// [`DnisError::Exhausted`]: there is none. [`DnisError::Unavailable`].
    fn claim(&self, claim: Claim) -> Answer<'_, Lease>;

    /// Moves the end of a lease to `lease` from now. `false`: it is not the owner's (any more).
    ///
    /// # Errors
    /// [`DnisError::Unavailable`].
    fn extend(&self, owner: &str, pair: &Pair, lease: Duration) -> Answer<'_, bool>;

    /// Gives back what an owner has: this pair, or (`None`) whatever it is. The number of pairs
    /// given back; a pair that another call has leased meanwhile is left alone.
    ///
    /// # Errors
    /// [`DnisError::Unavailable`].
    fn release(&self, owner: &str, pair: Option<&Pair>) -> Answer<'_, usize>;

    /// Whether a release that was answered with an error, or not waited for, is repeated by this pool
    /// itself: whoever asked for it has nothing left to do.
    fn repeats_releases(&self) -> bool {
        false
    }

    /// The call behind a pair. `None`: no lease, one that has ended, or one of another contact.
    ///
    /// # Errors
    /// [`DnisError::Unavailable`].
    fn lookup(&self, lookup: Lookup) -> Answer<'_, Option<Lease>>;

    /// Gives back all that has ended, and tells what it was: each is a call that nobody ended.
    ///
    /// # Errors
    /// [`DnisError::Unavailable`].
    fn sweep(&self) -> Answer<'_, Vec<Lease>>;

    /// Gives back all that a holder has leased: for its start, when it has no calls yet.
    ///
    /// # Errors
    /// [`DnisError::Unavailable`].
    fn release_holder(&self, holder: &str) -> Answer<'_, usize>;

    /// Adds those that are missing; leases of the others are left alone.
    ///
    /// # Errors
    /// [`DnisError::Unavailable`].
    fn add(&self, pairs: Vec<Pair>) -> Answer<'_, ()>;

    /// Takes out those that are free; gives those that are leased and therefore stayed.
    ///
    /// # Errors
    /// [`DnisError::Unavailable`].
    fn remove(&self, pairs: Vec<Pair>) -> Answer<'_, Vec<Pair>>;

    /// How many are free and how many leased.
    ///
    /// # Errors
    /// [`DnisError::Unavailable`].
    fn count(&self) -> Answer<'_, Count>;
}
