//! The program: reads the command line and hands over.

use std::process::ExitCode;

use offhook::cli::Cli;

fn main() -> ExitCode {
    offhook::run(Cli::read())
}
