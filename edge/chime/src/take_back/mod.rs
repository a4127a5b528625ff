//! Take-back and transfer: a caller is bridged to Amazon Connect, and Connect has him taken back
//! and bridged to somebody else, without ever holding him again.
//!
//! > The application keeps the caller's leg. Whatever Connect, the target, a retry or a late event
//! > does: the caller hears something, a leg that nobody uses is hung up, and the pair of numbers is
//! > given back.
//!
//! [`Application`] is the function of the SIP media application, [`Switch`] that of Connect's contact
//! flow; [`Desk`] asks from the other side. Both are those of AWS's sample (the same table, attributes, arguments and parameters), with
//! its losses mended. What they decide is pure ([`decide()`]); what they ask is behind
//! [`offhook_dnis::DnisPool`] and [`Deliver`].

mod application;
mod carried;
mod connect;
mod decide;
mod deliver;
mod desk;
mod hangup;
mod moves;
pub mod notes;
mod parameters;
mod pause;
pub mod queue;
mod rules;
pub mod settings;
mod state;
mod target;
#[cfg(test)]
mod tests;
mod update;
mod view;

pub use self::application::Application;
pub use self::carried::{APPLICATION, Direct, Pass, TRANSACTION};
pub use self::connect::{Switch, SwitchRules};
pub use self::decide::{Decision, Turn, decide, decide_claimed};
pub use self::deliver::{Deliver, DeliverError, Refusal, Update, Way};
pub use self::desk::{Begin, Desk};
pub use self::rules::{Exhausted, Rules, Words};
pub use self::state::{Phase, State};
pub use self::target::Target;
