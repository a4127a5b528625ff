use super::*;
use crate::{Supervised, Supervising};

const OFFICE: &str = "[[extension]]\nnumber = \"100\"\n[[extension]]\nnumber = \"101\"\n\
    [[extension]]\nnumber = \"102\"\n[[group]]\nname = \"sales\"\nmembers = [\"102\"]\n";

#[test]
fn a_supervisor_may_listen_to_those_who_are_named_and_not_to_himself() {
    let config = good(&format!(
        "{OFFICE}[[supervisor]]\nextension = \"100\"\nof = [\"group:sales\"]\nmay = [\"whisper\"]\n\
         [[supervisor]]\nextension = \"101\"\nof = [\"*\"]\n"
    ));
    assert_eq!(config.supervisors[0].of, [Supervised::Group("sales".into())]);
    assert_eq!(config.supervisor("100", "102").unwrap().may, [Supervising::Whisper]);
    assert_eq!(config.supervisor("101", "100").unwrap().may.len(), 3);
    for (by, of) in [("100", "101"), ("101", "101"), ("102", "100")] {
        assert_eq!(config.supervisor(by, of), None, "{by} {of}");
    }
}

#[test]
fn the_code_leads_to_the_extension_for_phones_where_somebody_supervises() {
    use crate::{Origin, Route};
    let route = |config: &Config, origin: Origin<'_>, dialled: &str| {
        config.route(origin, dialled, |number| config.extension(number).is_some())
    };
    let right = "[[supervisor]]\nextension = \"100\"\nof = [\"*\"]\n";
    let config = good(&format!("{OFFICE}{right}[conference]\nfactory = \"meet\"\n"));
    let to = |number: &str| Route::Supervise(number.into());
    assert_eq!(route(&config, Origin::Phone, "*55102"), to("102"));
    assert_eq!(route(&config, Origin::Phone, "*55"), to(""));
    assert_eq!(route(&config, Origin::Phone, "meet"), Route::NewConference);
    for dialled in ["*55102", "meet"] {
        assert!(matches!(route(&config, Origin::Trunk("x"), dialled), Route::Nowhere(_)));
        let without = good(OFFICE);
        assert!(matches!(route(&without, Origin::Phone, dialled), Route::Nowhere(_)), "{dialled}");
    }
}

#[test]
fn the_keys_of_a_conference_are_others_or_none() {
    assert_eq!(good(OFFICE).conference.code, "*3");
    for (written, code) in [("*44", "*44"), ("none", "")] {
        let config = good(&format!("{OFFICE}[conference]\ncode = \"{written}\"\n"));
        assert_eq!(config.conference.code, code);
    }
}

#[test]
fn keys_of_a_conference_that_nobody_wrote_make_way_for_those_of_the_cloud() {
    let trunk = "[[trunk]]\nname = \"t\"\ntype = \"generic\"\nhost = \"h.example\"\n";
    let cloud = |code| {
        format!("{OFFICE}{trunk}[cloud]\ntrunks = [\"t\"]\ntransfers = true\ncode = \"{code}\"\n")
    };
    for (code, keys) in [("*3", ""), ("*31", ""), ("*8", "*3")] {
        assert_eq!(good(&cloud(code)).conference.code, keys, "{code}");
    }
    // Without transfers there is no such code.
    let off = cloud("*3").replace("transfers = true\n", "");
    assert_eq!(good(&off).conference.code, "*3");
    let written = bad(&format!("{}[conference]\ncode = \"*3\"\n", cloud("*3")));
    assert!(written[0].contains("*3 cannot be told from [conference]'s *3"), "{written:?}");
    let others = format!("{}[conference]\ncode = \"*44\"\n", cloud("*3"));
    assert_eq!(good(&others).conference.code, "*44");
}

#[test]
fn what_is_wrong_with_a_supervisor_is_told_at_its_place() {
    let cases = [
        ("of = [\"101\"]", "extension"),
        ("extension = \"100\"", "of"),
        ("extension = \"100\"\nof = []", "at least one"),
        ("extension = \"100\"\nof = [\"a b\"]", "is no extension"),
        ("extension = \"100\"\nof = [\"group:sale\"]", "did you mean \"sales\""),
        ("extension = \"100\"\nof = [\"*\"]\nmay = [\"listn\"]", "listen"),
        (
            "extension = \"100\"\nof = [\"*\"]\n[[supervisor]]\nextension = \"100\"\nof = [\"*\"]",
            "already taken",
        ),
    ];
    for (text, wanted) in cases {
        let problems = bad(&format!("{OFFICE}[[supervisor]]\n{text}\n"));
        assert!(problems.len() == 1 && problems[0].contains(wanted), "{text}: {problems:?}");
    }
    let problems = bad("[supervision]\ncode = \"a b\"\nnotice = \"horn\"\n");
    assert_eq!(problems.len(), 2, "{problems:?}");
}
