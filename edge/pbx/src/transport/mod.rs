//! Sockets: what carries SIP messages, and which address we give others.

pub mod advertise;
