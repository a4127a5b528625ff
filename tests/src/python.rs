//! Pythons with packages of PyPI, each in a folder of its own: made once, kept in the target folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Fixed, so that a release of today's does not break a test of yesterday's.
const BOTO3: &str = "boto3==1.44.8";
const MOTO: &str = "moto[dynamodb,sqs,server]==5.2.5";
const CFN_LINT: &str = "cfn-lint==1.58.0";

/// An interpreter with boto3, AWS's own client.
pub fn with_boto3() -> &'static Path {
    static INTERPRETER: OnceLock<PathBuf> = OnceLock::new();
    INTERPRETER.get_or_init(|| interpreter("boto3", BOTO3))
}

/// An interpreter with moto, which speaks as DynamoDB and SQS do.
pub fn with_moto() -> &'static Path {
    static INTERPRETER: OnceLock<PathBuf> = OnceLock::new();
    INTERPRETER.get_or_init(|| interpreter("moto", MOTO))
}

/// An interpreter with cfn-lint, AWS's own linter of CloudFormation templates.
pub fn with_cfn_lint() -> &'static Path {
    static INTERPRETER: OnceLock<PathBuf> = OnceLock::new();
    INTERPRETER.get_or_init(|| interpreter("cfn-lint", CFN_LINT))
}

fn interpreter(name: &str, package: &str) -> PathBuf {
    // target/debug/deps/TEST-HASH -> target/python
    let me = std::env::current_exe().expect("own path");
    let target = me.ancestors().nth(3).expect("target folder");
    let version = package.rsplit("==").next().expect("a version");
    let folder = target.join(format!("python-{name}-{version}"));
    let interpreter = folder.join("bin/python");
    if !folder.join("ready").is_file() {
        // Beside other test programs that do the same: whoever comes first makes it.
        let lock = fs::File::create(target.join("python.lock")).expect("a lock");
        lock.lock().expect("a lock");
        if !folder.join("ready").is_file() {
            let _ = fs::remove_dir_all(&folder);
            run(Command::new("python3").args(["-m", "venv"]).arg(&folder));
            run(Command::new(&interpreter).args(["-m", "pip", "install", "-q", package]));
            fs::write(folder.join("ready"), "").expect("a file");
        }
    }
    interpreter
}

fn run(command: &mut Command) {
    let status = command.status().expect("python3 is installed (make test does it)");
    assert!(status.success(), "{command:?}");
}
