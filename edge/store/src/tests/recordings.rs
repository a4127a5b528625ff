use super::*;

fn recording(id: &str, started: SystemTime, file: &Path) -> Recording {
    Recording {
        id: id.into(),
        call_id: format!("call-{id}"),
        started,
        duration_ms: 0,
        file: file.into(),
        key: format!("2026/{id}.wav"),
        bucket: None,
        stored: None,
        attempts: 0,
        error: None,
    }
}

#[test]
fn a_recording_goes_its_way_across_restarts() {
    let (_folder, path) = folder();
    let file = path.with_file_name("a.wav");
    std::fs::write(&file, "x").unwrap();
    let at = SystemTime::UNIX_EPOCH + Duration::from_secs(1000);
    {
        let store = opened(&path);
        wait(store.begin_recording(recording("a", at, &file))).unwrap();
        assert_eq!(wait(store.recordings_backlog()).unwrap(), Backlog::default());
    }
    let store = opened(&path);
    assert_eq!(wait(store.unfinished_recordings()).unwrap(), [recording("a", at, &file)]);
    wait(store.finish_recording("a".into(), 1234)).unwrap();
    wait(store.recording_delayed("a".into(), "503".into())).unwrap();
    wait(store.begin_recording(recording("b", at + Duration::from_secs(1), &file))).unwrap();
    wait(store.finish_recording("b".into(), 1)).unwrap();
    drop(store);

    let store = opened(&path);
    let ids = |fresh| -> Vec<String> {
        let waiting = wait(store.waiting_recordings(fresh, 9)).unwrap();
        waiting.into_iter().map(|recording| recording.id).collect()
    };
    assert_eq!((ids(false), ids(true)), (vec!["b".into(), "a".into()], vec!["b".into()]));
    let backlog = Backlog { waiting: 2, failing: 1, oldest: Some(at) };
    assert_eq!(wait(store.recordings_backlog()).unwrap(), backlog);
    wait(store.recording_stored("a".into(), "s3://b/a".into())).unwrap();
    assert_eq!(ids(false), ["b"]);
    let listed = wait(store.list_recordings(9)).unwrap();
    assert_eq!(listed[1].stored.as_deref(), Some("s3://b/a"));
    assert_eq!((listed[1].duration_ms, listed[1].attempts, &listed[1].error), (1234, 1, &None));
    assert!(wait(store.recording_stored("x".into(), "y".into())).is_err());
}

#[test]
fn a_recording_of_nothing_is_forgotten_with_its_file() {
    let (_folder, path) = folder();
    let file = path.with_file_name("a.wav");
    std::fs::write(&file, "x").unwrap();
    let store = opened(&path);
    wait(store.begin_recording(recording("a", SystemTime::now(), &file))).unwrap();
    wait(store.finish_recording("a".into(), 0)).unwrap();
    assert!(wait(store.list_recordings(9)).unwrap().is_empty());
    wait(store.flush()).unwrap();
    drop(store);
    assert!(!file.exists());
}

#[test]
fn what_an_application_is_told_of_its_recording_is_there_after_a_restart_once_the_file_is_whole() {
    use offhook_flows::store::Executions as _;
    let (_folder, path) = folder();
    let file = path.with_file_name("a.wav");
    let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    let of_call = |id, seconds| Recording {
        call_id: "call".into(),
        bucket: Some("b".into()),
        ..recording(id, at(seconds), &file)
    };
    {
        let store = opened(&path);
        for (id, seconds) in [("z", 1), ("a", 2), ("cut", 3), ("nothing", 4)] {
            let told = format!("{{\"PIN of\":\"{id}\"}}");
            wait(store.begin_told_recording(of_call(id, seconds), told)).unwrap();
        }
        wait(store.begin_recording(of_call("not told of", 5))).unwrap();
        wait(store.finish_recording("z".into(), 1)).unwrap();
    }
    let store = opened(&path);
    for (id, milliseconds) in [("a", 1), ("nothing", 0), ("not told of", 1)] {
        wait(store.finish_recording(id.into(), milliseconds)).unwrap();
    }
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let told = |call: &str| runtime.block_on(store.recorded(call.into())).unwrap();
    assert_eq!(told("call"), ["{\"PIN of\":\"z\"}", "{\"PIN of\":\"a\"}"]);
    assert!(told("another").is_empty());
    // An attribute of the call may be a secret.
    let wal = path.with_extension("db-wal");
    for file in [&path, &wal].into_iter().filter(|file| file.exists()) {
        let bytes = std::fs::read(file).unwrap();
        assert!(!bytes.windows(6).any(|window| window == b"PIN of"), "{}", file.display());
    }
}

#[test]
fn what_a_workflow_is_told_of_its_recording_is_kept_until_it_has_ended_and_for_nobody_no_longer_than_a_day()
 {
    use offhook_flows::store::{ExecutionChange, ExecutionStatus, Executions as _};
    let (_folder, path) = folder();
    let file = path.with_file_name("a.wav");
    let store = opened(&path);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let day = Duration::from_secs(86_400);
    let begun = |id: &str, call: &str, started| {
        let recording = Recording { call_id: call.into(), ..recording(id, started, &file) };
        wait(store.begin_told_recording(recording, format!("{{\"of\":\"{id}\"}}"))).unwrap();
        wait(store.finish_recording(id.into(), 1)).unwrap();
    };
    let now = SystemTime::now();
    begun("1", "runs", now - day * 3);
    begun("2", "nobody's", now - day * 2);
    begun("3", "nobody's", now - day / 2);
    let save = |snapshot: Option<Vec<u8>>| {
        let status = if snapshot.is_some() { "RUNNING" } else { "SUCCEEDED" };
        let status: ExecutionStatus = serde_json::from_str(&format!("\"{status}\"")).unwrap();
        let record = super::flows::record("runs", 1);
        let record = offhook_flows::store::ExecutionRecord {
            status,
            transaction_id: Some("runs".into()),
            ..record
        };
        let change = ExecutionChange { record, snapshot, history: Vec::new(), new: false };
        runtime.block_on(store.save_execution(change)).unwrap();
    };
    let told = |call: &str| runtime.block_on(store.recorded(call.into())).unwrap();
    let connection = schema::open_for_writing(&path, Duration::ZERO).unwrap();
    let prune = |believed| {
        prune::step_at(&connection, &store.shared, SystemTime::now(), believed).unwrap();
    };
    save(Some(vec![1]));
    prune(false);
    assert_eq!((told("runs").len(), told("nobody's").len()), (1, 2));
    prune(true);
    assert_eq!((told("runs").len(), told("nobody's")), (1, vec!["{\"of\":\"3\"}".to_owned()]));
    save(None);
    assert_eq!((told("runs").len(), told("nobody's").len()), (0, 1));
    assert_eq!(wait(store.list_recordings(9)).unwrap().len(), 3, "they are there all the same");
}
