//! Messages and their files.

use super::*;

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
    assert_eq!(wait(store.used_mailboxes()).unwrap(), [""; 0]);
    assert_eq!(wait(store.unfinished_voicemails()).unwrap().len(), 2);

    wait(store.finish_voicemail("1".into(), 4_200)).unwrap();
    wait(store.finish_voicemail("2".into(), 0)).unwrap();
    assert!(!silent.file.exists(), "nothing was said");
    assert_eq!(wait(store.unfinished_voicemails()).unwrap(), []);
    assert_eq!(wait(store.used_mailboxes()).unwrap(), ["101"]);

    wait(store.mark_voicemail("1".into(), true, true)).unwrap();
    let kept = Voicemail { duration_ms: 4_200, heard: true, saved: true, ..one.clone() };
    assert_eq!(wait(store.list_voicemails("101".into())).unwrap(), [kept]);
    assert!(wait(store.mark_voicemail("no".into(), true, true)).is_err());
    assert!(wait(store.finish_voicemail("no".into(), 1)).is_err());

    wait(store.delete_voicemail("1".into())).unwrap();
    wait(store.delete_voicemail("1".into())).unwrap();
    assert!(!one.file.exists());
    assert_eq!(wait(store.list_voicemails("101".into())).unwrap(), []);
    drop(store);
    let filled = wait(opened(&path).used_mailboxes()).unwrap();
    assert_eq!(filled, ["101"], "a lamp may be lit for what is gone");
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
