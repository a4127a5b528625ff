//! Workflows that run real calls: AWS's own sample, unmodified, and the business number that comes
//! with the program. Keys are RFC 4733 events of a phone that knows nothing of workflows.

use std::path::{Path, PathBuf};
use std::time::Duration;

use offhook_tests::appliance::Appliance;
use offhook_tests::baresip::{Baresip, Setup};
use offhook_tests::net::{Net, eventually, eventually_within};
use offhook_tests::scenario::{SDP, Scenario};
use offhook_tests::sipp::{Sipp, first, header};
use offhook_tests::tone::{read_growing, read_wav, seconds_of_sound, seconds_of_tone};
use serde_json::Value;

use crate::voicemail::wav_files;
use crate::{last_ladder, line, office};

/// Longer than any prompt, and than a scheduled minute.
const PATIENCE: Duration = Duration::from_secs(100);

/// The newest execution: its record and its events.
fn execution(appliance: &Appliance) -> Value {
    appliance.json(&["flow", "show"])
}

pub(crate) fn entered(shown: &Value) -> Vec<&str> {
    let events = shown["history"].as_array().expect("a history").iter();
    events.filter_map(|event| event["stateEnteredEventDetails"]["name"].as_str()).collect()
}

/// Waits until more than so many seconds of what a caller says are on the disk.
pub(crate) fn has_said(appliance: &Appliance, seconds: f64) {
    eventually("a message is on the disk", || {
        let file = wav_files(&appliance.data()).pop()?;
        let (said, rate) = read_growing(&file)?;
        (seconds_of_tone(&said, rate, 440.0) > seconds).then_some(())
    });
}

/// Waits until the newest execution is in this state.
pub(crate) fn in_state(appliance: &Appliance, state: &str) {
    eventually_within(PATIENCE, &format!("the state {state}"), || {
        (entered(&execution(appliance)).last() == Some(&state)).then_some(())
    });
}

/// Waits until the newest execution has ended, and tells how.
pub(crate) fn ended(appliance: &Appliance) -> Value {
    eventually_within(PATIENCE, "the end of the execution", || {
        let shown = execution(appliance);
        (shown["execution"]["status"] != "RUNNING").then_some(shown)
    })
}

/// AWS's sample with the five values that its deployment patches, in a file.
fn sample(folder: &Path) -> Option<PathBuf> {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/aws-sample");
    let text = std::fs::read_to_string(shared.join("definition.asl.json")).ok()?;
    let mut definition: Value = serde_json::from_str(&text).expect("JSON");
    let assign = &mut definition["States"]["Init"]["Assign"];
    assign["BusinessInfo"]["BusinessPhoneNumber"] = "+15550100100".into();
    assign["BusinessInfo"]["OwnerPersonalPhoneNumber"] = "101".into();
    let function = "arn:aws:lambda:us-east-1:000000000000:function:place_chime_outbound_call";
    assign["Environment"]["BuckectName"] = "pstn-media-apps".into();
    assign["Environment"]["PlaceOutboundCallLambdaArn"] = function.into();
    assign["Environment"]["EventBridgeExecutionRoleForPlaceOutboundCallLambdaArn"] =
        "arn:aws:iam::000000000000:role/any".into();
    // Its one prompt, where the workflow looks for it.
    let bucket = folder.join("data/buckets/pstn-media-apps");
    std::fs::create_dir_all(&bucket).expect("a folder");
    std::fs::copy(shared.join("beep.wav"), bucket.join("beep.wav")).expect("the beep");
    let file = folder.join("sample.asl.json");
    std::fs::write(&file, definition.to_string()).expect("a file");
    Some(file)
}

/// An office whose number leads to the sample, whose owner is 101; `None`: there is no sample here.
fn with_sample(net: Net) -> Option<Appliance> {
    let more = "[[number]]\nmatch = \"800\"\nto = \"flow:sample\"\n";
    let appliance = office(net, &(line(net, "flow:sample") + more), &["101", "102"]);
    // It is not part of the project: where it is not at hand, nothing is tested.
    let file = sample(appliance.folder())?;
    let file = file.to_str().expect("a path").to_owned();
    appliance.cli(&["flow", "publish", "--name", "sample", &file]);
    Some(appliance)
}

/// Hours of the sample: 08:00 to 18:00 at -0400, on every day.
fn sample_is_open() -> bool {
    let seconds = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let hour = (seconds.as_secs() / 3600 + 20) % 24;
    (8..18).contains(&hour)
}

#[test]
fn the_sample_of_aws_takes_a_customer_to_the_owner_or_records_a_message() {
    let net = Net::new();
    let Some(appliance) = with_sample(net) else { return };
    let owner = Setup::of(&appliance, 3, "101").tone(1000).account(";answermode=auto");
    let mut owner = Baresip::registered(&owner);
    let outside = Setup { ip: net.trunk(), ..Setup::of(&appliance, 2, "+15557654321") };
    let mut customer = Baresip::start(&Setup { regint: 0, ..outside });
    customer.command("dial", &format!("sip:+15550100100@{}", appliance.sip()));
    customer.expect("CALL_ESTABLISHED");
    if sample_is_open() {
        owner.expect("CALL_ESTABLISHED");
        in_state(&appliance, "Wait For Customer Call Hangup");
        owner.hears(440.0, 1.1);
        customer.command("hangup", "");
        owner.expect("CALL_CLOSED");
        let (heard, rate) = read_wav(&owner.heard()[0]);
        assert!(seconds_of_tone(&heard, rate, 440.0) > 1.0, "the owner hears the customer");
        ended(&appliance);
    } else {
        in_state(&appliance, "Record Message");
        std::thread::sleep(Duration::from_secs(4));
        customer.command("sndcode", "#");
        customer.expect("CALL_CLOSED");
        let shown = ended(&appliance);
        assert!(entered(&shown).contains(&"DynamoDB PutItem"), "{:?}", entered(&shown));
        let recorded = appliance.folder().join("data/buckets/pstn-media-apps");
        let recorded = recorded.join("business-phone-number-proxy/voicemails");
        let file = std::fs::read_dir(recorded).unwrap().next().unwrap().unwrap().path();
        let (said, rate) = read_wav(&file);
        assert!(seconds_of_tone(&said, rate, 440.0) > 2.0, "the message is what was said");
    }
    appliance.assert_nothing_left();
}

#[test]
fn the_sample_of_aws_places_the_owner_s_call_to_a_customer_a_minute_later() {
    let net = Net::new();
    let Some(appliance) = with_sample(net) else { return };
    let owner = Setup::of(&appliance, 3, "101").account(";answermode=auto");
    let mut owner = Baresip::registered(&owner);
    owner.dial("800");
    owner.expect("CALL_ESTABLISHED");
    in_state(&appliance, "Play & Capture Owner Options Menu");
    owner.command("sndcode", "3");
    in_state(&appliance, "Ask to continue or hangup");
    owner.command("sndcode", "5");
    in_state(&appliance, "Play & Capture Owner Options Menu");
    owner.command("sndcode", "2");
    in_state(&appliance, "Input Customer Phone Number Schedule");
    owner.command("sndcode", "2065550123");
    in_state(&appliance, "Input Callback Time");
    owner.command("sndcode", "1#");
    in_state(&appliance, "Ask to continue or hangup");
    owner.command("hangup", "");
    owner.expect("CALL_CLOSED");
    ended(&appliance);

    // It rings the owner, tells him, and calls the customer with the business's number.
    owner.expect_within("CALL_ESTABLISHED", PATIENCE);
    let answers = Scenario::called().receive("INVITE").respond("180 Ringing", "");
    let answers = answers.answer(SDP).receive("ACK").expect_bye();
    let customer =
        Sipp::start(&answers.xml(), (net.trunk(), 5060), appliance.sip(), &["-rtp_echo"]);
    in_state(&appliance, "Wait For Scheduled Customer Hangup");
    // The sample forgets the customer when the owner hangs up first; the appliance does not.
    owner.command("hangup", "");
    let messages = customer.received();
    let invite = first(&messages, "INVITE ");
    assert!(invite.starts_with("INVITE sip:+12065550123@"), "{invite}");
    assert!(header(invite, "From").unwrap_or("").contains("+15550100100"), "{invite}");
    owner.expect("CALL_CLOSED");
    let shown = ended(&appliance);
    assert!(entered(&shown).contains(&"Wait For Scheduled Customer Hangup"), "{shown}");
    appliance.assert_nothing_left();
}

pub(crate) const BUSINESS: &str =
    "[business]\nname = \"Flowers\"\nnumber = \"+15550100100\"\nowner = \"101\"\n";

/// Closed today, and tomorrow in case it is midnight.
pub(crate) fn closed() -> String {
    let today = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
    let tomorrow = today.tomorrow().expect("a day");
    format!("time_zone = \"UTC\"\nholidays = [\"{today}\", \"{tomorrow}\"]\n")
}

#[test]
fn a_business_number_takes_a_message_when_it_is_closed_and_plays_it_to_the_owner() {
    let net = Net::new();
    let more = "[[number]]\nmatch = \"800\"\nto = \"flow:business-number\"\n";
    let config = line(net, "flow:business-number") + more + BUSINESS + &closed();
    let appliance = office(net, &config, &["101", "102"]);
    let mut caller = Baresip::registered(&Setup::of(&appliance, 4, "102"));
    caller.dial("800");
    caller.expect("CALL_ESTABLISHED");
    in_state(&appliance, "Take a message");
    // It is asked for in words first.
    has_said(&appliance, 3.0);
    // No key: the caller hangs up, and the message is there all the same.
    caller.command("hangup", "");
    caller.expect("CALL_CLOSED");
    let shown = ended(&appliance);
    assert_eq!(shown["execution"]["status"], "SUCCEEDED", "{}", last_ladder(&appliance));
    assert!(entered(&shown).contains(&"Keep the message"), "{:?}", entered(&shown));

    let mut owner = Baresip::registered(&Setup::of(&appliance, 3, "101"));
    owner.dial("800");
    owner.expect("CALL_ESTABLISHED");
    in_state(&appliance, "Owner menu");
    owner.command("sndcode", "8");
    std::thread::sleep(Duration::from_secs(3));
    owner.command("sndcode", "3");
    in_state(&appliance, "Ask what to do with the message");
    owner.command("sndcode", "3");
    in_state(&appliance, "Owner menu");
    owner.command("sndcode", "9");
    owner.expect("CALL_CLOSED");
    let shown = ended(&appliance);
    assert!(entered(&shown).contains(&"Say that it is deleted"), "{:?}", entered(&shown));
    let (heard, rate) = read_wav(&owner.heard()[0]);
    assert!(seconds_of_tone(&heard, rate, 440.0) > 2.0, "the owner hears what was said");
    assert!(seconds_of_sound(&heard, rate) > 10.0, "and the words around it");
    let bucket = appliance.folder().join("data/buckets/offhook-voicemail/business");
    assert_eq!(std::fs::read_dir(bucket).unwrap().count(), 0, "it is deleted");
    appliance.assert_nothing_left();
}

#[test]
fn a_business_number_rings_the_owner_with_the_caller_s_number_and_tells_the_path_of_the_call() {
    let net = Net::new();
    let config = line(net, "flow:business-number") + BUSINESS;
    let appliance = office(net, &config, &["101"]);
    let owner = Setup::of(&appliance, 3, "101").tone(1000).account(";answermode=auto");
    let mut owner = Baresip::registered(&owner);
    let caller = Scenario::new("+15550100999", "+15550100100").invite("", SDP);
    let caller = caller.answered().ack().wait(12_000).bye();
    Sipp::start(&caller.xml(), (net.trunk(), 5060), appliance.sip(), &["-rtp_echo"]).finish();
    let ringing = owner.expect("CALL_ESTABLISHED");
    assert!(ringing["peeruri"].as_str().unwrap_or("").contains("+15550100999"), "{ringing}");
    owner.expect("CALL_CLOSED");
    let shown = ended(&appliance);
    assert_eq!(shown["execution"]["status"], "SUCCEEDED", "{shown}");
    let call = shown["execution"]["transaction_id"].as_str().expect("a call").to_owned();
    let path = appliance.cli(&["flow", "show", "--call", &call[..8]]);
    assert!(path.contains("Ring the owner") && path.contains("Talk"), "{path}");
    let picture = appliance.folder().join("path.svg");
    appliance.cli(&["flow", "show", "--call", &call, "--svg", picture.to_str().unwrap()]);
    let picture = std::fs::read_to_string(picture).unwrap();
    assert!(picture.starts_with("<svg") && picture.contains("Ring the owner"));
    appliance.assert_nothing_left();
}
