//! Views of the same instant say the same, whatever the scenario: sockstat counts the rows of
//! `ss`, states part the rows without remainder, and the lines of the trace are as many as
//! `nstat` counts.

use proptest::prelude::*;

use finwait_model::counters::Mib;
use finwait_model::kernel::Object;
use finwait_model::release::Release;
use finwait_model::state::TcpState;
use finwait_model::time::{Instant, Span};
use finwait_sim::record::{Event, Trace};
use finwait_sim::view::HostView;
use finwait_sim::view::ss::{Flags, Query};
use finwait_sim::view::trace::Tracer;

use crate::any_scenario::{config, parse, scenario};

/// The filters that part all rows.
const STATES: [&str; 11] = [
    "state established",
    "state syn-sent",
    "state syn-recv",
    "state fin-wait-1",
    "state fin-wait-2",
    "state time-wait",
    "state closed",
    "state close-wait",
    "state last-ack",
    "state listening",
    "state closing",
];

fn selected(view: &HostView, filter: &str) -> usize {
    let flags = Flags { all: true, ..Flags::default() };
    Query::new(flags, filter).expect("it is right").select(view).len()
}

/// What does not agree in the views of one host at one instant.
fn disagreement(view: &HostView) -> Option<String> {
    let rows = |wanted: &dyn Fn(&finwait_model::kernel::Row) -> bool| {
        view.rows.iter().filter(|row| wanted(row)).count() as u32
    };
    let closing = [TcpState::FinWait1, TcpState::FinWait2, TcpState::Closing, TcpState::LastAck];
    let inuse = rows(&|row| matches!(row.object, Object::Sock | Object::Listener));
    let tw = rows(&|row| row.object == Object::Bucket);
    // Children that nobody has accepted have no file either, but nobody has closed them.
    let orphan =
        rows(&|row| row.object == Object::Sock && row.orphan && closing.contains(&row.state));
    let stat = view.sockstat;
    let counted = (stat.inuse, stat.tw, stat.orphan);
    if counted != (inuse, tw, orphan) {
        return Some(format!("sockstat {counted:?}, rows {:?}", (inuse, tw, orphan)));
    }
    let parts: usize = STATES.iter().map(|state| selected(view, state)).sum();
    let all = selected(view, "");
    (parts != all || all != view.rows.len()).then(|| format!("{parts} in states, {all} in all"))
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn views_of_one_instant_agree(text in scenario(false), steps in 1..40_u64) {
        let scenario = parse(&text);
        let mut world = scenario.world();
        let mut trace = Trace::new();
        for step in 1..=steps {
            let at = Instant::ZERO + Span::millis(step * 370);
            world.run_watched(at, &mut trace);
            for host in world.hosts() {
                let view = HostView::of(host, at);
                let wrong = disagreement(&view);
                prop_assert_eq!(&wrong, &None, "{} at {} in\n{}", host.name(), at, text);
            }
        }
        let mut tracers: Vec<Tracer> = world.hosts().iter().map(|h| Tracer::new(h.name())).collect();
        let mut lines = vec![(0, 0); tracers.len()];
        for record in trace.into_sorted() {
            let host = usize::from(record.host.0);
            let line = match record.event {
                Event::Note(note) => tracers[host].note(record.at, &note),
                Event::Sent { segment, cause, .. } => tracers[host].sent(record.at, &segment, cause),
            };
            let line = line.unwrap_or_default();
            lines[host].0 += u64::from(line.contains(": tcp_send_reset: "));
            lines[host].1 += u64::from(line.contains(": tcp_retransmit_"));
        }
        for (host, (resets, again)) in world.hosts().iter().zip(lines) {
            let count = |mib| host.kernel().counters().get(mib);
            prop_assert_eq!(resets, count(Mib::OutRsts), "{} in\n{}", host.name(), text);
            if host.release() == Release::V6_18 {
                prop_assert_eq!(again, count(Mib::RetransSegs), "{} in\n{}", host.name(), text);
            }
        }
    }
}
