//! `make bench`: what the appliance costs, each figure beside a baseline measured in the same run.
//!
//! `bench --offhook PROGRAM --out FILE [--quick] [--only WORD] [--calls N] [--seconds N] [--attempts N] [--moto PYTHON]`; with `--growth DOCS` the table and the
//! picture of `docs/performance.md` instead. The appliance runs on CPU 0, the load on CPU 1.
//! Everything stays on 127.0.0.0/8 and ends by itself. `tests/bench/run.py` adds the peers'
//! figures of the shared bench where it is at hand.
#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::expect_used)]

mod appliance;
mod claims;
mod engine;
mod figures;
mod flows;
mod growth;
mod host;
mod inbox;
mod kernel;
#[path = "../src/killed.rs"]
#[allow(unreachable_pub)]
mod killed;
#[path = "../src/moto.rs"]
#[allow(missing_docs, unreachable_pub)]
mod moto;
mod paced;
mod plot;
#[path = "../src/postgres.rs"]
#[allow(dead_code, missing_docs, unreachable_pub)]
mod postgres;
mod process;
mod prompts;
mod punctual;
mod register;
mod relay;
mod rtp;
mod signalling;
mod sip;
mod speech;
mod states;
mod take_back;
mod tone;
mod transcode;
mod waiting;

use std::error::Error;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use appliance::Appliance;
use figures::Figure;
use process::pss_kb;

type Outcome<T> = Result<T, Box<dyn Error>>;

const SERVER: &str = "127.0.0.1:5060";
const CALLER: &str = "127.0.0.2:5070";
const CALLEE: &str = "127.0.0.3:5090";
const PHONES: &str = "127.0.0.4:5080";
const CALLER_MEDIA: &str = "127.0.0.2:30000";
const CALLEE_MEDIA: &str = "127.0.0.3:30000";

/// The appliance's codecs, as TOML.
const PCMU: &str = "\"PCMU\"";

/// How much of everything.
struct Size {
    users: usize,
    calls: usize,
    idle_calls: usize,
    /// Of the numbers of calls that follow, only this one.
    only_calls: Option<usize>,
    relays: &'static [usize],
    prompts: &'static [usize],
    recordings: usize,
    transcoded: usize,
    flow_calls: usize,
    waiting: usize,
    taken_back: usize,
    contenders: usize,
    seconds: u64,
    starts: usize,
}

const FULL: Size = Size {
    users: 1000,
    calls: 250,
    idle_calls: 500,
    only_calls: None,
    relays: &[100, 200, 1000],
    prompts: &[200, 1000],
    recordings: 200,
    transcoded: 100,
    flow_calls: 3000,
    waiting: 10_000,
    taken_back: 60,
    contenders: 1000,
    seconds: 9,
    starts: 5,
};
const QUICK: Size = Size {
    users: 100,
    calls: 50,
    idle_calls: 50,
    only_calls: None,
    relays: &[20],
    prompts: &[20],
    recordings: 20,
    transcoded: 10,
    flow_calls: 200,
    waiting: 500,
    taken_back: 5,
    contenders: 100,
    seconds: 2,
    starts: 1,
};

impl Size {
    /// Of these numbers of calls, those that were asked for.
    fn of(&self, numbers: &'static [usize]) -> impl Iterator<Item = usize> {
        let only = self.only_calls;
        numbers.iter().copied().filter(move |calls| only.is_none_or(|only| only == *calls))
    }
}

/// Prints a line at once, also into a pipe.
pub(crate) fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}");
    let _ = out.flush();
}

/// Lets this process open as many files as the system allows.
pub(crate) fn open_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
}

fn main() -> Outcome<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let value = |name: &str| args.iter().position(|a| a == name).and_then(|at| args.get(at + 1));
    if let Some(calls) = value("--floor") {
        return Ok(rtp::floor(calls.parse()?, CALLER_MEDIA.parse()?, CALLEE_MEDIA.parse()?)?);
    }
    if let Some(phases) = value("--paced") {
        return paced::send(phases, CALLER_MEDIA.parse()?);
    }
    if let Some(folder) = value("--waiting") {
        let part = value("--part").ok_or("say --part PART")?;
        let count = value("--count").ok_or("say --count N")?.parse()?;
        return waiting::part(Path::new(folder), part, count);
    }
    let offhook = Path::new(value("--offhook").ok_or("say --offhook PROGRAM")?);
    let out = value("--out").map_or_else(|| PathBuf::from("figures.json"), PathBuf::from);
    let mut size = if args.iter().any(|a| a == "--quick") { QUICK } else { FULL };
    size.only_calls = value("--calls").map(|calls| calls.parse()).transpose()?;
    if let Some(seconds) = value("--seconds") {
        size.seconds = seconds.parse()?;
    }
    if let Some(attempts) = value("--attempts") {
        host::attempts(attempts.parse()?);
    }
    open_files();
    appliance::pin(std::process::id(), 1);
    if let Some(docs) = value("--growth") {
        let most = value("--most").map_or(Ok(2000), |most| most.parse())?;
        return growth::run(offhook, Path::new(docs), size.seconds, most);
    }
    let only = value("--only").map(String::as_str);
    let moto = value("--moto").map(Path::new);
    let figures = measure(offhook, &size, only, moto)?;
    figures::write(&out, &figures.0)?;
    say(&format!("written to {}", out.display()));
    Ok(())
}

/// Subjects that need the appliance as a process.
const OF_THE_APPLIANCE: [&str; 5] = ["signalling", "relay", "prompts", "recording", "flows"];

/// Figures, each shown as soon as it is there.
#[derive(Default)]
struct Table(Vec<Figure>);

impl Table {
    fn extend(&mut self, more: impl IntoIterator<Item = Figure>) {
        for figure in more {
            say(&figures::line(&figure, WIDTH));
            self.0.push(figure);
        }
    }
}

/// Room for the names on the screen.
const WIDTH: usize = 68;

/// All figures, or those of one subject.
fn measure(offhook: &Path, size: &Size, only: Option<&str>, moto: Option<&Path>) -> Outcome<Table> {
    let wanted = |subject: &str| only.is_none_or(|only| only == subject);
    let folder = std::env::temp_dir().join(format!("offhook-bench-{}", std::process::id()));
    let mut figures = Table::default();
    if OF_THE_APPLIANCE.into_iter().any(wanted) {
        of_the_appliance(offhook, &folder, size, &wanted, &mut figures)?;
    }
    if wanted("speech") {
        figures.extend(speech::first_audio(offhook, &folder)?);
    }
    if wanted("codecs") {
        figures.extend([transcode::memory(offhook, &folder, size)?]);
        let floor = relay::floor(size.transcoded, size.seconds)?;
        figures.extend(engine::codecs(size.seconds, floor.us_per_packet())?);
    }
    if wanted("srtp") {
        figures.extend(engine::packets(size.seconds)?);
    }
    if wanted("kernel") {
        figures.extend(kernel::relay(size.seconds)?);
    }
    if wanted("take-back") {
        figures.extend(take_back::figures(offhook, &folder, size.taken_back)?);
        figures.extend(claims::figures(&folder, size.contenders, moto)?);
    }
    if wanted("states") {
        figures.extend(states::speed(size.seconds, moto, &folder)?);
    }
    if wanted("waiting") {
        figures.extend(waiting::figures(&folder, size.waiting)?);
    }
    // There is none when no appliance was needed.
    let _ = std::fs::remove_dir_all(&folder);
    Ok(figures)
}

fn of_the_appliance(
    offhook: &Path,
    folder: &Path,
    size: &Size,
    wanted: &dyn Fn(&str) -> bool,
    figures: &mut Table,
) -> Outcome<()> {
    if wanted("signalling") {
        figures.extend([signalling::start_up(offhook, folder, size)?]);
    }
    // Each subject has an appliance of its own: memory that one left free would be another's.
    let start = || -> Outcome<Appliance> {
        let appliance = Appliance::start(offhook, folder, size.users, PCMU)?;
        std::thread::sleep(Duration::from_secs(1));
        Ok(appliance)
    };
    if wanted("signalling") {
        let appliance = start()?;
        let idle = pss_kb(appliance.pid()) / 1024.0;
        figures.extend([Figure::plain("memory idle (PSS)", idle, "MiB", None)]);
        figures.extend(signalling::registrations(&appliance, size)?);
        figures.extend(signalling::call_setup(&appliance, size)?);
        figures.extend([signalling::call_memory(&appliance, size)?]);
    }
    if wanted("relay") {
        for calls in size.of(size.relays) {
            figures.extend(relay::relay(&start()?, calls, size.seconds)?);
        }
        for calls in size.of(size.relays).take(1).filter(|calls| *calls < 1000) {
            figures.extend([relay::listened_to(&start()?, calls, size.seconds)?]);
        }
    }
    if wanted("prompts") {
        for calls in size.of(size.prompts) {
            figures.extend(prompts::playback(&start()?, calls, size.seconds)?);
        }
    }
    if wanted("recording") {
        figures.extend(prompts::recording(&start()?, size.recordings, size.seconds)?);
    }
    if wanted("flows") {
        figures.extend(flows::first_actions(offhook, folder, size)?);
    }
    Ok(())
}
