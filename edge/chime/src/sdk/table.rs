//! The services: how each is called in a workflow, where it is, and which protocol it speaks
//! (`metadata` of the API models of AWS's SDKs).

/// A service.
#[derive(Debug)]
pub(super) struct Row {
    /// In `aws-sdk:NAME:action`.
    pub(super) name: &'static str,
    /// In its address.
    pub(super) prefix: &'static str,
    /// In the signature's scope.
    pub(super) signing: &'static str,
    /// Before the dot of an error's name.
    pub(super) errors: &'static str,
    pub(super) protocol: Protocol,
}

/// How it is spoken to.
#[derive(Debug)]
pub(super) enum Protocol {
    /// AWS JSON: every action is a POST to `/`.
    Json {
        /// `1.0` or `1.1`.
        version: &'static str,
        /// Before the dot of `X-Amz-Target`.
        target: &'static str,
        /// Members begin with a small letter on the wire.
        camel: bool,
    },
    /// AWS Query: a form, answered in XML.
    Query {
        /// Of the API.
        version: &'static str,
        /// Members that are maps, and how key and value of their entries are called.
        maps: &'static [(&'static str, &'static str, &'static str)],
    },
    /// REST with JSON: each action has a path.
    Rest {
        /// Members begin with a small letter on the wire.
        camel: bool,
        /// Those that are passed on.
        operations: &'static [Operation],
    },
    /// Amazon S3.
    S3,
}

/// An action of a REST service.
#[derive(Debug)]
pub(super) struct Operation {
    /// In Pascal case.
    pub(super) name: &'static str,
    pub(super) method: &'static str,
    /// With parameters in braces.
    pub(super) path: &'static str,
    /// Parameters that go into the query, and their names there.
    pub(super) query: &'static [(&'static str, &'static str)],
}

const fn json(
    name: &'static str,
    prefix: &'static str,
    errors: &'static str,
    version: &'static str,
    target: &'static str,
) -> Row {
    let protocol = Protocol::Json { version, target, camel: false };
    Row { name, prefix, signing: prefix, errors, protocol }
}

const fn camel(
    name: &'static str,
    prefix: &'static str,
    errors: &'static str,
    version: &'static str,
    target: &'static str,
) -> Row {
    let protocol = Protocol::Json { version, target, camel: true };
    Row { name, prefix, signing: prefix, errors, protocol }
}

const fn rest(
    name: &'static str,
    prefix: &'static str,
    signing: &'static str,
    errors: &'static str,
    operations: &'static [Operation],
) -> Row {
    Row { name, prefix, signing, errors, protocol: Protocol::Rest { camel: false, operations } }
}

const fn operation(
    name: &'static str,
    method: &'static str,
    path: &'static str,
    query: &'static [(&'static str, &'static str)],
) -> Operation {
    Operation { name, method, path, query }
}

const ROWS: &[Row] = &[
    json("dynamodb", "dynamodb", "DynamoDb", "1.0", "DynamoDB_20120810"),
    json("sqs", "sqs", "Sqs", "1.0", "AmazonSQS"),
    camel("sfn", "states", "Sfn", "1.0", "AWSStepFunctions"),
    json("eventbridge", "events", "EventBridge", "1.1", "AWSEvents"),
    json("secretsmanager", "secretsmanager", "SecretsManager", "1.1", "secretsmanager"),
    json("ssm", "ssm", "Ssm", "1.1", "AmazonSSM"),
    json("kms", "kms", "Kms", "1.1", "TrentService"),
    json("kinesis", "kinesis", "Kinesis", "1.1", "Kinesis_20131202"),
    json("firehose", "firehose", "Firehose", "1.1", "Firehose_20150804"),
    json("translate", "translate", "Translate", "1.1", "AWSShineFrontendService_20170701"),
    json("comprehend", "comprehend", "Comprehend", "1.1", "Comprehend_20171127"),
    json("transcribe", "transcribe", "Transcribe", "1.1", "Transcribe"),
    json("cloudwatch", "monitoring", "CloudWatch", "1.0", "GraniteServiceVersion20100801"),
    json("pinpointsmsvoicev2", "sms-voice", "PinpointSmsVoiceV2", "1.0", "PinpointSMSVoiceV2"),
    json("athena", "athena", "Athena", "1.1", "AmazonAthena"),
    json("glue", "glue", "Glue", "1.1", "AWSGlue"),
    json("servicequotas", "servicequotas", "ServiceQuotas", "1.1", "ServiceQuotasV20190624"),
    camel("cloudwatchlogs", "logs", "CloudWatchLogs", "1.1", "Logs_20140328"),
    camel("ecs", "ecs", "Ecs", "1.1", "AmazonEC2ContainerServiceV20141113"),
    Row {
        name: "sns",
        prefix: "sns",
        signing: "sns",
        errors: "Sns",
        protocol: Protocol::Query {
            version: "2010-03-31",
            maps: &[("MessageAttributes", "Name", "Value"), ("Attributes", "key", "value")],
        },
    },
    Row {
        name: "sts",
        prefix: "sts",
        signing: "sts",
        errors: "Sts",
        protocol: Protocol::Query { version: "2011-06-15", maps: &[] },
    },
    Row {
        name: "ses",
        prefix: "email",
        signing: "ses",
        errors: "Ses",
        protocol: Protocol::Query { version: "2010-12-01", maps: &[] },
    },
    rest("scheduler", "scheduler", "scheduler", "Scheduler", SCHEDULER),
    rest("lambda", "lambda", "lambda", "Lambda", LAMBDA),
    rest("chimesdkvoice", "voice-chime", "chime", "ChimeSdkVoice", CHIME),
    rest("connect", "connect", "connect", "Connect", CONNECT),
    rest("sesv2", "email", "ses", "SesV2", SES),
    rest("polly", "polly", "polly", "Polly", POLLY),
    Row {
        name: "bedrockruntime",
        prefix: "bedrock-runtime",
        signing: "bedrock",
        errors: "BedrockRuntime",
        protocol: Protocol::Rest { camel: true, operations: BEDROCK },
    },
    Row { name: "s3", prefix: "s3", signing: "s3", errors: "S3", protocol: Protocol::S3 },
];

const SCHEDULER: &[Operation] = &[
    operation("CreateSchedule", "POST", "/schedules/{Name}", &[]),
    operation("UpdateSchedule", "PUT", "/schedules/{Name}", &[]),
    operation("GetSchedule", "GET", "/schedules/{Name}", &[("GroupName", "groupName")]),
    operation(
        "DeleteSchedule",
        "DELETE",
        "/schedules/{Name}",
        &[("GroupName", "groupName"), ("ClientToken", "clientToken")],
    ),
    operation(
        "ListSchedules",
        "GET",
        "/schedules",
        &[
            ("GroupName", "ScheduleGroup"),
            ("NamePrefix", "NamePrefix"),
            ("State", "State"),
            ("NextToken", "NextToken"),
            ("MaxResults", "MaxResults"),
        ],
    ),
    operation("CreateScheduleGroup", "POST", "/schedule-groups/{Name}", &[]),
    operation(
        "DeleteScheduleGroup",
        "DELETE",
        "/schedule-groups/{Name}",
        &[("ClientToken", "clientToken")],
    ),
];

const LAMBDA: &[Operation] = &[
    operation(
        "GetFunction",
        "GET",
        "/2015-03-31/functions/{FunctionName}",
        &[("Qualifier", "Qualifier")],
    ),
    operation(
        "GetFunctionConfiguration",
        "GET",
        "/2015-03-31/functions/{FunctionName}/configuration",
        &[("Qualifier", "Qualifier")],
    ),
    operation(
        "ListFunctions",
        "GET",
        "/2015-03-31/functions",
        &[("Marker", "Marker"), ("MaxItems", "MaxItems"), ("FunctionVersion", "FunctionVersion")],
    ),
];

const CHIME: &[Operation] = &[
    operation(
        "CreateSipMediaApplicationCall",
        "POST",
        "/sip-media-applications/{SipMediaApplicationId}/calls",
        &[],
    ),
    operation(
        "UpdateSipMediaApplicationCall",
        "POST",
        "/sip-media-applications/{SipMediaApplicationId}/calls/{TransactionId}",
        &[],
    ),
    operation(
        "GetSipMediaApplication",
        "GET",
        "/sip-media-applications/{SipMediaApplicationId}",
        &[],
    ),
    operation("ListSipMediaApplications", "GET", "/sip-media-applications", PAGES),
    operation(
        "ListSipRules",
        "GET",
        "/sip-rules",
        &[
            ("SipMediaApplicationId", "sip-media-application"),
            ("MaxResults", "max-results"),
            ("NextToken", "next-token"),
        ],
    ),
    operation(
        "ListPhoneNumbers",
        "GET",
        "/phone-numbers",
        &[
            ("Status", "status"),
            ("ProductType", "product-type"),
            ("FilterName", "filter-name"),
            ("FilterValue", "filter-value"),
            ("MaxResults", "max-results"),
            ("NextToken", "next-token"),
        ],
    ),
    operation("ListVoiceConnectors", "GET", "/voice-connectors", PAGES),
    operation("GetVoiceConnector", "GET", "/voice-connectors/{VoiceConnectorId}", &[]),
    operation("GetVoiceConnectorOrigination", "GET", ORIGINATION, &[]),
    operation("PutVoiceConnectorOrigination", "PUT", ORIGINATION, &[]),
    operation("DeleteVoiceConnectorOrigination", "DELETE", ORIGINATION, &[]),
    operation("GetVoiceConnectorTermination", "GET", TERMINATION, &[]),
    operation("PutVoiceConnectorTermination", "PUT", TERMINATION, &[]),
    operation("DeleteVoiceConnectorTermination", "DELETE", TERMINATION, &[]),
    operation(
        "GetVoiceConnectorTerminationHealth",
        "GET",
        "/voice-connectors/{VoiceConnectorId}/termination/health",
        &[],
    ),
    operation(
        "ListVoiceConnectorTerminationCredentials",
        "GET",
        "/voice-connectors/{VoiceConnectorId}/termination/credentials",
        &[],
    ),
    operation("GetVoiceConnectorLoggingConfiguration", "GET", LOGGING, &[]),
    operation("PutVoiceConnectorLoggingConfiguration", "PUT", LOGGING, &[]),
];

const PAGES: &[(&str, &str)] = &[("MaxResults", "max-results"), ("NextToken", "next-token")];
const ORIGINATION: &str = "/voice-connectors/{VoiceConnectorId}/origination";
const TERMINATION: &str = "/voice-connectors/{VoiceConnectorId}/termination";
const LOGGING: &str = "/voice-connectors/{VoiceConnectorId}/logging-configuration";

const CONNECT: &[Operation] = &[
    operation("UpdateContactAttributes", "POST", "/contact/attributes", &[]),
    operation(
        "GetContactAttributes",
        "GET",
        "/contact/attributes/{InstanceId}/{InitialContactId}",
        &[],
    ),
    operation("StartOutboundVoiceContact", "PUT", "/contact/outbound-voice", &[]),
    operation("StartTaskContact", "PUT", "/contact/task", &[]),
    operation("StopContact", "POST", "/contact/stop", &[]),
];

const SES: &[Operation] = &[operation("SendEmail", "POST", "/v2/email/outbound-emails", &[])];

const POLLY: &[Operation] = &[
    operation("StartSpeechSynthesisTask", "POST", "/v1/synthesisTasks", &[]),
    operation("GetSpeechSynthesisTask", "GET", "/v1/synthesisTasks/{TaskId}", &[]),
];

const BEDROCK: &[Operation] = &[
    operation("InvokeModel", "POST", "/model/{ModelId}/invoke", &[]),
    operation("Converse", "POST", "/model/{ModelId}/converse", &[]),
];

/// A service by its name in a workflow.
pub(super) fn row(name: &str) -> Option<&'static Row> {
    ROWS.iter().find(|row| row.name == name)
}

/// All of them, for a message.
pub(super) fn names() -> String {
    ROWS.iter().map(|row| row.name).collect::<Vec<_>>().join(", ")
}
