use super::*;
use crate::target::RuleOrigin;

fn plan(country: &str, national: &str, international: &str, area: &str, out: &str) -> DialPlan {
    DialPlan {
        country_code: country.into(),
        national_prefix: national.into(),
        international_prefix: international.into(),
        area_code: area.into(),
        outside_prefix: out.into(),
        emergency: vec!["110".into(), "112".into(), "911".into()],
        service: vec!["411".into()],
    }
}

#[test]
fn dialled_digits_become_e164() {
    let us = plan("1", "1", "011", "212", "");
    let us9 = plan("1", "1", "011", "", "9");
    let germany = plan("49", "0", "00", "30", "0");
    let germany_direct = plan("49", "0", "00", "", "");
    let denmark = plan("45", "", "00", "", "");
    let italy = plan("39", "", "00", "", "");
    let outside = [
        (&us, "+442079460000", "+442079460000"),
        (&us, "+1 (212) 555-0100", "+12125550100"),
        (&us, "12125550100", "+12125550100"),
        (&us, "2125550100", "+12125550100"),
        (&us, "5550100", "+12125550100"),
        (&us, "011442079460000", "+442079460000"),
        (&us, "411", "411"),
        (&us9, "912125550100", "+12125550100"),
        (&us9, "92125550100", "+12125550100"),
        (&us9, "9011442079460000", "+442079460000"),
        (&us9, "9411", "411"),
        (&us9, "+12125550100", "+12125550100"),
        (&germany, "0030123456", "+4930123456"),
        (&germany, "000442079460000", "+442079460000"),
        (&germany, "0123456", "+4930123456"),
        (&germany_direct, "030123456", "+4930123456"),
        (&germany_direct, "0044 20 7946 0000", "+442079460000"),
        (&denmark, "33123456", "+4533123456"),
        (&italy, "0612345678", "+390612345678"),
    ];
    for (plan, dialled, expected) in outside {
        assert_eq!(plan.dialled(dialled), Dialled::Outside(expected.into()), "{dialled}");
    }
    let invalid = [
        (&us, "555"),
        (&us, "1125550100"),
        (&us, "0121550100"),
        (&us, "+123"),
        (&us, "+1234567890123456"),
        (&us, "+0123456789"),
        (&us, "bob"),
        (&us, ""),
        (&us9, "2125550100"),
        (&us9, "9"),
        (&us9, "5550100"),
        (&germany_direct, "123456"),
        (&us, "0111"),
    ];
    for (plan, dialled) in invalid {
        let got = plan.dialled(dialled);
        assert!(matches!(got, Dialled::Invalid(_)), "{dialled}: {got:?}");
    }
}

#[test]
fn emergency_numbers_are_matched_whole_and_with_or_without_the_outside_line() {
    let direct = plan("1", "1", "011", "212", "");
    let nine = plan("1", "1", "011", "", "9");
    for (plan, dialled, expected) in [
        (&direct, "110", Some("110")),
        (&direct, "9-1-1", Some("911")),
        (&nine, "911", Some("911")),
        (&nine, "9911", Some("911")),
        (&nine, "9112", Some("112")),
        (&direct, "9911", None),
        // +1 212 555 1101 went out as 110 in another product.
        (&direct, "+12125551101", None),
        (&direct, "2125551101", None),
        (&direct, "1101", None),
        (&direct, "0110", None),
        (&direct, "", None),
    ] {
        assert_eq!(plan.emergency_number(dialled), expected, "{dialled}");
    }
}

fn office() -> Config {
    let rule = |pattern: &str, from: &str, to: &str| NumberRule {
        pattern: pattern.parse().unwrap(),
        from: from.parse().unwrap(),
        to: to.parse().unwrap(),
    };
    Config {
        numbers: vec![
            rule("+15551230000", "any", "group:sales"),
            rule("+15551230000", "trunk:connect", "extension:101"),
            rule("+1555123*", "trunks", "voicemail:101"),
            rule("+1555*", "trunks", "echo"),
            rule("700", "phones", "echo"),
            rule("911", "any", "echo"),
        ],
        groups: vec![crate::Group {
            name: "sales".into(),
            number: Some("600".into()),
            members: vec!["101".into()],
            strategy: crate::Strategy::All,
            ring: std::time::Duration::from_secs(20),
            voicemail: None,
        }],
        ..Config::default()
    }
}

#[test]
fn the_most_specific_rule_wins_and_trunks_never_reach_outside() {
    let config = office();
    let to = |text: &str| Route::To(text.parse().unwrap());
    let known = |number: &str| ["101", "front-desk"].contains(&number);
    for (origin, dialled, expected) in [
        (Origin::Trunk("connect"), "+15551230000", to("extension:101")),
        (Origin::Trunk("other"), "+15551230000", to("group:sales")),
        (Origin::Trunk("other"), "5551230000", to("group:sales")),
        (Origin::Trunk("other"), "+15551239999", to("voicemail:101")),
        (Origin::Trunk("other"), "+15559999999", to("echo")),
        (Origin::Trunk("other"), "101", to("extension:101")),
        (Origin::Trunk("other"), "600", to("group:sales")),
        (Origin::Phone, "15551230000", to("group:sales")),
        (Origin::Phone, "+15551239999", Route::Outside("+15551239999".into())),
        (Origin::Phone, "700", to("echo")),
        (Origin::Phone, "*97", to("voicemail-menu")),
        (Origin::Phone, "911", Route::Emergency("911".into())),
        (Origin::Phone, "101", to("extension:101")),
        (Origin::Phone, "1-01", to("extension:101")),
        (Origin::Phone, "front-desk", to("extension:front-desk")),
    ] {
        assert_eq!(config.route(origin, dialled, known), expected, "{origin:?} {dialled}");
    }
    for dialled in ["700", "+442079460000", "*97", "102"] {
        let got = config.route(Origin::Trunk("connect"), dialled, known);
        assert!(matches!(got, Route::Nowhere(_)), "{dialled}: {got:?}");
    }
    assert_eq!(RuleOrigin::default(), RuleOrigin::Any);
}
