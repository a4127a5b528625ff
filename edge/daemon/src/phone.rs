//! `offhook phone`: desk phones' accounts.

use std::io::{BufRead, IsTerminal as _, Read as _};
use std::net::SocketAddr;

use offhook_config::{Config, extension, is_extension};
use offhook_pbx::keep::{Bindings as _, Extension, Extensions as _};
use offhook_sip::digest;
use offhook_store::Store;
use rand::Rng as _;
use serde_json::json;

use crate::cli::{PhoneCommand, Place};
use crate::control;
use crate::greeting;
use crate::output::{complain, print, table};
use crate::place::{
    CommandError, block_on, configuration, existing_store, read_with_phones, store, whereabouts,
};

/// Runs `offhook phone …`.
pub fn run(command: &PhoneCommand) -> Result<(), CommandError> {
    match command {
        PhoneCommand::Add { place, number, name, password, pin, no_voicemail } => {
            let config = configuration(place)?;
            let new = NewPhone {
                number,
                name: name.as_deref(),
                password: read_secret(password.as_deref(), "password")?,
                pin: read_secret(pin.as_deref(), "PIN")?,
                voicemail: !no_voicemail,
            };
            let store = store(&config)?;
            let known = block_on(store.load_extensions())??;
            let password = add(&config, &store, new)?;
            if known.iter().any(|extension| extension.number == *number) {
                complain(&format!("{number} was there already: this is its password from now on."));
            }
            print(&instructions(&config, number, password.as_deref()));
            tell_daemon(&config)
        }
        PhoneCommand::List { place, json } => list(place, *json),
        PhoneCommand::Remove { place, number } => remove(place, number),
        PhoneCommand::Dnd { place, number, state } => do_not_disturb(place, number, state == "on"),
        PhoneCommand::Pin { place, number } => change(place, number, |_, extension| {
            let pin = read_secret(Some("-"), "PIN")?.unwrap_or_default();
            extension.pin = Some(hash_pin(&pin)?);
            Ok(format!("The voicemail PIN of {number} is set."))
        }),
        PhoneCommand::Greeting { place, number, file } => {
            change(place, number, |config, e| greeting::set(config, e, file.as_deref()))
        }
    }
}

/// A phone to be added.
#[derive(Debug)]
pub struct NewPhone<'a> {
    /// Extension number, also the user name.
    pub number: &'a str,
    /// Shown to others.
    pub name: Option<&'a str>,
    /// `None`: one is made.
    pub password: Option<String>,
    /// Voicemail PIN.
    pub pin: Option<String>,
    /// Whether it has a mailbox.
    pub voicemail: bool,
}

/// Keeps the phone's account; gives back the password when one was made.
pub fn add(
    config: &Config,
    store: &Store,
    new: NewPhone<'_>,
) -> Result<Option<String>, CommandError> {
    check_number(config, new.number)?;
    let given = new.password.is_some();
    let password = new.password.unwrap_or_else(make_password);
    if password.len() < 8 {
        return Err(CommandError::Words(
            "a password needs 8 characters at least: the box may stand on the open internet".into(),
        ));
    }
    let realm = &config.server.realm;
    let known = block_on(store.load_extensions())??;
    let before = known.into_iter().find(|e| e.number == new.number);
    let pin = match new.pin {
        Some(pin) => Some(hash_pin(&pin)?),
        None => before.as_ref().and_then(|e| e.pin.clone()),
    };
    let name = new.name.map(str::to_owned).or_else(|| before.as_ref().map(|e| e.name.clone()));
    let extension = Extension {
        number: new.number.to_owned(),
        name: name.unwrap_or_else(|| new.number.to_owned()),
        ha1_md5: digest::ha1_md5(new.number, realm, &password).as_hex().to_owned(),
        ha1_sha256: digest::ha1_sha256(new.number, realm, &password).as_hex().to_owned(),
        realm: realm.clone(),
        voicemail: new.voicemail,
        pin,
        do_not_disturb: before.as_ref().is_some_and(|e| e.do_not_disturb),
        greeting: before.and_then(|e| e.greeting),
    };
    block_on(store.put_extension(extension))??;
    Ok((!given).then_some(password))
}

/// A phone that nobody could call is not made.
fn check_number(config: &Config, number: &str) -> Result<(), CommandError> {
    let group = |g: &offhook_config::Group| g.number.as_deref() == Some(number);
    let why = if !is_extension(number) {
        format!("{}, such as 101", extension::RULE)
    } else if config.dialplan.emergency_number(number).is_some() {
        "is dialled for emergencies".into()
    } else if number == config.voicemail.menu_number || config.groups.iter().any(group) {
        "is the number of a group or of the voicemail menu already".into()
    } else {
        return Ok(());
    };
    Err(CommandError::Words(format!("{number:?} {why}")))
}

fn hash_pin(pin: &str) -> Result<String, CommandError> {
    if !(4..=10).contains(&pin.len()) || !pin.bytes().all(|b| b.is_ascii_digit()) {
        return Err(CommandError::Words("a PIN has 4 to 10 digits".into()));
    }
    Ok(offhook_pbx::pin::hash(pin, rand::rng().random()))
}

/// Twenty letters and digits that cannot be mistaken for each other, in groups: 98 bits.
fn make_password() -> String {
    const LETTERS: &[u8] = b"abcdefghjkmnpqrstuvwxyz23456789";
    let mut rng = rand::rng();
    let mut password = String::with_capacity(24);
    for n in 0..20 {
        if n > 0 && n % 5 == 0 {
            password.push('-');
        }
        let at = rng.random_range(0..LETTERS.len());
        password.push(char::from(LETTERS[at]));
    }
    password
}

/// `-` reads one line of standard input, so that a secret stands in no process list.
fn read_secret(given: Option<&str>, what: &str) -> Result<Option<String>, CommandError> {
    match given {
        None => Ok(None),
        Some("-") => {
            let input = std::io::stdin();
            if input.is_terminal() {
                complain(&format!("{what} (you will see it as you type):"));
            }
            read_line(&mut input.lock(), what).map(Some)
        }
        Some(_) => Err(CommandError::Words(format!(
            "a {what} is not given on the command line, where others can see it: say `-` and type it"
        ))),
    }
}

/// The next line and not more: a password and a PIN may follow each other.
fn read_line(input: &mut impl BufRead, what: &str) -> Result<String, CommandError> {
    let mut line = String::new();
    input
        .take(1024)
        .read_line(&mut line)
        .map_err(|e| CommandError::Words(format!("standard input: {e}")))?;
    match line.trim() {
        "" => Err(CommandError::Words(format!("no {what} on standard input"))),
        secret => Ok(secret.to_owned()),
    }
}

/// What to type into the phone.
pub fn instructions(config: &Config, number: &str, password: Option<&str>) -> String {
    let mut lines = vec![
        format!("Phone {number} is ready. Type into the phone:"),
        format!("  SIP server / registrar  {}", server_for_phones(config)),
        format!("  User name / auth name   {number}"),
    ];
    lines.push(match password {
        Some(password) => format!("  Password                {password}   (shown this once)"),
        None => "  Password                the one that you gave".to_owned(),
    });
    let transports: Vec<String> = config
        .listen
        .iter()
        .map(|l| format!("{} {}", l.transport.as_str().to_uppercase(), l.address.port()))
        .collect();
    lines.push(format!("  Transport and port      {}", transports.join(", ")));
    lines.push(format!("  Voicemail number        {}", config.voicemail.menu_number));
    lines.join("\n")
}

/// The address that a phone in the office reaches us at.
fn server_for_phones(config: &Config) -> String {
    if let Some(domain) = config.server.domains.first() {
        return domain.clone();
    }
    let addresses = || config.listen.iter().map(|l| l.address);
    if let Some(address) = addresses().find(|a| !a.ip().is_unspecified()) {
        return address.ip().to_string();
    }
    outgoing_address().map_or_else(|| "this machine's address".to_owned(), |ip| ip.to_string())
}

/// The address of the interface that leads outside. Nothing is sent: a connected UDP socket only
/// asks the routing table.
fn outgoing_address() -> Option<std::net::IpAddr> {
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect(SocketAddr::from(([203, 0, 113, 1], 9))).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

fn tell_daemon(config: &Config) -> Result<(), CommandError> {
    match control::ask(&config.server.data_dir, "POST", "/phones/reload") {
        Ok(_) => Ok(()),
        // A daemon that does not run reads the phones when it starts.
        Err(control::ControlError::NotRunning(_)) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn list(place: &Place, as_json: bool) -> Result<(), CommandError> {
    let config = whereabouts(place)?;
    let store = existing_store(&config)?;
    let extensions = block_on(store.load_extensions())??;
    let bindings = block_on(store.load_bindings())??;
    let now = std::time::SystemTime::now();
    let mut phones = Vec::new();
    for number in numbers(&config, &extensions) {
        let kept = extensions.iter().find(|e| e.number == number);
        let written = config.extensions.iter().find(|e| e.number == number);
        let name = written.and_then(|e| e.name.clone()).or_else(|| kept.map(|e| e.name.clone()));
        let contacts: Vec<_> = bindings
            .iter()
            .filter(|b| b.aor == number && b.expires > now)
            .map(|b| {
                json!({
                    "contact": b.contact,
                    "transport": b.transport.to_string(),
                    "from": b.received.to_string(),
                    "expires_in": b.expires.duration_since(now).unwrap_or_default().as_secs(),
                    "user_agent": b.user_agent,
                })
            })
            .collect();
        phones.push(json!({
            "number": number,
            "name": name,
            "voicemail": written.map_or_else(|| kept.is_some_and(|e| e.voicemail), |e| e.voicemail),
            "do_not_disturb": kept.is_some_and(|e| e.do_not_disturb)
                || written.is_some_and(|e| e.do_not_disturb),
            "wrong_realm": kept.is_some_and(|e| e.realm != config.server.realm),
            "contacts": contacts,
        }));
    }
    if as_json {
        print(&serde_json::Value::from(phones).to_string());
        return Ok(());
    }
    print(&phone_table(&phones));
    Ok(())
}

fn phone_table(phones: &[serde_json::Value]) -> String {
    if phones.is_empty() {
        return "No phones yet. `offhook phone add 101` makes one.".to_owned();
    }
    let text = |v: &serde_json::Value| v.as_str().unwrap_or("").to_owned();
    let mut rows =
        vec![["NUMBER", "NAME", "REGISTERED FROM", "EXPIRES IN", "PHONE"].map(str::to_owned)];
    for phone in phones {
        let contacts = phone["contacts"].as_array().cloned().unwrap_or_default();
        let mut state = "not registered".to_owned();
        if phone["wrong_realm"] == true {
            state = "made for another realm: add it again".to_owned();
        }
        let mut name = text(&phone["name"]);
        if phone["do_not_disturb"] == true {
            name += " (do not disturb)";
        }
        if contacts.is_empty() {
            rows.push([text(&phone["number"]), name, state, String::new(), String::new()]);
            continue;
        }
        for contact in contacts {
            rows.push([
                text(&phone["number"]),
                name.clone(),
                format!("{} {}", text(&contact["transport"]), text(&contact["from"])),
                format!("{} s", contact["expires_in"]),
                text(&contact["user_agent"]),
            ]);
        }
    }
    table(&rows)
}

/// Numbers of the file and of the database, each once, sorted.
fn numbers(config: &Config, extensions: &[Extension]) -> Vec<String> {
    let mut numbers: Vec<String> = extensions.iter().map(|e| e.number.clone()).collect();
    numbers.extend(config.extensions.iter().map(|e| e.number.clone()));
    numbers.sort();
    numbers.dedup();
    numbers
}

fn no_such_phone(config: &Config, number: &str) -> CommandError {
    CommandError::Words(if config.extension(number).is_some() {
        format!(
            "phone {number} is written in the configuration file: change it there. Only a phone of \
             `offhook phone add` has a PIN and a recorded greeting"
        )
    } else {
        format!("there is no phone {number}; `offhook phone list` names them")
    })
}

fn remove(place: &Place, number: &str) -> Result<(), CommandError> {
    let config = whereabouts(place)?;
    if !block_on(existing_store(&config)?.remove_extension(number.to_owned()))?? {
        return Err(no_such_phone(&config, number));
    }
    print(&format!("Phone {number} is removed; its voicemail stays until it is deleted."));
    // What still leads to it would be refused at the next reload.
    if let Some(path) = place.file()
        && let Err(CommandError::Configuration(problems)) =
            read_with_phones(&path, place.data.clone())
    {
        complain("The configuration still names it:");
        problems.iter().for_each(|problem| complain(&problem.to_string()));
    }
    tell_daemon(&config)
}

fn do_not_disturb(place: &Place, number: &str, on: bool) -> Result<(), CommandError> {
    change(place, number, |_, extension| {
        extension.do_not_disturb = on;
        Ok(format!("Do-not-disturb of {number} is {}.", if on { "on" } else { "off" }))
    })
}

/// Changes the account of a phone that there is; `how` gives the words for the operator.
fn change(
    place: &Place,
    number: &str,
    how: impl FnOnce(&Config, &mut Extension) -> Result<String, CommandError>,
) -> Result<(), CommandError> {
    let config = whereabouts(place)?;
    let store = existing_store(&config)?;
    let known = block_on(store.load_extensions())??;
    let Some(mut extension) = known.into_iter().find(|e| e.number == number) else {
        return Err(no_such_phone(&config, number));
    };
    let said = how(&config, &mut extension)?;
    block_on(store.put_extension(extension))??;
    print(&said);
    tell_daemon(&config)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_made_password_is_long_and_never_the_same() {
        let (a, b) = (make_password(), make_password());
        assert_eq!(a.len(), 23);
        assert_ne!(a, b);
    }

    #[test]
    fn a_password_and_a_pin_follow_each_other_on_standard_input() {
        let mut input = &b"long enough\n4711\n"[..];
        assert_eq!(read_line(&mut input, "password").unwrap(), "long enough");
        assert_eq!(read_line(&mut input, "PIN").unwrap(), "4711");
        assert!(read_line(&mut input, "more").is_err());
    }

    #[test]
    fn a_number_that_leads_elsewhere_is_no_phone() {
        let group = "[[group]]\nname = \"g\"\nnumber = \"600\"\nmembers = [\"101\"]\n";
        let config = offhook_config::check(group, std::path::Path::new("t.toml")).unwrap();
        for bad in ["911", "9-1-1", "*97", "600", "../x"] {
            assert!(check_number(&config, bad).is_err(), "{bad}");
        }
        assert!(check_number(&config, "front-desk").is_ok());
    }

    #[test]
    fn a_secret_on_the_command_line_is_refused() {
        assert!(read_secret(Some("hunter22"), "password").is_err());
    }
}
