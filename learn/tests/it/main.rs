//! Exams, laws and forgeries as a learner meets them.

mod any_text;
mod exams;
mod laws;
