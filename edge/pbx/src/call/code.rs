//! Codes as keys in a call, for phones without a key of their own for it: that of `[cloud]`, `*8`, a
//! number, `#`; and that of `[conference]`, `*3`, `#`.
//!
//! > The keys go on to the other party as ever, and one that does not belong to a code forgets those
//! > before it. The code of `[cloud]` is looked for only in calls that the cloud has.

use std::time::{Duration, Instant};

use offhook_media::dtmf::Digit;

use super::Call;
use super::holder::NOT_NOW;
use super::leg::{LegId, Party};
use super::transfer::{Transfer, Transferor};

/// Ends a code.
const END: char = '#';
/// So does waiting, once the code is complete; before, it was no code.
const PAUSE: Duration = Duration::from_secs(4);
/// Keys of a code and a number; more are none.
const MOST: usize = 40;

/// Keys that may become one.
pub(super) struct Keys {
    leg: LegId,
    keys: String,
    until: Instant,
}

/// Codes that a leg may press now; an empty one is none.
struct Codes<'a> {
    cloud: &'a str,
    conference: &'a str,
}

/// What keys are.
#[derive(PartialEq)]
enum Read {
    Nothing,
    Begun,
    /// The code of `[cloud]`, with what number there is yet.
    Cloud,
    Conference,
}

impl Codes<'_> {
    fn read(&self, keys: &str) -> Read {
        let begins = |code: &str| !code.is_empty() && code.starts_with(keys);
        if !self.conference.is_empty() && keys == self.conference {
            return Read::Conference;
        }
        let number = keys.strip_prefix(self.cloud).filter(|_| !self.cloud.is_empty());
        if let Some(number) = number
            && number.bytes().all(|b| b.is_ascii_digit())
            && keys.len() <= MOST
        {
            return Read::Cloud;
        }
        if begins(self.cloud) || begins(self.conference) { Read::Begun } else { Read::Nothing }
    }
}

impl Call {
    /// A key of a leg that is talking.
    pub(super) fn code_by_key(&mut self, now: Instant, leg: LegId, digit: Digit) {
        let key = digit.as_char();
        let before = self.code_keys.take().filter(|keys| keys.leg == leg);
        let mut keys = before.map(|keys| keys.keys).unwrap_or_default();
        let codes = self.codes_of(leg);
        if key == END && matches!(codes.read(&keys), Read::Cloud | Read::Conference) {
            return self.dialled_by_code(now, leg, keys);
        }
        keys.push(key);
        // What went before was none; this key may begin one.
        if codes.read(&keys) == Read::Nothing {
            keys = key.to_string();
        }
        if codes.read(&keys) != Read::Nothing {
            self.code_keys = Some(Keys { leg, keys, until: now + PAUSE });
        }
    }

    fn codes_of(&self, leg: LegId) -> Codes<'_> {
        let config = self.config();
        let phone = self.leg_ref(leg).is_some_and(|leg| matches!(leg.party, Party::Phone(_)));
        let clouds = phone
            && self.transfer.is_none()
            && self.other(leg).is_some_and(|other| self.may_be_clouds(other.id));
        Codes {
            cloud: if clouds { config.cloud.code.as_str() } else { "" },
            conference: if self.may_meet(leg) { config.conference.code.as_str() } else { "" },
        }
    }

    /// When [`Call::code_timeout`] is due.
    pub(super) fn code_deadline(&self) -> Option<Instant> {
        self.code_keys.as_ref().map(|keys| keys.until)
    }

    pub(super) fn code_timeout(&mut self, now: Instant) {
        if let Some(Keys { leg, keys, .. }) = self.code_keys.take_if(|keys| keys.until <= now) {
            self.dialled_by_code(now, leg, keys);
        }
    }

    fn dialled_by_code(&mut self, now: Instant, id: LegId, keys: String) {
        match self.codes_of(id).read(&keys) {
            Read::Conference => self.meet_by_keys(now, id),
            Read::Cloud => self.moved_by_code(now, id, keys),
            Read::Begun | Read::Nothing => {}
        }
    }

    /// A transfer without a REFER.
    fn moved_by_code(&mut self, now: Instant, id: LegId, number: String) {
        let Some(leg) = self.leg_ref(id) else { return };
        let Party::Phone(extension) = leg.party.clone() else { return };
        let (label, part) = (leg.label, leg.part);
        let Some(other) = self.other(id).filter(|leg| leg.confirmed) else { return };
        let remaining = other.id;
        if !self.is_settled() {
            self.timeline.note(now, Some(label), "a code is not taken: something runs");
            return self.say_unless_heard(id, NOT_NOW);
        }
        let by = Transferor::Leg { id, part, report: None, gone: false };
        let transfer = Transfer { by_keys: true, ..Transfer::new(by, remaining, extension) };
        self.begin_transfer(now, id, transfer, number, None);
    }
}
