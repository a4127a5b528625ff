//! What a leg with ICE, a browser's most of all, has below its RTP: ICE, DTLS, and the one UDP port
//! that all such legs share.
//!
//! * [`stun`] and [`ice`] find the way to the peer and prove who is there (RFC 8489, RFC 8445).
//! * [`dtls`] makes the keys of SRTP (RFC 5764); [`session`] joins both for one leg.
//! * [`lite`] is ICE of a leg that has ports of its own and no DTLS.
//! * [`desk`] is what is left of it for a desk phone with DTLS-SRTP and a port of its own.
//! * [`demux`] tells the packets on the port apart and finds their leg (RFC 7983).
//!
//! No socket and no clock: the media thread hands in both.

pub(crate) mod demux;
pub(crate) mod desk;
mod dtls;
pub(crate) mod ice;
pub(crate) mod lite;
pub(crate) mod session;
mod stun;

/// What our description says of a leg.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Local {
    /// Our name and password.
    pub credentials: Credentials,
    /// Our certificate's.
    pub fingerprint: Fingerprint,
    /// Who is there.
    pub peer: Peer,
}

pub use desk::DtlsTerms;
pub use dtls::{Fingerprint, Identity, IdentityError, Peer};
pub use ice::{Credentials, Remote, is_candidate, read_candidate};
pub use lite::IceTerms;
pub use session::{Terms, WebRtcError};
