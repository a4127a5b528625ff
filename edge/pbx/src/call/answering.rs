//! Answers the caller.

use std::time::Instant;

use bytes::Bytes;
use offhook_media::sdp::Direction as MediaDirection;
use offhook_sip::header::Headers;
use offhook_sip::message::StatusCode;
use offhook_sma::action::LegTag;
use offhook_sma::event::{ActionError, Status, error_type};

use super::Call;
use super::leg::media_fact;
use super::runner::{Running, failure_of, gone};
use crate::failure;

impl Call {
    /// Answers the caller with 200. `codec_of`: what the other leg speaks.
    pub(super) fn answer_caller(
        &mut self,
        now: Instant,
        codec_of: Option<offhook_media::codec::Codec>,
    ) -> Result<(), ActionError> {
        let Some(leg) = self.tagged(LegTag::A) else { return Err(gone()) };
        if leg.answered {
            return Ok(());
        }
        let id = leg.id;
        let sdp = match self.caller_sdp(now, codec_of) {
            Ok(sdp) => sdp,
            Err(error) => {
                if let Some(leg) = self.leg(id) {
                    let _ = leg.session.reject(
                        now,
                        StatusCode::NOT_ACCEPTABLE_HERE,
                        None,
                        Headers::new(),
                    );
                }
                return Err(error);
            }
        };
        let Some(leg) = self.leg(id) else { return Err(gone()) };
        if leg.session.accept(now, Some(sdp), Headers::new()).is_err() {
            return Err(gone());
        }
        leg.answered = true;
        self.transaction.set_status(LegTag::A, Status::Connected);
        if self.record.answered.is_none() && !matches!(self.running, Running::Bridging) {
            self.answered_after_all(now);
            let voicemail = self.app_name == "voicemail";
            self.record.disposition = if voicemail { "voicemail" } else { "answered" }.to_owned();
            self.keep_record();
        }
        Ok(())
    }

    /// Our description for the caller: the answer to the INVITE's offer, or an offer of ours when
    /// it had none. The same one again once it was said (RFC 3261 §13.2.1).
    pub(super) fn caller_sdp(
        &mut self,
        now: Instant,
        codec: Option<offhook_media::codec::Codec>,
    ) -> Result<Bytes, ActionError> {
        let Some(leg) = self.tagged(LegTag::A) else { return Err(gone()) };
        let id = leg.id;
        if let Err(error) = self.ensure_media(id) {
            self.fail(now, failure::NO_MEDIA_PORTS, None, &error);
            return Err(ActionError::new(error_type::SYSTEM_EXCEPTION, error));
        }
        let said = self.leg_ref(id).and_then(|leg| leg.media.as_ref()?.said.clone());
        if let Some(said) = said {
            return Ok(said);
        }
        self.pass_to_caller(id);
        let Some(leg) = self.leg(id) else { return Err(gone()) };
        let offer = leg.session.remote_sdp().cloned();
        let Some(media) = &mut leg.media else { return Err(gone()) };
        if let Some(codec) = codec {
            media.prefer(codec);
        }
        let Some(offer) = offer else { return Ok(media.offer(MediaDirection::SendRecv)) };
        match media.answer(&offer) {
            Ok((sdp, stream)) => {
                self.timeline.add(now, Some('A'), media_fact(&stream));
                self.note_pipes(now, id);
                Ok(sdp)
            }
            Err(error) => {
                let failure = failure_of(&error);
                self.fail(now, failure, Some(error.sip_status()), &error.to_string());
                let mut failed = ActionError::new(error_type::SYSTEM_EXCEPTION, error.to_string());
                failed.sip_status = Some(error.sip_status());
                Err(failed)
            }
        }
    }

    /// The caller's ACK came: what waited for it starts.
    pub(super) fn caller_confirmed(&mut self, now: Instant) {
        if !matches!(self.running, Running::Answering) {
            return;
        }
        self.running = Running::Nothing;
        if let Some(action) = self.script.running().cloned() {
            self.start_action(now, action);
        }
    }
}
