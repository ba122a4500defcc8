//! What a `%{ }%` block says of `struct tcp_info`.

use std::collections::BTreeMap;

use finwait_model::kernel::TcpInfo;

use super::ast::{BinaryOp, Cond, Statement, UnaryOp};

/// Constants that packetdrill defines for its blocks, with the kernel's numbers.
const CONSTANTS: &[(&str, i64)] = &[
    ("TCP_ESTABLISHED", 1),
    ("TCP_SYN_SENT", 2),
    ("TCP_SYN_RECV", 3),
    ("TCP_FIN_WAIT1", 4),
    ("TCP_FIN_WAIT2", 5),
    ("TCP_TIME_WAIT", 6),
    ("TCP_CLOSE", 7),
    ("TCP_CLOSE_WAIT", 8),
    ("TCP_LAST_ACK", 9),
    ("TCP_LISTEN", 10),
    ("TCP_CLOSING", 11),
    ("TCP_CA_Open", 0),
    ("TCP_CA_Disorder", 1),
    ("TCP_CA_CWR", 2),
    ("TCP_CA_Recovery", 3),
    ("TCP_CA_Loss", 4),
    ("TCPI_OPT_TIMESTAMPS", 1),
    ("TCPI_OPT_SACK", 2),
    ("TCPI_OPT_WSCALE", 4),
    ("TCPI_OPT_ECN", 8),
    ("TCPI_OPT_ECN_SEEN", 16),
    ("TCPI_OPT_SYN_DATA", 32),
    ("TCP_INFINITE_SSTHRESH", 0x7fff_ffff),
    ("True", 1),
    ("False", 0),
];

macro_rules! fields {
    ($($field:ident)*) => {
        /// The fields that the model knows, as blocks name them.
        const FIELDS: &[(&str, fn(&TcpInfo) -> i64)] = &[$((
            concat!("tcpi_", stringify!($field)),
            |info| i64::try_from(info.$field).unwrap_or(i64::MAX),
        ),)*];
    };
}

fields! {
    state ca_state retransmits probes backoff options snd_wscale rcv_wscale rto ato snd_mss rcv_mss
    unacked sacked lost retrans last_data_sent last_data_recv last_ack_recv pmtu rcv_ssthresh rtt
    rttvar snd_ssthresh snd_cwnd advmss total_retrans bytes_acked bytes_received segs_out segs_in
    notsent_bytes data_segs_in data_segs_out bytes_sent bytes_retrans snd_wnd rcv_wnd
}

/// A constant's number.
pub(super) fn constant(name: &str) -> Option<i64> {
    CONSTANTS.iter().find(|(n, _)| *n == name).map(|&(_, v)| v)
}

/// Is it a field of `struct tcp_info` that the model knows?
pub(super) fn is_field(name: &str) -> bool {
    FIELDS.iter().any(|(n, _)| *n == name)
}

/// Every name that means something.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    CONSTANTS.iter().map(|c| c.0).chain(FIELDS.iter().map(|f| f.0))
}

/// The variables of a script's blocks.
#[derive(Clone, Default, Debug)]
pub(super) struct Variables(BTreeMap<String, i64>);

/// Runs a block. Gives what it prints, or why an assertion failed.
pub(super) fn run(
    statements: &[Statement],
    info: &TcpInfo,
    variables: &mut Variables,
) -> Result<Vec<String>, String> {
    let mut printed = Vec::new();
    for statement in statements {
        match statement {
            Statement::Assert { condition, message, .. } => {
                let context = Context { info, variables };
                if context.value(condition)? == 0 {
                    return Err(context.failure(condition, message.as_ref()));
                }
            }
            Statement::Print { values, .. } => {
                let context = Context { info, variables };
                let words: Result<Vec<_>, _> = values.iter().map(|v| context.text(v)).collect();
                printed.push(words?.join(" "));
            }
            Statement::Assign { name, op, value, .. } => {
                let context = Context { info, variables };
                let value = context.value(value)?;
                let before = context.name(name).unwrap_or(0);
                let value = match op {
                    Some(op) => apply(*op, before, value)?,
                    None => value,
                };
                variables.0.insert(name.clone(), value);
            }
        }
    }
    Ok(printed)
}

struct Context<'a> {
    info: &'a TcpInfo,
    variables: &'a Variables,
}

impl Context<'_> {
    fn name(&self, name: &str) -> Option<i64> {
        let field = || FIELDS.iter().find(|(n, _)| *n == name).map(|(_, get)| get(self.info));
        self.variables.0.get(name).copied().or_else(field).or_else(|| constant(name))
    }

    fn value(&self, cond: &Cond) -> Result<i64, String> {
        match cond {
            Cond::Int(n) => Ok(*n),
            Cond::Name(_, name) => self.name(name).ok_or_else(|| format!("no value for {name}")),
            Cond::Text(text) => Ok(i64::from(!text.is_empty())),
            Cond::Tuple(values) => Ok(i64::from(!values.is_empty())),
            Cond::Unary(op, value) => {
                let n = self.value(value)?;
                Ok(match op {
                    UnaryOp::Not => i64::from(n == 0),
                    UnaryOp::Minus => n.wrapping_neg(),
                    UnaryOp::Invert => !n,
                })
            }
            Cond::Binary(BinaryOp::And, left, right) => {
                let n = self.value(left)?;
                if n == 0 { Ok(0) } else { self.value(right) }
            }
            Cond::Binary(BinaryOp::Or, left, right) => {
                let n = self.value(left)?;
                if n == 0 { self.value(right) } else { Ok(n) }
            }
            Cond::Binary(op, left, right) => apply(*op, self.value(left)?, self.value(right)?),
        }
    }

    /// A value as Python prints it; `'…%d…' % x` is filled in.
    fn text(&self, cond: &Cond) -> Result<String, String> {
        match cond {
            Cond::Text(text) => Ok(text.clone()),
            Cond::Tuple(values) => {
                let words: Result<Vec<_>, _> = values.iter().map(|v| self.text(v)).collect();
                Ok(format!("({})", words?.join(", ")))
            }
            Cond::Binary(BinaryOp::Mod, left, right) if matches!(**left, Cond::Text(_)) => {
                let mut text = self.text(left)?;
                let values = match &**right {
                    Cond::Tuple(values) => values.as_slice(),
                    value => std::slice::from_ref(value),
                };
                for value in values {
                    text = text.replacen("%d", &self.value(value)?.to_string(), 1);
                }
                Ok(text)
            }
            cond => Ok(self.value(cond)?.to_string()),
        }
    }

    /// What was asserted, and the values that made it false.
    fn failure(&self, condition: &Cond, message: Option<&Cond>) -> String {
        let mut text = format!("assertion failed: {condition}");
        let mut names = Vec::new();
        collect(condition, &mut names);
        for name in names {
            if let Some(value) = self.name(name).filter(|_| constant(name).is_none()) {
                let meaning = (name == "tcpi_state").then(|| state_name(value)).flatten();
                let meaning = meaning.map(|m| format!(" ({m})")).unwrap_or_default();
                text.push_str(&format!("; {name} is {value}{meaning}"));
            }
        }
        if let Some(Ok(message)) = message.map(|m| self.text(m)) {
            text.push_str(&format!("; {message}"));
        }
        text
    }
}

fn state_name(value: i64) -> Option<&'static str> {
    let states = CONSTANTS.iter().take(11);
    states.filter(|(_, v)| *v == value).map(|&(n, _)| n).next()
}

fn collect<'a>(cond: &'a Cond, names: &mut Vec<&'a str>) {
    match cond {
        Cond::Name(_, name) if !names.contains(&name.as_str()) => names.push(name),
        Cond::Int(_) | Cond::Text(_) | Cond::Name(..) => {}
        Cond::Unary(_, value) => collect(value, names),
        Cond::Binary(_, left, right) => {
            collect(left, names);
            collect(right, names);
        }
        Cond::Tuple(values) => values.iter().for_each(|value| collect(value, names)),
    }
}

fn apply(op: BinaryOp, a: i64, b: i64) -> Result<i64, String> {
    let shift = || u32::try_from(b).map_err(|_| "a shift by a negative number".to_owned());
    Ok(match op {
        BinaryOp::Or => i64::from(a != 0 || b != 0),
        BinaryOp::And => i64::from(a != 0 && b != 0),
        BinaryOp::Eq => i64::from(a == b),
        BinaryOp::Ne => i64::from(a != b),
        BinaryOp::Lt => i64::from(a < b),
        BinaryOp::Le => i64::from(a <= b),
        BinaryOp::Gt => i64::from(a > b),
        BinaryOp::Ge => i64::from(a >= b),
        BinaryOp::BitOr => a | b,
        BinaryOp::BitXor => a ^ b,
        BinaryOp::BitAnd => a & b,
        BinaryOp::Shl => a.checked_shl(shift()?).unwrap_or(0),
        BinaryOp::Shr => a.checked_shr(shift()?).unwrap_or(if a < 0 { -1 } else { 0 }),
        BinaryOp::Add => a.wrapping_add(b),
        BinaryOp::Sub => a.wrapping_sub(b),
        BinaryOp::Mul => a.wrapping_mul(b),
        BinaryOp::Div | BinaryOp::FloorDiv | BinaryOp::Mod => {
            // Python rounds towards minus infinity; a remainder has its divisor's sign.
            let quotient = a.checked_div(b).ok_or("division by zero")?;
            let rest = a.wrapping_rem(b);
            let down = rest != 0 && (rest < 0) != (b < 0);
            if op == BinaryOp::Mod {
                if down { rest + b } else { rest }
            } else {
                quotient - i64::from(down)
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::ast::Action;
    use crate::script::parse;

    fn block(text: &str) -> Result<Vec<String>, String> {
        let script = parse(format!("0 %{{ {text} }}%").as_bytes()).expect("parses");
        let Action::Code(code) = &script.events[0].action else { unreachable!() };
        let info = TcpInfo { state: 4, snd_cwnd: 10, ..TcpInfo::default() };
        run(&code.statements, &info, &mut Variables::default())
    }

    #[test]
    fn conditions_mean_what_python_means() {
        for text in [
            "assert tcpi_state == TCP_FIN_WAIT1 and tcpi_snd_cwnd == 10",
            "assert 1 + 2 * 3 == 7 and -7 // 2 == -4 and -7 % 3 == 2 and 7 / 2 == 3",
            "assert 9 <= tcpi_snd_cwnd <= 10 and not 9 <= tcpi_snd_cwnd <= 9",
            "assert (tcpi_options & TCPI_OPT_SACK) == 0, tcpi_options",
            "cwnd = 9; cwnd += 1; assert tcpi_snd_cwnd == cwnd",
            "assert not (0 or 0x0) and (1 | 6) == 7 and ~0 == -1 and 1 << 3 == 8 and 6 ^ 3 == 5",
        ] {
            assert_eq!(block(text), Ok(vec![]), "{text}");
        }
        assert_eq!(block("print('cwnd=%d' % tcpi_snd_cwnd)"), Ok(vec!["cwnd=10".to_owned()]));
        let error = block("assert tcpi_state == TCP_FIN_WAIT2, 'oh'").expect_err("is false");
        assert!(error.contains("tcpi_state is 4 (TCP_FIN_WAIT1)") && error.ends_with("; oh"));
        assert!(block("assert 1 / 0").is_err_and(|e| e.contains("division by zero")));
    }
}
