mod files;
mod supervision;

use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::time::Duration;

use super::*;
use crate::{
    Authorization, ExtensionCredentials, Record, Recording, RecordingPlace, Secret, Srtp,
    Transport, TrunkKind,
};

/// Surroundings in memory.
#[derive(Default)]
struct Fake {
    files: HashMap<&'static str, &'static str>,
    env: HashMap<&'static str, &'static str>,
    extensions: Option<Vec<&'static str>>,
}

impl Surroundings for Fake {
    fn env(&self, name: &str) -> Option<String> {
        self.env.get(name).map(ToString::to_string)
    }

    fn read(&self, path: &Path) -> io::Result<String> {
        let text = path.to_str().and_then(|path| self.files.get(path));
        text.map(ToString::to_string).ok_or(io::ErrorKind::NotFound.into())
    }

    fn is_file(&self, path: &Path) -> bool {
        path.to_str().is_some_and(|path| self.files.contains_key(path))
    }

    fn has_extension(&self, _: &Config, number: &str) -> Option<bool> {
        self.extensions.as_ref().map(|known| known.contains(&number))
    }
}

fn around() -> Fake {
    Fake {
        files: [("/etc/o/s.pem", "x"), ("/etc/o/pw", "from-file\n"), ("/etc/o/empty", "\n")].into(),
        env: [("OFFHOOK_PW", "from-env")].into(),
        extensions: None,
    }
}

fn read(text: &str) -> Result<Config, Vec<Problem>> {
    check_in(text, Path::new("/etc/o/offhook.toml"), &around())
}

fn good(text: &str) -> Config {
    read(text).unwrap_or_else(|problems| panic!("{text}\n{problems:#?}"))
}

/// `line:column message / suggestion` of each problem.
fn bad(text: &str) -> Vec<String> {
    let problems = read(text).expect_err(text);
    let show = |p: &Problem| match &p.suggestion {
        Some(s) => format!("{}:{} {} / {s}", p.line, p.column, p.message),
        None => format!("{}:{} {}", p.line, p.column, p.message),
    };
    problems.iter().map(show).collect()
}

const TRUNK: &str = "[[trunk]]\nname = \"t\"\ntype = \"generic\"\nhost = \"h.example\"\n";

#[test]
fn an_empty_file_is_the_embedded_defaults() {
    let config = good("");
    assert_eq!(config, Config::default());
    assert_eq!(config.listen.len(), 2);
    assert_eq!(config.voicemail_folder(), Path::new("/var/lib/offhook/voicemail"));
    assert!(!config.bannable("10.1.2.3".parse().unwrap()));
    assert!(config.bannable("203.0.113.9".parse().unwrap()));
}

#[test]
fn every_problem_is_reported_with_line_and_column() {
    let text = "\
[server]
relam = \"x\"
drain_seconds = \"30\"
time_zone = \"Europe/Berln\"

[media]
ports = \"20000-10000\"
codecs = [\"PCMU\", \"G729\"]

[[trunk]]
name = \"connect\"
type = \"voice_connecter\"

[nmber]
";
    let problems = bad(text);
    let expected = [
        "2:1 [server] has no key `relam` / did you mean `realm`?",
        "3:17 `drain_seconds` must be a whole number, not a text",
        "4:13 `time_zone`: there is no time zone \"Europe/Berln\" / did you mean \"Europe/Berlin\"?",
        "7:9 `ports`: \"20000-10000\" is not right: the first port is above the last",
        "8:19 `codecs` must be \"PCMU\" or \"PCMA\" or \"G722\" or \"opus\", not \"G729\" / did you mean \"G722\"?",
        "10:1 [[trunk]] needs `host`",
        "12:8 `type` must be \"voice_connector\" or \"generic\", not \"voice_connecter\"",
        "14:2 there is no section `nmber` / did you mean `number`?",
    ];
    assert_eq!(problems.len(), expected.len(), "{problems:#?}");
    for (problem, expected) in problems.iter().zip(expected) {
        assert!(problem.starts_with(expected), "{problem}\n{expected}");
    }
}

#[test]
fn broken_toml_is_reported_together_with_bad_values() {
    let problems = bad("[server]\nrealm = = \"x\"\ndrain_seconds = -1\n[sip]\nt1_ms = \"fast\"\n");
    assert!(problems.iter().any(|p| p.starts_with("2:")), "{problems:#?}");
    assert!(problems.iter().any(|p| p.starts_with("3:17 `drain_seconds` must be from")));
    assert!(problems.iter().any(|p| p.starts_with("5:9 `t1_ms` must be a whole number")));
    let twice = bad("[server]\nrealm = \"a\"\nrealm = \"b\"\n");
    assert!(twice.iter().any(|p| p.starts_with("3:1 ") && p.contains("duplicate")), "{twice:?}");
}

#[test]
fn each_single_mistake_is_named() {
    let tls = "[[listen]]\ntransport = \"tls\"\naddress = \"0.0.0.0:5061\"\n";
    let wss = tls.replace("\"tls\"", "\"wss\"");
    let udp = "[[listen]]\ntransport = \"udp\"\naddress = \"0.0.0.0:5060\"\n";
    let vc =
        "[[trunk]]\nname = \"t\"\ntype = \"voice_connector\"\nhost = \"h\"\noutbound = false\n";
    let ext = "[[extension]]\nnumber = \"101\"\n";
    let cases = [
        (format!("{tls}key = \"s.pem\""), "1:1 [[listen]] needs `certificate`"),
        (format!("{wss}key = \"s.pem\""), "1:1 [[listen]] needs `certificate`"),
        (
            format!("{udp}origins = [\"https://a.example\"]"),
            "4:11 `origins` is for transport = \"wss\" only",
        ),
        (
            format!("{tls}key = \"s.pem\"\ncertificate = \"no.pem\""),
            "5:15 `certificate`: there is no",
        ),
        (format!("{udp}key = \"s.pem\""), "4:7 `key` is for transport"),
        (
            format!("{udp}[[listen]]\ntransport = \"udp\"\naddress = \"10.0.0.1:5060\""),
            "6:11 10.0.0.1:5060 is already listened on (0.0.0.0:5060, line 1)",
        ),
        (
            "[listen]\ntransport = \"udp\"".into(),
            "1:1 `listen` is a list of sections / write [[listen]]",
        ),
        ("[[server]]".into(), "1:1 `server` is one section"),
        ("[media]\nports = \"5000-6000\"".into(), "2:9 `ports`: 5000-6000 holds the SIP port 5060"),
        (
            "[[listen]]\ntransport = \"udp\"\naddress = \"0.0.0.0:20000\"".into(),
            "3:11 0.0.0.0:20000 lies among the ports of [media] / `ports` is 10000-29999",
        ),
        ("[media]\naddress = \"::1\"".into(), "2:11 `address`: no [[listen]] has IPv6"),
        ("[media]\nhold_music = \"no.mp3\"".into(), "2:14 `hold_music`: there is no file"),
        (
            "[media]\nhold_music = [\"s.pem\", \"no.mp3\"]".into(),
            "2:24 `hold_music`: there is no file",
        ),
        ("[speech]\nengine = \"poly\"".into(), "2:10 `engine` must be \"off\" or"),
        ("[speech]\nengine = \"polly\"\npolly_secret = \"s\"".into(), "needs `polly_key`"),
        ("[speech]\nengine = \"polly\"\npolly_key = \"k\"".into(), "needs `polly_secret_file`"),
        ("[speech]\npolly_endpoint = \"polly\"".into(), "2:18 `polly_endpoint`: \"polly\" is no"),
        ("[speech]\nvoice = \"Jo Anna\"".into(), "2:9 `voice`: \"Jo Anna\" is no voice"),
        (
            "[speech]\nengine = \"off\"\n[[number]]\nmatch = \"7\"\nto = \"say:Hello\"".into(),
            "5:6 `to`: nothing speaks",
        ),
        (
            "[voicemail]\ngreeting = \"s.pem\"\ngreeting_text = \"x\"".into(),
            "3:17 only one of `greeting` and",
        ),
        (
            "[take_back]\nqueue = \"https://sqs.us-east-1.amazonaws.com\"".into(),
            "2:9 `queue`: \"https://sqs.us-east-1.amazonaws.com\" names no queue / write it like",
        ),
        ("[cloud]\ntrunks = [\"x\"]".into(), "2:10 `trunks`"),
        ("[cloud]\ntransfers = true".into(), "2:13 `transfers`: no trunk brings calls"),
        ("[cloud]\ntransaction_header = \"Via\"".into(), "2:22 `transaction_header`: \"Via\" is no"),
        (
            "[cloud]\napplication_header = \"x-transaction-id\"".into(),
            "2:22 `transaction_header` and `application_header` are the same",
        ),
        ("[cloud]\nsip_media_application_id = \"a/b\"".into(), "2:28 `sip_media_application_id`"),
        (
            "[cloud]\nvoice_connector_arn = \"arn:x:vc/y\"\nfrom_number = \"+15550100100\"".into(),
            "needs `sip_media_application_id`",
        ),
        (
            "[cloud]\nsip_media_application_id = \"a\"\nfrom_number = \"+15550100100\"".into(),
            "needs `voice_connector_arn`",
        ),
        ("[cloud]\nvoice_connector_arn = \"x\"".into(), "2:23 `voice_connector_arn`: \"x\" is no ARN"),
        ("[cloud]\ncode = \"8\"".into(), "2:8 `code`: \"8\" must begin with `*`"),
        ("[cloud]\nbye_seconds = 0".into(), "2:15 `bye_seconds`"),
        (
            "[cloud]\nattributes = { a = \"{digits}\" }".into(),
            "2:20 `attributes`: a: nothing is called {digits} / there are {extension}, {target}",
        ),
        ("[cloud]\nattributes = { \"a b\" = \"x\" }".into(), "2:24 `attributes`: \"a b\" is no name"),
        ("[cloud]\nattributes = { a = 1 }".into(), "2:20 `attributes`: a must be a text"),
        (
            format!("{TRUNK}[cloud]\ntrunks = [\"t\"]\ntransfers = true\ncode = \"*55\""),
            "`code`: *55 cannot be told from [supervision]'s *55",
        ),
        (
            format!(
                "{TRUNK}[cloud]\ntrunks = [\"t\"]\ntransfers = true\n[conference]\nfactory = \"*80\""
            ),
            "`code`: *8 cannot be told from [conference] factory *80",
        ),
        (
            format!(
                "{TRUNK}[cloud]\ntrunks = [\"t\"]\ntransfers = true\n[conference]\ncode = \"*81\""
            ),
            "`code`: *8 cannot be told from [conference]'s *81",
        ),
        ("[conference]\ncode = \"3\"".into(), "2:8 `code`: \"3\" must begin with `*`"),
        (
            format!(
                "{TRUNK}[cloud]\ntrunks = [\"t\"]\ntransfers = true\n[[number]]\nmatch = \"*85*\"\n\
                 to = \"extension:101\"\n[[extension]]\nnumber = \"101\"\npassword = \"secret-101\""
            ),
            "`code`: *8 cannot be told from [[number]] *85",
        ),
        ("[dnis]\nour_numbers = [\"+15550100100\"]".into(), "needs `connect_numbers`"),
        ("[dnis]\ntable = \"pairs\"".into(), "needs `name`"),
        (
            "[dnis]\nname = \"a\"\ntable = \"pairs\"\npostgres = \"x\"".into(),
            "3:9 only one of `table` and `postgres`",
        ),
        ("[dnis]\nringing_lease_seconds = 59".into(), "2:25 `ringing_lease_seconds`"),
        ("[dnis]\notherwise = \"sales desk\"".into(), "2:13 `otherwise`: \"sales desk\" is no"),
        ("[take_back]\nqueue = \"take-back\"".into(), "2:9 `queue`: \"take-back\" is no address"),
        ("[api]\nlisten = \"127.0.0.1:5060\"".into(), "2:10 `listen`: 127.0.0.1:5060 is listened"),
        ("[api]\nlisten = \"127.0.0.1:9480\"".into(), "2:10 `listen`: 127.0.0.1:9480 is [http]"),
        (
            "[api]\nlisten = \"0.0.0.0:9481\"".into(),
            "2:10 `listen`: 0.0.0.0:9481 is not protected / give `certificate` and `key`",
        ),
        ("[api]\ncertificate = \"s.pem\"".into(), "needs `key`"),
        ("[http]\naddress = \"127.0.0.1:5060\"".into(), "2:11 127.0.0.1:5060 is listened on"),
        (
            "[http]\naddress = \"localhost:1\"".into(),
            "2:11 `address`: \"localhost:1\" is not right",
        ),
        (
            "[server]\ntime_zone = \"Berlin\"".into(),
            "2:13 `time_zone`: there is no time zone \"Berlin\" / did you mean \"Europe/Berlin\"?",
        ),
        (
            "[server]\nexternal_address = \"pbx.example\"".into(),
            "2:20 `external_address`: \"pbx.example\" is no IPv4",
        ),
        (
            "[server]\nlocal_networks = [\"10.1.2.3/8\"]".into(),
            "2:19 `local_networks`: \"10.1.2.3/8\" is not right: bits after the prefix are set; the range begins at 10.0.0.0/8",
        ),
        ("[sip]\nmin_se = 2000".into(), "1:1 `session_expires` must not be below"),
        ("[sip]\nt1_ms = 4500".into(), "2:9 `t1_ms` must not be above"),
        ("[registrar]\ndefault_expires = 30".into(), "2:19 `default_expires` must lie"),
        (
            "[voicemail]\nmin_seconds = 10\nmax_seconds = 10".into(),
            "2:15 `min_seconds` must be below",
        ),
        ("[dialplan]\nemergency = [\"911\", \"911\"]".into(), "2:21 `emergency` names 911 twice"),
        ("[dialplan]\nservice = [\"911\"]".into(), "2:12 `service`: 911 is an emergency"),
        ("[dialplan]\nemergency = [\"9a\"]".into(), "2:14 `emergency`: \"9a\" must be"),
        (vc.into(), "1:1 [[trunk]] needs `region`"),
        (format!("{vc}region = \"us-east-2\""), "6:10 `region` must be"),
        (
            format!("{vc}region = \"us-east-1\"\nregister = true"),
            "7:12 `register` is not for a Voice",
        ),
        (
            format!("{}region = \"us-east-1\"", vc.replace("outbound = false\n", "")),
            "1:1 [[trunk]] needs `caller_id`",
        ),
        (format!("{TRUNK}{TRUNK}"), "6:8 the trunk t is already taken (line 2)"),
        (format!("{TRUNK}username = \"u\""), "1:1 [[trunk]] needs `password`"),
        (format!("{TRUNK}password = \"u\""), "1:1 [[trunk]] needs `username`"),
        (format!("{TRUNK}register = true"), "1:1 [[trunk]] needs `username`"),
        (format!("{TRUNK}peers = [\"0.0.0.0/0\"]"), "5:9 `peers`: 0.0.0.0/0 would take anybody"),
        (
            format!("{TRUNK}caller_id = \"5551230000\""),
            "5:13 `caller_id`: \"5551230000\" is no number in E.164",
        ),
        (
            format!("{TRUNK}numbers = [\"+15551230000\"]\ncaller_id = \"+15551230001\""),
            "6:13 `caller_id`: +15551230001 is not among",
        ),
        (
            format!("{TRUNK}username = \"u\"\npassword_env = \"NO_SUCH\""),
            "6:16 `password_env`: the environment has no",
        ),
        (
            format!("{TRUNK}username = \"u\"\npassword_file = \"empty\""),
            "6:17 `password_file`: the file /etc/o/empty is empty",
        ),
        (
            format!("{TRUNK}username = \"u\"\npassword_file = \"pw\"\npassword = \"x\""),
            "only one of",
        ),
        (
            format!("{TRUNK}dial = \"sip:{{number}}\""),
            "5:8 `dial`: \"sip:{number}\" must look like",
        ),
        (format!("{ext}{ext}"), "4:10 the number 101 is already taken (line 2)"),
        ("[[extension]]\nnumber = \"911\"".into(), "2:10 `number`: 911 is dialled for emergencies"),
        ("[[extension]]\nnumber = \"*97\"".into(), "2:10 the number *97 is already taken"),
        ("[[extension]]\nnumber = \"10 1\"".into(), "2:10 `number`: \"10 1\" must be 1 to 32"),
        ("[[extension]]\nnumber = \"../1\"".into(), "2:10 `number`: \"../1\" must be 1 to 32"),
        (format!("{ext}ha1_md5 = \"abc\""), "3:11 `ha1_md5` must be 32"),
        (
            format!("{ext}[[group]]\nname = \"g\"\nnumber = \"101\"\nmembers = [\"101\"]"),
            "5:10 the number 101 is already",
        ),
        ("[[group]]\nname = \"g\"\nmembers = []".into(), "3:11 `members` must name"),
        (
            "[[group]]\nname = \"g\"\nmembers = [\"1\", \"1\"]".into(),
            "3:17 `members` names 1 twice",
        ),
        (
            "[[number]]\nmatch = \"700\"\nto = \"group:sales\"".into(),
            "3:6 `to`: there is no group \"sales\"",
        ),
        (
            "[[number]]\nmatch = \"700\"\nto = \"grp:sales\"".into(),
            "3:6 `to`: \"grp:sales\" is no target",
        ),
        (
            "[[number]]\nmatch = \"911\"\nto = \"echo\"".into(),
            "2:9 `match`: 911 is dialled for emergencies",
        ),
        (
            format!("{TRUNK}[[number]]\nmatch = \"9*\"\nto = \"trunk:t\""),
            "7:6 a rule that leads to a trunk",
        ),
        (
            format!("{TRUNK}[[number]]\nmatch = \"9*\"\nfrom = \"phones\"\nto = \"trunk:tt\""),
            "there is no trunk \"tt\"",
        ),
        (
            "[[number]]\nmatch = \"9*\"\nfrom = \"trunk:x\"\nto = \"echo\"".into(),
            "3:8 `from`: there is no trunk",
        ),
        (
            "[[number]]\nmatch = \"7\"\nto = \"echo\"\n[[number]]\nmatch = \"7\"\nto = \"echo\""
                .into(),
            "5:9 7 from any is already routed (line 2)",
        ),
        (
            "[[number]]\nmatch = \"7\"\nto = \"play:x.wav\"".into(),
            "3:6 `to`: there is no file /etc/o/x.wav",
        ),
        (
            "[[number]]\nmatch = \"7\"\nto = \"lambda:ivr\"".into(),
            "3:6 `to`: there is no lambda \"ivr\" / add a [[lambda]] with name = \"ivr\"",
        ),
        (
            "[[webhook]]\nname = \"crm\"\nurl = \"https://x/\"\nsecret = \"0123456789abcdef\"\n\
             [[number]]\nmatch = \"7\"\nto = \"webhook:crn\""
                .into(),
            "7:6 `to`: there is no webhook \"crn\" / did you mean \"crm\"?",
        ),
        (
            "[[webhook]]\nname = \"crm\"\nurl = \"http://x/\"\nsecret = \"0123456789abcdef\""
                .into(),
            "3:7 `url`: \"http://x/\" is not https",
        ),
        (
            "[[webhook]]\nname = \"crm\"\nurl = \"https://x/\"\nsecret = \"short\"".into(),
            "4:10 `secret` must be 16 characters or longer",
        ),
        (
            "[[lambda]]\nname = \"a\"\nfunction = \"f\"\n[[lambda]]\nname = \"a\"\nfunction = \"g\""
                .into(),
            "5:8 the lambda a is already taken (line 2)",
        ),
        (
            "[business]\nhours = [\"Mon-Fry 08:00-18:00\"]".into(),
            "2:10 `hours`: \"Mon-Fry 08:00-18:00\" has the weekday \"Fry\"",
        ),
        ("[business]\nowner = \"+1 555\"".into(), "2:9 `owner`: \"+1 555\" is no extension"),
        (
            "[business]\nname = \"F\"\nowner = \"+15551230000\"\n\
             [[number]]\nmatch = \"7\"\nto = \"flow:business-number@live\""
                .into(),
            "6:6 `to`: business-number lacks number of [business] / write [business] with name",
        ),
        ("[aws]\naccount = \"12\"".into(), "2:11 `account` must be the 12 digits"),
        ("[aws]\naccess_key = \"AKIA\"".into(), "1:1 [aws] needs `secret_key`"),
        (
            "[[connection]]\nname = \"crm\"".into(),
            "1:1 [[connection]] needs `authorization`",
        ),
        (
            "[[connection]]\nname = \"crm\"\nauthorization = \"basic\"\nusername = \"u\"".into(),
            "1:1 [[connection]] needs `password_file`",
        ),
        (
            "[[connection]]\nname = \"crm\"\nauthorization = \"none\"\nclient_id = \"u\"".into(),
            "4:13 `client_id` is for authorization = \"oauth\" only",
        ),
        (
            "[[connection]]\nname = \"crm\"\nauthorization = \"none\"\nquery = { a = 1 }".into(),
            "4:15 `query`: a must be a text / or { file = \"path\" }",
        ),
        (
            "[[connection]]\nname = \"crm\"\nauthorization = \"none\"\n\
             headers = { \"X Y\" = \"1\" }"
                .into(),
            "4:11 `headers`: the header \"X Y\" cannot be sent",
        ),
        (
            "[[connection]]\nname = \"crm\"\nauthorization = \"none\"\n\
             addresses = [\"http://example.com/\"]"
                .into(),
            "4:14 \"http://example.com/\" is not https",
        ),
        ("[[bucket]]\nname = \"prompts\"".into(), "1:1 [[bucket]] needs `folder`"),
    ];
    for (text, expected) in cases {
        let problems = bad(&text);
        assert_eq!(problems.len(), 1, "{text}\n{problems:#?}");
        assert!(problems[0].contains(expected), "{text}\n{problems:#?}\n{expected}");
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
fn references_to_extensions_are_checked_when_the_store_can_be_asked() {
    let text = "[[extension]]\nnumber = \"1010\"\n[[group]]\nname = \"g\"\nmembers = [\"1010\", \"1011\", \"7\"]\n\
                [[number]]\nmatch = \"5\"\nto = \"voicemail:9\"\n\
                [dnis]\notherwise = \"101\"\n";
    good(text);
    let around = Fake { extensions: Some(vec!["7"]), ..around() };
    let problems = check_in(text, Path::new("f.toml"), &around).unwrap_err();
    let texts: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(
        texts,
        [
            "f.toml:5:20: `members`: there is no extension 1011\n    did you mean 1010?",
            "f.toml:8:6: `to`: there is no extension 9\n    make it: offhook phone add 9",
            "f.toml:10:13: `otherwise`: there is no extension 101\n    did you mean 1010?",
        ]
    );
}

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
        assert_eq!(config.bannable(source), names.is_empty(), "{source}");
    }
}

#[test]
fn another_country_brings_its_own_prefixes() {
    let config = good("[dialplan]\ncountry_code = \"49\"\n");
    assert_eq!(config.dialplan.national_prefix, "0");
    assert_eq!(config.dialplan.to_e164("030123456").as_deref(), Some("+4930123456"));
}

#[test]
fn relative_paths_are_relative_to_the_file() {
    let config = good("[server]\ndata_dir = \"data\"\n[voicemail]\nfolder = \"/srv/vm\"\n");
    assert_eq!(config.database(), Path::new("/etc/o/data/offhook.db"));
    assert_eq!(config.voicemail_folder(), Path::new("/srv/vm"));
}

#[test]
fn a_thousand_extensions_are_read_whole() {
    let one = |i: usize| format!("[[extension]]\nnumber = \"u{i:04}\"\nha1_md5 = \"{i:032x}\"\n");
    let text: String = (0..1000).map(one).collect();
    assert_eq!(good(&text).extensions.len(), 1000);
}

proptest::proptest! {
    #[test]
    fn no_text_makes_the_checker_panic(text in "[\\[\\]a-z_=\" \n0-9.{},']{0,200}") {
        let _ = read(&text);
    }

    #[test]
    fn a_damaged_example_never_makes_the_checker_panic(cut in 0usize..4000, with in ".{0,3}") {
        let text = include_str!("../../examples/office.toml");
        let cut = (0..=cut.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        let (before, after) = text.split_at(cut);
        let rest: String = after.chars().skip(1).collect();
        let _ = read(&format!("{before}{with}{rest}"));
    }
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
