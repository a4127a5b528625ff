//! The way to a connector: its name, its addresses, its port, what the appliance sees of it.

use offhook_config::voice_connector::DOMAIN;
use offhook_config::{Config, Trunk, TrunkKind};
use serde_json::Value;

use crate::doctor::facts::{Facts, TrunkFacts};
use crate::doctor::finding::Finding;

pub(super) fn judge(
    config: &Config,
    facts: &Facts,
    trunk: &Trunk,
    of_it: &TrunkFacts,
) -> Vec<Finding> {
    let mut found = Vec::new();
    if of_it.id.is_none() {
        found.push(
            Finding::warning("host", format!("{} does not end in {DOMAIN}", trunk.host))
                .mend("write the connector's outbound host name, so that it can be looked up"),
        );
    }
    found.extend(name(facts, trunk));
    if let Some(Err(words)) = &of_it.connects {
        found.push(
            Finding::problem("connection", words.clone())
                .mend("the firewall must let this machine out to the connector's ranges"),
        );
    }
    found.extend(health(facts, trunk));
    found.extend(codec(config));
    found
}

fn name(facts: &Facts, trunk: &Trunk) -> Option<Finding> {
    let TrunkKind::VoiceConnector { region } = &trunk.kind else { return None };
    let host = &trunk.host.host;
    Some(match facts.names.get(host)? {
        Err(words) => Finding::problem("DNS", format!("{host}: {words}"))
            .mend("check the name and this machine's DNS (resolvectl status)"),
        Ok(addresses) => match addresses.iter().find(|address| !trunk.is_peer(**address)) {
            Some(stranger) => Finding::problem(
                "DNS",
                format!("{host} is {stranger}, outside what AWS publishes for {region}"),
            )
            .mend("is `region` the connector's? Is DNS tampered with? Else add it to `peers`"),
            None => Finding::good("DNS", format!("{host} has {} addresses", addresses.len())),
        },
    })
}

/// What the appliance's own OPTIONS say.
fn health(facts: &Facts, trunk: &Trunk) -> Option<Finding> {
    let Some(Ok(status)) = &facts.daemon else { return None };
    let trunks = status["trunks"].as_array()?;
    let Some(seen) = trunks.iter().find(|seen| seen["name"] == trunk.name.as_str()) else {
        return Some(
            Finding::problem("OPTIONS", "the running appliance does not know this trunk")
                .mend("sudo systemctl reload offhook"),
        );
    };
    let last = seen["last"].as_str().unwrap_or_default();
    Some(match seen["up"].as_bool() {
        Some(true) => Finding::good("OPTIONS", format!("the connector answers ({last})")),
        Some(false) => Finding::problem("OPTIONS", format!("no good answer ({last})")).mend(
            "see termination below: an address that is not on its list gets no answer at all",
        ),
        None if seen["up"] == Value::Null => {
            Finding::unknown("OPTIONS", "the appliance has not asked yet, or is not to ask")
        }
        None => return None,
    })
}

/// Voice Connector offers PCMU, and nothing else was seen (facts of the field).
fn codec(config: &Config) -> Option<Finding> {
    let has = config.media.codecs.iter().any(|codec| codec.as_str().eq_ignore_ascii_case("PCMU"));
    (!has).then(|| {
        Finding::problem("codec", "PCMU is not among [media] codecs, and the connector offers it")
            .mend("add \"PCMU\" to codecs")
    })
}
