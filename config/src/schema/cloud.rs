//! `[cloud]`: calls that the cloud has, a SIP media application or Amazon Connect, and that desk
//! phones give back to it.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Config;
use crate::trunk::TrunkKind;

/// What becomes of a caller whom a phone puts through to somebody outside who has answered it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Attended {
    /// The office joins them, for as long as they talk.
    #[default]
    Join,
    /// The cloud calls whoever was asked anew, and the office is out of it.
    Move,
}

/// `[cloud]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cloud {
    /// Trunks whose headers are believed. `None`: those to Voice Connectors.
    pub trunks: Option<Vec<String>>,
    /// The header with the `TransactionId` of a SIP media application's call.
    pub transaction_header: String,
    /// The header with the `SipMediaApplicationId` of the application that has it.
    pub application_header: String,
    /// The application that has a call whose headers name none, and that makes calls.
    pub application: Option<String>,
    /// Whether a phone's transfer of such a call is asked of the cloud.
    pub transfers: bool,
    /// Dialled before a number that the cloud is to have the caller at; alone: Connect.
    pub code: String,
    /// What an attended transfer to somebody outside does.
    pub attended: Attended,
    /// Spoken to whoever was asked, before that call ends for the cloud's; empty: nothing.
    pub attended_words: String,
    /// How long AWS may take to answer.
    pub answer: Duration,
    /// How long after its answer our leg may still be up.
    pub bye: Duration,
    /// Attributes of Connect's contact that are written before the call goes back to its flow, with
    /// [`AttributeText`]s.
    pub attributes: BTreeMap<String, AttributeText>,
    /// Whether the caller stays with the desk when they cannot be written.
    pub attributes_required: bool,
    /// Our number on calls that the cloud makes for a phone, E.164. `None`: it makes none.
    pub from_number: Option<String>,
    /// The Voice Connector by which those are bridged to the phone.
    pub voice_connector_arn: Option<String>,
}

impl Default for Cloud {
    fn default() -> Self {
        Self {
            trunks: None,
            transaction_header: "X-Transaction-Id".into(),
            application_header: "X-Sip-Media-Application-Id".into(),
            application: None,
            transfers: false,
            code: "*8".into(),
            attended: Attended::Join,
            attended_words: "The caller rings you now.".into(),
            answer: Duration::from_secs(5),
            bye: Duration::from_secs(20),
            attributes: BTreeMap::new(),
            attributes_required: true,
            from_number: None,
            voice_connector_arn: None,
        }
    }
}

impl Cloud {
    /// Whether Connect's flow is told where the phone sent the caller.
    pub fn tells_target(&self) -> bool {
        self.attributes.values().any(|text| text.names(Fact::Target))
    }
}

/// What an attribute may say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fact {
    /// `{extension}`: whose phone it was.
    Extension,
    /// `{target}`: what was dialled; empty when nothing was.
    Target,
    /// `{caller}`: the caller's number.
    Caller,
    /// `{call}`: the id of the call's record.
    Call,
}

impl Fact {
    /// All of them, as they are written.
    pub const ALL: [(&'static str, Self); 4] = [
        ("{extension}", Self::Extension),
        ("{target}", Self::Target),
        ("{caller}", Self::Caller),
        ("{call}", Self::Call),
    ];
}

/// A text with [`Fact`]s in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttributeText(pub(crate) String);

impl AttributeText {
    fn names(&self, wanted: Fact) -> bool {
        Fact::ALL.iter().any(|(word, fact)| *fact == wanted && self.0.contains(word))
    }

    /// The text with what the facts are. What stands in a fact is not looked into again.
    pub fn fill(&self, fact: impl Fn(Fact) -> String) -> String {
        let (mut out, mut rest) = (String::new(), self.0.as_str());
        while let Some(at) = rest.find('{') {
            let (before, from) = rest.split_at(at);
            out.push_str(before);
            match Fact::ALL.iter().find_map(|(w, f)| Some((from.strip_prefix(w)?, *f))) {
                Some((after, named)) => {
                    out.push_str(&fact(named));
                    rest = after;
                }
                None => {
                    out.push('{');
                    rest = from.get(1..).unwrap_or_default();
                }
            }
        }
        out.push_str(rest);
        out
    }
}

impl Config {
    /// Whether what a trunk's calls say of the cloud is believed.
    pub fn believes_cloud(&self, trunk: &str) -> bool {
        match &self.cloud.trunks {
            Some(names) => names.iter().any(|name| name == trunk),
            None => self
                .trunk(trunk)
                .is_some_and(|t| matches!(t.kind, TrunkKind::VoiceConnector { .. })),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_filled_once() {
        let text = AttributeText("{extension} sent {target} {x} {caller".into());
        let filled = text.fill(|fact| match fact {
            Fact::Extension => "101".into(),
            Fact::Target => "{caller}".into(),
            Fact::Caller | Fact::Call => "no".into(),
        });
        assert_eq!(filled, "101 sent {caller} {x} {caller");
    }
}
