//! Reading WAV, MP3, FLAC and Ogg Vorbis. Blocking and busy: for threads that may be both.

use std::fs::File;
use std::io::Cursor;
use std::path::Path;

use symphonia::core::codecs::audio::{AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, FormatReader, TrackType};
use symphonia::core::io::{MediaSource, MediaSourceStream};
use symphonia::core::meta::MetadataOptions;

use super::{Clip, RATE};
use crate::resample::{ResampleError, Resampler};

/// How much is read. What is larger is refused, not cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the file.
    pub bytes: u64,
    /// Seconds of audio.
    pub seconds: u32,
}

impl Default for Limits {
    /// 50 MB and one hour, which is 58 MB when decoded.
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
    let extension = path.extension().and_then(|extension| extension.to_str());
    run(&name, Box::new(file), extension, limits)
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
    let extension = Path::new(name).extension().and_then(|extension| extension.to_str());
    run(name, Box::new(Cursor::new(bytes)), extension, limits)
}

fn check_size(name: &str, bytes: u64, limits: Limits) -> Result<(), ClipError> {
    if bytes > limits.bytes {
        return Err(ClipError::TooLarge { name: name.to_owned(), bytes, limit: limits.bytes });
    }
    Ok(())
}

fn run(
    name: &str,
    source: Box<dyn MediaSource + '_>,
    extension: Option<&str>,
    limits: Limits,
) -> Result<Clip, ClipError> {
    let unreadable = |error: &Error| match error {
        // The decoder meets the end while it looks for a header.
        Error::IoError(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => {
            format_error(name, "the file ends too soon")
        }
        error => format_error(name, &error.to_string()),
    };
    let mut hint = Hint::new();
    if let Some(extension) = extension {
        hint.with_extension(extension);
    }
    let stream = MediaSourceStream::new(source, Default::default());
    let mut format = symphonia::default::get_probe()
        .probe(&hint, stream, FormatOptions::default(), MetadataOptions::default())
        .map_err(|error| unreadable(&error))?;
    let track = format
        .default_track(TrackType::Audio)
        .ok_or_else(|| format_error(name, "no audio track"))?;
    let track_id = track.id;
    let parameters = track
        .codec_params
        .as_ref()
        .and_then(|parameters| parameters.audio())
        .ok_or_else(|| format_error(name, "unknown codec"))?;
    let mut decoder = symphonia::default::get_codecs()
        .make_audio_decoder(parameters, &AudioDecoderOptions::default())
        .map_err(|error| unreadable(&error))?;
    let mut mixer =
        Mixer { name, limits, resampler: None, rate: 0, frames: 0, scratch: Vec::new() };
    read_packets(&mut *format, &mut *decoder, track_id, &mut mixer)?;
    mixer.finish()
}

fn format_error(name: &str, why: &str) -> ClipError {
    ClipError::Format { name: name.to_owned(), why: why.to_owned() }
}

/// Decodes until the end. A file that breaks off or has broken packets gives what can be had.
fn read_packets(
    format: &mut dyn FormatReader,
    decoder: &mut dyn AudioDecoder,
    track_id: u32,
    mixer: &mut Mixer<'_>,
) -> Result<(), ClipError> {
    let mut broken = 0;
    while broken < MAX_BROKEN {
        let packet = match format.next_packet() {
            Ok(Some(packet)) => packet,
            Ok(None) => break,
            Err(Error::DecodeError(_)) => {
                broken += 1;
                continue;
            }
            // The end of a cut file, or a chained stream's second part: what came before is good.
            Err(_) => break,
        };
        if packet.track_id != track_id {
            continue;
        }
        match decoder.decode(&packet) {
            Ok(audio) => {
                let (rate, channels) = (audio.spec().rate(), audio.num_planes());
                let mut samples = std::mem::take(&mut mixer.scratch);
                audio.copy_to_vec_interleaved::<f32>(&mut samples);
                let taken = mixer.take(rate, channels, &samples);
                mixer.scratch = samples;
                taken?;
            }
            Err(Error::DecodeError(_)) => broken += 1,
            Err(_) => break,
        }
    }
    Ok(())
}

/// Mixes to one channel and hands on to the resampler.
struct Mixer<'a> {
    name: &'a str,
    limits: Limits,
    resampler: Option<Resampler>,
    rate: u32,
    frames: u64,
    scratch: Vec<f32>,
}

impl Mixer<'_> {
    fn take(&mut self, rate: u32, channels: usize, samples: &[f32]) -> Result<(), ClipError> {
        let channels = channels.max(1);
        self.frames += (samples.len() / channels) as u64;
        if self.resampler.is_some() && rate != self.rate {
            return Err(format_error(self.name, "the sample rate changes on the way"));
        }
        if self.frames > u64::from(self.limits.seconds) * u64::from(rate) {
            return Err(ClipError::TooLong {
                name: self.name.to_owned(),
                limit: self.limits.seconds,
            });
        }
        let share = 1.0 / channels as f32;
        let mono: Vec<f32> =
            samples.chunks_exact(channels).map(|frame| frame.iter().sum::<f32>() * share).collect();
        let name = self.name;
        let refused = |source| ClipError::Rate { name: name.to_owned(), source };
        let resampler = match &mut self.resampler {
            Some(resampler) => resampler,
            empty => {
                self.rate = rate;
                empty.insert(Resampler::new(rate).map_err(refused)?)
            }
        };
        resampler.push(&mono).map_err(refused)
    }

    fn finish(self) -> Result<Clip, ClipError> {
        let name = self.name;
        let empty = || ClipError::Empty { name: name.to_owned() };
        let samples = self
            .resampler
            .ok_or_else(empty)?
            .finish()
            .map_err(|source| ClipError::Rate { name: name.to_owned(), source })?;
        if samples.is_empty() { Err(empty()) } else { Ok(Clip::from_samples(samples)) }
    }
}

const _: () = assert!(RATE == crate::resample::RATE);
