//! What workflows want kept.

use jiff::Timestamp;
use offhook_flows::store::*;

use super::{folder, opened};

fn wait<T>(kept: offhook_flows::store::Kept<T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(kept).unwrap()
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + second).unwrap()
}

fn version(machine: &str, definition: &str) -> PublishedVersion {
    PublishedVersion {
        machine: machine.into(),
        version: 0,
        kind: MachineType::Express,
        definition: definition.into(),
        digest: "d".into(),
        description: "first".into(),
        published: at(1),
        inherits_from_machine: true,
    }
}

pub(super) fn record(name: &str, started: i64) -> ExecutionRecord {
    ExecutionRecord {
        arn: format!("arn:aws:states:us-east-1:1:execution:m:{name}"),
        machine: "m".into(),
        name: name.into(),
        version: 3,
        alias: Some("live".into()),
        status: ExecutionStatus::Running,
        started: at(started),
        stopped: None,
        input: "{}".to_owned().into(),
        output: None,
        error: None,
        cause: None,
        transaction_id: Some(format!("call-{name}")),
        started_by: Some("arn/1".into()),
    }
}

fn change(record: ExecutionRecord, new: bool) -> ExecutionChange {
    ExecutionChange { record, snapshot: Some(vec![0, 255, 1]), history: Vec::new(), new }
}

#[test]
fn versions_are_numbered_for_each_machine_and_a_number_is_not_given_twice() {
    let (_folder, path) = folder();
    let store = opened(&path);
    assert_eq!(wait(store.publish_version(version("a", "1"))), 1);
    assert_eq!(wait(store.publish_version(version("a", "2"))), 2);
    assert_eq!(wait(store.publish_version(version("b", "1"))), 1);
    assert!(wait(store.delete_version("a".into(), 2)));
    assert!(!wait(store.delete_version("a".into(), 2)));
    assert_eq!(wait(store.publish_version(version("a", "3"))), 3);
    drop(store);
    let store = opened(&path);
    let versions = wait(store.list_versions(Some("a".into())));
    assert_eq!(versions.iter().map(|v| v.version).collect::<Vec<_>>(), [3, 1]);
    assert_eq!(wait(store.list_versions(None)).len(), 3);
    let numbers = [("a".to_owned(), 3), ("a".to_owned(), 1), ("b".to_owned(), 1)];
    assert_eq!(wait(store.list_numbers()), numbers);
    let found = wait(store.get_version("a".into(), 3)).unwrap();
    assert_eq!(found, PublishedVersion { version: 3, ..version("a", "3") });
    assert_eq!(wait(store.get_version("a".into(), 2)), None);
    let find = |number| wait(store.find_version("a".into(), number)).map(|(found, _)| found);
    assert_eq!((find(None), find(Some(1)), find(Some(2))), (Some(3), Some(1), None));
    assert_eq!(wait(store.find_version("nobody".into(), None)), None);
}

#[test]
fn an_alias_is_replaced_whole() {
    let (_folder, path) = folder();
    let store = opened(&path);
    let mut alias = Alias {
        machine: "a".into(),
        name: "live".into(),
        routes: vec![Route { version: 1, weight: 100 }],
        former: Vec::new(),
        updated: at(1),
    };
    wait(store.put_alias(alias.clone()));
    alias.former = std::mem::take(&mut alias.routes);
    alias.routes = vec![Route { version: 1, weight: 90 }, Route { version: 2, weight: 10 }];
    wait(store.put_alias(alias.clone()));
    assert_eq!(wait(store.list_aliases(None)), [alias]);
    assert!(wait(store.delete_alias("a".into(), "live".into())));
    assert!(wait(store.list_aliases(Some("a".into()))).is_empty());
}

#[test]
fn the_name_of_an_execution_is_taken_once() {
    let (_folder, path) = folder();
    let store = opened(&path);
    assert_eq!(wait(store.save_execution(change(record("x", 1), true))), Saved::Yes);
    assert_eq!(wait(store.save_execution(change(record("x", 2), true))), Saved::NameTaken);
    let found = wait(store.get_execution(record("x", 1).arn));
    assert_eq!(found, Some(record("x", 1)));
}

#[test]
fn an_execution_that_ended_needs_no_snapshot_and_keeps_its_history() {
    let (_folder, path) = folder();
    let store = opened(&path);
    let mut first = change(record("x", 1), true);
    first.history = vec![(1, "\"one\"".into()), (2, "\"two\"".into())];
    wait(store.save_execution(first));
    wait(store.save_execution(change(record("y", 2), true)));
    drop(store);
    let store = opened(&path);
    let unfinished = wait(store.unfinished_executions());
    assert_eq!(unfinished, [(record("x", 1), vec![0, 255, 1]), (record("y", 2), vec![0, 255, 1])]);

    let ended = ExecutionRecord {
        status: ExecutionStatus::TimedOut,
        stopped: Some(at(9)),
        error: Some("States.Timeout".into()),
        ..record("x", 1)
    };
    let history = vec![(3, "\"three\"".into())];
    let last = ExecutionChange { record: ended.clone(), snapshot: None, history, new: false };
    wait(store.save_execution(last));
    assert_eq!(wait(store.unfinished_executions()).len(), 1);
    assert_eq!(wait(store.get_execution(ended.arn.clone())), Some(ended.clone()));
    let history = wait(store.execution_history(ended.arn.clone(), 1, 10));
    assert_eq!(history, ["\"two\"", "\"three\""]);
    assert_eq!(wait(store.execution_history(ended.arn, 0, 1)), ["\"one\""]);
}

#[test]
fn executions_are_listed_newest_first_by_what_is_asked_for() {
    let (_folder, path) = folder();
    let store = opened(&path);
    for (name, started) in [("a", 1), ("b", 3), ("c", 2)] {
        wait(store.save_execution(change(record(name, started), true)));
    }
    let done = ExecutionRecord {
        status: ExecutionStatus::Succeeded,
        stopped: Some(at(5)),
        ..record("b", 3)
    };
    wait(store.save_execution(change(done, false)));
    let names = |filter: ExecutionFilter| {
        let found = wait(store.list_executions(filter));
        found.into_iter().map(|r| r.name).collect::<Vec<_>>()
    };
    let all = ExecutionFilter { limit: 10, ..ExecutionFilter::default() };
    assert_eq!(names(all.clone()), ["b", "c", "a"]);
    assert_eq!(names(ExecutionFilter { limit: 1, ..all.clone() }), ["b"]);
    let running = Some(ExecutionStatus::Running);
    assert_eq!(names(ExecutionFilter { status: running, ..all.clone() }), ["c", "a"]);
    let call = Some("call-a".to_owned());
    assert_eq!(names(ExecutionFilter { transaction_id: call, ..all.clone() }), ["a"]);
    for (beginning, found) in [("call-", &["b", "c", "a"][..]), ("call-b", &["b"]), ("all-", &[])] {
        let call = Some(beginning.to_owned());
        assert_eq!(names(ExecutionFilter { transaction_id: call, ..all.clone() }), found);
    }
    assert_eq!(names(ExecutionFilter { name: Some("c".into()), ..all.clone() }), ["c"]);
    assert!(names(ExecutionFilter { machine: Some("other".into()), ..all }).is_empty());
}

fn put(key: &[u8], expect: Expect, body: &[u8], due: Option<Timestamp>) -> EntryChange {
    let write = EntryWrite::Put { body: body.to_vec(), due };
    EntryChange { space: "s".into(), key: key.to_vec(), expect, write }
}

#[test]
fn entries_are_changed_all_or_none_and_only_as_they_were_expected() {
    let (_folder, path) = folder();
    let store = opened(&path);
    assert!(wait(store.change_entries(vec![put(b"a", Expect::Absent, b"1", None)])));
    let first = wait(store.get_entry("s".into(), b"a".to_vec())).unwrap();
    let both = vec![
        put(b"b", Expect::Any, b"2", None),
        put(b"a", Expect::Revision(first.revision + 1), b"2", None),
    ];
    assert!(!wait(store.change_entries(both)));
    assert_eq!(wait(store.get_entry("s".into(), b"b".to_vec())), None);
    assert!(!wait(store.change_entries(vec![put(b"a", Expect::Absent, b"2", None)])));
    let right = Expect::Revision(first.revision);
    assert!(wait(store.change_entries(vec![put(b"a", right, b"2", None)])));
    let second = wait(store.get_entry("s".into(), b"a".to_vec())).unwrap();
    assert_eq!(second.body, b"2");
    assert!(second.revision > first.revision);
    let delete = EntryChange { write: EntryWrite::Delete, ..put(b"a", Expect::Any, b"", None) };
    assert!(wait(store.change_entries(vec![delete])));
    // One made anew is not taken for the one that was there before.
    wait(store.change_entries(vec![put(b"a", Expect::Absent, b"3", None)]));
    let third = wait(store.get_entry("s".into(), b"a".to_vec())).unwrap();
    assert!(third.revision > second.revision);
}

#[test]
fn a_range_is_read_in_the_order_of_bytes_from_either_end() {
    let (_folder, path) = folder();
    let store = opened(&path);
    let keys: [&[u8]; 4] = [b"\x00", b"a", b"a\xff", b"b"];
    let changes = keys.iter().map(|key| put(key, Expect::Any, b"x", None)).collect();
    wait(store.change_entries(changes));
    let keys_of = |range: EntryRange| {
        let found = wait(store.range_entries(range));
        found.into_iter().map(|e| e.key).collect::<Vec<_>>()
    };
    let all = EntryRange { space: "s".into(), limit: 10, ..EntryRange::default() };
    assert_eq!(keys_of(all.clone()), keys.map(<[u8]>::to_vec));
    let part = EntryRange { from: b"a".to_vec(), to: Some(b"b".to_vec()), ..all.clone() };
    assert_eq!(keys_of(part.clone()), [b"a".to_vec(), b"a\xff".to_vec()]);
    let last = EntryRange { reverse: true, limit: 1, ..part };
    assert_eq!(keys_of(last), [b"a\xff".to_vec()]);
    assert!(keys_of(EntryRange { space: "t".into(), ..all }).is_empty());
}

#[test]
fn what_is_due_comes_in_the_order_of_its_time() {
    let (_folder, path) = folder();
    let store = opened(&path);
    wait(store.change_entries(vec![
        put(b"late", Expect::Any, b"", Some(at(20))),
        put(b"soon", Expect::Any, b"", Some(at(10))),
        put(b"never", Expect::Any, b"", None),
        put(b"far", Expect::Any, b"", Some(at(1_000))),
    ]));
    assert_eq!(wait(store.next_due("s".into())), Some(at(10)));
    let due = wait(store.due_entries("s".into(), at(20), 10));
    assert_eq!(due.iter().map(|e| e.key.as_slice()).collect::<Vec<_>>(), [b"soon", b"late"]);
    assert_eq!(wait(store.next_due("t".into())), None);
}

#[test]
fn executions_that_ended_long_ago_are_thrown_away_with_all_that_is_theirs() {
    let (_folder, path) = folder();
    let store = opened(&path);
    for name in 0..45 {
        let mut ended = change(record(&name.to_string(), 1), true);
        ended.record.stopped = Some(at(2));
        ended.snapshot = None;
        ended.history = vec![(1, "1".into())];
        wait(store.save_execution(ended));
    }
    wait(store.save_execution(change(record("runs", 1), true)));
    drop(store);
    let connection = rusqlite::Connection::open(&path).unwrap();
    let limit = i64::try_from(at(100).as_nanosecond()).unwrap();
    let steps = (1..).find(|_| crate::flows::throw_away(&connection, limit).unwrap());
    assert_eq!(steps, Some(3));
    let count = |table: &str| -> i64 {
        let sql = format!("SELECT count(*) FROM {table}");
        connection.query_row(&sql, [], |row| row.get(0)).unwrap()
    };
    assert_eq!((count("flow_executions"), count("flow_events")), (1, 0));
    assert_eq!(count("flow_snapshots"), 1);
}

#[test]
fn a_version_of_before_has_its_states_language_from_around_and_one_of_now_from_the_machine() {
    let (_folder, path) = folder();
    let old = rusqlite::Connection::open(&path).unwrap();
    for migration in crate::schema::MIGRATIONS.iter().take(12) {
        old.execute_batch(migration).unwrap();
    }
    old.execute_batch(
        "PRAGMA application_id = 0x4f464648; PRAGMA user_version = 12;
         INSERT INTO flow_numbers VALUES ('a', 1);
         INSERT INTO flow_versions
         (machine, version, kind, definition, digest, description, published)
         VALUES ('a', 1, 'STANDARD', '{}', 'd', '', 1)",
    )
    .unwrap();
    drop(old);
    let store = opened(&path);
    assert_eq!(wait(store.publish_version(version("a", "2"))), 2);
    let versions = wait(store.list_versions(Some("a".into())));
    assert_eq!(versions.iter().map(|v| v.inherits_from_machine).collect::<Vec<_>>(), [true, false]);
}
