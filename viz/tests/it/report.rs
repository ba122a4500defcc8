//! Reports: what the page says is what the run was, in the same bytes each time, and small.

use std::ops::ControlFlow;

use serde_json::Value;

use finwait_model::counters::Mib;
use finwait_model::flow::FourTuple;
use finwait_model::kernel::{Object, Row};
use finwait_model::time::Instant;
use finwait_sim::recording::{Filter, Recording};
use finwait_sim::text::grouped;
use finwait_sim::world::HostId;
use finwait_viz::report::{Facts, Other, Report, gather};

use crate::stage::{names, recorded};
use crate::{golden, stage};

fn facts(rec: &Recording) -> Facts {
    let facts = gather(rec, |_| ControlFlow::Continue(())).expect("it can be read");
    facts.expect("nobody breaks it off")
}

fn report(rec: &Recording) -> Report {
    Report { facts: facts(rec), others: Vec::new(), checked: None, recording: "run.fwr".to_owned() }
}

/// The page's numbers.
fn data(page: &str) -> Value {
    let (_, rest) = page.split_once("id=\"data\">").expect("it has numbers");
    let (json, _) = rest.split_once("</script>").expect("they end");
    serde_json::from_str(json).expect("they are JSON")
}

/// A column of differences as it was.
fn sums(column: &Value) -> Vec<i64> {
    let mut sum = 0;
    let by = column.as_array().expect("a column").iter().map(|by| by.as_i64().expect("a number"));
    by.map(|by| {
        sum += by;
        sum
    })
    .collect()
}

/// The incident with a table that is full early.
fn early(seconds: u64) -> Recording {
    recorded("incident.toml", &["web.net.ipv4.tcp_max_tw_buckets=8000"], seconds)
}

#[test]
fn counts_on_the_page_are_those_of_the_run() {
    let rec = early(12);
    let page = report(&rec).html();
    let data = data(&page);
    let count = rec.reset_count();
    assert!(count > 100, "{count}");
    assert_eq!(data["resets"]["count"], count);
    let times = sums(&data["resets"]["at_ns"]);
    let expected: Vec<i64> = rec.resets().map(|e| e.expect("whole").at.ns as i64).collect();
    assert_eq!(times, expected, "every RST has its instant");
    assert_eq!(sums(&data["resets"]["number"]).last(), Some(&(count as i64)));
    let kinds = data["kinds"].as_array().expect("a list");
    assert_eq!(kinds.iter().filter_map(|k| k["count"].as_u64()).sum::<u64>(), count);
    assert!(page.contains(&format!("<h1>{} RSTs: ", grouped(count))), "the headline has them");
    for (n, host) in data["hosts"].as_array().expect("a list").iter().enumerate() {
        let view = rec.host_at(HostId(n as u16), rec.end().at()).expect("it can be read");
        let samples = rec.samples(HostId(n as u16)).expect("they can be read");
        let series = &host["series"];
        let last = |name: &str| sums(&series[name]).last().copied();
        assert_eq!(last("rst"), Some(view.counter(Mib::OutRsts) as i64));
        assert_eq!(last("overflow"), Some(view.counter(Mib::TCPTimeWaitOverflow) as i64));
        let tw: Vec<i64> = samples.iter().map(|s| i64::from(s.sockstat.tw)).collect();
        assert_eq!(sums(&series["tw"]), tw);
        let orphans: Vec<i64> = samples.iter().map(|s| i64::from(s.sockstat.orphan)).collect();
        assert_eq!(sums(&series["orphan"]), orphans);
    }
}

#[test]
fn tables_show_what_a_look_at_the_host_shows() {
    let rec = early(8);
    let facts = facts(&rec);
    assert!(facts.looks.len() > 20, "{}", facts.looks.len());
    for look in facts.looks.iter().step_by(5) {
        for (n, table) in look.tables.iter().enumerate() {
            let view = rec.host_at(HostId(n as u16), look.at).expect("it can be read");
            assert_eq!(table.count, view.rows.len() as u64);
            let left_out = table.sockets_left_out + table.buckets_left_out;
            assert_eq!(table.count, table.rows.len() as u64 + left_out);
            assert!(table.rows.iter().all(|row| view.rows.contains(row)), "{}", look.at);
            let sockets = |rows: &[Row]| rows.iter().filter(|r| r.object != Object::Bucket).count();
            let shown = sockets(&table.rows) as u64 + table.sockets_left_out;
            assert_eq!(sockets(&view.rows) as u64, shown, "every socket is shown or counted");
        }
    }
}

/// What stands at both ends and in the tables behind a step is what a look at that instant shows.
#[test]
fn steps_agree_with_the_hosts() {
    let rec = early(5);
    let facts = facts(&rec);
    let reset = facts.conns.iter().find(|c| c.reset.is_some()).expect("there are RSTs");
    let ordinary = facts.conns.iter().find(|c| c.reset.is_none()).expect("there are others");
    let mut compared = 0;
    for conn in [reset, ordinary] {
        assert!(conn.steps.len() > 10, "{:?}", conn.flow);
        for (n, step) in conn.steps.iter().enumerate() {
            // Several steps at one time cannot be told apart from outside.
            if conn.steps.get(n + 1).is_some_and(|next| next.at == step.at) {
                continue;
            }
            let behind = Instant { ns: step.at.ns + 1 };
            for side in [0, 1] {
                let host = conn.ends[side].expect("both ends are hosts");
                let view = rec.host_at(host, behind).expect("it can be read");
                let flow = if side == 0 { conn.flow } else { conn.flow.reversed() };
                let its = |row: &&Row| FourTuple::new(row.local, row.remote) == flow;
                let stands =
                    view.rows.iter().find(its).map(|r| (r.state, r.object == Object::Bucket));
                let told = step.ends[side].map(|stand| (stand.state, stand.bucket));
                assert_eq!(told, stands, "{} {side} at {}", flow, step.at);
                // Nor can steps that the host did at that time for others.
                let filter = Filter { host: Some(host), ..Filter::default() };
                let mut all = rec.events(step.at..behind, filter).map(|e| e.expect("whole"));
                let is_its = |f: FourTuple| f == flow || f == flow.reversed();
                if host == step.host && all.all(|e| e.what.flow().is_none_or(is_its)) {
                    compared += 1;
                    assert_eq!(step.sockstat[side], view.sockstat, "{flow} at {}", step.at);
                }
            }
        }
    }
    assert!(compared > 10, "{compared}");
    let refused = reset.steps.iter().any(|step| step.refused.is_some());
    assert!(refused, "the skipped state is told");
    assert!(reset.chain.is_some() && reset.ladder().contains("RST"), "{}", reset.ladder());
}

#[test]
fn the_page_has_one_size_whatever_the_length() {
    let page = |seconds| report(&early(seconds)).html();
    let (short, long) = (page(10), page(20));
    assert_eq!(short, page(10), "the same run gives the same bytes");
    // What grows with the run are samples and RSTs, up to those of 300 s.
    let each = (long.len() - short.len()) / 10;
    let whole = long.len() + each * 280;
    assert!(whole < 2_700_000, "{} bytes at 10 s, {} at 20 s", short.len(), long.len());
}

#[test]
fn a_progress_that_breaks_off_leaves_nothing() {
    let rec = early(5);
    let broken = gather(&rec, |_| ControlFlow::Break(())).expect("it can be read");
    assert!(broken.is_none());
}

/// Every scenario has a verdict, a page without holes, and a twin.
#[test]
fn every_scenario_can_be_reported() {
    let mut verdicts = String::new();
    for name in names() {
        let rec = recorded(&name, &[], 20);
        let report = report(&rec);
        let page = report.html();
        assert!(!page.contains("{{") && page.trim_end().ends_with("</html>"), "{name}");
        data(&page);
        let twin = report.markdown().text;
        let verdict = report.verdict();
        assert!(twin.starts_with("# ") && !verdict.headline.is_empty(), "{name}");
        verdicts += &format!("{name}\n  {}\n", verdict.headline);
        verdicts.extend(verdict.lead.iter().map(|line| format!("    {line}\n")));
    }
    golden::check("report-verdicts.txt", &verdicts);
}

#[test]
fn the_twin_in_markdown() {
    let rec = recorded("closes-two-slots.toml", &[], 60);
    let other = Other::recorded("again.fwr".to_owned(), &rec).expect("it can be read");
    let report = Report { others: vec![other], ..report(&rec) };
    golden::check("report-twin.md", &report.markdown().text);
}

/// Whatever a scenario says, it is text.
#[test]
fn what_a_person_wrote_is_no_markup() {
    let text = stage::text("closes-apart.toml");
    let wild = "</script><script>alert(1)</script> `x` | {{data}}";
    let text = text.lines().map(|line| match line.split_once('=') {
        Some(("name ", _)) => format!("name = \"{}\"", wild),
        _ => line.to_owned(),
    });
    let rec = stage::played(&text.collect::<Vec<_>>().join("\n"), &[], 5);
    assert!(rec.header().scenario.contains("alert"));
    let page = report(&rec).html();
    assert!(!page.contains("<script>alert"), "it is escaped");
    assert_eq!(page.matches("</script>").count(), 3, "the page's own");
    assert_eq!(data(&page)["run"], wild);
}
