//! finwait: what Linux will do with a closing TCP connection, before it does it in production.
//!
//! `main` parses, dispatches and turns the result into an exit status: 0 fine, 1 an expectation
//! failed or a difference was found, 2 bad usage or bad input, 130 ended by Ctrl-C.

mod cli;
mod cmd;
mod failure;
mod ink;
mod interrupt;
mod learn;
mod out_dir;
mod plan;
mod progress;
mod source;
mod story;
mod sweep;
mod top;
mod whole_file;

use std::process::ExitCode;

use clap::Parser as _;

use cli::{Cli, Command};
use failure::{Failure, Verdict};

fn main() -> ExitCode {
    ink::choose(ink::asked(std::env::args_os().skip(1)));
    let cli = Cli::parse();
    ink::choose(cli.color);
    let result = match cli.command {
        None => cmd::run::run(&cmd::run::Args::default()),
        Some(Command::Run(args)) => cmd::run::run(&args),
        Some(Command::Sweep(args)) => cmd::sweep::run(&args),
        Some(Command::Merge(args)) => cmd::merge::run(&args),
        Some(Command::Ask(args)) => cmd::ask::run(&args),
        Some(Command::Live(args)) => cmd::live::run(&args),
        Some(Command::Report(args)) => cmd::report::run(&args),
        Some(Command::Card(args)) => cmd::card::run(&args),
        Some(Command::Compare(args)) => cmd::compare::run(&args),
        Some(Command::Tune(args)) => cmd::tune::run(&args),
        Some(Command::Replay(args)) => cmd::replay::run(&args),
        Some(Command::Tcpdump(args)) => cmd::tcpdump::run(&args),
        Some(Command::Export(args)) => cmd::export::run(&args),
        Some(Command::Import(args)) => cmd::import::run(&args),
        Some(Command::Verify(args)) => cmd::verify::run(&args),
        Some(Command::Explain(args)) => cmd::explain::run(&args),
        Some(Command::Learn(args)) => cmd::learn::run(&args),
        Some(Command::Explore(args)) => cmd::explore::run(&args),
        Some(Command::Ss(args)) => cmd::view::ss::run(&args),
        Some(Command::Nstat(args)) => cmd::view::nstat::run(&args),
        Some(Command::Netstat(args)) => cmd::view::netstat::run(&args),
        Some(Command::Sockstat(args)) => cmd::view::sockstat::run(&args),
        Some(Command::Sysctl(args)) => cmd::view::sysctl::run(&args),
        Some(Command::Redis(args)) => cmd::view::redis::run(&args),
        Some(Command::Trace(args)) => cmd::view::trace::run(&args),
        Some(Command::Top(args)) => cmd::view::top::run(&args),
        Some(Command::Plot(args)) => cmd::plot::run(&args),
    };
    match result {
        Ok(Verdict::Fine) => ExitCode::SUCCESS,
        Ok(Verdict::Differs) => ExitCode::from(1),
        Ok(Verdict::Refused) => ExitCode::from(2),
        Ok(Verdict::Interrupted) => ExitCode::from(130),
        // Whoever reads has seen enough: `finwait run | head` is no failure.
        Err(Failure::Output(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => {
            ExitCode::SUCCESS
        }
        Err(failure) => {
            eprintln!("{}", ink::complaint(&failure.to_string()));
            ExitCode::from(2)
        }
    }
}
