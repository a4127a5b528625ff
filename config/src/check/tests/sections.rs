//! What the sections of a file come to.

use super::*;

#[test]
fn secrets_come_from_the_file_the_environment_or_the_text_and_are_never_printed() {
    for (line, secret) in [
        ("password = \"in-text\"", "in-text"),
        ("password_file = \"pw\"", "from-file"),
        ("password_env = \"OFFHOOK_PW\"", "from-env"),
    ] {
        let config = good(&format!("{TRUNK}username = \"u\"\n{line}\n"));
        let credentials = config.trunks[0].credentials.as_ref().unwrap();
        assert_eq!(credentials.password.expose(), secret);
        assert!(!format!("{config:?}").contains(secret));
    }
    let ha1 = "0123456789abcdef0123456789ABCDEF";
    let config = good(&format!("[[extension]]\nnumber = \"u0000\"\nha1_md5 = \"{ha1}\"\n"));
    assert!(!format!("{config:?}").to_lowercase().contains(&ha1.to_lowercase()));
    assert!(matches!(
        &config.extensions[0].credentials,
        Some(ExtensionCredentials::Ha1 { md5: Some(md5), sha256: None })
            if md5.expose() == ha1.to_lowercase()
    ));
    let problems = bad("[[extension]]\nnumber = \"1\"\nha1_md5 = \"hunter2\"");
    assert!(!problems[0].contains("hunter2"), "{problems:?}");
}

#[test]
fn trunks_know_their_profile_their_peers_and_their_uris() {
    let config = good(
        "[[trunk]]\nname = \"b\"\ntype = \"generic\"\norder = 2\nplus = false\nstrip = 1\n\
         prepend = \"0\"\ndial = \"sip:{number}@127.0.0.3:5090\"\n\
         [[trunk]]\nname = \"vc\"\ntype = \"voice_connector\"\nregion = \"us-east-1\"\n\
         host = \"abc.voiceconnector.chime.aws\"\ntransport = \"tls\"\npeers = [\"198.51.100.7\"]\n\
         numbers = [\"+15551230000\", \"+15551230001\"]\n",
    );
    let [vc, generic] = config.trunks.as_slice() else { panic!() };
    assert_eq!(vc.name, "vc");
    assert!(matches!(vc.kind, TrunkKind::VoiceConnector { .. }));
    assert_eq!((vc.transport, vc.srtp), (Some(Transport::Tls), Srtp::Required));
    assert_eq!(vc.options, Some(Duration::from_secs(30)));
    assert_eq!(vc.caller_id.as_deref(), Some("+15551230000"), "the first of its numbers");
    assert_eq!(generic.caller_id, None);
    let uri = "sip:+15551230000@abc.voiceconnector.chime.aws;transport=tls";
    assert_eq!(vc.request_uri("+15551230000"), uri);
    assert_eq!(generic.request_uri("+15551230000"), "sip:05551230000@127.0.0.3:5090");
    assert_eq!(generic.health_uri(), "sip:127.0.0.3:5090");
    for (source, names) in [
        ("3.80.17.9", vec!["vc"]),
        ("2600:f0f0:c040::5", vec!["vc"]),
        ("198.51.100.7", vec!["vc"]),
        ("127.0.0.3", vec!["b"]),
        ("99.77.253.1", vec![]),
    ] {
        let source = source.parse().unwrap();
        let got: Vec<&str> = config.trunks_of(source).map(|t| t.name.as_str()).collect();
        assert_eq!(got, names, "{source}");
    }
}

#[test]
fn the_port_of_browsers_is_nobody_elses() {
    let wss = "[[listen]]\ntransport = \"wss\"\naddress = \"0.0.0.0:443\"\n";
    let udp = "[[listen]]\ntransport = \"udp\"\naddress = \"0.0.0.0:5060\"\n";
    for (port, expected) in [
        (
            20_000,
            "2:11 `address`: 0.0.0.0:20000 lies among the ports of [media] / `ports` is 10000",
        ),
        (5_060, "2:11 `address`: 0.0.0.0:5060 is listened on for SIP"),
    ] {
        let webrtc = format!("[webrtc]\naddress = \"0.0.0.0:{port}\"\n");
        let problems = bad(&format!("{webrtc}{udp}{wss}"));
        assert!(problems.iter().any(|p| p.contains(expected)), "{problems:#?}");
        // Without browsers nothing is opened.
        good(&format!("{webrtc}{udp}"));
    }
}

#[test]
fn an_origin_is_scheme_and_host_of_a_web_page() {
    let wss = "[[listen]]\ntransport = \"wss\"\naddress = \"0.0.0.0:443\"\n";
    let problems = bad(&format!("{wss}origins = [\"https://a.example\", \"a.example/phone\"]"));
    let expected = "4:33 `a.example/phone` is no origin of a web page / write scheme and host";
    assert!(problems.iter().any(|p| p.contains(expected)), "{problems:#?}");
    assert!(!problems.iter().any(|p| p.contains("https://a.example`")), "{problems:#?}");
}

#[test]
fn recordings_go_to_a_folder_or_to_an_object_store_and_its_secret_is_not_shown() {
    let config = good("");
    assert_eq!(config.recording, Recording::default());
    let text = "[server]\ndata_dir = \"/d\"\n[recording]\nstore = \"s3\"\nbucket = \"b\"\n\
        endpoint = \"http://127.0.0.1:9000\"\naccess_key = \"AKIA\"\nsecret_key_file = \"pw\"\n\
        format = \"opus\"\nprefix = \"office-1/\"\ncalls = \"always\"\n\
        [[extension]]\nnumber = \"101\"\nrecord = \"never\"\n";
    let config = good(text);
    let RecordingPlace::S3(store) = &config.recording.place else { panic!() };
    assert_eq!(store.keys.as_ref().unwrap().secret.expose(), "from-file");
    assert_eq!(store.region, "us-east-1");
    assert!(!format!("{config:?}").contains("from-file"));
    assert_eq!(config.recordings_folder(), Path::new("/d/recordings"));
    assert_eq!(config.extensions[0].record, Some(Record::Never));
    for (section, expected) in [
        ("store = \"s3\"", "needs `bucket`"),
        ("store = \"s3\"\nbucket = \"b\"", "needs `region`"),
        ("store = \"folder\"\nbucket = \"b\"", "`bucket` is for store"),
        ("keep_local = true", "`keep_local` is for store"),
        ("store = \"s4\"\nbucket = \"b\"", "`store` must be"),
        ("endpoint = \"minio:9000\"\nstore = \"s3\"", "is no address of a web server"),
        ("prefix = \"../x\"", "`prefix` may hold"),
        ("prefix = \"/x\"", "`prefix` may hold"),
        ("calls = \"allways\"", "`calls` must be"),
        (
            "store = \"s3\"\nbucket = \"b\"\nregion = \"r\"\naccess_key = \"k\"",
            "needs `secret_key`",
        ),
    ] {
        let problems = bad(&format!("[recording]\n{section}\n"));
        assert!(problems.iter().any(|p| p.contains(expected)), "{section}: {problems:#?}");
    }
}

#[test]
fn a_connection_has_the_keys_of_its_kind_and_what_it_adds_may_stand_in_files() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("key"), "k3y\n").unwrap();
    let text = "[[connection]]\nname = \"crm\"\nauthorization = \"api-key\"\n\
        api_key_name = \"X-Key\"\napi_key_value_file = \"key\"\n\
        headers = { X-Tenant = \"7\", X-More = { file = \"key\" } }\n\
        [[connection]]\nname = \"billing\"\nauthorization = \"oauth\"\n\
        authorization_endpoint = \"https://x/token\"\nclient_id = \"c\"\nclient_secret = \"s\"\n\
        oauth_body = { scope = \"a\" }\n";
    let config = check(text, &folder.path().join("offhook.toml")).unwrap();
    let [crm, billing] = config.connections.as_slice() else { panic!("{:?}", config.connections) };
    let value = Secret::new("k3y");
    assert_eq!(crm.parameters.headers["X-More"], value);
    assert_eq!(crm.authorization, Some(Authorization::ApiKey { name: "X-Key".into(), value }));
    let Some(Authorization::OAuth(client)) = &billing.authorization else { panic!() };
    assert_eq!((client.method.as_str(), client.in_body), ("POST", false));
    assert_eq!(client.parameters.body["scope"].expose(), "a");
    assert!(!format!("{config:?}").contains("k3y"));
}
