//! What is wrong, and how to mend it. Pure: facts in, findings out.

mod account;
mod connector;
mod here;
mod ways;

#[cfg(test)]
mod tests;

use offhook_config::Config;

pub(crate) use self::connector::{is_allowed, leads_to};
use super::facts::{Facts, connectors};
use super::finding::Finding;

/// Looks at everything.
pub(super) fn judge(config: &Config, facts: &Facts) -> Vec<Finding> {
    let mut found = here::judge(config, facts);
    found.extend(account::judge(config, facts));
    if connectors(config).next().is_none() {
        found.push(
            Finding::warning("trunks", "no Voice Connector is configured")
                .mend("add a [[trunk]] with type = \"voice_connector\" (docs/voice-connector.md)"),
        );
    }
    for trunk in connectors(config) {
        let Some(of_it) = facts.trunks.get(&trunk.name) else { continue };
        let mut about = ways::judge(config, facts, trunk, of_it);
        about.extend(connector::judge(config, facts, trunk, of_it));
        found.extend(about.into_iter().map(|finding| finding.of(&trunk.name)));
    }
    found
}
