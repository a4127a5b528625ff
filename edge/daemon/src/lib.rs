//! The phone appliance as a program: command line, wiring, HTTP, signals. Nothing in here decides
//! about a call.

pub mod accounts;
pub mod api;
pub mod applications;
pub mod bans;
pub mod bots;
pub mod buckets;
pub mod calls;
pub mod carrier;
pub mod check;
pub mod chime;
pub mod cli;
pub mod control;
pub mod demo;
pub mod desk;
pub mod dial;
pub mod doctor;
pub mod exchange;
pub mod flow;
pub mod folder;
pub mod greeting;
pub mod health;
pub mod http;
pub mod known;
pub mod ladder;
pub mod metrics;
pub mod output;
pub mod phone;
pub mod place;
pub mod recordings;
pub mod recovery;
pub mod reload;
pub mod running;
pub mod screens;
pub mod serve;
pub mod speech;
pub mod status;
pub mod system;
pub mod take_back;

use std::process::ExitCode;

use cli::{Cli, Command};

/// Runs one command; its problem, if any, is printed for the operator.
pub fn run(cli: Cli) -> ExitCode {
    system::keep_files_private();
    let outcome = match cli.command {
        Command::Serve(place) => serve::run(&place),
        Command::Run { data, listen } => demo::run(&data, listen),
        Command::Demo => demo::demo(),
        Command::Check { file } => check::run(file.as_ref()),
        Command::Reload(place) => reload::run(&place),
        Command::Doctor { place, outside, json } => doctor::run(&place, &outside, json),
        Command::Chime(command) => chime::run(&command),
        Command::Phone(command) => phone::run(&command),
        Command::Status { place, json } => status::run(&place, json),
        Command::Calls(command) => calls::run(&command),
        Command::Dial { place, extension, number } => dial::run(&place, &extension, &number),
        Command::Recordings(command) => recordings::run(&command),
        Command::Flow(command) => flow::run(&command),
        Command::Bans(command) => bans::run(&command),
        Command::ApiKey(command) => api::command::run(&command),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::complain(&error.to_string());
            ExitCode::FAILURE
        }
    }
}
