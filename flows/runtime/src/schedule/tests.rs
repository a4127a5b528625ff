//! Behaviour of schedules.

mod engine;
mod expressions;
mod firing;
