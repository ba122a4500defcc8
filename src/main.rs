//! finwait: what Linux will do with a closing TCP connection.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod cmd;

/// Find out what Linux will do with a closing TCP connection, before it does it in production.
#[derive(Debug, Parser)]
#[command(version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Replay(cmd::replay::Args),
}

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Replay(args) => cmd::replay::run(&args),
    }
}
