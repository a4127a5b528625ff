//! The code of `[cloud]` as keys in a call: `*8`, a number, `#`. For phones without a key for
//! transfers.
//!
//! > The keys go on to the other party as ever; they are looked at only in calls that the cloud
//! > has, and one that does not belong to the code forgets those before it.

use std::time::{Duration, Instant};

use offhook_media::dtmf::Digit;

use super::Call;
use super::leg::{LegId, Party};
use super::runner::Running;
use super::transfer::{Transfer, Transferor};

/// Ends the number.
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

impl Call {
    /// A key of a leg that is talking.
    pub(super) fn code_by_key(&mut self, now: Instant, leg: LegId, digit: Digit) {
        let key = digit.as_char();
        if !self.may_dial_code(leg) {
            self.code_keys = None;
            return;
        }
        let code = self.config().cloud.code.clone();
        let mut keys = match self.code_keys.take() {
            Some(keys) if keys.leg == leg => keys.keys,
            _ => String::new(),
        };
        let complete = keys.starts_with(&code);
        if complete && key == END {
            return self.dialled_by_code(now, leg, keys);
        }
        keys.push(key);
        if complete && (!key.is_ascii_digit() || keys.len() > MOST) {
            keys = key.to_string();
        }
        // What went before was none; this key may begin one.
        if !keys.starts_with(&code) && !code.starts_with(&keys) {
            keys = key.to_string();
        }
        if keys.starts_with(&code) || code.starts_with(&keys) {
            self.code_keys = Some(Keys { leg, keys, until: now + PAUSE });
        }
    }

    fn may_dial_code(&self, leg: LegId) -> bool {
        let phone = self.leg_ref(leg).is_some_and(|leg| matches!(leg.party, Party::Phone(_)));
        phone
            && self.transfer.is_none()
            && self.other(leg).is_some_and(|other| self.may_be_clouds(other.id))
    }

    /// When [`Call::code_timeout`] is due.
    pub(super) fn code_deadline(&self) -> Option<Instant> {
        self.code_keys.as_ref().map(|keys| keys.until)
    }

    pub(super) fn code_timeout(&mut self, now: Instant) {
        let Some(Keys { leg, keys, .. }) = self.code_keys.take_if(|keys| keys.until <= now) else {
            return;
        };
        if keys.starts_with(&self.config().cloud.code) && self.may_dial_code(leg) {
            self.dialled_by_code(now, leg, keys);
        }
    }

    /// A transfer without a REFER.
    fn dialled_by_code(&mut self, now: Instant, id: LegId, number: String) {
        let Some(leg) = self.leg_ref(id) else { return };
        let Party::Phone(extension) = leg.party.clone() else { return };
        let (label, part) = (leg.label, leg.part);
        let Some(other) = self.other(id).filter(|leg| leg.confirmed) else { return };
        let remaining = other.id;
        if !self.is_settled() {
            self.timeline.note(now, Some(label), "a code is not taken: something runs");
            // What plays or is recorded now is the application's: words would end it.
            let sounds = matches!(
                self.running,
                Running::Playing { .. } | Running::Digits(_) | Running::Recording(_)
            );
            if !sounds {
                self.say_to(id, "The call cannot be moved now. Please try again.");
            }
            return;
        }
        let by = Transferor::Leg { id, part, report: None, gone: false };
        let transfer = Transfer { by_keys: true, ..Transfer::new(by, remaining, extension) };
        self.begin_transfer(now, id, transfer, number, None);
    }
}
