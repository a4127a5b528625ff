//! `StartBotConversation`: an Amazon Lex bot talks with the caller.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Target;

/// `StartBotConversation`: LEG-A only, and not on a bridged call. The Lex session's id is the
/// leg's `CallId`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct StartBotConversation {
    /// The leg.
    #[serde(flatten)]
    pub target: Target,
    /// The bot's alias, in the call's own region.
    pub bot_alias_arn: String,
    /// Its language.
    #[serde(default = "en_us")]
    pub locale_id: String,
    /// `SessionState` and `WelcomeMessages`, at most 10 KB as JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub configuration: Option<Map<String, Value>>,
}

fn en_us() -> String {
    "en_US".to_owned()
}
