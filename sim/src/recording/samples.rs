//! Samples of every host, as differences to the sample before.

use finwait_model::kernel::SockStat;
use finwait_model::time::Instant;

use super::columns::{Coder, Col, Decoder, Encoder};
use super::damage::Damage;
use crate::sample::Sample;

/// The numbers of a sample, the time first.
const NUMBERS: usize = 1 + 4 + 13 + 3;

fn numbers(sample: &Sample) -> [u64; NUMBERS] {
    let SockStat { inuse, orphan, tw, alloc } = sample.sockstat;
    let mut out = [0; NUMBERS];
    out[0] = sample.at.ns;
    out[1..5].copy_from_slice(&[inuse, orphan, tw, alloc].map(u64::from));
    out[5..18].copy_from_slice(&sample.states.map(u64::from));
    out[18..].copy_from_slice(&[sample.out_rsts, sample.overflows, sample.tw_total]);
    out
}

fn sample(numbers: &[u64; NUMBERS]) -> Result<Sample, Damage> {
    let small = |n: usize| u32::try_from(numbers[n]).map_err(|_| Damage::TOO_LARGE);
    let mut states = [0; 13];
    for (n, state) in states.iter_mut().enumerate() {
        *state = small(5 + n)?;
    }
    Ok(Sample {
        at: Instant { ns: numbers[0] },
        sockstat: SockStat { inuse: small(1)?, orphan: small(2)?, tw: small(3)?, alloc: small(4)? },
        states,
        out_rsts: numbers[18],
        overflows: numbers[19],
        tw_total: numbers[20],
    })
}

/// Samples that wait to be written, each with one entry for each host.
#[derive(Clone, Debug)]
pub(super) struct Pending {
    encoder: Encoder,
    last: Vec<[u64; NUMBERS]>,
    pub(super) count: usize,
    pub(super) from: Instant,
}

impl Pending {
    pub(super) fn new(hosts: usize) -> Self {
        Self {
            encoder: Encoder::default(),
            last: vec![[0; NUMBERS]; hosts],
            count: 0,
            from: Instant::ZERO,
        }
    }
    pub(super) fn add(&mut self, samples: &[Sample]) {
        if self.count == 0 {
            self.last.fill([0; NUMBERS]);
            self.from = samples.first().map_or(Instant::ZERO, |s| s.at);
        }
        self.count += 1;
        for (last, sample) in self.last.iter_mut().zip(samples) {
            let now = numbers(sample);
            for (now, was) in now.iter().zip(last.iter()) {
                let change = now.wrapping_sub(*was).cast_signed();
                let Ok(_) = self.encoder.int(Col::Gauge, change) else {
                    unreachable!("invariant: writing into memory cannot fail")
                };
            }
            *last = now;
        }
    }
    pub(super) fn take(&mut self) -> Vec<u8> {
        self.count = 0;
        self.encoder.take()
    }
}

/// The samples of one host in a block.
pub(super) fn read(bytes: Vec<u8>, hosts: usize, host: usize) -> Result<Vec<Sample>, Damage> {
    let mut decoder = Decoder::new(bytes)?;
    let mut last = vec![[0_u64; NUMBERS]; hosts];
    let mut out = Vec::new();
    while !decoder.is_empty(Col::Gauge) {
        for (n, last) in last.iter_mut().enumerate() {
            for number in last.iter_mut() {
                *number = number.wrapping_add_signed(decoder.int(Col::Gauge, 0)?);
            }
            if n == host {
                out.push(sample(last)?);
            }
        }
    }
    Ok(out)
}
