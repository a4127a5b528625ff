//! Distributed Maps over all objects of a folder, `LOAD_AND_FLATTEN`.

use super::*;
use crate::services::s3::{BucketFolder, Folders, S3};
use crate::store::ExecutionStatus;
use offhook_asl::limits::READER_BYTES;

/// Runs a Map over the folder's objects under `in/`.
async fn run(root: &tempfile::TempDir, config: Value) -> ExecutionRecord {
    let folder = BucketFolder {
        bucket: "b".to_owned(),
        prefix: String::new(),
        folder: root.path().to_owned(),
    };
    let s3 = S3::new(Arc::new(Folders), vec![folder], Arc::new(NoUpstream));
    let services = Services::new(vec![Arc::new(s3)], Arc::new(NoUpstream));
    let runtime =
        Runtime::start(Options::new(Arc::new(MemoryStore::new()), services)).await.unwrap();
    let mut config = config;
    config["Transformation"] = json!("LOAD_AND_FLATTEN");
    let map = json!({ "QueryLanguage": "JSONata", "StartAt": "M", "States": { "M": { "Type": "Map", "End": true,
        "ItemReader": { "Resource": "arn:aws:states:::s3:listObjectsV2", "ReaderConfig": config,
            // Three pages for the five files.
            "Arguments": { "Bucket": "b", "Prefix": "in/", "MaxKeys": 2 } },
        "ItemSelector": { "from": "{% $states.context.Map.Item.Source %}",
            "v": "{% $states.context.Map.Item.Value %}" },
        "ItemProcessor": { "ProcessorConfig": { "Mode": "DISTRIBUTED", "ExecutionType": "STANDARD" },
            "StartAt": "P", "States": { "P": { "Type": "Pass", "End": true } } } } } });
    publish(&runtime, "m", map).await;
    let started = runtime.start_execution(start("m", "x", json!({}))).await.unwrap();
    runtime.wait_for_end(&started.arn).await.unwrap()
}

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for (key, text) in files {
        let path = root.path().join(key);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    root
}

#[tokio::test]
async fn all_files_of_a_folder_are_loaded_page_by_page_and_no_others() {
    let root = folder(&[
        ("in/1.jsonl", "1\n2"),
        ("in/2.jsonl", ""),
        ("in/deep/3.jsonl", "3"),
        ("in/x/4.jsonl", "4"),
        ("in/x/5.jsonl", "5"),
        ("other/6.jsonl", "6"),
    ]);
    let record = run(&root, json!({ "InputType": "JSONL" })).await;
    let from = |key: &str, v: u8| json!({ "from": format!("s3://b/in/{key}.jsonl"), "v": v });
    assert_eq!(
        serde_json::from_str::<Value>(&record.output.unwrap()).unwrap(),
        json!([from("1", 1), from("1", 2), from("deep/3", 3), from("x/4", 4), from("x/5", 5)])
    );
}

#[tokio::test]
async fn a_file_that_cannot_be_read_fails_the_map_and_says_which() {
    let root = folder(&[("in/1.json", "[1]"), ("in/2.json", "{")]);
    let record = run(&root, json!({ "InputType": "JSON" })).await;
    assert_eq!(record.status, ExecutionStatus::Failed);
    assert_eq!(record.error.as_deref(), Some("States.ItemReaderFailed"));
    let cause = record.cause.unwrap();
    assert!(cause.starts_with("s3://b/in/2.json: The file is not JSON"), "{cause}");
}

#[tokio::test]
async fn files_that_are_too_big_together_fail_the_map_unless_the_first_are_enough() {
    let root = folder(&[("in/1.jsonl", "1\n")]);
    // Nothing of it is written: the file system knows that it is empty.
    let big = std::fs::File::create(root.path().join("in/2.jsonl")).unwrap();
    big.set_len(READER_BYTES as u64).unwrap();
    let record = run(&root, json!({ "InputType": "JSONL" })).await;
    assert_eq!(record.error.as_deref(), Some("States.ItemReaderFailed"));
    assert!(record.cause.unwrap().contains("more than 67108864 bytes"));
    let record = run(&root, json!({ "InputType": "JSONL", "MaxItems": 1 })).await;
    assert_eq!(record.output.as_deref(), Some(r#"[{"from":"s3://b/in/1.jsonl","v":1}]"#));
}
