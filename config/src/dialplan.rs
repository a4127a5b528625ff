//! What dialled digits mean: emergency, our own numbers, or E.164. Pure functions.

use crate::schema::{Config, DialPlan, NumberRule};
use crate::target::{Origin, Target};

/// What a dial plan makes of digits that are none of our own numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dialled {
    /// An emergency number, as it is to be sent.
    Emergency(String),
    /// A number outside: E.164 with its plus, or a service number as dialled.
    Outside(String),
    /// Not a number that can be reached; why, for the call's record.
    Invalid(&'static str),
}

/// Where a call goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// An emergency call: any trunk that works, whatever the caller may otherwise do.
    Emergency(String),
    /// One of our own numbers or a `[[number]]` rule.
    To(Target),
    /// The code of `[supervision]` and the extension to be listened to.
    Supervise(String),
    /// A conference of its own for whoever asks (`[conference] factory`).
    NewConference,
    /// Through the trunks, in their order. E.164 with plus, or a service number as dialled.
    Outside(String),
    /// Nowhere; why, for the call's record. 404 or 484.
    Nowhere(&'static str),
}

/// Whether a text is an E.164 number with its plus: at most 15 digits, no leading zero
/// (ITU-T E.164 §6.2).
pub fn is_e164(text: &str) -> bool {
    text.strip_prefix('+').is_some_and(|digits| {
        (7..=15).contains(&digits.len())
            && digits.bytes().all(|b| b.is_ascii_digit())
            && !digits.starts_with('0')
    })
}

fn strip_non_empty<'a>(digits: &'a str, prefix: &str) -> Option<&'a str> {
    if prefix.is_empty() { None } else { digits.strip_prefix(prefix) }
}

/// Takes visual separators out of a number (RFC 3966 §5.1.1).
pub fn without_separators(number: &str) -> String {
    number.chars().filter(|c| !matches!(c, ' ' | '-' | '.' | '(' | ')' | '/')).collect()
}

impl DialPlan {
    /// The emergency number that was dialled, with or without the digits for an outside line.
    /// Numbers are compared whole: `1101` is not `110`.
    pub fn emergency_number(&self, dialled: &str) -> Option<&str> {
        let dialled = without_separators(dialled);
        let inner = match self.outside_prefix.as_str() {
            "" => None,
            prefix => dialled.strip_prefix(prefix),
        };
        self.emergency
            .iter()
            .find(|number| **number == dialled || inner == Some(number.as_str()))
            .map(String::as_str)
    }

    /// What digits mean that are none of our own numbers.
    pub fn dialled(&self, dialled: &str) -> Dialled {
        if let Some(number) = self.emergency_number(dialled) {
            return Dialled::Emergency(number.to_owned());
        }
        let digits = without_separators(dialled);
        if digits.starts_with('+') {
            return match is_e164(&digits) {
                true => Dialled::Outside(digits),
                false => Dialled::Invalid("a number with a plus must have 7 to 15 digits"),
            };
        }
        let Some(digits) = digits.strip_prefix(self.outside_prefix.as_str()) else {
            return Dialled::Invalid("a number outside needs the digits for an outside line");
        };
        if self.service.iter().any(|number| number == digits) {
            return Dialled::Outside(digits.to_owned());
        }
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Dialled::Invalid("no such number here");
        }
        match self.to_e164(digits) {
            Some(number) => Dialled::Outside(number),
            None => Dialled::Invalid("the dial plan makes no whole number of these digits"),
        }
    }

    /// E.164 of national or international digits, without the digits for an outside line. Also for
    /// numbers that a trunk presents. A number with a plus is returned as it is.
    pub fn to_e164(&self, digits: &str) -> Option<String> {
        let digits = without_separators(digits);
        if digits.starts_with('+') {
            return is_e164(&digits).then_some(digits);
        }
        let checked = |number: String| is_e164(&number).then_some(number);
        // Where `0` is national and `00` international, the longer one must be looked at first.
        if let Some(rest) = strip_non_empty(&digits, &self.international_prefix) {
            return checked(format!("+{rest}"));
        }
        let country = self.country_code.as_str();
        if country == "1" {
            return self.to_nanp(&digits);
        }
        if let Some(rest) = strip_non_empty(&digits, &self.national_prefix) {
            return checked(format!("+{country}{rest}"));
        }
        if self.national_prefix.is_empty() {
            return checked(format!("+{country}{digits}"));
        }
        // A local number: without our area nothing can be made of it.
        (!self.area_code.is_empty())
            .then(|| format!("+{country}{}{digits}", self.area_code))
            .and_then(checked)
    }

    /// North American numbers have ten digits, the area beginning with 2 to 9.
    fn to_nanp(&self, digits: &str) -> Option<String> {
        let national = match digits.len() {
            7 if self.area_code.len() == 3 => format!("{}{digits}", self.area_code),
            10 => digits.to_owned(),
            11 => digits.strip_prefix('1')?.to_owned(),
            _ => return None,
        };
        let begins_well = matches!(national.as_bytes().first(), Some(b'2'..=b'9'));
        let all_digits = national.bytes().all(|b| b.is_ascii_digit());
        (all_digits && begins_well).then(|| format!("+1{national}"))
    }
}

impl Config {
    /// Where a dialled number goes. `is_extension` knows configured and stored extensions.
    ///
    /// From a phone: emergency numbers before all else, then `[[number]]` rules, extensions,
    /// groups, the voicemail menu, conferences, supervision, and the world outside. From a trunk: rules, extensions and
    /// groups; never outside, except by a rule that says so for that trunk.
    pub fn route(
        &self,
        origin: Origin<'_>,
        dialled: &str,
        is_extension: impl Fn(&str) -> bool,
    ) -> Route {
        let number = without_separators(dialled);
        if origin == Origin::Phone
            && let Some(emergency) = self.dialplan.emergency_number(&number)
        {
            return Route::Emergency(emergency.to_owned());
        }
        if let Some(rule) = self.rule(origin, &number) {
            return Route::To(rule.to.clone());
        }
        // As dialled before without separators: `front-desk` and `10.1` may be extensions.
        if let Some(own) = [dialled, &number].into_iter().find(|n| is_extension(n)) {
            return Route::To(Target::Extension(own.to_owned()));
        }
        let has_number = |group: &&crate::Group| group.number.as_deref() == Some(number.as_str());
        if let Some(group) = self.groups.iter().find(has_number) {
            return Route::To(Target::Group(group.name.clone()));
        }
        if origin != Origin::Phone {
            return Route::Nowhere("no [[number]] rule, extension or group has this number");
        }
        if number == self.voicemail.menu_number {
            return Route::To(Target::VoicemailMenu);
        }
        if dialled == self.conference.factory {
            return Route::NewConference;
        }
        // As dialled before without separators, here too.
        let code = self.supervision.code.as_str();
        if !self.supervisors.is_empty()
            && let Some(of) = [dialled, &number].into_iter().find_map(|n| n.strip_prefix(code))
        {
            return Route::Supervise(of.to_owned());
        }
        match self.dialplan.dialled(&number) {
            Dialled::Emergency(number) => Route::Emergency(number),
            Dialled::Outside(number) => Route::Outside(number),
            Dialled::Invalid(why) => Route::Nowhere(why),
        }
    }

    /// The most specific rule for a number: exact before prefix, long before short, `trunk:NAME`
    /// before `trunks` before `any`, the first one written. Numbers match in E.164 as well as as
    /// dialled: `+15551230000` is found when `15551230000` or `5551230000` was dialled.
    pub fn rule(&self, origin: Origin<'_>, number: &str) -> Option<&NumberRule> {
        let e164 = match self.dialplan.dialled(number) {
            Dialled::Outside(e164) => Some(e164),
            _ => self.dialplan.to_e164(number),
        };
        let mut best: Option<((usize, u8), &NumberRule)> = None;
        for rule in self.numbers.iter().filter(|rule| rule.from.covers(origin)) {
            let as_dialled = rule.pattern.rank(number);
            let in_e164 = e164.as_deref().and_then(|e164| rule.pattern.rank(e164));
            let Some(rank) = as_dialled.max(in_e164) else { continue };
            let rank = (rank, rule.from.rank());
            if best.is_none_or(|(top, _)| rank > top) {
                best = Some((rank, rule));
            }
        }
        best.map(|(_, rule)| rule)
    }
}

#[cfg(test)]
mod tests;
