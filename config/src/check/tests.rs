mod files;
mod mistakes;
mod sections;
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
    let never_banned = |address: &str| {
        config.bans.never.iter().any(|network| network.contains(address.parse().unwrap()))
    };
    assert!(never_banned("10.1.2.3") && !never_banned("203.0.113.9"));
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
