//! What signalling costs: the start, registrations, calls set up and torn down, calls that wait.

use std::path::Path;
use std::time::{Duration, Instant};

use super::appliance::{Appliance, addresses, all_went};
use super::figures::Figure;
use super::process::{cpu_seconds, pss_kb};
use super::{Outcome, PCMU, PHONES, SERVER, Size, register, sip};

pub(crate) fn start_up(offhook: &Path, folder: &Path, size: &Size) -> Outcome<Figure> {
    let mut times = Vec::new();
    for _ in 0..size.starts {
        // `start` writes the configuration before it launches; a second start measures the same.
        drop(Appliance::start(offhook, folder, size.users, PCMU)?);
        let begin = Instant::now();
        let _again = Appliance::again(offhook, folder)?;
        times.push(begin.elapsed().as_secs_f64() * 1000.0);
    }
    times.sort_by(f64::total_cmp);
    let name = format!("start to first answered OPTIONS, {} phones", size.users);
    Ok(Figure::plain(name, times[times.len() / 2], "ms", Some(150.0)))
}

pub(crate) fn registrations(appliance: &Appliance, size: &Size) -> Outcome<Vec<Figure>> {
    let (cpu, memory) = (cpu_seconds(appliance.pid()), pss_kb(appliance.pid()));
    let outcome = register::register(SERVER.parse()?, PHONES.parse()?, size.users, 100.0)?;
    all_went(outcome, size.users, "registrations")?;
    std::thread::sleep(Duration::from_secs(1));
    let cpu = (cpu_seconds(appliance.pid()) - cpu) * 1000.0 / outcome.ok as f64;
    let memory = (pss_kb(appliance.pid()) - memory) / outcome.ok as f64;
    Ok(vec![
        Figure::plain("CPU per REGISTER with digest, at 100/s", cpu, "ms", None),
        Figure::plain("memory per registration", memory, "kB", Some(4.0)),
    ])
}

pub(crate) fn call_setup(appliance: &Appliance, size: &Size) -> Outcome<Vec<Figure>> {
    let (signalling, media) = addresses()?;
    let mut figures = Vec::new();
    for (run, rate) in [(1, 25.0), (2, 100.0)] {
        let cpu = cpu_seconds(appliance.pid());
        let mut calls = sip::Calls::new(SERVER.parse()?, signalling, media, run)?;
        calls.run(size.calls, rate, Duration::from_secs(1))?;
        all_went(calls.outcome, size.calls, "calls")?;
        // Timeline and record are written a moment later; they belong to the call.
        std::thread::sleep(Duration::from_secs(2));
        let cpu = (cpu_seconds(appliance.pid()) - cpu) * 1000.0 / size.calls as f64;
        figures.push(Figure::plain(
            format!("CPU per call set up and torn down, at {rate}/s"),
            cpu,
            "ms",
            None,
        ));
    }
    Ok(figures)
}

pub(crate) fn call_memory(appliance: &Appliance, size: &Size) -> Outcome<Figure> {
    let (signalling, media) = addresses()?;
    let before = pss_kb(appliance.pid());
    let mut calls = sip::Calls::new(SERVER.parse()?, signalling, media, 3)?;
    let up = calls.set_up(size.idle_calls, 50.0)?.len();
    std::thread::sleep(Duration::from_millis(500));
    let memory = (pss_kb(appliance.pid()) - before) / up.max(1) as f64;
    calls.tear_down()?;
    all_went(sip::Outcome { ok: up, begun: size.idle_calls }, size.idle_calls, "calls")?;
    Ok(Figure::plain(format!("memory per call, {up} calls"), memory, "kB", Some(80.0)))
}
