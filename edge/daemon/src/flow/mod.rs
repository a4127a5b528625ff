//! `offhook flow`: workflows.

mod dry;
mod files;
mod published;
mod show;

use std::collections::BTreeSet;
use std::path::Path;

use offhook_asl::Machine;
use offhook_asl::limits::STACK;
use offhook_asl::machine::{Code, Pattern, Problem, Resource, Severity};
use serde_json::json;

use self::files::{one_standard_input, read};
use crate::cli::FlowCommand;
use crate::output::{complain, counted, print};
use crate::place::CommandError;

/// Runs `offhook flow …`, on a thread whose stack is known to do for definitions and their expressions:
/// that of the process is as large as the shell says.
///
/// # Errors
/// In words for the operator.
pub fn run(command: &FlowCommand) -> Result<(), CommandError> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("flow".into()).stack_size(STACK);
        let thread = thread
            .spawn_scoped(scope, || chosen(command))
            .map_err(|error| CommandError::Words(format!("no thread for workflows: {error}")))?;
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

fn chosen(command: &FlowCommand) -> Result<(), CommandError> {
    match command {
        FlowCommand::Check { files, express, json } => check(files, *express, *json),
        FlowCommand::Publish { place, file, name, alias, description, express } => {
            let new = published::New { file, name, alias, description, express: *express };
            published::publish(place, &new)
        }
        FlowCommand::List { place, name, json } => published::list(place, name.as_deref(), *json),
        FlowCommand::Diff { place, name, from, to } => {
            published::diff(place, name, from, to.as_deref())
        }
        FlowCommand::Alias { place, name, alias, versions } => {
            published::alias(place, name, alias, versions)
        }
        FlowCommand::Rollback { place, name, alias } => published::roll_back(place, name, alias),
        FlowCommand::Show { place, execution, call, svg, json, digits } => {
            let wanted = show::Wanted { execution: execution.as_deref(), call: call.as_deref() };
            let how = show::How { svg: svg.as_deref(), json: *json, digits: *digits };
            show::show(place, &wanted, &how)
        }
        FlowCommand::Run { file, input, history, now, json } => {
            let how = dry::How { history: *history, now: *now, json: *json };
            dry::run(file, input.as_deref(), &how)
        }
        FlowCommand::Test { place, file, scenarios, all_states, json } => {
            dry::test(place, file, scenarios, *all_states, *json)
        }
    }
}

/// Everything that is wrong with a definition, errors first; empty: it is good.
fn problems(text: &str, express: bool) -> Vec<Problem> {
    match Machine::load(text) {
        Ok(machine) => {
            let express = if express { machine.express_problems() } else { &[] };
            // What is wrong for all is not told again as wrong for the children of a Map.
            let place = |one: &Problem| (one.line, one.column, one.message.clone());
            let told: BTreeSet<_> = express.iter().map(place).collect();
            let mut all = express.to_vec();
            let others = machine.warnings().iter().filter(|one| !told.contains(&place(one)));
            all.extend(others.cloned());
            all.extend(unserved(text, &machine));
            all
        }
        Err(problems) => problems,
    }
}

/// What a definition asks for that nobody does here, though AWS does, and what its calls could not
/// do at all.
fn unserved(text: &str, machine: &Machine) -> Vec<Problem> {
    let waits = |resource: &&&Resource| {
        let sync = matches!(resource.pattern(), Pattern::Sync | Pattern::Sync2);
        sync && resource.resource_type() != "states"
    };
    let resources = machine.resources();
    let warnings = resources.iter().filter(waits).map(|resource| {
        let arn = resource.arn();
        let before = text.split_once(&format!("\"{arn}\"")).map_or("", |(before, _)| before);
        let last_line = before.rsplit('\n').next().unwrap_or_default();
        Problem {
            severity: Severity::Warning,
            code: Code::Suspicious,
            path: String::new(),
            line: before.matches('\n').count() + 1,
            column: last_line.chars().count() + 1,
            message: format!("'{arn}' fails here: jobs of other services are not waited for"),
            suggestion: Some(
                "start the job without .sync, and ask for its end after a Wait state".to_owned(),
            ),
        }
    });
    let mut warnings: Vec<_> = warnings.collect();
    warnings.extend(offhook_flows::handed_over::mistakes(text));
    warnings
}

/// `FILE:LINE:COLUMN: error: …`, and below it what to do.
fn line(file: &Path, problem: &Problem) -> String {
    let place = format!("{}:{}:{}", file.display(), problem.line, problem.column);
    let kind = match problem.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let mut text = format!("{place}: {kind}: {}", problem.message);
    if !problem.path.is_empty() {
        text.push_str(&format!(" ({})", problem.path));
    }
    if let Some(suggestion) = &problem.suggestion {
        text.push_str(&format!("\n    {suggestion}"));
    }
    text
}

fn check(files: &[std::path::PathBuf], express: bool, as_json: bool) -> Result<(), CommandError> {
    one_standard_input(files.iter().map(AsRef::as_ref))?;
    let (mut errors, mut all) = (0, Vec::new());
    for file in files {
        // A name need not be UTF-8, and JSON is.
        let name = file.display().to_string();
        let text = match read(file) {
            Ok(text) => text,
            Err(error) => {
                // The others are looked at all the same.
                errors += 1;
                if as_json {
                    let error = error.to_string();
                    all.push(json!({"file": name, "valid": false, "problems": [], "error": error}));
                } else {
                    print(&error.to_string());
                }
                continue;
            }
        };
        let found = problems(&text, express);
        let wrong = found.iter().filter(|p| p.severity == Severity::Error).count();
        errors += wrong;
        if as_json {
            all.push(json!({"file": name, "valid": wrong == 0, "problems": found}));
            continue;
        }
        for problem in &found {
            print(&line(file, problem));
        }
        if wrong == 0 {
            print(&format!("{}: this can be published", file.display()));
        }
    }
    if as_json {
        print(&serde_json::Value::from(all).to_string());
    }
    match errors {
        0 => Ok(()),
        count => Err(CommandError::Words(counted(count, "error"))),
    }
}

/// Warnings of something that is published or run all the same.
fn warn(file: &Path, warnings: &[Problem]) {
    for warning in warnings {
        complain(&line(file, warning));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_express_workflow_cannot_do_is_told_once_though_children_of_a_map_cannot_either() {
        let wait = json!({ "Type": "Task", "End": true,
            "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
            "Parameters": { "QueueUrl": "q", "MessageBody.$": "$$.Task.Token" } });
        let processor = json!({ "ProcessorConfig": { "Mode": "DISTRIBUTED",
            "ExecutionType": "EXPRESS" }, "StartAt": "W", "States": { "W": wait } });
        let map = json!({ "Type": "Map", "End": true, "ItemProcessor": processor });
        let text = json!({ "StartAt": "M", "States": { "M": map } }).to_string();
        let told = |express| -> Vec<Severity> {
            let all = problems(&text, express);
            let at_task = all.iter().filter(|one| one.path.ends_with("/W/Resource"));
            at_task.map(|one| one.severity).collect()
        };
        assert_eq!(told(true), [Severity::Error]);
        assert_eq!(told(false), [Severity::Warning]);
    }

    #[test]
    fn a_job_that_nobody_waits_for_is_told_where_it_stands() {
        let text = |resource: &str| {
            format!(
                "{{\"StartAt\": \"A\", \"States\": {{\"A\": {{\"Type\": \"Task\", \"End\": true,\n\
                 \"Resource\": \"arn:aws:states:::{resource}\"}}}}}}"
            )
        };
        let found = problems(&text("glue:startJobRun.sync"), false);
        let [problem] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!((problem.line, problem.column, problem.severity), (2, 13, Severity::Warning));
        for fine in ["glue:startJobRun", "states:startExecution.sync:2"] {
            assert!(problems(&text(fine), false).is_empty(), "{fine}");
        }
    }
}
