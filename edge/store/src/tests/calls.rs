//! Call records and timelines.

use super::*;

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
    assert_eq!(open.failure.as_deref(), Some("lost"), "it has a remedy in the catalogue");
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
    let steps = || {
        (1..100)
            .find(|_| prune::step_at(&connection, &store.shared, SystemTime::now(), true).unwrap())
            .expect("it ends")
    };
    store.set_retention(0, 0);
    assert_eq!((steps(), events()), (1, 150));
    store.set_retention(90, 0);
    // Under a clock that may be ahead nothing is old.
    let doubted = SystemTime::now() + day * 3_650;
    assert!(prune::step_at(&connection, &store.shared, doubted, false).unwrap());
    assert_eq!(events(), 150);
    assert_eq!((steps(), events()), (2, 90));
    store.set_retention(90, 10);
    assert_eq!((steps(), events()), (2, 10));
    let left = wait(store.list_calls(99)).unwrap();
    assert_eq!(left.first().unwrap().id, "c000");
    assert_eq!(left.len(), 10);
}

#[test]
fn a_clock_that_is_far_ahead_is_believed_only_after_a_day() {
    let newest = later(0);
    let day = Duration::from_secs(86_400);
    let believable = |ahead, running| prune::is_believable(newest + ahead, newest, running);
    assert!(believable(day, Duration::ZERO));
    assert!(!believable(day * 365, Duration::ZERO));
    assert!(believable(day * 365, day));
    // Behind, nothing is old anyway.
    assert!(prune::is_believable(SystemTime::UNIX_EPOCH, newest, Duration::ZERO));
}

#[test]
fn transfers_are_kept_with_their_call_also_in_a_database_of_before() {
    let (_folder, path) = folder();
    let old = Connection::open(&path).unwrap();
    old.execute_batch(crate::schema::FIRST).unwrap();
    old.execute_batch("PRAGMA application_id = 0x4f464648; PRAGMA user_version = 1").unwrap();
    old.execute_batch(
        "INSERT INTO calls (id, started, caller, dialled, source, disposition)
         VALUES ('old', 1, '101', '102', 'extension:101', 'answered')",
    )
    .unwrap();
    drop(old);
    let store = opened(&path);
    let (before, _) = wait(store.show_call("old".into())).unwrap().unwrap();
    assert!(before.to == "102" && before.transfers.is_empty());
    let transfer = |to: &str, status| Transferred {
        at: later(1),
        by: "extension:101".into(),
        to: to.into(),
        attended: status == Some(200),
        status,
    };
    let transfers =
        vec![transfer("102", Some(486)), transfer("103", None), transfer("1", Some(200))];
    let record = CallRecord { transfers, ..call("new", later(0)) };
    wait(store.put_call(record.clone())).unwrap();
    assert_eq!(wait(store.show_call("new".into())).unwrap().unwrap().0, record);
}

#[test]
fn who_listened_is_kept_with_the_call() {
    use offhook_pbx::keep::{Supervised, Supervising};
    let (_folder, path) = folder();
    let store = opened(&path);
    let one = |how, until| Supervised { at: later(1), until, by: "extension:100".into(), how };
    let supervised = vec![
        one(Supervising::Listen, None),
        one(Supervising::Whisper, Some(later(2))),
        one(Supervising::Barge, Some(later(3))),
    ];
    let record = CallRecord { supervised, ..call("new", later(0)) };
    wait(store.put_call(record.clone())).unwrap();
    assert_eq!(wait(store.show_call("new".into())).unwrap().unwrap().0, record);
}

#[test]
fn a_call_is_found_by_its_transaction_and_by_connects_contact() {
    use offhook_pbx::keep::{CallFilter, CloudIds};
    let (_folder, path) = folder();
    let store = opened(&path);
    let cloud = CloudIds {
        transaction_id: Some("t-1".into()),
        sip_media_application_id: Some("sma-1".into()),
        contact_id: Some("c-2".into()),
        initial_contact_id: Some("c-1".into()),
    };
    let known = CallRecord { cloud, ..call("known", later(1)) };
    wait(store.put_call(known.clone())).unwrap();
    wait(store.put_call(call("other", later(0)))).unwrap();
    assert_eq!(wait(store.show_call("known".into())).unwrap().unwrap().0, known);
    let found = |contact: Option<&str>, transaction: Option<&str>| {
        let of = |text: Option<&str>| text.map(str::to_owned);
        let filter = CallFilter { contact: of(contact), transaction: of(transaction) };
        let found = wait(store.find_calls(filter.clone(), 9)).unwrap();
        assert!(found.iter().all(|call| filter.takes(call)));
        found.into_iter().map(|call| call.id).collect::<Vec<_>>()
    };
    assert_eq!(found(Some("c-1"), None), ["known"]);
    assert_eq!(found(Some("c-2"), Some("t-1")), ["known"]);
    assert_eq!(found(None, Some("other")), ["other"]);
    assert!(found(Some("c-3"), None).is_empty());
    assert!(found(Some("c-1"), Some("other")).is_empty());
    assert_eq!(found(None, None), ["known", "other"]);
}
