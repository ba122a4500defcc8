//! The language of conditions: what it means, and what it refuses.

use super::{Condition, Word, number, truth};

const WORDS: &[Word] = &[truth("fin", ""), truth("rst", ""), number("seq", ""), number("end", "")];

fn holds(text: &str, values: &[i64]) -> bool {
    Condition::parse(text, WORDS).unwrap_or_else(|e| panic!("{text}: {e}")).holds(values)
}

#[test]
fn it_means_what_it_reads() {
    let values = [1, 0, 1001, 1002];
    for (text, wanted) in [
        ("fin", true),
        ("not fin", false),
        ("fin and not rst", true),
        ("rst or fin and seq == 1001", true),
        ("(rst or fin) and seq == 1_002", false),
        ("end - seq == 1", true),
        ("seq + 1 < end", false),
        ("seq >= -5", true),
        ("rst implies seq == 0", true),
        ("fin implies rst implies false", true),
        ("fin implies rst", false),
        ("fin != rst", true),
        ("true", true),
    ] {
        assert_eq!(holds(text, &values), wanted, "{text}");
    }
}

#[test]
fn the_earlier_event_has_a_name() {
    let law = Condition::parse_with_that("seq > that.seq and that.fin", WORDS).unwrap();
    assert!(law.holds_after(&[0, 0, 7, 0], &[1, 0, 5, 0]));
    assert!(!law.holds_after(&[0, 0, 7, 0], &[0, 0, 5, 0]));
}

#[test]
fn mistakes_say_where_and_what() {
    for (text, marked, expected) in [
        ("fin and", "", "expected a name or a number"),
        ("fin & rst", "&", "expected `and`"),
        ("fin && rst", "&&", "expected `and`"),
        ("seq = 1", "=", "expected == to compare"),
        ("seqq == 1", "seqq", "expected one of fin, rst, seq, end"),
        ("fin and seq", "seq", "expected a condition, such as fin or seq == rcv_nxt"),
        ("fin + 1 == 2", "fin", "expected a number, such as seq or 1460"),
        ("fin < rst", "fin", "expected a number, such as seq or 1460"),
        ("(fin", "", "expected )"),
        ("fin rst", "rst", "expected and, or, implies, a comparison, or the end"),
        ("12x == seq", "12x", "expected a whole number, such as 1460"),
        (
            "99999999999999999999 == seq",
            "99999999999999999999",
            "expected a whole number, such as 1460",
        ),
        ("that.seq == 1", "that", "expected one of fin, rst, seq, end"),
        ("", "", "expected a name or a number"),
        ("é", "é", "expected names, whole numbers, and, or, not, implies, == != < <= > >= + - ( )"),
    ] {
        let mistake = Condition::parse(text, WORDS).expect_err(text);
        assert_eq!((&text[mistake.span.clone()], mistake.expected.as_str()), (marked, expected));
    }
    let deep = "(".repeat(1000) + "fin" + &")".repeat(1000);
    assert!(Condition::parse(&deep, WORDS).is_err());
    let long = "not ".repeat(100_000) + "fin";
    assert!(Condition::parse(&long, WORDS).is_err());
}
