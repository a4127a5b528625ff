//! Where audio comes from: prompts that are part of the program, the operator's own, and files.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use offhook_media::clip::{Clip, RATE};
use offhook_media::clip_cache::ClipCache;
use offhook_media::{prompts, tone};
use offhook_sma::action::AudioSource;

/// Prompts of one name list.
const MAX_NAMES: usize = 32;

/// Finds audio and keeps it decoded.
pub struct Sounds {
    cache: ClipCache,
    folder: Option<PathBuf>,
    beep: Arc<Clip>,
    ringback: Arc<Clip>,
    hold_music: Arc<Clip>,
}

impl Sounds {
    /// `folder`: files that replace prompts of the same name.
    pub fn new(cache_bytes: usize, folder: Option<PathBuf>) -> Self {
        Self {
            cache: ClipCache::new(cache_bytes),
            folder,
            beep: Arc::new(tone::beep()),
            ringback: Arc::new(tone::ringback(tone::Region::default())),
            hold_music: Arc::new(hold_music()),
        }
    }

    /// The clips of a source. Blocks while a file is read and decoded.
    ///
    /// # Errors
    /// What is missing or wrong, for the timeline.
    pub fn load(&self, source: &AudioSource) -> Result<Vec<Arc<Clip>>, String> {
        match source {
            AudioSource::File { path } => self.file(Path::new(path)).map(|clip| vec![clip]),
            AudioSource::Builtin { name } => {
                name.split_ascii_whitespace().take(MAX_NAMES).map(|n| self.prompt(n)).collect()
            }
            AudioSource::S3 { bucket_name, key } => {
                Err(format!("s3://{bucket_name}/{key}: no bucket is configured here"))
            }
        }
    }

    /// The same for what is in memory already; `None`: [`Sounds::load`] has to be asked.
    pub fn at_hand(&self, source: &AudioSource) -> Option<Vec<Arc<Clip>>> {
        match source {
            AudioSource::Builtin { name } if self.folder.is_none() => {
                name.split_ascii_whitespace().take(MAX_NAMES).map(|n| self.builtin(n)).collect()
            }
            _ => None,
        }
    }

    fn file(&self, path: &Path) -> Result<Arc<Clip>, String> {
        self.cache.get(path).map_err(|error| error.to_string())
    }

    fn prompt(&self, name: &str) -> Result<Arc<Clip>, String> {
        // A name is one word of our own or of a workflow: it must not lead out of the folder.
        if !name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_')) {
            return Err(format!("`{name}` is no prompt's name"));
        }
        if let Some(folder) = &self.folder {
            for ending in ["wav", "mp3", "flac", "ogg"] {
                let path = folder.join(format!("{name}.{ending}"));
                if path.exists() {
                    return self.file(&path);
                }
            }
        }
        self.builtin(name).ok_or_else(|| format!("there is no prompt `{name}`"))
    }

    fn builtin(&self, name: &str) -> Option<Arc<Clip>> {
        match name {
            "beep" => Some(Arc::clone(&self.beep)),
            "ringback" => Some(Arc::clone(&self.ringback)),
            "hold-music" => Some(Arc::clone(&self.hold_music)),
            name => prompts::named(name).map(prompts::get),
        }
    }
}

/// What somebody hears who is put on hold, unless the operator has other music: a soft, slow figure
/// of single notes with rests, made by arithmetic. To be repeated.
fn hold_music() -> Clip {
    /// Hertz of C4 E4 G4 A4 C5.
    const NOTES: [f64; 5] = [261.63, 329.63, 392.0, 440.0, 523.25];
    const FIGURE: [usize; 16] = [0, 2, 4, 2, 3, 2, 1, 2, 0, 2, 3, 4, 2, 1, 0, 2];
    let note = Duration::from_millis(520);
    let rest = Duration::from_millis(2_000);
    let mut all = Vec::new();
    for (n, step) in FIGURE.iter().enumerate() {
        let hertz = NOTES.get(*step).copied().unwrap_or(NOTES[0]);
        let played =
            tone::samples(tone::Sines { hertz: &[hertz, hertz * 2.0], level: -27.0 }, note);
        let length = played.len().max(1);
        // Struck and left to fade, as a string is.
        all.extend(played.iter().enumerate().map(|(at, sample)| {
            let left = (length - at) as f64 / length as f64;
            (f64::from(*sample) * left * left) as i16
        }));
        if n % 8 == 7 {
            all.resize(all.len() + rest.as_millis() as usize * RATE as usize / 1000, 0);
        }
    }
    Clip::from_samples(all)
}
