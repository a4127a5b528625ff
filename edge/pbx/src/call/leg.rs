//! One leg of a call: its session, its way over the network, its media.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use offhook_config::{Codec as ConfigCodec, Config, Srtp};
use offhook_media::codec::Codec;
use offhook_media::engine::{MediaPort, StreamConfig};
use offhook_media::negotiate::{
    Agreed, Local, NegotiateError, Negotiator, SrtpPolicy, has_audio, wants_webrtc,
};
use offhook_media::sdp::Direction;
use offhook_media::webrtc;
use offhook_sip::digest;
use offhook_sip::flow::Flow;
use offhook_sip::message::Request;
use offhook_sip::session::{RequestToken, Session};
use offhook_sip::uri::{Host, Uri};
use offhook_sma::action::LegTag;

use super::passing::Pipe;
use crate::office::registry::Listed;
use crate::stack::{DialogGuard, MediaAddress, Target};
use crate::transport::advertise::is_private;
use crate::trunk::CallSlot;
use offhook_media::dtmf::Carriers;

/// Names a leg within its call; never used again there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct LegId(pub(crate) u32);

/// Whom a leg is with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Party {
    Phone(String),
    Trunk(String),
}

impl Party {
    pub(crate) fn label(&self) -> String {
        match self {
            Self::Phone(number) => format!("extension:{number}"),
            Self::Trunk(name) => format!("trunk:{name}"),
        }
    }

    pub(crate) fn is_phone(&self) -> bool {
        matches!(self, Self::Phone(_))
    }

    pub(crate) fn srtp(&self, config: &Config) -> Srtp {
        match self {
            Self::Phone(_) => config.media.srtp_phones,
            Self::Trunk(name) => config.trunk(name).map_or(Srtp::Optional, |t| t.srtp),
        }
    }
}

/// What a leg is in the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// LEG-A.
    Caller,
    /// Rings for a `CallAndBridge`.
    Branch,
    /// LEG-B.
    Callee,
    /// A phone that puts the call through: still there, heard by nobody.
    Leaving,
    /// A phone in a conference, into which it brought the call: beside the application's legs.
    Beside,
    /// Over, or to be: nothing that happens on it matters to the call any more.
    Gone,
}

/// Which way requests of ours go.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Way {
    /// Always this one: a desk phone is reached where it registered or called from, since it may
    /// sit behind NAT (RFC 3581, RFC 5626).
    Flow(Flow),
    /// Where the dialog says: the route set, else the remote target. `seen`: where it came from.
    ByUri { seen: Option<Flow> },
}

/// One leg.
pub(crate) struct Leg {
    pub(crate) id: LegId,
    /// `A`, `B`, `C`, … in the timeline.
    pub(crate) label: char,
    pub(crate) part: Part,
    pub(crate) party: Party,
    /// The party's number: the extension, or what was called over the trunk.
    pub(crate) number: Box<str>,
    /// It called and did not want to be known (RFC 3323): also when it is somebody else's call.
    pub(crate) hidden: bool,
    /// A GUID, as applications know it.
    pub(crate) call_id: String,
    pub(crate) session: Session,
    pub(crate) way: Way,
    pub(crate) media: Option<LegMedia>,
    pub(crate) carriers: Carriers,
    /// Its 2xx went out or came in.
    pub(crate) answered: bool,
    /// A 2xx of ours was acknowledged, or we acknowledged theirs.
    pub(crate) confirmed: bool,
    pub(crate) digest: Option<Box<digest::Client>>,
    pub(crate) _dialog: DialogGuard,
    /// A phone's dialog can be named in a transfer.
    pub(crate) _listed: Option<Listed>,
    /// Where its first INVITE goes, when that is not what the URI says.
    pub(crate) first: Option<Target>,
    pub(crate) _slot: Option<CallSlot>,
}

impl Leg {
    pub(crate) fn tag(&self) -> Option<LegTag> {
        match self.part {
            Part::Caller => Some(LegTag::A),
            Part::Callee => Some(LegTag::B),
            Part::Branch | Part::Leaving | Part::Beside | Part::Gone => None,
        }
    }

    /// Our name for a client transaction in the call's one mailbox.
    pub(crate) fn wire_token(&self, token: RequestToken) -> u64 {
        u64::from(self.id.0) << 32 | (token.0 & 0xffff_ffff)
    }

    /// Whether a request is of this leg's dialog.
    pub(crate) fn owns(&self, request: &Request) -> bool {
        request.call_id().is_some_and(|id| *id == *self.session.call_id())
            && request.to_tag().is_some_and(|tag| *tag == *self.session.local_tag())
    }

    /// Where a request of ours goes.
    pub(crate) fn target(&self, next_hop: &Uri) -> Target {
        match self.way {
            Way::Flow(flow) => Target::Flow(flow),
            Way::ByUri { .. } if self.first.is_some() && self.session.dialog().is_none() => {
                self.first.clone().unwrap_or_else(|| Target::Uri(next_hop.clone()))
            }
            Way::ByUri { seen: Some(flow) } if unreachable_from_here(next_hop, &flow) => {
                Target::Flow(flow)
            }
            Way::ByUri { .. } => Target::Uri(next_hop.clone()),
        }
    }

    /// For the timeline.
    pub(crate) fn peer(&self, next_hop: Option<&Uri>) -> String {
        match (self.way, next_hop) {
            (Way::Flow(flow) | Way::ByUri { seen: Some(flow) }, _) => {
                super::timeline::peer_of(&flow)
            }
            (_, Some(Uri::Sip(uri))) => uri.host_port.to_string(),
            _ => String::new(),
        }
    }

    pub(crate) fn port(&self) -> Option<&MediaPort> {
        self.media.as_ref().and_then(|m| m.port.as_deref())
    }
}

/// A peer on the open internet whose Contact is a private address and that records no route: it
/// does not know its own address, so it is answered where it speaks from.
fn unreachable_from_here(next_hop: &Uri, seen: &Flow) -> bool {
    let Uri::Sip(uri) = next_hop else { return false };
    let Host::Ip(ip) = uri.host_port.host else { return false };
    is_private(ip) && !is_private(seen.remote.ip())
}

/// Offer, answer and the port of one leg.
pub(crate) struct LegMedia {
    pub(crate) negotiator: Negotiator,
    /// `None` while branches of a fork share one.
    /// Shared with another call whose leg hears this one after a transfer, and with nobody else.
    pub(crate) port: Option<Arc<MediaPort>>,
    /// Our description that the peer has, or gets.
    pub(crate) said: Option<Bytes>,
    /// Streams beside the audio that are passed on.
    pub(crate) pipes: Vec<Pipe>,
    /// The audio made room for them.
    pub(crate) without_audio: bool,
    /// Direction of our offer that was, or is to be, answered.
    pub(super) offered: Direction,
    /// The peer holds us.
    pub(crate) held: bool,
    /// Since then, as far as it was told.
    pub(crate) held_since: Option<Instant>,
    /// It said so by `sendonly`: it may send music of its own.
    pub(crate) held_sending: bool,
    /// Packets of the peer, and since when there were no more of them.
    pub(crate) heard: Option<(u64, Instant)>,
}

impl LegMedia {
    pub(crate) fn new(config: &Config, party: &Party, rtp: SocketAddr, session_id: u64) -> Self {
        let mut local = Local::new(rtp, codecs(config));
        local.srtp = match party.srtp(config) {
            Srtp::Off => SrtpPolicy::Off,
            Srtp::Optional => SrtpPolicy::Optional,
            Srtp::Required => SrtpPolicy::Required,
        };
        let negotiator = Negotiator::new(local, session_id);
        Self {
            negotiator,
            port: None,
            said: None,
            pipes: Vec::new(),
            without_audio: false,
            offered: Direction::SendRecv,
            held: false,
            held_since: None,
            held_sending: false,
            heard: None,
        }
    }

    /// Where the peer's signalling comes from.
    pub(crate) fn speaks_from(&mut self, peer: IpAddr) {
        self.negotiator.local_mut().named_host = Some(peer.to_canonical());
    }

    /// Gives it the port that its peer is told of.
    pub(crate) fn adopt(&mut self, port: MediaPort) {
        self.negotiator.local_mut().webrtc = port.webrtc().cloned();
        self.port = Some(Arc::new(port));
    }

    /// Our offer.
    pub(crate) fn offer(&mut self, direction: Direction) -> Bytes {
        self.offered = direction;
        let sdp = Bytes::from(if self.pipes.is_empty() {
            self.negotiator.offer(direction)
        } else {
            self.negotiator.offer_with(direction, &self.throughs(), !self.without_audio)
        });
        self.said = Some(sdp.clone());
        sdp
    }

    /// Our offer to a peer that asked for one within the call.
    pub(crate) fn offer_anew(&mut self, direction: Direction) -> Bytes {
        self.offered = direction;
        let sdp = Bytes::from(self.negotiator.offer_anew(direction));
        self.said = Some(sdp.clone());
        sdp
    }

    /// Answers an offer and sets the port right.
    pub(crate) fn answer(&mut self, offer: &[u8]) -> Result<(Bytes, StreamConfig), NegotiateError> {
        let beside = self.through(offer);
        let (sdp, agreed) = self.negotiator.answer_with(offer, Direction::SendRecv, &beside)?;
        let sdp = Bytes::from(sdp);
        self.said = Some(sdp.clone());
        self.note_hold(&agreed);
        self.settle(&agreed.beside);
        self.without_audio = !self.pipes.is_empty() && !has_audio(offer);
        self.apply(&agreed.stream);
        Ok((sdp, agreed.stream))
    }

    /// Reads the answer to our offer and sets the port right. The offer may be one that the session
    /// made to refresh itself: what we said last, once more (RFC 4028 §7.4).
    pub(crate) fn accept(&mut self, answer: &[u8]) -> Result<StreamConfig, NegotiateError> {
        let agreed = match self.negotiator.accept_answer(answer) {
            Err(NegotiateError::NoOffer) => {
                self.offered =
                    self.negotiator.agreed().map_or(Direction::SendRecv, |a| a.direction);
                self.negotiator.offer(self.offered);
                self.negotiator.accept_answer(answer)?
            }
            other => other?,
        };
        // A peer that holds us is offered its hold again: it cannot resume by answering that.
        if self.offered.sends() {
            self.note_hold(&agreed);
        }
        self.settle(&agreed.beside);
        self.apply(&agreed.stream);
        Ok(agreed.stream)
    }

    fn note_hold(&mut self, agreed: &Agreed) {
        self.held = agreed.remote_hold;
        self.held_sending = agreed.remote_hold && agreed.stream.receive;
    }

    pub(crate) fn apply(&self, stream: &StreamConfig) {
        if let Some(port) = &self.port {
            port.set_stream(stream.clone());
        }
    }

    /// Puts a codec first, so that both legs speak the same and packets are only relayed.
    pub(crate) fn prefer(&mut self, codec: Codec) {
        let codecs = &mut self.negotiator.local_mut().codecs;
        if let Some(at) = codecs.iter().position(|c| *c == codec) {
            let codec = codecs.remove(at);
            codecs.insert(0, codec);
        }
    }

    /// Codec and packet time that are agreed on.
    pub(crate) fn form(&self) -> Option<(Codec, u16)> {
        self.negotiator.agreed().map(|a| (a.stream.codec, a.stream.ptime_ms))
    }

    pub(crate) fn codec(&self) -> Option<Codec> {
        self.negotiator.agreed().map(|a| a.stream.codec)
    }
}

/// Whether anything can be agreed on with this offer, before anybody is called for it.
pub(crate) fn check_offer(
    config: &Config,
    party: &Party,
    (local, peer): (IpAddr, IpAddr),
    (webrtc, dtls): (Option<webrtc::Local>, webrtc::Fingerprint),
    offer: &[u8],
) -> Result<(), NegotiateError> {
    let mut dry = LegMedia::new(config, party, SocketAddr::new(local, 9), 1);
    dry.speaks_from(peer);
    dry.negotiator.local_mut().webrtc = webrtc.filter(|_| wants_webrtc(offer));
    dry.negotiator.local_mut().dtls = Some(dtls);
    // Whether anybody takes what can only be passed on, whoever is called says.
    dry.negotiator.check_offer(offer, config.media.pass_through)
}

pub(super) fn codecs(config: &Config) -> Vec<Codec> {
    let of = |c: &ConfigCodec| match c {
        ConfigCodec::Pcmu => Codec::Pcmu,
        ConfigCodec::Pcma => Codec::Pcma,
        ConfigCodec::G722 => Codec::G722,
        ConfigCodec::Opus => Codec::Opus,
    };
    config.media.codecs.iter().map(of).collect()
}

/// Where media of a leg is bound, and what its SDP says; `address`: signalling's. `[media] address`
/// is for peers of its family. Whoever is told the NAT's address still is.
pub(crate) fn media_address(config: &Config, address: MediaAddress) -> MediaAddress {
    match config.media.address {
        Some(bind) if bind.is_ipv4() == address.bind.is_ipv4() => {
            let behind_nat = address.advertised != address.bind;
            MediaAddress { bind, advertised: if behind_nat { address.advertised } else { bind } }
        }
        _ => address,
    }
}

/// What the timeline says of an agreement; never a key.
pub(crate) fn media_fact(stream: &StreamConfig) -> crate::event::CallEventKind {
    let direction = Direction::of(stream.send, stream.receive);
    crate::event::CallEventKind::Media {
        codec: stream.codec.to_string(),
        direction: direction.to_string(),
        protection: match (&stream.webrtc, &stream.srtp) {
            (Some(_), _) => "UDP/TLS/RTP/SAVPF".to_owned(),
            (None, None) if stream.dtls.is_some() => "UDP/TLS/RTP/SAVP".to_owned(),
            (None, None) => "RTP/AVP".to_owned(),
            (None, Some(keys)) => format!("RTP/SAVP {}", keys.tx.suite().name()),
        },
        remote: match (&stream.webrtc, &stream.ice) {
            (None, None) => stream.remote_rtp.to_string(),
            _ => "by ICE".to_owned(),
        },
    }
}

/// Passes time into a session when it is due.
pub(crate) fn tick(session: &mut Session, now: Instant) {
    if session.poll_timeout().is_some_and(|at| at <= now) {
        session.handle_timeout(now);
    }
}
