//! What a workflow is told of the office that its call came to: `Office` beside `Event` in its
//! input. docs/flows.md lists the members.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use offhook_config::{Business, Config};
use offhook_pbx::call::Source;
use serde_json::{Map, Value, json};

/// The function that says whether a PIN is right (`super::functions`).
pub(super) const CHECK_PIN: &str = "offhook-check-pin";
/// The function that schedules name to have a call placed, as in AWS's sample.
pub(super) const PLACE_CALL: &str = "place_chime_outbound_call";
/// Where the business-number flow keeps what callers say.
const VOICEMAIL_BUCKET: &str = "offhook-voicemail";
/// The prompts that came with the program, as objects: `beep.wav`.
pub(super) const PROMPT_BUCKET: &str = "offhook-prompts";
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
        "UtcOffsets": offsets(&zone, now),
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

/// What is added to UTC in the zone, from when (milliseconds since 1970) each holds, oldest first:
/// what holds at a time is the last whose `From` is not after it. The first has held since ever.
fn offsets(zone: &TimeZone, now: Timestamp) -> Value {
    /// Messages are kept long, and calls are not scheduled for later than a year.
    const YEAR: SignedDuration = SignedDuration::from_hours(366 * 24);
    /// Of each side. No zone changes more than four times a year.
    const MOST: usize = 8;
    let (first, last) = (now.saturating_sub(YEAR), now.saturating_add(YEAR));
    let (first, last) = (first.unwrap_or(now), last.unwrap_or(now));
    let before = zone.preceding(now).map(|change| change.timestamp());
    let mut changes: Vec<Timestamp> = before.take_while(|at| *at >= first).take(MOST).collect();
    changes.reverse();
    let after = zone.following(now).map(|change| change.timestamp());
    // A change at this very moment is neither before nor after it.
    changes.push(now);
    changes.extend(after.take_while(|at| *at <= last).take(MOST));
    let offset = |at: Timestamp| at.to_zoned(zone.clone()).strftime("%z").to_string();
    let mut told = vec![(0, offset(first))];
    for at in changes {
        let from = (at.as_millisecond(), offset(at));
        if told.last().is_none_or(|(_, known)| *known != from.1) {
            told.push(from);
        }
    }
    told.into_iter().map(|(from, offset)| json!({"From": from, "Offset": offset})).collect()
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

    /// What holds at a time, by the rule of docs/flows.md.
    fn offset_at(told: &Value, at: &str) -> String {
        let at = at.parse::<Timestamp>().unwrap().as_millisecond();
        let all = told["UtcOffsets"].as_array().unwrap();
        let holds = all.iter().rev().find(|change| change["From"].as_i64().unwrap() <= at);
        holds.unwrap()["Offset"].as_str().unwrap().to_owned()
    }

    fn in_zone(zone: &str, now: &str) -> Value {
        let office = OFFICE.replace("America/New_York", zone);
        self::office(&office, Source::Trunk("vc".into()), now)
    }

    #[test]
    fn the_offset_of_a_time_on_the_other_side_of_a_change_is_told() {
        // Both sides of the moments of change (tz database): New York goes back at 06:00 UTC on
        // 1 November and forth at 07:00 UTC on 14 March, Sydney forth on 3 October at 16:00 UTC
        // and back on 3 April at 16:00 UTC.
        let york = in_zone("America/New_York", "2026-10-30T12:00:00Z");
        assert_eq!(york["UtcOffset"], "-0400");
        assert_eq!(offset_at(&york, "2026-11-01T05:59:59.999Z"), "-0400");
        assert_eq!(offset_at(&york, "2026-11-01T06:00:00Z"), "-0500");
        assert_eq!(offset_at(&york, "2027-03-14T07:00:00Z"), "-0400");
        assert_eq!(offset_at(&york, "2026-03-08T06:59:59Z"), "-0500", "a message of the winter");
        assert_eq!(offset_at(&york, "1999-12-31T00:00:00Z"), "-0400", "before all that is told");
        let sydney = in_zone("Australia/Sydney", "2026-10-03T15:59:00Z");
        assert_eq!(sydney["UtcOffset"], "+1000");
        assert_eq!(offset_at(&sydney, "2026-10-03T15:59:59Z"), "+1000");
        assert_eq!(offset_at(&sydney, "2026-10-03T16:00:00Z"), "+1100");
        assert_eq!(offset_at(&sydney, "2027-04-03T16:00:00Z"), "+1000");
        let kolkata = in_zone("Asia/Kolkata", "2026-10-03T16:00:00Z");
        assert_eq!(kolkata["UtcOffsets"], json!([{"From": 0, "Offset": "+0530"}]));
        // At the very moment.
        let sydney = in_zone("Australia/Sydney", "2026-10-03T16:00:00Z");
        assert_eq!(offset_at(&sydney, "2026-10-03T15:59:59Z"), "+1000");
        assert_eq!(offset_at(&sydney, "2026-10-03T16:00:00Z"), "+1100");
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
