//! What is wrong with what a learner wrote, where, and what was expected instead.

use core::fmt;
use core::ops::Range;

/// A mistake in a file of rules or laws.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mistake {
    /// Where in the text, in bytes.
    pub span: Range<usize>,
    /// What is wrong.
    pub message: String,
    /// What was expected there.
    pub expected: String,
}

impl Mistake {
    pub(crate) fn new(
        span: Range<usize>,
        message: impl Into<String>,
        expected: impl Into<String>,
    ) -> Self {
        Self { span, message: message.into(), expected: expected.into() }
    }
    /// The same, in a text in which this one begins at that byte.
    #[must_use]
    pub(crate) fn shifted(self, by: usize) -> Self {
        Self { span: self.span.start + by..self.span.end + by, ..self }
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.message, self.expected)
    }
}

impl std::error::Error for Mistake {}
