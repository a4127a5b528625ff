//! The handle on an open pair of sockets.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::api::{Control, Playback, PortCounters, PortId, Recording, StreamConfig, TapeSink};
use super::counters::Counters;
use super::pipe::PipeConfig;
use super::worker::{Command, Order};
use super::{Shared, lock, unspecified};
use crate::codec::Codec;
use crate::dtmf::Digit;
use crate::sound::Part;
use crate::voice::Focus;

/// An open pair of sockets. Dropping it closes them; a recording is finished.
pub struct MediaPort {
    pub(super) shared: Arc<Shared>,
    pub(super) id: PortId,
    pub(super) rtp: SocketAddr,
    pub(super) rtcp: SocketAddr,
    /// On the port that WebRTC legs share.
    pub(super) webrtc: Option<crate::webrtc::Local>,
    pub(super) counters: Arc<Counters>,
    /// The worker that has the port. Held while an order is sent, so that a move and the orders
    /// after it arrive in order.
    pub(super) home: Mutex<usize>,
    /// Payload type of the codec last set: G.711 of a clip is made by the caller, not the thread.
    pub(super) codec: AtomicU8,
}

impl MediaPort {
    /// Its name in events.
    pub fn id(&self) -> PortId {
        self.id
    }

    /// The local RTP address.
    pub fn rtp_addr(&self) -> SocketAddr {
        self.rtp
    }

    /// The local RTCP address.
    pub fn rtcp_addr(&self) -> SocketAddr {
        self.rtcp
    }

    pub(super) fn order(&self, order: Order) {
        let home = lock(&self.home);
        self.shared.send(*home, Command::Port(self.id, order));
    }

    /// Sets what offer and answer agreed on. When the peer's address or key changed, the latch is
    /// opened again; nothing else opens it.
    pub fn set_stream(&self, mut stream: StreamConfig) {
        if [self.rtp, self.rtcp].contains(&stream.remote_rtp) {
            // Who names our own port for his has none: what we sent there would come back to us as
            // his, and go round for ever.
            stream.remote_rtp.set_ip(unspecified(stream.remote_rtp));
        }
        self.codec.store(stream.codec.payload_type(), Ordering::Relaxed);
        self.order(Order::SetStream(Box::new(stream)));
    }

    /// Passes on from here on what the peer sends to the port that this one is bridged with, which
    /// must be one of this kind too, and sends the peer what comes from there. Nothing of it is
    /// understood: video, text, fax. Not for a port with a [`StreamConfig`].
    pub fn set_pipe(&self, mut pipe: PipeConfig) {
        if [self.rtp, self.rtcp].contains(&pipe.remote) {
            // As in `set_stream`: it would go round for ever.
            pipe.remote.set_ip(unspecified(pipe.remote));
        }
        self.order(Order::SetPipe(Box::new(pipe)));
    }

    /// Plays from now on, in place of a running playback and of a bridge's audio.
    pub fn play(&self, playback: Playback) {
        let codec = Codec::from_static_payload_type(self.codec.load(Ordering::Relaxed));
        let wideband = playback.parts.iter().any(Part::is_wideband);
        for part in &playback.parts {
            part.prepare(codec.unwrap_or(Codec::Opus), wideband);
        }
        self.order(Order::Play(playback));
    }

    /// Stops the running playback, if any.
    pub fn stop_play(&self) {
        self.order(Order::StopPlay);
    }

    /// Pauses the running playback, goes on with it, or goes elsewhere in it.
    pub fn control_play(&self, control: Control) {
        self.order(Order::ControlPlay(control));
    }

    /// Records from now on, in place of a running recording.
    pub fn record(&self, recording: Recording) {
        self.order(Order::Record(recording));
    }

    /// Lets a tape have what the peer says, beside a recording and a bridge, which are not changed by
    /// it. A port has room for four tapes, named by a number of theirs.
    pub fn tape(&self, id: u64, to: Box<dyn TapeSink>) {
        self.order(Order::Tape(id, to));
    }

    /// No tape any more, as soon as it has what the peer has said until now.
    pub fn stop_tape(&self, id: u64) {
        self.order(Order::StopTape(id));
    }

    /// Takes what is no voice out of what the peer says, or does so no more. `false`: too many peers
    /// are cleaned already.
    pub fn focus(&self, enable: bool) -> bool {
        let focus = if enable { Focus::new().map(Box::new) } else { None };
        let can = !enable || focus.is_some();
        if can {
            self.order(Order::Focus(focus));
        }
        can
    }

    /// Ends the running recording, if any.
    pub fn stop_record(&self) {
        self.order(Order::StopRecord);
    }

    /// Sends digits as telephone events, each `tone` long and `gap` apart, after those still
    /// waiting; at most 64 wait. Audio pauses meanwhile. A peer without telephone-event hears tones;
    /// while it holds us the time passes and nothing is sent.
    pub fn send_digits(&self, digits: &[Digit], tone: Duration, gap: Duration) {
        self.order(Order::SendDigits(digits.to_vec(), tone, gap));
    }

    /// The peer pressed a key and told of it by INFO, not in its media. Unless it did so in its media
    /// too it does what any key does: stops what plays, ends a recording, and the other leg hears it,
    /// which is pressed so long, with such a gap behind it. [`crate::dtmf::Carriers`] says which it is.
    ///
    /// `ask`: the owner takes it for one that goes about in what plays, and hears
    /// [`KeyLeft`](super::api::PortEventKind::KeyLeft) when it was not.
    pub fn informed(&self, digit: Digit, tone: Duration, gap: Duration, ask: bool) {
        self.order(Order::Informed(digit, tone, gap, ask));
    }

    /// What was counted so far, in the kernel too.
    pub fn counters(&self) -> PortCounters {
        if self.counters.in_kernel.get() != 0
            && let Some(kernel) = self.shared.kernel()
        {
            kernel.count();
        }
        self.counters.snapshot()
    }
}

impl std::fmt::Debug for MediaPort {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MediaPort").field("id", &self.id).field("rtp", &self.rtp).finish()
    }
}

impl Drop for MediaPort {
    fn drop(&mut self) {
        let home = *lock(&self.home);
        self.shared.send(home, Command::Port(self.id, Order::Close));
        self.shared.add_load(home, -1);
        if self.webrtc.is_some() {
            self.shared.webrtc_legs.fetch_sub(1, Ordering::Relaxed);
            return;
        }
        lock(&self.shared.numbers).release(Instant::now(), self.rtp.ip(), self.rtp.port());
    }
}
