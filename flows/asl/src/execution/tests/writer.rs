//! What a distributed Map leaves in a bucket.

use super::*;

#[test]
fn results_are_written_with_a_manifest() {
    let document = states(
        "M",
        &json!({ "M": { "Type": "Map", "End": true, "Label": "L",
        "ToleratedFailureCount": 1, "ItemProcessor": {
            "ProcessorConfig": { "Mode": "DISTRIBUTED", "ExecutionType": "STANDARD" },
            "StartAt": "I",
            "States": { "I": { "Type": "Pass", "InputPath": "$.a", "End": true } } },
        "ResultWriter": { "Resource": "arn:aws:states:::s3:putObject",
            "Parameters": { "Bucket": "b", "Prefix": "p" } } } }),
    );
    let machine = load(&document);
    let now = "2026-11-29T10:00:00Z".parse().unwrap();
    let mut execution = Execution::start(machine, begin(json!([{ "a": 1 }, {}])), now);
    let Some(Effect::WriteResults(call)) = execution.poll_effect() else { panic!("no writing") };
    let names: Vec<&str> =
        call.files.iter().map(|file| file.key.rsplit('/').next().unwrap()).collect();
    assert_eq!(names, ["FAILED_0.json", "SUCCEEDED_0.json", "manifest.json"]);
    let told = |file: usize| -> Value {
        let mut told: Value = serde_json::from_str(&call.files[file].body).unwrap();
        for name in ["ExecutionArn", "Name", "StateMachineArn"] {
            assert!(told[0].as_object_mut().unwrap().remove(name).unwrap().is_string());
        }
        told
    };
    let cause = told(0)[0]["Cause"].take();
    assert_eq!(
        told(0),
        json!([{ "Cause": cause, "Error": "States.Runtime", "Input": "{}",
            "InputDetails": { "Included": true }, "OutputDetails": { "Included": true },
            "RedriveCount": 0, "RedriveStatus": "REDRIVABLE_BY_MAP_RUN",
            "StartDate": "2026-11-29T10:00:00.000Z", "Status": "FAILED",
            "StopDate": "2026-11-29T10:00:00.000Z" }])
    );
    let succeeded = json!([{ "Input": "{\"a\":1}", "InputDetails": { "Included": true },
        "Output": "1", "OutputDetails": { "Included": true }, "RedriveCount": 0,
        "RedriveStatus": "NOT_REDRIVABLE",
        "RedriveStatusReason": "Execution is SUCCEEDED and cannot be redriven",
        "StartDate": "2026-11-29T10:00:00.000Z", "Status": "SUCCEEDED",
        "StopDate": "2026-11-29T10:00:00.000Z" }]);
    assert_eq!(told(1), succeeded);
    execution.handle_task(call.id, TaskEvent::Succeeded { output: json!({}) }, now).unwrap();
    let output = execution.output().unwrap();
    assert_eq!(output["ResultWriterDetails"]["Key"], json!(call.files[2].key));
    assert_eq!(output["ResultWriterDetails"]["Bucket"], json!("b"));
}

#[test]
fn results_without_a_bucket_are_told_whole_when_asked() {
    let document = states(
        "M",
        &json!({ "M": { "Type": "Map", "End": true, "ItemProcessor": {
            "ProcessorConfig": { "Mode": "DISTRIBUTED", "ExecutionType": "STANDARD" },
            "StartAt": "I", "States": { "I": { "Type": "Pass", "End": true } } },
        "ResultWriter": { "WriterConfig": { "Transformation": "NONE", "OutputType": "JSON" } } } }),
    );
    let output = Bench::new(&document, json!(["x"])).output();
    assert_eq!(output[0]["Output"], json!("\"x\""), "{output}");
    assert_eq!(output[0]["Status"], json!("SUCCEEDED"));
}
