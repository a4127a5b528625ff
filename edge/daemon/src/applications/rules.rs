//! `[application_rules]` as the sessions of SIP media applications have them.

use offhook_config::ApplicationRules;
use offhook_sma::Rules;
use offhook_sma::rules::{
    Attributes, EmptyList, Interruptible, InvalidReply, LegBHangup, MidList, NothingToDo,
    SoleLegHangup,
};

/// A value for either answer.
fn either<T>(flag: bool, yes: T, no: T) -> T {
    if flag { yes } else { no }
}

/// The switches.
pub(super) fn of(rules: &ApplicationRules) -> Rules {
    let ApplicationRules {
        attributes_merge,
        max_attributes,
        empty_list_stops,
        mid_list_reports,
        leg_b_hangup_reports,
        sole_leg_hangup_reports,
        no_action_ends_call,
        invalid_replies_told,
        update_stops_speech,
        pause_answers,
    } = *rules;
    Rules {
        attributes: either(attributes_merge, Attributes::Merge, Attributes::Replace),
        max_attributes,
        empty_list: either(empty_list_stops, EmptyList::Stops, EmptyList::Keeps),
        mid_list: either(mid_list_reports, MidList::Workshop, MidList::Documented),
        leg_b_hangup: either(
            leg_b_hangup_reports,
            LegBHangup::HangupThenSuccessful,
            LegBHangup::HangupOnly,
        ),
        sole_leg_hangup: either(
            sole_leg_hangup_reports,
            SoleLegHangup::SuccessfulThenHangup,
            SoleLegHangup::HangupOnly,
        ),
        nothing_to_do: either(no_action_ends_call, NothingToDo::HangsUp, NothingToDo::TimesOut),
        invalid_reply: either(invalid_replies_told, InvalidReply::Each, InvalidReply::Attributes),
        interruptible: either(
            update_stops_speech,
            Interruptible::SpeechToo,
            Interruptible::Documented,
        ),
        pause_answers,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_word_in_the_file_the_rules_are_those_of_the_sessions() {
        assert_eq!(of(&ApplicationRules::default()), Rules::default());
    }

    #[test]
    fn every_key_changes_the_rule_of_its_name_and_no_other() {
        let text = |rules: &ApplicationRules| format!("{:?}", of(rules));
        let default = ApplicationRules::default();
        let others = [
            ApplicationRules { attributes_merge: true, ..default },
            ApplicationRules { max_attributes: 10, ..default },
            ApplicationRules { empty_list_stops: true, ..default },
            ApplicationRules { mid_list_reports: false, ..default },
            ApplicationRules { leg_b_hangup_reports: false, ..default },
            ApplicationRules { sole_leg_hangup_reports: true, ..default },
            ApplicationRules { no_action_ends_call: true, ..default },
            ApplicationRules { invalid_replies_told: true, ..default },
            ApplicationRules { update_stops_speech: true, ..default },
            ApplicationRules { pause_answers: false, ..default },
        ];
        let mut seen = vec![text(&default)];
        for other in others {
            assert!(!seen.contains(&text(&other)), "{other:?}");
            seen.push(text(&other));
        }
    }
}
