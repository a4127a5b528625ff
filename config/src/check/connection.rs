//! `[[connection]]`.

use std::collections::BTreeMap;

use super::lists::name;
use super::section::{Found, Section};
use crate::schema::{Authorization, Connection, HttpParameters, OAuthClient};
use crate::secret::Secret;

const API_KEY: [&str; 3] = ["api_key_value", "api_key_value_file", "api_key_value_env"];
const PASSWORD: [&str; 3] = ["password", "password_file", "password_env"];
const CLIENT_SECRET: [&str; 3] = ["client_secret", "client_secret_file", "client_secret_env"];
/// What says how a request is authorized: one family of keys each.
const FAMILIES: [(&str, &[&str]); 3] = [
    ("api-key", &["api_key_name", "api_key_value", "api_key_value_file", "api_key_value_env"]),
    ("basic", &["username", "password", "password_file", "password_env"]),
    (
        "oauth",
        &[
            "authorization_endpoint",
            "authorization_method",
            "client_id",
            "client_secret",
            "client_secret_file",
            "client_secret_env",
            "client_credentials_in",
            "oauth_headers",
            "oauth_query",
            "oauth_body",
        ],
    ),
];

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    ApiKey,
    Basic,
    OAuth,
    None,
}

pub(super) fn connection(s: &Section<'_, '_>) -> Option<Connection> {
    let name = name(s);
    let kinds = [
        ("api-key", Kind::ApiKey),
        ("basic", Kind::Basic),
        ("oauth", Kind::OAuth),
        ("none", Kind::None),
    ];
    let kind = s.word("authorization", &kinds);
    if !s.has("authorization") {
        s.missing("authorization", "\"api-key\"  (or \"basic\", \"oauth\", \"none\")");
    }
    // Every key is asked for, so that each is known whatever the kind.
    let (api_key, basic, oauth) = (api_key(s), basic(s), oauth(s));
    let authorization = match kind {
        Some(Kind::ApiKey) => Some(api_key),
        Some(Kind::Basic) => Some(basic),
        Some(Kind::OAuth) => Some(oauth),
        Some(Kind::None) | None => None,
    };
    if kind.is_some() {
        misplaced(s, kind);
    }
    if let Some(authorization) = &authorization {
        complete(s, authorization);
    }
    Some(Connection {
        name: name.unwrap_or_default(),
        arn: arn(s),
        authorization,
        parameters: parameters(s, ["headers", "query", "body"]),
        addresses: addresses(s),
        ca_file: s.file("ca_file"),
    })
}

fn arn(s: &Section<'_, '_>) -> Option<String> {
    let text = s.text("arn")?;
    let good = text.value.starts_with("arn:") && text.value.contains(":connection/");
    if !good {
        let message = format!("`arn`: \"{}\" is no ARN of a connection", text.value);
        let remedy = "write it like \"arn:aws:events:us-east-1:111122223333:connection/crm/5ce0\"";
        s.reader.suggest(text.at, message, remedy);
    }
    good.then_some(text.value)
}

fn api_key(s: &Section<'_, '_>) -> Authorization {
    let name = s.text("api_key_name").filter(|text| {
        let good = is_header(&text.value);
        if !good {
            let message = format!("`api_key_name`: \"{}\" is no name of a header", text.value);
            s.reader.suggest(text.at, message, "write it like \"X-Api-Key\"");
        }
        good
    });
    Authorization::ApiKey {
        name: name.map(|text| text.value).unwrap_or_default(),
        value: s.secret(API_KEY).unwrap_or_default(),
    }
}

fn basic(s: &Section<'_, '_>) -> Authorization {
    let username = s.text("username").filter(|text| {
        // RFC 7617 §2: it could not be told from the password.
        let good = !text.value.contains(':');
        if !good {
            s.reader.add(text.at, "`username` must not hold a colon");
        }
        good
    });
    Authorization::Basic {
        username: username.map(|text| text.value).unwrap_or_default(),
        password: s.secret(PASSWORD).unwrap_or_default(),
    }
}

fn oauth(s: &Section<'_, '_>) -> Authorization {
    let endpoint = s.text("authorization_endpoint").and_then(|text| https(s, &text));
    let methods = [("GET", "GET"), ("POST", "POST"), ("PUT", "PUT")];
    let place = s.word("client_credentials_in", &[("header", false), ("body", true)]);
    Authorization::OAuth(Box::new(OAuthClient {
        endpoint: endpoint.unwrap_or_default(),
        method: s.word("authorization_method", &methods).unwrap_or("POST").to_owned(),
        id: s.text("client_id").map(|text| text.value).unwrap_or_default(),
        secret: s.secret(CLIENT_SECRET).unwrap_or_default(),
        in_body: place.unwrap_or(false),
        parameters: parameters(s, ["oauth_headers", "oauth_query", "oauth_body"]),
    }))
}

/// Keys of another kind of authorization than the one that is written.
fn misplaced(s: &Section<'_, '_>, kind: Option<Kind>) {
    let families = [Kind::ApiKey, Kind::Basic, Kind::OAuth].into_iter().zip(FAMILIES);
    for (of, (word, keys)) in families {
        if Some(of) == kind {
            continue;
        }
        if let Some(key) = keys.iter().find(|key| s.has(key)) {
            let message = format!("`{key}` is for authorization = \"{word}\" only");
            s.reader.add(s.at(key), message);
        }
    }
}

/// Says what is not written.
fn complete(s: &Section<'_, '_>, authorization: &Authorization) {
    let secret = |keys: [&'static str; 3], example: &str| {
        if !keys.iter().any(|key| s.has(key)) {
            let [plain, file, env] = keys;
            s.missing(file, &format!("\"{example}\"  (or {env}, {plain})"));
        }
    };
    let text = |key: &str, example: &str| {
        if !s.has(key) {
            s.missing(key, example);
        }
    };
    match authorization {
        Authorization::ApiKey { .. } => {
            text("api_key_name", "\"X-Api-Key\"");
            secret(API_KEY, "crm-key");
        }
        Authorization::Basic { .. } => {
            text("username", "\"office\"");
            secret(PASSWORD, "crm-password");
        }
        Authorization::OAuth(_) => {
            text("authorization_endpoint", "\"https://login.example.com/oauth2/token\"");
            text("client_id", "\"office\"");
            secret(CLIENT_SECRET, "crm-secret");
        }
    }
}

fn addresses(s: &Section<'_, '_>) -> Vec<String> {
    let found = s.texts("addresses").unwrap_or_default();
    found.iter().filter_map(|text| https(s, text)).collect()
}

/// An address that secrets may be sent to: with TLS, or on this machine.
fn https(s: &Section<'_, '_>, text: &Found<String>) -> Option<String> {
    let here = ["http://127.", "http://localhost", "http://[::1]"];
    let good = text.value.strip_prefix("https://").is_some_and(|rest| !rest.is_empty())
        || here.iter().any(|start| text.value.starts_with(start));
    if !good {
        let message = format!("\"{}\" is not https: secrets are sent there", text.value);
        s.reader.suggest(text.at, message, "http is for 127.0.0.1 only");
    }
    good.then(|| text.value.clone())
}

fn parameters(s: &Section<'_, '_>, keys: [&'static str; 3]) -> HttpParameters {
    let [headers, query, body] = keys;
    HttpParameters {
        headers: header_values(s, headers),
        query: s.secrets(query),
        body: s.secrets(body),
    }
}

fn header_values(s: &Section<'_, '_>, key: &'static str) -> BTreeMap<String, Secret> {
    let mut headers = s.secrets(key);
    headers.retain(|name, value| {
        let good = is_header(name) && !value.expose().chars().any(char::is_control);
        if !good {
            // The value may be a secret.
            let message = format!("`{key}`: the header \"{name}\" cannot be sent");
            s.reader.add(s.at(key), message);
        }
        good
    });
    headers
}

/// A token (RFC 9110 §5.1).
fn is_header(name: &str) -> bool {
    let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    !name.is_empty() && name.bytes().all(token)
}
