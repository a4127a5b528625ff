//! A hundred calls at once over nine pairs, with all the races at random: no caller lost, no ghost
//! call, no pair claimed, no leg up. A seed decides everything; a failed run says which.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use offhook_sip::session::EndedBy;
use offhook_tests::cloud::contact::Contact;
use offhook_tests::cloud::function::Fault;
use offhook_tests::cloud::pool::Health;
use offhook_tests::cloud::stage::{ENTRY, Plan, Stage};
use offhook_tests::sim::agent::Dial;
use offhook_tests::sim::line::Line;
use offhook_tests::sim::scene::text;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::updates::arguments;

const CALLS: usize = 100;
/// So long a leg may outlive its caller: a function whose answer is lost is asked again after five
/// seconds, and nobody else may hang it up.
const LATE: Duration = Duration::from_secs(6);
const SEEDS: std::ops::Range<u64> = 1..9;

mod cloud {
    #[tokio::test(start_paused = true)]
    async fn a_hundred_calls_over_nine_pairs_lose_nobody_and_leave_nothing() {
        for seed in super::SEEDS {
            super::run(super::Plan::cloud(), seed).await;
        }
    }
}

mod office {
    #[tokio::test(start_paused = true)]
    async fn a_hundred_calls_over_nine_pairs_lose_nobody_and_leave_nothing() {
        for seed in super::SEEDS {
            super::run(crate::at_the_office(), seed).await;
        }
    }
}

/// What happened to one caller.
#[derive(Debug, Default)]
struct Fate {
    ended: Option<Instant>,
    /// He hung up himself.
    left: bool,
    /// With whom he was, by their own account.
    connect: bool,
    desk: bool,
}

#[derive(Default)]
struct Book(Mutex<BTreeMap<String, Fate>>);

impl Book {
    fn open(&self) -> MutexGuard<'_, BTreeMap<String, Fate>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, caller: &str, change: impl FnOnce(&mut Fate)) {
        change(self.open().entry(caller.to_owned()).or_default());
    }

    /// Somebody has a call of this caller's. He must be there, or have left within this time.
    fn is_there(&self, caller: &str, who: &str, late: Duration) {
        let book = self.open();
        let fate = book.get(caller).unwrap_or_else(|| panic!("{who} is called by {caller}"));
        let gone = fate.ended.map_or(Duration::ZERO, |at| at.elapsed());
        assert!(gone < late, "{who}: a ghost call of {caller}, gone {gone:?}");
    }
}

struct World {
    stage: Stage,
    book: Book,
}

fn between(dice: &mut StdRng, least: u64, most: u64) -> Duration {
    Duration::from_millis(dice.random_range(least..=most))
}

async fn run(mut plan: Plan, seed: u64) {
    println!("seed {seed}, {:?}", plan.anchor);
    plan.seed = seed;
    plan.numbers = (3, 3);
    let world = Arc::new(World { stage: Stage::open(plan).await, book: Book::default() });
    let dice = |who: u64| StdRng::seed_from_u64(seed << 32 | who);
    let mut others = JoinSet::new();
    others.spawn(contacts(Arc::clone(&world), dice(1)));
    others.spawn(desks(Arc::clone(&world), 0, dice(2)));
    others.spawn(desks(Arc::clone(&world), 1, dice(3)));
    others.spawn(weather(Arc::clone(&world), dice(4)));
    let mut callers = JoinSet::new();
    for n in 0..CALLS {
        callers.spawn(caller(Arc::clone(&world), n, dice(100 + n as u64)));
    }
    // Everybody else hangs up at last: a caller who is left in silence stays.
    let all = async {
        while callers.join_next().await.is_some_and(|done| {
            done.map_or_else(|error| std::panic::resume_unwind(error.into_panic()), |()| true)
        }) {}
    };
    let all = tokio::time::timeout(Duration::from_secs(3_600), all).await;
    assert!(all.is_ok(), "seed {seed}: callers in silence:\n{}", in_silence(&world));
    tokio::time::sleep(Duration::from_secs(120)).await;
    while let Some(done) = others.try_join_next() {
        done.unwrap();
    }
    others.shutdown().await;
    let World { stage, book } = Arc::into_inner(world).expect("all actors are gone");
    assert!(stage.pool.exhausted() > 0, "more calls than pairs");
    account(&stage, &book, seed);
    stage.close().await;
}

/// Those who are still there, with all that was said of them.
fn in_silence(world: &World) -> String {
    let records = world.stage.holder().keep.records();
    let book = world.book.open();
    let left = book.iter().filter(|(_, fate)| fate.ended.is_none());
    let story = |(caller, fate): (&String, &Fate)| {
        let record = records.iter().find(|record| record.from == *caller);
        let id = record.map_or("", |record| &record.id);
        let timeline = world.stage.holder().keep.timeline(id);
        let events: String = timeline.iter().map(|event| format!("  {event:?}\n")).collect();
        format!("{caller} {fate:?}\n{}\n{events}", world.stage.transcript.text(id))
    };
    left.map(story).collect()
}

/// Each caller left by himself, or was with somebody, or was told that it failed.
fn account(stage: &Stage, book: &Book, seed: u64) {
    let (mut told, mut bridged) = (BTreeSet::new(), BTreeSet::new());
    for call in stage.transcript.calls() {
        let said = stage.transcript.of(&call);
        if said.iter().any(|s| s.actions.iter().flatten().any(|a| a.starts_with("say We are sor")))
        {
            told.insert(call.clone());
        }
        if said.iter().any(|s| s.event.starts_with("ACTION_SUCCESSFUL CallAndBridge")) {
            bridged.insert(call);
        }
    }
    let records = stage.holder().keep.records();
    let book = book.open();
    assert_eq!(book.len(), CALLS);
    let (mut office, mut connect, mut apologies) = (0, 0, 0);
    for (caller, fate) in &*book {
        office += usize::from(fate.desk);
        connect += usize::from(fate.connect);
        let own = records.iter().find(|record| record.from == *caller);
        let sorry = own.is_some_and(|record| told.contains(&record.id));
        apologies += usize::from(sorry);
        let with_somebody = own.is_some_and(|record| bridged.contains(&record.id));
        let fine = fate.left || with_somebody || sorry;
        let words = own.map(|record| stage.transcript.text(&record.id));
        assert!(fine, "seed {seed}: {caller} is lost: {fate:?}\n{}", words.unwrap_or_default());
    }
    println!(
        "seed {seed}: {connect} with Connect, {office} with the office, {apologies} apologies, {} \
         left by themselves, {} claims without a pair",
        book.values().filter(|fate| fate.left).count(),
        stage.pool.exhausted()
    );
    assert!(office > 5 && connect > 20, "the races were run: {office} {connect}");
}

async fn caller(world: Arc<World>, n: usize, mut dice: StdRng) {
    let number = format!("+1206556{n:04}");
    tokio::time::sleep(between(&mut dice, 0, 3_000)).await;
    world.book.note(&number, |_| {});
    let mut line = world.stage.callers.dial(Dial::to(ENTRY).from(&number));
    let patience = match dice.random_range(0..10) {
        0 => Some(between(&mut dice, 0, 500)),
        1 | 2 => Some(between(&mut dice, 500, 15_000)),
        3 | 4 => Some(between(&mut dice, 15_000, 120_000)),
        _ => None,
    };
    let end = match patience {
        None => line.ended().await,
        Some(patience) => match tokio::time::timeout(patience, line.ended()).await {
            Ok(end) => end,
            Err(_) => {
                line.hang_up();
                line.ended().await
            }
        },
    };
    world.book.note(&number, |fate| {
        fate.ended = Some(end.at);
        fate.left = patience.is_some() && end.by == EndedBy::Local;
    });
}

async fn contacts(world: Arc<World>, mut dice: StdRng) {
    let mut all = JoinSet::new();
    loop {
        tokio::select! {
            line = world.stage.connect.call() => {
                let dice = StdRng::seed_from_u64(dice.random());
                all.spawn(contact(Arc::clone(&world), line, dice));
            }
            Some(done) = all.join_next() => done.unwrap(),
        }
    }
}

/// Whoever asks gives up after a while.
async fn update(stage: &Stage, call: &str, target: &Value) {
    let asking = stage.api.update(call, arguments(target));
    let _ = tokio::time::timeout(Duration::from_secs(5), asking).await;
}

async fn contact(world: Arc<World>, line: Line, mut dice: StdRng) {
    let stage = &world.stage;
    let mut contact = Contact::of(line);
    contact.line.ring();
    if !contact.line.lasts(between(&mut dice, 0, 6_000)).await {
        return;
    }
    match dice.random_range(0..20) {
        0 => return contact.line.reject(486),
        1 => drop(contact.line.ended().await),
        _ => contact.line.answer(),
    }
    if !contact.line.lasts(between(&mut dice, 0, 10_000)).await {
        return;
    }
    let number = contact.who(&stage.flow).await;
    if number.starts_with('+') && contact.line.still_up() {
        world.book.is_there(&number, "Connect", LATE);
        world.book.note(&number, |fate| fate.connect = true);
    }
    let target = if dice.random_bool(0.8) { stage.target() } else { stage.other_target() };
    match dice.random_range(0..10) {
        // It talks, and hangs up.
        0 => {
            contact.line.lasts(between(&mut dice, 0, 60_000)).await;
            contact.line.hang_up();
        }
        // It hangs up first.
        1 => {
            contact.line.hang_up();
            tokio::time::sleep(between(&mut dice, 0, 2_900)).await;
            contact.transfer(&stage.flow, &target).await;
        }
        // It asks twice at once.
        2 => {
            let call = contact.transaction.clone().unwrap_or_default();
            let again = async {
                tokio::time::sleep(between(&mut dice, 0, 20)).await;
                update(stage, &call, &stage.other_target()).await;
            };
            tokio::join!(contact.transfer(&stage.flow, &target), again);
        }
        // As it should: it asks, and again when nobody answers, and disconnects.
        n => {
            for _ in 0..3 {
                if contact.transfer(&stage.flow, &target).await != "unavailable" {
                    break;
                }
                contact.line.lasts(Duration::from_secs(3)).await;
            }
            let patience = if n < 6 { 30 } else { 5_000 };
            contact.line.lasts(between(&mut dice, 0, patience)).await;
            contact.line.hang_up();
        }
    }
    // Whoever has not gone by now goes.
    contact.line.lasts(between(&mut dice, 0, 30_000)).await;
    contact.line.hang_up();
    contact.line.ended().await;
}

async fn desks(world: Arc<World>, phone: usize, mut dice: StdRng) {
    let mut all = JoinSet::new();
    loop {
        tokio::select! {
            line = world.stage.phones[phone].call() => {
                let dice = StdRng::seed_from_u64(dice.random());
                all.spawn(desk(Arc::clone(&world), line, dice));
            }
            Some(done) = all.join_next() => done.unwrap(),
        }
    }
}

async fn desk(world: Arc<World>, mut line: Line, mut dice: StdRng) {
    let from = line.invite.as_ref().and_then(|invite| text(invite, "From")).unwrap_or_default();
    let number = from.split("sip:").nth(1).and_then(|rest| rest.split('@').next());
    let number = number.unwrap_or_default().to_owned();
    world.book.is_there(&number, "the desk", Duration::from_secs(1));
    line.ring();
    if !line.lasts(between(&mut dice, 0, 5_000)).await {
        return;
    }
    match dice.random_range(0..20) {
        0 | 1 => return line.reject(486),
        2 => return line.reject(603),
        3 => drop(line.ended().await),
        4 => {
            line.answer();
            line.hang_up();
        }
        _ => line.answer(),
    }
    line.lasts(Duration::from_millis(100)).await;
    if line.log().iter().any(|said| said == "Confirmed") {
        world.book.is_there(&number, "the desk that answered", LATE);
        world.book.note(&number, |fate| fate.desk = true);
    }
    if !line.lasts(between(&mut dice, 0, 40_000)).await {
        return;
    }
    let records = world.stage.holder().keep.records();
    let call = records.iter().find(|record| record.from == number).map(|record| record.id.clone());
    match (dice.random_range(0..10), call) {
        (0 | 1, Some(call)) => {
            let back = json!({"TransferTarget": "connect"});
            update(&world.stage, &call, &back).await;
        }
        (2, Some(call)) => {
            let other = world.stage.other_target();
            update(&world.stage, &call, &other).await;
        }
        _ => {}
    }
    line.lasts(between(&mut dice, 0, 20_000)).await;
    line.hang_up();
    line.ended().await;
}

/// AWS is slow, or away, now and then; answers of functions are lost.
async fn weather(world: Arc<World>, mut dice: StdRng) {
    let stage = &world.stage;
    for _ in 0..12 {
        tokio::time::sleep(between(&mut dice, 1_000, 20_000)).await;
        let time = between(&mut dice, 100, 8_000);
        let health = match dice.random_range(0..5) {
            0 => Health::Away,
            1 => Health::Silent,
            2 => Health::Deaf(between(&mut dice, 10, 4_000)),
            _ => Health::Slow(between(&mut dice, 1, 2_000)),
        };
        match dice.random_range(0..3) {
            0 => stage.pool.set(health),
            1 => stage.api.set(health),
            _ => {
                stage.pool.set(health);
                stage.api.set(health);
            }
        }
        tokio::time::sleep(time).await;
        stage.pool.set(Health::Well);
        stage.api.set(Health::Well);
        let kinds = ["NEW_INBOUND_CALL", "ACTION_SUCCESSFUL", "CALL_UPDATE_REQUESTED", "HANGUP"];
        for _ in 0..dice.random_range(0..4) {
            let kind = kinds[dice.random_range(0..kinds.len())].to_owned();
            if let Some(function) = &stage.function {
                function.fails(Fault { kind, worked: dice.random() });
            }
        }
    }
}
