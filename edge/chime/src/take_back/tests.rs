//! The application against a service that tells it what happens, in every order.

mod connect;
mod crowd;
mod direct;
mod legs;
mod losses;
mod memory;
mod service;
mod steps;
