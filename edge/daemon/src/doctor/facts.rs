//! What the doctor looks at: everything that is asked of others, once, before anything is judged.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use offhook_chime::credentials::Environment;
use offhook_chime::outside::{self, Outside};
use offhook_chime::sdk::Sdk;
use offhook_chime::{Aws, TaskError, Trust};
use offhook_config::trunk::{HostPort, Trunk, TrunkKind};
use offhook_config::voice_connector::DOMAIN;
use offhook_config::{Config, Transport};
use serde_json::{Value, json};

use crate::cli::OutsideArgs;

/// An answer of AWS.
pub(crate) type Asked = Result<Value, TaskError>;

/// Pages of a list that are read.
const MOST_PAGES: usize = 50;
/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(4);

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    /// What the running appliance says of itself, or why it says nothing.
    pub daemon: Option<Result<Value, String>>,
    /// This machine from outside, or why that is not known.
    pub outside: Option<Result<Outside, String>>,
    /// How far the clock of this machine is before that of others.
    pub skew: Option<SignedDuration>,
    /// The public address that the operator named.
    pub named: Option<IpAddr>,
    /// Whose access keys they are: `GetCallerIdentity`.
    pub identity: Option<Asked>,
    /// `ListServiceQuotas` of Amazon Chime SDK.
    pub quotas: Option<Asked>,
    /// Names of hosts and their addresses now.
    pub names: BTreeMap<String, Result<Vec<IpAddr>, String>>,
    /// By a trunk's name.
    pub trunks: BTreeMap<String, TrunkFacts>,
    /// Now, as this machine has it.
    pub now: Timestamp,
}

/// Of one Voice Connector.
#[derive(Debug, Default)]
pub(crate) struct TrunkFacts {
    /// Its id; `None`: the host's name does not tell.
    pub id: Option<String>,
    /// Whether a connection to its port of signalling is taken; `None` for UDP.
    pub connects: Option<Result<(), String>>,
    /// `GetVoiceConnector`.
    pub connector: Option<Asked>,
    /// `GetVoiceConnectorOrigination`.
    pub origination: Option<Asked>,
    /// `GetVoiceConnectorTermination`.
    pub termination: Option<Asked>,
    /// `GetVoiceConnectorTerminationHealth`.
    pub health: Option<Asked>,
    /// `ListVoiceConnectorTerminationCredentials`.
    pub credentials: Option<Asked>,
    /// `ListPhoneNumbers` that lead to it.
    pub numbers: Option<Asked>,
}

impl Facts {
    /// The address that AWS must reach: what the operator said, else what was seen.
    pub(crate) fn public(&self, config: &Config) -> Option<IpAddr> {
        let seen = || Some(self.outside.as_ref()?.as_ref().ok()?.address);
        self.named.or(config.server.external_address).or_else(seen)
    }
}

/// The id in a connector's host name.
pub(crate) fn connector_id(host: &HostPort) -> Option<&str> {
    let (id, domain) = host.host.split_once('.')?;
    (domain.eq_ignore_ascii_case(DOMAIN) && !id.is_empty()).then_some(id)
}

/// The Voice Connectors among the trunks.
pub(crate) fn connectors(config: &Config) -> impl Iterator<Item = &Trunk> {
    config.trunks.iter().filter(|trunk| matches!(trunk.kind, TrunkKind::VoiceConnector { .. }))
}

/// A way to AWS in a trunk's region.
pub(crate) fn sdk_of(config: &Config, region: &str, trust: &Trust) -> Result<Sdk, String> {
    let mut aws = crate::applications::aws_config(&config.aws);
    region.clone_into(&mut aws.region);
    Ok(Sdk::new(Aws::new(aws, trust.clone(), Environment::of_process())?))
}

/// The region of a connector.
pub(crate) fn region_of(trunk: &Trunk) -> &'static str {
    match trunk.kind {
        TrunkKind::VoiceConnector { region } => region.as_str(),
        TrunkKind::Generic { .. } => "",
    }
}

/// Asks everybody.
pub(crate) async fn gather(config: &Config, seen: &OutsideArgs) -> Facts {
    let named = seen.public_address;
    let mut facts = Facts { named, now: Timestamp::now(), ..Facts::default() };
    let trust = match Trust::system() {
        Ok(trust) => trust,
        Err(words) => {
            facts.outside = Some(Err(words));
            return facts;
        }
    };
    let (outside, account, trunks) = tokio::join!(
        outside::look(&seen.check_ip, trust.clone()),
        account(config, &trust),
        join_all(connectors(config).map(|trunk| of_trunk(config, trunk, &trust)))
    );
    (facts.identity, facts.quotas) = account;
    if let Ok(Outside { date: Some(date), .. }) = outside {
        facts.skew = Some(Timestamp::now().duration_since(date));
    }
    facts.outside = Some(outside);
    facts.trunks = connectors(config).map(|trunk| trunk.name.clone()).zip(trunks).collect();
    facts.names = names(&hosts(config, &facts)).await;
    facts
}

/// Whose keys they are, and how far they reach.
async fn account(config: &Config, trust: &Trust) -> (Option<Asked>, Option<Asked>) {
    let region =
        connectors(config).next().map_or(config.aws.region.as_str(), |trunk| region_of(trunk));
    let Ok(sdk) = sdk_of(config, region, trust) else { return (None, None) };
    let empty = json!({});
    let service = json!({"ServiceCode": "chime"});
    let (identity, quotas) = tokio::join!(
        sdk.call("sts", "getCallerIdentity", &empty),
        pages(&sdk, ("servicequotas", "listServiceQuotas"), service, "Quotas")
    );
    (Some(identity), Some(quotas))
}

async fn of_trunk(config: &Config, trunk: &Trunk, trust: &Trust) -> TrunkFacts {
    let mut facts = TrunkFacts { connects: connects(trunk).await, ..TrunkFacts::default() };
    let (Some(id), Ok(sdk)) = (connector_id(&trunk.host), sdk_of(config, region_of(trunk), trust))
    else {
        return facts;
    };
    facts.id = Some(id.to_owned());
    let of_it = json!({"VoiceConnectorId": id});
    let get = |action: &'static str| sdk.call("chimesdkvoice", action, &of_it);
    let numbers = json!({"FilterName": "VoiceConnectorId", "FilterValue": id});
    let (connector, origination, termination, health, credentials, numbers) = tokio::join!(
        get("getVoiceConnector"),
        get("getVoiceConnectorOrigination"),
        get("getVoiceConnectorTermination"),
        get("getVoiceConnectorTerminationHealth"),
        get("listVoiceConnectorTerminationCredentials"),
        pages(&sdk, ("chimesdkvoice", "listPhoneNumbers"), numbers, "PhoneNumbers")
    );
    facts.connector = Some(connector);
    facts.origination = Some(origination);
    facts.termination = Some(termination);
    facts.health = Some(health);
    facts.credentials = Some(credentials);
    facts.numbers = Some(numbers);
    facts
}

/// All pages of a list, as one answer.
async fn pages(sdk: &Sdk, name: (&str, &str), mut asked: Value, list: &str) -> Asked {
    let mut all = Vec::new();
    for _ in 0..MOST_PAGES {
        let mut page = sdk.call(name.0, name.1, &asked).await?;
        if let Some(Value::Array(items)) = page.get_mut(list).map(Value::take) {
            all.extend(items);
        }
        match page.get("NextToken").and_then(Value::as_str).filter(|token| !token.is_empty()) {
            Some(token) => asked["NextToken"] = Value::from(token),
            None => break,
        }
    }
    Ok(json!({list: all}))
}

/// Whether the connector's host takes a connection.
async fn connects(trunk: &Trunk) -> Option<Result<(), String>> {
    let standard = match trunk.transport? {
        Transport::Udp | Transport::Wss => return None,
        Transport::Tcp => 5060,
        Transport::Tls => 5061,
    };
    let port = trunk.host.port.unwrap_or(standard);
    let connecting = tokio::net::TcpStream::connect((trunk.host.host.as_str(), port));
    Some(match tokio::time::timeout(CONNECT, connecting).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(format!("{}:{port}: {error}", trunk.host.host)),
        Err(_) => Err(format!("{}:{port} takes no connection within 4 s", trunk.host.host)),
    })
}

/// Hosts whose addresses matter: the connectors, and where their routes lead.
fn hosts(config: &Config, facts: &Facts) -> Vec<String> {
    let mut hosts: Vec<String> = connectors(config).map(|trunk| trunk.host.host.clone()).collect();
    for trunk in facts.trunks.values() {
        let Some(Ok(answer)) = &trunk.origination else { continue };
        let routes = answer["Origination"]["Routes"].as_array().into_iter().flatten();
        hosts.extend(routes.filter_map(|route| Some(route["Host"].as_str()?.to_owned())));
    }
    hosts.sort();
    hosts.dedup();
    hosts
}

async fn names(hosts: &[String]) -> BTreeMap<String, Result<Vec<IpAddr>, String>> {
    let found = join_all(hosts.iter().map(|host| async move {
        let looking = tokio::net::lookup_host((host.as_str(), 0));
        let addresses = match tokio::time::timeout(CONNECT, looking).await {
            Ok(Ok(found)) => Ok(found.map(|socket| socket.ip()).collect()),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("no answer of DNS within 4 s".to_owned()),
        };
        (host.clone(), addresses)
    }));
    found.await.into_iter().collect()
}
