//! When schedules come, and that each time is acted upon once.
//!
//! [`expression`] says when a schedule comes next; [`Schedules`] hands out what is due, having
//! first written down that it does.

mod cron;
mod engine;
mod expression;
mod fire;
mod keep;
mod record;
#[cfg(test)]
mod tests;

pub(crate) use engine::SCHEDULES;
pub use engine::{Due, Missed, Outcome, Schedules};
pub use expression::Expression;
pub use fire::{Fired, OutboundCall, StartExecution, Targets, arguments_of, fire};
pub use keep::Keeper;
pub use record::{Invocation, Record, RetryPolicy, Target};
