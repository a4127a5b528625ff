//! The services of a machine, joined: what is here, and what is passed on.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;

use crate::schedule::Schedules;
use crate::store::Entries;

use super::dynamodb::{DynamoDb, Table};
use super::events::{Bus, EventBridge};
use super::s3::{Blobs, BucketFolder, S3};
use super::scheduler::Scheduler;
use super::sqs::{LocalQueues, Sqs};
use super::{Service, ServiceError, Services, Upstream};

/// What an operator says about the services.
#[derive(Debug, Clone, Default)]
pub struct LocalOptions {
    /// Tables that are there from the start.
    pub tables: Vec<Table>,
    /// Tables, and queues that are not named, are upstream: nothing is made on first use.
    pub prefer_upstream: bool,
    /// Queues that are here although what is not named is upstream.
    pub queues: BTreeSet<String>,
    /// Buckets that are folders.
    pub buckets: Vec<BucketFolder>,
}

/// The services of a machine.
#[derive(Clone)]
pub struct Local {
    /// To be given to the runtime.
    pub services: Services,
    /// What is due, to be asked by whoever keeps the time.
    pub schedules: Schedules,
    dynamodb: DynamoDb,
}

impl Local {
    /// Joins them, and declares the tables. `wake` is called when a schedule may come earlier than
    /// [`Schedules::next_deadline`] said.
    pub async fn open(
        options: LocalOptions,
        entries: Arc<dyn Entries>,
        blobs: Arc<dyn Blobs>,
        bus: Arc<dyn Bus>,
        upstream: Arc<dyn Upstream>,
        wake: Box<dyn Fn() + Send + Sync>,
    ) -> Result<Self, ServiceError> {
        let beyond = options.prefer_upstream.then(|| Arc::clone(&upstream));
        let dynamodb = DynamoDb::new(Arc::clone(&entries), beyond);
        for table in options.tables {
            dynamodb.declare(table).await?;
        }
        let queues = match options.prefer_upstream {
            true => LocalQueues::Named(options.queues),
            false => LocalQueues::All,
        };
        let local: Vec<Arc<dyn Service>> = vec![
            Arc::new(dynamodb.clone()),
            Arc::new(Scheduler::new(Arc::clone(&entries), wake)),
            Arc::new(Sqs::new(Arc::clone(&entries), queues, Arc::clone(&upstream))),
            Arc::new(S3::new(blobs, options.buckets, Arc::clone(&upstream))),
            Arc::new(EventBridge::new(Arc::clone(&entries), bus)),
        ];
        let services = Services::new(local, upstream);
        Ok(Self { services, schedules: Schedules::new(entries), dynamodb })
    }

    /// Tells of a workflow's definition, for the tables that it uses: to be called for each that
    /// is published, and at start for each that is kept.
    pub fn learn(&self, definition: &Value) {
        self.dynamodb.learn(definition);
    }
}
