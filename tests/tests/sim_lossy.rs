//! Thousands of calls through the appliance on a network that loses, doubles and reorders, with
//! everybody hanging up, answering and refusing at any instant. Afterwards both ends of every call
//! agree that it is over, and nothing is left.
//!
//! `OFFHOOK_SIM_CALLS` sets how many calls each test makes, `OFFHOOK_SIM_SEED` another seed (then
//! run one test alone).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use offhook_sip::header::HeaderName;
use offhook_sip::session::{ReliableProvisionals, SessionConfig};
use offhook_tests::sim::agent::{Agent, AgentConfig, Dial, Left};
use offhook_tests::sim::line::{End, Line};
use offhook_tests::sim::net::{Counts, SimNet, Weather};
use offhook_tests::sim::office::{self, Leftovers, SimOffice};
use offhook_tests::sim::sdp::Direction;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// 101 to 111: 112 is an emergency number.
const PHONES: usize = 11;
/// Calls at a time: each opens up to five pairs of ports.
const AT_ONCE: usize = 40;
/// Nobody believes in a call for longer than this when the other side does not: 64*T1 for the
/// BYE's own transaction and as much for an ACK that never came.
const AGREE_WITHIN: Duration = Duration::from_secs(70);

fn number(phone: usize) -> String {
    format!("{}", 101 + phone)
}

fn config() -> String {
    let mut text = format!(
        "[server]\nrealm = \"sim\"\n\
         [[listen]]\ntransport = \"udp\"\naddress = \"127.0.0.1:5060\"\n\
         [media]\nports = \"{}\"\n\
         [registrar]\nmax_expires = 86400\n\
         [[trunk]]\nname = \"connect\"\ntype = \"voice_connector\"\nhost = \"127.3.0.1:5060\"\n\
         transport = \"udp\"\nregion = \"us-east-1\"\npeers = [\"127.3.0.1\"]\n\
         caller_id = \"+12125550100\"\n\
         [[group]]\nname = \"all\"\nnumber = \"600\"\nmembers = [\"101\", \"102\", \"103\", \"104\"]\n\
         ring_seconds = 15\n\
         [[number]]\nmatch = \"+12125550600\"\nfrom = \"trunks\"\nto = \"group:all\"\n",
        office::fresh_ports()
    );
    for phone in 0..PHONES {
        let number = number(phone);
        text += &format!(
            "[[extension]]\nnumber = \"{number}\"\npassword = \"of-{number}\"\nvoicemail = false\n\
             ring_seconds = 15\n\
             [[number]]\nmatch = \"+12125550{number}\"\nfrom = \"trunks\"\nto = \"extension:{number}\"\n"
        );
    }
    text
}

/// What the two ends of one call are going to do. Drawn from the seed and the call's number, so
/// that both ends know it and races can be arranged.
#[derive(Clone, Debug)]
struct Plan {
    caller: Option<usize>,
    dialled: String,
    /// Time until the caller cancels.
    patience: Duration,
    /// Time until a phone says what it has to say.
    thinking: Duration,
    says: Says,
    /// The caller hangs up after this, counted from the answer.
    caller_talks: Duration,
    /// The same for whoever answered.
    callee_talks: Duration,
    /// Hold and resume, or a move, by the caller and by the callee.
    caller_changes: bool,
    callee_changes: bool,
    without_offer: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Says {
    Yes,
    YesAfterEarlyMedia,
    No(u16),
    Elsewhere,
    Nothing,
}

impl Plan {
    fn draw(seed: u64, call: usize) -> Self {
        let mut random = StdRng::seed_from_u64(seed.wrapping_mul(1_000_003) + call as u64);
        let mut ms = |from: u64, to: u64| Duration::from_millis(random.random_range(from..to));
        let thinking = ms(0, 6_000);
        // Some give up at the very moment of the answer, some before it, most have patience.
        let (close, early, long) = (ms(0, 600), ms(0, 5_000), ms(10_000, 60_000));
        let (caller_talks, callee_talks) = (ms(0, 6_000), ms(0, 6_000));
        let patience = match random.random_range(0..5) {
            0 => thinking + close,
            1 => early,
            _ => long,
        };
        let says = match random.random_range(0..20) {
            0..12 => Says::Yes,
            12..14 => Says::YesAfterEarlyMedia,
            14 => Says::No(486),
            15 => Says::No(603),
            16 => Says::No(480),
            17 => Says::Elsewhere,
            _ => Says::Nothing,
        };
        let phone = |random: &mut StdRng| random.random_range(0..PHONES);
        let (caller, dialled) = match random.random_range(0..10) {
            0..4 => (Some(phone(&mut random)), number(phone(&mut random))),
            4..6 => (None, format!("+12125550{}", number(phone(&mut random)))),
            6 => (None, "+12125550600".to_owned()),
            7 => (Some(phone(&mut random)), "600".to_owned()),
            _ => (Some(phone(&mut random)), format!("+1415555{:04}", call % 10_000)),
        };
        Self {
            caller,
            dialled,
            patience,
            thinking,
            says,
            caller_talks,
            callee_talks,
            caller_changes: random.random_bool(0.2),
            callee_changes: random.random_bool(0.2),
            without_offer: random.random_bool(0.1),
        }
    }
}

/// What one end of a call saw.
#[derive(Debug)]
#[allow(dead_code)] // who and log are read by people, when a call went wrong
struct Report {
    who: String,
    /// It said 200.
    accepted: bool,
    end: End,
    log: Vec<String>,
}

#[derive(Default)]
struct Reports {
    callers: BTreeMap<usize, Report>,
    callees: BTreeMap<usize, Vec<Report>>,
}

async fn change(line: &Line) {
    line.reinvite(Direction::SendOnly);
    tokio::time::sleep(Duration::from_millis(700)).await;
    line.reinvite(Direction::SendRecv);
}

/// Lives through a call until it ends; hangs up when its time has come.
async fn talk(line: &mut Line, talks: Duration, changes: bool) -> End {
    if changes {
        change(line).await;
    }
    if tokio::time::timeout(talks, line.ended()).await.is_err() {
        line.hang_up();
    }
    line.ended().await
}

async fn caller(agents: Arc<Vec<Agent>>, seed: u64, call: usize) -> Report {
    let plan = Plan::draw(seed, call);
    // The trunk is the last one.
    let agent = agents.get(plan.caller.unwrap_or(PHONES)).unwrap();
    let mut dial = Dial::to(&plan.dialled).with("X-Sim-Call", &call.to_string());
    dial.without_offer = plan.without_offer;
    if plan.caller.is_none() {
        dial = dial.from("+13105550199").with("X-Original-Calling-Number", "+13105550123");
    }
    let mut line = agent.dial(dial);
    let answer = async {
        while let Some(event) = line.next().await {
            if matches!(event, offhook_sip::session::SessionEvent::Answered { .. }) {
                return true;
            }
        }
        false
    };
    let answered = tokio::time::timeout(plan.patience, answer).await;
    let end = match answered {
        Ok(true) => talk(&mut line, plan.caller_talks, plan.caller_changes).await,
        Ok(false) => line.ended().await,
        Err(_) => {
            line.hang_up();
            line.ended().await
        }
    };
    let who = agent.config.user.clone();
    Report { who, accepted: false, end, log: line.log().to_vec() }
}

async fn callee(mut line: Line, who: String, plan: Plan) -> Report {
    let mut accepted = false;
    line.ring();
    let gone = tokio::time::timeout(plan.thinking, line.ended()).await.is_ok();
    if !gone {
        match plan.says {
            Says::Nothing => {}
            Says::No(status) => line.reject(status),
            Says::Elsewhere => line.redirect("sip:103@127.0.0.1"),
            Says::Yes => accepted = true,
            Says::YesAfterEarlyMedia => {
                line.progress(183, true);
                tokio::time::sleep(Duration::from_millis(300)).await;
                accepted = true;
            }
        }
    }
    let end = if accepted {
        line.answer();
        talk(&mut line, plan.callee_talks, plan.callee_changes).await
    } else {
        line.ended().await
    };
    Report { who, accepted, end, log: line.log().to_vec() }
}

/// Takes the calls of one agent until the test ends.
async fn host(agents: Arc<Vec<Agent>>, at: usize, seed: u64, reports: Arc<Mutex<Reports>>) {
    let agent = agents.get(at).unwrap();
    let mut lines = JoinSet::new();
    loop {
        let line = agent.call().await;
        while lines.try_join_next().is_some() {}
        let header = HeaderName::Other("X-Sim-Call".into());
        let invite = line.invite.as_ref().unwrap();
        let call: usize = invite.headers.text(&header).unwrap().parse().unwrap();
        let (who, reports) = (agent.config.user.clone(), Arc::clone(&reports));
        lines.spawn(async move {
            let report = callee(line, who, Plan::draw(seed, call)).await;
            reports.lock().unwrap().callees.entry(call).or_default().push(report);
        });
    }
}

fn agents(net: &SimNet, office: SocketAddr) -> Vec<Agent> {
    let mut agents = Vec::new();
    for phone in 0..PHONES {
        let address = ([127, 1, 0, phone as u8 + 1], 5060).into();
        let number = number(phone);
        let mut config = AgentConfig::phone(address, &number, &format!("of-{number}"), office);
        // Some phones ring reliably, some refresh their sessions, some do neither.
        config.session = SessionConfig {
            reliable_provisionals: match phone % 3 {
                0 => ReliableProvisionals::IfOffered,
                _ => ReliableProvisionals::Never,
            },
            session_expires: (phone % 2 == 0).then_some(1_800),
            ..config.session
        };
        agents.push(Agent::start(net, config));
    }
    // The connector's edge: a private Contact behind a Record-Route.
    let mut edge = AgentConfig::carrier(([127, 3, 0, 1], 5060).into(), "+13105550199", office);
    edge.record_route = true;
    edge.contact = Some(([10, 0, 58, 47], 5060).into());
    agents.push(Agent::start(net, edge));
    agents
}

fn check(reports: &Reports, seed: u64, calls: usize) -> (usize, usize) {
    let (mut answered, mut cancelled) = (0, 0);
    for call in 0..calls {
        let plan = Plan::draw(seed, call);
        let caller = &reports.callers[&call];
        let none = Vec::new();
        let callees = reports.callees.get(&call).unwrap_or(&none);
        let story = || format!("seed {seed} call {call}\n{plan:?}\n{caller:#?}\n{callees:#?}");
        // Both ends of a call are over at nearly the same time.
        for callee in callees {
            let apart = callee.end.at.saturating_duration_since(caller.end.at);
            assert!(apart <= AGREE_WITHIN, "a phone rings on without a caller: {}", story());
        }
        if caller.end.answered.is_some() {
            answered += 1;
            let other = callees.iter().filter(|callee| callee.accepted);
            let apart = other
                .map(|callee| callee.end.at.max(caller.end.at) - callee.end.at.min(caller.end.at));
            let apart = apart.min();
            assert!(apart.is_some(), "an answer that nobody gave: {}", story());
            assert!(apart <= Some(AGREE_WITHIN), "one end talks on alone: {}", story());
        } else {
            cancelled += usize::from(plan.patience < plan.thinking);
        }
    }
    (answered, cancelled)
}

/// Says how a failed run is had again.
struct Again(u64, usize);

impl Drop for Again {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let Self(seed, calls) = self;
            eprintln!("the same again: OFFHOOK_SIM_SEED={seed} OFFHOOK_SIM_CALLS={calls}");
        }
    }
}

/// What happened, in a few numbers: the same for the same seed.
type Story = (Counts, Vec<(String, Option<String>)>);

fn storm(seed: u64, calls: usize) -> Story {
    let _again = Again(seed, calls);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        let net = SimNet::start(seed, Weather::ROUGH);
        let office = SimOffice::seeded(&net, &config(), seed);
        let agents = Arc::new(agents(&net, office.address));
        let started = tokio::time::Instant::now();
        for phone in agents.iter().take(PHONES) {
            phone.register(86_400).await;
        }
        office.settle_phones().await;
        let quiet = office::tasks();

        let reports = Arc::new(Mutex::new(Reports::default()));
        let mut hosts = JoinSet::new();
        for at in 0..agents.len() {
            hosts.spawn(host(Arc::clone(&agents), at, seed, Arc::clone(&reports)));
        }
        let room = Arc::new(Semaphore::new(AT_ONCE));
        let mut callers = JoinSet::new();
        for call in 0..calls {
            let place = Arc::clone(&room).acquire_owned().await.unwrap();
            let (agents, reports) = (Arc::clone(&agents), Arc::clone(&reports));
            callers.spawn(async move {
                let report = caller(agents, seed, call).await;
                reports.lock().unwrap().callers.insert(call, report);
                drop(place);
            });
        }
        while let Some(done) = callers.join_next().await {
            done.unwrap();
        }
        let left = office.settle().await;
        hosts.shutdown().await;
        if left != Leftovers::default() {
            for request in net.unanswered(office.address) {
                let id = request.split_whitespace().last().unwrap_or_default();
                eprintln!("never answered: {request}\n{}", net.ladder(id));
            }
        }
        assert_eq!(left, Leftovers::default(), "seed {seed}: the appliance keeps these");
        for agent in agents.iter() {
            let who = &agent.config.user;
            assert_eq!(agent.left().await, Left::default(), "seed {seed}: {who} keeps");
        }
        assert_eq!(net.in_flight(), 0, "seed {seed}");
        assert_eq!(
            net.strays(),
            Vec::<SocketAddr>::new(),
            "seed {seed}: sent to nobody, as to a private Contact"
        );
        // The trunk's health check ended with the trunk.
        assert_eq!(office::tasks(), quiet - 1, "seed {seed}: tasks are left");

        let reports = reports.lock().unwrap();
        let (answered, cancelled) = check(&reports, seed, calls);
        let records = office.keep.records();
        let open = records.iter().filter(|record| record.ended.is_none()).count();
        assert_eq!(open, 0, "seed {seed}: call records without an end");
        assert!(records.len() <= calls, "seed {seed}: more records than calls");
        assert!(answered * 4 > calls, "seed {seed}: {answered} answered of {calls}");
        eprintln!(
            "seed {seed}: {calls} calls, {answered} answered, {cancelled} given up early, {} \
             records, {:?} of virtual time, {:?}",
            records.len(),
            started.elapsed(),
            net.counts()
        );
        net.close();
        let ends = records.into_iter().map(|record| (record.disposition, record.failure));
        (net.counts(), ends.collect())
    })
}

fn from_env(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn run(seed: u64) {
    let seed = from_env("OFFHOOK_SIM_SEED").unwrap_or(seed);
    storm(seed, from_env("OFFHOOK_SIM_CALLS").unwrap_or(1_000) as usize);
}

// Three tests and not one, so that they run beside each other.

#[test]
fn thousands_of_calls_on_a_lossy_network_leave_nothing_behind() {
    run(1);
}

#[test]
fn thousands_more_leave_nothing_behind() {
    run(2);
}

#[test]
fn and_as_many_again_leave_nothing_behind() {
    run(3);
}

#[test]
fn a_seed_decides_everything_that_happens() {
    assert_eq!(storm(11, 60), storm(11, 60));
    assert_ne!(storm(11, 60), storm(12, 60));
}
