use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use offhook_chime::credentials::{Environment, Source};
use offhook_chime::sdk::Sdk;
use offhook_chime::{Aws, AwsConfig, Trust};
use serde_json::json;

use crate::nowhere;
use crate::web::{Asked, Says, Web};

/// A service that remembers who asked.
struct Service {
    web: Web,
    seen: Arc<Mutex<Vec<Asked>>>,
}

impl Service {
    fn start() -> Self {
        let seen: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let log = Arc::clone(&seen);
        let web = Web::start(move |asked| {
            log.lock().unwrap().push(asked);
            Says::json(200, &json!({}))
        });
        Self { web, seen }
    }

    /// Asks once, and gives the key and the token that came, or why there was none.
    async fn asked_with(&self, sdk: &Sdk) -> Result<(String, Option<String>), String> {
        let asked = sdk.call("sqs", "listQueues", &json!({})).await;
        asked.map_err(|error| error.cause)?;
        let asked = self.seen.lock().unwrap().pop().unwrap();
        let credential =
            asked.header("authorization").unwrap().split_once("Credential=").unwrap().1;
        let key = credential.split('/').next().unwrap().to_owned();
        Ok((key, asked.header("x-amz-security-token").map(str::to_owned)))
    }

    fn sdk(&self, credentials: Source, variables: &[(&str, String)]) -> Sdk {
        let config = AwsConfig {
            region: "eu-central-1".to_owned(),
            credentials,
            endpoint: Some(self.web.url()),
            endpoints: BTreeMap::new(),
        };
        let variables: HashMap<String, String> =
            variables.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        let environment = Environment::of(variables);
        Sdk::new(Aws::new(config, Trust::system().unwrap(), environment).unwrap())
    }
}

fn key(id: &str) -> Result<(String, Option<String>), String> {
    Ok((id.to_owned(), None))
}

fn with_token(id: &str, token: &str) -> Result<(String, Option<String>), String> {
    Ok((id.to_owned(), Some(token.to_owned())))
}

#[tokio::test]
async fn keys_of_the_environment_go_before_those_of_a_file() {
    let service = Service::start();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("credentials");
    std::fs::write(
        &file,
        "# keys\n[default]\naws_access_key_id = AKIDFILE\naws_secret_access_key=s\n\n\
         [ office ]\naws_access_key_id=AKIDOFFICE\naws_secret_access_key=s\n\
         aws_session_token = tok\n[half]\naws_access_key_id = a\n\
         [sso]\nsso_session = x\n",
    )
    .unwrap();
    let path = || ("AWS_SHARED_CREDENTIALS_FILE", file.display().to_string());
    let none = || ("AWS_CONFIG_FILE", folder.path().join("none").display().to_string());
    let sdk = service.sdk(
        Source::Chain,
        &[
            path(),
            none(),
            ("AWS_ACCESS_KEY_ID", "AKIDENV".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "s".to_owned()),
        ],
    );
    assert_eq!(service.asked_with(&sdk).await, key("AKIDENV"));
    let sdk = service.sdk(Source::Chain, &[path(), none()]);
    assert_eq!(service.asked_with(&sdk).await, key("AKIDFILE"));
    let sdk = service.sdk(Source::Chain, &[path(), none(), ("AWS_PROFILE", "office".to_owned())]);
    assert_eq!(service.asked_with(&sdk).await, with_token("AKIDOFFICE", "tok"));

    let profile =
        |name: &str| Source::Profile { name: Some(name.to_owned()), file: Some(file.clone()) };
    let told = |profile: Source| {
        let sdk = service.sdk(profile, &[]);
        let service = &service;
        async move { service.asked_with(&sdk).await.unwrap_err() }
    };
    assert!(told(profile("nobody")).await.contains("no keys of profile \"nobody\""));
    assert!(told(profile("half")).await.contains("must have both"));
    assert!(told(profile("sso")).await.contains("sso_session"));
    let half = [("AWS_ACCESS_KEY_ID", "a".to_owned())];
    let sdk = service.sdk(Source::Environment, &half);
    assert!(service.asked_with(&sdk).await.unwrap_err().contains("AWS_SECRET_ACCESS_KEY"));
}

#[tokio::test]
async fn a_role_of_the_config_file_is_found_by_its_longer_name() {
    let service = Service::start();
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join(".aws")).unwrap();
    std::fs::write(
        folder.path().join(".aws/config"),
        "[profile office]\nregion = x\naws_access_key_id = AKIDC\naws_secret_access_key = s\n",
    )
    .unwrap();
    let home = ("HOME", folder.path().display().to_string());
    let sdk = service.sdk(Source::Chain, &[home, ("AWS_PROFILE", "office".to_owned())]);
    assert_eq!(service.asked_with(&sdk).await, key("AKIDC"));
}

/// Keys that end at a time.
fn lease(id: &str, end: &str) -> serde_json::Value {
    json!({"Code": "Success", "AccessKeyId": id, "SecretAccessKey": "s", "Token": "tok",
           "Expiration": end})
}

#[tokio::test]
async fn an_instances_keys_are_asked_for_with_a_token_and_again_before_they_end() {
    let service = Service::start();
    let times = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&times);
    let metadata = Web::start(move |asked| {
        let token = asked.header("x-aws-ec2-metadata-token");
        match (asked.method.as_str(), asked.path.as_str()) {
            ("PUT", "/latest/api/token") => {
                assert!(asked.header("x-aws-ec2-metadata-token-ttl-seconds").is_some());
                Says::text(200, "text/plain", "t0ken")
            }
            _ if token != Some("t0ken") => Says::text(401, "text/plain", ""),
            ("GET", "/latest/meta-data/iam/security-credentials/") => {
                Says::text(200, "text/plain", "office-role")
            }
            ("GET", "/latest/meta-data/iam/security-credentials/office-role") => {
                // The first are as good as over.
                let n = count.fetch_add(1, Ordering::SeqCst);
                let end = if n == 0 {
                    (jiff::Timestamp::now() + jiff::SignedDuration::from_mins(4)).to_string()
                } else {
                    "2999-01-01T00:00:00Z".to_owned()
                };
                Says::json(200, &lease(&format!("ASIA{n}"), &end))
            }
            _ => Says::text(404, "text/plain", ""),
        }
    });
    let endpoint = ("AWS_EC2_METADATA_SERVICE_ENDPOINT", metadata.url());
    let sdk = service.sdk(Source::Chain, std::slice::from_ref(&endpoint));
    assert_eq!(service.asked_with(&sdk).await, with_token("ASIA0", "tok"));
    assert_eq!(service.asked_with(&sdk).await, with_token("ASIA1", "tok"));
    assert_eq!(service.asked_with(&sdk).await, with_token("ASIA1", "tok"));
    assert_eq!(times.load(Ordering::SeqCst), 2);

    let off = ("AWS_EC2_METADATA_DISABLED", "true".to_owned());
    let sdk = service.sdk(Source::Instance, &[endpoint, off]);
    assert!(service.asked_with(&sdk).await.unwrap_err().contains("metadata service has none"));
}

#[tokio::test]
async fn a_container_shows_its_token_and_only_where_it_stays_on_this_machine() {
    let service = Service::start();
    let metadata = Web::start(|asked| {
        assert_eq!(asked.header("authorization"), Some("t0ken"));
        Says::json(200, &lease("ASIAC", "2999-01-01T00:00:00Z"))
    });
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "t0ken\n").unwrap();
    let token = || ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", file.display().to_string());
    let uri = |uri: String| ("AWS_CONTAINER_CREDENTIALS_FULL_URI", uri);
    let sdk = service.sdk(Source::Chain, &[uri(format!("{}/keys", metadata.url())), token()]);
    assert_eq!(service.asked_with(&sdk).await, with_token("ASIAC", "tok"));
    let sdk = service.sdk(Source::Chain, &[uri("http://example.com/".to_owned()), token()]);
    assert!(service.asked_with(&sdk).await.unwrap_err().contains("not protected"));
}

#[tokio::test]
async fn without_keys_nothing_is_sent_and_the_places_are_named() {
    let service = Service::start();
    let nobody = ("AWS_EC2_METADATA_SERVICE_ENDPOINT", nowhere());
    let sdk = service.sdk(Source::Chain, &[nobody]);
    let error = service.asked_with(&sdk).await.unwrap_err();
    assert!(error.contains("neither environment, profile, container nor instance"), "{error}");
    assert!(service.seen.lock().unwrap().is_empty());
}
