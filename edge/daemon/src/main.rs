//! The program: reads the command line and hands over.

use std::process::ExitCode;

use clap::Parser as _;
use offhook::cli::Cli;

fn main() -> ExitCode {
    offhook::run(Cli::parse())
}
