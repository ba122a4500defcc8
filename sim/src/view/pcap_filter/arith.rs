//! Arithmetic on a packet: 32 bits without a sign, as the filter machine computes.

/// A number that a packet gives.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Arith {
    /// Always the same.
    Constant(u32),
    /// The length of the packet with its IP header.
    Len,
    /// So many bytes from there, most significant first.
    Load {
        /// Counted from where.
        base: Base,
        /// How far from there.
        offset: Box<Self>,
        /// 1, 2 or 4.
        size: usize,
    },
    /// Zero minus it.
    Negative(Box<Self>),
    /// Two of them with an operator between.
    Binary(Operator, Box<Self>, Box<Self>),
}

/// What a load counts from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Base {
    /// The IP header.
    Ip,
    /// The TCP header.
    Tcp,
    /// The header of a protocol that no simulated host speaks.
    Absent,
}

/// What stands between two numbers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
    And,
    Or,
    Xor,
    Left,
    Right,
}

impl Operator {
    /// The operator with that sign.
    pub(super) fn of(sign: &str) -> Option<Self> {
        Some(match sign {
            "+" => Self::Add,
            "-" => Self::Subtract,
            "*" => Self::Multiply,
            "/" => Self::Divide,
            "%" => Self::Modulo,
            "&" => Self::And,
            "|" => Self::Or,
            "^" => Self::Xor,
            "<<" => Self::Left,
            ">>" => Self::Right,
            _ => return None,
        })
    }
    /// How strongly it binds to the left and to the right. `%` and `^` have no precedence in
    /// libpcap's grammar, so they take whatever stands to their right.
    pub(super) const fn binds(self) -> (u8, u8) {
        match self {
            Self::Or => (1, 2),
            Self::And => (3, 4),
            Self::Left | Self::Right => (5, 6),
            Self::Add | Self::Subtract => (7, 8),
            Self::Multiply | Self::Divide => (9, 10),
            Self::Modulo | Self::Xor => (u8::MAX, 0),
        }
    }
    /// `None` for a division by zero, which rejects the packet.
    pub(super) const fn apply(self, a: u32, b: u32) -> Option<u32> {
        match self {
            Self::Add => Some(a.wrapping_add(b)),
            Self::Subtract => Some(a.wrapping_sub(b)),
            Self::Multiply => Some(a.wrapping_mul(b)),
            Self::Divide => a.checked_div(b),
            Self::Modulo => a.checked_rem(b),
            Self::And => Some(a & b),
            Self::Or => Some(a | b),
            Self::Xor => Some(a ^ b),
            Self::Left => Some(if b < 32 { a << b } else { 0 }),
            Self::Right => Some(if b < 32 { a >> b } else { 0 }),
        }
    }
}

impl Arith {
    /// The number, or `None` if the packet is rejected.
    pub(super) fn eval(&self, packet: &[u8]) -> Option<u32> {
        match self {
            Self::Constant(number) => Some(*number),
            Self::Len => u32::try_from(packet.len()).ok(),
            Self::Load { base, offset, size } => {
                let base = match base {
                    Base::Ip => 0,
                    Base::Tcp => u32::from(packet.first()? & 15) * 4,
                    Base::Absent => return None,
                };
                let at = usize::try_from(base.wrapping_add(offset.eval(packet)?)).ok()?;
                let bytes = packet.get(at..at.checked_add(*size)?)?;
                Some(bytes.iter().fold(0, |number, byte| number << 8 | u32::from(*byte)))
            }
            Self::Negative(of) => Some(of.eval(packet)?.wrapping_neg()),
            Self::Binary(operator, a, b) => operator.apply(a.eval(packet)?, b.eval(packet)?),
        }
    }
    /// Does it read a header that no packet has?
    pub(super) fn reads_absent(&self) -> bool {
        match self {
            Self::Constant(_) | Self::Len => false,
            Self::Load { base, offset, .. } => *base == Base::Absent || offset.reads_absent(),
            Self::Negative(of) => of.reads_absent(),
            Self::Binary(_, a, b) => a.reads_absent() || b.reads_absent(),
        }
    }
}
