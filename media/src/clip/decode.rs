//! Reading WAV, MP3, FLAC and Ogg Vorbis. Blocking and busy: for threads that may be both.

mod riff;
#[cfg(test)]
mod riff_tests;
mod source;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::Cursor;
use std::path::Path;

use symphonia::core::codecs::audio::{AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, FormatReader, SeekMode, SeekTo, TrackType};
use symphonia::core::io::{MediaSource, MediaSourceStream};
use symphonia::core::meta::MetadataOptions;
use symphonia::core::units::Time;

use self::source::{Failed, Source};
use super::{Clip, RATE};
use crate::resample::{Rates, ResampleError, Samples};

/// How much is read. What is larger is refused, not cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the file.
    pub bytes: u64,
    /// Seconds of audio.
    pub seconds: u32,
}

impl Default for Limits {
    /// 50 MB and one hour.
    fn default() -> Self {
        Self { bytes: 50_000_000, seconds: 3600 }
    }
}

/// Broken packets that are passed over before the file is given up.
const MAX_BROKEN: usize = 100;

/// Why a file could not be made a clip. Every message names the file.
#[derive(Debug, thiserror::Error)]
pub enum ClipError {
    /// The file cannot be read.
    #[error("{name}: {source}")]
    Io {
        /// The file.
        name: String,
        /// The system's reason.
        #[source]
        source: std::io::Error,
    },
    /// A directory, a device or a pipe.
    #[error("{name}: not a regular file")]
    NotAFile {
        /// The file.
        name: String,
    },
    /// Larger than allowed.
    #[error("{name}: {bytes} bytes, more than the {limit} allowed")]
    TooLarge {
        /// The file.
        name: String,
        /// Its size.
        bytes: u64,
        /// The most allowed.
        limit: u64,
    },
    /// Longer than allowed.
    #[error("{name}: longer than the {limit} seconds allowed")]
    TooLong {
        /// The file.
        name: String,
        /// The most allowed.
        limit: u32,
    },
    /// No format or codec we read.
    #[error("{name}: not audio that can be read ({why}); WAV, MP3, FLAC and Ogg Vorbis can")]
    Format {
        /// The file.
        name: String,
        /// The decoder's words.
        why: String,
    },
    /// Readable, but without a single sample.
    #[error("{name}: holds no audio")]
    Empty {
        /// The file.
        name: String,
    },
    /// A sample rate that cannot be used.
    #[error("{name}: {source}")]
    Rate {
        /// The file.
        name: String,
        /// Why.
        #[source]
        source: ResampleError,
    },
}

/// Decodes a file within the default limits. Blocks.
///
/// # Errors
/// See [`ClipError`].
pub fn decode(path: &Path) -> Result<Clip, ClipError> {
    decode_with(path, Limits::default())
}

/// Decodes a file. Blocks.
///
/// # Errors
/// See [`ClipError`].
pub fn decode_with(path: &Path, limits: Limits) -> Result<Clip, ClipError> {
    let name = path.display().to_string();
    let io = |source| ClipError::Io { name: name.clone(), source };
    // Asked before opening: opening a pipe would wait for its writer.
    let metadata = std::fs::metadata(path).map_err(io)?;
    if !metadata.is_file() {
        return Err(ClipError::NotAFile { name });
    }
    check_size(&name, metadata.len(), limits)?;
    let file = File::open(path).map_err(io)?;
    whole(Decoding::of(&name, Box::new(file), extension(path), limits.seconds)?)
}

/// Decodes a file that is in memory, within the default limits. `name` goes into errors, and its
/// extension is taken as a hint.
///
/// # Errors
/// See [`ClipError`].
pub fn decode_bytes(name: &str, bytes: impl AsRef<[u8]> + Send + Sync) -> Result<Clip, ClipError> {
    decode_bytes_with(name, bytes, Limits::default())
}

/// Decodes a file that is in memory.
///
/// # Errors
/// See [`ClipError`].
pub fn decode_bytes_with(
    name: &str,
    bytes: impl AsRef<[u8]> + Send + Sync,
    limits: Limits,
) -> Result<Clip, ClipError> {
    check_size(name, bytes.as_ref().len() as u64, limits)?;
    let source = Box::new(Cursor::new(bytes));
    whole(Decoding::of(name, source, extension(Path::new(name)), limits.seconds)?)
}

fn extension(path: &Path) -> Option<&str> {
    path.extension().and_then(|extension| extension.to_str())
}

fn check_size(name: &str, bytes: u64, limits: Limits) -> Result<(), ClipError> {
    if bytes > limits.bytes {
        return Err(ClipError::TooLarge { name: name.to_owned(), bytes, limit: limits.bytes });
    }
    Ok(())
}

/// Decodes to the end.
fn whole(mut decoding: Decoding<'_>) -> Result<Clip, ClipError> {
    while decoding.step()? {}
    let name = decoding.name.clone();
    let mut samples = Samples::default();
    decoding.finish(&mut samples)?;
    if samples.narrow.is_empty() {
        Err(ClipError::Empty { name })
    } else {
        Ok(Clip::from_rates(samples))
    }
}

fn format_error(name: &str, why: &str) -> ClipError {
    ClipError::Format { name: name.to_owned(), why: why.to_owned() }
}

/// A file on its way from packets to samples, one packet at a time.
pub(crate) struct Decoding<'a> {
    name: String,
    format: Box<dyn FormatReader + 'a>,
    decoder: Box<dyn AudioDecoder>,
    track_id: u32,
    /// Most seconds.
    limit: u32,
    /// How to begin to resample.
    begin: fn(u32) -> Result<Rates, ResampleError>,
    rates: Option<Rates>,
    rate: u32,
    frames: u64,
    /// Frames still to be passed over, after a seek to a place before.
    skip: u64,
    broken: usize,
    scratch: Vec<f32>,
    failed: Failed,
}

impl Decoding<'static> {
    /// Opens a file of any size, to be decoded from this sample (at 8 kHz) on, at both rates.
    ///
    /// # Errors
    /// See [`ClipError`].
    pub(crate) fn open(path: &Path, from: u64) -> Result<Self, ClipError> {
        let name = path.display().to_string();
        let file =
            File::open(path).map_err(|source| ClipError::Io { name: name.clone(), source })?;
        let mut decoding = Self::of(&name, Box::new(file), extension(path), u32::MAX)?;
        decoding.begin = Rates::both;
        if from > 0 {
            decoding.seek(from);
        }
        Ok(decoding)
    }
}

impl<'a> Decoding<'a> {
    fn of(
        name: &str,
        source: Box<dyn MediaSource + 'a>,
        extension: Option<&str>,
        limit: u32,
    ) -> Result<Self, ClipError> {
        let failed = Failed::default();
        let unreadable = |error| match (failed.error(), error) {
            (Some(source), _) => ClipError::Io { name: name.to_owned(), source },
            // The decoder meets the end while it looks for a header.
            (None, Error::IoError(e)) if e.kind() == std::io::ErrorKind::UnexpectedEof => {
                format_error(name, "the file ends too soon")
            }
            (None, error) => format_error(name, &error.to_string()),
        };
        let source = Box::new(Source { of: source, failed: failed.clone() });
        let source = riff::readable(source).map_err(|error| unreadable(error.into()))?;
        let mut hint = Hint::new();
        if let Some(extension) = extension {
            hint.with_extension(extension);
        }
        let stream = MediaSourceStream::new(source, Default::default());
        let format = symphonia::default::get_probe()
            .probe(&hint, stream, FormatOptions::default(), MetadataOptions::default())
            .map_err(unreadable)?;
        let track = format
            .default_track(TrackType::Audio)
            .ok_or_else(|| format_error(name, "no audio track"))?;
        let track_id = track.id;
        let parameters = track
            .codec_params
            .as_ref()
            .and_then(|parameters| parameters.audio())
            .ok_or_else(|| format_error(name, "unknown codec"))?;
        let rate = parameters.sample_rate.unwrap_or(0);
        let decoder = symphonia::default::get_codecs()
            .make_audio_decoder(parameters, &AudioDecoderOptions::default())
            .map_err(unreadable)?;
        Ok(Self {
            name: name.to_owned(),
            format,
            decoder,
            track_id,
            limit,
            begin: Rates::new,
            rates: None,
            rate,
            frames: 0,
            skip: 0,
            broken: 0,
            scratch: Vec::new(),
            failed,
        })
    }

    /// Goes to this sample (at 8 kHz). Where the format cannot, all before it is decoded for nothing.
    fn seek(&mut self, to: u64) {
        let wanted = to.saturating_mul(u64::from(self.rate)) / u64::from(RATE);
        let time = Time::from_nanos_u64(to.saturating_mul(125_000));
        let to = SeekTo::Time { time, track_id: Some(self.track_id) };
        let reached = self.format.seek(SeekMode::Accurate, to);
        self.decoder.reset();
        // Audio tracks count in frames.
        let reached = reached.map_or(0, |at| u64::try_from(at.actual_ts.get()).unwrap_or(0));
        self.skip = wanted.saturating_sub(reached);
    }

    /// Decodes the next packet; `false` when there is none. A file that breaks off or has broken
    /// packets gives what can be had; one that the system cannot read on is an error.
    ///
    /// # Errors
    /// See [`ClipError`].
    pub(crate) fn step(&mut self) -> Result<bool, ClipError> {
        if self.broken >= MAX_BROKEN {
            return Ok(false);
        }
        let packet = match self.format.next_packet() {
            Ok(Some(packet)) => packet,
            Ok(None) => return self.end(),
            Err(Error::DecodeError(_)) => {
                self.broken += 1;
                return Ok(true);
            }
            // The end of a cut file, or a chained stream's second part: what came before is good.
            Err(_) => return self.end(),
        };
        if packet.track_id != self.track_id {
            return Ok(true);
        }
        match self.decoder.decode(&packet) {
            Ok(audio) => {
                let (rate, channels) = (audio.spec().rate(), audio.num_planes());
                let mut samples = std::mem::take(&mut self.scratch);
                audio.copy_to_vec_interleaved::<f32>(&mut samples);
                let taken = self.mix(rate, channels, &samples);
                self.scratch = samples;
                taken.map(|()| true)
            }
            Err(Error::DecodeError(_)) => {
                self.broken += 1;
                Ok(true)
            }
            Err(_) => Ok(false),
        }
    }

    /// No more packets: that is an error only when the system could not read on.
    fn end(&self) -> Result<bool, ClipError> {
        let failed = |source| ClipError::Io { name: self.name.clone(), source };
        self.failed.error().map_or(Ok(false), |source| Err(failed(source)))
    }

    /// Mixes to one channel and hands on to the resamplers.
    fn mix(&mut self, rate: u32, channels: usize, samples: &[f32]) -> Result<(), ClipError> {
        let channels = channels.max(1);
        self.frames += (samples.len() / channels) as u64;
        if self.rates.is_some() && rate != self.rate {
            return Err(format_error(&self.name, "the sample rate changes on the way"));
        }
        if self.frames > u64::from(self.limit) * u64::from(rate) {
            return Err(ClipError::TooLong { name: self.name.clone(), limit: self.limit });
        }
        let skip = usize::try_from(self.skip).unwrap_or(usize::MAX).min(samples.len() / channels);
        self.skip -= skip as u64;
        let share = 1.0 / channels as f32;
        let frames = samples.chunks_exact(channels).skip(skip);
        let mono: Vec<f32> = frames.map(|frame| frame.iter().sum::<f32>() * share).collect();
        let refused = |source| ClipError::Rate { name: self.name.clone(), source };
        let rates = match &mut self.rates {
            Some(rates) => rates,
            empty => {
                self.rate = rate;
                empty.insert((self.begin)(rate).map_err(refused)?)
            }
        };
        rates.push(&mono).map_err(refused)
    }

    /// Whether there is more in it than the telephone's band.
    pub(crate) fn is_wideband(&self) -> bool {
        self.rate > RATE
    }

    /// Appends what is decoded so far.
    pub(crate) fn take(&mut self, into: &mut Samples) {
        if let Some(rates) = &mut self.rates {
            rates.take(into);
        }
    }

    /// Appends the last of it.
    ///
    /// # Errors
    /// See [`ClipError`].
    pub(crate) fn finish(self, into: &mut Samples) -> Result<(), ClipError> {
        let name = self.name;
        let refused = |source| ClipError::Rate { name, source };
        self.rates.map_or(Ok(()), |rates| rates.finish(into)).map_err(refused)
    }
}

const _: () = assert!(RATE == crate::resample::RATE);
