//! The live kernel's answers as a file, so that a machine that may not ask a kernel can still
//! hold the model against recorded truth, and so that other kernels' answers can be kept.

use std::collections::BTreeMap;

use finwait_model::segment::Flags;
use finwait_model::state::TcpState;
use finwait_model::time::Clock;
use finwait_sim::script::ast::TcpOption;
use finwait_sim::script::observe::{Conn, Header};
use serde_json::{Map, Value, json};

use crate::seen::{
    Answered, Done, Look, LookRow, LookTimer, Reset, Retransmit, Seen, Sent, StateChange,
};

/// A recorded run.
#[derive(Clone, Debug)]
pub struct Recording {
    /// `uname -r` of the kernel.
    pub kernel: String,
    /// Its tick at the run's zero.
    pub clock: Clock,
    /// What it did.
    pub seen: Seen,
}

impl Recording {
    /// As text: one line for each thing seen, so that a change shows as a small difference.
    pub fn to_text(&self) -> String {
        let lines = |items: Vec<Value>| -> String {
            let lines: Vec<String> = items.iter().map(|v| format!("  {v}")).collect();
            if lines.is_empty() { "[]".to_owned() } else { format!("[\n{}\n ]", lines.join(",\n")) }
        };
        let s = &self.seen;
        let head = json!({
            "hz": self.clock.hz,
            "uptime_ns": self.clock.uptime_ns,
            "boot_jiffies": self.clock.boot_jiffies,
        });
        let steps: Vec<Value> = s.steps.iter().map(done).collect();
        format!(
            "{{\n \"kernel\": {},\n \"clock\": {head},\n \"steps\": {},\n \"sent\": {},\n \
             \"answers\": {},\n \"looks\": {},\n \"resets\": {},\n \"states\": {},\n \
             \"retransmits\": {}\n}}\n",
            json!(self.kernel),
            Value::Array(steps),
            lines(s.sent.iter().map(sent).collect()),
            lines(s.answers.iter().map(answered).collect()),
            lines(changes(&s.looks)),
            lines(s.resets.iter().map(reset).collect()),
            lines(s.states.iter().map(state).collect()),
            lines(s.retransmits.iter().map(retransmit).collect()),
        )
    }

    /// From such text; `None` if it is no recording.
    pub fn from_text(text: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(text).ok()?;
        let list = |name: &str| value.get(name)?.as_array();
        let clock = value.get("clock")?;
        let hz = u32::try_from(clock.get("hz")?.as_u64()?).ok()?;
        let number = |name: &str| clock.get(name)?.as_u64();
        let clock =
            Clock { hz, uptime_ns: number("uptime_ns")?, boot_jiffies: number("boot_jiffies")? };
        let steps = list("steps")?.iter().map(read_done);
        let mut looks: Vec<Look> = Vec::new();
        for v in list("looks")? {
            let look = read_look(v, looks.last())?;
            looks.push(look);
        }
        let seen = Seen {
            steps: steps.collect::<Option<_>>()?,
            sent: list("sent")?.iter().map(read_sent).collect::<Option<_>>()?,
            answers: list("answers")?.iter().map(read_answered).collect::<Option<_>>()?,
            looks,
            resets: list("resets")?.iter().map(read_reset).collect::<Option<_>>()?,
            states: list("states")?.iter().map(read_state).collect::<Option<_>>()?,
            retransmits: list("retransmits")?.iter().map(read_retransmit).collect::<Option<_>>()?,
            ..Seen::default()
        };
        Some(Self { kernel: value.get("kernel")?.as_str()?.to_owned(), clock, seen })
    }
}

fn done(d: &Done) -> Value {
    d.acted_ns
        .map_or_else(|| json!([d.start_ns, d.end_ns]), |acted| json!([d.start_ns, d.end_ns, acted]))
}
fn read_done(v: &Value) -> Option<Done> {
    let number = |index| v.get(index).and_then(Value::as_u64);
    Some(Done { start_ns: number(0)?, end_ns: number(1)?, acted_ns: number(2) })
}

fn conn(c: Conn) -> Value {
    json!([c.local, c.remote])
}
fn read_conn(v: &Value) -> Option<Conn> {
    Some(Conn { local: small(v.get(0)?)?, remote: small(v.get(1)?)? })
}
fn small<T: TryFrom<u64>>(v: &Value) -> Option<T> {
    T::try_from(v.as_u64()?).ok()
}

fn sent(s: &Sent) -> Value {
    let h = &s.header;
    let options: Vec<String> = h.options.iter().map(TcpOption::to_string).collect();
    json!({"at": s.at_ns, "step": s.step, "conn": conn(h.conn), "flags": h.flags.0, "seq": h.seq,
           "ack": h.ack, "len": h.len, "win": h.win, "options": options})
}
fn read_sent(v: &Value) -> Option<Sent> {
    let options = v.get("options")?.as_array()?.iter();
    let header = Header {
        conn: read_conn(v.get("conn")?)?,
        flags: Flags(small(v.get("flags")?)?),
        seq: small(v.get("seq")?)?,
        ack: small(v.get("ack")?)?,
        len: small(v.get("len")?)?,
        win: small(v.get("win")?)?,
        options: options.map(|o| read_option(o.as_str()?)).collect::<Option<_>>()?,
    };
    let at_ns = v.get("at")?.as_u64()?;
    Some(Sent { at_ns, step: small(v.get("step")?)?, header, cause: None })
}

fn read_option(text: &str) -> Option<TcpOption> {
    let words: Vec<&str> = text.split(' ').collect();
    Some(match words.as_slice() {
        ["mss", n] => TcpOption::Mss(n.parse().ok()?),
        ["wscale", n] => TcpOption::Wscale(n.parse().ok()?),
        ["sackOK"] => TcpOption::SackOk,
        ["TS", "val", val, "ecr", ecr] => {
            TcpOption::Ts { val: val.parse().ok()?, ecr: ecr.parse().ok()? }
        }
        ["sack", blocks @ ..] => {
            let edges = blocks.iter().map(|b| {
                let (left, right) = b.split_once(':')?;
                Some((left.parse().ok()?, right.parse().ok()?))
            });
            TcpOption::Sack(edges.collect::<Option<_>>()?)
        }
        _ => return None,
    })
}

fn answered(a: &Answered) -> Value {
    let (value, errno) = match &a.value {
        Ok(n) => (json!(n), Value::Null),
        Err(name) => (json!(-1), json!(name)),
    };
    json!({"step": a.step, "start": a.start_ns, "end": a.end_ns, "value": value, "errno": errno,
           "out": a.out})
}
fn read_answered(v: &Value) -> Option<Answered> {
    let errno = v.get("errno")?.as_str();
    let value = v.get("value")?.as_i64()?;
    Some(Answered {
        step: small(v.get("step")?)?,
        start_ns: v.get("start")?.as_u64()?,
        end_ns: v.get("end")?.as_u64(),
        value: errno.map_or(Ok(value), |e| Err(e.to_owned())),
        out: v.get("out")?.as_i64(),
    })
}

/// Looks with only what has changed since the one before: a counter that is not shown stayed.
fn changes(looks: &[Look]) -> Vec<Value> {
    let mut last: BTreeMap<String, u64> = BTreeMap::new();
    let mut out = Vec::new();
    for look in looks {
        let changed = look.counters.iter().filter(|(name, n)| last.get(*name) != Some(*n));
        let mut counters: Map<String, Value> =
            changed.map(|(k, n)| (k.clone(), json!(n))).collect();
        // A gauge may have gone back to nothing.
        let gone = last.keys().filter(|name| !look.counters.contains_key(*name));
        counters.extend(gone.map(|name: &String| (name.clone(), json!(0))));
        let rows: Vec<Value> = look.rows.iter().map(row).collect();
        out.push(json!({"at": look.at_ns, "step": look.step, "rows": rows, "counters": counters,
                        "inuse": look.inuse, "tw": look.tw}));
        last.clone_from(&look.counters);
    }
    out
}
fn read_look(v: &Value, last: Option<&Look>) -> Option<Look> {
    let mut counters = last.map(|l| l.counters.clone()).unwrap_or_default();
    for (name, n) in v.get("counters")?.as_object()? {
        match n.as_u64()? {
            0 => counters.remove(name),
            n => counters.insert(name.clone(), n),
        };
    }
    Some(Look {
        at_ns: v.get("at")?.as_u64()?,
        step: small(v.get("step")?)?,
        rows: v.get("rows")?.as_array()?.iter().map(read_row).collect::<Option<_>>()?,
        counters,
        inuse: small(v.get("inuse")?)?,
        tw: small(v.get("tw")?)?,
    })
}

fn row(r: &LookRow) -> Value {
    let timer = r.timer.as_ref().map(|t| json!([t.name, t.left_ns, t.count]));
    json!({"conn": conn(r.conn), "state": r.state.ss_name(), "bucket": r.bucket,
           "orphan": r.orphan, "rx": r.rx_queue, "tx": r.tx_queue, "timer": timer})
}
fn read_row(v: &Value) -> Option<LookRow> {
    let state = v.get("state")?.as_str()?;
    let timer = match v.get("timer")? {
        Value::Null => None,
        t => Some(LookTimer {
            name: timer_name(t.get(0)?.as_str()?)?,
            left_ns: t.get(1)?.as_u64()?,
            count: small(t.get(2)?)?,
        }),
    };
    Some(LookRow {
        conn: read_conn(v.get("conn")?)?,
        state: TcpState::ALL.into_iter().find(|s| s.ss_name() == state)?,
        bucket: v.get("bucket")?.as_bool()?,
        orphan: v.get("orphan")?.as_bool()?,
        rx_queue: small(v.get("rx")?)?,
        tx_queue: small(v.get("tx")?)?,
        timer,
    })
}
fn timer_name(text: &str) -> Option<&'static str> {
    ["on", "keepalive", "timewait", "persist"].into_iter().find(|n| *n == text)
}

fn reset(r: &Reset) -> Value {
    json!({"at": r.at_ns, "conn": conn(r.conn), "reason": r.reason, "path": r.path})
}
fn read_reset(v: &Value) -> Option<Reset> {
    let path = v.get("path")?.as_array()?.iter().map(|f| Some(f.as_str()?.to_owned()));
    Some(Reset {
        at_ns: v.get("at")?.as_u64()?,
        conn: read_conn(v.get("conn")?)?,
        reason: v.get("reason")?.as_str()?.to_owned(),
        path: path.collect::<Option<_>>()?,
    })
}

fn state(s: &StateChange) -> Value {
    json!({"at": s.at_ns, "conn": conn(s.conn), "from": s.change.0.kernel_name(),
           "to": s.change.1.kernel_name()})
}
fn read_state(v: &Value) -> Option<StateChange> {
    let named = |field: &str| {
        let name = v.get(field)?.as_str()?;
        TcpState::ALL.into_iter().find(|s| s.kernel_name() == name)
    };
    Some(StateChange {
        at_ns: v.get("at")?.as_u64()?,
        conn: read_conn(v.get("conn")?)?,
        change: (named("from")?, named("to")?),
    })
}

fn retransmit(r: &Retransmit) -> Value {
    json!({"at": r.at_ns, "conn": conn(r.conn), "path": r.path})
}
fn read_retransmit(v: &Value) -> Option<Retransmit> {
    let path = v.get("path")?.as_array()?.iter().map(|f| Some(f.as_str()?.to_owned()));
    Some(Retransmit {
        at_ns: v.get("at")?.as_u64()?,
        conn: read_conn(v.get("conn")?)?,
        path: path.collect::<Option<_>>()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recording_survives_the_file() {
        let conn = Conn { local: 8080, remote: 40000 };
        let options = vec![
            TcpOption::Mss(1460),
            TcpOption::SackOk,
            TcpOption::Ts { val: 1, ecr: 2 },
            TcpOption::Wscale(7),
            TcpOption::Sack(vec![(1, 2), (3, 4)]),
        ];
        let header = Header { conn, flags: Flags(18), seq: 1, ack: 2, len: 3, win: 4, options };
        let timer = Some(LookTimer { name: "on", left_ns: 5, count: 6 });
        let row = LookRow {
            conn,
            state: TcpState::FinWait2,
            bucket: true,
            orphan: false,
            rx_queue: 1,
            tx_queue: 2,
            timer,
        };
        let look = |n| Look {
            at_ns: n,
            step: 1,
            rows: vec![row.clone()],
            counters: [("TcpOutRsts".to_owned(), n), ("TcpInSegs".to_owned(), 7)].into(),
            inuse: 1,
            tw: 2,
        };
        let seen = Seen {
            steps: vec![
                Done { start_ns: 1, end_ns: 3, acted_ns: Some(2) },
                Done { start_ns: 4, end_ns: 5, acted_ns: None },
            ],
            sent: vec![Sent { at_ns: 3, step: 0, header, cause: None }],
            answers: vec![Answered {
                step: 0,
                start_ns: 1,
                end_ns: None,
                value: Err("EAGAIN".to_owned()),
                out: Some(5),
            }],
            looks: vec![look(1), look(2), Look { counters: BTreeMap::new(), ..look(3) }],
            resets: vec![Reset {
                at_ns: 1,
                conn,
                reason: "TCP_STATE".to_owned(),
                path: vec!["tcp_close".to_owned()],
            }],
            states: vec![StateChange {
                at_ns: 2,
                conn,
                change: (TcpState::SynRecv, TcpState::NewSynRecv),
            }],
            retransmits: vec![Retransmit { at_ns: 2, conn, path: vec!["tcp_ack".to_owned()] }],
            ..Seen::default()
        };
        let clock = Clock { hz: 250, uptime_ns: u64::MAX / 3, boot_jiffies: 1 << 32 };
        let recording = Recording { kernel: "6.18.44".to_owned(), clock, seen };
        let back = Recording::from_text(&recording.to_text()).unwrap();
        assert_eq!((back.seen, back.clock), (recording.seen, recording.clock));
        assert_eq!(back.kernel, "6.18.44");
    }
}
