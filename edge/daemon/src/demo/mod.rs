//! The demonstration: the main job, played through real sockets against a real appliance.

pub mod script;
pub mod sound;
pub mod ua;

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use offhook_config::Config;
use offhook_pbx::keep::{Calls as _, Voicemails as _};
use offhook_store::Store;

use self::script::{Cast, TONE_MESSAGE};
use self::ua::ScriptError;
use crate::cli::Place;
use crate::output::print;
use crate::phone::{self, NewPhone};
use crate::place::{self, CommandError, block_on};
use crate::{calls, control, running, serve};

/// Frequency of the built-in beep, hertz.
pub const BEEP_HZ: f64 = 1000.0;

/// Extension of the simulated desk phone, and the number that leads to it.
const EXTENSION: &str = "199";
const OFFICE_NUMBER: &str = "+15550100100";
/// Where the simulated Voice Connector and desk phone sit.
const CONNECTOR: [u8; 4] = [127, 0, 0, 2];
const PHONE: [u8; 4] = [127, 0, 0, 3];

/// `offhook demo`: plays on a throw-away folder.
pub fn demo() -> Result<(), CommandError> {
    let temporary = std::env::temp_dir();
    let folder = crate::folder::make_fresh(&temporary, "offhook-demo-")
        .map_err(|error| CommandError::File { path: temporary, error })?;
    let outcome = (|| {
        let listen = free_port(IpAddr::from([127, 0, 0, 1]))?;
        let (path, config) = prepare(&folder, listen)?;
        with_appliance(config, path, false, prove)
    })();
    let _ = std::fs::remove_dir_all(&folder);
    outcome
}

/// `offhook run`: plays in front of the user, then serves.
pub fn run(data: &Path, listen: SocketAddr) -> Result<(), CommandError> {
    let (path, config) = prepare(data, listen)?;
    let fits =
        |a: SocketAddr| a.port() == listen.port() && (a == listen || a.ip().is_unspecified());
    if !config.listen.iter().any(|l| fits(l.address)) {
        let file = path.display();
        print(&format!("{listen} is not listened on: {file} was there already, and it decides."));
    }
    let served = path.clone();
    with_appliance(config, path, true, move |config| {
        if can_prove(config) {
            prove(config)?;
        } else {
            let file = served.display();
            print(&format!(
                "No demonstration: {file} has another UDP socket, trunk or number by now.\n"
            ));
        }
        // Not before: a password is shown once, so nothing may fail between making and showing.
        let secrets = first_phones(config)?;
        control::ask(&config.server.data_dir, "POST", "/phones/reload")?;
        print(&next_steps(config, &served, &secrets));
        Ok(())
    })
}

/// Starts an appliance on this thread and plays beside it on another. With `stay` it serves on
/// after a good play, until it is told to stop.
fn with_appliance(
    config: Config,
    path: PathBuf,
    stay: bool,
    play: impl FnOnce(&Config) -> Result<(), CommandError> + Send + 'static,
) -> Result<(), CommandError> {
    crate::system::open_journal("warn");
    let runtime = serve::runtime()?;
    let outcome = runtime.block_on(async move {
        let signals = running::Told::listen()?;
        let file = path.display().to_string();
        let place = Place { config: Some(path), data: None };
        let desk = serve::start(config, place).await?;
        if let Some(problem) = desk.net.listen_problems().first() {
            return Err(CommandError::Words(format!(
                "{problem}; stop what uses it (`ss -lnp` tells what), or change `address` in {file}"
            )));
        }
        let config = Arc::clone(&desk.config.borrow());
        let mut played = tokio::task::spawn_blocking(move || play(&config));
        let mut told = std::pin::pin!(running::until_told(&desk, signals));
        tokio::select! {
            outcome = &mut told => outcome,
            outcome = &mut played => {
                outcome.map_err(|e| CommandError::Words(e.to_string()))??;
                if !stay {
                    return Ok(());
                }
                told.await?;
                print("Stopped. Phones and messages are kept for the next time.");
                Ok(())
            }
        }
    });
    // A play that was interrupted ends with the program.
    runtime.shutdown_background();
    outcome
}

/// Writes the configuration of a folder, unless there is one, and reads it.
fn prepare(data: &Path, listen: SocketAddr) -> Result<(PathBuf, Config), CommandError> {
    let file = |error, path: &Path| CommandError::File { path: path.to_path_buf(), error };
    crate::folder::make(data).map_err(|e| file(e, data))?;
    let data = data.canonicalize().map_err(|e| file(e, data))?;
    let path = data.join("offhook.toml");
    if !path.exists() {
        std::fs::write(&path, defaults(&data, listen)).map_err(|e| file(e, &path))?;
    }
    let config = place::read(&path)?;
    Ok((path, config))
}

/// The embedded defaults as a file that the user can go on from.
fn defaults(data: &Path, listen: SocketAddr) -> String {
    format!(
        "# Written by `offhook run`. Change it, then `offhook check` and `offhook reload` it.\n\
         [server]\nrealm = \"offhook\"\ndata_dir = {data:?}\n\n\
         # Loopback only. For desk phones in the office say \"0.0.0.0:5060\".\n\
         [[listen]]\ntransport = \"udp\"\naddress = \"{listen}\"\n\
         [[listen]]\ntransport = \"tcp\"\naddress = \"{listen}\"\n\n\
         [http]\naddress = \"{ip}:{http}\"\n\n\
         # The simulated phone of the demonstration; others ring longer before voicemail answers.\n\
         [[extension]]\nnumber = \"{EXTENSION}\"\nring_seconds = 3\n\n\
         # The simulated Voice Connector of the demonstration. Put your own host and region here.\n\
         [[trunk]]\nname = \"demo-connector\"\ntype = \"voice_connector\"\n\
         host = \"abcdefghij1234567890ab.voiceconnector.chime.aws\"\nregion = \"us-east-1\"\n\
         caller_id = \"{OFFICE_NUMBER}\"\npeers = [\"{connector}/32\"]\noptions_seconds = 0\n\n\
         [[number]]\nmatch = \"{OFFICE_NUMBER}\"\nto = \"extension:{EXTENSION}\"\n",
        ip = listen.ip(),
        http = if listen.port() == 5060 { 9480 } else { listen.port().saturating_add(1) },
        connector = IpAddr::from(CONNECTOR),
    )
}

/// A port that is free for UDP and TCP right now.
fn free_port(ip: IpAddr) -> Result<SocketAddr, CommandError> {
    let error = |e: std::io::Error| CommandError::Words(format!("no free port: {e}"));
    for _ in 0..20 {
        let udp = UdpSocket::bind((ip, 0)).map_err(error)?;
        let address = udp.local_addr().map_err(error)?;
        if std::net::TcpListener::bind(address).is_ok() {
            return Ok(address);
        }
    }
    Err(CommandError::Words("no free port".into()))
}

/// Makes the user's first two phones when the folder is new; their passwords are shown once.
fn first_phones(config: &Config) -> Result<Vec<(String, String)>, CommandError> {
    let store = place::store(config)?;
    let mut made = Vec::new();
    for number in ["101", "102"] {
        use offhook_pbx::keep::Extensions as _;
        let known = block_on(store.load_extensions())??;
        if known.iter().any(|e| e.number == number) {
            continue;
        }
        if let Some(password) = add(config, &store, number)? {
            made.push((number.to_owned(), password));
        }
    }
    Ok(made)
}

fn add(config: &Config, store: &Store, number: &str) -> Result<Option<String>, CommandError> {
    let new = NewPhone { number, name: None, password: None, pin: None, voicemail: true };
    phone::add(config, store, new)
}

/// The socket that the simulated agents can talk to.
fn udp_socket(config: &Config) -> Option<SocketAddr> {
    let udp = config.listen.iter().filter(|l| l.transport == offhook_config::Transport::Udp);
    udp.map(|l| l.address).find(|a| a.is_ipv4() && a.port() != 0)
}

/// Whether the file still has what the demonstration is played with; the user goes on from it.
fn can_prove(config: &Config) -> bool {
    use offhook_config::{Origin, Route, Target};
    let known = |number: &str| number == EXTENSION;
    let leads_to_us = |trunk: &offhook_config::Trunk| {
        let origin = Origin::Trunk(&trunk.name);
        config.route(origin, OFFICE_NUMBER, known) == Route::To(Target::Extension(EXTENSION.into()))
    };
    udp_socket(config).is_some() && config.trunks_of(CONNECTOR.into()).any(leads_to_us)
}

/// The simulated phone gets a new password each time; nobody else knows it.
fn cast(config: &Config) -> Result<Cast, CommandError> {
    let store = place::store(config)?;
    let password = add(config, &store, EXTENSION)?.unwrap_or_default();
    control::ask(&config.server.data_dir, "POST", "/phones/reload")?;
    let appliance = udp_socket(config);
    let mut appliance = appliance.ok_or_else(|| CommandError::Words("no socket".into()))?;
    if appliance.ip().is_unspecified() {
        appliance.set_ip(IpAddr::from([127, 0, 0, 1]));
    }
    // The user may have put his own connector's name there.
    let trunk = config.trunks_of(CONNECTOR.into()).next();
    let id = trunk.and_then(|t| t.host.host.split('.').next()).unwrap_or_default();
    Ok(Cast {
        appliance,
        connector: CONNECTOR.into(),
        connector_id: id.to_owned(),
        phone: PHONE.into(),
        extension: EXTENSION.to_owned(),
        password,
        office_number: OFFICE_NUMBER.to_owned(),
    })
}

/// Plays, checks what was kept, prints both ladders.
fn prove(config: &Config) -> Result<(), CommandError> {
    let cast = &cast(config)?;
    let store = place::store(config)?;
    let before = block_on(store.list_voicemails(cast.extension.clone()))??.len();
    let mut step = 0;
    let mut tell = |what: &str| {
        step += 1;
        print(&format!("{step:>2}. {what}"));
    };
    let failed = |e: ScriptError| CommandError::Words(format!("THE PROOF FAILED: {e}"));
    script::play(cast, &mut tell).map_err(failed)?;
    let message = kept_message(&store, cast, before).map_err(failed)?;
    tell(&message);
    print("");
    // The newest calls are ours: nobody else knows the office's number yet.
    for record in block_on(store.list_calls(2))??.iter().rev() {
        if let Some((record, events)) = block_on(store.show_call(record.id.clone()))?? {
            print(&calls::show(config, &record, &events));
            print("");
        }
    }
    Ok(())
}

/// The message must be in the database, and its file must hold what the caller said.
fn kept_message(store: &Store, cast: &Cast, before: usize) -> Result<String, ScriptError> {
    let wrong = |text: String| ScriptError::Wrong(text);
    let listed = block_on(store.list_voicemails(cast.extension.clone()))
        .map_err(|e| wrong(e.to_string()))?
        .map_err(|e| wrong(e.to_string()))?;
    if listed.len() != before + 1 {
        return Err(wrong(format!("{} new messages are kept", listed.len() - before)));
    }
    let Some(message) = listed.last() else { return Err(wrong("no message is kept".into())) };
    let clip = offhook_media::clip::decode(&message.file).map_err(|e| wrong(e.to_string()))?;
    let heard = sound::tone_ms(clip.samples(), TONE_MESSAGE);
    if heard < 1500 {
        return Err(wrong(format!(
            "{} holds only {heard} ms of the caller's tone",
            message.file.display()
        )));
    }
    Ok(format!(
        "the message is kept: {:.1} s from {}, {}",
        message.duration_ms as f64 / 1000.0,
        message.original_caller.as_deref().unwrap_or(&message.caller),
        message.file.display()
    ))
}

fn next_steps(config: &Config, path: &Path, secrets: &[(String, String)]) -> String {
    let mut out = String::from("The appliance works, and keeps serving until Ctrl-C.\n");
    let data = config.server.data_dir.display();
    for listen in &config.listen {
        let _ = writeln!(out, "  SIP      {} {}", listen.transport.as_str(), listen.address);
    }
    let _ = writeln!(out, "  metrics  http://{}/metrics", config.http.address);
    let _ = writeln!(out, "  data     {data}");
    for (number, password) in secrets {
        let _ = writeln!(out, "  phone    {number}, password {password}   (shown this once)");
    }
    let program = std::env::args().next().unwrap_or_else(|| "offhook".into());
    let path = path.display();
    if secrets.is_empty() {
        let _ = writeln!(
            out,
            "  phones   are there from before; a new password:\n\
             \x20          {program} phone add 101 --config {path}"
        );
    }
    let _ = write!(
        out,
        "Next:\n\
         \x20 1. Register a softphone on this machine with one of these accounts, dial the other, or *97.\n\
         \x20 2. For desk phones, change `address` in {path}\n\
         \x20    from loopback to 0.0.0.0:5060. For a Voice Connector, put its host, region and number\n\
         \x20    into the same file (docs/voice-connector.md).\n\
         \x20 3. End this with Ctrl-C, and start without the demonstration:\n\
         \x20    {program} serve --config {path}\n\
         \x20 4. {program} status --config {path}\n\
         \x20    {program} calls list --config {path}"
    );
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_demonstration_is_played_while_the_file_still_has_its_trunk_and_number() {
        let text = defaults(Path::new("/d"), ([127, 0, 0, 1], 5060).into());
        let read = |text: &str| offhook_config::check(text, Path::new("/d/offhook.toml")).unwrap();
        assert!(can_prove(&read(&text)));
        for (from, to) in [
            ("127.0.0.2/32", "198.51.100.1/32"),
            ("extension:199", "extension:101"),
            (
                "transport = \"udp\"\naddress = \"127.0.0.1:5060\"",
                "transport = \"udp\"\naddress = \"[::1]:5060\"",
            ),
        ] {
            assert!(text.contains(from), "{from}");
            assert!(!can_prove(&read(&text.replace(from, to))), "{to}");
        }
    }
}
