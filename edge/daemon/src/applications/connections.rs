//! The connections of HTTP tasks, as `[[connection]]` has them.

use std::collections::BTreeMap;

use offhook_chime::Trust;
use offhook_chime::http_task::{Connection, HttpTasks, OAuthClient};
use offhook_config::{Authorization, HttpParameters, Secret};
use serde_json::Value;

/// HTTP tasks with them, and of what they were made.
pub(super) struct Kept {
    connections: Vec<offhook_config::Connection>,
    tasks: HttpTasks,
}

impl Kept {
    /// May wait for a disk. A connection that is as it was keeps its tokens, but for files of
    /// certificates, which may have been renewed. One that cannot be used fails its own tasks only.
    pub(super) fn new(
        config: &offhook_config::Config,
        trust: &Result<Trust, String>,
        before: Option<&Self>,
    ) -> Self {
        let mut tasks = HttpTasks::none(&config.aws.region);
        for connection in &config.connections {
            let name = connection.arn.as_ref().unwrap_or(&connection.name);
            let same = before.filter(|before| {
                connection.ca_file.is_none() && before.connections.contains(connection)
            });
            if same.is_some_and(|before| tasks.keep(name, &before.tasks)) {
                continue;
            }
            let made = of(connection).and_then(|made| {
                let trust = made.trust.clone().map_or_else(|| trust.clone(), Ok)?;
                Ok((made, trust))
            });
            if let Err(error) = tasks.set(name.clone(), made) {
                tracing::error!(connection = connection.name, error, "a connection cannot be used");
            }
        }
        Self { connections: config.connections.clone(), tasks }
    }

    pub(super) fn tasks(&self) -> HttpTasks {
        self.tasks.clone()
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
