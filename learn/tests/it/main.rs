//! Exams, laws and forgeries as a learner meets them.

mod exams;
mod laws;
