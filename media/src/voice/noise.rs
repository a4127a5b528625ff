//! Comfort noise as a peer describes it (RFC 3389).

/// Reflection coefficients that are used; more add nothing that is heard.
const MAX_ORDER: usize = 12;

/// A generator of noise with the level and the colour of a peer's background.
#[derive(Debug, Clone)]
pub(super) struct Noise {
    /// Amplitude of the white noise that goes into the filter.
    drive: f32,
    reflections: [f32; MAX_ORDER],
    order: usize,
    delayed: [f32; MAX_ORDER + 1],
    random: u32,
}

impl Noise {
    /// Reads a payload: a level in -dBov, then reflection coefficients (RFC 3389 §3).
    pub(super) fn read(payload: &[u8]) -> Option<Self> {
        let (&level, colour) = payload.split_first()?;
        // Full scale (0 dBov) is a square wave of the largest amplitude (§3.1).
        let wanted = 32_768.0 * 10f32.powf(-f32::from(level & 0x7f) / 20.0);
        let mut reflections = [0.0; MAX_ORDER];
        let order = colour.len().min(MAX_ORDER);
        let mut gain = 1.0f32;
        for (k, &byte) in reflections.iter_mut().zip(colour) {
            // §3.2: 127 is zero, and one step is 258/32768. Short of one, so that it never rings.
            *k = ((f32::from(byte) - 127.0) * 258.0 / 32_768.0).clamp(-0.98, 0.98);
            gain *= 1.0 - *k * *k;
        }
        // Uniform noise of amplitude a has the power a²/3; the filter multiplies it by 1/gain.
        let drive = wanted * (3.0 * gain).sqrt();
        let delayed = [0.0; MAX_ORDER + 1];
        Some(Self { drive, reflections, order, delayed, random: 0x9e37_79b9 })
    }

    /// Appends so many samples.
    pub(super) fn make(&mut self, count: usize, out: &mut Vec<i16>) {
        for _ in 0..count {
            out.push(self.next() as i16);
        }
    }

    /// One step of the all-pole lattice.
    fn next(&mut self) -> f32 {
        // Marsaglia's xorshift: noise need not be better.
        self.random ^= self.random << 13;
        self.random ^= self.random >> 17;
        self.random ^= self.random << 5;
        let mut forward = (self.random as i32 as f32 / 2_147_483_648.0) * self.drive;
        for n in (0..self.order).rev() {
            let (Some(&k), Some(&back)) = (self.reflections.get(n), self.delayed.get(n)) else {
                break;
            };
            forward -= k * back;
            if let Some(next) = self.delayed.get_mut(n + 1) {
                *next = back + k * forward;
            }
        }
        if let Some(first) = self.delayed.first_mut() {
            *first = forward;
        }
        forward
    }
}
