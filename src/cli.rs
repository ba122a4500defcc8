//! What was typed, nothing more.

use clap::{ColorChoice, Parser, Subcommand};

use crate::cmd;

/// Find out what Linux will do with a closing TCP connection, before it does it in production.
///
/// Without a command: runs the built-in incident.
#[derive(Debug, Parser)]
#[command(name = "finwait", version, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    /// Colours: where the output is a terminal and NO_COLOR is not set, or always, or never.
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        default_value = "auto",
        hide_default_value = true
    )]
    pub(crate) color: ColorChoice,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Run(cmd::run::Args),
    Sweep(cmd::sweep::Args),
    Merge(cmd::merge::Args),
    Ask(cmd::ask::Args),
    Live(cmd::live::Args),
    Report(cmd::report::Args),
    Card(cmd::card::Args),
    Compare(cmd::compare::Args),
    Tune(cmd::tune::Args),
    Replay(cmd::replay::Args),
    Tcpdump(cmd::tcpdump::Args),
    Export(cmd::export::Args),
    Import(cmd::import::Args),
    Verify(cmd::verify::Args),
    Explain(cmd::explain::Args),
    Learn(cmd::learn::Args),
    Explore(cmd::explore::Args),
    Ss(cmd::view::ss::Args),
    Nstat(cmd::view::nstat::Args),
    Netstat(cmd::view::netstat::Args),
    Sockstat(cmd::view::sockstat::Args),
    Sysctl(cmd::view::sysctl::Args),
    Redis(cmd::view::redis::Args),
    Trace(cmd::view::trace::Args),
    Top(cmd::view::top::Args),
    Plot(Box<cmd::plot::Args>),
}
