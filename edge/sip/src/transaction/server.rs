//! One server transaction: its state and the last response, nothing of the request.

use bytes::Bytes;

use super::key::Key;
use super::timers::{Deadlines, Timer};
use super::{Action, Input, server_invite, server_non_invite};
use crate::flow::Flow;
use crate::message::Method;

#[derive(Debug)]
pub(super) struct Server {
    pub(super) key: Key,
    /// What other copies of the request would have in common with it.
    pub(super) merge: Option<Key>,
    /// The way of the responses.
    pub(super) flow: Flow,
    pub(super) machine: Machine,
    pub(super) timers: Deadlines,
    /// The last response, and before there is any a 100 in case the owner says nothing.
    pub(super) kept: Bytes,
    /// The To tag of our responses to an INVITE, for the answer to its CANCEL and for an ACK.
    pub(super) to_tag: Option<Box<str>>,
    /// See [`super::TransactionLayer::prove`].
    pub(super) proven: bool,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Machine {
    Invite(server_invite::State),
    NonInvite(server_non_invite::State),
}

impl Machine {
    pub(super) fn new(method: &Method) -> Self {
        match method {
            Method::Invite => Self::Invite(server_invite::State::Proceeding),
            _ => Self::NonInvite(server_non_invite::State::Trying),
        }
    }

    /// The timers that start with the request.
    pub(super) fn first_timers(self) -> &'static [Timer] {
        match self {
            // How long a call may ring is its owner's matter.
            Self::Invite(_) => &[Timer::Trying],
            Self::NonInvite(_) => &[Timer::LateTrying, Timer::Unanswered],
        }
    }

    pub(super) fn step(&mut self, input: Input) -> &'static [Action] {
        match self {
            Self::Invite(state) => {
                let (next, actions) = server_invite::step(*state, input);
                *state = next;
                actions
            }
            Self::NonInvite(state) => {
                let (next, actions) = server_non_invite::step(*state, input);
                *state = next;
                actions
            }
        }
    }

    pub(super) fn is_invite(self) -> bool {
        matches!(self, Self::Invite(_))
    }

    pub(super) fn is_terminated(self) -> bool {
        matches!(
            self,
            Self::Invite(server_invite::State::Terminated)
                | Self::NonInvite(server_non_invite::State::Terminated)
        )
    }

    /// An INVITE that can still be cancelled (§9.2).
    pub(super) fn is_cancellable(self) -> bool {
        matches!(self, Self::Invite(server_invite::State::Proceeding))
    }

    /// An INVITE that a 2xx was sent to (RFC 6026).
    pub(super) fn is_accepted(self) -> bool {
        matches!(self, Self::Invite(server_invite::State::Accepted))
    }

    /// Answered, and kept for retransmissions only. A refused INVITE is one of these: whoever
    /// never acknowledges must not hold its place for all of Timer H when others need it.
    pub(super) fn is_lingering(self) -> bool {
        matches!(
            self,
            Self::NonInvite(server_non_invite::State::Completed)
                | Self::Invite(server_invite::State::Completed | server_invite::State::Confirmed)
        )
    }
}
