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
    /// What: `[sip]`, `trunk connect added`.
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

/// Differences, those that need a restart last.
pub fn diff(old: &Config, new: &Config) -> Vec<Change> {
    let mut changes = Vec::new();
    let mut note = |differs: bool, what: &str, effect: Effect| {
        if differs {
            changes.push(Change { what: format!("{what} changed"), effect });
        }
    };
    note(live_server(old) != live_server(new), "[server]", Effect::Live);
    note(old.registrar != new.registrar, "[registrar]", Effect::Live);
    note(old.bans != new.bans, "[bans]", Effect::Live);
    note(old.dialplan != new.dialplan, "[dialplan]", Effect::Live);
    note(old.journal != new.journal, "[journal]", Effect::Live);
    let voicemail =
        |c: &Config| crate::Voicemail { folder: None, prompts: None, ..c.voicemail.clone() };
    note(voicemail(old) != voicemail(new), "[voicemail]", Effect::Live);
    note(live_media(old) != live_media(new), "[media]", Effect::Live);
    note(live_sip(old) != live_sip(new), "[sip]", Effect::Live);
    note(tls_files(old) != tls_files(new), "[[listen]] certificate files", Effect::Restart);
    note(sockets(old) != sockets(new), "[[listen]] addresses", Effect::Restart);
    note(old.http != new.http, "[http] address", Effect::Restart);
    note(old.server.realm != new.server.realm, "[server] realm", Effect::Restart);
    note(old.server.data_dir != new.server.data_dir, "[server] data_dir", Effect::Restart);
    let folders = (old.voicemail_folder(), new.voicemail_folder());
    note(folders.0 != folders.1, "[voicemail] folder", Effect::Restart);
    let prompts = old.voicemail.prompts != new.voicemail.prompts;
    note(prompts, "[voicemail] prompts", Effect::Restart);
    let threads = |c: &Config| (c.media.ports, c.media.threads, c.media.address);
    note(threads(old) != threads(new), "[media] ports, threads or address", Effect::Restart);
    note(fixed_sip(old) != fixed_sip(new), "[sip] timers or limits", Effect::Restart);
    named(&mut changes, "trunk", &old.trunks, &new.trunks, |t| &t.name);
    named(&mut changes, "extension", &old.extensions, &new.extensions, |e| &e.number);
    named(&mut changes, "group", &old.groups, &new.groups, |g| &g.name);
    if old.numbers != new.numbers {
        changes.push(Change { what: "[[number]] changed".into(), effect: Effect::Live });
    }
    changes.sort_by_key(|change| change.effect);
    changes
}

fn live_server(config: &Config) -> crate::Server {
    let fixed = crate::Server::default();
    crate::Server { realm: fixed.realm, data_dir: fixed.data_dir, ..config.server.clone() }
}

fn live_media(config: &Config) -> crate::Media {
    let fixed = crate::Media::default();
    let (ports, threads, address) = (fixed.ports, fixed.threads, fixed.address);
    crate::Media { ports, threads, address, ..config.media.clone() }
}

type FixedSip = ([std::time::Duration; 3], [usize; 3]);

fn fixed_sip(config: &Config) -> FixedSip {
    let sip = &config.sip;
    ([sip.t1, sip.t2, sip.t4], [sip.max_transactions, sip.max_connections, sip.max_message_bytes])
}

fn live_sip(config: &Config) -> crate::Sip {
    let fixed = crate::Sip::default();
    crate::Sip {
        t1: fixed.t1,
        t2: fixed.t2,
        t4: fixed.t4,
        max_transactions: fixed.max_transactions,
        max_connections: fixed.max_connections,
        max_message_bytes: fixed.max_message_bytes,
        ..config.sip.clone()
    }
}

fn sockets(config: &Config) -> Vec<crate::Listen> {
    config.listen.iter().map(|listen| crate::Listen { tls: None, ..listen.clone() }).collect()
}

fn tls_files(config: &Config) -> Vec<&crate::TlsFiles> {
    config.listen.iter().filter_map(|listen| listen.tls.as_ref()).collect()
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
mod tests {
    use super::*;
    use crate::check;

    fn config(text: &str) -> Config {
        check(text, std::path::Path::new("t.toml")).unwrap()
    }

    #[test]
    fn equal_configurations_do_not_differ() {
        let text = "[[extension]]\nnumber = \"101\"\n";
        assert_eq!(diff(&config(text), &config(text)), []);
    }

    #[test]
    fn each_change_says_when_it_takes_effect() {
        let old = "[[extension]]\nnumber = \"101\"\n[[extension]]\nnumber = \"102\"\n";
        for (new, expected) in [
            ("[[extension]]\nnumber = \"102\"\nname = \"Bo\"", "extension 102 changed"),
            ("[[extension]]\nnumber = \"103\"", "extension 103 added"),
            ("", "extension 101 removed"),
            ("[dialplan]\narea_code = \"212\"", "[dialplan] changed"),
            ("[sip]\nmax_calls = 5", "[sip] changed"),
            ("[sip]\nt1_ms = 600", "[sip] timers or limits changed (after a restart)"),
            ("[media]\nsrtp_phones = \"off\"", "[media] changed"),
            ("[media]\nthreads = 2", "[media] ports, threads or address changed (after a restart)"),
            ("[server]\ndrain_seconds = 5", "[server] changed"),
            ("[server]\nrealm = \"x\"", "[server] realm changed (after a restart)"),
            ("[http]\naddress = \"127.0.0.1:1\"", "[http] address changed (after a restart)"),
            (
                "[[listen]]\ntransport = \"udp\"\naddress = \"127.0.0.1:5060\"",
                "[[listen]] addresses changed (after a restart)",
            ),
        ] {
            let changes = diff(&config(old), &config(new));
            let texts: Vec<String> = changes.iter().map(ToString::to_string).collect();
            assert!(texts.iter().any(|text| text == expected), "{expected}: {texts:?}");
            assert!(changes.is_sorted_by_key(|change| change.effect), "{texts:?}");
        }
    }
}
