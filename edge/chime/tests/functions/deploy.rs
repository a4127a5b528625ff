//! What is deployed beside the functions: the template, linted by AWS's own linter; what it does by
//! a function of its own, held against the model of the API; and the contact flow.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::process::Command;

use offhook_chime::credentials::Environment;
use offhook_chime::take_back::settings::Settings;
use offhook_chime::take_back::{Pass, Rules, Target};
use offhook_sma::action::AudioSource;
use serde_json::{Value, json};

use crate::python;

const TEMPLATE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/take-back.template.json");
const FLOW: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/contact-flow.json");

fn read(file: &str) -> Value {
    serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap()
}

#[test]
fn the_template_is_one_that_cloudformation_takes() {
    let linter = python::with_cfn_lint().with_file_name("cfn-lint");
    let output = Command::new(linter).args(["--format", "parseable", TEMPLATE]).output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn roles_may_do_what_the_functions_do_and_no_more() {
    let template = read(TEMPLATE);
    let allowed = |role: &str| -> BTreeSet<String> {
        let policy = &template["Resources"][role]["Properties"]["Policies"][0]["PolicyDocument"];
        let statements = policy["Statement"].as_array().unwrap().iter().map(|statement| {
            // A statement that is there under a condition.
            if statement["Fn::If"].is_null() { statement } else { &statement["Fn::If"][1] }
        });
        let statements = statements.inspect(|statement| {
            let rules = statement["Action"].to_string().contains("SipRule");
            assert!(rules || statement["Resource"] != "*", "{role}: {statement}");
        });
        statements
            .flat_map(|statement| match &statement["Action"] {
                Value::Array(several) => several.clone(),
                one => vec![one.clone()],
            })
            .map(|action| action.as_str().unwrap().to_owned())
            .filter(|action| !action.starts_with("logs:"))
            .collect()
    };
    let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let sma: BTreeSet<String> = set(&["dynamodb:Scan", "dynamodb:UpdateItem"]);
    assert_eq!(allowed("SmaFunctionRole"), sma);
    let connect: BTreeSet<String> = set(&[
        "dynamodb:GetItem",
        "dynamodb:UpdateItem",
        "chime:UpdateSipMediaApplicationCall",
        "sqs:SendMessage",
    ]);
    assert_eq!(allowed("ConnectFunctionRole"), connect);
}

/// What a value of the template comes to with these parameters. `None`: it is not there.
fn filled(template: &Value, parameters: &[(&str, &str)], value: &Value) -> Option<String> {
    let parameter = |name: &str| {
        let given = parameters.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
        let usual = || match &template["Parameters"][name]["Default"] {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        };
        given.map(str::to_owned).or_else(usual)
    };
    if let Some(name) = value["Ref"].as_str() {
        let other = || (name != "AWS::NoValue").then(|| format!("a-{name}"));
        return parameter(name).or_else(other);
    }
    if let Some(of) = value["Fn::GetAtt"].as_array() {
        return Some(format!("arn:{}", of[0].as_str().unwrap()));
    }
    let [condition, then, otherwise] = value["Fn::If"].as_array().unwrap().as_slice() else {
        panic!("{value}");
    };
    let equals = |condition: &Value| {
        let [of, wanted] = condition["Fn::Equals"].as_array().unwrap().as_slice() else {
            panic!("{condition}");
        };
        parameter(of["Ref"].as_str().unwrap()).as_deref() == wanted.as_str()
    };
    let holds = match &template["Conditions"][condition.as_str().unwrap()] {
        Value::Object(not) if not.contains_key("Fn::Not") => !equals(&not["Fn::Not"][0]),
        condition => equals(condition),
    };
    filled(template, parameters, if holds { then } else { otherwise })
}

/// The settings of a function as the template makes them.
fn settings(function: &str, parameters: &[(&str, &str)]) -> Settings {
    let template = read(TEMPLATE);
    let variables =
        template["Resources"][function]["Properties"]["Environment"]["Variables"].clone();
    let variables: HashMap<String, String> = variables
        .as_object()
        .unwrap()
        .iter()
        .filter_map(|(name, value)| Some((name.clone(), filled(&template, parameters, value)?)))
        .collect();
    Settings::new(Environment::of(variables))
}

#[test]
fn the_template_sets_what_the_function_understands() {
    let office = ("OfficeNumber", "+18555550111");
    let usual = Rules::default();
    let rules = settings("SmaFunction", &[office]).rules().unwrap();
    assert_eq!(rules.transaction_header, usual.transaction_header);
    assert_eq!(rules.application_header, usual.application_header);
    assert_eq!((rules.direct, rules.exhausted.music), (None, None));

    let arn = "arn:aws:chime:us-east-1:111122223333:vc/abcdef1ghij2klmno3pqr4";
    let connect = [("ConnectPhoneNumber", "+12065550100"), ("ConnectArn", arn)];
    let music = [("WaitMusicBucket", "sounds"), ("WaitMusicKey", "wait.wav")];
    let headers = [("TransactionHeader", "X-Tx"), ("ApplicationHeader", "-")];
    let all = [&[office][..], &connect, &music, &headers].concat();
    let rules = settings("SmaFunction", &all).rules().unwrap();
    assert_eq!((&*rules.transaction_header, &*rules.application_header), ("X-Tx", ""));
    let music = AudioSource::S3 { bucket_name: "sounds".into(), key: "wait.wav".into() };
    assert_eq!(rules.exhausted.music, Some(music));
    let direct = rules.direct.unwrap();
    assert_eq!(direct.pass, Pass::Header("X-Tx".into()));
    assert_eq!(direct.target, Target { number: "+12065550100".into(), arn: Some(arn.into()) });
    let by_user_to_user = [&all[..], &[("PassTransaction", "user-to-user")]].concat();
    let direct = settings("SmaFunction", &by_user_to_user).rules().unwrap().direct.unwrap();
    assert_eq!(direct.pass, Pass::UserToUser);

    let of = |parameters: &[(&str, &str)]| {
        let rules = settings("ConnectFunction", &[&[office], parameters].concat()).switch_rules();
        rules.map(|rules| (rules.country_code, rules.extension_digits)).unwrap()
    };
    assert_eq!(of(&[]), ("1".to_owned(), 6));
    assert_eq!(of(&[("CountryCode", "49"), ("ExtensionDigits", "8")]), ("49".to_owned(), 8));
}

#[test]
fn only_the_application_may_read_the_sound_and_nothing_beside_it() {
    let template = read(TEMPLATE);
    let permission = &template["Resources"]["WaitMusicPermission"];
    assert_eq!(permission["Condition"], "LetsReadWaitMusic");
    let statements = &permission["Properties"]["PolicyDocument"]["Statement"];
    assert_eq!(statements.as_array().unwrap().len(), 1);
    let statement = &statements[0];
    assert_eq!(statement["Principal"], json!({"Service": "voiceconnector.chime.amazonaws.com"}));
    assert_eq!(statement["Action"], "s3:GetObject");
    let object = "arn:${AWS::Partition}:s3:::${WaitMusicBucket}/${WaitMusicKey}";
    assert_eq!(statement["Resource"]["Fn::Sub"], object);
    let who = statement["Condition"]["ArnEquals"]["aws:SourceArn"]["Fn::Sub"].as_str().unwrap();
    assert!(who.ends_with(":sma/${SipMediaApplication.SipMediaApplicationId}"), "{who}");
}

/// Runs the template's own function with clients that take what the API's model takes, in order.
const SETUP: &str = r#"
import json, sys, types, boto3, botocore.stub
told = []
sys.modules["cfnresponse"] = types.SimpleNamespace(
    SUCCESS="SUCCESS", FAILED="FAILED",
    send=lambda event, context, status, data, id, reason=None: told.append([status, id, reason]))
voice = boto3.client("chime-sdk-voice", region_name="us-east-1",
                     aws_access_key_id="x", aws_secret_access_key="x")
stub = botocore.stub.Stubber(voice)
rows = []
class Table:
    meta = types.SimpleNamespace(client=types.SimpleNamespace(
        exceptions=types.SimpleNamespace(ConditionalCheckFailedException=KeyError)))
    def put_item(self, Item, ConditionExpression):
        key = (Item["sma_number"], Item["connect_number"])
        if key in rows: raise KeyError(key)
        rows.append(key)
boto3.client = lambda name: voice
boto3.resource = lambda name: types.SimpleNamespace(Table=lambda name: Table())
code = json.loads(sys.argv[1])
space = {}
exec(code, space)
rule = {"SipRule": {"SipRuleId": "rule-1", "Name": "entry"}}
def run(kind, expected, id=None, old=None, entry="+18445550100"):
    for operation, answer in expected:
        stub.add_response(operation, answer)
    properties = {
        "VoiceConnectorId": "abcdef1ghij2klmno3pqr4", "SipMediaApplicationId": "sma-1",
        "Name": "entry", "Region": "us-east-1", "EntryNumber": entry, "Address": "203.0.113.7",
        "Port": "5061", "Protocol": "TCP", "CallingRegions": ["US"], "Cps": "1", "Table": "t",
        "OurNumbers": ["+18005550100", "+18005550101"], "ConnectNumbers": ["+12065550100"]}
    event = {"RequestType": kind, "ResourceProperties": properties}
    if id: event["PhysicalResourceId"] = id
    if old: event["OldResourceProperties"] = {"EntryNumber": old}
    with stub:
        space["handler"](event, None)
    stub.assert_no_pending_responses()
office = [("put_voice_connector_termination", {}), ("put_voice_connector_origination", {})]
run("Create", office + [("create_sip_rule", rule)])
run("Update", office + [("update_sip_rule", rule)], "rule-1", "+18445550100")
run("Update", office + [("create_sip_rule", {"SipRule": {"SipRuleId": "rule-2"}})],
    "rule-1", "+18445550100", "+18445550101")
run("Delete", [("get_sip_rule", rule), ("update_sip_rule", rule), ("delete_sip_rule", {})], "rule-1")
run("Delete", [], "none")
run("Create", office[:1])
print(json.dumps([told, rows]))
"#;

#[test]
fn what_has_no_resource_is_set_up_by_requests_that_the_api_takes() {
    let template = read(TEMPLATE);
    let code = &template["Resources"]["VoiceSetup"]["Properties"]["Code"]["ZipFile"]["Fn::Join"];
    let lines: Vec<&str> = code[1].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    let code = lines.join("\n");
    assert!(code.len() < 4_096, "CloudFormation takes no more");
    let output = Command::new(python::with_boto3())
        .args(["-c", SETUP, &json!(code).to_string()])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout);
    let told: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    let ok = |id: &str| json!(["SUCCESS", id, null]);
    assert_eq!(
        told[0].as_array().unwrap()[..5],
        [ok("rule-1"), ok("rule-1"), ok("rule-2"), ok("rule-1"), ok("none")]
    );
    assert_eq!(told[0][5][0], "FAILED", "what fails is told to CloudFormation");
    assert_eq!(told[1].as_array().unwrap().len(), 2, "pairs that are there stay as they are");
}

#[test]
fn the_contact_flow_of_the_template_is_the_one_in_the_file() {
    let content = &read(TEMPLATE)["Resources"]["ContactFlow"]["Properties"]["Content"]["Fn::Sub"];
    let content: Value = serde_json::from_str(content.as_str().unwrap()).unwrap();
    assert_eq!(content, read(FLOW));
}

/// The errors that an action must have a way for (Amazon Connect flow language).
fn errors(kind: &str) -> &'static [&'static str] {
    match kind {
        "Compare" => &["NoMatchingCondition"],
        "InvokeLambdaFunction" | "MessageParticipant" | "UpdateContactAttributes" => {
            &["NoMatchingError"]
        }
        "Loop" | "UpdateFlowLoggingBehavior" | "DisconnectParticipant" => &[],
        other => panic!("{other}: look its errors up"),
    }
}

#[test]
fn the_contact_flow_is_whole() {
    let flow = read(FLOW);
    assert_eq!(flow["Version"], "2019-10-30");
    let actions = flow["Actions"].as_array().unwrap();
    let mut ways: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for action in actions {
        let id = action["Identifier"].as_str().unwrap();
        assert!(id.len() <= 50 && !id.contains(|c| "%:(\\/)=$,;[]{}".contains(c)), "{id}");
        let kind = action["Type"].as_str().unwrap();
        let of = |name: &str| action["Transitions"][name].as_array().cloned().unwrap_or_default();
        let told: Vec<Value> =
            of("Errors").iter().map(|error| error["ErrorType"].clone()).collect();
        assert_eq!(told, errors(kind), "{id}");
        let text = |value: &'_ Value| value["NextAction"].as_str().map(str::to_owned);
        let mut next: Vec<String> =
            of("Errors").iter().chain(&of("Conditions")).filter_map(text).collect();
        next.extend(text(&action["Transitions"]));
        let known = |name: &String| {
            let found = actions.iter().filter_map(|action| action["Identifier"].as_str());
            found.into_iter().find(|id| id == name).unwrap_or_else(|| panic!("{id}: {name}?"))
        };
        let next: Vec<&str> = next.iter().map(known).collect();
        assert_eq!(next.is_empty(), kind == "DisconnectParticipant", "{id}");
        assert!(ways.insert(id, next).is_none(), "{id} is there twice");
    }
    let mut reached = BTreeSet::new();
    let mut open = vec![flow["StartAction"].as_str().unwrap()];
    while let Some(id) = open.pop() {
        if reached.insert(id) {
            open.extend(&ways[id]);
        }
    }
    assert_eq!(reached.len(), actions.len(), "each action can be reached");
}

#[test]
fn the_contact_flow_asks_as_the_function_understands_it() {
    let flow = read(FLOW);
    let of_kind = |kind: &'static str| {
        let actions = flow["Actions"].as_array().unwrap().iter();
        actions.filter(move |action| action["Type"] == kind)
    };
    for action in of_kind("InvokeLambdaFunction") {
        let parameters = &action["Parameters"];
        let asked = &parameters["LambdaInvocationAttributes"];
        assert!(["GetData", "TransferCall"].contains(&asked["Purpose"].as_str().unwrap()));
        assert_eq!(asked["CallingNumber"], "$.CustomerEndpoint.Address");
        assert_eq!(asked["CalledNumber"], "$.SystemEndpoint.Address");
        let limit: u64 =
            parameters["InvocationTimeLimitSeconds"].as_str().unwrap().parse().unwrap();
        assert!((3..=8).contains(&limit), "the function answers within 2.5 s");
    }
    for action in of_kind("Compare") {
        for condition in action["Transitions"]["Conditions"].as_array().unwrap() {
            let status = condition["Condition"]["Operands"][0].as_str().unwrap();
            assert!(["found", "transferring", "unavailable"].contains(&status), "{status}");
        }
    }
}
