//! The codecs themselves behind one face each way.

use ezk_g722::libg722::{
    Bitrate, decoder::Decoder as G722Decoder, encoder::Encoder as G722Encoder,
};
use opus_pure::{Application, Bandwidth, OpusDecoder, OpusEncoder, RateControl};

use super::Rate;
use crate::codec::{Codec, OpusWishes};
use crate::g711::Law;

/// The longest Opus packet (RFC 6716 §2.1.4), in ms.
const LONGEST_OPUS_MS: usize = 120;

/// What an Opus encoder may spend: half of the way to the best, where speech is hardly worse.
const COMPLEXITY: i32 = 5;
/// The loss that an encoder prepares for when its peer can use redundancy, in percent.
const PREPARED_LOSS: i32 = 8;

/// Whether an Opus packet tells what was in the one before it (RFC 6716 §4.2.4), as far as that can
/// be seen without decoding: in the usual packets of one or of two frames of one size.
pub(super) fn tells_of_the_last(payload: &[u8]) -> bool {
    let &[toc, first, ..] = payload else { return false };
    // §3.1: up to 11 SILK, up to 15 hybrid, CELT above; SILK frames are of 10, 20, 40 or 60 ms.
    let config = toc >> 3;
    let frames = match config {
        0..12 => (config & 3).max(1),
        12..16 => 1,
        _ => return false,
    };
    // §4.2.3: after one bit for the voice in each 20 ms comes the one that tells, in each channel.
    let mono = (first >> (7 - frames)) & 1 == 1;
    let stereo = toc & 4 != 0 && (first >> (6 - 2 * frames)) & 1 == 1;
    toc & 3 < 2 && (mono || stereo)
}

/// From payloads to samples.
pub(super) struct Decoder {
    codec: Codec,
    form: DecoderForm,
}

enum DecoderForm {
    Law(Law),
    G722(Box<G722Decoder>),
    Opus { decoder: Box<OpusDecoder>, rate: Rate },
}

impl Decoder {
    /// A fresh one. Opus comes out at the rate that is asked for, the others at their own.
    pub(super) fn new(codec: Codec, rate: Rate) -> Option<Self> {
        let form = match codec {
            Codec::Pcmu => DecoderForm::Law(Law::Mu),
            Codec::Pcma => DecoderForm::Law(Law::A),
            Codec::G722 => {
                let decoder = G722Decoder::new(Bitrate::Mode1_64000, false, false);
                DecoderForm::G722(Box::new(decoder))
            }
            Codec::Opus => {
                // Two channels are mixed into one.
                let decoder = OpusDecoder::new(rate.hertz().cast_signed(), 1).ok()?;
                DecoderForm::Opus { decoder: Box::new(decoder), rate }
            }
            Codec::Passed(_) => return None,
        };
        Some(Self { codec, form })
    }

    pub(super) fn codec(&self) -> Codec {
        self.codec
    }

    /// The rate of what comes out.
    pub(super) fn rate(&self) -> Rate {
        match &self.form {
            DecoderForm::Law(_) => Rate::Narrow,
            DecoderForm::G722(_) => Rate::Wide,
            DecoderForm::Opus { rate, .. } => *rate,
        }
    }

    /// Whether it knows itself what to say in place of what is lost.
    pub(super) fn conceals(&self) -> bool {
        matches!(self.form, DecoderForm::Opus { .. })
    }

    /// Appends what a payload holds. What is broken holds nothing.
    pub(super) fn decode(&mut self, payload: &[u8], out: &mut Vec<i16>) {
        match &mut self.form {
            DecoderForm::Law(law) => {
                let table = law.decode_table();
                out.extend(payload.iter().map(|&byte| table[usize::from(byte)]));
            }
            DecoderForm::G722(decoder) => out.extend(decoder.decode(payload)),
            DecoderForm::Opus { decoder, rate } => {
                let room = LONGEST_OPUS_MS * rate.hertz() as usize / 1000;
                append(out, room, |room, samples| decoder.decode_s16(payload, room, samples));
            }
        }
    }

    /// Appends so many samples of what was lost just before the packet with this payload, if it
    /// tells (Opus in-band FEC), or else something in place of it.
    pub(super) fn recover(&mut self, next: &[u8], count: usize, out: &mut Vec<i16>) {
        if let DecoderForm::Opus { decoder, .. } = &mut self.form {
            append(out, count, |room, samples| decoder.decode_fec_s16(next, room, samples));
        }
    }

    /// Appends so many samples in place of something lost, or the background of a pause.
    pub(super) fn conceal(&mut self, count: usize, out: &mut Vec<i16>) {
        if let DecoderForm::Opus { decoder, .. } = &mut self.form {
            append(out, count, |room, samples| decoder.decode_s16(&[], room, samples));
        }
    }
}

/// Lets `decode` write behind what is in `out`.
fn append<E>(
    out: &mut Vec<i16>,
    room: usize,
    decode: impl FnOnce(usize, &mut [i16]) -> Result<usize, E>,
) {
    let before = out.len();
    out.resize(before + room, 0);
    let made = out.get_mut(before..).map_or(Ok(0), |samples| decode(room, samples)).unwrap_or(0);
    out.truncate(before + made.min(room));
}

/// From samples to payloads.
pub(super) enum Encoder {
    Law(Law),
    G722(Box<G722Encoder>),
    Opus { encoder: Box<OpusEncoder>, rate: Rate },
}

impl Encoder {
    /// A fresh one for samples at (or below) this rate.
    pub(super) fn new(codec: Codec, rate: Rate, wishes: OpusWishes) -> Option<Self> {
        Some(match codec {
            Codec::Pcmu => Self::Law(Law::Mu),
            Codec::Pcma => Self::Law(Law::A),
            Codec::G722 => {
                Self::G722(Box::new(G722Encoder::new(Bitrate::Mode1_64000, false, false)))
            }
            Codec::Opus => Self::Opus { encoder: Box::new(opus(rate, wishes)?), rate },
            Codec::Passed(_) => return None,
        })
    }

    /// The rate that it takes.
    pub(super) fn rate(&self) -> Rate {
        match self {
            Self::Law(_) => Rate::Narrow,
            Self::G722(_) => Rate::Wide,
            Self::Opus { rate, .. } => *rate,
        }
    }

    /// Writes one packet's payload; returns its length, 0 when there is no room.
    pub(super) fn encode(&mut self, samples: &[i16], out: &mut [u8]) -> usize {
        match self {
            Self::Law(law) => {
                let pairs = samples.iter().zip(out.iter_mut());
                pairs.map(|(&sample, byte)| *byte = law.encode(sample)).count()
            }
            Self::G722(encoder) => {
                let bytes = encoder.encode(samples);
                let Some(room) = out.get_mut(..bytes.len()) else { return 0 };
                room.copy_from_slice(&bytes);
                bytes.len()
            }
            Self::Opus { encoder, .. } => {
                encoder.encode_s16(samples, samples.len(), out).unwrap_or(0)
            }
        }
    }
}

fn opus(rate: Rate, wishes: OpusWishes) -> Option<OpusEncoder> {
    let mut encoder = OpusEncoder::new(rate.hertz().cast_signed(), 1, Application::Voip).ok()?;
    let wanted = match rate {
        // RFC 7587 §3.1.1: 8-12 kbit/s for narrowband and 16-20 for wideband speech; redundancy
        // wants a quarter more.
        Rate::Narrow => 16_000,
        Rate::Wide => 28_000,
    };
    encoder.bitrate_bps = wishes.max_bitrate.clamp(6000, wanted).cast_signed();
    encoder.complexity = COMPLEXITY;
    if wishes.constant_rate {
        encoder.rate_control = RateControl::Cbr;
    }
    if wishes.max_playback_hz <= Rate::Narrow.hertz() {
        encoder.max_bandwidth = Bandwidth::Narrowband;
    }
    if wishes.fec {
        encoder.use_inband_fec = true;
        encoder.packet_loss_perc = PREPARED_LOSS;
    }
    Some(encoder)
}
