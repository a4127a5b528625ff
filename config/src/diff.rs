//! What a reload changes, and when it takes effect.

use std::fmt;

use crate::schema::Config;

/// When a change takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// At once. Live calls keep the configuration they began with.
    Live,
    /// Only after a restart: sockets, threads or files that are open.
    Restart,
}

/// One difference between two configurations. Never holds a secret's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What: `[sip] max_calls changed`, `trunk connect added`.
    pub what: String,
    /// When it takes effect.
    pub effect: Effect,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        match self.effect {
            Effect::Live => Ok(()),
            Effect::Restart => f.write_str(" (after a restart)"),
        }
    }
}

/// A key of a section that stands once.
struct Key {
    section: &'static str,
    name: &'static str,
    effect: Effect,
    differs: fn(&Config, &Config) -> bool,
    /// Copies it from the first to the second.
    carry: fn(&Config, &mut Config),
}

macro_rules! keys {
    ($($section:ident: $kind:ident { $($field:ident $name:literal $effect:ident,)+ })+) => {
        const KEYS: &[Key] = &[$($(Key {
            section: stringify!($section),
            name: $name,
            effect: Effect::$effect,
            differs: |a, b| a.$section.$field != b.$section.$field,
            carry: |from, to| to.$section.$field.clone_from(&from.$section.$field),
        }),+),+];

        // A field that is not in the table does not compile.
        const _: fn(&Config) = |config| {
            $(let crate::schema::$kind { $($field: _),+ } = &config.$section;)+
        };
    };
}

keys! {
    server: Server {
        realm "realm" Restart,
        domains "domains" Live,
        data_dir "data_dir" Restart,
        user_agent "user_agent" Restart,
        external_address "external_address" Restart,
        local_networks "local_networks" Restart,
        drain "drain_seconds" Live,
        log_numbers "log_numbers" Live,
        time_zone "time_zone" Live,
    }
    http: Http {
        address "address" Restart,
    }
    api: Api {
        listen "listen" Restart,
        certificate "certificate" Restart,
        key "key" Restart,
        requests_per_second "requests_per_second" Restart,
    }
    sip: Sip {
        t1 "t1_ms" Restart,
        t2 "t2_ms" Restart,
        t4 "t4_ms" Restart,
        max_transactions "max_transactions" Restart,
        max_calls "max_calls" Live,
        max_connections "max_connections" Restart,
        max_message_bytes "max_message_bytes" Restart,
        session_expires "session_expires" Live,
        min_se "min_se" Live,
        reliable_provisional "reliable_provisional" Live,
        max_ring "max_ring_seconds" Live,
        max_call "max_call_seconds" Live,
        ca_files "ca_files" Live,
    }
    media: Media {
        ports "ports" Restart,
        threads "threads" Restart,
        address "address" Live,
        codecs "codecs" Live,
        pass_through "pass_through" Live,
        srtp_phones "srtp_phones" Live,
        silence_hangup "silence_hangup_seconds" Live,
        hold_music "hold_music" Live,
        kernel_relay "kernel_relay" Restart,
    }
    webrtc: WebRtc {
        address "address" Restart,
    }
    registrar: Registrar {
        min_expires "min_expires" Live,
        max_expires "max_expires" Live,
        default_expires "default_expires" Live,
        max_contacts "max_contacts" Live,
        digest "digest" Live,
    }
    bans: Bans {
        failures "failures" Live,
        window "window_seconds" Live,
        ban "ban_seconds" Live,
        never "never" Live,
    }
    voicemail: Voicemail {
        folder "folder" Live,
        after "after_seconds" Live,
        max "max_seconds" Live,
        min "min_seconds" Live,
        silence "silence_seconds" Live,
        silence_threshold "silence_threshold" Live,
        max_messages "max_messages" Live,
        menu_number "menu_number" Restart,
        greeting "greeting" Live,
        greeting_text "greeting_text" Live,
        prompts "prompts" Restart,
    }
    speech: Speech {
        engine "engine" Restart,
        voice "voice" Restart,
        patience "timeout_seconds" Restart,
        at_once "at_once" Restart,
        cache_megabytes "cache_megabytes" Restart,
        polly_region "polly_region" Restart,
        polly_endpoint "polly_endpoint" Restart,
        polly_key "polly_key" Restart,
        polly_secret "polly_secret" Restart,
    }
    recording: Recording {
        calls "calls" Live,
        format "format" Live,
        place "store" Live,
        prefix "prefix" Live,
        keep_local "keep_local" Live,
        uploads "uploads" Live,
        warn_free_percent "warn_free_percent" Live,
        warn_free_mib "warn_free_mib" Live,
    }
    supervision: Supervision {
        code "code" Live,
        notice "notice" Live,
        announcement "announcement" Live,
    }
    conference: Conferences {
        factory "factory" Live,
        code "code" Live,
    }
    dialplan: DialPlan {
        country_code "country_code" Live,
        national_prefix "national_prefix" Live,
        international_prefix "international_prefix" Live,
        area_code "area_code" Live,
        emergency "emergency" Live,
        service "service" Live,
        outside_prefix "outside_prefix" Live,
    }
    aws: Aws {
        region "region" Restart,
        account "account" Restart,
        keys "access_key" Live,
        profile "profile" Live,
        endpoint "endpoint" Live,
        pass_on "pass_on" Live,
    }
    take_back: TakeBack {
        queue "queue" Restart,
        table "table" Restart,
        table_interval "table_interval_ms" Restart,
        max_age "max_age_seconds" Restart,
        connect "connect" Restart,
        trunk "trunk" Restart,
        pass "pass" Restart,
        header "header" Restart,
    }
    cloud: Cloud {
        trunks "trunks" Live,
        transaction_header "transaction_header" Live,
        application_header "application_header" Live,
        application "sip_media_application_id" Live,
        transfers "transfers" Live,
        code "code" Live,
        attended "attended" Live,
        attended_words "attended_words" Live,
        answer "answer_seconds" Live,
        bye "bye_seconds" Live,
        attributes "attributes" Live,
        attributes_required "attributes_required" Live,
        from_number "from_number" Live,
        voice_connector_arn "voice_connector_arn" Live,
    }
    dnis: Dnis {
        our_numbers "our_numbers" Restart,
        connect_numbers "connect_numbers" Restart,
        keeper "table" Restart,
        name "name" Restart,
        ringing_lease "ringing_lease_seconds" Restart,
        lease "lease_seconds" Restart,
        wait "wait_seconds" Restart,
        wait_music "wait_music" Restart,
        otherwise "otherwise" Restart,
        voicemail "voicemail" Restart,
    }
    application_rules: ApplicationRules {
        attributes_merge "attributes_merge" Live,
        max_attributes "max_attributes" Live,
        empty_list_stops "empty_list_stops" Live,
        mid_list_reports "mid_list_reports" Live,
        leg_b_hangup_reports "leg_b_hangup_reports" Live,
        sole_leg_hangup_reports "sole_leg_hangup_reports" Live,
        no_action_ends_call "no_action_ends_call" Live,
        invalid_replies_told "invalid_replies_told" Live,
        update_stops_speech "update_stops_speech" Live,
        pause_answers "pause_answers" Live,
    }
    business: Business {
        name "name" Live,
        number "number" Live,
        owner "owner" Live,
        pin_of "pin_of" Live,
        calendar "hours" Live,
        time_zone "time_zone" Live,
    }
    phonebook: Phonebook {
        file "file" Live,
    }
    screen_pop: ScreenPop {
        url "url" Live,
        secret "secret" Live,
        ca_file "ca_file" Live,
        patience "timeout_seconds" Live,
    }
    journal: Journal {
        keep_days "keep_days" Live,
        keep_calls "keep_calls" Live,
    }
}

/// Differences, those that need a restart last.
pub fn diff(old: &Config, new: &Config) -> Vec<Change> {
    let mut changes: Vec<Change> = KEYS
        .iter()
        .filter(|key| (key.differs)(old, new))
        .map(|key| Change {
            what: format!("[{}] {} changed", key.section, key.name),
            effect: key.effect,
        })
        .collect();
    let mut lists = |differs: bool, what: &str, effect: Effect| {
        if differs {
            changes.push(Change { what: format!("{what} changed"), effect });
        }
    };
    lists(old.listen != new.listen, "[[listen]]", Effect::Restart);
    lists(old.buckets != new.buckets, "[[bucket]]", Effect::Restart);
    lists(old.numbers != new.numbers, "[[number]]", Effect::Live);
    named(&mut changes, "trunk", &old.trunks, &new.trunks, |t| &t.name);
    named(&mut changes, "extension", &old.extensions, &new.extensions, |e| &e.number);
    named(&mut changes, "lambda", &old.lambdas, &new.lambdas, |l| &l.name);
    named(&mut changes, "webhook", &old.webhooks, &new.webhooks, |w| &w.name);
    named(&mut changes, "supervisor", &old.supervisors, &new.supervisors, |s| &s.extension);
    named(&mut changes, "connection", &old.connections, &new.connections, |c| {
        c.arn.as_ref().unwrap_or(&c.name)
    });
    named(&mut changes, "group", &old.groups, &new.groups, |g| &g.name);
    changes.sort_by_key(|change| change.effect);
    changes
}

impl Config {
    /// This configuration as it is in force after a reload: what waits for a restart is still as
    /// in `running`. Otherwise half of a program would go by the new words and half by the old: an
    /// account of the new realm would never match a challenge of the old one.
    #[must_use]
    pub fn after_reload_of(mut self, running: &Self) -> Self {
        for key in KEYS.iter().filter(|key| key.effect == Effect::Restart) {
            (key.carry)(running, &mut self);
        }
        self.listen.clone_from(&running.listen);
        self.buckets.clone_from(&running.buckets);
        self
    }
}

fn named<T: PartialEq>(
    changes: &mut Vec<Change>,
    what: &str,
    old: &[T],
    new: &[T],
    name: fn(&T) -> &String,
) {
    let before: std::collections::HashMap<&String, &T> = old.iter().map(|i| (name(i), i)).collect();
    let after: std::collections::HashSet<&String> = new.iter().map(name).collect();
    let mut note = |item: &T, verb: &str| {
        let what = format!("{what} {} {verb}", name(item));
        changes.push(Change { what, effect: Effect::Live });
    };
    for item in new {
        match before.get(name(item)) {
            None => note(item, "added"),
            Some(earlier) if *earlier != item => note(item, "changed"),
            Some(_) => {}
        }
    }
    old.iter().filter(|item| !after.contains(name(item))).for_each(|item| note(item, "removed"));
}

#[cfg(test)]
mod tests;
