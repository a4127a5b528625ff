//! What comes to a call from beside its legs: orders, and outcomes of its own futures.

use std::collections::BTreeMap;

use offhook_config::Supervising;
use offhook_sip::message::StatusCode;
use tokio::sync::mpsc;

use super::asking::Answer;
use super::bridge;
use super::held::{AskHeld, MoveHeld, Outcome};
use super::joining::{Join, JoinRefused, Joined};
use super::leg::LegId;
use super::record::Recorded;
use super::record_file::Started;
use super::sounds::{Loaded, NotLoaded};
use super::supervised::{NotWatched, Watch};
use super::supervising::With;
use super::taping::{Opened, TapeOrder, Taped};
use super::three_way::{AskMeeting, Bring, Found};
use super::transfer::PutThrough;
use crate::bots::{Doings, Said};
use crate::cloud::CloudError;
use crate::rooms::Alone;
use crate::stack::SendFailure;

/// Orders from outside: from the operator, and from other calls of a phone that puts one through.
#[derive(Debug)]
pub(crate) enum Control {
    /// Ends the call.
    HangUp,
    /// Records the conversation, or no longer.
    Tape(TapeOrder),
    /// `UpdateSipMediaApplicationCall`, with its arguments.
    Update(BTreeMap<String, String>),
    /// A phone that would bring its calls together asks whether it holds this one.
    AskMeeting(Box<AskMeeting>),
    /// That phone brings it into a room.
    Bring(Box<Bring>),
    /// Another call's party takes the place of a leg of ours.
    Join(Box<Join>),
    /// The phone at the other end, in another call, puts our party through.
    PutThrough(Box<PutThrough>),
    /// A new call of a phone asks whether it holds this one.
    AskHeld(Box<AskHeld>),
    /// That phone puts the call that it holds through.
    MoveHeld(Box<MoveHeld>),
    /// The other call did not take the party that we passed on to it.
    NotJoined,
    /// How the transfer that we asked the other call for goes.
    Progress(Progress),
    /// A supervisor's call wants to listen to this one.
    Watch(Box<Watch>),
    /// That supervisor takes part differently from now on.
    Supervises { control: mpsc::Sender<Control>, how: Supervising },
}

/// How a transfer goes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Progress {
    pub(super) status: StatusCode,
    /// Where that says too little.
    pub(super) words: Option<&'static str>,
}

/// What a future of the call came to.
pub(super) enum Done {
    App {
        run: u64,
        answer: Answer,
    },
    Clips {
        load: u64,
        clips: Result<Loaded, NotLoaded>,
    },
    Flow {
        attempt: Box<bridge::Attempt>,
        flow: Result<offhook_sip::flow::Flow, SendFailure>,
    },
    Started {
        run: u64,
        started: Result<Started, String>,
    },
    Recorded {
        run: u64,
        recorded: Recorded,
    },
    TapeOpened {
        run: u64,
        opened: Result<Opened, String>,
    },
    Taped(Taped),
    Joined {
        run: u64,
        joined: Result<Joined, JoinRefused>,
    },
    PartnerGone {
        run: u64,
    },
    Music {
        clips: Result<Loaded, NotLoaded>,
    },
    Notice {
        clips: Result<Loaded, NotLoaded>,
    },
    Watching {
        run: u64,
        outcome: Result<Box<With>, NotWatched>,
    },
    WatchedGone {
        run: u64,
    },
    SupervisorGone {
        run: u64,
    },
    Cloud {
        run: u64,
        answer: Result<(), CloudError>,
    },
    /// A bot did something; `None`: it broke.
    Bot {
        run: u64,
        said: Option<Said>,
        from: Doings,
    },
    WaitingMusic {
        leg: LegId,
        clips: Result<Loaded, NotLoaded>,
    },
    /// Nobody asks the cloud any more for whom a phone puts through to this call.
    NotAwaited {
        run: u64,
        /// It has taken the order, and calls anew whom the phone has asked.
        freed: bool,
    },
    Parting {
        run: u64,
        leg: LegId,
        clips: Result<Loaded, NotLoaded>,
    },
    Ordered(Outcome),
    Found {
        run: u64,
        leg: LegId,
        found: Option<Found>,
    },
    Brought {
        leg: LegId,
        outcome: Outcome,
    },
    /// A leg is the only one left in a room.
    Alone {
        leg: LegId,
        alone: Alone,
    },
    StayedAlone {
        leg: LegId,
    },
    Words {
        leg: LegId,
        clips: Result<Loaded, NotLoaded>,
    },
    Nothing,
}
