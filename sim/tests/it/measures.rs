//! What came of a run, by name, and wishes about it.

use finwait_model::counters::Mib;
use finwait_model::time::Span;
use finwait_sim::measure::{Measure, Unit, Value, Wish};
use finwait_sim::run::{Outcome, run};
use finwait_sim::scenario::Scenario;
use finwait_sim::world::Turns;

use crate::stage::edited;

/// A table that is full after two connections.
fn played() -> (Scenario, Outcome) {
    let scenario = edited(
        "forty-milliseconds.toml",
        &[("buckets\" = 0", "buckets\" = 2"), ("count = 5", "count = 40")],
    );
    let outcome = run(&scenario, Turns::Forward, |_| ());
    (scenario, outcome)
}

#[test]
fn every_kind_of_measure_is_what_the_outcome_says() {
    let (scenario, outcome) = played();
    let of = |text: &str| {
        let measure = Measure::parse(text, &scenario).unwrap_or_else(|e| panic!("{text}: {e}"));
        assert_eq!(measure.to_string(), text);
        let value = measure.of(&outcome);
        assert_eq!(value.unit, measure.unit(), "{text}");
        value
    };
    let number = |text: &str| of(text).numerator;
    let host = &outcome.hosts[0];
    let name = host.name.as_str();
    let rst = number(&format!("{name}.rst_sent"));
    assert!(rst > 0, "the table is full");
    assert_eq!(rst, host.rst_count());
    assert_eq!(rst, number(&format!("{name}.TcpOutRsts")));
    let group = &host.rst[0];
    assert_eq!(number(&format!("{name}.rst.{}", group.cause.name())), rst);
    assert_eq!(number(&format!("{name}.rst.{}", group.because.name())), group.count);
    assert_eq!(number(&format!("{name}.overflow")), host.counter(Mib::TCPTimeWaitOverflow),);
    assert_eq!(number(&format!("{name}.peak.tw")), u64::from(host.peak.tw));
    assert_eq!(number(&format!("{name}.peak.orphan")), u64::from(host.peak.orphan));
    assert_eq!(number(&format!("{name}.peak.fin_wait2")), u64::from(host.peak.fin_wait2));
    assert_eq!(number(&format!("{name}.end.tw")), u64::from(host.sockstat.tw));
    assert_eq!(number("lifecycles"), outcome.lifecycles);
    assert_eq!(number("total.finished"), outcome.lifecycles);
    assert_eq!(number("segments"), outcome.segments);
    assert_eq!(number("rst_sent"), outcome.rst_count());
    let share = of("rst_sent / lifecycles");
    assert_eq!((share.numerator, share.denominator), (outcome.rst_count(), outcome.lifecycles));
    let rate = of(&format!("{name}.overflow/s"));
    assert_eq!((rate.unit, rate.denominator), (Unit::Rate, outcome.simulated.ns));
}

#[test]
fn latencies_run_from_connect_to_the_answer() {
    let (scenario, outcome) = played();
    let of = |text: &str| Measure::parse(text, &scenario).expect("it is one").of(&outcome);
    let (p50, p99, max) = (of("p50"), of("p99"), of("max"));
    assert!(p50.numerator <= p99.numerator && p99.numerator <= max.numerator);
    // Two trips to and fro: the handshake, then the question and its answer.
    let delay = scenario.links[0].quality.delay;
    assert!(p50.numerator >= 4 * delay.ns, "{p50} with a delay of {delay}");
    assert_eq!(
        of("answers").numerator,
        outcome.hosts.iter().map(|h| h.latencies.count()).sum::<u64>()
    );
    assert!(of("answers").numerator > 0);
    let server = &scenario.hosts[1].name;
    let none = of(&format!("{server}.p99"));
    assert_eq!((none, none.is_none()), (Value::time(None), true), "it has no clients");
}

#[test]
fn the_peak_of_all_hosts_is_taken_at_one_instant() {
    let (scenario, outcome) = played();
    let total = Measure::parse("total.peak.tw", &scenario).expect("it is one").of(&outcome);
    let samples = outcome.hosts[0].series.len();
    let at =
        |n: usize| outcome.hosts.iter().map(|h| u64::from(h.series[n].sockstat.tw)).sum::<u64>();
    assert_eq!(Some(total.numerator), (0..samples).map(at).max());
}

#[test]
fn wishes_hold_or_say_what_was_found() {
    let (scenario, outcome) = played();
    let judge = |text: &str| {
        Wish::parse(text, &scenario).unwrap_or_else(|e| panic!("{text}: {e}")).judge(&outcome)
    };
    let rst = outcome.rst_count();
    for text in [
        "rst_sent > 0".to_owned(),
        format!("rst_sent == {rst}"),
        format!("rst_sent <= {rst} and rst_sent >= {rst} and rst_sent != {}", rst + 1),
        format!("rst_sent < {}", rst + 1),
        "rst_sent / lifecycles > 0".to_owned(),
        "rst_sent / lifecycles <= 100% and p50 < 10s and p50>0".to_owned(),
        "rst_sent / lifecycles <= 1".to_owned(),
        "p50 <= p99 and lifecycles/s > 1/min".to_owned(),
    ] {
        let judged = judge(&text);
        assert!(judged.holds, "{text}: {}", judged.found);
        assert_eq!(judged.wanted, text);
    }
    let judged = judge("lifecycles > 0 and rst_sent == 0 and max < p50");
    assert!(!judged.holds);
    let max = Measure::parse("max", &scenario).expect("it is one").of(&outcome);
    let p50 = Measure::parse("p50", &scenario).expect("it is one").of(&outcome);
    let grouped = finwait_sim::text::grouped(rst);
    assert_eq!(judged.found, format!("rst_sent is {grouped} and max is {max}, p50 is {p50}"));
    let server = &scenario.hosts[1].name;
    let nothing = format!("{server}.EADDRNOTAVAIL / {server}.started");
    for relation in ["==", "!=", "<", ">="] {
        let judged = judge(&format!("{nothing} {relation} 0"));
        assert!(!judged.holds, "nothing of nothing compares with nothing");
        assert_eq!(judged.found, format!("{nothing} is none"));
    }
}

#[test]
fn mistakes_are_named_with_their_place() {
    let (scenario, _) = played();
    let host = scenario.hosts[0].name.clone();
    let place = |error: finwait_sim::scenario::Error| {
        let span = error.span.clone().expect("every error has a place");
        format!(
            "{}+{} {error} | {:?}",
            span.start,
            span.len(),
            error.help.as_deref().unwrap_or_default()
        )
    };
    for (text, expected) in [
        ("", "0+0 a measure is missing"),
        ("HOST.rst_snt", "4+7 \"rst_snt\" is nothing that is measured"),
        ("db.rst_sent", "0+2 no host is called \"db\": expected total or one of"),
        ("HOST.peak.twp", "4+8 \"peak.twp\" is nothing that is measured: expected tw, orphan"),
        ("HOST.rst.nothing", "4+11 \"rst.nothing\" is nothing that is measured: expected a cause"),
        ("total.p5", "6+2 \"p5\" is nothing that is measured"),
        ("p100", "0+4 \"p100\" is nothing"),
        ("p+1", "0+3 \"p+1\" is nothing"),
        ("rst_sent / ", "11+0 a measure is missing"),
        ("p99 / rst_sent", "0+14 the one cannot be divided by the other"),
        ("rst_sent / nonsense", "11+8 \"nonsense\" is nothing"),
    ] {
        // Hosts have names of different lengths: places count as if theirs had three letters.
        let text = text.replace("HOST", &host);
        let error = Measure::parse(&text, &scenario).expect_err(&text);
        let shift = if text.starts_with(&host) { host.len() - 3 } else { 0 };
        let span = error.span.clone().expect("every error has a place");
        let error = finwait_sim::scenario::Error {
            span: Some(span.start - shift..span.end - shift),
            ..error
        };
        let actual = place(error);
        assert!(actual.starts_with(expected), "{text}\nexpected: {expected}\n  actual: {actual}");
    }
    let near = Measure::parse("rst_snt", &scenario).expect_err("a slip");
    assert_eq!(near.help.as_deref(), Some("did you mean `rst_sent`?"));
    for (text, expected) in [
        ("rst_sent", "0+8 nothing is compared here"),
        ("rst_sent = 0", "0+12 nothing is compared here"),
        ("rst_sent == x", "12+1 \"x\" is nothing that is measured"),
        ("rst_sent == -1", "12+2 \"-1\" is no number"),
        ("rst_sent ==", "11+0 \"\" is no number"),
        ("rst_sent == 40ms", "12+4 40ms is not what rst_sent is measured in: expected a whole"),
        ("p99 < 40", "6+2 40 is not what p99 is measured in: expected a time such as 40ms"),
        ("p99 < rst_sent", "6+8 p99 and rst_sent are not measured in the same"),
        ("rst_sent == 0 and p98x > 1s", "18+4 \"p98x\" is nothing that is measured"),
        ("rst_sent == 0 and ", "18+0 nothing is compared here"),
    ] {
        let actual = place(Wish::parse(text, &scenario).expect_err(text));
        assert!(actual.starts_with(expected), "{text}\nexpected: {expected}\n  actual: {actual}");
    }
    assert_eq!(Value::count(0), Value::parse("0").expect("a number"));
    assert!(Span::ZERO < Span::nanos(Value::parse("1ns").expect("a time").numerator));
}
