use super::*;

fn parcel(folder: &Path, content: &[u8]) -> Parcel {
    let file = folder.join("spool.wav");
    fs::write(&file, content).unwrap();
    Parcel { file, key: "2026/11/a.wav".into(), bucket: None, facts: Vec::new() }
}

fn put(store: &impl RecordingStore, parcel: Parcel) -> Result<String, PutError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(store.put(parcel))
}

#[test]
fn a_folder_has_the_file_whole_and_a_second_attempt_does_no_harm() {
    let folder = tempfile::tempdir().unwrap();
    let store = Folder::moving(folder.path().join("kept"));
    let parcel = parcel(folder.path(), b"audio");
    let location = put(&store, parcel.clone()).unwrap();
    assert_eq!(location, folder.path().join("kept/2026/11/a.wav").display().to_string());
    assert_eq!(fs::read(&location).unwrap(), b"audio");
    assert!(!parcel.file.exists());
    assert_eq!(put(&store, parcel).unwrap(), location, "killed before it could say so");
}

#[test]
fn a_copy_leaves_the_file_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let parcel = parcel(folder.path(), b"audio");
    let location = put(&Folder::copying(folder.path().join("kept")), parcel.clone()).unwrap();
    assert_eq!(fs::read(location).unwrap(), fs::read(parcel.file).unwrap());
}

#[test]
fn a_folder_that_cannot_be_is_an_error_and_the_file_stays() {
    let folder = tempfile::tempdir().unwrap();
    let parcel = parcel(folder.path(), b"audio");
    fs::write(folder.path().join("kept"), "a file").unwrap();
    let store = Folder::moving(folder.path().join("kept"));
    assert!(matches!(put(&store, parcel.clone()), Err(PutError::Store(_))));
    assert!(parcel.file.exists());
    fs::remove_file(&parcel.file).unwrap();
    fs::remove_file(folder.path().join("kept")).unwrap();
    assert!(matches!(put(&store, parcel), Err(PutError::File(_))), "gone for good");
}

#[test]
fn a_store_that_nobody_serves_says_so_and_no_key_is_in_the_words() {
    let folder = tempfile::tempdir().unwrap();
    let options = S3Options {
        bucket: "b".into(),
        region: "us-east-1".into(),
        // Nothing listens on the discard port.
        endpoint: Some("http://127.0.0.1:9".into()),
        keys: Some(("AKIA".into(), "hunter2".into())),
    };
    let store = S3::new(&options).unwrap();
    let error = put(&store, parcel(folder.path(), b"audio")).unwrap_err();
    assert!(matches!(error, PutError::Store(_)));
    assert!(!format!("{error} {error:?} {store:?}").contains("hunter2"), "{error:?}");
}
