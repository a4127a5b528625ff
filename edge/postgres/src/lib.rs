//! What several boxes share, on PostgreSQL (any engine that speaks its protocol and has
//! `FOR UPDATE SKIP LOCKED`).
//!
//! > One connection carries all requests, one behind the other without waiting; each is one
//! > statement and therefore happens wholly or not at all. A connection that broke is made anew by
//! > the next request.

mod connection;
mod dnis;
mod tls;

pub use self::connection::{Database, DatabaseError};
pub use self::dnis::PostgresPool;
