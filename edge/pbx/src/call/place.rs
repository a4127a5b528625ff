//! Places the legs of a `CallAndBridge`.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use offhook_config::Srtp;
use offhook_media::sdp::Direction as MediaDirection;
use offhook_sip::digest;
use offhook_sip::flow::{Flow, Transport};
use offhook_sip::header::{HeaderName, Headers, NameAddr};
use offhook_sip::session::{OutgoingInvite, Session, SessionConfig};
use offhook_sip::uri::{HostPort, Uri};
use offhook_sma::action::LegTag;

use super::best::Outcome;
use super::bridge::{Again, Attempt, Branch, Diverted, Protection, SILENCE};
use super::browser::webrtc_address;
use super::identity::{self, Caller, Identity, Source};
use super::leg::{Leg, LegId, LegMedia, Part, Party, Way, media_address};
use super::{Call, context, guid};
use crate::event::CallEventKind;
use crate::failure::{self, Answerer};
use crate::office::Reachable;
use crate::stack::{DialogKey, Target};
use crate::trunk::{CallSlot, TrunkTarget};
use offhook_media::dtmf::Carriers;

impl Call {
    pub(super) fn ring_phone(
        &mut self,
        now: Instant,
        number: &str,
        contact: Reachable,
        diverted: &[String],
    ) -> Result<(), Outcome> {
        // RFC 4568 §5: keys are offered where the way they take is encrypted. Phones that cannot do
        // without are found out by their 488, and those behind TLS that speak plain audio too.
        let (kind, other) = match contact.flow.transport {
            Transport::Tls => (Protection::Sdes, Protection::Plain),
            _ => (Protection::Plain, Protection::Sdes),
        };
        let kinds = match self.config().media.srtp_phones {
            // There is one kind of offer that a browser takes.
            _ if contact.flow.transport == Transport::Wss => Vec::new(),
            Srtp::Optional => vec![Protection::Dtls, other],
            Srtp::Required => vec![Protection::Dtls],
            Srtp::Off => Vec::new(),
        };
        let again = Again { number: number.to_owned(), contact: contact.clone(), kinds };
        self.ring_contact(now, number, contact, kind, Some(again), diverted.to_vec())
    }

    /// `kind`: what is offered where it is not ruled out.
    pub(super) fn ring_contact(
        &mut self,
        now: Instant,
        number: &str,
        contact: Reachable,
        kind: Protection,
        again: Option<Again>,
        diverted: Diverted,
    ) -> Result<(), Outcome> {
        let local = self.services.sip.local_contact(&contact.flow);
        let host = identity::our_host(self.config(), &local);
        let caller = self.shown_caller();
        let attributes = self.attributes();
        let name = context::display(self.config(), &caller, context::queue(&attributes));
        let identity = identity::toward_phone(&caller, name.as_deref(), &host);
        let to = NameAddr::new(identity::address(number, &host));
        let placed = Placed {
            party: Party::Phone(number.to_owned()),
            number: number.into(),
            way: Way::Flow(contact.flow),
            flow: contact.flow,
            uri: contact.uri,
            to,
            route: contact.route,
            ice: contact.ice,
            identity,
            digest: None,
            first: None,
            slot: None,
            kind,
            again,
            rest: Vec::new(),
            diverted,
        };
        self.place(now, placed)
    }

    pub(super) fn ring_trunk(
        &mut self,
        now: Instant,
        attempt: Attempt,
        flow: Flow,
    ) -> Result<(), Outcome> {
        let config = Arc::clone(&self.settings.config);
        let digest = attempt.way.digest(self.ids.fork()).map(Box::new);
        let TrunkTarget { trunk, uri, target, slot, .. } = attempt.way;
        // Who puts a call through answers for it, also with the number that is shown.
        let extension = match (&self.transfer, &self.caller.source) {
            (Some(transfer), _) => config.extension(&transfer.extension),
            (None, Source::Phone(number)) => config.extension(number),
            (None, Source::Trunk(_) | Source::Application(_)) => None,
        };
        let asked = self.bridging.as_ref().and_then(|b| b.caller_id.as_deref());
        let own = extension.and_then(|e| e.caller_id.as_deref());
        let local = self.services.sip.local_contact(&flow);
        let toward = (&*trunk, self.config());
        let identity = identity::toward_trunk(&self.caller, toward, (asked, own), &local.host);
        let to = NameAddr::new(without_params(&uri));
        let placed = Placed {
            party: Party::Trunk(trunk.name.clone()),
            number: uri.user_decoded().unwrap_or_default().into(),
            way: Way::ByUri { seen: None },
            flow,
            uri,
            to,
            route: Vec::new(),
            ice: false,
            identity,
            digest,
            first: Some(target),
            slot: Some(slot),
            kind: Protection::Plain,
            again: None,
            rest: attempt.rest,
            diverted: attempt.diverted,
        };
        self.place(now, placed)
    }

    /// Who is shown to phones: see [`identity::shown_as`].
    pub(super) fn shown_caller(&self) -> Caller {
        let bridging = self.bridging.as_ref();
        let asked = bridging.and_then(|b| b.caller_id.as_deref());
        identity::shown_as(&self.caller, self.config(), asked, bridging.map(|b| &b.headers))
    }

    /// Sends an INVITE.
    fn place(&mut self, now: Instant, placed: Placed) -> Result<(), Outcome> {
        let address = self.services.sip.media_address(&placed.flow);
        let webrtc = placed.flow.transport == Transport::Wss;
        let no_port = |error| Outcome::of(failure::NO_MEDIA_PORTS, error);
        // Branches that ring share a port; each browser has keys of its own.
        let own =
            webrtc.then(|| self.open_webrtc(placed.flow.transport)).transpose().map_err(no_port)?;
        let (address, port) = match &own {
            Some(port) => (webrtc_address(self.config(), address), port.rtp_addr().port()),
            None => {
                let address = media_address(self.config(), address);
                (address, self.branch_port(address.bind)?)
            }
        };
        let session_id = self.session_id();
        let mut media = LegMedia::new(
            self.config(),
            &placed.party,
            (address.advertised, port).into(),
            session_id,
        );
        let local = media.negotiator.local_mut();
        local.offer_secure = placed.kind == Protection::Sdes;
        local.offer_dtls = placed.kind == Protection::Dtls;
        local.offer_ice = placed.ice;
        // A port of the leg's own has ICE or DTLS.
        local.dtls_beside_sdes = placed.party.is_phone() && !placed.ice;
        local.dtls = Some(self.services.engine.fingerprint().clone());
        match own {
            Some(port) => media.adopt(port),
            None => self.pass_to_branch(&mut media, &placed.party, address.bind),
        }
        if let Some(codec) = self.caller_codec() {
            media.prefer(codec);
        }
        let sdp = media.offer(MediaDirection::SendRecv);
        let invite = OutgoingInvite {
            request_uri: placed.uri.clone(),
            from: placed.identity.from.clone(),
            to: placed.to.clone(),
            contact: Uri::Sip(self.services.sip.contact_uri(&placed.flow, None, placed.is_sips())),
            call_id: None,
            route: placed.route.clone(),
            headers: self.invite_headers(&placed),
            sdp: Some(sdp),
        };
        let config = self.session_config(&placed);
        let session = Session::outgoing(now, config, &mut self.ids, invite);
        self.add_branch(now, placed, session, media, address.bind);
        Ok(())
    }

    /// Headers of an INVITE beside those that the session writes.
    fn invite_headers(&self, placed: &Placed) -> Headers {
        let mut headers = placed.identity.headers.clone();
        if let Some(bridging) = &self.bridging {
            for header in &bridging.headers {
                headers.set(header.name.clone(), header.value.clone());
            }
        }
        // RFC 5806 §4: the last diversion stands first, those of the caller's network behind.
        for diversion in placed.diverted.iter().rev() {
            headers.push_front(HeaderName::Diversion, diversion.as_str());
        }
        headers
    }

    fn session_config(&self, placed: &Placed) -> Arc<SessionConfig> {
        let base = match placed.party {
            Party::Phone(_) => &self.settings.phones,
            Party::Trunk(_) if placed.digest.is_some() => &self.settings.challenged,
            Party::Trunk(_) => &self.settings.trunks,
        };
        if base.max_forwards == self.max_forwards {
            return Arc::clone(base);
        }
        Arc::new(SessionConfig { max_forwards: self.max_forwards, ..(**base).clone() })
    }

    /// The leg of an INVITE that goes out, as a branch of what runs.
    fn add_branch(
        &mut self,
        now: Instant,
        placed: Placed,
        session: Session,
        media: LegMedia,
        bind: IpAddr,
    ) {
        let key = DialogKey::new(session.call_id(), session.local_tag());
        let dialog = self.services.sip.register_dialog(key, &self.owner);
        let listed = match &placed.party {
            Party::Phone(number) => {
                Some(self.entry.list(session.call_id(), session.local_tag(), number))
            }
            Party::Trunk(_) => None,
        };
        let id = LegId(self.next_leg);
        self.next_leg += 1;
        let label = char::from(b'A' + u8::try_from(id.0.min(25)).unwrap_or(25));
        let kind = CallEventKind::Leg { party: placed.party.label() };
        self.timeline.add(now, Some(label), kind);
        let answerer = match placed.party {
            Party::Phone(_) => Answerer::Phone,
            Party::Trunk(_) => Answerer::Trunk,
        };
        if let Some(bridging) = &mut self.bridging {
            bridging.branches.push(Branch {
                leg: id,
                bind,
                answerer,
                silent_until: (answerer == Answerer::Trunk).then(|| now + SILENCE),
                outcome: None,
                again: placed.again,
                rest: placed.rest,
                diverted: placed.diverted,
            });
        }
        let call_id = guid(&mut self.ids);
        self.legs.push(Leg {
            id,
            label,
            part: Part::Branch,
            party: placed.party,
            number: placed.number,
            hidden: false,
            call_id,
            session,
            way: placed.way,
            media: Some(media),
            carriers: Carriers::default(),
            answered: false,
            confirmed: false,
            digest: placed.digest,
            _dialog: dialog,
            _listed: listed,
            first: placed.first,
            _slot: placed.slot,
        });
    }

    /// The port for an interface: made for the first branch there, shared by the others.
    pub(super) fn branch_port(&mut self, bind: IpAddr) -> Result<u16, Outcome> {
        let known = self.bridging.as_ref().and_then(|b| b.ports.iter().find(|(ip, _)| *ip == bind));
        if let Some((_, port)) = known {
            return Ok(port.rtp_addr().port());
        }
        let port =
            self.open_port(bind).map_err(|error| Outcome::of(failure::NO_MEDIA_PORTS, error))?;
        let number = port.rtp_addr().port();
        if let Some(bridging) = &mut self.bridging {
            bridging.ports.push((bind, port));
        }
        Ok(number)
    }

    /// What the caller speaks, or will probably speak.
    pub(super) fn caller_codec(&self) -> Option<offhook_media::codec::Codec> {
        let caller = self.legs.iter().find(|leg| leg.tag() == Some(LegTag::A))?;
        let agreed = caller.media.as_ref().and_then(LegMedia::codec);
        agreed.or_else(|| {
            caller.session.remote_sdp().and_then(|sdp| offhook_media::negotiate::first_codec(sdp))
        })
    }
}

impl Placed {
    /// RFC 3261 §8.1.1.8: whom a SIPS URI asks for is told a SIPS URI to come back to.
    fn is_sips(&self) -> bool {
        self.uri.is_sips() || self.route.first().is_some_and(|hop| hop.uri.is_sips())
    }
}

/// All that an INVITE of ours takes.
struct Placed {
    party: Party,
    number: Box<str>,
    way: Way,
    flow: Flow,
    uri: Uri,
    to: NameAddr,
    route: Vec<NameAddr>,
    /// It is a phone that said it has ICE.
    ice: bool,
    identity: Identity,
    digest: Option<Box<digest::Client>>,
    first: Option<Target>,
    slot: Option<CallSlot>,
    kind: Protection,
    again: Option<Again>,
    rest: Vec<TrunkTarget>,
    diverted: Diverted,
}

/// To is an address, not a way: no URI parameters (RFC 3261 §19.1.1 forbids `transport` there).
fn without_params(uri: &Uri) -> Uri {
    let Uri::Sip(sip) = uri else { return uri.clone() };
    let mut to =
        offhook_sip::uri::SipUri::new(HostPort { host: sip.host_port.host.clone(), port: None });
    to.user.clone_from(&sip.user);
    Uri::Sip(to)
}
