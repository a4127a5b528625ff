//! What goes from leg to leg untouched, where both have it: codecs that we do not have, video, text
//! and fax. [`change`]: what of it an offer within the call changes.
//!
//! > Nothing of the kind is agreed on with one side before the other one has agreed: the caller's
//! > streams are offered to whoever is called, and an offer within the call that adds or takes away
//! > one of them waits for the answer of the other side.

mod change;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use offhook_media::codec::Codec;
use offhook_media::engine::MediaPort;
use offhook_media::negotiate::{
    Beside, BesideAgreed, BesideKind, Through, besides, has_audio, names_any, passed_codecs,
};
use offhook_sma::action::LegTag;

use super::Call;
use super::leg::{self, Leg, LegId, LegMedia, Part, Party};
use super::taping;

pub(super) use self::change::Passing;

/// One leg's side of a stream that is passed on.
pub(crate) struct Pipe {
    /// Shared for a moment with another call that ours is joined to.
    pub(crate) port: Arc<MediaPort>,
    /// What our peer is told.
    pub(crate) through: Through,
    /// What it says; `None` before it agreed.
    pub(crate) said: Option<Beside>,
}

impl Pipe {
    fn new(port: MediaPort, said: Beside) -> Self {
        let through = Through { said, port: port.rtp_addr().port() };
        Self { port: Arc::new(port), through, said: None }
    }

    pub(crate) fn kind(&self) -> BesideKind {
        self.through.said.kind
    }
}

/// A stream of a call's leg, for another call that is joined to it.
#[derive(Debug)]
pub(super) struct Lent {
    said: Beside,
    port: Arc<MediaPort>,
}

/// Codecs of a leg's offer, with the format parameters of those that are only passed on.
type Codecs = (Vec<Codec>, Vec<(Codec, String)>);

impl LegMedia {
    /// Follows an agreement with the pipes; those that were not agreed on close.
    pub(super) fn settle(&mut self, agreed: &[BesideAgreed]) {
        self.pipes.retain_mut(|pipe| {
            let Some(agreed) = agreed.iter().find(|a| a.port == pipe.through.port) else {
                return false;
            };
            pipe.port.set_pipe(agreed.pipe.clone());
            pipe.said = Some(agreed.said.clone());
            true
        });
    }

    /// What of an offer can be passed on with the pipes that there are.
    pub(super) fn through(&self, offer: &[u8]) -> Vec<(usize, Through)> {
        if self.pipes.is_empty() {
            return Vec::new();
        }
        let pipe = |kind| self.pipes.iter().find(|pipe| pipe.kind() == kind);
        let streams = besides(offer).into_iter();
        streams.filter_map(|(at, said)| Some((at, pipe(said.kind)?.through.clone()))).collect()
    }

    pub(super) fn throughs(&self) -> Vec<Through> {
        self.pipes.iter().map(|pipe| pipe.through.clone()).collect()
    }

    fn has_pipe(&self, kind: BesideKind) -> bool {
        self.pipes.iter().any(|pipe| pipe.kind() == kind)
    }

    /// What this leg speaks, when that can only be passed on: what the other leg has to speak too.
    fn passed(&self, remote: Option<&Bytes>) -> Option<(Codec, Option<String>)> {
        let codec = self.codec().filter(|codec| !codec.is_understood())?;
        let said = remote.map(|sdp| passed_codecs(sdp)).unwrap_or_default();
        let format = said.into_iter().find(|(known, _)| *known == codec).and_then(|(_, f)| f);
        Some((codec, format))
    }

    fn set_codecs(&mut self, (codecs, formats): Codecs) -> Codecs {
        let local = self.negotiator.local_mut();
        (
            std::mem::replace(&mut local.codecs, codecs),
            std::mem::replace(&mut local.formats, formats),
        )
    }

    /// Puts a codec that is only passed on first.
    fn pass(&mut self, codec: Codec, format: Option<String>) {
        let local = self.negotiator.local_mut();
        local.codecs.retain(|known| *known != codec);
        local.codecs.insert(0, codec);
        local.formats.retain(|(known, _)| *known != codec);
        local.formats.extend(format.map(|format| (codec, format)));
    }
}

/// What to offer to one side for the other one's offer: our codecs, when that has any of them, and
/// those that can be passed on unless we are to hear what is said.
fn codecs_for(ours: &[Codec], offer: &[u8], heard: bool) -> Codecs {
    let understood = names_any(offer, ours);
    let mut codecs = if understood { ours.to_vec() } else { Vec::new() };
    let mut formats = Vec::new();
    for (codec, format) in passed_codecs(offer) {
        if !(understood && heard) {
            codecs.push(codec);
            formats.extend(format.map(|format| (codec, format)));
        }
    }
    if codecs.is_empty() { (ours.to_vec(), formats) } else { (codecs, formats) }
}

impl Call {
    fn passes(&self) -> bool {
        self.config().media.pass_through
    }

    /// Whether a leg speaks what is only passed on here: nobody can mix it, and no words of ours
    /// reach it.
    pub(super) fn only_passes(&self, id: LegId) -> bool {
        let codec = self.leg_ref(id).and_then(|leg| leg.media.as_ref()?.codec());
        codec.is_some_and(|codec| !codec.is_understood())
    }

    /// Lets our first offer to a branch have what the caller's has.
    pub(super) fn pass_to_branch(&self, media: &mut LegMedia, party: &Party, bind: IpAddr) {
        let caller = self.legs.iter().find(|leg| leg.tag() == Some(LegTag::A));
        let Some(caller) = caller.filter(|_| self.passes()) else { return };
        let Some(offer) = caller.session.remote_sdp() else { return };
        let parties = self.parties().chain(std::iter::once(party));
        let heard = taping::is_recorded(self.config(), parties);
        let agreed = caller.media.as_ref().and_then(LegMedia::codec);
        match agreed {
            None => {
                let ours = leg::codecs(self.config());
                media.set_codecs(codecs_for(&ours, offer, heard));
            }
            Some(codec) if codec.is_understood() => {}
            Some(_) => {
                if let Some((codec, format)) =
                    caller.media.as_ref().and_then(|media| media.passed(Some(offer)))
                {
                    let formats = format.map(|format| (codec, format)).into_iter().collect();
                    media.set_codecs((vec![codec], formats));
                }
            }
        }
        for (_, said) in besides(offer) {
            self.add_pipe(media, said, bind);
        }
        media.without_audio = !media.pipes.is_empty() && !has_audio(offer);
    }

    fn add_pipe(&self, media: &mut LegMedia, said: Beside, bind: IpAddr) {
        if let Some(known) = media.pipes.iter_mut().find(|pipe| pipe.kind() == said.kind) {
            known.through.said = said;
        } else if let Ok(port) = self.open_port(bind) {
            // Without a port there is no such stream; the call goes on.
            media.pipes.push(Pipe::new(port, said));
        }
    }

    /// Lets our answer to a leg have what the other one agreed to.
    fn pass_from(&mut self, to: LegId, from: LegId) {
        let Some(source) = self.leg_ref(from).filter(|_| self.passes()) else { return };
        let Some(media) = &source.media else { return };
        let codec = media.passed(source.session.remote_sdp());
        let streams: Vec<Beside> = media.pipes.iter().filter_map(|p| p.said.clone()).collect();
        let Some(bind) = self.leg_ref(to).and_then(|l| Some(l.port()?.rtp_addr().ip())) else {
            return;
        };
        let Some(mut target) = self.leg(to).and_then(|leg| leg.media.take()) else { return };
        if target.negotiator.local().webrtc.is_none() {
            if let Some((codec, format)) = codec {
                target.pass(codec, format);
            }
            target.pipes.retain(|pipe| streams.iter().any(|said| said.kind == pipe.kind()));
            for said in streams {
                self.add_pipe(&mut target, said, bind);
            }
        }
        if let Some(leg) = self.leg(to) {
            leg.media = Some(target);
        }
    }

    /// The same for the caller, from whoever answered or has early media.
    pub(super) fn pass_to_caller(&mut self, caller: LegId) {
        let agreed = |leg: &&Leg| {
            leg.part != Part::Caller && leg.media.as_ref().is_some_and(|m| m.codec().is_some())
        };
        if let Some(from) = self.legs.iter().find(agreed).map(|leg| leg.id) {
            self.pass_from(caller, from);
        }
    }

    /// Lets what two legs have beside their audio flow between them.
    pub(super) fn join_pipes(&self, a: &Leg, b: &Leg) {
        let (Some(a), Some(b)) = (&a.media, &b.media) else { return };
        for pipe in &a.pipes {
            if let Some(other) = b.pipes.iter().find(|other| other.kind() == pipe.kind()) {
                self.services.engine.bridge(&pipe.port, &other.port);
            }
        }
    }

    /// What a leg has beside its audio, for a call that is joined to this one.
    pub(super) fn lent(&self, id: LegId) -> Vec<Lent> {
        let media = self.leg_ref(id).and_then(|leg| leg.media.as_ref());
        let pipes = media.map(|media| &media.pipes).into_iter().flatten();
        let lent = |pipe: &Pipe| Some(Lent { said: pipe.said.clone()?, port: pipe.port.clone() });
        pipes.filter_map(lent).collect()
    }

    /// Lets what two calls have beside their audio flow between them. They agreed on it with others
    /// than with each other: what they do not write alike stays behind, and the timeline says so.
    pub(super) fn join_lent(&mut self, now: Instant, ours: &[Lent], theirs: &[Lent]) {
        for one in ours {
            let kind = one.said.kind;
            match theirs.iter().find(|other| other.said.kind == kind) {
                Some(other) if one.said.means_the_same(&other.said) => {
                    self.services.engine.bridge(&one.port, &other.port);
                    self.timeline.note(now, None, format!("{} goes on between them", name(kind)));
                }
                Some(_) => {
                    let text =
                        format!("{} ends: the two calls agreed on other formats", name(kind));
                    self.timeline.note(now, None, text);
                }
                None => {
                    let text = format!("{} ends: the other call has none", name(kind));
                    self.timeline.note(now, None, text);
                }
            }
        }
    }

    /// What flows beside the audio, for the timeline.
    pub(super) fn note_pipes(&mut self, now: Instant, id: LegId) {
        let Some(leg) = self.leg_ref(id) else { return };
        let (label, Some(media)) = (leg.label, &leg.media) else { return };
        let names: Vec<&str> = media.pipes.iter().map(|pipe| name(pipe.kind())).collect();
        if !names.is_empty() {
            let text = format!("{} passes through", names.join(" and "));
            self.timeline.note(now, Some(label), text);
        }
    }

    /// How much of it there was, when a leg is over.
    pub(super) fn sum_up_pipes(&mut self, now: Instant, label: char, media: &LegMedia) {
        for pipe in &media.pipes {
            let c = pipe.port.counters();
            let (kind, received, sent) = (name(pipe.kind()), c.received, c.sent);
            let text = format!("{kind} ended: {received} packets in, {sent} out");
            self.timeline.note(now, Some(label), text);
        }
    }
}

const fn name(kind: BesideKind) -> &'static str {
    match kind {
        BesideKind::Video => "video",
        BesideKind::Text => "text",
        BesideKind::Fax => "fax",
    }
}
