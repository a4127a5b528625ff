//! Conversations with Lex: over TLS, with whom they are had, and by which clock they are signed.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::SignedDuration;
use offhook_chime::credentials::{Environment, Source};
use offhook_chime::lex::{Ears, Event, Heard, Lex, LexError, Mouth, Opening};
use offhook_chime::sigv4::Credentials;
use offhook_chime::{Aws, AwsConfig, Trust};
use offhook_sma::action::BotAlias;
use serde_json::json;

use crate::lex_server::{KEY, LexServer, Plan, SECRET, Told};
use crate::{anywhere, aws};

async fn start(lex: &Lex) -> Result<(Ears, Mouth), LexError> {
    let arn = "arn:aws:lex:us-west-2:123456789012:bot-alias/ABCDEFGHIH/MNOPQRSTUV";
    let bot = BotAlias::parse(arn).unwrap();
    let opening = Opening { bot: &bot, locale: "en_US", session: "s-1", configuration: None };
    lex.start(opening).await
}

fn repeats() -> Plan {
    Plan::talks(async |mut bot| {
        bot.until(&Told::Key('7')).await;
        bot.does("PlaybackInterruptionEvent", json!({})).await;
        bot.until(&Told::End).await;
    })
}

/// A key reaches the bot, what the bot does comes back, and both ends are seen.
async fn talk((mut ears, mut mouth): (Ears, Mouth)) {
    assert!(ears.hear(&Heard::Key('7')).await);
    assert_eq!(mouth.next().await, Ok(Some(Event::Interrupted)));
    ears.close().await;
    assert_eq!(mouth.next().await, Ok(None));
}

#[tokio::test]
async fn a_conversation_goes_over_tls_with_a_server_that_speaks_http_2_and_with_no_other() {
    use rustls_pki_types::pem::PemObject as _;
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, made.cert.pem()).unwrap();
    for (protocols, good) in [(vec![b"h2".to_vec()], true), (Vec::new(), false)] {
        let key = made.signing_key.serialize_pem();
        let key = rustls_pki_types::PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        config.alpn_protocols = protocols;
        let server = LexServer::start_tls(anywhere(), config, |_| repeats());
        let lex = |trust| {
            let config = AwsConfig {
                region: "eu-central-1".to_owned(),
                credentials: Source::Fixed(Credentials::new(KEY, SECRET)),
                endpoint: Some(format!("https://localhost:{}", server.port())),
                ..AwsConfig::default()
            };
            Lex::new(Aws::new(config, trust, Environment::of(HashMap::new())).unwrap())
        };
        let error = start(&lex(Trust::system().unwrap())).await.unwrap_err();
        assert!(error.to_string().contains("certificate"), "{error}");
        let started = start(&lex(Trust::with_file(&file).unwrap())).await;
        if good {
            talk(started.unwrap()).await;
            assert_eq!(server.asked()[0].region, "us-west-2");
        } else {
            let error = started.unwrap_err().to_string();
            assert!(error.contains("does not speak HTTP/2"), "{error}");
            assert_eq!(server.asked(), []);
        }
        assert_eq!(server.forged(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_machine_whose_clock_is_wrong_signs_by_that_of_the_service() {
    let ahead = SignedDuration::from_hours(1);
    let server = LexServer::start_ahead(anywhere(), ahead, |_| repeats());
    let lex = Lex::new(aws(&server.url(), KEY, SECRET));
    talk(start(&lex).await.unwrap()).await;
    // It has learned the time.
    talk(start(&lex).await.unwrap()).await;
    let refused = server.forged();
    assert!(matches!(&refused[..], [one] if one.contains("Signature expired")), "{refused:?}");
}

#[tokio::test]
async fn keys_that_are_refused_within_the_stream_are_asked_for_anew() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("credentials");
    let write = |secret: &str| {
        let keys = format!("aws_access_key_id = {KEY}\naws_secret_access_key = {secret}\n");
        std::fs::write(&file, format!("[default]\n{keys}")).unwrap();
    };
    let server = LexServer::start(anywhere(), |_| {
        Plan::talks(async |mut bot| bot.fails("AccessDeniedException", "the keys are old").await)
    });
    let config = AwsConfig {
        region: "eu-central-1".to_owned(),
        credentials: Source::Profile { name: None, file: Some(file.clone()) },
        endpoint: Some(server.url()),
        ..AwsConfig::default()
    };
    let environment = Environment::of(HashMap::new());
    let lex = Lex::new(Aws::new(config, Trust::system().unwrap(), environment).unwrap());
    write(SECRET);
    let (_ears, mut mouth) = start(&lex).await.unwrap();
    // They are kept until then.
    write("other");
    let again = start(&lex).await;
    assert!(again.is_ok(), "{again:?}");
    let error = mouth.next().await.unwrap_err();
    assert!(matches!(&error, LexError::Exception { code, .. } if code == "AccessDeniedException"));
    let error = start(&lex).await.unwrap_err();
    assert!(error.to_string().contains("InvalidSignatureException"), "{error}");
}
