//! The connections of HTTP tasks, as `[[connection]]` has them.

use std::collections::BTreeMap;

use offhook_chime::Trust;
use offhook_chime::http_task::{Connection, HttpTasks, OAuthClient};
use offhook_config::{Authorization, HttpParameters, Secret};
use serde_json::Value;

/// HTTP tasks with them, and of what they were made.
pub(super) struct Kept {
    connections: Vec<offhook_config::Connection>,
    region: String,
    tasks: HttpTasks,
}

impl Kept {
    /// # Errors
    /// In words: a connection cannot be used.
    pub(super) fn new(config: &offhook_config::Config, trust: &Trust) -> Result<Self, String> {
        let mut all = BTreeMap::new();
        for connection in &config.connections {
            let name = connection.arn.clone().unwrap_or_else(|| connection.name.clone());
            all.insert(name, of(connection)?);
        }
        let tasks = HttpTasks::new(all, &config.aws.region, trust)?;
        let (connections, region) = (config.connections.clone(), config.aws.region.clone());
        Ok(Self { connections, region, tasks })
    }

    /// The same, as long as the configuration says the same: they remember tokens.
    pub(super) fn still(&self, config: &offhook_config::Config) -> Option<HttpTasks> {
        let same = self.connections == config.connections && self.region == config.aws.region;
        same.then(|| self.tasks.clone())
    }
}

fn of(from: &offhook_config::Connection) -> Result<Connection, String> {
    let HttpParameters { headers, query, body } = &from.parameters;
    let body = texts(body).into_iter().map(|(name, value)| (name, Value::String(value)));
    let mut connection = Connection {
        headers: texts(headers),
        query: texts(query),
        body: body.collect(),
        addresses: from.addresses.clone(),
        oauth: None,
        trust: from.ca_file.as_deref().map(Trust::with_file).transpose()?,
    };
    match &from.authorization {
        None => {}
        Some(Authorization::ApiKey { name, value }) => {
            connection.headers.insert(name.clone(), value.expose().to_owned());
        }
        Some(Authorization::Basic { username, password }) => {
            connection = connection.with_basic(username, password.expose());
        }
        Some(Authorization::OAuth(client)) => {
            connection.oauth = Some(OAuthClient {
                endpoint: client.endpoint.clone(),
                method: client.method.clone(),
                id: client.id.clone(),
                secret: client.secret.expose().to_owned(),
                in_body: client.in_body,
                headers: texts(&client.parameters.headers),
                query: texts(&client.parameters.query),
                body: texts(&client.parameters.body),
            });
        }
    }
    Ok(connection)
}

fn texts(secrets: &BTreeMap<String, Secret>) -> BTreeMap<String, String> {
    secrets.iter().map(|(name, value)| (name.clone(), value.expose().to_owned())).collect()
}
