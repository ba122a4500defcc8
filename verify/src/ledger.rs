//! Differences that `docs/divergences.md` foresees and a program can tell from others.

use crate::diff::{Difference, Kind};
use crate::seen::Seen;
use crate::step::{Act, Case};

/// The entry about system calls of two threads on one socket.
pub const THREADS: u8 = 3;

/// The entry that foresees a difference; `None` if it must be explained.
///
/// Two calls wait for one socket, and the scheduler decides which of them takes the error or the
/// data: the first difference is the answer of one of them.
pub fn entry(case: &Case, live: &Seen, difference: &Difference) -> Option<u8> {
    if difference.kind != Kind::Answer {
        return None;
    }
    let fd = |step: usize| match &case.steps.get(step)?.act {
        Act::Call(call) => Some(call.fd()),
        Act::Inject(_) | Act::Icmp(_) | Act::Sysctl { .. } | Act::Await { .. } | Act::Look => None,
    };
    let its = fd(difference.step)?;
    let waited =
        |end: Option<u64>| end.is_none_or(|end| end >= difference.at_ns.saturating_sub(MS));
    let others = live.answers.iter().filter(|a| {
        a.step != difference.step
            && fd(a.step) == Some(its)
            && a.start_ns < difference.at_ns.saturating_sub(MS)
            && waited(a.end_ns)
    });
    let waits = |a: &crate::seen::Answered| {
        a.step == difference.step && a.start_ns < difference.at_ns.saturating_sub(MS)
    };
    (live.answers.iter().any(waits) && others.count() > 0).then_some(THREADS)
}

/// A call that returned within a millisecond did not wait.
const MS: u64 = 1_000_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seen::Answered;
    use crate::step::{Call, Step, When};

    fn case() -> Case {
        let recv =
            |fd| Step { event: 0, when: When::At(0), act: Act::Call(Call::Recv { fd, len: 1 }) };
        Case {
            name: "two readers".to_owned(),
            sysctls: Vec::new(),
            peer_isn: 0,
            steps: vec![recv(4), recv(4), recv(5)],
        }
    }
    fn seen(ends_ms: [u64; 3]) -> Seen {
        let answer = |(step, end): (usize, u64)| Answered {
            step,
            start_ns: 0,
            end_ns: Some(end * MS),
            value: Ok(0),
            out: None,
        };
        Seen { answers: ends_ms.into_iter().enumerate().map(answer).collect(), ..Seen::default() }
    }
    fn difference(kind: Kind, step: usize) -> Difference {
        let text = String::new;
        Difference { at_ns: 50 * MS, step, kind, subject: text(), live: text(), model: text() }
    }

    #[test]
    fn only_two_calls_that_wait_for_one_socket_are_foreseen() {
        let case = case();
        let both = seen([50, 50, 50]);
        assert_eq!(entry(&case, &both, &difference(Kind::Answer, 0)), Some(THREADS));
        assert_eq!(entry(&case, &both, &difference(Kind::Answer, 1)), Some(THREADS));
        assert_eq!(entry(&case, &both, &difference(Kind::Answer, 2)), None);
        assert_eq!(entry(&case, &both, &difference(Kind::Rows, 0)), None);
        let one_after_the_other = seen([20, 50, 50]);
        assert_eq!(entry(&case, &one_after_the_other, &difference(Kind::Answer, 1)), None);
    }
}
