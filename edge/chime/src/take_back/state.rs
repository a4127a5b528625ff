//! What the application remembers of a call: its transaction attributes, whose names are those of
//! AWS's sample as far as it has them.

use std::collections::BTreeMap;

use offhook_dnis::Pair;
use serde_json::{Map, Value};

use super::target::Target;

/// Where a call stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Phase {
    /// Nothing has happened yet, or nothing was stored.
    #[default]
    New,
    /// We call somebody, who has not answered.
    Calling,
    /// The caller waits for a pair.
    Waiting,
    /// Connect is being called.
    Connecting,
    /// Connect has the caller.
    Connect,
    /// Connect hung up; its request may be on its way.
    Grace,
    /// Connect's leg is being hung up for a target.
    TakingBack,
    /// The target is being called.
    Bridging,
    /// The target has the caller.
    Bridged,
    /// The caller is told that it is over, and hung up.
    Ending,
    /// The caller is gone.
    Over,
}

const PHASES: [(Phase, &str); 10] = [
    (Phase::Calling, "calling"),
    (Phase::Waiting, "waiting"),
    (Phase::Connecting, "connecting"),
    (Phase::Connect, "connect"),
    (Phase::Grace, "grace"),
    (Phase::TakingBack, "taking_back"),
    (Phase::Bridging, "bridging"),
    (Phase::Bridged, "bridged"),
    (Phase::Ending, "ending"),
    (Phase::Over, "over"),
];

/// The attribute that says whether the call has a pair; the sample's own name.
const LEASED: &str = "active_call_to_connect";
/// The attribute that says that a pair could not be given back.
pub(super) const OWED_PAIR: &str = "pair_to_give_back";
/// The attribute that says that the music of those who wait cannot be played.
const MUTE: &str = "music_failed";

impl Phase {
    /// Whether an event may be answered with a claim here.
    pub(super) fn may_claim(self) -> bool {
        match self {
            Self::New
            | Self::Calling
            | Self::Waiting
            | Self::Connecting
            | Self::TakingBack
            | Self::Bridging => true,
            Self::Connect | Self::Grace | Self::Bridged | Self::Ending | Self::Over => false,
        }
    }
}

/// All of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    /// Where the call stands.
    pub phase: Phase,
    /// The pair by which Connect finds the call; its first number is shown afterwards, too.
    pub pair: Option<Pair>,
    /// Whether the pair is leased, as far as this call knows.
    pub leased: bool,
    /// Whether nobody uses the pair any more, and it could not be given back.
    pub owed: bool,
    /// Who called.
    pub caller: String,
    /// To whom he goes.
    pub target: Option<Target>,
    /// Headers for the target.
    pub headers: BTreeMap<String, String>,
    /// `CallId` of the leg that the phase is about: Connect's, or the target's.
    pub leg_b: Option<String>,
    /// Steps that he has waited for a pair.
    pub waits: u32,
    /// The music meanwhile could not be played.
    pub mute: bool,
    /// How often he went back to Connect.
    pub returns: u32,
    /// He went to Connect without a pair.
    pub direct: bool,
    /// That way has failed: he goes by pairs.
    pub direct_failed: bool,
}

impl State {
    /// Of the attributes of an event. What cannot be read is as if it were not there.
    #[must_use]
    pub fn read(attributes: Option<&Map<String, Value>>) -> Self {
        let text = |name: &str| {
            let value = attributes?.get(name)?.as_str()?;
            (!value.is_empty()).then(|| value.to_owned())
        };
        let number = |name: &str| text(name).and_then(|n| n.parse().ok()).unwrap_or(0);
        let is = |name: &str| text(name).as_deref() == Some("true");
        let (ours, theirs) = (text("sma_number"), text("connect_number"));
        let leased = is(LEASED);
        let named = text("phase");
        let known = PHASES.iter().find(|(_, name)| named.as_deref() == Some(name));
        let phase = match known {
            Some((phase, _)) => *phase,
            // Of the sample's function, which was here when the call began.
            None if is("transfer") => Phase::TakingBack,
            None if leased => Phase::Connect,
            None => Phase::New,
        };
        Self {
            phase,
            pair: ours.zip(theirs).map(|(ours, theirs)| Pair::new(ours, theirs)),
            leased,
            owed: is(OWED_PAIR),
            caller: text("original_calling_number").unwrap_or_default(),
            target: text("target_number").map(|number| Target { number, arn: text("target_arn") }),
            headers: text("headers")
                .and_then(|json| serde_json::from_str(&json).ok())
                .unwrap_or_default(),
            leg_b: text("leg_b"),
            waits: number("waits"),
            mute: is(MUTE),
            returns: number("returns"),
            direct: is("direct"),
            direct_failed: text("direct").as_deref() == Some("failed"),
        }
    }

    /// As attributes: texts only. What was among those that are kept and is no more is written as an
    /// empty text: the service may add a reply's attributes to those, or put them in their place.
    #[must_use]
    pub fn written(&self, kept: Option<&Map<String, Value>>) -> Map<String, Value> {
        let mut attributes = Map::new();
        let mut put = |name: &str, value: &str| {
            let old = kept.and_then(|kept| kept.get(name));
            if !value.is_empty() || old.is_some_and(|old| old.as_str() != Some("")) {
                attributes.insert(name.to_owned(), Value::from(value));
            }
        };
        let name = PHASES.iter().find(|(phase, _)| *phase == self.phase);
        put("phase", name.map_or("", |(_, name)| name));
        let pair = self.pair.as_ref();
        put("sma_number", pair.map_or("", |pair| &pair.our_number));
        put("connect_number", pair.map_or("", |pair| &pair.connect_number));
        put(LEASED, if self.leased { "true" } else { "false" });
        put(OWED_PAIR, if self.owed { "true" } else { "" });
        put(MUTE, if self.mute { "true" } else { "" });
        put("original_calling_number", &self.caller);
        let target = self.target.as_ref();
        put("target_number", target.map_or("", |target| &target.number));
        put("target_arn", target.and_then(|target| target.arn.as_deref()).unwrap_or_default());
        let taken = matches!(self.phase, Phase::TakingBack | Phase::Bridging | Phase::Bridged);
        put("transfer", if taken { "true" } else { "false" });
        let headers = (!self.headers.is_empty()).then(|| serde_json::to_string(&self.headers));
        put("headers", &headers.and_then(Result::ok).unwrap_or_default());
        put("leg_b", self.leg_b.as_deref().unwrap_or_default());
        put(
            "direct",
            if self.direct_failed {
                "failed"
            } else if self.direct {
                "true"
            } else {
                ""
            },
        );
        for (name, number) in [("waits", self.waits), ("returns", self.returns)] {
            put(name, &if number > 0 { number.to_string() } else { String::new() });
        }
        attributes
    }
}
