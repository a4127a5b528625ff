//! Recorded calls: `[recording]`.

use std::path::PathBuf;

use crate::secret::Secret;

/// Whether calls with a party are recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Record {
    /// Never, whoever else is in the call.
    #[default]
    Never,
    /// Always, unless somebody in the call is never recorded.
    Always,
}

/// Files that recordings become.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum RecordingFormat {
    /// WAV, 16-bit: 32 kB a second.
    #[default]
    Wav,
    /// WAV, G.711 µ-law: 16 kB a second.
    WavUlaw,
    /// WAV, G.711 A-law: 16 kB a second.
    WavAlaw,
    /// Opus in Ogg: 4 kB a second.
    Opus,
}

/// Where finished recordings go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordingPlace {
    /// A folder; `None`: `recordings` in the data folder. See [`crate::Config::recordings_folder`].
    Folder(Option<PathBuf>),
    /// An S3-compatible object store.
    S3(ObjectStore),
}

impl Default for RecordingPlace {
    fn default() -> Self {
        Self::Folder(None)
    }
}

/// An S3-compatible object store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectStore {
    /// The bucket.
    pub bucket: String,
    /// Region, as AWS names it.
    pub region: String,
    /// `https://host[:port]` of a store that is not AWS's.
    pub endpoint: Option<String>,
    /// Keys; `None`: those of the environment or of the machine (`AWS_ACCESS_KEY_ID`, an instance's
    /// role).
    pub keys: Option<ObjectStoreKeys>,
}

/// The right to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectStoreKeys {
    /// Access key id.
    pub id: String,
    /// Secret access key.
    pub secret: Secret,
}

/// `[recording]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recording {
    /// Whether calls are recorded of whose parties none says anything.
    pub calls: Record,
    /// What files.
    pub format: RecordingFormat,
    /// Where they go.
    pub place: RecordingPlace,
    /// Before the name of each: `office-1/`.
    pub prefix: String,
    /// Whether the file stays here too when it was uploaded, in [`crate::Config::recordings_folder`].
    pub keep_local: bool,
    /// Uploads at a time.
    pub uploads: usize,
    /// Free space of a disk below which the operator is warned: percent of it, but on a large disk
    /// no more than so many MiB.
    pub warn_free_percent: u8,
    /// See there.
    pub warn_free_mib: u64,
}

impl Default for Recording {
    fn default() -> Self {
        Self {
            calls: Record::Never,
            format: RecordingFormat::default(),
            place: RecordingPlace::default(),
            prefix: String::new(),
            keep_local: false,
            uploads: 2,
            warn_free_percent: 10,
            warn_free_mib: 10_240,
        }
    }
}
