//! The thread that carries recordings to where they are kept, and looks how full the disks are.
//! Neither may delay a call.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use offhook_config::{BucketPlace, Config, ObjectStore, RecordingPlace};
use offhook_pbx::disk::{Disk, DiskEvent, Level, Limits};
use offhook_pbx::metrics::Metrics;
use offhook_pbx::outbox::{self, Destination, Parcel, PutError, Putting, RecordingStore};
use offhook_store::Store;
use offhook_store::objects::{Folder, S3};
use serde_json::{Value, json};
use tokio::sync::{Notify, watch};

use crate::buckets::s3_options;

/// How often the disks are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// What the thread is told, and what it has seen.
#[derive(Debug)]
pub struct Carrier {
    orders: watch::Sender<Orders>,
    destination: watch::Sender<Destination>,
    disks: Arc<Mutex<Vec<Disk>>>,
}

/// Which disks to look at, and when to warn.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Orders {
    folders: Vec<PathBuf>,
    limits: Limits,
}

impl Carrier {
    /// Starts the thread. `news` is told when a recording has ended.
    ///
    /// # Errors
    /// When the system refuses a thread.
    pub fn start(
        config: &Config,
        store: Store,
        news: Arc<Notify>,
        metrics: Arc<Metrics>,
    ) -> std::io::Result<Self> {
        let (destination, receiver) = watch::channel(destination(config));
        let (orders, ordered) = watch::channel(Orders::of(config));
        let disks = Arc::new(Mutex::default());
        let seen = Arc::clone(&disks);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(4)
            .build()?;
        let parts = outbox::Parts {
            keep: Arc::new(store),
            destination: receiver,
            news,
            metrics: Arc::clone(&metrics),
        };
        std::thread::Builder::new().name("carrier".to_owned()).spawn(move || {
            runtime.block_on(async {
                tokio::join!(outbox::run(parts), watch_disks(ordered, &seen, &metrics))
            })
        })?;
        Ok(Self { orders, destination, disks })
    }

    /// Another configuration is in force.
    pub fn set_config(&self, config: &Config) {
        self.orders.send_replace(Orders::of(config));
        self.destination.send_replace(destination(config));
    }

    /// The disks as they were seen last, for `offhook status`.
    pub fn disks(&self) -> Vec<Value> {
        let disks = self.disks.lock().unwrap_or_else(PoisonError::into_inner);
        let show = |disk: &Disk| {
            json!({"folder": disk.folder, "free": disk.free, "total": disk.total,
                   "level": disk.level.to_string()})
        };
        disks.iter().map(show).collect()
    }
}

impl Orders {
    fn of(config: &Config) -> Self {
        let recording = &config.recording;
        Self {
            folders: vec![
                config.server.data_dir.clone(),
                config.voicemail_folder(),
                config.recordings_folder(),
            ],
            limits: Limits {
                percent: recording.warn_free_percent,
                bytes: recording.warn_free_mib.saturating_mul(1 << 20),
            },
        }
    }
}

/// Where the configuration wants recordings.
fn destination(config: &Config) -> Destination {
    let folder = config.recordings_folder();
    let recordings: Arc<dyn RecordingStore> = match &config.recording.place {
        RecordingPlace::Folder(_) => Arc::new(Folder::moving(folder.clone())),
        RecordingPlace::S3(place) => object_store(place),
    };
    let keeps =
        matches!(config.recording.place, RecordingPlace::S3(_)) && config.recording.keep_local;
    let copy = keeps.then(|| Arc::new(Folder::copying(folder)) as _);
    let buckets = config.buckets.iter().map(|bucket| {
        let store: Arc<dyn RecordingStore> = match &bucket.place {
            BucketPlace::Folder(folder) => Arc::new(Folder::moving(folder.clone())),
            BucketPlace::S3(place) => object_store(&place.store),
        };
        (bucket.name.clone(), store)
    });
    let buckets = buckets.collect();
    let store = Arc::new(ByBucket { recordings, buckets, folder: config.buckets_folder() });
    Destination { store, copy, at_once: config.recording.uploads }
}

fn object_store(place: &ObjectStore) -> Arc<dyn RecordingStore> {
    match S3::new(&s3_options(place)) {
        Ok(store) => Arc::new(store),
        Err(error) => {
            tracing::error!(%error, "recordings wait: the object store cannot be used");
            Arc::new(Unusable(error))
        }
    }
}

/// What is for a bucket goes there, and everything else to where recordings of calls are kept.
struct ByBucket {
    recordings: Arc<dyn RecordingStore>,
    buckets: HashMap<String, Arc<dyn RecordingStore>>,
    /// Of buckets that nobody configured.
    folder: PathBuf,
}

impl RecordingStore for ByBucket {
    fn put(&self, parcel: Parcel) -> Putting {
        match &parcel.bucket {
            None => self.recordings.put(parcel),
            Some(bucket) => match self.buckets.get(bucket) {
                Some(store) => store.put(parcel),
                None => Folder::moving(self.folder.join(bucket)).put(parcel),
            },
        }
    }
}

/// A store whose configuration makes no sense: what is for it waits for another one.
struct Unusable(String);

impl RecordingStore for Unusable {
    fn put(&self, _: Parcel) -> Putting {
        let error = PutError::Store(self.0.clone());
        Box::pin(std::future::ready(Err(error)))
    }
}

async fn watch_disks(
    mut orders: watch::Receiver<Orders>,
    seen: &Mutex<Vec<Disk>>,
    metrics: &Metrics,
) {
    let mut disks: Vec<Disk> = Vec::new();
    loop {
        let Orders { folders, limits } = orders.borrow_and_update().clone();
        // A network's file system may hang.
        let looked = tokio::task::spawn_blocking(move || look(disks, &folders, limits)).await;
        let Ok((looked, events)) = looked else { return };
        events.iter().for_each(tell);
        disks = looked;
        let count = |level| disks.iter().filter(|disk| disk.level == level).count() as u64;
        metrics.disks_low.set(count(Level::Low));
        metrics.disks_full.set(count(Level::Full));
        metrics.disk_free_bytes.set(disks.iter().map(|disk| disk.free).min().unwrap_or(0));
        seen.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&disks);
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            changed = orders.changed() => {
                if changed.is_err() {
                    return;
                }
            }
        }
    }
}

/// Looks at the disks that the folders are on, each once.
fn look(mut known: Vec<Disk>, folders: &[PathBuf], limits: Limits) -> (Vec<Disk>, Vec<DiskEvent>) {
    let (mut disks, mut events, mut devices) = (Vec::new(), Vec::new(), Vec::new());
    for folder in folders {
        // Not made yet: it will be where the folder above it is.
        let Some(there) = folder.ancestors().find(|folder| folder.exists()) else { continue };
        let Ok(device) = rustix::fs::stat(there).map(|stat| stat.st_dev) else { continue };
        if devices.contains(&device) {
            continue;
        }
        let Some((free, total)) = space(there) else { continue };
        devices.push(device);
        let at = known.iter().position(|disk| disk.folder == *folder);
        let mut disk = at.map_or_else(|| Disk::new(folder.clone()), |at| known.swap_remove(at));
        events.extend(disk.look(free, total, limits));
        disks.push(disk);
    }
    (disks, events)
}

/// Bytes free for us, and of all.
fn space(folder: &Path) -> Option<(u64, u64)> {
    let space = rustix::fs::statvfs(folder).ok()?;
    let bytes = |blocks: u64| blocks.saturating_mul(space.f_frsize);
    Some((bytes(space.f_bavail), bytes(space.f_blocks)))
}

fn tell(event: &DiskEvent) {
    let (folder, mib) = (event.folder.display(), event.free >> 20);
    match event.level {
        Level::Fine => tracing::info!(%folder, mib, "the disk has room again"),
        Level::Low => tracing::warn!(%folder, mib, "the disk is nearly full"),
        Level::Full => {
            tracing::error!(%folder, mib, "the disk is full: nothing is recorded on it");
        }
    }
}
