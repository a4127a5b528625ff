//! `kill -9` of a process that keeps executions, definitions and entries: everything that it was
//! told is kept is there afterwards, and nothing is there by half.

// clippy.toml knows the bodies of tests only, not what they call.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod killed;

use jiff::Timestamp;
use offhook_flows::store::{
    Definitions, Entries, EntryChange, EntryRange, EntryWrite, ExecutionChange, ExecutionRecord,
    ExecutionStatus, Executions, Expect, Kept, MachineType, PublishedVersion, Saved,
};
use offhook_store::{Options, Store};

fn wait<T>(kept: Kept<T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(kept).unwrap()
}

fn arn(name: &str) -> String {
    format!("arn:aws:states:us-east-1:000000000000:execution:m:{name}")
}

fn change(name: &str, step: u64) -> ExecutionChange {
    let ended = step == 2;
    let record = ExecutionRecord {
        arn: arn(name),
        machine: "m".into(),
        name: name.into(),
        version: 1,
        alias: None,
        status: if ended { ExecutionStatus::Succeeded } else { ExecutionStatus::Running },
        started: Timestamp::UNIX_EPOCH,
        stopped: ended.then_some(Timestamp::UNIX_EPOCH),
        input: "{}".to_owned().into(),
        output: None,
        error: None,
        cause: None,
        transaction_id: None,
        started_by: None,
    };
    ExecutionChange {
        record,
        snapshot: (!ended).then(|| step.to_be_bytes().to_vec()),
        // Two events a step: the snapshot is of the last of them.
        history: vec![(2 * step + 1, "1".into()), (2 * step + 2, "2".into())],
        new: step == 0,
    }
}

/// Moves a schedule that is due: what fires is written in the same change as what is left.
fn fire(name: &str) -> Vec<EntryChange> {
    let write = EntryWrite::Put { body: name.into(), due: Some(Timestamp::UNIX_EPOCH) };
    ["schedules", "fired"]
        .map(|space| EntryChange {
            space: space.into(),
            key: name.into(),
            expect: Expect::Absent,
            write: write.clone(),
        })
        .into()
}

/// Does nothing in an ordinary test run.
#[test]
fn child_writes_until_it_is_killed() {
    let Some((store, round)) = killed::child() else { return };
    for i in 0..usize::MAX {
        let name = format!("{round}-{i}");
        assert_eq!(wait(store.save_execution(change(&name, 0))), Saved::Yes);
        wait(store.save_execution(change(&name, 1)));
        if i % 2 == 0 {
            wait(store.save_execution(change(&name, 2)));
        }
        assert!(wait(store.change_entries(fire(&name))));
        let version = PublishedVersion {
            machine: name,
            version: 0,
            kind: MachineType::Standard,
            definition: "{}".into(),
            digest: String::new(),
            description: String::new(),
            published: Timestamp::UNIX_EPOCH,
            inherits_from_machine: true,
        };
        assert_eq!(wait(store.publish_version(version)), 1);
        killed::kept(i);
    }
}

#[test]
fn executions_definitions_and_entries_survive_kill_9_at_any_moment() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("offhook.db");
    for round in 0..4usize {
        let last = killed::kill_after(10 + 7 * round, &path, round);
        let store = Store::open(&path, &Options::default()).unwrap();
        look_at(&store, round, last);
    }
}

fn look_at(store: &Store, round: usize, last: usize) {
    let unfinished = wait(store.unfinished_executions());
    for (record, snapshot) in &unfinished {
        let step = u64::from_be_bytes(snapshot.as_slice().try_into().unwrap());
        let history = wait(store.execution_history(record.arn.clone(), 0, 100));
        assert_eq!(history.len() as u64, 2 * step + 2, "{}", record.arn);
    }
    for i in 0..=last {
        let name = format!("{round}-{i}");
        let record = wait(store.get_execution(arn(&name))).expect("the execution is there");
        let runs = unfinished.iter().any(|(record, _)| record.name == name);
        assert_eq!(runs, i % 2 == 1, "{name}");
        assert_eq!(record.stopped.is_some(), i % 2 == 0, "{name}");
        assert!(wait(store.get_version(name, 1)).is_some());
    }
    let keys = |space: &str| {
        let limit = usize::MAX;
        let range = EntryRange { space: space.into(), limit, ..EntryRange::default() };
        let found = wait(store.range_entries(range));
        found.into_iter().map(|entry| entry.key).collect::<Vec<_>>()
    };
    let fired = keys("fired");
    assert_eq!(fired, keys("schedules"), "a change was half-written");
    for i in 0..=last {
        assert!(fired.contains(&format!("{round}-{i}").into_bytes()));
    }
}
