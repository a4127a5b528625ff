use std::path::PathBuf;
use std::time::UNIX_EPOCH;

use offhook_pbx::event::{CallEvent, CallEventKind, Direction};
use offhook_pbx::keep::*;
use tempfile::TempDir;

use super::*;

/// Awaits a store's answer on this thread.
fn wait<T>(kept: Kept<T>) -> Result<T, KeepError> {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(kept)
}

fn folder() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("offhook.db");
    (folder, path)
}

/// No maintenance and no lingering: nothing happens by itself.
fn quiet() -> Options {
    Options { linger: Duration::ZERO, maintain: false, ..Options::default() }
}

fn opened(path: &Path) -> Store {
    Store::open(path, &quiet()).unwrap()
}

fn later(seconds: u64) -> SystemTime {
    // Whole nanoseconds, as the store keeps them.
    SystemTime::now() + Duration::from_secs(seconds)
}

fn binding(aor: &str, contact: &str, expires: SystemTime) -> Binding {
    Binding {
        aor: aor.into(),
        contact: contact.into(),
        call_id: "c1".into(),
        cseq: 4_294_967_295,
        expires,
        transport: Transport::Tls,
        received: "[2001:db8::1]:5061".parse().unwrap(),
        local: "192.0.2.1:5061".parse().unwrap(),
        user_agent: Some("Desk \"7\"".into()),
        path: vec!["<sip:a;lr>".into(), "<sip:b;lr>, <sip:c>".into()],
        instance: Some("<urn:uuid:1>".into()),
    }
}

fn call(id: &str, started: SystemTime) -> CallRecord {
    CallRecord {
        id: id.into(),
        started,
        answered: Some(started + Duration::from_secs(3)),
        ended: None,
        from: "+15551230000".into(),
        to: "101".into(),
        original_caller: Some("+442079460000".into()),
        source: "trunk:connect".into(),
        destination: None,
        disposition: "answered".into(),
        failure: None,
        hung_up_by: Some("caller".into()),
    }
}

fn note(text: &str, at: SystemTime) -> CallEvent {
    let kind = CallEventKind::Note { text: text.into() };
    CallEvent { at, leg: Some("A".into()), kind }
}

fn message(id: &str, file: &Path) -> Voicemail {
    Voicemail {
        id: id.into(),
        mailbox: "101".into(),
        caller: "+15551230000".into(),
        original_caller: None,
        call_id: "c".into(),
        received: later(0),
        duration_ms: 0,
        file: file.to_owned(),
        heard: false,
        saved: false,
    }
}

#[test]
fn an_extension_is_kept_whole_and_its_registrations_go_with_it() {
    let (_folder, path) = folder();
    let extension = Extension {
        number: "101".into(),
        name: "Zoë".into(),
        ha1_md5: "m".into(),
        ha1_sha256: "s".into(),
        realm: "offhook".into(),
        voicemail: true,
        pin: Some("$salt$hash".into()),
        do_not_disturb: true,
        greeting: Some("101/greeting.wav".into()),
    };
    let store = opened(&path);
    wait(store.put_extension(Extension { name: "old".into(), ..extension.clone() })).unwrap();
    wait(store.put_extension(extension.clone())).unwrap();
    wait(store.change_bindings(vec![BindingChange::Put(binding("101", "a", later(60)))])).unwrap();
    drop(store);
    let store = opened(&path);
    assert_eq!(wait(store.load_extensions()).unwrap(), [extension]);
    assert!(wait(store.remove_extension("101".into())).unwrap());
    assert!(!wait(store.remove_extension("101".into())).unwrap());
    assert_eq!(wait(store.load_bindings()).unwrap(), []);
}

#[test]
fn bindings_are_replaced_by_contact_and_forgotten_when_expired() {
    let (_folder, path) = folder();
    let store = opened(&path);
    let (a, b) = (binding("101", "sip:a", later(60)), binding("101", "sip:b", later(60)));
    let expired = binding("102", "sip:x", UNIX_EPOCH + Duration::from_secs(1));
    let puts = [&a, &b, &expired].map(|binding| BindingChange::Put(binding.clone()));
    wait(store.change_bindings(puts.into())).unwrap();
    let newer = Binding { cseq: 7, path: Vec::new(), instance: None, ..a.clone() };
    wait(store.change_bindings(vec![
        BindingChange::Put(newer.clone()),
        BindingChange::Remove { aor: "101".into(), contact: "sip:b".into() },
    ]))
    .unwrap();
    drop(store);
    assert_eq!(wait(opened(&path).load_bindings()).unwrap(), [newer]);
}

#[test]
fn a_call_is_shown_with_its_timeline_by_a_unique_beginning_of_its_id() {
    let (_folder, path) = folder();
    let store = opened(&path);
    let start = later(0);
    for (id, seconds) in [("aa11", 0), ("aa22", 1), ("b", 2), ("bb", 3)] {
        wait(store.put_call(call(id, start + Duration::from_secs(seconds)))).unwrap();
    }
    let sip = CallEventKind::Sip {
        direction: Direction::In,
        line: "INVITE".into(),
        cseq: "1 INVITE".into(),
        peer: "UDP 192.0.2.1:5060".into(),
        body: None,
    };
    let first = CallEvent { at: start, leg: None, kind: sip };
    store.append_events("aa11".into(), vec![first.clone(), note("x", start)]);
    store.append_events("aa11".into(), vec![note("y", start)]);
    wait(store.put_call(CallRecord { ended: Some(start), ..call("aa11", start) })).unwrap();

    let listed = wait(store.list_calls(3)).unwrap();
    assert_eq!(listed.iter().map(|c| c.id.as_str()).collect::<Vec<_>>(), ["bb", "b", "aa22"]);
    let (record, events) = wait(store.show_call("aa1".into())).unwrap().unwrap();
    assert_eq!(record, CallRecord { ended: Some(start), ..call("aa11", start) });
    assert_eq!(events, [first, note("x", start), note("y", start)]);
    // The whole id of one call that another one's begins with.
    assert_eq!(wait(store.show_call("b".into())).unwrap().unwrap().0.id, "b");
    assert_eq!(wait(store.show_call("zz".into())).unwrap(), None);
    let error = wait(store.show_call("aa".into())).unwrap_err();
    assert!(error.to_string().contains("several calls begin with aa"), "{error}");
}

#[test]
fn calls_that_a_killed_daemon_left_open_end_as_lost_with_their_last_event() {
    let (_folder, path) = folder();
    let store = opened(&path);
    let start = later(0);
    let last = start + Duration::from_secs(9);
    wait(store.put_call(call("open", start))).unwrap();
    wait(store.put_call(CallRecord { ended: Some(last), ..call("done", start) })).unwrap();
    store.append_events("open".into(), vec![note("x", last)]);
    assert_eq!(wait(store.close_lost_calls()).unwrap(), 1);
    let (open, _) = wait(store.show_call("open".into())).unwrap().unwrap();
    assert_eq!((open.disposition.as_str(), open.ended), ("lost", Some(last)));
    let (done, _) = wait(store.show_call("done".into())).unwrap().unwrap();
    assert_eq!(done.disposition, "answered");
}

#[test]
fn an_event_that_is_not_understood_is_shown_as_a_note() {
    let (_folder, path) = folder();
    let store = opened(&path);
    wait(store.put_call(call("c", later(0)))).unwrap();
    store.append_events("c".into(), vec![note("x", UNIX_EPOCH)]);
    wait(store.put_call(call("c", later(0)))).unwrap();
    let raw = Connection::open(&path).unwrap();
    let json = r#"[{"at":7,"leg":"B","kind":{"event":"of-tomorrow"}}]"#;
    raw.execute("UPDATE events SET json = ?1", [json]).unwrap();
    let (_, events) = wait(store.show_call("c".into())).unwrap().unwrap();
    let kind = CallEventKind::Note { text: r#"{"event":"of-tomorrow"}"#.into() };
    let at = UNIX_EPOCH + Duration::from_nanos(7);
    assert_eq!(events, [CallEvent { at, leg: Some("B".into()), kind }]);
}

#[test]
fn events_that_find_no_room_are_counted_in_the_timeline() {
    let (_folder, path) = folder();
    let store = Store::open(&path, &Options { queued_events: 3, ..quiet() }).unwrap();
    wait(store.put_call(call("c", later(0)))).unwrap();
    store.append_events("c".into(), (0..4).map(|_| note("x", later(0))).collect());
    wait(store.put_call(call("c", later(0)))).unwrap();
    let (_, events) = wait(store.show_call("c".into())).unwrap().unwrap();
    let [CallEvent { kind: CallEventKind::Note { text }, .. }] = events.as_slice() else {
        panic!("{events:?}")
    };
    assert!(text.starts_with("events_lost: 4"), "{text}");
    store.append_events("c".into(), vec![note("fits", later(0))]);
    wait(store.put_call(call("c", later(0)))).unwrap();
    assert_eq!(wait(store.show_call("c".into())).unwrap().unwrap().1.len(), 2);
}

#[test]
fn a_message_is_listed_once_finished_and_its_file_goes_with_its_row() {
    let (folder, path) = folder();
    let store = opened(&path);
    let file = |name: &str| {
        let file = folder.path().join(name);
        std::fs::write(&file, "RIFF").unwrap();
        file
    };
    let (one, silent) = (message("1", &file("1.wav")), message("2", &file("2.wav")));
    wait(store.begin_voicemail(one.clone())).unwrap();
    wait(store.begin_voicemail(silent.clone())).unwrap();
    assert_eq!(wait(store.list_voicemails("101".into())).unwrap(), []);
    assert_eq!(wait(store.filled_mailboxes()).unwrap(), [""; 0]);
    assert_eq!(wait(store.unfinished_voicemails()).unwrap().len(), 2);

    wait(store.finish_voicemail("1".into(), 4_200)).unwrap();
    wait(store.finish_voicemail("2".into(), 0)).unwrap();
    assert!(!silent.file.exists(), "nothing was said");
    assert_eq!(wait(store.unfinished_voicemails()).unwrap(), []);
    assert_eq!(wait(store.filled_mailboxes()).unwrap(), ["101"]);

    wait(store.mark_voicemail("1".into(), true, true)).unwrap();
    let kept = Voicemail { duration_ms: 4_200, heard: true, saved: true, ..one.clone() };
    assert_eq!(wait(store.list_voicemails("101".into())).unwrap(), [kept]);
    assert!(wait(store.mark_voicemail("no".into(), true, true)).is_err());
    assert!(wait(store.finish_voicemail("no".into(), 1)).is_err());

    wait(store.delete_voicemail("1".into())).unwrap();
    wait(store.delete_voicemail("1".into())).unwrap();
    assert!(!one.file.exists());
    assert_eq!(wait(store.list_voicemails("101".into())).unwrap(), []);
}

#[test]
fn a_file_whose_row_went_before_a_kill_goes_at_the_next_start() {
    let (folder, path) = folder();
    let file = folder.path().join("left.wav");
    std::fs::write(&file, "RIFF").unwrap();
    drop(opened(&path));
    let raw = Connection::open(&path).unwrap();
    raw.execute("INSERT INTO trash VALUES (?1)", [file.to_str().unwrap()]).unwrap();
    drop(raw);
    // Closing waits for the threads, and the first maintenance comes with the start.
    let store = Store::open(&path, &Options { maintain: true, ..quiet() }).unwrap();
    wait(store.delete_voicemail("any".into())).unwrap();
    assert!(!file.exists());
}

#[test]
fn bans_are_kept_until_they_end_or_are_lifted() {
    let (_folder, path) = folder();
    let store = opened(&path);
    let ban = |source: &str, until| Ban {
        source: source.parse().unwrap(),
        reason: "wrong passwords".into(),
        failures: 11,
        since: UNIX_EPOCH,
        until,
    };
    let (v4, v6) = (ban("203.0.113.9", later(60)), ban("2001:db8::9", later(60)));
    for ban in [&v4, &v6, &ban("203.0.113.10", UNIX_EPOCH)] {
        wait(store.put_ban(ban.clone())).unwrap();
    }
    wait(store.remove_ban(v4.source)).unwrap();
    drop(store);
    assert_eq!(wait(opened(&path).load_bans()).unwrap(), [v6]);
}

#[test]
fn a_full_queue_refuses_at_once_and_the_rest_is_written() {
    let (_folder, path) = folder();
    // The writer waits for this other process's transaction.
    drop(opened(&path));
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let store = Store::open(&path, &Options { queue: 2, ..quiet() }).unwrap();
    let kept: Vec<_> = (0..20).map(|i| store.put_call(call(&i.to_string(), later(0)))).collect();
    other.execute_batch("COMMIT").unwrap();
    let answers: Vec<_> = kept.into_iter().map(wait).collect();
    let written = answers.iter().filter(|answer| answer.is_ok()).count();
    assert!((2..20).contains(&written), "{written}");
    assert!(
        answers.iter().flat_map(|a| a.as_ref().err()).all(|e| matches!(e, KeepError::Overloaded))
    );
    assert_eq!(wait(store.list_calls(100)).unwrap().len(), written);
}

#[test]
fn one_refused_write_does_not_spoil_the_others_of_its_transaction() {
    let (_folder, path) = folder();
    let store = Store::open(&path, &Options { linger: Duration::from_millis(20), ..quiet() });
    let store = store.unwrap();
    let before = store.put_call(call("before", later(0)));
    let failing = store.write(false, |connection| -> Result<(), lane::Refused> {
        lane::all_or_none(connection, || {
            connection.execute("DELETE FROM calls", [])?;
            connection.execute("INSERT INTO no_such_table VALUES (1)", [])?;
            Ok(())
        })
    });
    let after = store.put_call(call("after", later(0)));
    wait(before).unwrap();
    let error = wait(failing).unwrap_err();
    assert!(error.to_string().contains("no_such_table"), "{error}");
    wait(after).unwrap();
    assert_eq!(wait(store.list_calls(9)).unwrap().len(), 2);
}

#[test]
fn a_rolled_back_transaction_answers_nobody_with_ok() {
    let (_folder, path) = folder();
    let store = Store::open(&path, &Options { linger: Duration::from_millis(20), ..quiet() });
    let store = store.unwrap();
    let before = store.put_call(call("before", later(0)));
    // What a full disk does to a transaction.
    let full = store.write(false, |connection| Ok(connection.execute_batch("ROLLBACK")?));
    let after = store.put_call(call("after", later(0)));
    for answer in [before, full, after] {
        assert!(wait(answer).is_err());
    }
    assert_eq!(wait(store.list_calls(9)).unwrap(), []);
    wait(store.put_call(call("next", later(0)))).unwrap();
    assert_eq!(wait(store.list_calls(9)).unwrap().len(), 1);
}

#[test]
fn a_write_is_done_though_nobody_waits_for_it() {
    let (_folder, path) = folder();
    let store = opened(&path);
    drop(store.put_call(call("c", later(0))));
    drop(store);
    assert_eq!(wait(opened(&path).list_calls(9)).unwrap().len(), 1);
}

#[test]
fn two_processes_may_have_it_open() {
    let (_folder, path) = folder();
    let (daemon, command) = (opened(&path), opened(&path));
    wait(command.put_call(call("a", later(0)))).unwrap();
    wait(daemon.put_call(call("b", later(1)))).unwrap();
    for store in [daemon, command] {
        assert_eq!(wait(store.list_calls(9)).unwrap().len(), 2);
    }
}

#[test]
fn old_calls_are_thrown_away_in_steps_with_their_timelines() {
    let (_folder, path) = folder();
    let store = opened(&path);
    let day = Duration::from_secs(86_400);
    let mut kept = Vec::new();
    for i in 0..150u32 {
        let started = SystemTime::now() - day * i;
        kept.push(store.put_call(call(&format!("c{i:03}"), started)));
        store.append_events(format!("c{i:03}"), vec![note("x", started)]);
    }
    kept.into_iter().for_each(|answer| wait(answer).unwrap());
    let connection = schema::open_for_writing(&path, Duration::ZERO).unwrap();
    let events = || {
        let sql = "SELECT count(*) FROM events";
        connection.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap()
    };
    let steps =
        || (1..100).find(|_| prune::step(&connection, &store.shared).unwrap()).expect("it ends");
    store.set_retention(0, 0);
    assert_eq!((steps(), events()), (1, 150));
    store.set_retention(90, 0);
    assert_eq!((steps(), events()), (2, 90));
    store.set_retention(90, 10);
    assert_eq!((steps(), events()), (2, 10));
    let left = wait(store.list_calls(99)).unwrap();
    assert_eq!(left.first().unwrap().id, "c000");
    assert_eq!(left.len(), 10);
}

#[test]
fn a_database_that_cannot_be_used_says_why_and_what_to_do() {
    let (folder, path) = folder();
    let refused = |path: &Path| {
        let options = Options { busy: Duration::ZERO, ..quiet() };
        let error = Store::open(path, &options).expect_err("refused").to_string();
        assert!(error.contains(path.to_str().unwrap()), "{error}");
        error
    };
    let missing = folder.path().join("no/such/folder/offhook.db");
    assert!(refused(&missing).contains("check that the folder exists"));

    std::fs::write(&path, "this is no database at all, but long enough to look at").unwrap();
    assert!(refused(&path).contains("restore a backup"));
    assert!(std::fs::read_to_string(&path).unwrap().starts_with("this is no"), "left alone");

    let foreign = folder.path().join("foreign.db");
    Connection::open(&foreign).unwrap().execute_batch("CREATE TABLE t (x)").unwrap();
    assert!(refused(&foreign).contains("another program's"));

    let newer = folder.path().join("newer.db");
    drop(opened(&newer));
    Connection::open(&newer).unwrap().pragma_update(None, "user_version", 99).unwrap();
    assert!(refused(&newer).contains("format 99"));

    let locked = folder.path().join("locked.db");
    let other = Connection::open(&locked).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    assert!(refused(&locked).contains("locked by another process"));
}

#[cfg(unix)]
#[test]
fn only_its_owner_may_read_the_file() {
    use std::os::unix::fs::PermissionsExt;
    let (_folder, path) = folder();
    let store = opened(&path);
    wait(store.put_call(call("c", later(0)))).unwrap();
    for name in ["offhook.db", "offhook.db-wal"] {
        let mode = path.with_file_name(name).metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{name}: {mode:o}");
    }
}
