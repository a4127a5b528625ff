//! Phones that put calls through at any instant, blind and attended, on a network that loses,
//! doubles and reorders, while everybody hangs up, answers and refuses. Nothing is left of it.
//!
//! `OFFHOOK_SIM_CALLS` sets how many calls there are, `OFFHOOK_SIM_SEED` another seed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]

use std::sync::Arc;
use std::time::Duration;

use offhook_tests::sim::agent::{Agent, AgentConfig, Dial, Left};
use offhook_tests::sim::line::Line;
use offhook_tests::sim::net::{SimNet, Weather};
use offhook_tests::sim::office::{Leftovers, SimOffice, fresh_ports};
use offhook_tests::sim::scene::{OFFICE, TRUNK, at};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

const PHONES: usize = 8;

fn config() -> String {
    let mut text = format!(
        "[[listen]]\ntransport = \"udp\"\naddress = \"{OFFICE}\"\n[media]\nports = \"{}\"\n\
         [[trunk]]\nname = \"carrier\"\ntype = \"generic\"\nhost = \"{TRUNK}\"\ntransport = \"udp\"\n\
         srtp = \"off\"\ncaller_id = \"+15550009999\"\n\
         [[group]]\nname = \"all\"\nnumber = \"200\"\nmembers = [\"101\", \"102\", \"103\"]\n\
         ring_seconds = 10\n",
        fresh_ports()
    );
    for phone in 0..PHONES {
        let number = 101 + phone;
        text += &format!(
            "[[extension]]\nnumber = \"{number}\"\npassword = \"of-{number}\"\nvoicemail = false\n\
             ring_seconds = 10\n"
        );
    }
    text
}

fn target(random: &mut StdRng) -> String {
    match random.random_range(0..10) {
        0 => "200".to_owned(),
        1 => "+15557770000".to_owned(),
        2 => "199".to_owned(),
        _ => (101 + random.random_range(0..PHONES)).to_string(),
    }
}

fn ms(random: &mut StdRng, most: u64) -> Duration {
    Duration::from_millis(random.random_range(0..most))
}

/// Lives through a call that is up; puts it through or not; ends it when nobody else does.
async fn talk(agent: &Agent, mut line: Line, mut random: StdRng) {
    if timeout(ms(&mut random, 3_000), line.ended()).await.is_ok() {
        return;
    }
    match random.random_range(0..6) {
        0 | 1 => line.refer(&format!("<sip:{}@x>", target(&mut random))),
        2 | 3 => {
            let number = target(&mut random);
            let mut second = agent.dial(Dial::to(&number));
            // Sometimes it is answered by then, sometimes it rings, sometimes it is over.
            let _ = timeout(ms(&mut random, 5_000), second.ended()).await;
            let (call_id, local, remote) = second.names().await;
            if !remote.is_empty() {
                line.refer(&format!(
                    "<sip:{number}@x?Replaces={call_id}%3Bto-tag%3D{remote}%3Bfrom-tag%3D{local}>"
                ));
            }
            let _ = timeout(ms(&mut random, 8_000), second.ended()).await;
            second.hang_up();
        }
        _ => {}
    }
    if timeout(ms(&mut random, 8_000), line.ended()).await.is_err() {
        line.hang_up();
    }
    let _ = timeout(Duration::from_secs(200), line.ended()).await;
}

/// Takes an agent's calls until the test ends.
async fn host(agents: Arc<Vec<Agent>>, which: usize, seed: u64) {
    let mut lines = JoinSet::new();
    let mut random = StdRng::seed_from_u64(seed ^ (which as u64) << 32);
    loop {
        let mut line = agents[which].call().await;
        while lines.try_join_next().is_some() {}
        let agents = Arc::clone(&agents);
        let mut random = StdRng::seed_from_u64(random.random());
        lines.spawn(async move {
            line.ring();
            if timeout(ms(&mut random, 3_000), line.ended()).await.is_ok() {
                return;
            }
            if random.random_bool(0.25) {
                return line.reject(486);
            }
            line.answer();
            talk(&agents[which], line, random).await;
        });
    }
}

async fn caller(agents: Arc<Vec<Agent>>, seed: u64) {
    let mut random = StdRng::seed_from_u64(seed);
    let which = random.random_range(0..=PHONES);
    let number = if which == PHONES { "101".to_owned() } else { target(&mut random) };
    let mut line = agents[which].dial(Dial::to(&number));
    let answered = async {
        while let Some(event) = line.next().await {
            if matches!(event, offhook_sip::session::SessionEvent::Answered { .. }) {
                return true;
            }
        }
        false
    };
    match timeout(ms(&mut random, 20_000), answered).await {
        Ok(true) => talk(&agents[which], line, random).await,
        Ok(false) => {}
        Err(_) => line.hang_up(),
    }
}

#[tokio::test(start_paused = true)]
async fn calls_that_are_put_through_at_any_instant_leave_nothing_behind() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seed = number("OFFHOOK_SIM_SEED").unwrap_or(1);
    let calls = number("OFFHOOK_SIM_CALLS").unwrap_or(400);
    eprintln!("OFFHOOK_SIM_SEED={seed} OFFHOOK_SIM_CALLS={calls}");
    let net = SimNet::start(seed, Weather::ROUGH);
    let office = SimOffice::seeded(&net, &config(), seed);
    let mut agents = Vec::new();
    for phone in 0..PHONES {
        let (user, password) = (format!("{}", 101 + phone), format!("of-{}", 101 + phone));
        let config = AgentConfig::phone(at(20 + phone as u8), &user, &password, OFFICE);
        agents.push(Agent::start(&net, config));
    }
    agents.push(Agent::start(&net, AgentConfig::carrier(TRUNK, "carrier", OFFICE)));
    let agents = Arc::new(agents);
    for phone in agents.iter().take(PHONES) {
        phone.register(3_600).await;
    }
    let mut hosts = JoinSet::new();
    for which in 0..agents.len() {
        hosts.spawn(host(Arc::clone(&agents), which, seed));
    }
    let room = Arc::new(Semaphore::new(20));
    let mut callers = JoinSet::new();
    for call in 0..calls {
        let place = Arc::clone(&room).acquire_owned().await.unwrap();
        let agents = Arc::clone(&agents);
        callers.spawn(async move {
            caller(agents, seed.wrapping_mul(1_000_003) + call).await;
            drop(place);
        });
    }
    while let Some(done) = callers.join_next().await {
        done.unwrap();
    }
    // Calls that were put through end by their own parties.
    sleep(Duration::from_secs(300)).await;
    let left = office.settle().await;
    hosts.shutdown().await;
    if left != Leftovers::default() {
        for call in office.calls.calls() {
            eprintln!("{call:?}\n{:#?}", office.keep.timeline(&call.id));
        }
    }
    assert_eq!(left, Leftovers::default(), "seed {seed}");
    for agent in agents.iter() {
        assert_eq!(agent.left().await, Left::default(), "seed {seed}: {}", agent.config.user);
    }
    let records = office.keep.records();
    assert_eq!(records.iter().filter(|record| record.ended.is_none()).count(), 0);
    let through: usize = records
        .iter()
        .flat_map(|record| office.keep.timeline(&record.id))
        .filter(|event| format!("{:?}", event.kind).contains("the call is put through"))
        .count();
    eprintln!("{} calls, {through} put through, {:?}", records.len(), net.counts());
    assert!(through > 20, "{through} of {}", records.len());
    net.close();
}
