//! What a workflow is told of the office that its call came to: `Office` beside `Event` in its
//! input. docs/flows.md lists the members.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use offhook_config::{Business, Config};
use offhook_pbx::call::Source;
use serde_json::{Map, Value, json};

/// The function that says whether a PIN is right (`super::functions`).
pub const CHECK_PIN: &str = "offhook-check-pin";
/// The function that schedules name to have a call placed, as in AWS's sample.
pub const PLACE_CALL: &str = "place_chime_outbound_call";
/// Where the business-number flow keeps what callers say.
const VOICEMAIL_BUCKET: &str = "offhook-voicemail";
/// The prompts that came with the program, as objects: `beep.wav`.
pub const PROMPT_BUCKET: &str = "offhook-prompts";
/// The table of its messages.
const MESSAGE_TABLE: &str = "OffhookBusinessMessages";

/// `{"Office": …}` for a call of `caller` at `now`.
pub fn context(config: &Config, caller: &Source, now: Timestamp) -> Map<String, Value> {
    let business = &config.business;
    let zone = zone(config);
    let here = now.to_zoned(zone.clone());
    let calendar = &business.calendar;
    let next = calendar.next_opening(now, &zone);
    let function = |name: &str| {
        let aws = &config.aws;
        format!("arn:aws:lambda:{}:{}:function:{name}", aws.region, aws.account)
    };
    let plan = &config.dialplan;
    let office = json!({
        "Business": business_of(business),
        "Open": calendar.is_open(&here),
        "NextOpening": next.map(|next| next.strftime("on %A at %-I:%M %p").to_string()),
        "TimeZone": zone.iana_name().unwrap_or("UTC"),
        "UtcOffset": here.strftime("%z").to_string(),
        "LocalTime": here.datetime().strftime("%Y-%m-%dT%H:%M:%S").to_string(),
        "Weekday": here.strftime("%A").to_string(),
        "Caller": caller_of(business, caller),
        "CountryCode": plan.country_code,
        "NationalPrefix": plan.national_prefix,
        "InternationalPrefix": plan.international_prefix,
        "CheckPinFunction": function(CHECK_PIN),
        "PlaceCallFunctionArn": function(PLACE_CALL),
        "SchedulerRoleArn": format!("arn:aws:iam::{}:role/offhook", config.aws.account),
        "PromptBucket": PROMPT_BUCKET,
        "VoicemailBucket": VOICEMAIL_BUCKET,
        "MessageTable": MESSAGE_TABLE,
    });
    Map::from_iter([("Office".to_owned(), office)])
}

/// The zone of the business's hours.
fn zone(config: &Config) -> TimeZone {
    let own = config.business.time_zone.as_ref().or(config.server.time_zone.as_ref());
    own.cloned().unwrap_or_else(TimeZone::system)
}

fn business_of(business: &Business) -> Value {
    let outside = business.owner.starts_with('+');
    let kind = if outside { "PSTN" } else { "Extension" };
    json!({
        "Name": business.name,
        "Number": business.number,
        "Owner": business.owner,
        "OwnerEndpoint": {"BridgeEndpointType": kind, "Uri": business.owner},
        "PinOf": business.pin_of,
        "HasPin": business.pin_of.is_some(),
    })
}

/// A phone proved who it is; a number that a trunk shows proves nothing.
fn caller_of(business: &Business, caller: &Source) -> Value {
    match caller {
        Source::Phone(number) => {
            let own = [Some(&business.owner), business.pin_of.as_ref()];
            let is_owner = own.into_iter().flatten().any(|owner| owner == number);
            json!({"Kind": "phone", "Extension": number, "IsOwner": is_owner})
        }
        Source::Trunk(name) => json!({"Kind": "trunk", "Trunk": name, "IsOwner": false}),
        Source::Application(name) => {
            json!({"Kind": "application", "Application": name, "IsOwner": false})
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFFICE: &str = "[business]\nname = \"Flowers\"\nnumber = \"+15551230000\"\nowner = \"101\"\n\
        hours = [\"Mon-Fri 08:00-18:00\"]\ntime_zone = \"America/New_York\"\n";

    fn office(text: &str, caller: Source, now: &str) -> Value {
        let config = offhook_config::check(text, std::path::Path::new("t.toml")).unwrap();
        context(&config, &caller, now.parse().unwrap())["Office"].clone()
    }

    #[test]
    fn the_hours_are_those_of_the_business_s_zone() {
        let told = office(OFFICE, Source::Trunk("vc".into()), "2026-11-30T12:59:59Z");
        assert_eq!((&told["Open"], &told["UtcOffset"]), (&json!(false), &json!("-0500")));
        assert_eq!(told["NextOpening"], "on Monday at 8:00 AM");
        assert_eq!(told["LocalTime"], "2026-11-30T07:59:59");
        let told = office(OFFICE, Source::Trunk("vc".into()), "2026-11-30T13:00:00Z");
        assert_eq!((&told["Open"], &told["NextOpening"]), (&json!(true), &Value::Null));
    }

    #[test]
    fn only_a_phone_that_registered_as_the_owner_is_the_owner() {
        let now = "2026-11-30T13:00:00Z";
        let of = |caller| office(OFFICE, caller, now)["Caller"]["IsOwner"].clone();
        assert_eq!(of(Source::Phone("101".into())), true);
        assert_eq!(of(Source::Phone("102".into())), false);
        assert_eq!(of(Source::Trunk("101".into())), false);
    }
}
