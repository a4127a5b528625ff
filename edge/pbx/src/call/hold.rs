//! Changes that a peer asks for within the call: hold, resume, another codec or address; and what
//! the other party hears meanwhile.

use std::path::PathBuf;
use std::time::Instant;

use bytes::Bytes;
use offhook_config::HoldMusic;
use offhook_media::engine::{Playback, Repeat};
use offhook_media::sdp::Direction as MediaDirection;
use offhook_sip::message::StatusCode;
use offhook_sip::session::OfferToken;
use offhook_sma::action::AudioSource;

use super::leg::{LegId, Part, Party, media_fact};
use super::runner::Running;
use super::sounds::{Loaded, NotLoaded};
use super::{Call, Done};
use crate::failure;

/// Names music among playbacks: never a number that [`Call::run_id`] gives, in no call, since the
/// port may be another call's.
const MUSIC: u64 = u64::MAX;

impl Call {
    /// Hold, resume, another codec or address: answered on this leg; the other one only notices
    /// that media stops or goes on (RFC 3264 §8.4: the direction of our answer follows the offer).
    /// What is passed on is for the other side to answer.
    pub(super) fn on_offer(
        &mut self,
        now: Instant,
        id: LegId,
        token: OfferToken,
        sdp: Option<Bytes>,
    ) {
        if self.ensure_media(id).is_err() {
            self.refuse_offer(now, id, token, 488);
            return;
        }
        let Some(offer) = sdp else {
            let Some(leg) = self.leg(id) else { return };
            let Some(media) = &mut leg.media else { return };
            // All that we can, also to a phone that holds us: that it still does is for its answer
            // to say (RFC 3261 §14.2, RFC 6337 §5.3).
            let ours = media.offer_anew(MediaDirection::SendRecv);
            let _ = leg.session.answer_offer(now, token, ours);
            return;
        };
        if !self.ask_other_side(now, id, token, &offer) {
            self.answer_to_offer(now, id, token, offer);
        }
    }

    /// Answers an offer within the call; `false`: it is refused.
    pub(super) fn answer_to_offer(
        &mut self,
        now: Instant,
        id: LegId,
        token: OfferToken,
        offer: Bytes,
    ) -> bool {
        let Some(leg) = self.leg(id) else { return false };
        let label = leg.label;
        let Some(media) = &mut leg.media else { return false };
        let was_held = media.held;
        match media.answer(&offer) {
            Ok((answer, stream)) => {
                let _ = leg.session.answer_offer(now, token, answer);
                self.timeline.add(now, Some(label), media_fact(&stream));
                self.note_pipes(now, id);
                self.held_or_resumed(now, id, was_held);
                true
            }
            Err(error) => {
                self.timeline.note(now, Some(label), format!("offer refused: {error}"));
                self.refuse_offer(now, id, token, error.sip_status());
                false
            }
        }
    }

    pub(super) fn refuse_offer(&mut self, now: Instant, id: LegId, token: OfferToken, status: u16) {
        let status = StatusCode::new(status).unwrap_or(StatusCode::NOT_ACCEPTABLE_HERE);
        if let Some(leg) = self.leg(id) {
            let _ = leg.session.refuse_offer(now, token, status);
        }
    }

    /// The answer to an offer of ours: in an ACK, or to a refresh.
    pub(super) fn on_offer_accepted(&mut self, now: Instant, id: LegId, sdp: &Bytes) {
        if self.on_other_side(now, id, Some(sdp)) {
            return;
        }
        let Some(leg) = self.leg(id) else { return };
        let (label, part) = (leg.label, leg.part);
        let Some(media) = &mut leg.media else { return };
        let was_held = media.held;
        match media.accept(sdp) {
            Ok(stream) => {
                self.timeline.add(now, Some(label), media_fact(&stream));
                self.held_or_resumed(now, id, was_held);
            }
            Err(error) => {
                self.timeline.note(now, Some(label), format!("answer not usable: {error}"));
                if part == Part::Caller {
                    self.fail(now, failure::BAD_SDP, None, &error.to_string());
                    self.hang_up_all(now, "the answer in the ACK could not be used");
                }
            }
        }
    }

    fn held_or_resumed(&mut self, now: Instant, id: LegId, was_held: bool) {
        let Some(leg) = self.leg(id) else { return };
        let label = leg.label;
        let held = leg.media.as_ref().is_some_and(|m| m.held);
        if let Some(media) = leg.media.as_mut().filter(|_| held != was_held) {
            media.held_since = held.then_some(now);
        }
        match (was_held, held) {
            (false, true) => self.timeline.note(now, Some(label), "holds the call"),
            (true, false) => self.timeline.note(now, Some(label), "resumes the call"),
            _ => {}
        }
        self.music_for_hold();
    }

    /// Whether this leg's peer holds the call and leaves it to us what the other party hears. A
    /// trunk that says `sendonly` sends its own music: the far office's.
    fn wants_music(&self, id: LegId) -> bool {
        let Some(leg) = self.leg_ref(id) else { return false };
        let Some(media) = leg.media.as_ref().filter(|m| m.held && leg.tag().is_some()) else {
            return false;
        };
        let own = media.held_sending && matches!(leg.party, Party::Trunk(_));
        // Whoever is being put through hears how that goes, perhaps from another call already.
        !own && self.transfer.is_none()
            && self.other_port(id).is_some()
            && matches!(self.running, Running::Nothing)
    }

    /// Starts or stops the music as the two sides hold the call. With both holding nobody hears
    /// anything: each side told us to send nothing.
    pub(super) fn music_for_hold(&mut self) {
        if let Some(holder) = self.music {
            if self.wants_music(holder) {
                return;
            }
            self.stop_music();
        }
        let holder = self.legs.iter().map(|leg| leg.id).find(|id| self.wants_music(*id));
        let Some(holder) = holder else { return };
        let Some(source) = self.hold_music() else { return };
        self.music = Some(holder);
        if let Some(clips) = self.services.sounds.at_hand(&source) {
            return self.play_music(clips);
        }
        let loading = self.services.sounds.load(source);
        self.work.push(Box::pin(async move { Done::Music { clips: loading.await } }));
    }

    /// What the operator plays to those who wait.
    pub(super) fn hold_music(&self) -> Option<AudioSource> {
        match &self.config().media.hold_music {
            HoldMusic::Silence => None,
            HoldMusic::Builtin => Some(AudioSource::Builtin { name: "hold-music".to_owned() }),
            HoldMusic::Files(paths) => {
                let file = |path: &PathBuf| path.to_string_lossy().into_owned();
                let parts = paths.iter().map(|path| AudioSource::File { path: file(path) });
                Some(AudioSource::List { parts: parts.collect() })
            }
        }
    }

    /// The music is read. It plays when the call is still held.
    pub(super) fn on_music(&mut self, now: Instant, clips: Result<Loaded, NotLoaded>) {
        match clips {
            Ok(clips) if self.music.is_some_and(|holder| self.wants_music(holder)) => {
                self.play_music(clips);
            }
            Ok(_) => {}
            Err(error) => self.timeline.note(now, None, format!("no music: {}", error.text)),
        }
    }

    fn play_music(&self, music: Loaded) {
        let port = self.music.and_then(|holder| self.other_port(holder));
        if let Some(port) = port {
            let (parts, repeat) = (music.parts, Repeat::Forever);
            port.play(Playback { parts, repeat, ..Playback::of(MUSIC, Vec::new()) });
        }
    }

    /// Stops the music: the call is resumed, or whoever heard it goes elsewhere.
    pub(super) fn stop_music(&mut self) {
        let Some(holder) = self.music.take() else { return };
        if let Some(port) = self.other_port(holder) {
            port.stop_play();
        }
    }
}
