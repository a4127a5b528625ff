//! How cost grows with the number of calls: a table and a picture for `docs/performance.md`.

use std::fmt::Write as _;
use std::path::Path;

use super::appliance::{Appliance, addresses, all_went};
use super::process::{cpu_seconds, pss_kb};
use super::relay::{Cost, Sides, beside_the_floor};
use super::{Outcome, PCMU, SERVER, plot, say, sip};

const SIZES: [usize; 8] = [10, 20, 50, 100, 200, 500, 1000, 2000];
const BEGIN: &str = "<!-- measured: `make performance` writes from here -->\n";
const END: &str = "<!-- to here -->\n";

/// What so many calls cost.
struct Row {
    calls: usize,
    ours: Cost,
    floor: Cost,
    memory_kb: f64,
    setup_ms: f64,
}

/// Measures all sizes, and writes the table and the picture into `docs`.
pub(crate) fn run(offhook: &Path, docs: &Path, seconds: u64, most: usize) -> Outcome<()> {
    let folder = std::env::temp_dir().join(format!("offhook-growth-{}", std::process::id()));
    let appliance = Appliance::start(offhook, &folder, 10, PCMU)?;
    let rows = measure(&appliance, seconds, most)?;
    drop(appliance);
    std::fs::remove_dir_all(&folder)?;
    let table = table(&rows);
    print!("{table}");
    write_page(&docs.join("performance.md"), &table)?;
    std::fs::write(docs.join("performance.svg"), picture(&rows))?;
    say(&format!("written to {}", docs.join("performance.md").display()));
    Ok(())
}

fn measure(appliance: &Appliance, seconds: u64, most: usize) -> Outcome<Vec<Row>> {
    let (signalling, media) = addresses()?;
    let sides = Sides::open()?;
    let idle = pss_kb(appliance.pid());
    // One load that grows: calls that are up stay up.
    let mut calls = sip::Calls::new(SERVER.parse()?, signalling, media, 1)?;
    let (mut rows, mut tick, mut before) = (Vec::new(), 0, 0);
    for size in SIZES.into_iter().filter(|size| *size <= most) {
        let cpu = cpu_seconds(appliance.pid());
        let up = calls.set_up(size, 100.0)?;
        let setup = (cpu_seconds(appliance.pid()) - cpu) * 1e3 / (size - before) as f64;
        all_went(sip::Outcome { ok: up.len(), begun: size }, size, "calls")?;
        let (ours, floor) = beside_the_floor(&sides, &up, seconds, appliance.pid(), &mut tick)?;
        let memory_kb = (pss_kb(appliance.pid()) - idle) / size as f64;
        say(&format!(
            "{size} calls: {:.2} us a packet, bare relay {:.2}",
            ours.us_per_packet(),
            floor.us_per_packet()
        ));
        rows.push(Row { calls: size, ours, floor, memory_kb, setup_ms: setup });
        before = size;
    }
    calls.tear_down()?;
    Ok(rows)
}

fn table(rows: &[Row]) -> String {
    let mut out = String::from(
        "| calls | packets a second | CPU per packet, us | bare relay, us | ratio | CPU of one core | latency p50 / p99, us \
         | bare relay | lost, % | memory per call, kB | CPU per set-up, ms |\n\
         |---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n",
    );
    for row in rows {
        let (ours, floor) = (row.ours.us_per_packet(), row.floor.us_per_packet());
        let rate = row.ours.heard.sent as f64 / row.ours.seconds;
        let latency = |cost: &Cost| {
            let at = |percent| cost.heard.latency_us(percent);
            format!("{:.0} / {:.0}", at(50.0), at(99.0))
        };
        let _ = writeln!(
            out,
            "| {} | {:.0} | {ours:.2} | {floor:.2} | {:.2} | {:.1} % | {} | {} | {:.3} | {:.1} | {:.2} |",
            row.calls,
            rate,
            ours / floor,
            ours * rate / 1e4,
            latency(&row.ours),
            latency(&row.floor),
            row.ours.heard.loss_percent(),
            row.memory_kb,
            row.setup_ms,
        );
    }
    out
}

/// Puts what was measured, and where, between the marks of the page.
fn write_page(page: &Path, table: &str) -> Outcome<()> {
    let text = std::fs::read_to_string(page)?;
    let (head, rest) = text.split_once(BEGIN).ok_or("performance.md has no first mark")?;
    let (_, tail) = rest.split_once(END).ok_or("performance.md has no second mark")?;
    let machine = machine();
    let measured = format!(
        "\nMeasured on {machine}; the load and the appliance on a core each.\n\n{table}\n\
         ![CPU per packet from 10 to 2,000 calls](performance.svg)\n\n"
    );
    Ok(std::fs::write(page, format!("{head}{BEGIN}{measured}{END}{tail}"))?)
}

/// The machine in words: cores, processor, kernel. No name of it.
fn machine() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let info = read("/proc/cpuinfo");
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("unknown processor", |(_, model)| model.trim());
    let kind = if info.contains(" hypervisor ") { "virtual cores" } else { "cores" };
    // This process is kept on one of them.
    let cores = info.lines().filter(|line| line.starts_with("processor")).count();
    let release = read("/proc/sys/kernel/osrelease");
    let version: Vec<&str> = release.trim().split(['.', '-']).take(2).collect();
    format!("a machine of {cores} {kind} ({model}) with Linux {}", version.join("."))
}

fn picture(rows: &[Row]) -> String {
    let line = |of: fn(&Row) -> f64| rows.iter().map(|row| (row.calls as f64, of(row))).collect();
    plot::svg(
        "CPU per relayed packet, microseconds",
        "calls at a time",
        &[
            plot::Line {
                name: "Offhook",
                colour: "#1f6f8b",
                points: line(|r| r.ours.us_per_packet()),
            },
            plot::Line {
                name: "bare epoll relay",
                colour: "#99582a",
                points: line(|r| r.floor.us_per_packet()),
            },
        ],
    )
}
