//! Objects of buckets that applications name, as files of this machine.

use std::path::{Component, Path, PathBuf};

use futures_util::future::BoxFuture;

/// Finds the file of an object; one in an object store is fetched first.
pub trait Objects: Send + Sync {
    /// The file; `None`: the bucket has no such object.
    ///
    /// # Errors
    /// In words: the bucket cannot be asked.
    fn file(
        &self,
        bucket: String,
        key: String,
    ) -> BoxFuture<'static, Result<Option<PathBuf>, String>>;

    /// Where the file of an object is, or would be, in a bucket that is nothing but a folder of this
    /// machine; `None`: the bucket is in an object store.
    fn in_folder(&self, bucket: &str, key: &str) -> Option<PathBuf>;
}

/// Whether a name leads nowhere but downwards.
pub(crate) fn is_inside(name: &str) -> bool {
    Path::new(name).components().all(|part| matches!(part, Component::Normal(_)))
}
