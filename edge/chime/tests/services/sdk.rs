use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use offhook_chime::TaskError;
use offhook_chime::sdk::Sdk;
use serde_json::{Value, json};

use crate::lambda_server::{KEY, LambdaServer, SECRET};
use crate::web::{Asked, Says, Web};
use crate::{anywhere, aws, nowhere};

/// Asks a server that answers `says`; gives what it was asked, its signature checked for the
/// service `signed_for`, and what came of it.
async fn exchange(
    signed_for: &'static str,
    (service, action): (&str, &str),
    parameters: Value,
    says: Says,
) -> (Asked, Result<Value, TaskError>) {
    let seen: Arc<Mutex<Option<Asked>>> = Arc::default();
    let log = Arc::clone(&seen);
    let web = Web::start(move |asked| {
        *log.lock().unwrap() = Some(asked);
        says.clone()
    });
    let sdk = Sdk::new(aws(&web.url(), KEY, SECRET));
    let outcome = sdk.call(service, action, &parameters).await;
    let asked = seen.lock().unwrap().take().unwrap_or_else(|| panic!("{outcome:?}"));
    let verified = asked.signed(signed_for, Timestamp::now(), (KEY, SECRET)).unwrap();
    assert_eq!(verified.region, "eu-central-1");
    (asked, outcome)
}

#[tokio::test]
async fn dynamodb_is_asked_in_json_and_its_refusal_has_the_name_that_a_catch_waits_for() {
    let item = json!({"TableName": "voicemails", "Item": {"id": {"S": "1"}}});
    let says = Says::json(200, &json!({"Attributes": {"id": {"S": "1"}}}));
    let (asked, outcome) = exchange("dynamodb", ("dynamodb", "putItem"), item.clone(), says).await;
    assert_eq!(asked.header("x-amz-target"), Some("DynamoDB_20120810.PutItem"));
    assert_eq!(asked.header("content-type"), Some("application/x-amz-json-1.0"));
    assert_eq!(asked.json(), item);
    assert_eq!(outcome.unwrap(), json!({"Attributes": {"id": {"S": "1"}}}));

    let kind = "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException";
    let says =
        Says::json(400, &json!({"__type": kind, "message": "The conditional request failed"}));
    let (_, outcome) = exchange("dynamodb", ("dynamodb", "putItem"), item, says).await;
    let error = outcome.unwrap_err();
    assert_eq!(error.error, "DynamoDb.ConditionalCheckFailedException");
    let cause = "The conditional request failed (Service: DynamoDb, Status Code: 400)";
    assert_eq!(error.cause, cause);
}

#[tokio::test]
async fn names_are_as_step_functions_writes_them_though_a_service_writes_them_otherwise() {
    let parameters = json!({"StateMachineArn": "arn:x", "Input": "{\"Key\":1}"});
    let says = Says::json(200, &json!({"executionArn": "arn:e", "startDate": 1_764_398_000.123}));
    let (asked, outcome) = exchange("states", ("sfn", "startExecution"), parameters, says).await;
    assert_eq!(asked.header("x-amz-target"), Some("AWSStepFunctions.StartExecution"));
    assert_eq!(asked.json(), json!({"stateMachineArn": "arn:x", "input": "{\"Key\":1}"}));
    let wanted = json!({"ExecutionArn": "arn:e", "StartDate": "2025-11-29T06:33:20.123Z"});
    assert_eq!(outcome.unwrap(), wanted);

    let says = Says::json(
        400,
        &json!({"__type": "com.amazonaws.sqs#QueueDoesNotExist",
        "message": "no such queue"}),
    );
    let (_, outcome) =
        exchange("sqs", ("sqs", "sendMessage"), json!({"QueueUrl": "q"}), says).await;
    assert_eq!(outcome.unwrap_err().error, "Sqs.QueueDoesNotExistException");
}

#[tokio::test]
async fn sns_is_asked_with_a_form_and_answers_in_xml() {
    let parameters = json!({
        "TopicArn": "arn:t", "Message": "ring & ring", "MessageAttributes": {
            "kind": {"DataType": "String", "StringValue": "call"}
        },
    });
    let answer = "<PublishResponse xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\">\n\
        <PublishResult>\n<MessageId>a&amp;b&#45;c</MessageId>\n</PublishResult>\n\
        <ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></PublishResponse>";
    let says = Says::text(200, "text/xml", answer);
    let (asked, outcome) = exchange("sns", ("sns", "publish"), parameters, says).await;
    let mut form: Vec<&str> = std::str::from_utf8(&asked.body).unwrap().split('&').collect();
    form.sort_unstable();
    assert_eq!(
        form,
        [
            "Action=Publish",
            "Message=ring%20%26%20ring",
            "MessageAttributes.entry.1.Name=kind",
            "MessageAttributes.entry.1.Value.DataType=String",
            "MessageAttributes.entry.1.Value.StringValue=call",
            "TopicArn=arn%3At",
            "Version=2010-03-31",
        ]
    );
    assert_eq!(outcome.unwrap(), json!({"MessageId": "a&b-c"}));

    let answer = "<ErrorResponse><Error><Type>Sender</Type><Code>NotFound</Code>\
        <Message>Topic does not exist</Message></Error></ErrorResponse>";
    let says = Says::text(404, "text/xml", answer);
    let (_, outcome) = exchange("sns", ("sns", "publish"), json!({}), says).await;
    let error = outcome.unwrap_err();
    assert_eq!(error.error, "Sns.NotFoundException");
    assert!(error.cause.starts_with("Topic does not exist"), "{error}");

    let answer = "<ListTopicsResponse><ListTopicsResult><Topics><member><TopicArn>a</TopicArn>\
        </member><member><TopicArn>b</TopicArn></member></Topics></ListTopicsResult>\
        </ListTopicsResponse>";
    let says = Says::text(200, "text/xml", answer);
    let (_, outcome) = exchange("sns", ("sns", "listTopics"), json!({}), says).await;
    assert_eq!(outcome.unwrap(), json!({"Topics": [{"TopicArn": "a"}, {"TopicArn": "b"}]}));
}

#[tokio::test]
async fn rest_services_have_paths_and_queries() {
    let parameters = json!({"Name": "call back/1", "ScheduleExpression": "at(2026-12-01T10:00:00)",
        "FlexibleTimeWindow": {"Mode": "OFF"}});
    let says = Says::json(200, &json!({"ScheduleArn": "arn:s"}));
    let (asked, outcome) =
        exchange("scheduler", ("scheduler", "createSchedule"), parameters, says).await;
    assert_eq!(asked.method, "POST");
    assert_eq!(asked.path, "/schedules/call%20back%2F1");
    assert_eq!(
        asked.json(),
        json!({"ScheduleExpression": "at(2026-12-01T10:00:00)",
        "FlexibleTimeWindow": {"Mode": "OFF"}})
    );
    assert_eq!(outcome.unwrap(), json!({"ScheduleArn": "arn:s"}));

    let parameters = json!({"Name": "x", "GroupName": "a b"});
    let (asked, outcome) =
        exchange("scheduler", ("scheduler", "deleteSchedule"), parameters, Says::no_content())
            .await;
    assert_eq!((asked.method.as_str(), asked.path.as_str()), ("DELETE", "/schedules/x"));
    assert_eq!((asked.query.as_str(), asked.body.len()), ("groupName=a%20b", 0));
    assert_eq!(outcome.unwrap(), json!({}));

    let parameters = json!({"SipMediaApplicationId": "sma", "TransactionId": "t",
        "Arguments": {"a": "b"}});
    let says = Says::json(404, &json!({"Code": "NotFound", "Message": "no call"}))
        .with("x-amzn-errortype", "NotFoundException");
    let (asked, outcome) =
        exchange("chime", ("chimesdkvoice", "updateSipMediaApplicationCall"), parameters, says)
            .await;
    assert_eq!(asked.path, "/sip-media-applications/sma/calls/t");
    assert_eq!(asked.json(), json!({"Arguments": {"a": "b"}}));
    assert_eq!(outcome.unwrap_err().error, "ChimeSdkVoice.NotFoundException");
}

#[tokio::test]
async fn objects_of_s3_are_put_got_and_listed() {
    let parameters = json!({"Bucket": "mail", "Key": "voice mail/ü.json", "Body": {"a": 1},
        "ContentType": "application/json", "Metadata": {"Caller": "+1"}});
    let says = Says { status: 200, ..Says::default() }.with("etag", "\"x\"");
    let (asked, outcome) = exchange("s3", ("s3", "putObject"), parameters, says).await;
    assert_eq!(
        (asked.method.as_str(), asked.path.as_str()),
        ("PUT", "/mail/voice%20mail/%C3%BC.json")
    );
    assert_eq!(asked.json(), json!({"a": 1}));
    assert_eq!(asked.header("x-amz-meta-caller"), Some("+1"));
    assert_eq!(outcome.unwrap(), json!({"ETag": "\"x\""}));

    let says = Says::text(200, "text/plain", "hello").with("x-amz-meta-caller", "+1");
    let object = json!({"Bucket": "mail", "Key": "a"});
    let (_, outcome) = exchange("s3", ("s3", "getObject"), object.clone(), says).await;
    assert_eq!(
        outcome.unwrap(),
        json!({"Body": "hello", "ContentLength": 5,
        "ContentType": "text/plain", "Metadata": {"caller": "+1"}})
    );

    let answer =
        "<?xml version=\"1.0\"?><Error><Code>NoSuchKey</Code><Message>none</Message></Error>";
    let says = Says::text(404, "application/xml", answer);
    let (_, outcome) = exchange("s3", ("s3", "getObject"), object.clone(), says).await;
    assert_eq!(outcome.unwrap_err().error, "S3.NoSuchKeyException");

    let answer = "<ListBucketResult><Name>mail</Name><Contents><Key>a</Key><Size>5</Size>\
        </Contents></ListBucketResult>";
    let says = Says::text(200, "application/xml", answer);
    let list = json!({"Bucket": "mail", "Prefix": "a"});
    let (asked, outcome) = exchange("s3", ("s3", "listObjectsV2"), list, says).await;
    assert_eq!(asked.query, "prefix=a&list-type=2");
    assert_eq!(outcome.unwrap(), json!({"Name": "mail", "Contents": [{"Key": "a", "Size": "5"}]}));

    let says = Says { status: 200, headers: Vec::new(), body: vec![0xff; 16] };
    let (_, outcome) = exchange("s3", ("s3", "getObject"), object.clone(), says).await;
    assert_eq!(outcome.unwrap_err().error, "States.Runtime");
    let says = Says { status: 200, headers: Vec::new(), body: vec![b'x'; 300 << 10] };
    let (_, outcome) = exchange("s3", ("s3", "getObject"), object, says).await;
    assert_eq!(outcome.unwrap_err().error, "States.DataLimitExceeded");
}

#[tokio::test]
async fn a_function_is_invoked_as_the_sdk_does_with_texts_and_its_error_in_the_result() {
    let server = LambdaServer::start(anywhere());
    server.function("broken", |_| Err(("ValueError".to_owned(), "no".to_owned())));
    let sdk = Sdk::new(aws(&server.url(), KEY, SECRET));
    let parameters = json!({"FunctionName": "broken", "LogType": "Tail"});
    let done = sdk.call("lambda", "invoke", &parameters).await.unwrap();
    assert_eq!(done["FunctionError"], "Unhandled");
    assert_eq!(done["LogResult"], "RU5EIFJlcXVlc3RJZA==");
    let payload: Value = serde_json::from_str(done["Payload"].as_str().unwrap()).unwrap();
    assert_eq!(payload["errorType"], "ValueError");
}

#[tokio::test]
async fn what_is_not_passed_on_is_refused_by_name_before_anything_is_sent() {
    let sdk = Sdk::new(aws(&nowhere(), KEY, SECRET));
    for (service, action, parameters, words) in [
        ("quantumledger", "x", json!({}), "\"quantumledger\" is not passed on to AWS; known: dyn"),
        ("scheduler", "tagResource", json!({}), "scheduler:tagResource is not passed on"),
        ("s3", "deleteBucket", json!({}), "s3:deleteBucket is not passed on"),
        ("dynamodb", "put item", json!({}), "no action of dynamodb"),
        ("dynamodb", "putItem", json!([]), "must be an object"),
        ("scheduler", "getSchedule", json!({}), "scheduler:getSchedule needs Name"),
        ("s3", "getObject", json!({"Bucket": "mail"}), "s3:getObject needs Key"),
        ("s3", "getObject", json!({"Bucket": "a/../b", "Key": "k"}), "no name of a bucket"),
    ] {
        let error = sdk.call(service, action, &parameters).await.unwrap_err();
        assert_eq!(error.error, "States.Runtime", "{service}:{action}");
        assert!(error.cause.contains(words), "{error}");
    }
    let error = sdk.call("sqs", "listQueues", &json!({})).await.unwrap_err();
    assert_eq!(error.error, "Sqs.SdkClientException");
}

#[tokio::test]
async fn a_machine_whose_clock_is_wrong_goes_by_that_of_aws() {
    let ahead = jiff::SignedDuration::from_mins(20);
    for ahead in [ahead, -ahead] {
        let dates: Arc<Mutex<Vec<String>>> = Arc::default();
        let log = Arc::clone(&dates);
        let web = Web::start(move |asked| {
            log.lock().unwrap().push(asked.header("x-amz-date").unwrap().to_owned());
            let now = Timestamp::now() + ahead;
            let says = match asked.signed("dynamodb", now, (KEY, SECRET)) {
                Ok(_) => Says::json(200, &json!({})),
                Err(error) => Says::json(400, &json!({"__type": error.name()})),
            };
            says.with("date", &now.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string())
        });
        let sdk = Sdk::new(aws(&web.url(), KEY, SECRET));
        let what = json!({"TableName": "pairs"});
        let ask = || sdk.call("dynamodb", "scan", &what);
        // Refused, and asked again at the time that the refusal told.
        assert_eq!(ask().await.unwrap(), json!({}));
        assert_eq!(ask().await.unwrap(), json!({}));
        assert_eq!(dates.lock().unwrap().len(), 3);
        let apart = sdk.now("dynamodb").duration_since(Timestamp::now() + ahead);
        assert!(apart.abs() < jiff::SignedDuration::from_secs(3), "{apart}");
    }
}
