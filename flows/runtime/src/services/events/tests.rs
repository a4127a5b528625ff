//! Behaviour of EventBridge.
