//! The socket options of scripts: `setsockopt SO_LINGER 0s`, `setsockopt TCP_NODELAY on`.

use finwait_model::kernel::SockOpt;

use super::error::{Error, nearest};
use super::script::{Rest, whole_seconds, wrong};

/// How an option's value is written.
#[derive(Clone, Copy)]
enum Kind {
    Switch(fn(bool) -> SockOpt),
    Number(fn(u32) -> SockOpt),
    Signed(fn(i32) -> SockOpt),
    Linger,
}

const OPTIONS: [(&str, Kind); 16] = [
    ("SO_LINGER", Kind::Linger),
    ("SO_REUSEADDR", Kind::Switch(SockOpt::ReuseAddr)),
    ("SO_KEEPALIVE", Kind::Switch(SockOpt::KeepAlive)),
    ("SO_RCVBUF", Kind::Number(SockOpt::RcvBuf)),
    ("SO_SNDBUF", Kind::Number(SockOpt::SndBuf)),
    ("SO_RCVLOWAT", Kind::Number(SockOpt::RcvLowat)),
    ("TCP_NODELAY", Kind::Switch(SockOpt::NoDelay)),
    ("TCP_CORK", Kind::Switch(SockOpt::Cork)),
    ("TCP_QUICKACK", Kind::Signed(SockOpt::QuickAck)),
    ("TCP_LINGER2", Kind::Signed(SockOpt::Linger2)),
    ("TCP_USER_TIMEOUT", Kind::Number(SockOpt::UserTimeout)),
    ("TCP_KEEPIDLE", Kind::Signed(SockOpt::KeepIdle)),
    ("TCP_KEEPINTVL", Kind::Signed(SockOpt::KeepIntvl)),
    ("TCP_KEEPCNT", Kind::Signed(SockOpt::KeepCnt)),
    ("TCP_SYNCNT", Kind::Signed(SockOpt::SynCnt)),
    ("TCP_MAXSEG", Kind::Signed(SockOpt::MaxSeg)),
];

pub(super) fn option(rest: &mut Rest<'_>) -> Result<SockOpt, Error> {
    let names = || OPTIONS.iter().map(|(name, _)| *name);
    let expected = || format!("expected one of {}", names().collect::<Vec<_>>().join(", "));
    let word = rest.word(&expected())?;
    let Some((_, kind)) = OPTIONS.iter().find(|(name, _)| *name == word.text) else {
        let help = nearest(word.text, names()).map(|near| format!("did you mean `{near}`?"));
        let message = format!("{:?} is no option that scripts set", word.text);
        return Err(Error::new(word.span, message, expected()).with_help(help));
    };
    match kind {
        Kind::Switch(make) => {
            let value = rest.word("expected on or off")?;
            match value.text {
                "on" | "1" => Ok(make(true)),
                "off" | "0" => Ok(make(false)),
                other => {
                    wrong(value.span, format!("{other:?} does not fit here"), "expected on or off")
                }
            }
        }
        Kind::Number(make) => Ok(make(rest.number(u32::MAX, "expected a whole number")?)),
        Kind::Signed(make) => {
            const EXPECTED: &str = "expected a whole number";
            let value = rest.word(EXPECTED)?;
            let number = value.text.parse();
            number.map(make).or_else(|_| {
                wrong(value.span, format!("{:?} does not fit here", value.text), EXPECTED)
            })
        }
        Kind::Linger => {
            const EXPECTED: &str = "expected off, or whole seconds such as 0s or 5s";
            let value = rest.word(EXPECTED)?;
            let seconds = || {
                let number = value.text.parse().ok().or_else(|| whole_seconds(&value))?;
                u32::try_from(number).ok().map(Some)
            };
            let linger = if value.text == "off" { Some(None) } else { seconds() };
            match linger {
                Some(linger) => Ok(SockOpt::Linger(linger)),
                None => wrong(value.span, format!("{:?} does not fit here", value.text), EXPECTED),
            }
        }
    }
}
