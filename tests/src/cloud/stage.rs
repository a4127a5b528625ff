//! The whole of it: two networks with a Voice Connector between them, an office with desk phones on
//! one, callers and Connect (and a SIP media application) on the other.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::Arc;
use std::time::Duration;

use offhook_chime::take_back::{Rules, Target};
use offhook_dnis::Pair;
use serde_json::{Value, json};

use super::contact::{Api, Contact, Flow};
use super::edge::{self, EdgeConfig};
use super::function::{Function, Hosted, Make, Remote, Transcript};
use super::pool::{MemoryPool, simulated_clock};
use crate::sim::agent::{Agent, AgentConfig, Dial, Left};
use crate::sim::line::Line;
use crate::sim::net::{SimNet, Weather};
use crate::sim::office::{Leftovers, SimOffice, fresh_ports, tasks};

/// Who holds the caller's leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchor {
    /// A SIP media application, with `sma-function`.
    Cloud,
    /// The office, with `flow:take-back`.
    Office,
}

/// How it is set up.
pub struct Plan {
    /// Who holds the caller's leg.
    pub anchor: Anchor,
    /// Of tags, branches, and what the networks do.
    pub seed: u64,
    /// Pairs: ours times Connect's.
    pub numbers: (usize, usize),
    /// Of the application.
    pub rules: Rules,
    /// What runs a call that the office holds.
    pub office: Option<Box<dyn FnOnce(MemoryPool, Rules) -> Make>>,
    /// No voice: each `Speak` fails.
    pub mute: bool,
}

impl Plan {
    /// With a SIP media application.
    pub fn cloud() -> Self {
        let rules = Rules { default_target: Some(desk()), ..Rules::default() };
        Self { anchor: Anchor::Cloud, seed: 1, numbers: (1, 1), rules, office: None, mute: false }
    }

    /// At an office whose calls are made so.
    pub fn office(rules: Rules, make: impl FnOnce(MemoryPool, Rules) -> Make + 'static) -> Self {
        let office: Box<dyn FnOnce(MemoryPool, Rules) -> Make> = Box::new(make);
        Self { anchor: Anchor::Office, rules, office: Some(office), ..Self::cloud() }
    }
}

/// The Voice Connector.
pub const CONNECTOR: &str = "abcdefghij1234567890ab";
/// What callers dial.
pub const ENTRY: &str = "+18445550100";
/// The office's number, which rings 101.
pub const OFFICE_NUMBER: &str = "+18555550111";
/// A caller.
pub const CALLER: &str = "+12065550142";

const OFFICE: SocketAddr = host(198, 51, 100, 20);
const EDGE: SocketAddr = host(3, 80, 16, 13);
const CLOUD: SocketAddr = host(10, 0, 58, 47);
const CALLERS: SocketAddr = host(10, 0, 58, 40);
const CONNECT: SocketAddr = host(10, 0, 58, 50);

const fn host(a: u8, b: u8, c: u8, d: u8) -> SocketAddr {
    SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::new(a, b, c, d), 5060))
}

fn arn() -> String {
    format!("arn:aws:chime:us-east-1:111122223333:vc/{CONNECTOR}")
}

/// The office's phone by way of the Voice Connector.
pub fn desk() -> Target {
    Target { number: OFFICE_NUMBER.to_owned(), arn: Some(arn()) }
}

/// Everything, running.
pub struct Stage {
    /// Who holds the caller's leg.
    pub anchor: Anchor,
    /// Phones, the office, the connector's public side.
    pub office_net: SimNet,
    /// Callers, Connect, the application, the connector's other side.
    pub network: SimNet,
    /// The office.
    pub office: SimOffice,
    /// The SIP media application.
    pub cloud: Option<SimOffice>,
    /// 101 and 102.
    pub phones: Vec<Agent>,
    /// Callers.
    pub callers: Agent,
    /// Connect.
    pub connect: Agent,
    /// The table.
    pub pool: MemoryPool,
    /// The API.
    pub api: Api,
    /// Connect's function.
    pub flow: Flow,
    /// `sma-function`, when it runs the calls.
    pub function: Option<Arc<Function>>,
    /// What was said.
    pub transcript: Transcript,
    tasks: usize,
    /// Who left the network, and cannot be asked what is left.
    lost: Vec<SocketAddr>,
}

impl Stage {
    /// Opens it.
    ///
    /// # Panics
    /// When a phone cannot register.
    pub async fn open(plan: Plan) -> Self {
        let office_net = SimNet::start(plan.seed, Weather::CALM);
        let network = SimNet::start(!plan.seed, Weather::CALM);
        let name = format!("{CONNECTOR}.voiceconnector.chime.aws");
        let to = if plan.anchor == Anchor::Cloud { CLOUD } else { CONNECT };
        let config = EdgeConfig { address: EDGE, name, office: OFFICE, network: to };
        edge::start(&office_net, &network, config);

        let pool = MemoryPool::of(pairs(plan.numbers), simulated_clock());
        let (transcript, api) = (Transcript::default(), Api::default());
        let mut function = None;
        let make: Make = match plan.office {
            Some(make) => make(pool.clone(), plan.rules),
            None => {
                let latency = Duration::from_millis(5);
                let made = Function::new(plan.rules, pool.clone(), latency);
                function = Some(Arc::clone(&made));
                Arc::new(move || Box::new(Remote(Arc::clone(&made))))
            }
        };
        let hosted = || Hosted::applications(Arc::clone(&make), transcript.clone(), plan.mute);
        let at_office = plan.anchor == Anchor::Office;
        let applications = at_office.then(hosted);
        let office = SimOffice::named(&office_net, &office_config(), plan.seed, applications, EDGE);
        let cloud = (!at_office)
            .then(|| SimOffice::named(&network, &cloud_config(), !plan.seed, Some(hosted()), EDGE));
        api.connect(cloud.as_ref().unwrap_or(&office).calls.clone());

        let mut phones = Vec::new();
        for n in 1..=2u8 {
            let (user, password) = (format!("10{n}"), format!("secret-10{n}"));
            let at = host(192, 168, 7, 10 + n);
            let phone = Agent::start(&office_net, AgentConfig::phone(at, &user, &password, OFFICE));
            phone.register(3600).await;
            phones.push(phone);
        }
        let entry = if at_office { EDGE } else { CLOUD };
        let callers = Agent::start(&network, AgentConfig::carrier(CALLERS, "pstn", entry));
        let connect = Agent::start(&network, AgentConfig::carrier(CONNECT, "connect", entry));
        let flow = Flow::new(pool.clone(), api.clone());
        let tasks = tasks();
        Self {
            anchor: plan.anchor,
            office_net,
            network,
            office,
            cloud,
            phones,
            callers,
            connect,
            pool,
            api,
            flow,
            function,
            transcript,
            tasks,
            lost: Vec::new(),
        }
    }

    /// Where calls end that somebody takes back: arguments of Connect's function.
    pub fn target(&self) -> Value {
        match self.anchor {
            Anchor::Cloud => {
                json!({"TransferTarget": OFFICE_NUMBER, "TransferTargetArn": arn()})
            }
            Anchor::Office => json!({"TransferTarget": "101"}),
        }
    }

    /// Another phone than [`Stage::target`].
    pub fn other_target(&self) -> Value {
        match self.anchor {
            Anchor::Cloud => json!({"TransferTarget": "102", "TransferTargetArn": arn()}),
            Anchor::Office => json!({"TransferTarget": "102"}),
        }
    }

    /// Who holds the callers' legs.
    pub fn holder(&self) -> &SimOffice {
        self.cloud.as_ref().unwrap_or(&self.office)
    }

    /// Somebody calls.
    pub fn dial(&self) -> Line {
        self.callers.dial(Dial::to(ENTRY).from(CALLER))
    }

    /// A caller who is with Connect, whose flow knows who he is.
    ///
    /// # Panics
    /// When that does not come about.
    pub async fn at_connect(&self) -> (Line, Contact) {
        let mut caller = self.dial();
        let mut contact = Contact::next(&self.connect).await;
        contact.answer().await;
        caller.answered().await;
        assert_eq!(contact.who(&self.flow).await, CALLER);
        (caller, contact)
    }

    /// A caller who was taken back: his leg, Connect's (which is over), and the desk's.
    ///
    /// # Panics
    /// When that does not come about.
    pub async fn at_desk(&self) -> (Line, Contact, Line) {
        let (caller, mut contact) = self.taking_back().await;
        let mut desk = self.phones[0].call().await;
        contact.line.ended().await;
        desk.ring();
        desk.answer();
        desk.confirmed().await;
        (caller, contact, desk)
    }

    /// A caller at Connect, which has asked to have him taken back to the first phone.
    ///
    /// # Panics
    /// When that does not come about.
    pub async fn taking_back(&self) -> (Line, Contact) {
        let (caller, mut contact) = self.at_connect().await;
        assert_eq!(contact.transfer(&self.flow, &self.target()).await, "transferring");
        (caller, contact)
    }

    /// A phone of the office that is called, and picks up.
    ///
    /// # Panics
    /// When nobody calls it.
    pub async fn picks_up(&self, phone: usize) -> Line {
        let mut line = self.phones[phone].call().await;
        line.answer();
        line.confirmed().await;
        line
    }

    /// Connect is not reached any more.
    pub fn lose_connect(&mut self) {
        self.network.detach(CONNECT);
        self.lost.push(CONNECT);
    }

    /// 101 is not reached any more; its registration lasts.
    pub fn lose_phone(&mut self) {
        if let Some(phone) = self.phones.first() {
            self.office_net.detach(phone.config.address);
            self.lost.push(phone.config.address);
        }
    }

    /// The transaction id of the last call.
    ///
    /// # Panics
    /// When there was none.
    pub fn last_call(&self) -> String {
        self.transcript.calls().pop().expect("a call")
    }

    /// Nobody calls any more: no pair is claimed, no leg is up, nothing is left. Gives what was
    /// said, one line for each event.
    ///
    /// # Panics
    /// When something is left.
    pub async fn close(self) -> String {
        // Long enough for whatever is under way, and shorter than any lease.
        tokio::time::sleep(Duration::from_secs(20)).await;
        let text: String =
            self.transcript.calls().iter().map(|c| self.transcript.text(c)).collect();
        assert_eq!(self.pool.owners(), Vec::<String>::new(), "pairs stay claimed:\n{text}");
        for office in [Some(&self.office), self.cloud.as_ref()].into_iter().flatten() {
            assert_eq!(
                office.settle().await,
                Leftovers::default(),
                "{}\n{text}",
                office.ladder("")
            );
        }
        for agent in self.phones.iter().chain([&self.callers, &self.connect]) {
            if !self.lost.contains(&agent.config.address) {
                assert_eq!(agent.left().await, Left::default(), "{}\n{text}", agent.config.user);
            }
        }
        // A pair that could not be given back is asked for again after a minute at the latest.
        for _ in 0..90 {
            if tasks() <= self.tasks {
                break;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        assert!(tasks() <= self.tasks, "{} tasks are left of {}", tasks(), self.tasks);
        // Private addresses of the other side are for the connector only.
        let mut strays = self.office_net.strays();
        strays.retain(|stray| !self.lost.contains(stray));
        assert!(strays.is_empty(), "the office sent past the Record-Route to {strays:?}");
        self.office_net.close();
        self.network.close();
        text
    }
}

fn pairs((ours, connect): (usize, usize)) -> Vec<Pair> {
    let numbers = |start: &str, count: usize| -> Vec<String> {
        (0..count).map(|n| format!("{start}{n:02}")).collect()
    };
    Pair::matrix(&numbers("+180055501", ours), &numbers("+120655501", connect))
}

fn office_config() -> String {
    let ports = fresh_ports();
    format!(
        r#"
[[listen]]
transport = "udp"
address = "{OFFICE}"
[media]
ports = "{ports}"
address = "127.0.0.1"
[[extension]]
number = "101"
password = "secret-101"
voicemail = false
[[extension]]
number = "102"
password = "secret-102"
voicemail = false
[[trunk]]
name = "connector"
type = "voice_connector"
host = "{CONNECTOR}.voiceconnector.chime.aws"
region = "us-east-1"
caller_id = "+18005550100"
options_seconds = 0
[[number]]
match = "{ENTRY}"
from = "trunks"
to = "flow:sma"
[[number]]
match = "{OFFICE_NUMBER}"
from = "trunks"
to = "extension:101"
"#
    )
}

/// A SIP media application has no phones: it knows the telephone network, and Voice Connectors.
fn cloud_config() -> String {
    let ports = fresh_ports();
    format!(
        r#"
[[listen]]
transport = "udp"
address = "{CLOUD}"
[media]
ports = "{ports}"
address = "127.0.0.1"
[[trunk]]
name = "pstn"
type = "generic"
host = "{CONNECT}"
transport = "udp"
peers = ["{callers}/32"]
options_seconds = 0
[[trunk]]
name = "connector"
type = "generic"
host = "{CONNECTOR}.voiceconnector.chime.aws"
transport = "udp"
peers = ["{edge}/32"]
outbound = false
options_seconds = 0
[[number]]
match = "{ENTRY}"
from = "trunks"
to = "flow:sma"
"#,
        callers = CALLERS.ip(),
        edge = EDGE.ip(),
    )
}
