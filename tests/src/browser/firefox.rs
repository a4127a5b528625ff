//! Firefox without a window, on a profile that needs no person, no sound card and no internet.

use std::fs;
use std::path::Path;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use sha2::{Digest, Sha256};

/// What a profile begins with. `media.navigator.*`: a microphone that is a tone, without asking.
const PREFERENCES: &str = r#"
user_pref("media.navigator.permission.disabled", true);
user_pref("media.navigator.streams.fake", true);
user_pref("media.autoplay.default", 0);
user_pref("media.autoplay.blocking_policy", 0);
user_pref("media.gmp-manager.updateEnabled", false);
user_pref("app.normandy.enabled", false);
user_pref("app.update.enabled", false);
user_pref("browser.aboutwelcome.enabled", false);
user_pref("browser.shell.checkDefaultBrowser", false);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("extensions.getAddons.cache.enabled", false);
user_pref("network.captive-portal-service.enabled", false);
user_pref("network.connectivity-service.enabled", false);
user_pref("services.settings.server", "data:,");
user_pref("toolkit.telemetry.enabled", false);
"#;

/// Firefox on a new profile in this folder. `exception`: a host and port, and its certificate (PEM),
/// which a person would have said to be right.
pub(super) fn command(profile: &Path, tone: u32, exception: (&str, &Path)) -> Command {
    fs::create_dir_all(profile).expect("a folder");
    let tone = format!("user_pref(\"media.navigator.audio.fake_frequency\", {tone});\n");
    fs::write(profile.join("user.js"), [PREFERENCES, &tone].concat()).expect("preferences");
    let (place, certificate) = exception;
    let line = format!("{place}:\tOID.2.16.840.1.101.3.4.2.1\t{}\t\n", fingerprint(certificate));
    fs::write(profile.join("cert_override.txt"), line).expect("an exception");
    let mut command = Command::new("firefox-esr");
    command.args(["--headless", "--no-remote", "--profile"]).arg(profile);
    // What it keeps outside of its profile goes beside it.
    command.env("HOME", profile);
    command
}

/// The SHA-256 of the first certificate in a PEM file, as `AB:CD:…`.
fn fingerprint(certificate: &Path) -> String {
    let pem = fs::read_to_string(certificate).expect("a certificate");
    let lines = pem.lines().skip_while(|line| !line.contains("BEGIN")).skip(1);
    let text: String = lines.take_while(|line| !line.contains("END")).collect();
    let der = BASE64.decode(text).expect("base64");
    let pairs: Vec<String> = Sha256::digest(der).iter().map(|b| format!("{b:02X}")).collect();
    pairs.join(":")
}
