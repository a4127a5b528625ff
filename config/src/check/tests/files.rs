//! Whole files: those that cannot be read, odd ones, and those that we give away.

use std::path::PathBuf;

use tempfile::TempDir;

use super::*;

fn file(bytes: &[u8]) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("offhook.toml");
    std::fs::write(&path, bytes).unwrap();
    (folder, path)
}

/// The one problem of a file, after the file's name.
fn problem(path: &Path) -> String {
    let problems = load(path).unwrap_err();
    assert_eq!(problems.len(), 1, "{problems:?}");
    let text = problems[0].to_string();
    text.strip_prefix(&format!("{}:", path.display())).expect("the file is named").to_owned()
}

#[test]
fn a_file_that_cannot_be_read_is_one_problem_of_the_whole_file() {
    assert_eq!(problem(Path::new("/no/such/offhook.toml")), " there is no such file");
    let (folder, path) = file(b"[server]\nrealm = \"caf\xe9\"\n");
    assert_eq!(problem(&path), "2:13: the file is not UTF-8 text from here");
    assert!(problem(folder.path()).starts_with(" this is a folder\n    name the file"));
    // A device without end must not be read to its end.
    assert!(problem(Path::new("/dev/zero")).contains("larger than 16 MiB"));
    let (_folder, path) = file(b"\xff\xfe[\0s\0");
    assert!(problem(&path).contains("save it as UTF-8"));
}

#[test]
fn marks_and_line_ends_of_other_systems_are_no_mistakes_and_shift_no_column() {
    let (_folder, path) = file("\u{feff}[server]\r\n\trealm = \"x\"\r\n".as_bytes());
    assert_eq!(load(&path).unwrap().server.realm, "x");
    let (_folder, path) = file("\u{feff}[srver]\r\n\t".as_bytes());
    assert!(problem(&path).starts_with("1:2: there is no section `srver`"));
    let (_folder, path) = file("[server]\r\n\trealm = 7\r\n".as_bytes());
    assert!(problem(&path).starts_with("2:10: `realm` must be"));
}

#[test]
fn a_large_file_with_a_mistake_on_each_line_is_told_whole() {
    let text: String = (0..50_000).map(|n| format!("zz{n} = 1\n")).collect();
    let problems = bad(&format!("[server]\n{text}"));
    assert_eq!(problems.len(), 50_000);
    assert!(problems[49_999].starts_with("50001:1 "), "{}", problems[49_999]);
}

#[test]
fn what_is_wrong_has_its_default_for_those_who_only_look() {
    let (_folder, path) =
        file(b"[server]\ndata_dir = \"/srv/o\"\nrealm = = 7\n[sip]\nmax_calls = \"x\"\n");
    let (config, problems) = load_leniently(&path).unwrap();
    assert_eq!(config.server.data_dir, Path::new("/srv/o"));
    assert_eq!(config.sip, crate::Sip::default());
    // What follows from a broken line is not told as another mistake.
    let lines: Vec<usize> = problems.iter().map(|p| p.line).collect();
    assert_eq!(lines, [3, 3, 5], "{problems:?}");
    assert!(load_leniently(Path::new("/no/such/offhook.toml")).is_err());
}

#[test]
fn the_packages_file_is_good_before_anybody_touches_it_and_with_every_mark_taken_off() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../systemd/offhook.toml");
    load(&path).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    let lines = text.lines().map(|line| match line.strip_prefix('#') {
        Some(key) if !key.starts_with(' ') => key,
        _ => line,
    });
    let text = lines.collect::<Vec<_>>().join("\n");
    let whole = check_in(&text, &path, &Permissive).unwrap_or_else(|p| panic!("{p:#?}"));
    assert_eq!((whole.listen.len(), whole.trunks.len(), whole.numbers.len()), (3, 1, 1));
}

/// Where everything is that a file may name.
struct Permissive;

impl Surroundings for Permissive {
    fn env(&self, _: &str) -> Option<String> {
        Some("x".into())
    }

    fn read(&self, _: &Path) -> io::Result<String> {
        Ok("x".into())
    }

    fn is_file(&self, _: &Path) -> bool {
        true
    }

    fn has_extension(&self, _: &Config, number: &str) -> Option<bool> {
        Some(number.starts_with('1'))
    }
}

#[test]
fn the_examples_are_right() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        check_in(&text, &path, &Permissive).unwrap_or_else(|p| panic!("{p:#?}"));
        seen += 1;
    }
    assert!(seen >= 3, "{seen} examples");
}

#[test]
fn a_file_of_authorities_that_holds_none_is_told_at_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("offhook.toml");
    std::fs::write(&path, "[sip]\nca_files = [\n  \"ca\",\n]\n").unwrap();
    let with = |ca: &[u8]| {
        std::fs::write(folder.path().join("ca"), ca).unwrap();
        load(&path)
    };
    // DER; neither text nor PEM.
    with(&[0x30, 0x82, 0x01, 0xff]).unwrap_err();
    assert!(problem(&path).starts_with("3:3: `ca_files`: the file "), "{}", problem(&path));
    assert!(problem(&path).contains("holds no certificate in PEM form"));
    with(b"-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n").unwrap_err();
    assert!(problem(&path).contains("is no PEM"), "{}", problem(&path));
    // Old bundles have names in other encodings between the certificates.
    with(b"caf\xe9\n-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
}
