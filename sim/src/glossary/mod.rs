//! Every name that finwait prints, explained: causes, counters, sysctls, states, behaviours, drop
//! and reset reasons, the earlier events of RSTs, kernel functions, and a few myths.
//!
//! The words stand next to the code that they are about: in the model's `site`, `counters::about`,
//! `sysctl::about`, `state::about`, `drop_reason`, `rst_reason` and `behaviour`, and in
//! [`crate::because`]. What goes with what (which cause raises which counter, which script shows
//! it, what a sysctl changes) is not written by hand: a test plays all scripts and writes down
//! what it sees in `witnesses.txt`. The command line and the pages in docs/generated are made from
//! the same [`Entry`].

mod find;
mod functions;
mod host;
mod markdown;
mod myths;
mod segments;
mod witness;

pub use find::{Glossary, canonical};
pub use markdown::page;
pub use myths::{MYTHS, Myth};

/// What a name is the name of.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Kind {
    /// Why a segment is sent.
    Cause,
    /// Something that the kernel counts.
    Counter,
    /// A setting.
    Sysctl,
    /// A TCP state.
    State,
    /// A difference between releases.
    Behaviour,
    /// Why a segment is thrown away.
    DropReason,
    /// Why a RST is sent, as the kernel puts it.
    ResetReason,
    /// The earlier event that made a RST inevitable.
    Because,
    /// Why a program closes a connection.
    CloseReason,
    /// A function of the kernel.
    Function,
    /// What people say that is not so.
    Myth,
}

impl Kind {
    /// All of them, in the order in which they are listed.
    pub const ALL: [Self; 11] = [
        Self::Cause,
        Self::Counter,
        Self::Sysctl,
        Self::State,
        Self::Behaviour,
        Self::DropReason,
        Self::ResetReason,
        Self::Because,
        Self::CloseReason,
        Self::Function,
        Self::Myth,
    ];
    /// The name in JSON and behind an entry's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cause => "cause",
            Self::Counter => "counter",
            Self::Sysctl => "sysctl",
            Self::State => "state",
            Self::Behaviour => "behaviour",
            Self::DropReason => "drop reason",
            Self::ResetReason => "reset reason",
            Self::Because => "earlier event",
            Self::CloseReason => "reason to close",
            Self::Function => "kernel function",
            Self::Myth => "myth",
        }
    }
    /// Over a list of them.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Cause => "Causes: why a segment is sent",
            Self::Counter => "Counters",
            Self::Sysctl => "Sysctls",
            Self::State => "States",
            Self::Behaviour => "Behaviours: what differs between 3.10 and 6.18",
            Self::DropReason => "Drop reasons: why a segment is thrown away",
            Self::ResetReason => "Reset reasons: why a RST is sent, as the kernel puts it",
            Self::Because => "Earlier events: what made a RST inevitable",
            Self::CloseReason => "Reasons to close: why a program closes a connection",
            Self::Function => "Kernel functions",
            Self::Myth => "Myths",
        }
    }
}

/// A name, explained.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// What it is the name of.
    pub kind: Kind,
    /// The name as finwait prints it.
    pub name: String,
    /// Other names under which it is found.
    pub aliases: Vec<String>,
    /// What it is, in a sentence or more.
    pub headline: String,
    /// Everything else.
    pub sections: Vec<Section>,
}

/// One aspect of an entry.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Section {
    /// The key in JSON.
    pub key: &'static str,
    /// The words on the left in text.
    pub title: &'static str,
    /// What there is to say.
    pub body: Body,
}

/// What a section says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Body {
    /// Sentences.
    Text(String),
    /// Kernel functions, each called by the one before.
    Path(Vec<String>),
    /// Names that can be looked up in turn.
    Names(Vec<String>),
    /// Things with a few words each.
    Table(Vec<Line>),
}

/// A thing and a few words.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Line {
    /// The thing: a command, a file, a release.
    pub name: String,
    /// The words.
    pub text: String,
}

impl Entry {
    fn new(kind: Kind, name: impl Into<String>, headline: impl Into<String>) -> Self {
        let (name, headline) = (name.into(), headline.into());
        Self { kind, name, aliases: Vec::new(), headline, sections: Vec::new() }
    }
    fn alias(mut self, name: impl Into<String>) -> Self {
        self.aliases.push(name.into());
        self
    }
    fn aliases(mut self, names: impl IntoIterator<Item = String>) -> Self {
        self.aliases.extend(names);
        self
    }
    fn section(mut self, key: &'static str, title: &'static str, body: Body) -> Self {
        self.sections.push(Section { key, title, body });
        self
    }
    /// Sentences, if there are any.
    fn text(self, key: &'static str, title: &'static str, text: impl Into<String>) -> Self {
        let text = text.into();
        if text.is_empty() { self } else { self.section(key, title, Body::Text(text)) }
    }
    /// Names, if there are any.
    fn names<T: Into<String>>(
        self,
        key: &'static str,
        title: &'static str,
        names: impl IntoIterator<Item = T>,
    ) -> Self {
        let names: Vec<String> = names.into_iter().map(Into::into).collect();
        if names.is_empty() { self } else { self.section(key, title, Body::Names(names)) }
    }
    /// The scripts that show it, if any do.
    fn scripts(self, kind: &'static str, key: &'static str) -> Self {
        let lines = witness::scripts(kind, self.witness_name(), key);
        if lines.is_empty() {
            return self;
        }
        self.section("scripts", "scripts", Body::Table(lines))
    }
    /// The scenarios in which it comes up, if any.
    fn scenarios(self, kind: &'static str) -> Self {
        let found = witness::words(kind, self.witness_name(), "scenarios");
        let files: Vec<_> = found.map(|s| format!("examples/scenarios/{s}.toml")).collect();
        self.names("scenarios", "scenarios", files)
    }
    /// The name under which the witnesses have it.
    fn witness_name(&self) -> &str {
        let bare = self.name.as_str();
        let bare = bare.strip_prefix("SKB_DROP_REASON_").unwrap_or(bare);
        bare.strip_prefix("SK_RST_REASON_").unwrap_or(bare)
    }
}
