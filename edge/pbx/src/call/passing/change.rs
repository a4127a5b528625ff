//! Offers within a call that change what is passed on: the other side is asked first.

use std::net::IpAddr;
use std::time::Instant;

use bytes::Bytes;
use offhook_media::negotiate::{BesideKind, Through, besides, has_audio, names_any, passed_codecs};
use offhook_media::sdp::Direction as MediaDirection;
use offhook_sip::header::Headers;
use offhook_sip::session::OfferToken;

use super::super::leg::{self, Leg, LegId, LegMedia, media_fact};
use super::super::{Call, taping};
use super::{Codecs, Pipe, codecs_for};

/// A change that waits for the other side.
pub(in crate::call) struct Passing {
    asker: LegId,
    /// `None`: it took its offer back.
    token: Option<OfferToken>,
    offer: Bytes,
    other: LegId,
    /// Pipes of the other side that are new.
    pipes: Vec<Pipe>,
    /// What the other side could speak before.
    codecs: Codecs,
}

impl Call {
    /// An offer within the call that only the other side can answer: it is asked first. `false`:
    /// there is no need to, or nobody to be asked.
    pub(in crate::call) fn ask_other_side(
        &mut self,
        now: Instant,
        asker: LegId,
        token: OfferToken,
        offer: &Bytes,
    ) -> bool {
        if !self.passes() || self.passing.is_some() || !self.needs_other_side(asker, offer) {
            return false;
        }
        let talks = |leg: &&Leg| leg.confirmed && leg.port().is_some();
        let Some(other) = self.other(asker).filter(talks).map(|leg| leg.id) else { return false };
        let heard = taping::is_recorded(self.config(), self.parties());
        let codecs = codecs_for(&leg::codecs(self.config()), offer, heard);
        let bind = self.leg_ref(other).and_then(|leg| Some(leg.port()?.rtp_addr().ip()));
        let (Some(bind), Some(mut media)) =
            (bind, self.leg(other).and_then(|leg| leg.media.take()))
        else {
            return false;
        };
        let mut asked = false;
        if media.negotiator.local().webrtc.is_none() {
            let audio = has_audio(offer);
            let before = media.set_codecs(codecs);
            let (throughs, pipes) = self.wanted(&media, offer, bind);
            let sdp = media.offer_with(&throughs, audio);
            if let Some(leg) = self.leg(other) {
                asked = leg.session.reinvite(now, Some(sdp), Headers::new()).is_ok();
            }
            if asked {
                let (token, offer) = (Some(token), offer.clone());
                let passing = Passing { asker, token, offer, other, pipes, codecs: before };
                self.passing = Some(Box::new(passing));
            } else {
                media.negotiator.offer_failed();
                media.set_codecs(before);
            }
        }
        if let Some(leg) = self.leg(other) {
            leg.media = Some(media);
        }
        asked
    }

    /// Streams for an offer to this leg: on pipes that it has, and on new ones.
    fn wanted(&self, media: &LegMedia, offer: &[u8], bind: IpAddr) -> (Vec<Through>, Vec<Pipe>) {
        let (mut throughs, mut pipes): (Vec<Through>, Vec<Pipe>) = Default::default();
        for (_, said) in besides(offer) {
            if throughs.iter().any(|through| through.said.kind == said.kind) {
                continue;
            }
            let known = media.pipes.iter().find(|pipe| pipe.kind() == said.kind);
            if let Some(known) = known {
                throughs.push(Through { said, ..known.through });
            } else if let Ok(port) = self.open_port(bind) {
                let pipe = Pipe::new(port, said);
                throughs.push(pipe.through.clone());
                pipes.push(pipe);
            }
        }
        (throughs, pipes)
    }

    /// Whether an offer changes what the two sides have to agree on with each other.
    fn needs_other_side(&self, id: LegId, offer: &[u8]) -> bool {
        let Some(media) = self.leg_ref(id).and_then(|leg| leg.media.as_ref()) else { return false };
        if media.negotiator.local().webrtc.is_some() {
            return false;
        }
        let (streams, audio) = (besides(offer), has_audio(offer));
        if streams.is_empty() && !audio {
            // A hold that stops everything.
            return false;
        }
        let others = streams.iter().any(|(_, said)| !media.has_pipe(said.kind))
            || media.pipes.iter().any(|p| !streams.iter().any(|(_, said)| said.kind == p.kind()));
        let codec = match media.codec().filter(|_| audio) {
            Some(codec) if codec.is_understood() => {
                !names_any(offer, &leg::codecs(self.config())) && !passed_codecs(offer).is_empty()
            }
            Some(codec) => !names_any(offer, &[codec]),
            None => false,
        };
        others || codec || audio == media.without_audio
    }

    /// The asker does not want an answer any more.
    pub(in crate::call) fn offer_withdrawn(&mut self, token: OfferToken) {
        if let Some(passing) = self.passing.as_mut().filter(|p| p.token == Some(token)) {
            passing.token = None;
        }
    }

    /// The other side's answer to what it was asked; `None`: it refused. `false`: it was not asked.
    pub(in crate::call) fn on_other_side(
        &mut self,
        now: Instant,
        id: LegId,
        answer: Option<&Bytes>,
    ) -> bool {
        let Some(passing) = self.passing.take_if(|passing| passing.other == id) else {
            return false;
        };
        let Passing { asker, token, offer, other, pipes, codecs } = *passing;
        let agreed = self.other_side_agrees(now, other, (&offer, answer), pipes);
        if agreed {
            self.pass_from(asker, other);
        } else if let Some(media) = self.leg(other).and_then(|leg| leg.media.as_mut()) {
            media.negotiator.offer_failed();
            media.set_codecs(codecs);
        }
        let answered = token.is_some_and(|token| self.answer_to_offer(now, asker, token, offer));
        if agreed && !answered {
            self.offer_back(now, asker, other);
        }
        if let (Some(a), Some(b)) = (self.leg_ref(asker), self.leg_ref(other)) {
            self.join_pipes(a, b);
        }
        true
    }

    fn other_side_agrees(
        &mut self,
        now: Instant,
        other: LegId,
        (offer, answer): (&Bytes, Option<&Bytes>),
        pipes: Vec<Pipe>,
    ) -> bool {
        let Some(leg) = self.leg(other) else { return false };
        let (label, Some(media), Some(answer)) = (leg.label, leg.media.as_mut(), answer) else {
            return false;
        };
        let before = media.pipes.len();
        media.pipes.extend(pipes);
        match media.accept(answer) {
            Ok(stream) => {
                media.without_audio = !has_audio(offer);
                self.timeline.add(now, Some(label), media_fact(&stream));
                true
            }
            Err(error) => {
                media.pipes.truncate(before);
                self.timeline.note(now, Some(label), format!("answer not usable: {error}"));
                false
            }
        }
    }

    /// The other side changed for nothing: it is asked to be as it was.
    fn offer_back(&mut self, now: Instant, asker: LegId, other: LegId) {
        let kinds: Vec<BesideKind> = self
            .leg_ref(asker)
            .and_then(|leg| leg.media.as_ref())
            .map(|media| media.pipes.iter().map(Pipe::kind).collect())
            .unwrap_or_default();
        let codecs = leg::codecs(self.config());
        let Some(leg) = self.leg(other) else { return };
        let Some(media) = &mut leg.media else { return };
        let mut throughs = media.throughs();
        throughs.retain(|through| kinds.contains(&through.said.kind));
        media.set_codecs((codecs, Vec::new()));
        media.without_audio = false;
        let sdp = media.offer_with(&throughs, true);
        if leg.session.reinvite(now, Some(sdp), Headers::new()).is_err() {
            media.negotiator.offer_failed();
        }
    }
}

impl LegMedia {
    fn offer_with(&mut self, beside: &[Through], audio: bool) -> Bytes {
        let direction = MediaDirection::SendRecv;
        self.offered = direction;
        let sdp = Bytes::from(self.negotiator.offer_with(direction, beside, audio));
        self.said = Some(sdp.clone());
        sdp
    }
}
