//! What a process costs: CPU by the scheduler's own clock, memory by its proportional share.

use std::fs;

use thread_priority::{
    RealtimeThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy,
    set_thread_priority_and_policy, thread_native_id,
};

/// CPU seconds that all threads of `pid` have run, in nanosecond resolution
/// (`/proc/PID/task/*/schedstat`). Threads that ended are not counted; the daemon keeps its own.
pub(crate) fn cpu_seconds(pid: u32) -> f64 {
    scheduled(pid, 0)
}

/// Seconds that all threads of `pid` could have run and had no core, because others ran there: how
/// far latencies are this machine's and not the program's.
pub(crate) fn delayed_seconds(pid: u32) -> f64 {
    scheduled(pid, 1)
}

/// A column of the scheduler's clock, which is in nanoseconds.
fn scheduled(pid: u32, column: usize) -> f64 {
    let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else { return 0.0 };
    let nanos: u64 = tasks
        .filter_map(|task| {
            let text = fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
            text.split_whitespace().nth(column)?.parse::<u64>().ok()
        })
        .sum();
    nanos as f64 / 1e9
}

/// Makes the thread that asks a real-time one, as the appliance's media threads are: where the bare
/// relay or the load waited for its core behind others, its figures would be theirs.
pub(crate) fn go_first() {
    let policy = ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::RoundRobin);
    // Where that is not allowed, the appliance's are not either.
    let _ = set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, policy);
}

/// CPU seconds that the thread which asks has run.
pub(crate) fn own_cpu_seconds() -> f64 {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split_whitespace().next().and_then(|n| n.parse::<u64>().ok()).unwrap_or(0) as f64 / 1e9
}

/// CPU seconds that the thread of this name, of this process, has run.
pub(crate) fn thread_cpu_seconds(name: &str) -> f64 {
    let Some(task) = thread(name) else { return 0.0 };
    let text = fs::read_to_string(format!("/proc/self/task/{task}/schedstat")).unwrap_or_default();
    text.split_whitespace().next().and_then(|n| n.parse::<u64>().ok()).unwrap_or(0) as f64 / 1e9
}

/// The number of the thread of this name, of this process.
pub(crate) fn thread(name: &str) -> Option<u32> {
    let tasks = fs::read_dir("/proc/self/task").ok()?;
    tasks.filter_map(|task| task.ok()?.file_name().to_str()?.parse().ok()).find(|task: &u32| {
        let called = fs::read_to_string(format!("/proc/self/task/{task}/comm"));
        called.is_ok_and(|called| called.trim() == name)
    })
}

/// Proportional set size in kilobytes (`/proc/PID/smaps_rollup`).
pub(crate) fn pss_kb(pid: u32) -> f64 {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    let line = text.lines().find_map(|l| l.strip_prefix("Pss:"));
    line.and_then(|l| l.split_whitespace().next()?.parse().ok()).unwrap_or(0.0)
}
