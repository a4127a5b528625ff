//! The message lamp (RFC 3842): subscriptions, and NOTIFY to phones that never subscribe.
//!
//! One task owns all subscriptions; [`Mwi`] leaves orders with it. What a mailbox holds is asked of
//! the store each time, so that the lamp cannot disagree with the box; only boxes that are known to
//! have been empty all along are not.
//!
//! * [`task`]: what the task owns, and whom it tells when.
//! * [`notify`]: what is sent. The subscriptions themselves are [`crate::subscriptions`]'.

mod body;
mod notify;
mod task;
#[cfg(test)]
mod tests;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use offhook_sip::message::{Response, StatusCode};
use offhook_sip::subscription::Limits;
use tokio::sync::{mpsc, oneshot};

use crate::changes::Changes;
use crate::metrics::Metrics;
use crate::registrar::{Authenticator, Registrar};
use crate::stack::{NewRequest, SipHandle};

pub use body::summary;

/// User part of our Contact.
const CONTACT: &str = "voicemail";
/// Orders that may wait.
const MAX_WAITING: usize = 4_096;

/// What a mailbox holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MessageCounts {
    /// Not heard yet.
    pub new: u32,
    /// Heard.
    pub old: u32,
}

/// What counting a mailbox gives; `None`: the store failed, and the lamp stays as it is.
pub type Counted = Pin<Box<dyn Future<Output = Option<MessageCounts>> + Send>>;
/// Counts the messages of a mailbox.
pub type CountMessages = Arc<dyn Fn(String) -> Counted + Send + Sync>;

/// Settings.
#[derive(Clone, Debug)]
pub struct MwiConfig {
    /// How long a subscription may last.
    pub limits: Limits,
    /// Whether phones that do not subscribe are told too.
    pub unsolicited: bool,
    /// Other names under which a phone may subscribe to its own box (`*97`).
    pub aliases: Vec<String>,
    /// Text of Server and User-Agent.
    pub server: String,
    /// Subscriptions at a time.
    pub max_subscriptions: usize,
    /// Subscriptions of one extension; the oldest makes room.
    pub max_per_mailbox: usize,
}

impl From<&offhook_config::Config> for MwiConfig {
    fn from(config: &offhook_config::Config) -> Self {
        Self {
            limits: Limits::default(),
            unsolicited: true,
            aliases: vec![config.voicemail.menu_number.clone()],
            server: config.server.user_agent.clone(),
            max_subscriptions: 20_000,
            max_per_mailbox: 16,
        }
    }
}

/// An order to the task.
#[derive(Debug)]
enum Ask {
    Subscribe(Box<NewRequest>),
    Announce(Vec<String>),
    /// Dropped when everybody was told.
    End(oneshot::Sender<()>),
}

/// The lamp's service. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Mwi {
    asks: mpsc::Sender<Ask>,
    changes: Arc<Changes>,
    sip: SipHandle,
}

impl Mwi {
    /// Starts the task on the current runtime. It ends when all handles are gone.
    pub fn spawn(
        config: MwiConfig,
        sip: SipHandle,
        auth: Authenticator,
        registrar: Registrar,
        count: CountMessages,
        metrics: Arc<Metrics>,
    ) -> Self {
        let (asks, inbox) = mpsc::channel(MAX_WAITING);
        let changes = Arc::<Changes>::default();
        let task = task::Task::new(config, sip.clone(), auth, registrar, count, metrics);
        tokio::spawn(task.run(inbox, Arc::clone(&changes)));
        Self { asks, changes, sip }
    }

    /// Takes a SUBSCRIBE outside any dialog. Never waits.
    pub fn handle(&self, new: NewRequest) {
        if let Err(refused) = self.asks.try_send(Ask::Subscribe(Box::new(new)))
            && let Ask::Subscribe(new) = refused.into_inner()
        {
            let status = StatusCode::SERVICE_UNAVAILABLE;
            self.sip.respond_once(new.tx, Response::to_request(&new.request, status, None));
        }
    }

    /// Messages of a mailbox came, were heard or went.
    pub fn mailbox_changed(&self, mailbox: &str) {
        self.changes.put(mailbox);
    }

    /// After a start: the mailboxes that hold messages or ever did. Their registered phones are told
    /// what there is, since subscriptions of before the restart are gone; and from now on a phone
    /// that comes is looked up in the store only when its box is one of these or has changed since.
    pub fn announce(&self, used: Vec<String>) {
        let _ = self.asks.try_send(Ask::Announce(used));
    }

    /// Ends all subscriptions, so that phones subscribe again when we are back. Waits for their
    /// answers, `patience` at most.
    pub async fn close(&self, patience: Duration) {
        let told = async {
            let (done, all_told) = oneshot::channel();
            if self.asks.send(Ask::End(done)).await.is_ok() {
                let _ = all_told.await;
            }
        };
        let _ = tokio::time::timeout(patience, told).await;
    }
}
