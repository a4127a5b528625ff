//! What descriptions say of a desk phone's DTLS (RFC 5763): `a=fingerprint`, `a=setup`, and whether
//! RTCP comes on the port of RTP, so that one handshake is enough.

use super::webrtc::{NO_FINGERPRINT, Setup, certificates, of_session, setup_of};
use super::{Agreed, NegotiateError, Ours};
use crate::sdp::{Media, SessionDescription};
use crate::webrtc::{DtlsTerms, Fingerprint};

/// Our side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OurDtls {
    fingerprint: Fingerprint,
    setup: Setup,
    /// RTCP on the port of RTP (RFC 5761).
    pub(super) mux: bool,
}

/// The peer's side.
#[derive(Debug, Clone)]
pub(super) struct TheirDtls {
    fingerprint: Fingerprint,
    setup: Setup,
    mux: bool,
}

impl TheirDtls {
    /// Whether a description names a certificate at all.
    pub(super) fn is_there(session: &SessionDescription, media: &Media) -> bool {
        media.has("fingerprint") || of_session(session, "fingerprint").is_some()
    }

    pub(super) fn read(
        session: &SessionDescription,
        media: &Media,
    ) -> Result<Self, NegotiateError> {
        let fingerprint =
            certificates(session, media, media).ok_or(NegotiateError::Dtls(NO_FINGERPRINT))?;
        let setup = setup_of(session, media)
            .ok_or(NegotiateError::Dtls("a=setup says neither active nor passive"))?;
        Ok(Self { fingerprint, setup, mux: media.has("rtcp-mux") })
    }
}

impl OurDtls {
    /// For a first offer.
    pub(super) fn offered(fingerprint: &Fingerprint) -> Self {
        Self { fingerprint: fingerprint.clone(), setup: Setup::ActPass, mux: true }
    }

    /// The same for an offer within the session.
    pub(super) fn again(&self) -> Self {
        Self { setup: Setup::ActPass, ..self.clone() }
    }

    /// For an answer. Where we may choose we wait for the peer: behind a NAT it has to speak first.
    pub(super) fn answering(
        fingerprint: &Fingerprint,
        theirs: &TheirDtls,
        before: Option<&(Ours, Agreed)>,
    ) -> Self {
        let before = before.and_then(|(_, agreed)| agreed.stream.dtls.as_deref());
        let active = before.is_some_and(|b| b.active && b.fingerprint == theirs.fingerprint);
        let setup = match theirs.setup {
            Setup::Passive => Setup::Active,
            // RFC 8842 §5.3: an association that stands keeps its roles.
            Setup::ActPass if active => Setup::Active,
            Setup::Active | Setup::ActPass => Setup::Passive,
        };
        Self { fingerprint: fingerprint.clone(), setup, mux: theirs.mux }
    }

    /// What the answer to our offer makes of it.
    pub(super) fn answered(&self, theirs: &TheirDtls) -> Self {
        let setup = if theirs.setup == Setup::Passive { Setup::Active } else { Setup::Passive };
        Self { setup, mux: theirs.mux, ..self.clone() }
    }

    /// For the media port.
    pub(super) fn terms(&self, theirs: &TheirDtls) -> Box<DtlsTerms> {
        let active = self.setup == Setup::Active;
        Box::new(DtlsTerms { fingerprint: theirs.fingerprint.clone(), active })
    }

    /// The lines of the stream.
    pub(super) fn push(&self, media: &mut Media) {
        media.push_attribute(format!("fingerprint:{}", self.fingerprint));
        media.push_attribute(format!("setup:{}", self.setup.name()));
        if self.mux {
            media.push_attribute("rtcp-mux");
        }
    }
}
