//! The columns of a block: each kind of number in a row of its own, so that like stands by like
//! and packs well. One piece of code writes and reads them, so the two cannot disagree.

use super::damage::Damage;

macro_rules! columns {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// A column.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub(super) enum Col { $($(#[$doc])* $name,)* }
        /// How many there are.
        pub(super) const COLUMNS: usize = [$(Col::$name,)*].len();
    };
}

columns! {
    /// What made a host do a step, and which host.
    Step,
    /// Nanoseconds since the step before.
    Time,
    /// Which segment on its way arrives.
    Link,
    /// What happened: the kind, and which shape it has.
    Item,
    /// Which connection.
    Conn,
    /// Sequence numbers, against what was expected.
    Seq,
    /// Acknowledgement numbers.
    Ack,
    /// Windows.
    Win,
    /// Timestamps.
    Stamp,
    /// Timestamps echoed.
    Echo,
    /// How long segments travel.
    Fate,
    /// SACK blocks.
    Sack,
    /// Descriptors.
    Fd,
    /// Counters and sockstat that changed.
    Gauge,
    /// What timers wait for.
    Due,
    /// Numbers of buckets that were refused.
    Refusal,
    /// Shapes, spelled out when they are met first.
    Shape,
    /// Local ends of rows, in a keyframe.
    Local,
    /// Remote ends of rows, in a keyframe.
    Remote,
}

/// Writes numbers, or reads them.
pub(super) trait Coder {
    /// Does it write? Then it answers the value it was given; else the one that it reads.
    const WRITES: bool;
    /// A number.
    fn uint(&mut self, col: Col, value: u64) -> Result<u64, Damage>;
    /// A number that is small in both directions.
    #[inline]
    fn int(&mut self, col: Col, value: i64) -> Result<i64, Damage> {
        let read = self.uint(col, fold(value))?;
        Ok((read >> 1).cast_signed() ^ -(read & 1).cast_signed())
    }
    /// A 32-bit number that is near another, going round at 2^32.
    #[inline]
    fn near(&mut self, col: Col, value: u32, expected: u32) -> Result<u32, Damage> {
        let off = value.wrapping_sub(expected).cast_signed();
        let read = self.int(col, off.into())?;
        let off = i32::try_from(read).map_err(|_| Damage::TOO_LARGE)?;
        Ok(expected.wrapping_add(off.cast_unsigned()))
    }
}

/// The sign in the last bit.
#[inline]
const fn fold(value: i64) -> u64 {
    (value << 1 ^ value >> 63).cast_unsigned()
}

/// Writes columns. What is written is what was given, so it is given back as it was.
#[derive(Clone, Default, Debug)]
pub(super) struct Encoder {
    columns: [Vec<u8>; COLUMNS],
}

impl Coder for Encoder {
    const WRITES: bool = true;
    #[inline]
    fn uint(&mut self, col: Col, value: u64) -> Result<u64, Damage> {
        put(&mut self.columns[col as usize], value);
        Ok(value)
    }
    #[inline]
    fn int(&mut self, col: Col, value: i64) -> Result<i64, Damage> {
        put(&mut self.columns[col as usize], fold(value));
        Ok(value)
    }
    #[inline]
    fn near(&mut self, col: Col, value: u32, expected: u32) -> Result<u32, Damage> {
        let off = value.wrapping_sub(expected).cast_signed();
        put(&mut self.columns[col as usize], fold(off.into()));
        Ok(value)
    }
}

impl Encoder {
    /// Bytes so far.
    pub(super) fn len(&self) -> usize {
        self.columns.iter().map(Vec::len).sum()
    }
    /// The columns one after the other, each behind its length; and begins anew.
    pub(super) fn take(&mut self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.len() + 4 * COLUMNS);
        for column in &mut self.columns {
            put(&mut out, column.len() as u64);
            out.extend_from_slice(column);
            column.clear();
        }
        out
    }
}

/// Reads columns.
#[derive(Clone, Debug)]
pub(super) struct Decoder {
    bytes: Vec<u8>,
    /// Where each column goes on, and where it ends.
    columns: [(usize, usize); COLUMNS],
}

impl Decoder {
    pub(super) fn new(bytes: Vec<u8>) -> Result<Self, Damage> {
        let mut columns = [(0, 0); COLUMNS];
        let mut at = 0;
        for column in &mut columns {
            let mut rest = &bytes[at..];
            let len = usize::try_from(get(&mut rest)?).map_err(|_| Damage::TOO_LARGE)?;
            let start = bytes.len() - rest.len();
            if len > rest.len() {
                return Err(Damage::TOO_SHORT);
            }
            at = start + len;
            *column = (start, at);
        }
        if at == bytes.len() { Ok(Self { bytes, columns }) } else { Err(Damage::TOO_LONG) }
    }
    /// Has the column been read to its end?
    pub(super) const fn is_empty(&self, col: Col) -> bool {
        let (at, end) = self.columns[col as usize];
        at == end
    }
}

impl Coder for Decoder {
    const WRITES: bool = false;
    #[inline]
    fn uint(&mut self, col: Col, _value: u64) -> Result<u64, Damage> {
        let (at, end) = &mut self.columns[col as usize];
        let mut rest = &self.bytes[*at..*end];
        let value = get(&mut rest)?;
        *at = *end - rest.len();
        Ok(value)
    }
}

/// Seven bits a byte, the lowest first; the eighth says that more follow.
#[inline]
pub(super) fn put(out: &mut Vec<u8>, value: u64) {
    if value < 0x80 { out.push(value as u8) } else { put_long(out, value) }
}

/// Most numbers take one byte; others need no copy of their loop wherever one is written.
#[inline(never)]
fn put_long(out: &mut Vec<u8>, mut value: u64) {
    if value < 1 << 14 {
        return out.extend_from_slice(&[value as u8 | 0x80, (value >> 7) as u8]);
    }
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Reads what [`put`] wrote.
#[inline]
pub(super) fn get(bytes: &mut &[u8]) -> Result<u64, Damage> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first().ok_or(Damage::TOO_SHORT)?;
        *bytes = rest;
        if shift == 63 && byte > 1 {
            return Err(Damage::TOO_LARGE);
        }
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(value);
        }
    }
    Err(Damage::TOO_LARGE)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NUMBERS: [u64; 9] =
        [0, 1, 127, 128, 0x3fff, 0x4000, u64::MAX, 1 << 63, i32::MIN as u32 as u64];

    #[test]
    fn numbers_come_back_and_overlong_ones_do_not() {
        let mut encoder = Encoder::default();
        for n in NUMBERS {
            encoder.uint(Col::Time, n).expect("it is written");
            encoder.int(Col::Seq, n.cast_signed()).expect("it is written");
            encoder.near(Col::Ack, n as u32, 7).expect("it is written");
        }
        let bytes = encoder.take();
        assert!(Decoder::new(bytes[..bytes.len() - 1].to_vec()).is_err());
        let mut decoder = Decoder::new(bytes).expect("whole");
        for n in NUMBERS {
            assert_eq!(decoder.uint(Col::Time, 0), Ok(n));
            assert_eq!(decoder.int(Col::Seq, 0), Ok(n.cast_signed()));
            assert_eq!(decoder.near(Col::Ack, 0, 7), Ok(n as u32));
        }
        assert!(decoder.is_empty(Col::Time));
        assert_eq!(decoder.uint(Col::Time, 0), Err(Damage::TOO_SHORT));
        assert_eq!(get(&mut [0xff; 10].as_slice()), Err(Damage::TOO_LARGE));
    }
}
