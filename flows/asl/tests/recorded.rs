//! Runs the executions that were recorded on AWS and compares everything the machine itself does.
//!
//! What services answered is replayed from the recording. Placeholders such as `<uuid:1>` stand for
//! values that vary. The recordings lie beside the project (`../shared/data/asl-recorded`); without
//! them this says so and passes.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "helpers of tests")]

#[path = "support/compare.rs"]
mod compare;
#[path = "support/replay.rs"]
mod replay;

use replay::{Case, load_cases};

fn run(title: &str, snapshots: bool, only: impl Fn(&Case) -> bool) {
    let Some(cases) = load_cases() else {
        println!("{title}: no recorded executions beside the project; nothing was compared");
        return;
    };
    let cases: Vec<Case> = cases.into_iter().filter(only).collect();
    let mut wrong = Vec::new();
    for case in &cases {
        if let Err(why) = replay::check(case, snapshots) {
            wrong.push(format!("{}\n    {}", case.id, why.replace('\n', "\n    ")));
        }
    }
    println!("{title}: {} of {} agree", cases.len() - wrong.len(), cases.len());
    assert!(wrong.is_empty(), "{} do not agree:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_recorded_execution_agrees_with_aws() {
    run("recorded", false, |_| true);
}

#[test]
fn an_execution_written_down_and_restored_at_every_step_is_the_same() {
    run("recorded, restored at every step", true, |case| case.pure || case.has_history());
}
