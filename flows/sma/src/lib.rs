//! Events, actions and session rules of a SIP media application. Knows nothing of SIP or RTP.
//!
//! > An application is told [`event::InvocationEvent`]s and answers with a [`reply::Reply`]; the
//! > names on the wire are those of Amazon Chime SDK's PSTN audio service, letter by letter, so
//! > that a handler written for it runs here unchanged.
//!
//! What Offhook adds (endpoints inside the office, audio that is built in or lies in a file) uses
//! further words in places where AWS has an enumeration; nothing of AWS's is changed by it.
//! Everything here is a value: [`session::Transaction`] and [`session::Script`] hold the rules,
//! [`rules::Rules`] has a switch for each contradiction in AWS's documentation, and
//! [`digits::Collector`] and [`invoke::Invocation`] take `now` as an argument.

pub mod action;
pub mod digits;
pub mod event;
pub mod invoke;
mod lenient;
pub mod reply;
pub mod rules;
pub mod session;
pub mod speech;
pub mod user_to_user;

pub use action::{Action, LegTag, Target};
pub use event::{ActionData, EventType, InvocationEvent};
pub use reply::Reply;
pub use rules::Rules;

/// The only schema version there is.
pub const SCHEMA_VERSION: &str = "1.0";
