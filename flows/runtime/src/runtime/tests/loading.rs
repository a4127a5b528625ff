//! Distributed Maps over all objects of a folder: their list, and what is in them (`LOAD_AND_FLATTEN`).

use super::*;
use crate::services::s3::{BucketFolder, Folders, S3};
use crate::store::ExecutionStatus;
use offhook_asl::limits::READER_BYTES;

/// Folders that say what they were asked for.
struct Watched {
    s3: S3,
    asked: Mutex<Vec<String>>,
}

impl Service for Watched {
    fn names(&self) -> &'static [&'static str] {
        self.s3.names()
    }

    fn call(&self, request: Request) -> Answer {
        let key = request.arguments.get("Key").and_then(Value::as_str);
        self.asked.lock().unwrap().push(key.unwrap_or(&request.action).to_owned());
        self.s3.call(request)
    }
}

/// Runs a Map over what is in the folder's objects under `in/`, of which a page has two.
async fn run(root: &tempfile::TempDir, config: Value) -> ExecutionRecord {
    let mut config = config;
    config["Transformation"] = json!("LOAD_AND_FLATTEN");
    run_pages(root, config, 2).await.0
}

/// The same with pages of so many, and what was asked for.
async fn run_pages(
    root: &tempfile::TempDir,
    config: Value,
    page: u64,
) -> (ExecutionRecord, Vec<String>) {
    let folder = BucketFolder {
        bucket: "b".to_owned(),
        prefix: String::new(),
        folder: root.path().to_owned(),
    };
    let s3 = S3::new(Arc::new(Folders), vec![folder], Arc::new(NoUpstream));
    let watched = Arc::new(Watched { s3, asked: Mutex::default() });
    let services = Services::new(vec![watched.clone()], Arc::new(NoUpstream));
    let runtime =
        Runtime::start(Options::new(Arc::new(MemoryStore::new()), services)).await.unwrap();
    let source = if config["Transformation"].is_null() { "Value.Key" } else { "Source" };
    let map = json!({ "QueryLanguage": "JSONata", "StartAt": "M", "States": { "M": { "Type": "Map", "End": true,
        "ItemReader": { "Resource": "arn:aws:states:::s3:listObjectsV2", "ReaderConfig": config,
            "Arguments": { "Bucket": "b", "Prefix": "in/", "MaxKeys": page } },
        "ItemSelector": { "from": format!("{{% $states.context.Map.Item.{source} %}}"),
            "v": "{% $states.context.Map.Item.Value %}" },
        "ItemProcessor": { "ProcessorConfig": { "Mode": "DISTRIBUTED", "ExecutionType": "STANDARD" },
            "StartAt": "P", "States": { "P": { "Type": "Pass", "End": true } } } } } });
    publish(&runtime, "m", map).await;
    let started = runtime.start_execution(start("m", "x", json!({}))).await.unwrap();
    let record = runtime.wait_for_end(&started.arn).await.unwrap();
    let asked = watched.asked.lock().unwrap().clone();
    (record, asked)
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

#[tokio::test]
async fn as_many_objects_are_listed_and_loaded_as_the_most_items_need_however_many_there_are() {
    let names: Vec<String> = (0..201).map(|n| format!("in/{n:03}.jsonl")).collect();
    let files: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "1\n2")).collect();
    let root = folder(&files);
    for load in [false, true] {
        let config = |most: Value| {
            let mut config = json!({ "InputType": "JSONL", "MaxItems": most });
            if load {
                config["Transformation"] = json!("LOAD_AND_FLATTEN");
            }
            config
        };
        let (record, asked) = run_pages(&root, config(json!(3)), 1).await;
        let found: Value = serde_json::from_str(&record.output.unwrap()).unwrap();
        let from = |at: usize| found[at]["from"].as_str().unwrap().rsplit('/').next().unwrap();
        let list = "listObjectsV2";
        if load {
            assert_eq!([from(0), from(1), from(2)], ["000.jsonl", "000.jsonl", "001.jsonl"]);
            assert_eq!(asked, [list, &names[0], list, &names[1]]);
        } else {
            assert_eq!([from(0), from(1), from(2)], ["000.jsonl", "001.jsonl", "002.jsonl"]);
            assert_eq!(asked, [list; 3]);
        }
        assert_eq!(found.as_array().unwrap().len(), 3);
        // All of them would be one page more than may be asked for: it says so.
        let (record, _) = run_pages(&root, config(json!(500)), 1).await;
        assert_eq!(record.error.as_deref(), Some("States.ItemReaderFailed"), "{load}");
        assert_eq!(record.cause.as_deref(), Some("the list has more than 200 pages"), "{load}");
    }
    let whole = run_pages(&root, json!({}), 2).await.0;
    let found: Value = serde_json::from_str(&whole.output.unwrap()).unwrap();
    assert_eq!(found.as_array().unwrap().len(), 201);
}

#[tokio::test]
async fn an_object_without_items_is_none_of_the_most_and_one_that_cannot_be_read_is_the_last() {
    let files = [
        ("in/1.csv", "head"),
        ("in/2.csv", "head\na"),
        ("in/3.csv", ""),
        ("in/4.csv", "head\nb\nc"),
        ("in/5.csv", "twice,twice"),
        ("in/6.csv", "head\nd"),
    ];
    let root = folder(&files);
    let config = |most: u64| {
        json!({ "InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW", "MaxItems": most,
            "Transformation": "LOAD_AND_FLATTEN" })
    };
    let read = |asked: Vec<String>| asked.iter().filter(|key| key.ends_with(".csv")).count();
    let (record, asked) = run_pages(&root, config(2), 9).await;
    let found: Value = serde_json::from_str(&record.output.unwrap()).unwrap();
    assert_eq!((&found[0]["v"], &found[1]["v"]), (&json!({"head": "a"}), &json!({"head": "b"})));
    assert_eq!((found.as_array().unwrap().len(), read(asked)), (2, 4));
    let (record, asked) = run_pages(&root, config(4), 9).await;
    let cause = record.cause.unwrap();
    assert_eq!(cause, "s3://b/in/5.csv: CSV headers cannot contain duplicates.");
    assert_eq!(read(asked), 5);
}
