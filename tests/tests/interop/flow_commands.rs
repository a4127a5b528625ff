//! `offhook flow` in the hands of somebody who is new to it.

use std::process::Output;

use offhook_tests::appliance::{Appliance, alone};
use offhook_tests::net::Net;
use serde_json::{Value, json};

const GREETS: &str =
    r#"{"StartAt": "A", "States": {"A": {"Type": "Pass", "Result": 1, "End": true}}}"#;

fn said(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text).into_owned()).concat()
}

/// What a command says that fails.
fn refused(appliance: &Appliance, args: &[&str], input: &str) -> String {
    let output = appliance.try_cli(args, input);
    assert!(!output.status.success(), "offhook {args:?} did not fail");
    said(&output)
}

#[test]
fn every_file_is_checked_though_one_cannot_be_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).expect("a file");
        path.display().to_string()
    };
    let utf16: Vec<u8> = "\u{feff}{}".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let files = [
        folder.path().join("none.asl.json").display().to_string(),
        file("power.asl.json", &utf16),
        file("latin.asl.json", b"{\n\"Comment\": \"caf\xe9\"}"),
        file("good.asl.json", GREETS.as_bytes()),
        file("wrong.asl.json", b"{}"),
    ];
    let args: Vec<&str> = ["flow", "check"].into_iter().chain(files.iter().map(|f| &**f)).collect();
    let output = alone(&args, "");
    let text = said(&output);
    assert!(!output.status.success() && text.contains("5 errors"), "{text}");
    for words in [
        "none.asl.json: No such file",
        "power.asl.json: the text is UTF-16",
        "latin.asl.json:2:16: the text is not UTF-8",
        "good.asl.json: this can be published",
        "wrong.asl.json:1:1: error: Required field 'StartAt'",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    let output = alone(&[&args[..], &["--json"]].concat(), "");
    let told: Vec<Value> = serde_json::from_slice(&output.stdout).expect("JSON");
    let valid: Vec<bool> = told.iter().map(|one| one["valid"] == true).collect();
    assert_eq!(valid, [false, false, false, true, false]);
    assert!(told[1]["error"].as_str().is_some_and(|error| error.contains("UTF-16")), "{told:?}");
}

#[cfg(unix)]
#[test]
fn a_file_may_have_a_name_that_is_no_text() {
    use std::os::unix::ffi::OsStrExt as _;
    let folder = tempfile::tempdir().expect("a folder");
    for (name, valid) in [(&b"caf\xe9.asl.json"[..], true), (b"none\xe9.json", false)] {
        let path = folder.path().join(std::ffi::OsStr::from_bytes(name));
        if valid {
            std::fs::write(&path, GREETS).expect("a file");
        }
        let output = std::process::Command::new(offhook_tests::appliance::program())
            .args(["flow", "check", "--json"])
            .arg(&path)
            .output()
            .expect("the command line runs");
        let told: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!(told[0]["valid"], valid, "{told}");
        assert!(told[0]["file"].as_str().is_some_and(|file| file.contains('\u{fffd}')), "{told}");
    }
}

#[test]
fn a_dash_is_standard_input_and_json_may_be_written_out() {
    assert!(said(&alone(&["flow", "check", "-"], GREETS)).contains("-: this can be published"));
    let output = alone(&["flow", "run", "-", "--input", "[1, 2]", "--json"], GREETS);
    let told: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(told, json!({"status": "SUCCEEDED", "output": 1}));
    for plain in ["5", "true", "null"] {
        let echo = GREETS.replace(r#""Result": 1, "#, "");
        let output = alone(&["flow", "run", "-", "--input", plain, "--json"], &echo);
        let told: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!(told["output"].to_string(), plain);
    }
    for twice in [
        &["flow", "run", "-", "--input", "-"][..],
        &["flow", "check", "-", "-"],
        &["flow", "test", "-", "-"],
        &["flow", "test", "m.asl.json", "-", "-"],
    ] {
        let both = alone(twice, GREETS);
        assert!(!both.status.success() && said(&both).contains("cannot both"), "{both:?}");
    }
    let cut = alone(&["flow", "run", "-", "--input", "{\"a\": 1"], GREETS);
    assert!(!cut.status.success() && said(&cut).contains("the input: this is not JSON"), "{cut:?}");
}

#[test]
fn names_that_lead_nowhere_are_refused_before_anything_is_published() {
    let appliance = Appliance::prepare(Net::new(), "");
    let publish = ["flow", "publish", "-"];
    let with = |more: &[&str]| refused(&appliance, &[&publish[..], more].concat(), GREETS);
    assert!(with(&[]).contains("give it one with --name"));
    assert!(with(&["--name", "a b"]).contains("'a b' cannot be the name"));
    assert!(with(&["--name", "m@live"]).contains("'m@live' cannot be the name"));
    assert!(with(&["--name", "m", "--alias", "3"]).contains("an alias is no number"));
    for name in ["a,b", "a/b", "a&b"] {
        assert!(
            with(&["--name", name]).contains(r##"none of @<>{}[]?*"#%\^|~`$&,;:/, and"##),
            "{name}"
        );
    }
    let list = appliance.try_cli(&["flow", "list"], "");
    assert!(list.status.success(), "{list:?}");
    assert!(said(&list).starts_with("No workflow is published"), "{list:?}");
    let fine = [&publish[..], &["--name", "m+(=)!'.-_é", "--alias", "live"]].concat();
    assert!(appliance.try_cli(&fine, GREETS).status.success());
    for form in [&["flow", "list", "menu"][..], &["flow", "list", "menu", "--json"]] {
        let told = refused(&appliance, form, "");
        let line = "there is no workflow menu; published: m+(=)!'.-_é";
        assert!(told.lines().any(|told| told.ends_with(line)), "{told}");
        assert!(!told.contains("versions"), "{told}");
    }
}

#[test]
fn a_version_is_compared_with_an_alias_a_file_and_what_is_no_definition() {
    let appliance = Appliance::prepare(Net::new(), "");
    let other = GREETS.replace("\"Result\": 1", "\"Result\": 2");
    for (text, alias) in [(GREETS, "old"), (&*other, "new")] {
        let args = ["flow", "publish", "-", "--name", "m", "--alias", alias];
        assert!(appliance.try_cli(&args, text).status.success());
    }
    let change = "~ /States/A/Result 1 -> 2";
    for args in [["1", "2"], ["old", "new"], ["1", "new"]] {
        let told = appliance.cli(&["flow", "diff", "m", args[0], args[1]]);
        assert_eq!(told.trim(), change, "{args:?}");
    }
    let told = appliance.try_cli(&["flow", "diff", "m", "old", "-"], &other);
    assert_eq!(said(&told).trim(), change);
    let diff =
        |args: &[&str], input| refused(&appliance, &[&["flow", "diff"], args].concat(), input);
    assert!(diff(&["m", "1", "-"], "{,}").contains("-:1:2: error: The definition is not JSON"));
    assert!(diff(&["m", "best"], "").contains("best is neither a version nor an alias of m"));
    assert!(diff(&["m", "7"], "").contains("there is no version 7 of m"));
    let none = diff(&["n", "1"], "");
    assert!(
        none.lines().any(|line| line.ends_with("there is no workflow n; published: m")),
        "{none}"
    );
}

#[test]
fn an_alias_that_is_not_there_is_written_as_it_is_everywhere_else() {
    let appliance = Appliance::prepare(Net::new(), "");
    let args = ["flow", "publish", "-", "--name", "m", "--alias", "live"];
    assert!(appliance.try_cli(&args, GREETS).status.success());
    let back = |name, alias| refused(&appliance, &["flow", "rollback", name, alias], "");
    assert!(back("m", "nope").ends_with("there is no alias m@nope\n"));
    assert!(back("m", "live").ends_with("the alias m@live has not been changed yet\n"));
    assert!(back("n", "live").ends_with("there is no workflow n; published: m\n"));
}

#[test]
fn written_calls_of_a_business_say_so_when_there_is_none() {
    let folder = tempfile::tempdir().expect("a folder");
    let workflows = concat!(env!("CARGO_MANIFEST_DIR"), "/../flows/workflows/business-number");
    let (flow, calls) = (format!("{workflows}.asl.json"), format!("{workflows}.scenarios.json"));
    let config = folder.path().join("offhook.toml");
    let play = |text: &str| {
        std::fs::write(&config, text).expect("a file");
        alone(&["flow", "test", &flow, &calls, "--config", config.to_str().expect("a path")], "")
    };
    let words = "note: the configuration that this runs with has no [business]";
    let without = play("");
    assert!(!without.status.success() && said(&without).contains(words), "{without:?}");
    let business = "[business]\nname = \"Flowers\"\nnumber = \"+15551230000\"\nowner = \"101\"\n\
        pin_of = \"101\"\nhours = [\"Mon-Fri 08:00-18:00\"]\ntime_zone = \"America/New_York\"\n";
    let with = play(business);
    assert!(with.status.success() && !said(&with).contains(words), "{with:?}");
}

#[test]
fn a_written_call_that_cannot_be_read_is_named() {
    let appliance = Appliance::prepare(Net::new(), "");
    let flow = appliance.folder().join("m.asl.json");
    std::fs::write(&flow, GREETS).expect("a file");
    let calls = json!([
        {"name": "first", "call": {"from": "+15557654321", "to": "+15551230000"}},
        {"name": "in the evening", "call": {"from": "+15557654321", "to": "+15551230000"},
         "caller": [{"pres": {}}]},
    ]);
    let args = ["flow", "test", flow.to_str().expect("a path"), "-"];
    let told = refused(&appliance, &args, &calls.to_string());
    assert!(told.contains("-: scenario 2 (in the evening): unknown variant `pres`"), "{told}");
    assert!(refused(&appliance, &args, "[]").contains("there is no scenario in these files"));
    assert!(refused(&appliance, &args, " ").contains("-: there is nothing in it"));
}

#[test]
fn a_run_fails_where_its_execution_does_and_asks_nobody_outside() {
    let task = |resource: &str, parameters: Value| {
        json!({"StartAt": "A", "States": {"A": {"Type": "Task", "End": true,
            "Resource": format!("arn:aws:states:::{resource}"), "Parameters": parameters}}})
        .to_string()
    };
    let run = |definition: &str| alone(&["flow", "run", "-", "--json"], definition);
    assert!(run(GREETS).status.success());
    for (definition, status, error, cause) in [
        (
            task("lambda:invoke", json!({"FunctionName": "f"})),
            "FAILED",
            "States.TaskFailed",
            "lambda:invoke leaves this machine",
        ),
        (
            task("sqs:sendMessage", json!({"QueueUrl": "q", "MesageBody": "m"})),
            "FAILED",
            "States.Runtime",
            "The field \"MesageBody\" is not supported by Step Functions",
        ),
        (
            json!({"StartAt": "A", "TimeoutSeconds": 1, "States": {"A": {"Type": "Wait",
                "Seconds": 2, "Next": "B"}, "B": {"Type": "Succeed"}}})
            .to_string(),
            "TIMED_OUT",
            "",
            "",
        ),
    ] {
        let output = run(&definition);
        let told: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!((output.status.code(), &told["status"]), (Some(1), &json!(status)), "{told}");
        assert!(told["error"].as_str().unwrap_or_default().contains(error), "{told}");
        assert!(told["cause"].as_str().unwrap_or_default().contains(cause), "{told}");
        let words = String::from_utf8_lossy(&output.stderr);
        assert!(words.contains(status), "{words}");
    }
}

#[test]
fn what_stands_in_the_wrong_place_of_a_comparison_is_told_where_it_belongs() {
    let appliance = Appliance::prepare(Net::new(), "");
    appliance.try_cli(&["flow", "publish", "-", "--name", "greets"], GREETS);
    let file = appliance.folder().join("greets.asl.json");
    std::fs::write(&file, GREETS).expect("a file");
    let file = file.to_str().expect("a path");
    let told = refused(&appliance, &["flow", "diff", "greets", file], "");
    assert!(told.contains(&format!("`flow diff greets 1 {file}`")), "{told}");
    let told = refused(&appliance, &["flow", "diff", "greets", "best"], "");
    assert!(
        told.trim_end().ends_with("best is neither a version nor an alias of greets"),
        "{told}"
    );
    for qualified in ["greets:1", "greets@1"] {
        let told = refused(&appliance, &["flow", "diff", qualified, "1"], "");
        assert!(told.contains("the version stands apart here: `greets 1`"), "{told}");
    }
    let told = refused(&appliance, &["flow", "diff", "other:1", "1"], "");
    assert!(told.contains("there is no workflow other:1; published: greets"), "{told}");
    let told = refused(&appliance, &["flow", "show", "greets"], "");
    assert!(told.contains("there is no execution greets (without a name the newest"), "{told}");
}
