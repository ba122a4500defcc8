//! The same exams for who writes Rust: a function that decides about a bucket.

pub use finwait_model::segment::Segment;
pub use finwait_model::seq::{Seq, in_window};

use crate::exam::{Decision, exam};
use crate::subject::{Subject, bucket_of};

/// What a bucket knows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bucket {
    /// The next number that it waits for. `[tw_rcv_nxt]`
    pub rcv_nxt: Seq,
    /// The first number beyond its window.
    pub window_end: Seq,
    /// Is the segment's timestamp older than the last one that was taken?
    pub ts_older: bool,
    /// Is it newer?
    pub ts_newer: bool,
}

/// What it does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Answers with an ACK and stays.
    Ack,
    /// Answers with an ACK and goes to TIME-WAIT.
    TimeWait,
    /// Answers with a RST and goes.
    Rst,
    /// Is silent and stays.
    Drop,
    /// Is silent, and the 60 s begin anew.
    Restart,
    /// Is silent and goes.
    Die,
    /// Gives its place to a new connection.
    Reopen,
}

impl Verdict {
    const fn name(self) -> &'static str {
        match self {
            Self::Ack => "ack",
            Self::TimeWait => "time-wait",
            Self::Rst => "rst",
            Self::Drop => "drop",
            Self::Restart => "restart",
            Self::Die => "die",
            Self::Reopen => "reopen",
        }
    }
}

/// Holds a function against Linux's bucket in FIN-WAIT-2.
///
/// # Errors
///
/// The simplest case in which it decides otherwise, told with its ladder.
pub fn check_fin_wait_2(judge: impl Fn(&Bucket, &Segment) -> Verdict) -> Result<(), String> {
    check("fin-wait-2-bucket", judge)
}

/// Holds a function against Linux's bucket in TIME-WAIT.
///
/// # Errors
///
/// The simplest case in which it decides otherwise, told with its ladder.
pub fn check_time_wait(judge: impl Fn(&Bucket, &Segment) -> Verdict) -> Result<(), String> {
    check("time-wait", judge)
}

fn check(subject: &str, judge: impl Fn(&Bucket, &Segment) -> Verdict) -> Result<(), String> {
    let Some(subject) = Subject::named(subject) else {
        return Err(format!("there is no subject {subject}"));
    };
    let exam = exam(&subject, |case, seen| {
        let by = "your function".to_owned();
        let rule = String::new();
        let Some((rcv_nxt, window_end, segment)) = bucket_of(&case.values, seen) else {
            return Decision { verdict: None, by, rule };
        };
        let bucket = Bucket {
            rcv_nxt,
            window_end,
            ts_older: case.values[10] == 1,
            ts_newer: case.values[11] == 1,
        };
        Decision { verdict: Some(judge(&bucket, &segment).name()), by, rule }
    });
    match exam.first {
        None => Ok(()),
        Some(first) => Err(format!(
            "wrong in {} of {} cases. The simplest:\n{}",
            exam.wrong,
            exam.cases,
            first.told()
        )),
    }
}
