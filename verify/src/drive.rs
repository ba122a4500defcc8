//! Real time for a simulated world: the one place that tells it how late it is.

use std::io;
use std::time::Duration;

use finwait_model::time::Instant;
use finwait_sim::live::Live;
use finwait_sim::watch::Watch;

use crate::sys;
use crate::tun::Tun;

/// How long it sleeps at most, so that it notices when somebody wants it to end.
const NAP: Duration = Duration::from_millis(20);

/// Plays until the scenario's duration has passed, or `goes_on` says no. It is asked at least every
/// 20 ms, when everything before that time has happened. `passed_by` sees each packet that passes
/// the device, in either direction.
pub fn drive<W: Watch>(
    live: &mut Live,
    tun: &Tun,
    watch: &mut W,
    mut passed_by: impl FnMut(Instant, &[u8]),
    mut goes_on: impl FnMut(&mut W, Instant) -> io::Result<bool>,
) -> io::Result<()> {
    sys::no_timer_slack();
    let mut buffer = vec![0; usize::from(u16::MAX) + 1];
    let end = Instant::ZERO + live.scenario().duration;
    let zero_ns = sys::now_ns();
    let passed = || Instant { ns: sys::now_ns() - zero_ns };
    loop {
        let now = passed().min(end);
        // Where the machine sends as fast as one can read, time must go on nevertheless.
        for _ in 0..1024 {
            let Some(packet) = tun.read(&mut buffer)? else { break };
            passed_by(now, packet);
            live.packet(now, packet, watch);
        }
        live.advance(now, watch);
        for packet in live.packets() {
            passed_by(now, &packet);
            tun.write(&packet)?;
        }
        if !goes_on(watch, now)? || now == end || live.ended() {
            return Ok(());
        }
        let left = Duration::from_nanos(live.next().since(passed().min(live.next())).ns);
        if !left.is_zero() {
            tun.wait(left.min(NAP));
        }
    }
}
