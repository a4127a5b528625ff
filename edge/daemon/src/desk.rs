//! What the doors (control socket, metrics) may see and do: handles to every room.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::SystemTime;

use offhook_config::{Config, LogNumbers};
use offhook_media::engine::{Engine, KernelRelay};
use offhook_pbx::bans::{Bans, Policy};
use offhook_pbx::call::TapeOrder;
use offhook_pbx::keep::{Extension, Extensions as _};
use offhook_pbx::mask;
use offhook_pbx::metrics::Metrics;
use offhook_pbx::mwi::Mwi;
use offhook_pbx::office::OfficeHandle;
use offhook_pbx::registrar::{Directory, Registrar, RegistrarConfig};
use offhook_pbx::stack::SipHandle;
use offhook_pbx::transport::Net;
use offhook_pbx::trunk::Trunks;
use offhook_store::Store;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::accounts::accounts;
use crate::applications::Applications;
use crate::carrier::Carrier;
use crate::cli::Place;
use crate::place;

/// Handles to a running appliance.
pub struct Desk {
    /// Counters of signalling.
    pub metrics: Arc<Metrics>,
    /// Calls.
    pub office: OfficeHandle,
    /// Workflows, and what else runs calls from outside.
    pub applications: Arc<Applications>,
    /// The SIP stack.
    pub sip: SipHandle,
    /// Message lamps.
    pub mwi: Mwi,
    /// Sockets.
    pub net: Arc<Net>,
    /// Accounts.
    pub directory: Directory,
    /// Contacts.
    pub registrar: Registrar,
    /// Trunks.
    pub trunks: Trunks,
    /// Bans.
    pub bans: Bans,
    /// Media.
    pub engine: Engine,
    /// Database.
    pub store: Store,
    /// Recordings under way, and disks.
    pub carrier: Carrier,
    /// The configuration in force.
    pub config: watch::Sender<Arc<Config>>,
    /// What the command line said of configuration and data folder.
    pub place: Place,
    /// The runtime of signalling: what starts tasks is done there, whoever asks for it.
    pub home: tokio::runtime::Handle,
    /// The right to serve from the data folder.
    pub lock: crate::folder::Lock,
    /// Why there are no metrics, in words.
    pub metrics_problem: Option<String>,
    /// When we started.
    pub started: SystemTime,
    /// Only one reload at a time, from reading to taking up: else an older reading could win.
    pub reloading: tokio::sync::Mutex<()>,
}

impl Desk {
    /// What `offhook status` shows.
    pub fn status(&self) -> Value {
        let m = &self.metrics;
        let trunks: Vec<Value> = self
            .trunks
            .status()
            .iter()
            .map(|t| {
                json!({"name": t.name, "up": t.up, "last": t.last, "registered": t.registered,
                       "registration": t.registration, "calls": t.calls})
            })
            .collect();
        let calls: Vec<Value> = self
            .office
            .calls()
            .iter()
            .map(|c| json!({"id": c.id, "from": c.from, "to": c.to}))
            .collect();
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "uptime_seconds": self.started.elapsed().unwrap_or_default().as_secs(),
            "listeners": self.net.listeners(),
            "listen_problems": self.net.listen_problems(),
            "metrics_problem": self.metrics_problem,
            "phones": {"known": self.directory.numbers().len(), "contacts": m.bindings.get(),
                       "unkept": m.registrations_unkept.get()},
            "trunks": trunks,
            "calls": calls,
            "bans": self.bans.list().len(),
            "recordings": {"waiting": m.recordings_waiting.get(),
                           "failing": m.recordings_failing.get(),
                           "oldest_seconds": m.recordings_oldest_seconds.get()},
            "disks": self.carrier.disks(),
            "kernel_relay": kernel_relay(&self.engine.kernel_relay()),
            // What must be nothing when nobody talks.
            "left": {
                "calls": self.office.count(),
                "call_tasks": self.office.tasks(),
                "dialogs": m.dialogs.get(),
                "rtp_ports": self.engine.open_ports(),
                "client_transactions": m.client_transactions.get(),
                "server_transactions": m.server_transactions.get(),
                "subscriptions": m.subscriptions.get(),
                "connections": self.net.connections(),
            },
        })
    }

    /// Gauges that no counter of signalling holds: name, help, value.
    pub fn gauges(&self) -> [(&'static str, &'static str, u64); 6] {
        let in_kernel = match self.engine.kernel_relay() {
            KernelRelay::On { paths } => paths as u64,
            KernelRelay::Off | KernelRelay::Refused { .. } => 0,
        };
        let webrtc = self.engine.webrtc_counters();
        [
            ("calls", "Calls with somebody on the line.", self.office.count() as u64),
            ("rtp_ports", "Media ports open.", self.engine.open_ports() as u64),
            ("kernel_relayed_directions", "Directions of calls that the kernel relays.", in_kernel),
            ("webrtc_datagrams", "Datagrams on the port of browsers.", webrtc.received),
            (
                "webrtc_strangers",
                "Of those: from sources that proved nothing, or no WebRTC at all.",
                webrtc.strangers + webrtc.malformed,
            ),
            (
                "uptime_seconds",
                "Seconds since the start.",
                self.started.elapsed().unwrap_or_default().as_secs(),
            ),
        ]
    }

    /// Reads the configuration again: whole, or not at all. Gives back what changed, in words.
    pub async fn reload(&self) -> Result<Vec<String>, String> {
        let Some(path) = self.place.file() else {
            return Err("the appliance runs on embedded defaults: there is no file to read".into());
        };
        let _one = self.reloading.lock().await;
        let data = self.config.borrow().server.data_dir.clone();
        let (net, applications) = (Arc::clone(&self.net), Arc::clone(&self.applications));
        // Disks are slow, and this is the thread of signalling.
        let read = tokio::task::spawn_blocking(move || {
            let new = place::read_with_phones(&path, Some(data)).map_err(|e| e.to_string())?;
            // Even when nothing else changed: certificates were renewed.
            let certificates = net
                .read_certificates(&new.sip.ca_files)
                .map_err(|e| format!("certificates: {e}; the rest stays as it was"))?;
            let handlers = applications.prepare(&new);
            Ok::<_, String>((new, certificates, handlers))
        });
        let (new, certificates, handlers) = read.await.map_err(|e| e.to_string())??;
        let new = self.place.with_data(new);
        let kept = self.store.load_extensions().await.map_err(|e| e.to_string())?;
        // All is read, and from here on nothing fails or waits.
        self.net.renew(certificates);
        self.applications.take_up(handlers);
        let old = Arc::clone(&self.config.borrow());
        let changes: Vec<String> =
            offhook_config::diff(&old, &new).iter().map(ToString::to_string).collect();
        let new = Arc::new(new.after_reload_of(&old));
        self.registrar.set_config(RegistrarConfig::from(&*new));
        self.bans.set_policy(Policy::from(&new.bans));
        self.trunks.set(&new.trunks);
        self.carrier.set_config(&new);
        self.store.set_retention(new.journal.keep_days, new.journal.keep_calls);
        mask::show_whole_numbers(new.server.log_numbers == LogNumbers::Full);
        self.config.send_replace(new);
        self.set_phones(kept);
        tracing::info!(?changes, "configuration reloaded");
        self.applications.tell_of_missing().await;
        Ok(changes)
    }

    /// Reads the accounts again (`offhook phone add`); gives back how many there are.
    pub async fn reload_phones(&self) -> Result<usize, String> {
        let _one = self.reloading.lock().await;
        let kept = self.store.load_extensions().await.map_err(|e| e.to_string())?;
        Ok(self.set_phones(kept))
    }

    fn set_phones(&self, kept: Vec<Extension>) -> usize {
        let config = Arc::clone(&self.config.borrow());
        let accounts = accounts(&config, kept);
        let count = accounts.len();
        for number in self.directory.numbers() {
            if !accounts.iter().any(|a| *a.number == *number) {
                self.registrar.forget(&number);
            }
        }
        self.directory.replace(accounts);
        count
    }

    /// Bans in force, the newest first.
    pub fn banned(&self) -> Value {
        crate::bans::listed(&self.bans.list())
    }

    /// Lets a banned address in again.
    pub fn lift_ban(&self, address: IpAddr) -> Result<(), String> {
        self.bans.lift(address).then_some(()).ok_or_else(|| format!("{address} is not banned"))
    }

    /// Records a call, or no longer: `start`, `stop`, `pause`, `resume`.
    pub fn tape(&self, id: &str, order: &str) -> Result<(), String> {
        let order = match order {
            "start" => TapeOrder::Start,
            "stop" => TapeOrder::Stop,
            "pause" => TapeOrder::Pause,
            "resume" => TapeOrder::Resume,
            _ => return Err(format!("{order:?} cannot be done with a recording")),
        };
        let told = self.office.tape(id, order);
        told.then_some(()).ok_or_else(|| no_call(id))
    }

    /// Ends a call.
    pub fn hang_up(&self, id: &str) -> Result<(), String> {
        self.office.hang_up(id).then_some(()).ok_or_else(|| no_call(id))
    }
}

fn no_call(id: &str) -> String {
    format!("no single call with somebody on the line begins with {id:?}")
}

/// Nothing when nobody asked for it.
fn kernel_relay(relay: &KernelRelay) -> Value {
    match relay {
        KernelRelay::Off => Value::Null,
        KernelRelay::On { paths } => json!({"directions": paths}),
        KernelRelay::Refused { why } => json!({"refused": why}),
    }
}
