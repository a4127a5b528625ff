//! What has changed, by name, for a task that tells others of it.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

/// Names of what changed. A set: news of one are never lost, however many there are.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    names: Mutex<HashSet<Box<str>>>,
    news: Notify,
}

impl Changes {
    pub(crate) fn put(&self, name: &str) {
        self.names.lock().unwrap_or_else(PoisonError::into_inner).insert(name.into());
        self.news.notify_one();
    }

    pub(crate) async fn take(&self) -> HashSet<Box<str>> {
        loop {
            let names =
                std::mem::take(&mut *self.names.lock().unwrap_or_else(PoisonError::into_inner));
            if !names.is_empty() {
                return names;
            }
            self.news.notified().await;
        }
    }
}
