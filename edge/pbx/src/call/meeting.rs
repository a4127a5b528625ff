//! Actions that need a service of AWS: done as far as the office can, else they fail in AWS's words.

use std::time::{Duration, Instant};

use offhook_config::TrunkKind;
use offhook_sip::header::Headers;
use offhook_sip::uri::Uri;
use offhook_sma::action::{Action, JoinChimeMeeting, LegTag, MEETING_NUMBER};
use offhook_sma::event::{ActionError, error_type};

use super::Call;
use super::bridge::Begins;
use super::leg::{Leg, LegId};
use super::runner::{gone, invalid};
use crate::stack::Target;
use crate::trunk::TrunkTarget;

/// A meeting answers at once or not at all.
const RING: Duration = Duration::from_secs(30);

impl Call {
    /// Why this action cannot be run here at all; asked before the call is answered for it.
    pub(super) fn impossible(&self, action: &Action, tag: LegTag) -> Option<ActionError> {
        let bridged = self.transaction.other_connected(LegTag::A);
        match action {
            Action::JoinChimeMeeting(_) | Action::StartBotConversation(_)
                if tag != LegTag::A || bridged =>
            {
                Some(invalid("Invalid action on the call."))
            }
            Action::JoinChimeMeeting(_) if self.ways_to_meetings().is_empty() => {
                Some(ActionError::system("No Voice Connector is there to reach the meeting by."))
            }
            Action::StartBotConversation(_) if self.services.bots.is_none() => {
                Some(ActionError::system("No Amazon Lex is there to talk to."))
            }
            Action::ModifyChimeMeetingAttendees(_) if !self.in_meeting() => {
                Some(invalid("Call is not connected to Chime Meeting."))
            }
            Action::ModifyChimeMeetingAttendees(_) => {
                Some(ActionError::system("Attendees can be modified in AWS only."))
            }
            _ => None,
        }
    }

    fn in_meeting(&self) -> bool {
        self.transaction.participant(LegTag::B).is_some_and(|p| p.to == MEETING_NUMBER)
    }

    fn ways_to_meetings(&self) -> Vec<TrunkTarget> {
        let mut ways = self.services.phonebook.ways_out(MEETING_NUMBER, None, false);
        ways.retain(|way| matches!(way.trunk.kind, TrunkKind::VoiceConnector { .. }));
        ways
    }

    /// `VoiceFocus`: what the leg says is cleaned of noise from here on, or not any more. A caller who
    /// rings still is cleaned once there is something to hear.
    pub(super) fn focus(&mut self, now: Instant, leg: LegId, enable: bool) {
        let media = if enable { self.ensure_media(leg) } else { Ok(()) };
        if let Err(error) = media {
            return self.action_failed(now, &ActionError::system(&error));
        }
        // Where nothing is heard yet there is no noise to leave in.
        let silent = !enable && self.leg_ref(leg).is_some_and(|leg| leg.port().is_none());
        if silent {
            return self.action_done(now, |_| {});
        }
        match self.leg_ref(leg).and_then(Leg::port).map(|port| port.focus(enable)) {
            Some(true) => self.action_done(now, |_| {}),
            Some(false) => {
                let text = "Failed to run action. The maximum number of actions per second has \
                            been reached.";
                let error = ActionError::new(error_type::ACTION_EXECUTION_THROTTLED, text);
                self.action_failed(now, &error);
            }
            None => self.action_failed(now, &gone()),
        }
    }

    /// By SIP through a Voice Connector: the token is a parameter of the Request-URI.
    pub(super) fn join_meeting(&mut self, now: Instant, action: &JoinChimeMeeting) {
        let mut ways = self.ways_to_meetings();
        let token = escaped(&action.join_token);
        for way in &mut ways {
            if let Uri::Sip(uri) = &mut way.uri {
                uri.params.set("X-chime-join-token", Some(&token));
            }
            way.target = Target::Uri(way.uri.clone());
        }
        ways.reverse();
        let headers = Headers::new();
        let begins = Begins { ring: RING, patient: false, tone: false, headers, caller_id: None };
        self.begin_bridging(now, begins);
        self.next_trunk(now, ways, Vec::new());
        self.go_on(now);
    }
}

/// Escaped for a URI's parameter (RFC 3261 §25.1).
fn escaped(token: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.!~*'()".contains(&b);
    token
        .bytes()
        .map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") })
        .collect()
}
