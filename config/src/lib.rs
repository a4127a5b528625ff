//! What the operator writes: schema, defaults, check with line and column, diff for reload.
//!
//! > A configuration is a snapshot: parsed whole or refused whole, with every problem's line,
//! > column and remedy; never changed afterwards. A reload makes another snapshot.

pub mod business;
pub mod check;
pub mod dialplan;
pub mod diff;
pub mod extension;
pub mod net;
pub mod phonebook;
mod problem;
pub mod schema;
pub mod secret;
pub mod target;
pub mod trunk;
pub mod voice_connector;

pub use check::{Surroundings, System, check, check_in, load, load_in, load_leniently};
pub use dialplan::{Dialled, Route};
pub use diff::{Change, Effect, diff};
pub use extension::is_extension;
pub use net::{IpNet, PortRange};
pub use problem::Problem;
pub use schema::*;
pub use secret::Secret;
pub use target::{Origin, Pattern, RuleOrigin, Target};
pub use trunk::{DialTemplate, HostPort, Register, Trunk, TrunkCredentials, TrunkKind};
