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
    /// The bot's alias; its region is the bot's, wherever the call is.
    pub bot_alias_arn: String,
    /// Its language.
    #[serde(default = "en_us")]
    pub locale_id: String,
    /// `SessionState` and `WelcomeMessages`, at most 10 KB as JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub configuration: Option<Map<String, Value>>,
}

/// The alias of a bot of Amazon Lex V2, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BotAlias {
    /// `us-east-1`.
    pub region: String,
    /// Ten letters and digits.
    pub bot_id: String,
    /// The same.
    pub alias_id: String,
}

impl BotAlias {
    /// Reads `arn:aws:lex:REGION:ACCOUNT:bot-alias/BOT/ALIAS` (Chime SDK developer guide,
    /// "StartBotConversation"; Lex V2 API reference, `botId`).
    #[must_use]
    pub fn parse(arn: &str) -> Option<Self> {
        let mut parts = arn.splitn(6, ':');
        let mut next = || parts.next();
        let (arn, partition, service) = (next()?, next()?, next()?);
        let (region, account, resource) = (next()?, next()?, next()?);
        let mut names = resource.split('/');
        let (kind, bot, alias) = (names.next()?, names.next()?, names.next()?);
        let letters = |text: &str, good: fn(u8) -> bool| text.bytes().all(good);
        let is_id = |id: &str| id.len() == 10 && letters(id, |b| b.is_ascii_alphanumeric());
        let is_region = (1..=32).contains(&region.len())
            && letters(region, |b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            && region.starts_with(|c: char| c.is_ascii_lowercase());
        let is_account = account.len() == 12 && letters(account, |b| b.is_ascii_digit());
        let good = arn == "arn"
            && matches!(partition, "aws" | "aws-cn" | "aws-us-gov")
            && (service, kind) == ("lex", "bot-alias")
            && is_region
            && is_account
            && is_id(bot)
            && is_id(alias)
            && names.next().is_none();
        let owned = str::to_owned;
        good.then(|| Self { region: owned(region), bot_id: owned(bot), alias_id: owned(alias) })
    }
}

fn en_us() -> String {
    "en_US".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alias_is_read_in_the_one_form_that_aws_documents() {
        let arn = "arn:aws:lex:us-east-1:123456789012:bot-alias/ABCDEFGHIH/MNOPQRSTUV";
        let alias = BotAlias::parse(arn).unwrap();
        assert_eq!(alias.region, "us-east-1");
        assert_eq!((&*alias.bot_id, &*alias.alias_id), ("ABCDEFGHIH", "MNOPQRSTUV"));
        for (from, to) in [
            ("arn:", "urn:"),
            ("aws:lex", "amazon:lex"),
            (":lex:", ":lambda:"),
            ("us-east-1", ""),
            ("us-east-1", "evil.example/"),
            ("us-east-1", "us_east"),
            ("us-east-1", "-x"),
            ("123456789012", "1"),
            ("123456789012", "12345678901x"),
            ("bot-alias", "bot"),
            ("bot-alias/", "bot-alias//"),
            ("ABCDEFGHIH", "ABC"),
            ("ABCDEFGHIH", "ABCDEFGH.."),
            ("/MNOPQRSTUV", ""),
            ("/MNOPQRSTUV", "/MNOPQRSTUV/X"),
            ("/MNOPQRSTUV", "/MNOPQRSTUV:1"),
        ] {
            let wrong = arn.replacen(from, to, 1);
            assert_eq!(BotAlias::parse(&wrong), None, "{wrong}");
        }
    }
}
