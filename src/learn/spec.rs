//! What an `exercise.toml` says.

use serde::Deserialize;

/// An exercise.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Spec {
    /// Its title.
    pub(crate) title: String,
    /// How long it takes.
    pub(crate) minutes: u32,
    /// The file that is to be written.
    pub(crate) answer: String,
    /// The kernel's rule, told when it is solved.
    pub(crate) rule: String,
    /// Stage by stage.
    pub(crate) hints: Vec<String>,
    /// What to read next.
    pub(crate) next: Vec<String>,
    /// The package of the same exercise in Rust.
    pub(crate) rust: Option<String>,
    /// How an answer is checked.
    pub(crate) check: Check,
}

/// The kinds of exercise.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", tag = "kind")]
pub(crate) enum Check {
    /// Values about a run that has not been seen.
    Predict {
        /// The scenario.
        scenario: String,
        /// What is asked.
        ask: Vec<Ask>,
    },
    /// A packetdrill script with a hole.
    Script,
    /// A table of rules: what does the kernel do?
    Judge {
        /// About what.
        subject: String,
    },
    /// Laws that hold of the kernel and not of the mutants.
    Laws {
        /// About the decisions of this subject; without one, about conversations.
        subject: Option<String>,
        /// The mutants of a subject; conversations have forgeries of their own.
        #[serde(default)]
        mutants: Vec<MutantSpec>,
    },
    /// Settings with which a run is as it should be.
    Experiment {
        /// The scenario.
        scenario: String,
        /// What may be set.
        may: Vec<String>,
        /// What should come of it.
        expect: Vec<String>,
        /// The same in other circumstances.
        #[serde(default)]
        also: Vec<Also>,
    },
    /// What happened, and what would have helped.
    Diagnose {
        /// The scenario that was run; it is not given away.
        scenario: String,
        /// What is asked.
        ask: Vec<Ask>,
        /// What may be set as the remedy.
        may: Vec<String>,
        /// What should come of it.
        expect: Vec<String>,
    },
}

/// A question about a run.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ask {
    /// Its name in the answer.
    pub(crate) key: String,
    /// The wish that holds if the answer is right, with `{}` where it stands.
    pub(crate) holds: Option<String>,
    /// The answers that there are to choose from, each with the wish that holds if it is right.
    #[serde(default)]
    pub(crate) choice: std::collections::BTreeMap<String, String>,
}

/// A kernel that is wrong on purpose.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MutantSpec {
    /// What it does wrong.
    pub(crate) about: String,
    /// The rule that it has.
    pub(crate) rule: String,
}

/// Other circumstances.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Also {
    /// In words.
    pub(crate) about: String,
    /// What is different, as for `--set`.
    pub(crate) set: Vec<String>,
    /// What should come of it, instead of the exercise's own.
    pub(crate) expect: Option<Vec<String>>,
}

impl Check {
    /// The kind's name.
    pub(crate) const fn kind(&self) -> &'static str {
        match self {
            Self::Predict { .. } | Self::Script => "predict",
            Self::Judge { .. } => "judge",
            Self::Laws { .. } => "property",
            Self::Experiment { .. } => "experiment",
            Self::Diagnose { .. } => "diagnose",
        }
    }
}
