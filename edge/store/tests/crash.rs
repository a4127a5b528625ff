//! `kill -9` of a process that writes: everything that it was told is kept is there afterwards.

// clippy.toml knows the bodies of tests only, not what they call.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod killed;

use std::time::{Duration, SystemTime};

use offhook_pbx::event::{CallEvent, CallEventKind};
use offhook_pbx::keep::{
    Binding, BindingChange, Bindings, CallRecord, Calls, Kept, Transport, Voicemail, Voicemails,
};
use offhook_store::{Options, Store};

fn wait<T>(kept: Kept<T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(kept).unwrap()
}

fn binding(i: usize) -> Binding {
    Binding {
        aor: format!("u{i}"),
        contact: format!("sip:u{i}@192.0.2.1"),
        call_id: "c".into(),
        cseq: 1,
        expires: SystemTime::now() + Duration::from_secs(3_600),
        transport: Transport::Udp,
        received: "192.0.2.1:5060".parse().unwrap(),
        local: "192.0.2.2:5060".parse().unwrap(),
        user_agent: None,
        path: Vec::new(),
        instance: None,
        ice: false,
    }
}

fn call(id: &str) -> CallRecord {
    CallRecord {
        id: id.into(),
        started: SystemTime::now(),
        answered: None,
        ended: None,
        from: "101".into(),
        to: "102".into(),
        original_caller: None,
        source: "extension:101".into(),
        destination: None,
        disposition: "answered".into(),
        failure: None,
        hung_up_by: None,
        transfers: Vec::new(),
        supervised: Vec::new(),
        cloud: Default::default(),
    }
}

fn message(id: &str) -> Voicemail {
    Voicemail {
        id: id.into(),
        mailbox: "101".into(),
        caller: "102".into(),
        original_caller: None,
        call_id: "c".into(),
        received: SystemTime::now(),
        duration_ms: 0,
        file: format!("/nowhere/{id}.wav").into(),
        heard: false,
        saved: false,
    }
}

/// Does nothing in an ordinary test run.
#[test]
fn child_writes_until_it_is_killed() {
    let Some((store, round)) = killed::child() else { return };
    for i in 0..usize::MAX {
        let id = format!("{round}-{i}");
        // Two bindings in one change: both are there, or none is.
        let pair = [2 * i, 2 * i + 1].map(|n| BindingChange::Put(binding(n)));
        let bindings = store.change_bindings(pair.into());
        let text = "x".repeat(200);
        let event =
            CallEvent { at: SystemTime::now(), leg: None, kind: CallEventKind::Note { text } };
        store.append_events(id.clone(), vec![event.clone(), event]);
        let record = store.put_call(call(&id));
        wait(bindings);
        wait(record);
        if i % 8 == 0 {
            wait(store.begin_voicemail(message(&id)));
            wait(store.finish_voicemail(id.clone(), 1_000));
        }
        killed::kept(i);
    }
}

#[test]
fn what_was_answered_ok_survives_kill_9_at_any_moment() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("offhook.db");
    let mut acknowledged = Vec::new();
    for round in 0..5usize {
        // Another moment each time.
        let last = killed::kill_after(20 + 37 * round, &path, round);
        acknowledged.push(last);

        let store = Store::open(&path, &Options::default()).unwrap();
        let bindings = wait(store.load_bindings());
        assert_eq!(bindings.len() % 2, 0, "a change was half-written");
        let most = acknowledged.iter().max().unwrap();
        assert!(bindings.len() >= 2 * (most + 1), "{} of {most}", bindings.len());
        let messages = wait(store.list_voicemails("101".into()));
        for (round, last) in acknowledged.iter().enumerate() {
            for i in 0..=*last {
                let id = format!("{round}-{i}");
                // A whole id, though others begin with it.
                let (_, events) = wait(store.show_call(id.clone())).expect("the call is there");
                assert_eq!(events.len(), 2, "{id}");
                let voicemail = messages.iter().any(|message| message.id == id);
                assert_eq!(voicemail, i % 8 == 0, "{id}");
            }
        }
    }
}
