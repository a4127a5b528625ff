//! What signalling says to a leg: its stream, what it plays, what it records.

use std::time::Instant;

use super::{Leg, random_stream};
use crate::codec::Codec;
use crate::engine::api::{
    Control, PlayEnd, Playback, PortEventKind, RecordEnd, Recording, StreamConfig,
};
use crate::engine::play::Player;
use crate::engine::record::Recorder;
use crate::latch::Latch;
use crate::srtp::SrtpSession;

impl Leg {
    /// Tells whether audio is sent differently from here on.
    pub(in crate::engine) fn set_stream(
        &mut self,
        now: Instant,
        stream: Box<StreamConfig>,
    ) -> bool {
        self.sender.expect_another();
        let old = self.stream.take();
        let rx = |s: &StreamConfig| s.srtp.as_ref().map(|keys| keys.rx.clone());
        // A hold with an address of zeros says nothing of where the peer is: what may come meanwhile
        // may come from where it came before, and from nobody else.
        let holds = stream.remote_rtp.ip().is_unspecified() && old.is_some();
        let announced = if holds { self.latch.announced() } else { stream.remote_rtp };
        let same_peer = old
            .as_ref()
            .is_some_and(|old| self.latch.announced() == announced && rx(old) == rx(&stream));
        let elsewhere = old.is_some() && self.latch.announced() != announced;
        if !same_peer {
            self.latch = Latch::new(announced);
            self.failing_since = None;
            self.last_received = now;
            self.silence_told = false;
        }
        let rtcp = stream.remote_rtcp.filter(|_| !holds).unwrap_or_else(|| {
            // RFC 3550 §11: the next higher port.
            let mut next = announced;
            next.set_port(next.port().checked_add(1).unwrap_or(0));
            next
        });
        if !same_peer || (!holds && rtcp != self.rtcp_latch.announced()) {
            self.rtcp_latch = Latch::new(rtcp);
        }
        let form = |s: &StreamConfig| (s.codec, s.ptime_ms, s.maxptime_ms, s.opus, s.comfort_noise);
        let same_form = old.as_ref().is_some_and(|old| form(old) == form(&stream));
        let was = old.map_or((false, false), |old| (old.send, old.receive));
        let (sends_again, hears_again) = (stream.send && !was.0, stream.receive && !was.1);
        if sends_again || hears_again {
            // While a call is held a NAT may forget it and take another port afterwards.
            self.latch.reopen();
            self.rtcp_latch.reopen();
        }
        if hears_again {
            self.last_received = now;
            self.silence_told = false;
        }
        if sends_again {
            // What was not sent while held is no loss.
            self.out.forget_source();
        }
        self.set_keys(&stream, elsewhere);
        if let Some(player) = &mut self.player {
            player.retune(stream.codec.law(), stream.ptime_ms);
        }
        self.out.set_clock(stream.codec.clock_rate());
        self.retune_mouth(&stream);
        self.stream = Some(stream.into());
        self.moved |= !same_peer;
        !same_form
    }

    fn set_keys(&mut self, stream: &StreamConfig, elsewhere: bool) {
        self.secured = stream.srtp.is_some();
        let Some(keys) = &stream.srtp else {
            self.srtp = None;
            return;
        };
        // After a new key RFC 3711 §3.3.1 keeps the rollover counter of an SSRC, and who reads RFC
        // 4568 §7.1.4 otherwise does not; who listens at a new address never knew it. That of a new
        // SSRC is zero to everybody. Without a session, a key that was used before on this SSRC would
        // start its counter again: a keystream used twice (RFC 3711 §9.1).
        let session = self.srtp.as_ref();
        let anew = session.is_none_or(|session| elsewhere || keys.tx != session.keys().tx);
        if anew && self.out.sent().0 != 0 {
            self.renew_stream();
        }
        self.srtp = match self.srtp.take() {
            Some(mut session) => session.rekey(keys.clone()).map(|()| session),
            None => SrtpSession::new(keys.clone()).map(Box::new),
        };
    }

    /// We go on under another SSRC.
    pub(super) fn renew_stream(&mut self) {
        self.reporter.leave(self.out.ssrc());
        self.out = random_stream();
        self.passed_on = None;
    }

    pub(in crate::engine) fn play(&mut self, now: Instant, playback: Playback) {
        self.end_play(PlayEnd::Stopped);
        let stream = self.stream.as_ref();
        let (codec, ptime) = stream.map_or((Codec::Pcmu, 20), |s| (s.codec, s.ptime_ms));
        self.runs = self.runs.wrapping_add(1);
        self.player = Some(Box::new(Player::new(now, playback, codec.law(), ptime, self.runs)));
    }

    pub(in crate::engine) fn end_play(&mut self, by: PlayEnd) {
        if let Some(player) = self.player.take() {
            let position = player.played();
            self.tell(PortEventKind::PlayEnded { id: player.id, by, position });
        }
    }

    pub(in crate::engine) fn control_play(&mut self, now: Instant, control: Control) {
        if let Some(player) = &mut self.player {
            player.control(now, control);
        }
    }

    pub(in crate::engine) fn record(&mut self, now: Instant, recording: Recording) {
        self.end_record(now, RecordEnd::Stopped);
        let mut recorder = Recorder::new(now, recording);
        if self.is_inband() {
            recorder.hold_back();
        }
        self.recorder = Some(Box::new(recorder));
    }

    pub(in crate::engine) fn end_record(&mut self, now: Instant, by: RecordEnd) {
        let Some(recorder) = self.recorder.take() else { return };
        if let Some(recorder) = self.tape_rest(now, recorder, by) {
            self.finish_record(now, *recorder, by);
        }
    }

    pub(super) fn finish_record(&mut self, now: Instant, recorder: Recorder, by: RecordEnd) {
        let taken = recorder.finish(now, by);
        self.tell(PortEventKind::RecordEnded {
            id: taken.id,
            by: taken.by,
            duration: taken.duration,
            speech: taken.speech,
        });
    }
}
