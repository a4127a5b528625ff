//! What is heard in place of packets that are not there.

use super::Ear;

/// For how long a codec's own concealment is heard whole, and when it has faded, in ms: some repeat
/// a tone for ever. A pause that the peer announced is not faded.
const CONCEALED_MS: usize = 60;
const FADED_MS: usize = 160;

impl Ear {
    /// Makes the one lost packet of what the next says about it.
    pub(super) fn recover(&mut self, count: usize) -> bool {
        let (Some(decoder), Some(packet)) = (&mut self.decoder, self.queue.first()) else {
            return false;
        };
        let before = self.ready.len();
        if decoder.conceals() && packet.codec == Some(decoder.codec()) {
            decoder.recover(&packet.payload, count, &mut self.ready);
        }
        self.ready.len() == before + count || {
            self.ready.truncate(before);
            false
        }
    }

    /// Something in place of samples that are not there, up to 10 ms.
    pub(super) fn fill(&mut self, count: usize) {
        let before = self.ready.len();
        if let Some(noise) = &mut self.noise {
            noise.make(count, &mut self.ready);
        } else if let Some(decoder) = self.decoder.as_mut().filter(|d| d.conceals()) {
            // It knows whole pieces only.
            decoder.conceal(self.rate.piece(), &mut self.ready);
            self.ready.truncate(before + count);
            self.fade(before);
        } else {
            self.concealer.fill(count, &mut self.ready);
        }
        self.ready.resize(before + count, 0);
    }

    /// Fades what a codec makes in place of packets for too long.
    fn fade(&mut self, from: usize) {
        let per_ms = self.rate.hertz() as usize / 1000;
        let (whole, none) = (CONCEALED_MS * per_ms, FADED_MS * per_ms);
        for sample in self.ready.iter_mut().skip(from) {
            let left = none.saturating_sub(self.missing).min(none - whole) as f32;
            if !self.pause {
                *sample = (f32::from(*sample) * left / (none - whole) as f32) as i16;
            }
            self.missing += 1;
        }
    }
}
