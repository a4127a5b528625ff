//! `[application_rules]`: where AWS's documentation of SIP media applications contradicts itself.

/// One key for each contradiction; `docs/sip-media-applications.md` names the sources. The defaults
/// are what logs of AWS show, or what AWS's own samples need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ApplicationRules {
    /// Attributes of a reply are added to those that are kept, instead of taking their place.
    pub attributes_merge: bool,
    /// Most attributes that a reply may have.
    pub max_attributes: usize,
    /// A reply with `"Actions": []` stops what runs, instead of letting it go on.
    pub empty_list_stops: bool,
    /// With other actions waiting behind them, `CallAndBridge`, `Hangup` and `RecordAudio` are told
    /// too, not only those whose page says so.
    pub mid_list_reports: bool,
    /// A `Hangup` of LEG-B is told with `ACTION_SUCCESSFUL` behind its `HANGUP`.
    pub leg_b_hangup_reports: bool,
    /// A `Hangup` of the only leg is told with `ACTION_SUCCESSFUL` before its `HANGUP`.
    pub sole_leg_hangup_reports: bool,
    /// A new call that gets no action ends at once, instead of after 30 s.
    pub no_action_ends_call: bool,
    /// Of every reply without sense the application is told, not only of wrong attributes.
    pub invalid_replies_told: bool,
    /// A call update stops `Speak` as well.
    pub update_stops_speech: bool,
    /// `Pause` as the first action answers the call.
    pub pause_answers: bool,
}

impl Default for ApplicationRules {
    fn default() -> Self {
        Self {
            attributes_merge: false,
            max_attributes: 100,
            empty_list_stops: false,
            mid_list_reports: true,
            leg_b_hangup_reports: true,
            sole_leg_hangup_reports: false,
            no_action_ends_call: false,
            invalid_replies_told: false,
            update_stops_speech: false,
            pause_answers: true,
        }
    }
}
