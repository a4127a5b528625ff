//! Phones, where they are registered, and who is locked out.

use super::*;

#[test]
fn an_extension_is_kept_whole_and_its_registrations_go_with_it() {
    let (_folder, path) = folder();
    let extension = Extension {
        number: "101".into(),
        name: "Zoë".into(),
        ha1_md5: "m".into(),
        ha1_sha256: "s".into(),
        realm: "offhook".into(),
        voicemail: true,
        pin: Some("$salt$hash".into()),
        do_not_disturb: true,
        greeting: Some("101/greeting.wav".into()),
    };
    let store = opened(&path);
    wait(store.put_extension(Extension { name: "old".into(), ..extension.clone() })).unwrap();
    wait(store.put_extension(extension.clone())).unwrap();
    wait(store.change_bindings(vec![BindingChange::Put(binding("101", "a", later(60)))])).unwrap();
    drop(store);
    let store = opened(&path);
    assert_eq!(wait(store.load_extensions()).unwrap(), [extension]);
    assert!(wait(store.remove_extension("101".into())).unwrap());
    assert!(!wait(store.remove_extension("101".into())).unwrap());
    assert_eq!(wait(store.load_bindings()).unwrap(), []);
}

#[test]
fn bindings_are_replaced_by_contact_and_forgotten_when_expired() {
    let (_folder, path) = folder();
    let store = opened(&path);
    let (a, b) = (binding("101", "sip:a", later(60)), binding("101", "sip:b", later(60)));
    let expired = binding("102", "sip:x", UNIX_EPOCH + Duration::from_secs(1));
    let puts = [&a, &b, &expired].map(|binding| BindingChange::Put(binding.clone()));
    wait(store.change_bindings(puts.into())).unwrap();
    let newer = Binding { cseq: 7, path: Vec::new(), instance: None, ..a.clone() };
    wait(store.change_bindings(vec![
        BindingChange::Put(newer.clone()),
        BindingChange::Remove { aor: "101".into(), contact: "sip:b".into() },
    ]))
    .unwrap();
    drop(store);
    assert_eq!(wait(opened(&path).load_bindings()).unwrap(), [newer]);
}

#[test]
fn bans_are_kept_until_they_end_or_are_lifted() {
    let (_folder, path) = folder();
    let store = opened(&path);
    let ban = |source: &str, until| Ban {
        source: source.parse().unwrap(),
        reason: "wrong passwords".into(),
        failures: 11,
        since: UNIX_EPOCH,
        until,
    };
    let (v4, v6) = (ban("203.0.113.9", later(60)), ban("2001:db8::9", later(60)));
    for ban in [&v4, &v6, &ban("203.0.113.10", UNIX_EPOCH)] {
        wait(store.put_ban(ban.clone())).unwrap();
    }
    wait(store.remove_ban(v4.source)).unwrap();
    drop(store);
    assert_eq!(wait(opened(&path).load_bans()).unwrap(), [v6]);
}
