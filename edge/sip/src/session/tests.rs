//! Behaviour of sessions; see the modules.
