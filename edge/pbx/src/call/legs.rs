//! Finds legs and gives them media.

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use offhook_media::engine::MediaPort;
use offhook_media::negotiate::{offers_another, wants_webrtc};
use offhook_sip::flow::Transport;
use offhook_sip::uri::Uri;
use offhook_sma::action::LegTag;

use super::Call;
use super::browser;
use super::identity;
use super::leg::{self, Leg, LegId, LegMedia, Way};
use crate::office::user_of;

impl Call {
    pub(super) fn leg(&mut self, id: LegId) -> Option<&mut Leg> {
        self.legs.iter_mut().find(|leg| leg.id == id)
    }

    pub(super) fn leg_ref(&self, id: LegId) -> Option<&Leg> {
        self.legs.iter().find(|leg| leg.id == id)
    }

    pub(super) fn tagged(&mut self, tag: LegTag) -> Option<&mut Leg> {
        self.legs.iter_mut().find(|leg| leg.tag() == Some(tag))
    }

    /// What a URI asks for, that a phone sends us to.
    pub(super) fn dialled(&self, uri: &Uri) -> String {
        let phonebook = &self.services.phonebook;
        identity::dialled(&user_of(uri), |number| phonebook.account(number).is_some())
    }

    /// A new port on an interface.
    pub(super) fn open_port(&self, bind: IpAddr) -> Result<MediaPort, String> {
        let opened = self.services.engine.open(bind, self.media_events.clone());
        opened.map_err(|error| error.to_string())
    }

    /// A new leg on the port that legs with ICE share.
    pub(super) fn open_webrtc(&self, signalling: Transport) -> Result<MediaPort, String> {
        let (peer, events) = (browser::peer_over(signalling), self.media_events.clone());
        let opened = self.services.engine.open_webrtc(peer, events);
        opened.map_err(|error| error.to_string())
    }

    pub(super) fn session_id(&mut self) -> u64 {
        u64::from(self.ids.sequence())
    }

    /// Gives a leg its media, when it has none.
    pub(super) fn ensure_media(&mut self, id: LegId) -> Result<(), String> {
        let Some(leg) = self.leg_ref(id) else { return Err("the leg is gone".to_owned()) };
        if leg.media.is_some() {
            return Ok(());
        }
        let flow = match leg.way {
            Way::Flow(flow) | Way::ByUri { seen: Some(flow) } => flow,
            Way::ByUri { seen: None } => return Err("no way to the leg is known".to_owned()),
        };
        let address = self.services.sip.media_address(&flow);
        // What the peer wants of us, and else what a browser would.
        let offer = leg.session.remote_sdp();
        // Where its port is not open, another stream of the offer was found good; if there is one.
        let open = self.services.engine.webrtc_sample().is_some();
        let wants = |offer: &Bytes| wants_webrtc(offer) && (open || !offers_another(offer));
        let webrtc = offer.map_or(flow.transport == Transport::Wss, wants);
        let (address, port) = if webrtc {
            let port = self.open_webrtc(flow.transport)?;
            (browser::webrtc_address(self.config(), address), port)
        } else {
            let address = leg::media_address(self.config(), address);
            (address, self.open_port(address.bind)?)
        };
        let rtp = (address.advertised, port.rtp_addr().port()).into();
        let session_id = self.session_id();
        let settings = Arc::clone(&self.settings);
        let dtls = Some(self.services.engine.fingerprint().clone());
        if let Some(leg) = self.leg(id) {
            let mut media = LegMedia::new(&settings.config, &leg.party, rtp, session_id);
            media.adopt(port);
            media.negotiator.local_mut().dtls = dtls;
            media.speaks_from(flow.remote.ip());
            leg.media = Some(media);
        }
        Ok(())
    }

    pub(super) fn run_id(&mut self) -> u64 {
        self.next_run += 1;
        self.next_run
    }

    /// The leg that hears this one, and is heard by it.
    pub(super) fn other(&self, id: LegId) -> Option<&Leg> {
        let tag = match self.leg_ref(id)?.tag()? {
            LegTag::A => LegTag::B,
            LegTag::B => LegTag::A,
        };
        self.legs.iter().find(|leg| leg.tag() == Some(tag)).filter(|_| self.bridging.is_none())
    }

    /// The same as [`Call::other_port`], to be kept.
    pub(super) fn other_shared_port(&self, id: LegId) -> Option<Arc<MediaPort>> {
        let port = self.other_port(id)?.id();
        let ports = self.legs.iter().filter_map(|leg| leg.media.as_ref()?.port.as_ref());
        let partner = self.partner.as_deref().map(|partner| &partner.port);
        ports.chain(partner).find(|known| known.id() == port).cloned()
    }

    /// The port of whoever hears this leg: the other leg's, or that of another call's leg after a
    /// transfer.
    pub(super) fn other_port(&self, id: LegId) -> Option<&MediaPort> {
        if self.bridging.is_some() || self.leg_ref(id)?.tag().is_none() {
            return None;
        }
        let here = self.other(id).and_then(Leg::port);
        let partner = self.partner.as_deref().filter(|partner| !partner.over);
        here.or_else(|| partner.map(|partner| &*partner.port))
    }
}
