//! What a task would give to its service and AWS does not hand over.

use super::*;
use EventType::*;

/// A machine whose only task has `resource` and `given`, and would be caught by whatever can be.
fn machine(resource: &str, given: &Value) -> Value {
    let field = |language: &str| if language == "JSONata" { "Arguments" } else { "Parameters" };
    let language = given["language"].as_str().unwrap_or("JSONPath");
    let mut state = task(&json!({ "Resource": resource, "QueryLanguage": language,
        "Retry": [{ "ErrorEquals": ["States.ALL"] }],
        "Catch": [{ "ErrorEquals": ["States.Runtime"], "Next": "H" },
            { "ErrorEquals": ["States.ALL"], "Next": "H" }] }));
    state[field(language)] = given["given"].clone();
    states("T", &json!({ "T": state, "H": { "Type": "Pass", "End": true } }))
}

fn ended(resource: &str, given: &Value) -> Result<Bench, String> {
    let bench = Bench::new(&machine(resource, given), json!({ "to": "q", "no": null }));
    if bench.execution.status() == Status::Running {
        return Ok(bench);
    }
    assert_eq!(bench.execution.error(), Some("States.Runtime"));
    assert!(bench.calls.is_empty(), "nothing is asked of the service");
    assert_eq!(bench.types(), [ExecutionStarted, TaskStateEntered, ExecutionFailed]);
    Err(bench.execution.cause().unwrap().to_owned())
}

#[test]
fn parameters_that_a_service_does_not_take_end_the_execution_before_the_task_and_nothing_catches_it()
 {
    let given = json!({ "given": { "FunctionName": "f", "TaskToken.$": "$.to" } });
    assert_eq!(
        ended("arn:aws:states:::lambda:invoke", &given).err().unwrap(),
        "An error occurred while executing the state 'T' (entered at the event id #2). The Parameters \
         '{\"FunctionName\":\"…\",\"TaskToken\":\"…\"}' could not be used to start the Task: [The field \
         \"TaskToken\" is not supported by Step Functions]"
    );
    let given = json!({ "language": "JSONata",
        "given": "{% {'QueueUrl': $states.input.to, 'Body': 1} %}" });
    let cause = ended(SEND, &given).err().unwrap();
    assert!(
        cause.ends_with(
            "The Arguments '{\"QueueUrl\":\"…\",\"Body\":\"…\"}' could not be used to start the Task: [The \
             field \"Body\" is not supported by Step Functions, The field 'MessageBody' is required but \
             was missing]"
        ),
        "{cause}"
    );
}

#[test]
fn each_optimized_integration_says_what_it_cannot_do_without_and_what_it_does_not_know() {
    for (resource, given, words) in [
        ("lambda:invoke", json!({ "Payload": {} }), "The field 'FunctionName' is required"),
        ("sqs:sendMessage", json!({ "QueueUrl": "q" }), "The field 'MessageBody' is required"),
        ("sns:publish", json!({ "TopicArn": "t" }), "The field 'Message' is required"),
        ("states:startExecution", json!({ "Input": {} }), "'StateMachineArn' is required"),
        ("events:putEvents", json!({ "Events": [] }), "The field 'Entries' is required"),
        ("dynamodb:putItem", json!({ "TableName": "t", "Key": {} }), "The field \"Key\" is not"),
        ("dynamodb:getItem", json!({ "Key": {} }), "The field 'TableName' is required"),
        ("aws-sdk:scheduler:createSchedule", json!({ "name": "n" }), "The field \"name\" is not"),
        ("aws-sdk:s3:getObject", json!({ "Bucket": "b", "key": "k" }), "The field \"key\" is not"),
    ] {
        let resource = format!("arn:aws:states:::{resource}");
        let cause = ended(&resource, &json!({ "given": given })).err().unwrap();
        assert!(cause.contains(words), "{resource}: {cause}");
    }
}

/// What AWS says of a value of the wrong type is the service's matter, as far as is known, and what
/// `aws-sdk` takes is known of no API here.
#[test]
fn what_may_be_right_is_left_to_the_service() {
    for (resource, given) in [
        ("sqs:sendMessage", json!({ "QueueUrl": 5, "MessageBody.$": "$.no", "DelaySeconds": "x" })),
        ("aws-sdk:sqs:sendMessage", json!({ "Queue": "q" })),
        ("apigateway:invoke", json!({ "Verb": "GET" })),
        ("dynamodb:updateItem", json!({ "TableName": "t", "Key": {}, "UpdateExpression": "u" })),
    ] {
        let resource = format!("arn:aws:states:::{resource}");
        let bench = ended(&resource, &json!({ "given": given }));
        assert_eq!(bench.map(|bench| bench.calls.len()).unwrap(), 1, "{resource}");
    }
}
