//! A hundred calls at once over nine pairs with everything real but the people: daemons, both
//! functions as Lambda runs them, the table in moto, AWS's API at the daemon that holds the calls.
//! Races come at random, from a seed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
#![allow(clippy::print_stdout)]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use offhook_chime::sdk::Sdk;
use offhook_dnis::{DnisPool as _, Pair};
use offhook_sip::session::EndedBy;
use offhook_tests::appliance::Appliance;
use offhook_tests::baresip::PASSWORD;
use offhook_tests::boto3::Client;
use offhook_tests::cloud::contact::Contact;
use offhook_tests::cloud::lambda::Binary;
use offhook_tests::cloud::{gate, table};
use offhook_tests::lambda::{self, LambdaServer};
use offhook_tests::moto::Moto;
use offhook_tests::net::Net;
use offhook_tests::python;
use offhook_tests::sim::agent::{Agent, AgentConfig, Dial, Left};
use offhook_tests::sim::line::Line;
use offhook_tests::sim::net::SimNet;
use offhook_tests::sim::scene::text;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};
use tokio::task::JoinSet;

const CALLS: usize = 100;
const SEED: u64 = 20;
const ENTRY: &str = "+18445550100";
const OFFICE_NUMBER: &str = "+18555550111";
const CONNECTOR: &str = "abcdefghij1234567890ab";

fn arn() -> String {
    format!("arn:aws:chime:us-east-1:111122223333:vc/{CONNECTOR}")
}

fn port(net: Net, last: u8) -> SocketAddr {
    (net.ip(last), 5060).into()
}

fn numbers(start: &str) -> Vec<String> {
    (0..3).map(|n| format!("{start}{n}")).collect()
}

fn ours() -> Vec<String> {
    numbers("+1800555010")
}

fn connects() -> Vec<String> {
    numbers("+1206555010")
}

/// The telephone network as a trunk of whoever has the calls.
fn pstn(net: Net) -> String {
    format!(
        "[[trunk]]\nname = \"pstn\"\ntype = \"generic\"\nhost = \"{}\"\ntransport = \"udp\"\n\
         peers = [\"{}/32\"]\noptions_seconds = 0\ncaller_id = \"+18005550100\"\n",
        port(net, 5),
        net.ip(2)
    )
}

struct World {
    callers: Agent,
    connect: Agent,
    phone: Agent,
    function: Binary,
    target: Value,
    book: Mutex<BTreeMap<String, Fate>>,
}

#[derive(Debug, Default)]
struct Fate {
    ended: bool,
    left: bool,
    connect: bool,
    desk: bool,
}

impl World {
    fn book(&self) -> MutexGuard<'_, BTreeMap<String, Fate>> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, caller: &str, change: impl FnOnce(&mut Fate)) {
        change(self.book().entry(caller.to_owned()).or_default());
    }

    async fn ask(&self, contact: &mut Contact, purpose: &str) -> Value {
        let event = contact.event(purpose, &self.target);
        let function = self.function.clone();
        let told = tokio::task::spawn_blocking(move || function.invoke(event)).await.unwrap();
        let told = told.expect("the function never fails");
        contact.hear(told.as_object().unwrap());
        told
    }
}

fn between(dice: &mut StdRng, least: u64, most: u64) -> Duration {
    Duration::from_millis(dice.random_range(least..=most))
}

async fn caller(world: Arc<World>, n: usize, mut dice: StdRng) {
    let number = format!("+1206556{n:04}");
    world.note(&number, |_| {});
    tokio::time::sleep(between(&mut dice, 0, 2_000)).await;
    let mut line = world.callers.dial(Dial::to(ENTRY).from(&number));
    let patience = match dice.random_range(0..10) {
        0 => Some(between(&mut dice, 0, 300)),
        1 | 2 => Some(between(&mut dice, 300, 10_000)),
        _ => None,
    };
    let end = match patience {
        None => line.ended().await,
        Some(patience) => {
            if line.lasts(patience).await {
                line.hang_up();
            }
            line.ended().await
        }
    };
    let left = patience.is_some() && end.by == EndedBy::Local;
    world.note(&number, |fate| (fate.ended, fate.left) = (true, left));
}

async fn contact(world: Arc<World>, line: Line, mut dice: StdRng) {
    let mut contact = Contact::of(line);
    contact.line.ring();
    contact.line.lasts(between(&mut dice, 0, 200)).await;
    if dice.random_range(0..20) == 0 {
        return contact.line.reject(486);
    }
    contact.line.answer();
    if !contact.line.lasts(between(&mut dice, 0, 300)).await {
        return;
    }
    let told = world.ask(&mut contact, "GetData").await;
    if let Some(number) = told["original_calling_number"].as_str() {
        world.note(number, |fate| fate.connect = true);
    }
    contact.line.lasts(between(&mut dice, 0, 500)).await;
    match dice.random_range(0..8) {
        0 => contact.line.hang_up(),
        1 => {
            contact.line.hang_up();
            tokio::time::sleep(between(&mut dice, 0, 1_500)).await;
            world.ask(&mut contact, "TransferCall").await;
        }
        n => {
            world.ask(&mut contact, "TransferCall").await;
            let patience = if n < 5 { 20 } else { 2_000 };
            contact.line.lasts(between(&mut dice, 0, patience)).await;
            contact.line.hang_up();
        }
    }
    contact.line.ended().await;
}

async fn desk(world: Arc<World>, mut line: Line, mut dice: StdRng) {
    let from = line.invite.as_ref().and_then(|invite| text(invite, "From")).unwrap_or_default();
    let number = from.split("sip:").nth(1).and_then(|rest| rest.split('@').next());
    let number = number.unwrap_or_default().to_owned();
    assert!(world.book().contains_key(&number), "the desk is shown who calls: {from}");
    line.ring();
    line.lasts(between(&mut dice, 0, 500)).await;
    match dice.random_range(0..10) {
        0 => return line.reject(486),
        1 => {
            line.answer();
            line.hang_up();
        }
        _ => line.answer(),
    }
    line.lasts(between(&mut dice, 0, 1_000)).await;
    if line.log().iter().any(|said| said == "Confirmed") {
        world.note(&number, |fate| fate.desk = true);
    }
    line.hang_up();
    line.ended().await;
}

/// All calls, until the last caller is gone.
async fn crowd(world: &Arc<World>) {
    println!("seed {SEED}");
    let dice = |who: u64| StdRng::seed_from_u64(SEED << 32 | who);
    let (mut callers, mut others) = (JoinSet::new(), JoinSet::new());
    for n in 0..CALLS {
        callers.spawn(caller(Arc::clone(world), n, dice(100 + n as u64)));
    }
    let mut next = dice(1);
    let end = tokio::time::sleep(Duration::from_secs(200));
    tokio::pin!(end);
    loop {
        let dice = StdRng::seed_from_u64(next.random());
        tokio::select! {
            line = world.connect.call() => drop(others.spawn(contact(Arc::clone(world), line, dice))),
            line = world.phone.call() => drop(others.spawn(desk(Arc::clone(world), line, dice))),
            Some(done) = others.join_next() => done.unwrap(),
            done = callers.join_next() => match done {
                Some(done) => done.unwrap(),
                None => break,
            },
            () = &mut end => panic!("callers are left: {:#?}", world.book()),
        }
    }
    let rest = async {
        while let Some(done) = others.join_next().await {
            done.unwrap();
        }
    };
    tokio::time::timeout(Duration::from_secs(60), rest).await.expect("legs end with their callers");
}

/// Whether somebody answered a bridge, or the caller heard the apology before he was hung up on. The
/// end of a list of actions is told; a bridge is the last of its list.
fn was_bridged_or_told(timeline: &[Value]) -> bool {
    let mut running: Vec<&str> = Vec::new();
    for event in timeline.iter().filter(|event| event["event"] == "application") {
        if event["told"] == "ACTION_SUCCESSFUL" && running.last() == Some(&"CallAndBridge") {
            return true;
        }
        let actions = event["actions"].as_array().into_iter().flatten();
        let actions: Vec<&str> = actions.filter_map(Value::as_str).collect();
        if actions == ["Speak", "Hangup"] {
            return true;
        }
        if !actions.is_empty() {
            running = actions;
        }
    }
    false
}

/// Each caller left, or talked with somebody, or was told why not; and nothing is left.
async fn account(world: Arc<World>, holder: &Appliance, others: &[&Appliance], aws: &Sdk) {
    let calls = holder.json(&["calls", "list", "--limit", "1000"]);
    let calls = calls.as_array().unwrap();
    let (mut office, mut connect, mut left) = (0, 0, 0);
    for (caller, fate) in &*world.book() {
        let record = calls.iter().find(|call| call["from"] == **caller);
        office += usize::from(fate.desk);
        connect += usize::from(fate.connect);
        left += usize::from(fate.left);
        if fate.left || fate.desk || fate.connect {
            continue;
        }
        let id = record.and_then(|record| record["id"].as_str()).expect("a record");
        let shown = holder.json(&["calls", "show", id]);
        let timeline = &shown["timeline"];
        let fine = was_bridged_or_told(timeline.as_array().unwrap());
        assert!(fine, "{caller} is lost: {fate:?} {timeline}");
    }
    println!("{connect} with Connect, {office} with the office, {left} left by themselves");
    // How many of each depends on how fast the machine is.
    assert!(connect + office > 10, "the races were run");
    holder.assert_nothing_left();
    for other in others {
        other.assert_nothing_left();
    }
    let claimed = table::in_use(aws).await;
    assert!(claimed.is_empty(), "{claimed:?}");
    let agents = [&world.callers, &world.connect, &world.phone];
    for agent in agents {
        // The last transactions absorb retransmissions still.
        assert_eq!(agent.left().await.sessions, Left::default().sessions, "{}", agent.config.user);
    }
}

async fn agents(net: &SimNet, holder: Net, office: Net, phone: &str) -> [Agent; 3] {
    let proxy = port(holder, 1);
    let hosts = [port(holder, 2), port(holder, 5), port(office, 3)];
    gate::open(net, &hosts, &[proxy, port(office, 1)]).await;
    let callers = Agent::start(net, AgentConfig::carrier(hosts[0], "pstn", proxy));
    let connect = Agent::start(net, AgentConfig::carrier(hosts[1], "connect", proxy));
    let desk = AgentConfig::phone(hosts[2], phone, PASSWORD, port(office, 1));
    let mut desk = desk;
    // The realm's own domain.
    desk.domain = office.appliance().to_string();
    let desk = Agent::start(net, desk);
    desk.register(3600).await;
    [callers, connect, desk]
}

/// The machine is one crowd's at a time.
static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sip_media_application_takes_a_hundred_calls_back_over_nine_pairs() {
    let _turn = TURN.lock().await;
    let moto = Moto::start(python::with_moto());
    let url = moto.url();
    let aws = table::sdk(&url);
    let pool = table::make(&aws).await;
    pool.add(Pair::matrix(&ours(), &connects())).await.unwrap();

    let (cloud_net, office_net) = (Net::new(), Net::new());
    let arn = arn();
    let settings = [
        ("VOICE_CONNECTOR_PHONE_NUMBER", OFFICE_NUMBER),
        ("VOICE_CONNECTOR_ARN", arn.as_str()),
        ("WORDS_HOLD", "-"),
        ("WORDS_RETURNING", "-"),
    ];
    let sma = Binary::start("sma-function", &table::variables(&url, &settings));
    let server = LambdaServer::start((cloud_net.ip(6), 0).into());
    server.function("smaHandler", move |event| sma.invoke(event));

    let office_config = format!(
        "[[trunk]]\nname = \"connector\"\ntype = \"voice_connector\"\nregion = \"us-east-1\"\n\
         host = \"{CONNECTOR}.voiceconnector.chime.aws\"\ncaller_id = \"+18005550100\"\n\
         peers = [\"{}/32\"]\noptions_seconds = 0\n\
         [[number]]\nmatch = \"{OFFICE_NUMBER}\"\nfrom = \"trunks\"\nto = \"extension:101\"\n",
        cloud_net.appliance()
    );
    let mut office = Appliance::prepare(office_net, &office_config);
    office.add_phone("101", PASSWORD);
    office.launch();
    let api = SocketAddr::from((cloud_net.appliance(), 9481));
    let cloud_config = format!(
        "{}[[trunk]]\nname = \"connector\"\ntype = \"generic\"\ntransport = \"udp\"\n\
         host = \"{CONNECTOR}.voiceconnector.chime.aws\"\ndial = \"sip:{{number}}@{}\"\n\
         outbound = false\noptions_seconds = 0\n\
         [[number]]\nmatch = \"{ENTRY}\"\nfrom = \"trunks\"\nto = \"lambda:sma\"\n\
         [aws]\naccount = \"111122223333\"\naccess_key = \"{}\"\nsecret_key = \"{}\"\n\
         [[lambda]]\nname = \"sma\"\nendpoint = \"{}\"\n\
         function = \"arn:aws:lambda:us-east-1:111122223333:function:smaHandler\"\n\
         [api]\nlisten = \"{api}\"\nrequests_per_second = 1000\n",
        pstn(cloud_net),
        port(office_net, 1),
        lambda::KEY,
        lambda::SECRET,
        server.url()
    );
    let cloud = Appliance::start_on(cloud_net, &cloud_config);
    let client = Client::of(&cloud, api);
    let more = [
        ("AWS_ENDPOINT_URL_CHIME_SDK_VOICE", client.url.as_str()),
        ("AWS_ACCESS_KEY_ID", client.key.as_str()),
        ("AWS_SECRET_ACCESS_KEY", client.secret.as_str()),
    ];
    let function = Binary::start("connect-function", &table::variables(&url, &more));
    let net = SimNet::start(SEED, gate::STRAIGHT);
    let [callers, connect, phone] = agents(&net, cloud_net, office_net, "101").await;
    let target = json!({"TransferTarget": OFFICE_NUMBER, "TransferTargetArn": arn});
    let book = Mutex::default();
    let world = Arc::new(World { callers, connect, phone, function, target, book });
    crowd(&world).await;
    account(world, &cloud, &[&office], &aws).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_office_takes_a_hundred_calls_back_over_nine_pairs() {
    let _turn = TURN.lock().await;
    let moto = Moto::start(python::with_moto());
    let url = moto.url();
    let aws = table::sdk(&url);
    table::make(&aws).await;
    let net = Net::new();
    let api = SocketAddr::from((net.appliance(), 9481));
    let config = format!(
        "{}[[number]]\nmatch = \"{ENTRY}\"\nfrom = \"trunks\"\nto = \"flow:take-back\"\n\
         [aws]\nendpoint = \"{url}\"\naccess_key = \"{}\"\nsecret_key = \"{}\"\n\
         [dnis]\nour_numbers = {:?}\nconnect_numbers = {:?}\ntable = \"{}\"\n\
         name = \"office-1\"\notherwise = \"101\"\n\
         [api]\nlisten = \"{api}\"\nrequests_per_second = 1000\n",
        pstn(net),
        table::KEY,
        table::SECRET,
        ours(),
        connects(),
        table::NAME
    );
    let mut office = Appliance::prepare(net, &config);
    office.add_phone("101", PASSWORD);
    office.launch();
    let client = Client::of(&office, api);
    let more = [
        ("AWS_ENDPOINT_URL_CHIME_SDK_VOICE", client.url.as_str()),
        ("AWS_ACCESS_KEY_ID", client.key.as_str()),
        ("AWS_SECRET_ACCESS_KEY", client.secret.as_str()),
    ];
    let function = Binary::start("connect-function", &table::variables(&url, &more));
    let sim = SimNet::start(SEED, gate::STRAIGHT);
    let [callers, connect, phone] = agents(&sim, net, net, "101").await;
    let target = json!({"TransferTarget": "101"});
    let book = Mutex::default();
    let world = Arc::new(World { callers, connect, phone, function, target, book });
    crowd(&world).await;
    account(world, &office, &[], &aws).await;
}
