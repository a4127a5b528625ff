use super::*;

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
        ("[cloud]\nattended = \"stay\"".into(), "2:12 `attended`"),
        (
            format!("[cloud]\nattended_words = \"{}\"", "x".repeat(2_000)),
            "2:18 `attended_words` must not be longer than",
        ),
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
