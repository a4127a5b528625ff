//! Prints what the store costs: its threads' CPU for a registration and for a call, memory of registrations.
//!
//! `cargo run --release -p offhook-store --example cost [LINGER_MS]`

use std::io::Write;
use std::time::{Duration, Instant, SystemTime};

use futures_util::future::join_all;
use offhook_pbx::event::{CallEvent, CallEventKind, Direction};
use offhook_pbx::keep::{Binding, BindingChange, Bindings, CallRecord, Calls, Transport};
use offhook_store::{Options, Store};

type Outcome = Result<(), Box<dyn std::error::Error>>;

/// CPU of the store's threads in microseconds (`/proc/*/schedstat`, in nanoseconds).
fn cpu() -> f64 {
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let nanos = tasks.filter_map(|task| {
        let read = |name| std::fs::read_to_string(task.path().join(name)).unwrap_or_default();
        let ours = read("comm").starts_with("store");
        read("schedstat").split(' ').next()?.parse::<f64>().ok().filter(|_| ours)
    });
    nanos.sum::<f64>() / 1_000.0
}

/// Resident memory in kB.
fn memory() -> f64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split_whitespace().nth(1).and_then(|f| f.parse::<f64>().ok()).unwrap_or(0.0) * 4.0
}

fn binding(i: usize, cseq: u32) -> Result<BindingChange, std::net::AddrParseError> {
    Ok(BindingChange::Put(Binding {
        aor: format!("u{i:04}"),
        contact: format!("sip:u{i:04}@192.0.2.1:{};transport=udp", 10_000 + i),
        call_id: format!("{i:032x}@192.0.2.1"),
        cseq,
        expires: SystemTime::now() + Duration::from_secs(3_600),
        transport: Transport::Udp,
        received: format!("192.0.2.1:{}", 10_000 + i).parse()?,
        local: "192.0.2.2:5060".parse()?,
        user_agent: Some("Desk phone 7.1".into()),
        path: Vec::new(),
        instance: None,
        ice: false,
    }))
}

fn events() -> Vec<CallEvent> {
    let kind = CallEventKind::Sip {
        direction: Direction::In,
        line: "180 Ringing".into(),
        cseq: "1 INVITE".into(),
        peer: "UDP 192.0.2.1:5060".into(),
        body: None,
    };
    let event = CallEvent { at: SystemTime::now(), leg: Some("A".into()), kind };
    vec![event; 30]
}

fn call(i: usize) -> CallRecord {
    CallRecord {
        id: format!("{:016x}-{i:016x}", i.wrapping_mul(0x9e37_79b9_7f4a_7c15)),
        started: SystemTime::now(),
        answered: None,
        ended: Some(SystemTime::now()),
        from: "+15551230000".into(),
        to: "101".into(),
        original_caller: None,
        source: "trunk:connect".into(),
        destination: None,
        disposition: "answered".into(),
        failure: None,
        hung_up_by: None,
        transfers: Vec::new(),
        supervised: Vec::new(),
        cloud: Default::default(),
    }
}

fn main() -> Outcome {
    let folder = tempfile::tempdir()?;
    let mut out = std::io::stdout();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let mut options = Options::default();
    if let Some(linger) = std::env::args().nth(1) {
        options.linger = Duration::from_millis(linger.parse()?);
    }
    let store = Store::open(folder.path().join("offhook.db"), &options)?;
    let before = memory();
    let mut grown = 0.0;
    // A rate of 500 a second, as phones come: not all at once.
    for (rate, count) in [(100, 2_000), (500, 5_000), (2_000, 10_000)] {
        let (start, spent) = (Instant::now(), cpu());
        runtime.block_on(async {
            let mut kept = Vec::new();
            for i in 0..count {
                let due = start + Duration::from_secs(1) * i / rate;
                tokio::time::sleep_until(due.into()).await;
                kept.push(store.change_bindings(vec![binding(i as usize % 1_000, i)?]));
                if kept.len() == 100 {
                    join_all(kept.drain(..)).await.into_iter().collect::<Result<Vec<_>, _>>()?;
                }
            }
            Ok::<_, Box<dyn std::error::Error>>(())
        })?;
        let each = (cpu() - spent) / f64::from(count);
        if grown == 0.0 {
            grown = memory() - before;
        }
        writeln!(out, "registration at {rate}/s: {each:.1} us of CPU")?;
    }
    writeln!(out, "1000 registrations: {grown:.0} kB resident")?;
    let (start, spent, count) = (Instant::now(), cpu(), 2_000u32);
    runtime.block_on(async {
        for i in 0..count {
            tokio::time::sleep_until((start + Duration::from_millis(5) * i).into()).await;
            let call = call(i as usize);
            store.append_events(call.id.clone(), events());
            store.put_call(call).await?;
        }
        Ok::<_, Box<dyn std::error::Error>>(())
    })?;
    let each = (cpu() - spent) / f64::from(count);
    writeln!(out, "call with 30 events: {each:.1} us of CPU")?;
    writeln!(out, "resident in all: {:.0} kB", memory())?;
    Ok(())
}
