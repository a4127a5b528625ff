//! The function of Connect's contact flow. It always answers with a flat map of texts, which either
//! validation of the flow takes (`STRING_MAP` and `JSON`), and whose `status` the flow branches on:
//! an error would take the flow's error branch, where nobody knows what happened.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use offhook_dnis::{DnisError, DnisPool, Lease, Lookup, Pair};
use serde_json::{Map, Value};

use super::carried::{APPLICATION, Carried, TRANSACTION, is_id, is_label};
use super::deliver::{Deliver, Refusal, Update};
use super::target::{Target, bare_number, is_separator};

/// Arguments of one update (the API's own limit).
const MOST_ARGUMENTS: usize = 20;
/// Octets of one text in an answer: all of it has to fit 32 kB.
const MOST_TEXT: usize = 1_024;
/// Parameters that are not passed on to the target.
const OWN: [&str; 10] = [
    APPLICATION,
    ORIGINAL,
    TRANSACTION,
    "CallingNumber",
    "CalledNumber",
    "Purpose",
    "TransactionId",
    "Transfer",
    "TransferTarget",
    "TransferTargetArn",
];

/// The header with who called.
const ORIGINAL: &str = "X-Original-Calling-Number";
/// Names of User-to-User, as a parameter of the block or an attribute of the contact.
const USER_TO_USER: [&str; 3] = ["User-to-User", "UserToUser", "UserToUserInformation"];

/// What the operator decides about it.
#[derive(Debug, Clone)]
pub struct SwitchRules {
    /// The application that is asked, when the lease does not say which.
    pub application: Option<String>,
    /// Where a call goes, when the flow does not say it.
    pub target: Option<Target>,
    /// Numbers without one get this country code.
    pub country_code: String,
    /// Most digits of an extension (1 to 32); a target with more of them is a number of the telephone
    /// network.
    pub extension_digits: usize,
    /// The header (a parameter of the block, or an attribute of the contact) that says which
    /// transaction it is, where the way to Connect keeps headers.
    pub transaction_header: String,
    /// An answer is given within this: the flow itself waits three seconds, and no more than eight.
    pub deadline: Duration,
}

/// The function.
pub struct Switch<P, D> {
    rules: SwitchRules,
    pool: P,
    deliver: D,
}

/// An answer.
type Told = Map<String, Value>;

fn told<const N: usize>(status: &str, more: [(&str, &str); N]) -> Told {
    let mut told = Told::new();
    told.insert("status".to_owned(), Value::from(status));
    for (name, value) in more {
        let value: String = value.chars().take(MOST_TEXT / 4).collect();
        told.insert(name.to_owned(), Value::from(value));
    }
    told
}

impl<P: DnisPool, D: Deliver> Switch<P, D> {
    /// With a pool, and a way to the one who holds the caller.
    pub fn new(rules: SwitchRules, pool: P, deliver: D) -> Self {
        Self { rules, pool, deliver }
    }

    /// Answers the block "Invoke AWS Lambda function".
    pub async fn handle(&self, event: &Value) -> Told {
        let working = self.work(event);
        let late = |_| told("unavailable", [("message", "this took too long; try again")]);
        tokio::time::timeout(self.rules.deadline, working).await.unwrap_or_else(late)
    }

    async fn work(&self, event: &Value) -> Told {
        let ask = Ask::read(event, &self.rules);
        if !matches!(ask.purpose, "GetData" | "TransferCall") {
            let words = "the parameter Purpose must be GetData or TransferCall";
            return told("refused", [("message", words)]);
        }
        // An update by the table needs a row.
        let carried = ask.carried();
        if let Some(carried) = carried.filter(|_| !self.deliver.needs_a_lease()) {
            return self.with_transaction(&ask, carried).await;
        }
        let Some(lookup) = ask.lookup() else {
            return told("refused", [("message", "there are no numbers to look for")]);
        };
        let lease = match self.pool.lookup(lookup).await {
            Ok(Some(lease)) => lease,
            Ok(None) => {
                let words = "no call is on its way between these numbers";
                return told("not_found", [("message", words)]);
            }
            Err(error @ (DnisError::Unavailable(_) | DnisError::Exhausted { .. })) => {
                return told("unavailable", [("message", &error.to_string())]);
            }
        };
        if ask.purpose == "GetData" {
            let number = lease.original_calling_number.as_str();
            return told(
                "found",
                [("original_calling_number", number), ("transaction_id", &lease.owner)],
            );
        }
        self.transfer(&ask, lease).await
    }

    /// The call itself says which one it is: no pair is asked for.
    async fn with_transaction(&self, ask: &Ask<'_>, carried: Carried) -> Told {
        let Carried { transaction, application, caller } = carried;
        let caller = caller.unwrap_or_default();
        if ask.purpose == "GetData" {
            let told_of = [
                ("original_calling_number", caller.as_str()),
                ("transaction_id", transaction.as_str()),
            ];
            return told("found", told_of);
        }
        let now = Timestamp::now();
        let lease = Lease {
            pair: ask.lookup().map_or_else(|| Pair::new("", ""), |lookup| lookup.pair),
            owner: transaction,
            original_calling_number: caller,
            application,
            contact: ask.contact_id().map(str::to_owned),
            since: now,
            expires: now,
        };
        self.transfer(ask, lease).await
    }

    async fn transfer(&self, ask: &Ask<'_>, lease: Lease) -> Told {
        let Some(application) = lease.application.clone().or(self.rules.application.clone()) else {
            let words = "nobody says which SIP media application the call belongs to";
            return told("refused", [("message", words)]);
        };
        let Some(arguments) = ask.arguments() else {
            return told("refused", [("message", "there is no TransferTarget")]);
        };
        let transaction = lease.owner.clone();
        let update = Update { application, lease, arguments };
        match self.deliver.deliver(&update).await {
            Ok(()) => {
                let words = "the caller is being taken back";
                told("transferring", [("message", words), ("transaction_id", &transaction)])
            }
            Err(error) => {
                let status = match error.refusal {
                    Refusal::Ended => "ended",
                    Refusal::Refused => "refused",
                    Refusal::Unavailable => "unavailable",
                };
                told(status, [("message", &error.words), ("transaction_id", &transaction)])
            }
        }
    }
}

/// An invocation (Connect administrator guide, "Invoke Lambda functions").
struct Ask<'a> {
    event: &'a Value,
    purpose: &'a str,
    rules: &'a SwitchRules,
}

impl<'a> Ask<'a> {
    fn read(event: &'a Value, rules: &'a SwitchRules) -> Self {
        let purpose = event.pointer("/Details/Parameters/Purpose").and_then(Value::as_str);
        Self { event, purpose: purpose.unwrap_or_default(), rules }
    }

    fn parameter(&self, name: &str) -> Option<&'a str> {
        let value = self.event.pointer("/Details/Parameters")?.get(name)?.as_str()?;
        (!value.is_empty()).then_some(value)
    }

    /// Of the block, or of the contact.
    fn said(&self, name: &str) -> Option<&'a str> {
        let attribute = || {
            let value = self.event.pointer("/Details/ContactData/Attributes")?.get(name)?;
            value.as_str().filter(|text| !text.is_empty())
        };
        self.parameter(name).or_else(attribute)
    }

    /// The transaction that came along. One that cannot be an id is as if it were not there.
    fn carried(&self) -> Option<Carried> {
        if let Some(id) =
            self.said(&self.rules.transaction_header).map(str::trim).filter(|id| is_id(id))
        {
            let application = self.said(APPLICATION).filter(|id| is_label(id));
            return Some(Carried {
                transaction: id.to_owned(),
                application: application.map(str::to_owned),
                caller: self.said(ORIGINAL).map(str::to_owned),
            });
        }
        USER_TO_USER.iter().find_map(|name| Carried::of_user_to_user(self.said(name)?))
    }

    fn contact(&self, path: &str) -> Option<&'a str> {
        let value = self.event.pointer("/Details/ContactData")?.pointer(path)?.as_str()?;
        (!value.is_empty()).then_some(value)
    }

    /// The first contact of one that was passed on.
    fn other_initial_contact(&self) -> Option<&'a str> {
        let now = self.contact("/ContactId")?;
        self.contact("/InitialContactId").filter(|first| *first != now)
    }

    /// A contact that was passed on within Connect has another id, and the same first one.
    fn contact_id(&self) -> Option<&'a str> {
        self.contact("/InitialContactId").or_else(|| self.contact("/ContactId"))
    }

    fn lookup(&self) -> Option<Lookup> {
        let number = |name: &str, path: &str| {
            let given = self.parameter(name).or_else(|| self.contact(path))?;
            e164(given, &self.rules.country_code)
        };
        let pair = Pair {
            our_number: number("CallingNumber", "/CustomerEndpoint/Address")?,
            connect_number: number("CalledNumber", "/SystemEndpoint/Address")?,
        };
        Some(Lookup {
            pair,
            contact: self.contact_id().map(str::to_owned),
            owner: self.parameter("TransactionId").map(str::to_owned),
        })
    }

    /// Those of the update: whereto, and what else the flow and Connect say of the call.
    fn arguments(&self) -> Option<BTreeMap<String, String>> {
        let named = self.parameter("TransferTarget").map(|number| {
            let arn = self.parameter("TransferTargetArn").map(str::to_owned);
            dialled(Target::named(number, arn), self.rules)
        });
        let target = named.or_else(|| self.rules.target.clone())?;
        let mut arguments = BTreeMap::from([
            ("Transfer".to_owned(), "true".to_owned()),
            ("TransferTarget".to_owned(), target.number),
        ]);
        arguments.extend(target.arn.map(|arn| ("TransferTargetArn".to_owned(), arn)));
        let of_connect = [
            ("X-Connect-Contact-Id", self.contact("/ContactId").or_else(|| self.contact_id())),
            ("X-Connect-Initial-Contact-Id", self.other_initial_contact()),
            ("X-Connect-Queue", self.contact("/Queue/Name")),
        ];
        for (name, value) in of_connect {
            arguments.extend(value.map(|value| (name.to_owned(), value.to_owned())));
        }
        let given = self.event.pointer("/Details/Parameters").and_then(Value::as_object);
        for (name, value) in given.into_iter().flatten() {
            let Some(value) = value.as_str().filter(|value| !value.is_empty()) else { continue };
            let carries =
                USER_TO_USER.contains(&name.as_str()) && Carried::of_user_to_user(value).is_some();
            let own =
                OWN.contains(&name.as_str()) || *name == self.rules.transaction_header || carries;
            if !own && arguments.len() < MOST_ARGUMENTS {
                arguments.insert(name.clone(), value.to_owned());
            }
        }
        Some(arguments)
    }
}

/// A target whose number is dialled has its country code; an extension, and what the other end of a
/// Voice Connector gets, is as it is written.
fn dialled(target: Target, rules: &SwitchRules) -> Target {
    let digits = target.number.bytes().filter(u8::is_ascii_digit).count();
    let written = |c: char| c.is_ascii_digit() || is_separator(c);
    let is_number = target.arn.is_none()
        && digits > rules.extension_digits
        && target.number.chars().all(written);
    let number = is_number.then(|| e164(&target.number, &rules.country_code)).flatten();
    Target { number: number.unwrap_or(target.number), ..target }
}

/// A number as carriers show it, in E.164. `None`: it has no digits (anonymous).
fn e164(text: &str, country_code: &str) -> Option<String> {
    let text = bare_number(text);
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    if digits.is_empty() || digits.len() > 18 {
        return None;
    }
    if text.starts_with('+') {
        return Some(format!("+{digits}"));
    }
    if let Some(digits) = digits.strip_prefix("00") {
        return Some(format!("+{digits}"));
    }
    // In North America a national number has ten digits, and its country code may stand before it.
    if country_code == "1" && digits.len() == 11 && digits.starts_with('1') {
        return Some(format!("+{digits}"));
    }
    let national = digits.strip_prefix('0').unwrap_or(&digits);
    Some(format!("+{country_code}{national}"))
}

#[cfg(test)]
mod number_tests {
    use super::{Duration, SwitchRules, Target, dialled, e164};

    fn rules(extension_digits: usize) -> SwitchRules {
        SwitchRules {
            application: None,
            target: None,
            country_code: "1".to_owned(),
            extension_digits,
            transaction_header: String::new(),
            deadline: Duration::from_secs(1),
        }
    }

    #[test]
    fn a_number_that_is_to_be_dialled_gets_its_country_code_and_an_extension_none() {
        for (text, arn, wanted) in [
            ("(855) 555-0111", None, "+18555550111"),
            ("18555550111", None, "+18555550111"),
            ("+448555550111", None, "+448555550111"),
            ("101", None, "101"),
            ("front-desk", None, "front-desk"),
            ("connect", None, "connect"),
            ("8555550111", Some("arn:aws:chime:us-east-1:1:vc/a"), "8555550111"),
        ] {
            let target = Target::named(text, arn.map(str::to_owned));
            assert_eq!(dialled(target, &rules(6)).number, wanted, "{text}");
        }
    }

    #[test]
    fn an_extension_of_many_digits_stays_one_where_the_rules_say_that_there_are_such() {
        let of = |text, digits| dialled(Target::named(text, None), &rules(digits)).number;
        assert_eq!(of("5550111", 7), "5550111");
        assert_eq!(of("5550111", 6), "+15550111");
        assert_eq!(of("8555550111", 7), "+18555550111");
        assert_eq!(of("8555550111", 32), "8555550111");
    }

    #[test]
    fn numbers_are_compared_in_e164_however_the_carrier_writes_them() {
        for (text, country, wanted) in [
            ("+18005550100", "1", Some("+18005550100")),
            ("18005550100", "1", Some("+18005550100")),
            ("8005550100", "1", Some("+18005550100")),
            ("(800) 555-0100", "1", Some("+18005550100")),
            ("tel:+1-800-555-0100", "1", Some("+18005550100")),
            ("TEL:+4930123456", "49", Some("+4930123456")),
            ("\"Ann\" <sip:+18005550100@192.0.2.1:5060;user=phone>", "1", Some("+18005550100")),
            ("sip:8005550100@192.0.2.1", "1", Some("+18005550100")),
            ("004930123456", "49", Some("+4930123456")),
            ("030 123456", "49", Some("+4930123456")),
            ("anonymous", "1", None),
            ("", "1", None),
        ] {
            assert_eq!(e164(text, country).as_deref(), wanted, "{text}");
        }
    }
}
