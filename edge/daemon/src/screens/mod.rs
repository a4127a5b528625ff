//! Tells the program of `[screen_pop]` what desk phones do: signed JSON over HTTPS, on a thread of
//! its own.
//!
//! > No call waits for it. What there is no room for, what nobody takes and what has become too old
//! > is lost, counted, and told in the journal once.

mod body;
#[cfg(test)]
mod tests;

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash as _, Hasher as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use offhook_chime::Trust;
use offhook_chime::webhook::Webhook;
use offhook_config::{Config, ScreenPop};
use offhook_pbx::metrics::Metrics;
use offhook_pbx::screen::{Pop, Screens};
use offhook_sma::invoke::Fault;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// Moments that wait in each lane. One call's moments go through one lane, in their order.
const QUEUE: usize = 64;
const LANES: usize = 8;
/// Attempts for one moment, and the pause after the first; doubled after the next.
const ATTEMPTS: u32 = 3;
const PAUSE: Duration = Duration::from_millis(500);
/// A moment that is older helps nobody any more.
const OLDEST: Duration = Duration::from_secs(30);

/// A moment on its way.
struct Letter {
    config: Arc<Config>,
    pop: Pop,
    at: Instant,
}

/// Where calls put what happens.
pub struct Sender {
    lanes: Vec<mpsc::Sender<Letter>>,
    told: Arc<Told>,
}

/// What is counted, and what the journal has heard.
struct Told {
    metrics: Arc<Metrics>,
    /// Something was lost since the last one that was taken.
    losing: AtomicBool,
}

impl Told {
    fn lost(&self, pop: &Pop, why: &str) {
        self.metrics.screen_pops_lost.inc();
        if !self.losing.swap(true, Ordering::Relaxed) {
            let call = pop.call.as_str();
            tracing::warn!(call, why, "the program of [screen_pop] is not told of calls");
        }
    }

    fn taken(&self) {
        self.metrics.screen_pops_told.inc();
        if self.losing.swap(false, Ordering::Relaxed) {
            tracing::info!("the program of [screen_pop] is told of calls again");
        }
    }
}

impl Sender {
    /// On a thread of its own, until the last sender is gone.
    ///
    /// # Errors
    /// There is no thread to be had.
    pub fn start(metrics: Arc<Metrics>) -> std::io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (sender, lanes) = Self::new(metrics);
        let run =
            move || runtime.block_on(async { drop(futures_util::future::join_all(lanes).await) });
        std::thread::Builder::new().name("screens".into()).spawn(run)?;
        Ok(sender)
    }

    /// The sender, and what has to run.
    fn new(metrics: Arc<Metrics>) -> (Self, Vec<impl Future<Output = ()> + Send>) {
        let told = Arc::new(Told { metrics, losing: AtomicBool::new(false) });
        let (mut lanes, mut running) = (Vec::new(), Vec::new());
        for _ in 0..LANES {
            let (lane, letters) = mpsc::channel(QUEUE);
            lanes.push(lane);
            running.push(carry(letters, Arc::clone(&told)));
        }
        (Self { lanes, told }, running)
    }
}

impl Screens for Sender {
    fn show(&self, config: &Arc<Config>, pop: Pop) {
        let mut hasher = DefaultHasher::new();
        pop.call.hash(&mut hasher);
        let lane = usize::try_from(hasher.finish() % LANES as u64).unwrap_or(0);
        let Some(lane) = self.lanes.get(lane) else { return };
        let letter = Letter { config: Arc::clone(config), pop, at: Instant::now() };
        if let Err(error) = lane.try_send(letter) {
            self.told.lost(&error.into_inner().pop, "too many wait");
        }
    }
}

/// The way to the program, as a configuration has it.
struct Made {
    of: ScreenPop,
    /// Read from the disk for this one.
    by: Weak<Config>,
    webhook: Webhook,
}

impl Made {
    /// The certificates of a file may have been renewed with a reload, which only a new one sees.
    fn is_for(&self, config: &Arc<Config>) -> bool {
        let read = || Weak::ptr_eq(&self.by, &Arc::downgrade(config));
        self.of == config.screen_pop && (self.of.ca_file.is_none() || read())
    }
}

/// Brings one lane's moments, one after the other.
async fn carry(mut letters: mpsc::Receiver<Letter>, told: Arc<Told>) {
    let mut to: Option<Made> = None;
    while let Some(letter) = letters.recv().await {
        let wanted = &letter.config.screen_pop;
        if !to.as_ref().is_some_and(|made| made.is_for(&letter.config)) {
            to = match webhook(wanted) {
                Ok(webhook) => {
                    Some(Made { of: wanted.clone(), by: Arc::downgrade(&letter.config), webhook })
                }
                Err(why) => {
                    told.lost(&letter.pop, &why);
                    None
                }
            };
        }
        let Some(Made { webhook, .. }) = &to else { continue };
        match bring(webhook, wanted.patience, &letter).await {
            Ok(()) => told.taken(),
            Err(why) => told.lost(&letter.pop, &why),
        }
    }
}

fn webhook(to: &ScreenPop) -> Result<Webhook, String> {
    let (Some(url), Some(secret)) = (&to.url, &to.secret) else {
        return Err("it has no address".to_owned());
    };
    let trust = match &to.ca_file {
        Some(file) => Trust::with_file(file)?,
        None => Trust::system()?,
    };
    Webhook::new(url, secret.expose(), trust)
}

async fn bring(webhook: &Webhook, patience: Duration, letter: &Letter) -> Result<(), String> {
    let (id, body) = body::of(&letter.pop);
    let body = Bytes::from(body);
    let mut pause = PAUSE;
    let mut last = "it came too late".to_owned();
    for attempt in 1..=ATTEMPTS {
        if letter.at.elapsed() > OLDEST {
            return Err(last);
        }
        let error = match webhook.tell(&id, body.clone(), patience).await {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        let never = matches!(error.fault, Fault::Client(_));
        last = error.words;
        if never {
            break;
        }
        if attempt < ATTEMPTS {
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
    }
    Err(last)
}
