//! Who of both sides asks, and who chooses (RFC 8445 §6.1.1, §7.3.1.1).

use super::super::stun::Side;
use super::Agent;

/// How this side plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Answers only.
    Lite,
    /// Asks; controls unless the peer says it does with a higher number.
    Full { controlling: bool, tie: u64 },
}

impl Agent {
    /// False: the peer takes a side that is ours.
    pub(super) fn settle_roles(&mut self, theirs: Option<Side>) -> bool {
        match (self.role, theirs) {
            // Whoever is lite never controls one who is not.
            (Role::Lite, Some(Side::Controlled(_))) => false,
            (Role::Full { controlling: true, tie }, Some(Side::Controlling(other))) => {
                if tie >= other {
                    return false;
                }
                self.role = Role::Full { controlling: false, tie };
                true
            }
            (Role::Full { controlling: false, tie }, Some(Side::Controlled(other))) => {
                if tie < other {
                    return false;
                }
                self.role = Role::Full { controlling: true, tie };
                true
            }
            _ => true,
        }
    }
}
