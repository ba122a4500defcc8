//! What Linux does is a short table in each subject, and a wrong rule is told by its simplest case.

use finwait_learn::exam::Exam;
use finwait_learn::rules::Rules;
use finwait_learn::subject::Subject;

fn sit(subject: &str, rules: &str) -> Exam {
    let subject = Subject::named(subject).expect("there is one");
    let rules = Rules::parse(rules, subject.words, subject.verdicts);
    rules.unwrap_or_else(|e| panic!("{e}")).exam(&subject)
}

fn passes(subject: &str, rules: &str) {
    let exam = sit(subject, rules);
    assert!(exam.cases > 30, "{subject} has {} cases", exam.cases);
    if let Some(first) = exam.first {
        panic!("{subject}: {} of {} wrong\n{}", exam.wrong, exam.cases, first.told());
    }
}

#[test]
fn the_kernel_s_rules_pass() {
    passes(
        "nobody",
        "rst -> drop\n\
         listening and ack -> rst\n\
         listening and syn and not fin -> syn-ack\n\
         listening -> drop\n\
         ack -> rst\n\
         otherwise -> rst-ack",
    );
    passes(
        "fin-wait-2-bucket",
        "not in_window -> ack\n\
         rst -> die\n\
         syn and seq >= rcv_nxt -> rst\n\
         not ack or end <= rcv_nxt or end == seq -> drop\n\
         fin and end == rcv_nxt + 1 -> time-wait\n\
         otherwise -> rst",
    );
    passes(
        "time-wait",
        "seq == rcv_nxt and rst and not ts_older -> die\n\
         seq == rcv_nxt and end == seq and not ts_older -> restart\n\
         syn and not rst and not ack and not ts_older and (seq > rcv_nxt or ts_newer) -> reopen\n\
         rst -> drop\n\
         otherwise -> ack",
    );
    passes(
        "full-table",
        "data and not held -> rst\n\
         full and fin_again -> rst\n\
         full and fin_later and not held and fin_timeout <= 60 -> rst\n\
         otherwise -> clean",
    );
}
