//! Libraries of the npm registry for pages in a browser: fixed versions, checked by their hashes,
//! kept in the target folder. Needs `curl` and `tar`, and no npm.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use sha2::{Digest, Sha512};

/// Name, version, and the SHA-512 that the registry gives of it.
const PACKAGES: [(&str, &str, &str); 6] = [
    (
        "jssip",
        "3.13.8",
        "ErxEdy13vXR5izGo42fpXOU64UmC2VF7Shg4oYG7R2NzZF0FTPeYikffkIIQa9w+/11YvTlgezG1nSaycWYXPA==",
    ),
    (
        "debug",
        "4.4.3",
        "RGwwWnwQvkVfavKVt22FGLw+xYSdzARwm0ru6DhTVA3umU5hZc28V3kO4stgYryrTlLpuvgI9GiijltAjNbcqA==",
    ),
    (
        "ms",
        "2.1.3",
        "6FlzubTLZG3J2a/NVCAleEhjzq5oxgHyaCU9yYXvcLsvoVaHJq/s5xXI6/XXP6tz7R9xAOtHnSO/tXtF3WRTlA==",
    ),
    (
        "events",
        "3.3.0",
        "mQw+2fkQbALzQ7V0MY0IqdnXNOeTtP4r0lN9z7AAawCXgqea7bDii20AYrIBrFd/Hx0M2Ocz6S111CaFkUcb0Q==",
    ),
    (
        "sdp-transform",
        "2.15.0",
        "KrOH82c/W+GYQ0LHqtr3caRpM3ITglq3ljGUIb8LTki7ByacJZ9z+piSGiwZDsRyhQbYBOBJgr2k6X4BZXi3Kw==",
    ),
    (
        "sip.js",
        "0.21.2",
        "tSqTcIgrOd2IhP/rd70JablvAp+fSfLSxO4hGNY6LkWRY1SKygTO7OtJEV/BQb8oIxtMRx0LE7nUF2MaqGbFzA==",
    ),
];

/// The folder with one folder for each package, filled on first use.
pub fn packages() -> &'static Path {
    static FOLDER: std::sync::OnceLock<PathBuf> = std::sync::OnceLock::new();
    FOLDER.get_or_init(|| {
        // target/debug/deps/TEST-HASH -> target/npm
        let me = std::env::current_exe().expect("own path");
        let folder = me.ancestors().nth(3).expect("target folder").join("npm");
        fs::create_dir_all(&folder).expect("a folder");
        for (name, version, hash) in PACKAGES {
            fetch(&folder, name, version, hash);
        }
        folder
    })
}

fn fetch(folder: &Path, name: &str, version: &str, hash: &str) {
    let place = folder.join(name);
    let manifest = fs::read_to_string(place.join("package.json")).unwrap_or_default();
    if manifest.contains(&format!("\"version\": \"{version}\"")) {
        return;
    }
    // Beside other test programs that do the same: whoever is last puts the same in place.
    let work = tempfile::tempdir_in(folder).expect("a folder");
    let archive = work.path().join("package.tgz");
    let url = format!("https://registry.npmjs.org/{name}/-/{name}-{version}.tgz");
    let again = ["--retry", "5", "--retry-all-errors"];
    let curl = ["--silent", "--show-error", "--fail", "--output"];
    let got = Command::new("curl").args(again).args(curl).arg(&archive).arg(&url).status();
    assert!(got.expect("curl is installed (make test does it)").success(), "{url}");
    let bytes = fs::read(&archive).expect("the archive");
    assert_eq!(BASE64.encode(Sha512::digest(&bytes)), hash, "{url} is not what it was");
    let tar = Command::new("tar").arg("xzf").arg(&archive).current_dir(work.path()).status();
    assert!(tar.expect("tar is installed").success(), "{url}");
    let _ = fs::remove_dir_all(&place);
    let _ = fs::rename(work.path().join("package"), &place);
}
