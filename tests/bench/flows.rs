//! What a workflow adds to a call: from its event to the first action, in the appliance and on the
//! wire, 200 new calls a second.

use std::collections::BTreeMap;
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use rusqlite::{Connection, OpenFlags};
use serde_json::Value;

use super::appliance::{Appliance, addresses, all_went};
use super::figures::Figure;
use super::process::{cpu_seconds, delayed_seconds};
use super::{Outcome, PCMU, SERVER, Size, say, sip};

/// New calls a second.
const RATE: f64 = 200.0;
/// How long a caller stays.
const HOLD: Duration = Duration::from_millis(300);
/// Milliseconds from an event to its first action: half of the calls, and 99 of 100.
const GOALS: (f64, f64) = (1.0, 5.0);

/// Numbers that lead to workflows. The office is closed nearly always, so that its workflow speaks
/// at once.
const NUMBERS: &str = "[business]\nname = \"Flowers\"\nnumber = \"+15550100100\"\nowner = \"1000\"\n\
    hours = [\"Mon 00:00-00:01\"]\ntime_zone = \"UTC\"\n\
    [[number]]\nmatch = \"701\"\nto = \"flow:business-number\"\n\
    [[number]]\nmatch = \"702\"\nto = \"flow:aws-sample\"\n";

/// A way into the appliance: what is dialled, what answers, and its name in the table.
struct Way {
    number: &'static str,
    application: &'static str,
    name: &'static str,
}

const BUILT_IN: Way = Way { number: "700", application: "play", name: "play" };
const OURS: Way =
    Way { number: "701", application: "workflow", name: "business-number, six flows" };
const SAMPLE: Way = Way { number: "702", application: "workflow", name: "AWS's sample, six flows" };

/// All figures of it.
pub(crate) fn first_actions(offhook: &Path, folder: &Path, size: &Size) -> Outcome<Vec<Figure>> {
    let floor = measure(offhook, folder, size, &BUILT_IN)?;
    let mut ways = vec![OURS];
    match sample() {
        Some(_) => ways.push(SAMPLE),
        None => say("AWS's sample is not at hand: not measured"),
    }
    let mut figures = Vec::new();
    for percent in [50.0, 99.0] {
        let label = format!("flows: INVITE to 200 at the caller, p{percent}, a built-in target");
        figures.push(Figure::plain(label, at(&floor.answers, percent), "ms", None));
    }
    for way in ways {
        let measured = measure(offhook, folder, size, &way)?;
        figures.extend(shown(&way, &measured, &floor));
    }
    Ok(figures)
}

/// What was measured of one way, in milliseconds; sorted.
struct Measured {
    /// In the appliance, from the INVITE to the actions of the application.
    actions: Vec<f64>,
    /// From the event in the appliance to the 200 at the caller.
    wire: Vec<f64>,
    /// At the caller, from the INVITE to its 200.
    answers: Vec<f64>,
    /// CPU for a call.
    cpu: f64,
    /// How long the appliance's threads had no core in a call.
    delayed: f64,
}

fn at(sorted: &[f64], percent: f64) -> f64 {
    let index = ((sorted.len() as f64 * percent / 100.0) as usize).min(sorted.len() - 1);
    sorted[index]
}

fn shown(way: &Way, ours: &Measured, floor: &Measured) -> Vec<Figure> {
    let name = way.name;
    let mut figures = Vec::new();
    for (percent, goal) in [(50.0, GOALS.0), (99.0, GOALS.1)] {
        let label = format!("flows: INVITE to the actions, p{percent}, {name}");
        let action = at(&ours.actions, percent);
        figures.push(Figure::plain(label, action, "ms", Some(goal)));
        // The sample rings its owner in office hours: then its 200 is another phone's.
        if name == SAMPLE.name {
            continue;
        }
        let label = format!("flows: event to first action on the wire, p{percent}, {name}");
        figures.push(Figure::plain(label, at(&ours.wire, percent), "ms", Some(goal)));
        let label = format!("flows: INVITE to 200 at the caller, p{percent}, {name}");
        let base = ("a built-in target", at(&floor.answers, percent));
        figures.push(Figure::beside(label, at(&ours.answers, percent), "ms", base, None));
    }
    let label = format!("flows: CPU per call with its workflow, {name}");
    figures.push(Figure::beside(label, ours.cpu, "ms", ("a built-in target", floor.cpu), None));
    let label = format!("flows: its threads had no core in a call, {name}");
    let base = ("a built-in target", floor.delayed);
    figures.push(Figure::beside(label, ours.delayed, "ms", base, None));
    figures
}

fn measure(offhook: &Path, folder: &Path, size: &Size, way: &Way) -> Outcome<Measured> {
    let appliance = Appliance::start_with(offhook, folder, 10, PCMU, NUMBERS)?;
    if way.number == SAMPLE.number {
        publish(offhook, folder)?;
    }
    let (signalling, media) = addresses()?;
    // Somebody is there for the audio: without, the appliance's core would write an ICMP error for
    // each packet. Nobody reads it, and a full buffer costs nothing.
    let _heard = UdpSocket::bind(media.0)?;
    // The first calls load the workflow and have its words spoken: later ones find them.
    let mut warm = sip::Calls::new(SERVER.parse()?, signalling, media, 7000)?;
    warm.dial(way.number);
    warm.run(5, 5.0, HOLD)?;
    all_went(warm.outcome, 5, "calls")?;
    drop(warm);
    std::thread::sleep(Duration::from_secs(3));
    let (begin, cpu) = (SystemTime::now(), cpu_seconds(appliance.pid()));
    let delayed = delayed_seconds(appliance.pid());
    let mut calls = sip::Calls::new(SERVER.parse()?, signalling, media, 7001)?;
    calls.dial(way.number);
    calls.attentive();
    calls.run(size.flow_calls, RATE, HOLD)?;
    let what = format!("calls to {} ({})", way.name, calls.refusal);
    all_went(calls.outcome, size.flow_calls, &what)?;
    // What is written a moment later belongs to the call.
    std::thread::sleep(Duration::from_secs(3));
    let cpu = (cpu_seconds(appliance.pid()) - cpu) * 1e3 / size.flow_calls as f64;
    let delayed = (delayed_seconds(appliance.pid()) - delayed) * 1e3 / size.flow_calls as f64;
    let timelines = of_timelines(&folder.join("data/offhook.db"), begin, way.application)?;
    if timelines.len() < size.flow_calls {
        return Err(format!("only {} timelines have actions", timelines.len()).into());
    }
    if calls.waits.len() != timelines.len() {
        let both = (calls.waits.len(), timelines.len());
        return Err(format!("{} calls were answered, and {} have timelines", both.0, both.1).into());
    }
    // One socket sent the INVITEs and one thread took them: the order is the same on both sides.
    let wire = |(wait, timeline): (&sip::Wait, &Timeline)| {
        let arrived = wait.begun + wait.took;
        let arrived = arrived.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        arrived.as_secs_f64() * 1e3 - timeline.event
    };
    Ok(Measured {
        actions: sorted(timelines.iter().map(|timeline| timeline.actions - timeline.invite)),
        wire: sorted(calls.waits.values().zip(&timelines).map(wire)),
        answers: sorted(calls.waits.values().map(|wait| wait.took.as_secs_f64() * 1e3)),
        cpu,
        delayed,
    })
}

fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values
}

/// What a call's timeline says, in milliseconds since 1970.
struct Timeline {
    /// The INVITE was read.
    invite: f64,
    /// Its event was ready for the application.
    event: f64,
    /// The first actions came back.
    actions: f64,
}

/// Timelines of calls that begin after that, in the order of their INVITEs.
fn of_timelines(database: &Path, since: SystemTime, application: &str) -> Outcome<Vec<Timeline>> {
    let since = since.duration_since(SystemTime::UNIX_EPOCH)?.as_secs_f64() * 1e3;
    let connection = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let mut statement = connection.prepare("SELECT call, json FROM events ORDER BY call, seq")?;
    let mut rows = statement.query([])?;
    let mut calls: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let events: Vec<Value> = serde_json::from_str(&row.get::<_, String>(1)?)?;
        calls.entry(row.get(0)?).or_default().extend(events);
    }
    let invite = |kind: &Value| kind["direction"] == "in" && kind["line"] == "INVITE";
    let acts = |kind: &Value| {
        kind["name"] == application && kind["actions"].as_array().is_some_and(|a| !a.is_empty())
    };
    let timeline = |events: &Vec<Value>| {
        let first = |so: &dyn Fn(&Value) -> bool| events.iter().find(|event| so(&event["kind"]));
        // Times are nanoseconds since 1970.
        let at = |event: &Value| Some(event["at"].as_f64()? / 1e6);
        let invite = at(first(&invite)?).filter(|at| *at >= since)?;
        let answer = first(&acts)?;
        let (actions, took) = (at(answer)?, answer["kind"]["took_us"].as_f64()? / 1e3);
        Some(Timeline { invite, event: actions - took, actions })
    };
    let mut found: Vec<Timeline> = calls.values().filter_map(timeline).collect();
    found.sort_by(|a, b| a.invite.total_cmp(&b.invite));
    Ok(found)
}

/// AWS's sample, where the data of the project's owner is beside the shared bench.
fn sample() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/bench");
    let shared = std::env::var_os("BENCH_SHARED").map_or(beside, PathBuf::from);
    Some(shared.join("../data/aws-sample/definition.asl.json")).filter(|file| file.is_file())
}

/// Publishes it with the values that its deployment patches.
fn publish(offhook: &Path, folder: &Path) -> Outcome<()> {
    let text = std::fs::read_to_string(sample().ok_or("the sample is gone")?)?;
    let mut definition: Value = serde_json::from_str(&text)?;
    let assign = &mut definition["States"]["Init"]["Assign"];
    assign["BusinessInfo"]["BusinessPhoneNumber"] = "+15550100100".into();
    assign["BusinessInfo"]["OwnerPersonalPhoneNumber"] = "1000".into();
    assign["Environment"]["BuckectName"] = "pstn-media-apps".into();
    let file = folder.join("aws-sample.asl.json");
    std::fs::write(&file, definition.to_string())?;
    let published = Command::new(offhook)
        .args(["flow", "publish", "--name", "aws-sample", "--config"])
        .arg(folder.join("offhook.toml"))
        .arg(&file)
        .stdout(Stdio::null())
        .status()?;
    if published.success() { Ok(()) } else { Err("the sample is not published".into()) }
}
