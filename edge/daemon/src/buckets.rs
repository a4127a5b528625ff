//! Buckets that applications name: folders, and object stores as `[[bucket]]` has them. What goes
//! over the network has a thread of its own, so that no call waits for another's download.

use std::collections::HashMap;
use std::sync::Arc;

use offhook_config::{BucketPlace, Config, ObjectStore};
use offhook_store::buckets::{Buckets, Cache, CacheOptions, Remote};
use offhook_store::objects::{S3, S3Options};

/// How an object store of the configuration is reached.
pub fn s3_options(store: &ObjectStore) -> S3Options {
    S3Options {
        bucket: store.bucket.clone(),
        region: store.region.clone(),
        endpoint: store.endpoint.clone(),
        keys: store.keys.as_ref().map(|keys| (keys.id.clone(), keys.secret.expose().to_owned())),
    }
}

/// Opens those of a configuration. A bucket that cannot be used is told, and has nothing in it.
///
/// # Errors
/// When the system refuses a thread.
pub fn open(config: &Arc<Config>) -> std::io::Result<Buckets> {
    let mut remote = HashMap::new();
    for bucket in &config.buckets {
        let BucketPlace::S3(place) = &bucket.place else { continue };
        let cache = CacheOptions {
            folder: config.bucket_cache().join(&bucket.name),
            bytes: place.cache_bytes,
            time: place.cache_time,
        };
        let store = S3::new(&s3_options(&place.store));
        match store.and_then(|s3| Cache::open(cache).map(|c| (s3, c)).map_err(|e| e.to_string())) {
            Ok((store, cache)) => {
                let made = Remote { store: Arc::new(store), cache: Arc::new(cache) };
                remote.insert(bucket.name.clone(), made);
            }
            Err(error) => {
                tracing::error!(bucket = %bucket.name, error, "a bucket cannot be used");
            }
        }
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(4)
        .build()?;
    let home = runtime.handle().clone();
    std::thread::Builder::new()
        .name("buckets".to_owned())
        .spawn(move || runtime.block_on(std::future::pending::<()>()))?;
    let of = Arc::clone(config);
    Ok(Buckets::new(Arc::new(move |bucket| of.bucket_folder(bucket)), remote, home))
}
