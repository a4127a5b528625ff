//! `offhook flow`: what there is to say about workflows.

use std::path::PathBuf;

use clap::Subcommand;

use super::Place;

/// `offhook flow …`
#[derive(Debug, Subcommand)]
pub enum FlowCommand {
    /// Checks definitions of workflows and prints every problem with its line and column.
    Check {
        /// Definitions in Amazon States Language; `-` is standard input.
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// As Express workflows, which cannot wait for a token, a job or a worker.
        #[arg(long)]
        express: bool,
        /// JSON instead of text.
        #[arg(long)]
        json: bool,
    },
    /// Publishes a definition as the next version of a workflow. Calls keep the one they run.
    Publish {
        /// Which appliance.
        #[command(flatten)]
        place: Place,
        /// The definition; `-` is standard input.
        file: PathBuf,
        /// The workflow's name; the file's without its endings when none is given.
        #[arg(long)]
        name: Option<String>,
        /// Points this alias to the new version.
        #[arg(long)]
        alias: Option<String>,
        /// What is new.
        #[arg(long, default_value = "")]
        description: String,
        /// Its executions do not survive a restart; they are kept when they have ended.
        #[arg(long)]
        express: bool,
    },
    /// Lists workflows, or the versions and aliases of one.
    List {
        /// Which appliance.
        #[command(flatten)]
        place: Place,
        /// One workflow.
        name: Option<String>,
        /// JSON instead of text.
        #[arg(long)]
        json: bool,
    },
    /// What differs between two versions, or between a version and a file.
    Diff {
        /// Which appliance.
        #[command(flatten)]
        place: Place,
        /// The workflow.
        name: String,
        /// A version, or an alias.
        from: String,
        /// Another, or a file (`-` is standard input); the latest version when none is given.
        to: Option<String>,
    },
    /// Points an alias to a version, or to two: `live 3`, `live 3=90 4=10`.
    Alias {
        /// Which appliance.
        #[command(flatten)]
        place: Place,
        /// The workflow.
        name: String,
        /// The alias.
        alias: String,
        /// Versions, with their shares of new calls in percent when there are two.
        #[arg(required = true, num_args = 1..=2)]
        versions: Vec<String>,
    },
    /// Points an alias to what it pointed to before its last change.
    Rollback {
        /// Which appliance.
        #[command(flatten)]
        place: Place,
        /// The workflow.
        name: String,
        /// The alias.
        alias: String,
    },
    /// The path that a call took through its workflow: which states, when, with what.
    Show {
        /// Which appliance.
        #[command(flatten)]
        place: Place,
        /// An execution's ARN or name; the newest when neither it nor a call is given.
        execution: Option<String>,
        /// A call's id, or as much of its beginning as is unique.
        #[arg(long, conflicts_with = "execution")]
        call: Option<String>,
        /// Writes a picture of the workflow with the path lit.
        #[arg(long, value_name = "FILE")]
        svg: Option<PathBuf>,
        /// The record and all events as JSON.
        #[arg(long)]
        json: bool,
        /// With the digits that callers gave; those of a PIN or password are kept nowhere.
        #[arg(long, requires = "json")]
        digits: bool,
    },
    /// Runs a definition without a call. What it asks of services is kept in memory only.
    Run {
        /// The definition; `-` is standard input.
        file: PathBuf,
        /// Its input: a file of JSON, `-` for standard input, or the JSON itself; `{}` when none is
        /// given.
        #[arg(long, value_name = "FILE")]
        input: Option<PathBuf>,
        /// With all events, as `GetExecutionHistory` gives them.
        #[arg(long)]
        history: bool,
        /// A virtual clock that begins at this time (RFC 3339): waiting takes no time.
        #[arg(long, value_name = "TIME")]
        now: Option<jiff::Timestamp>,
        /// `{status, output, error, cause, history}` instead of text.
        #[arg(long)]
        json: bool,
    },
    /// Plays written calls against a workflow, without a phone and without waiting.
    Test {
        /// Which appliance: what its `[business]` says is what the workflow is told.
        #[command(flatten)]
        place: Place,
        /// The definition; `-` is standard input.
        file: PathBuf,
        /// Scenarios as JSON: one, or a list of them (docs/flows.md).
        #[arg(required = true)]
        scenarios: Vec<PathBuf>,
        /// Fails when there is a state that no scenario reaches.
        #[arg(long)]
        all_states: bool,
        /// JSON instead of text.
        #[arg(long)]
        json: bool,
    },
}
