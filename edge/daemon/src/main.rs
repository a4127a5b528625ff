//! The program: reads the command line and hands over.

use std::process::ExitCode;

use clap::Parser as _;
use mimalloc::MiMalloc;
use offhook::cli::Cli;

// A workflow makes and drops thousands of small things (decision 22).
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    offhook::run(Cli::parse())
}
