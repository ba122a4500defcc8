//! Every host as it stands at one instant: where a reader begins.

use std::collections::BTreeMap;

use finwait_model::flow::{Addr, Endpoint, FourTuple};
use finwait_model::kernel::Line;
use finwait_model::sysctl::Sysctl;
use finwait_model::time::{Instant, Jiffies};

use super::codec::sane_due;
use super::columns::{Coder, Col, Decoder, Encoder, get, put};
use super::damage::{Damage, Error};
use super::header::{HostInfo, sysctl, sysctls};
use super::shape;
use super::shapes::{Shapes, Words, spell};
use super::step::Gauges;

/// A host as it stands.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    /// In the order of their ends.
    pub(super) lines: Vec<Line>,
    pub(super) gauges: Gauges,
    pub(super) sysctl: Sysctl,
}

/// All hosts' frames.
pub(super) fn write(hosts: &[HostInfo], frames: &mut [Frame]) -> Vec<u8> {
    let mut out = Vec::new();
    for (host, frame) in hosts.iter().zip(frames.iter()) {
        let was = sysctls(&host.sysctl);
        let changed: BTreeMap<String, String> =
            sysctls(&frame.sysctl).into_iter().filter(|(n, v)| was.get(n) != Some(v)).collect();
        let Ok(json) = serde_json::to_vec(&changed) else {
            unreachable!("invariant: names and values can always be written as JSON")
        };
        put(&mut out, json.len() as u64);
        out.extend_from_slice(&json);
    }
    let mut encoder = Encoder::default();
    let mut rows = Rows::default();
    for frame in frames {
        for value in &frame.gauges.0 {
            let Ok(_) = encoder.uint(Col::Gauge, *value) else { unreachable!("{WRITING}") };
        }
        frame.lines.sort_unstable_by_key(Line::flow);
        for line in &frame.lines {
            let Ok(()) = encoder.uint(Col::Step, 1).and_then(|_| rows.write(&mut encoder, line))
            else {
                unreachable!("{WRITING}")
            };
        }
        let Ok(_) = encoder.uint(Col::Step, 0) else { unreachable!("{WRITING}") };
    }
    out.extend_from_slice(&encoder.take());
    out
}

const WRITING: &str = "invariant: writing into memory cannot fail";

/// The hosts' sysctls, which stand before their rows; what is left are the rows.
pub(super) fn settings<'a>(
    hosts: &[HostInfo],
    mut bytes: &'a [u8],
) -> Result<(Vec<Sysctl>, &'a [u8]), Damage> {
    let mut settings = Vec::new();
    for host in hosts {
        let len = usize::try_from(get(&mut bytes)?).map_err(|_| Damage::TOO_LARGE)?;
        let json = bytes.split_off(..len).ok_or(Damage::TOO_SHORT)?;
        let changed: BTreeMap<String, String> =
            serde_json::from_slice(json).map_err(|_| Damage::HEADER)?;
        let mut all = sysctls(&host.sysctl);
        all.extend(changed);
        settings.push(sysctl(host.release, &all).map_err(|_: Error| Damage::HEADER)?);
    }
    Ok((settings, bytes))
}

/// The other way round.
pub(super) fn read(hosts: &[HostInfo], at: Instant, bytes: &[u8]) -> Result<Vec<Frame>, Damage> {
    let (settings, bytes) = settings(hosts, bytes)?;
    let mut decoder = Decoder::new(bytes.to_vec())?;
    let mut rows = Rows::default();
    let mut frames = Vec::new();
    for (sysctl, host) in settings.into_iter().zip(hosts) {
        let mut gauges = Gauges::default();
        for value in &mut gauges.0 {
            *value = decoder.uint(Col::Gauge, 0)?;
        }
        let mut lines = Vec::new();
        while decoder.uint(Col::Step, 0)? != 0 {
            let line = rows.read(&mut decoder)?;
            if let Some(timer) = line.timer {
                sane_due(host.clock, at, timer.due)?;
            }
            lines.push(line);
        }
        frames.push(Frame { lines, gauges, sysctl });
    }
    Ok(frames)
}

/// What is expected of the next row.
#[derive(Clone, Default, Debug)]
struct Rows {
    shapes: Shapes<Words>,
    addrs: Shapes<Words>,
    local_port: u16,
    remote_port: u16,
    due: u64,
}

impl Rows {
    fn write(&mut self, c: &mut Encoder, line: &Line) -> Result<(), Damage> {
        let due = line.timer.map_or(Jiffies(0), |t| t.due);
        self.code(c, &shape::of_line(Some(line)), line.flow(), due).map(|_| ())
    }
    fn read(&mut self, c: &mut Decoder) -> Result<Line, Damage> {
        self.code(c, &[0; 6], FourTuple::default(), Jiffies(0))
    }
    fn code<C: Coder>(
        &mut self,
        c: &mut C,
        words: &Words,
        flow: FourTuple,
        due: Jiffies,
    ) -> Result<Line, Damage> {
        let words = *self.shapes.code(c, Col::Item, words, spell)?;
        let pair = [flow.saddr.0.into(), flow.daddr.0.into(), 0, 0, 0, 0];
        let pair = *self.addrs.code(c, Col::Conn, &pair, spell)?;
        let addr = |n: i64| u32::try_from(n).map(Addr).map_err(|_| Damage::TOO_LARGE);
        let port = |c: &mut C, col, given: u16, last: &mut u16| -> Result<u16, Damage> {
            let read = c.near(col, given.into(), (*last).into())?;
            *last = u16::try_from(read).map_err(|_| Damage::TOO_LARGE)?;
            Ok(*last)
        };
        let local = port(c, Col::Local, flow.sport, &mut self.local_port)?;
        let remote = port(c, Col::Remote, flow.dport, &mut self.remote_port)?;
        let local = Endpoint::new(addr(pair[0])?, local);
        let remote = Endpoint::new(addr(pair[1])?, remote);
        if shape::line_timer(&words).is_some() {
            let off = c.int(Col::Due, due.0.wrapping_sub(self.due).cast_signed())?;
            self.due = self.due.wrapping_add_signed(off);
        }
        let line = shape::line(&words, FourTuple::new(local, remote), Jiffies(self.due))?;
        line.ok_or(Damage::UNKNOWN)
    }
}
