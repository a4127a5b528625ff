//! Behaviour of sessions. [`lab`] holds the two ends and the messages of a scripted peer.

mod callee;
mod caller;
mod changes;
mod lab;
mod lossy;
mod pair;
mod random;
mod reliable;
mod rfc3665;
mod timers;
