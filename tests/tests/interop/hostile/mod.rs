//! Applications that mean ill, or do ill: workflows here, functions and web servers in
//! `servers`. The call ends politely and says why; whoever talks meanwhile talks on.

use std::process::Command;
use std::time::Duration;

use offhook_tests::appliance::{Appliance, program};
use offhook_tests::baresip::{Baresip, Setup};
use offhook_tests::net::{Net, eventually};
use offhook_tests::scenario::{SDP, Scenario};
use offhook_tests::sipp::Sipp;
use offhook_tests::tone::{read_wav, seconds_of_sound, seconds_of_tone};
use serde_json::{Value, json};

use crate::office;

mod servers;

/// A carrier, with a number for each of these targets: +15550100100, …101, and so on.
fn numbers(net: Net, targets: &[&str]) -> String {
    let ip = net.trunk();
    let mut config = format!(
        "[[trunk]]\nname = \"line\"\ntype = \"generic\"\nhost = \"{ip}:5060\"\n\
         transport = \"udp\"\npeers = [\"{ip}/32\"]\noptions_seconds = 0\n\
         caller_id = \"+15550100100\"\n"
    );
    for (n, target) in targets.iter().enumerate() {
        let number = number(n);
        config += &format!("[[number]]\nmatch = \"{number}\"\nto = \"{target}\"\n");
    }
    config
}

fn number(n: usize) -> String {
    format!("+155501001{n:02}")
}

fn publish(appliance: &Appliance, name: &str, definition: &Value) {
    let file = appliance.folder().join(format!("{name}.asl.json"));
    std::fs::write(&file, definition.to_string()).expect("a file");
    appliance.cli(&["flow", "publish", file.to_str().expect("a path")]);
}

/// A state that says something to the caller and waits until it is said.
fn says(text: &str, next: &str) -> Value {
    json!({"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
        "TimeoutSeconds": 30, "Next": next, "Output": "{% $states.input %}", "Arguments": {
            "QueueUrl": "{% $states.context.Execution.Input.QueueUrl %}",
            "MessageBody": {"SchemaVersion": "1.0",
                "Actions": [{"Type": "Speak", "Parameters": {
                    "ParticipantTag": "LEG-A", "Text": text}}],
                "TransactionAttributes": {"WaitToken": "{% $states.context.Task.Token %}"}}}})
}

/// A workflow that begins with these states, in their order.
fn workflow(states: &[(&str, Value)]) -> Value {
    let all: serde_json::Map<_, _> =
        states.iter().map(|(name, state)| ((*name).to_owned(), state.clone())).collect();
    json!({"QueryLanguage": "JSONata", "StartAt": states[0].0, "States": all})
}

fn pass(output: &str) -> Value {
    json!({"Type": "Pass", "Output": format!("{{% {output} %}}"), "Next": "Over"})
}

fn over() -> (&'static str, Value) {
    ("Over", json!({"Type": "Succeed"}))
}

/// Two phones that talk: what is done to others must not be heard by them.
struct Talk {
    one: Baresip,
    two: Baresip,
}

impl Talk {
    fn begin(appliance: &Appliance) -> Self {
        let mut one = Baresip::registered(&Setup::of(appliance, 3, "101"));
        let two = Setup::of(appliance, 4, "102").tone(1000).account(";answermode=auto");
        let mut two = Baresip::registered(&two);
        one.dial("102");
        one.expect("CALL_ESTABLISHED");
        two.expect("CALL_ESTABLISHED");
        Self { one, two }
    }

    /// Hangs up. Each heard the other one all the time, but for the moments at the ends.
    fn end(mut self) {
        self.one.command("hangup", "");
        self.two.expect("CALL_CLOSED");
        self.one.expect("CALL_CLOSED");
        for (phone, tone) in [(&self.one, 1000.0), (&self.two, 440.0)] {
            let (heard, rate) = read_wav(&phone.heard()[0]);
            let length = heard.len() as f64 / f64::from(rate);
            let tone = seconds_of_tone(&heard, rate, tone);
            assert!(tone > length - 1.0, "{tone} s of {length} s");
        }
    }
}

/// A call of the trunk's that nobody answers.
fn refused(appliance: &Appliance, n: usize, port: u16) -> Sipp {
    let call = Scenario::new(&format!("+12065550{n:03}"), &number(n));
    let call = call.invite("", SDP).refused(480);
    Sipp::start(&call.xml(), (appliance.net.trunk(), port), appliance.sip(), &[])
}

/// The record and the ladder of the one call to a number.
fn call_to(appliance: &Appliance, n: usize) -> (Value, String) {
    let call = eventually("the call's end", || {
        let calls = appliance.json(&["calls", "list"]);
        let mut calls = calls.as_array().expect("calls").iter();
        calls.find(|call| call["to"] == number(n) && !call["ended_ms"].is_null()).cloned()
    });
    let ladder = appliance.cli(&["calls", "show", call["id"].as_str().expect("an id")]);
    (call, ladder)
}

/// The call ended as one that its application is to blame for, and its timeline says this.
fn assert_blamed(appliance: &Appliance, n: usize, why: &str) {
    let (call, ladder) = call_to(appliance, n);
    assert_eq!(call["failure"], "application-failed", "{call}\n{ladder}");
    assert!(ladder.contains(why), "no {why:?} in\n{ladder}");
}

#[test]
fn a_workflow_of_200_states_runs_to_its_end_in_one_call() {
    let net = Net::new();
    let appliance = office(net, &numbers(net, &["flow:long"]), &["101", "102"]);
    let mut states: Vec<(String, Value)> = vec![("Begin".to_owned(), says("Hello", "Step 1"))];
    for n in 1..=196 {
        let next = if n == 196 { "Part".to_owned() } else { format!("Step {}", n + 1) };
        let state = match n % 4 {
            0 => json!({"Type": "Choice", "Default": "Over",
                "Choices": [{"Condition": format!("{{% $steps = {} %}}", n - 1), "Next": next,
                    "Assign": {"steps": n}}]}),
            1 if n == 1 => json!({"Type": "Pass", "Assign": {"steps": 1}, "Next": next}),
            _ => json!({"Type": "Pass", "Assign": {"steps": "{% $steps + 1 %}"}, "Next": next}),
        };
        states.push((format!("Step {n}"), state));
    }
    states.push(("Part".to_owned(), says("Good bye", "Last")));
    states.push((
        "Last".to_owned(),
        json!({"Type": "Pass", "Output": "{% $steps %}",
        "Next": "Over"}),
    ));
    states.push(("Over".to_owned(), json!({"Type": "Succeed"})));
    assert_eq!(states.len(), 200);
    let named: Vec<_> = states.iter().map(|(name, state)| (name.as_str(), state.clone())).collect();
    publish(&appliance, "long", &workflow(&named));
    let talk = Talk::begin(&appliance);
    let call = Scenario::new("+12065550123", &number(0)).invite("", SDP).answered().ack();
    let call = call.expect_bye();
    Sipp::start(&call.xml(), (net.trunk(), 5060), appliance.sip(), &[]).finish();
    talk.end();
    let shown = appliance.json(&["flow", "show"]);
    assert_eq!(shown["execution"]["status"], "SUCCEEDED", "{}", shown["execution"]);
    assert_eq!(shown["execution"]["output"], "196", "{}", shown["execution"]);
    let history = shown["history"].as_array().expect("a history");
    let entered = history.iter().filter(|event| event["stateEnteredEventDetails"].is_object());
    assert_eq!(entered.count(), 200);
    let (call, ladder) = call_to(&appliance, 0);
    assert_eq!((&call["failure"], &call["disposition"]), (&Value::Null, &json!("answered")));
    assert!(ladder.contains("the workflow ended, and the call with it"), "{ladder}");
    appliance.assert_nothing_left();
}

/// Expressions, and what the timeline says of them.
const EXPRESSIONS: [(&str, &str); 7] = [
    ("($f := function($n) { $f($n + 1) + 1 }; $f(0))", "States.QueryEvaluationError"),
    ("($f := function($n) { $f($n + 1) }; $f(0))", "States.QueryEvaluationError"),
    ("$reduce([1..60], function($a, $b) { $a & $a }, 'x')", "States.QueryEvaluationError"),
    ("$reduce([1..60], function($a, $b) { $append($a, $a) }, [1])", "States.QueryEvaluationError"),
    ("[1..10000000]", "States.QueryEvaluationError"),
    (
        "$map([1..100000], function($i) { $map([1..100000], function($j) { $i * $j }) })",
        "States.QueryEvaluationError",
    ),
    ("$pad('x', 300000)", "States.DataLimitExceeded"),
];

#[test]
fn expressions_without_end_and_data_without_measure_cost_their_own_call_only() {
    let net = Net::new();
    let names: Vec<String> = (0..EXPRESSIONS.len()).map(|n| format!("flow:bad-{n}")).collect();
    let targets: Vec<&str> = names.iter().map(String::as_str).collect();
    let appliance = office(net, &numbers(net, &targets), &["101", "102", "103"]);
    for (n, (expression, _)) in EXPRESSIONS.iter().enumerate() {
        let states = [("Bad", pass(expression)), over()];
        publish(&appliance, &format!("bad-{n}"), &workflow(&states));
    }
    let greets = [("Greet", says("Hello", "Bad")), ("Bad", pass(EXPRESSIONS[0].0)), over()];
    publish(&appliance, "greets", &workflow(&greets));
    let talk = Talk::begin(&appliance);
    // All at once, and before anybody has answered.
    let calls = (0..EXPRESSIONS.len()).map(|n| refused(&appliance, n, 5060 + n as u16));
    for call in calls.collect::<Vec<_>>() {
        call.finish();
    }
    talk.end();
    for (n, (_, why)) in EXPRESSIONS.iter().enumerate() {
        assert_blamed(&appliance, n, why);
    }
    appliance.assert_nothing_left();
    let running = appliance.json(&["flow", "show"])["execution"]["status"].clone();
    assert_eq!(running, "FAILED");
}

#[test]
fn a_workflow_that_fails_in_the_middle_says_sorry() {
    let net = Net::new();
    let targets = ["flow:huge", "flow:deep", "flow:ends", "flow:ends-at-once"];
    let appliance = office(net, &numbers(net, &targets), &["101", "102", "103"]);
    let huge = json!({"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage",
        "Arguments": {"QueueUrl": "{% $states.context.Execution.Input.QueueUrl %}",
            "MessageBody": "{% $pad('x', 300000) %}"}, "Next": "Over"});
    let deep = pass("$reduce([1..200], function($a, $b) { {'in': $a} }, 1)");
    publish(
        &appliance,
        "huge",
        &workflow(&[("Greet", says("Hello", "Bad")), ("Bad", huge), over()]),
    );
    publish(
        &appliance,
        "deep",
        &workflow(&[("Greet", says("Hello", "Bad")), ("Bad", deep), over()]),
    );
    publish(&appliance, "ends", &workflow(&[("Greet", says("Hello", "Over")), over()]));
    publish(&appliance, "ends-at-once", &workflow(&[over()]));
    let talk = Talk::begin(&appliance);
    let mut caller = Baresip::registered(&Setup::of(&appliance, 5, "103"));
    let mut heard = Vec::new();
    for n in 0..3 {
        caller.dial(&number(n));
        caller.expect("CALL_ESTABLISHED");
        caller.expect("CALL_CLOSED");
        let (samples, rate) = read_wav(caller.heard().last().expect("a recording"));
        heard.push(seconds_of_sound(&samples, rate));
    }
    refused(&appliance, 3, 5060).finish();
    talk.end();
    // The greeting, and behind it the apology; where it merely ended, the greeting.
    assert!(heard[0] > heard[2] + 1.0 && heard[1] > heard[2] + 1.0, "{heard:?}");
    assert_blamed(&appliance, 0, "States.");
    assert_blamed(&appliance, 1, "States.");
    for n in [2, 3] {
        let (call, ladder) = call_to(&appliance, n);
        assert_ne!(call["failure"], "application-failed", "{ladder}");
        assert!(ladder.contains("the workflow ended, and the call with it"), "{ladder}");
    }
    appliance.assert_nothing_left();
}

#[test]
fn a_workflow_that_fails_while_two_talk_leaves_nobody_on_the_line() {
    let net = Net::new();
    let appliance = office(net, &numbers(net, &["flow:pair"]), &["101", "102", "103", "104"]);
    let mut rings = says("", "Bad");
    rings["Arguments"]["MessageBody"]["Actions"] = json!([{"Type": "CallAndBridge",
        "Parameters": {"CallTimeoutSeconds": 20, "CallerIdNumber": "+15550100100",
            "Endpoints": [{"BridgeEndpointType": "PSTN", "Uri": "104"}]}}]);
    let states = [
        ("Greet", says("Hello", "Ring")),
        ("Ring", rings),
        ("Bad", json!({"Type": "Wait", "Seconds": 3, "Next": "Worse"})),
        ("Worse", pass(EXPRESSIONS[1].0)),
        over(),
    ];
    publish(&appliance, "pair", &workflow(&states));
    let talk = Talk::begin(&appliance);
    let desk = Setup::of(&appliance, 6, "104").tone(1000).account(";answermode=auto");
    let mut desk = Baresip::registered(&desk);
    let mut caller = Baresip::registered(&Setup::of(&appliance, 5, "103"));
    caller.dial(&number(0));
    caller.expect("CALL_ESTABLISHED");
    desk.expect("CALL_ESTABLISHED");
    desk.expect("CALL_CLOSED");
    caller.expect("CALL_CLOSED");
    talk.end();
    assert_blamed(&appliance, 0, "States.QueryEvaluationError");
    appliance.assert_nothing_left();
    let (heard, rate) = read_wav(&caller.heard()[0]);
    let talked = seconds_of_tone(&heard, rate, 1000.0);
    assert!(talked > 1.5, "they talked for {talked} s");
    assert!(seconds_of_sound(&heard, rate) > talked + 1.5, "the greeting and the apology");
}

#[test]
fn a_workflow_that_runs_in_circles_is_ended_and_disturbs_nobody() {
    let net = Net::new();
    let targets = ["flow:circle", "flow:flood", "flow:heavy"];
    let appliance = office(net, &numbers(net, &targets), &["101", "102", "103"]);
    let step = |next: &str| json!({"Type": "Pass", "Next": next});
    publish(&appliance, "circle", &workflow(&[("One", step("Two")), ("Two", step("One"))]));
    // Says something again and again, and waits for nothing.
    let mut flood = says("Hello", "Say");
    flood["Resource"] = "arn:aws:states:::sqs:sendMessage".into();
    flood["Arguments"]["MessageBody"]["TransactionAttributes"] = json!({});
    publish(&appliance, "flood", &workflow(&[("Say", flood.clone())]));
    // Thinks for a second, again and again.
    let mut heavy = flood;
    heavy["Arguments"]["MessageBody"] = format!("{{% {} %}}", EXPRESSIONS[1].0).into();
    heavy["Catch"] = json!([{"ErrorEquals": ["States.QueryEvaluationError"], "Next": "Say"}]);
    publish(&appliance, "heavy", &workflow(&[("Say", heavy)]));
    let talk = Talk::begin(&appliance);
    let circle = refused(&appliance, 0, 5060);
    let heavy = refused(&appliance, 2, 5061);
    heavy.wait_for("INVITE");
    let mut caller = Baresip::registered(&Setup::of(&appliance, 5, "103"));
    caller.dial(&number(1));
    caller.expect("CALL_ESTABLISHED");
    std::thread::sleep(Duration::from_secs(3));
    caller.command("hangup", "");
    caller.expect("CALL_CLOSED");
    let call = call_to(&appliance, 1).0["id"].as_str().expect("an id").to_owned();
    eventually("the end of the execution", || {
        let shown = appliance.json(&["flow", "show", "--call", &call]);
        (shown["execution"]["status"] != "RUNNING").then_some(())
    });
    circle.finish();
    heavy.finish();
    talk.end();
    // Too many events, or too long without a word: whichever comes first.
    assert_blamed(&appliance, 0, "the workflow ");
    assert_blamed(&appliance, 2, "the workflow said nothing for 18 s");
    appliance.assert_nothing_left();
}

#[test]
fn a_number_whose_workflow_is_not_published_is_told_beforehand_and_ends_with_480() {
    let net = Net::new();
    let appliance = office(net, &numbers(net, &["flow:none", "flow:there@live"]), &["101"]);
    let warned = format!("{} leads to flow:none, which is not published", number(0));
    eventually("a warning", || appliance.log().contains(&warned).then_some(()));
    publish(&appliance, "there", &workflow(&[over()]));
    let check = || {
        let file = appliance.config_path();
        let ran = Command::new(program()).arg("check").arg(file).output().expect("it runs");
        String::from_utf8_lossy(&ran.stdout).into_owned()
    };
    let checked = check();
    assert!(checked.contains("good") && checked.contains(&warned), "{checked}");
    assert!(checked.contains("flow:there@live, which is not published"), "{checked}");
    appliance.cli(&["flow", "alias", "there", "live", "1"]);
    appliance.cli(&["reload"]);
    assert!(!check().contains("flow:there"));
    refused(&appliance, 0, 5060).finish();
    assert_blamed(&appliance, 0, "State Machine Does Not Exist: 'none'");
    appliance.assert_nothing_left();
}
