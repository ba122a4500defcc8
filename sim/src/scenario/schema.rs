//! The TOML of a scenario as serde sees it. Units stand in the values ("60s", "2500/s") or in the
//! names (`request_bytes`); every unknown key is an error.

use core::fmt;
use core::marker::PhantomData;
use std::collections::BTreeMap;

use serde::de::{self, Deserialize, Deserializer, Visitor};
use toml::Spanned;

use finwait_model::flow::Addr;
use finwait_model::release::Release;
use finwait_model::time::Span;

use crate::app::{CloseHow, Delay, Ending, Lingering};
use crate::nat::Forgotten;
use crate::rng::Ratio;
use crate::units::{self, Rate};

use super::question::FigureKind;

/// The whole file but for `[[apps]]`, which are read one by one, by their `kind`.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Top {
    pub(super) name: Option<String>,
    #[serde(default)]
    pub(super) about: String,
    pub(super) duration: Spanned<Written<Span>>,
    #[serde(default = "one")]
    pub(super) seed: u64,
    pub(super) sample: Option<Spanned<Written<Span>>>,
    pub(super) hosts: BTreeMap<Spanned<String>, Host>,
    #[serde(default)]
    pub(super) links: Links,
    #[serde(default)]
    pub(super) boxes: Vec<Spanned<PassBox>>,
    #[serde(default)]
    pub(super) counter_run: BTreeMap<Spanned<String>, Spanned<Value>>,
    #[serde(default)]
    pub(super) expect: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) cases: Vec<Case>,
    pub(super) question: Option<Question>,
}

/// `[[cases]]`: one of the variants that a question compares.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Case {
    pub(super) name: Spanned<String>,
    #[serde(default)]
    pub(super) about: String,
    #[serde(default)]
    pub(super) set: BTreeMap<Spanned<String>, Spanned<Any>>,
    #[serde(default)]
    pub(super) expect: Vec<Spanned<String>>,
}

/// `[question]`: what people ask, and the answer that the cases give.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Question {
    pub(super) number: Spanned<u16>,
    pub(super) ask: String,
    pub(super) answer: Spanned<String>,
    pub(super) advice: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) expect: Vec<Spanned<String>>,
    pub(super) show: Vec<Spanned<String>>,
    pub(super) checked: Vec<Spanned<Written<Release>>>,
    #[serde(default)]
    pub(super) scripts: Vec<String>,
    #[serde(default)]
    pub(super) figures: Vec<Figure>,
}

/// `[[question.figures]]`: what the page shows of the cases.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Figure {
    pub(super) kind: Written<FigureKind>,
    pub(super) cases: Vec<Spanned<String>>,
    pub(super) host: Option<Spanned<String>>,
    pub(super) measure: Option<Spanned<String>>,
    pub(super) from: Option<Written<Span>>,
    pub(super) to: Option<Written<Span>>,
    #[serde(default)]
    pub(super) about: String,
}

const fn one() -> u64 {
    1
}

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Host {
    pub(super) kernel: Option<Spanned<Written<Release>>>,
    pub(super) stack: Option<Spanned<String>>,
    pub(super) hz: Option<Spanned<u32>>,
    pub(super) uptime: Option<Spanned<Written<Span>>>,
    pub(super) addr: Option<Spanned<Written<Addr>>>,
    pub(super) mtu: Option<Spanned<u16>>,
    pub(super) recv_buffer_bytes: Option<Spanned<u32>>,
    pub(super) send_buffer_bytes: Option<Spanned<u32>>,
    pub(super) timeout: Option<Spanned<Written<Span>>>,
    #[serde(default)]
    pub(super) sysctl: BTreeMap<Spanned<String>, Spanned<Value>>,
}

/// The quality of every link, and of some in particular.
#[derive(Default, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Links {
    pub(super) delay: Option<Spanned<Written<Span>>>,
    pub(super) jitter: Option<Written<Span>>,
    pub(super) loss: Option<Written<Ratio>>,
    pub(super) duplicate: Option<Written<Ratio>>,
    pub(super) reorder: Option<Written<Ratio>>,
    pub(super) reorder_by: Option<Written<Span>>,
    #[serde(default)]
    pub(super) between: Vec<Link>,
}

/// One pair of hosts, both ways unless `one_way` is set.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Link {
    pub(super) from: Spanned<String>,
    pub(super) to: Spanned<String>,
    #[serde(default)]
    pub(super) one_way: bool,
    pub(super) delay: Option<Spanned<Written<Span>>>,
    pub(super) jitter: Option<Written<Span>>,
    pub(super) loss: Option<Written<Ratio>>,
    pub(super) duplicate: Option<Written<Ratio>>,
    pub(super) reorder: Option<Written<Ratio>>,
    pub(super) reorder_by: Option<Written<Span>>,
}

/// `kind = "client"`.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Client {
    pub(super) host: Spanned<String>,
    pub(super) to: Spanned<String>,
    pub(super) rate: Option<Spanned<Written<Rate>>>,
    pub(super) workers: Option<Spanned<u32>>,
    pub(super) think: Option<Spanned<Written<Delay>>>,
    #[serde(default)]
    pub(super) scattered: bool,
    pub(super) start: Option<Written<Span>>,
    pub(super) count: Option<u64>,
    pub(super) request: Option<Spanned<String>>,
    pub(super) request_bytes: Option<u32>,
    pub(super) response_bytes: Option<u32>,
    pub(super) hold: Option<Written<Delay>>,
    pub(super) close: Option<Written<CloseHow>>,
    pub(super) patience: Option<Spanned<Written<Span>>>,
}

/// `kind = "server"`.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Server {
    pub(super) host: Spanned<String>,
    pub(super) port: Spanned<Ports>,
    pub(super) backlog: Option<u16>,
    pub(super) request_bytes: Option<u32>,
    pub(super) response: Option<Spanned<String>>,
    pub(super) response_bytes: Option<u32>,
    pub(super) service: Option<Written<Delay>>,
    pub(super) close_after: Option<Written<CloseAfter>>,
    #[serde(default)]
    pub(super) closes_first: bool,
    #[serde(default)]
    pub(super) parting_bytes: u32,
    #[serde(default = "yes")]
    pub(super) reuse_addr: bool,
    pub(super) retry: Option<Spanned<Written<Span>>>,
    pub(super) restart_at: Option<Spanned<Written<Span>>>,
    pub(super) restart_every: Option<Spanned<Written<Span>>>,
    pub(super) restart_takes: Option<Written<Span>>,
    #[serde(default = "yes")]
    pub(super) reads: bool,
}

/// `kind = "redis"`.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Redis {
    pub(super) host: Spanned<String>,
    pub(super) port: Spanned<Ports>,
    pub(super) backlog: Option<u16>,
    pub(super) request_bytes: Option<u32>,
    pub(super) response_bytes: Option<u32>,
    pub(super) service: Option<Written<Span>>,
    pub(super) slow: Option<Written<Span>>,
    pub(super) slow_every: Option<Spanned<Written<Span>>>,
    pub(super) timeout: Option<Spanned<Written<Span>>>,
    pub(super) tcp_keepalive: Option<Spanned<Written<Span>>>,
    pub(super) maxclients: Option<Spanned<u32>>,
    pub(super) command: Option<Spanned<String>>,
}

/// `kind = "openresty"`.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OpenResty {
    pub(super) host: Spanned<String>,
    pub(super) to: Spanned<String>,
    pub(super) workers: Option<Spanned<u32>>,
    pub(super) rate: Option<Spanned<Written<Rate>>>,
    pub(super) clients: Option<Spanned<u32>>,
    pub(super) think: Option<Spanned<Written<Delay>>>,
    #[serde(default)]
    pub(super) scattered: bool,
    pub(super) start: Option<Written<Span>>,
    pub(super) count: Option<u64>,
    pub(super) listen: Option<Spanned<Listen>>,
    pub(super) paths: Option<Spanned<Vec<Path>>>,
    pub(super) pool_size: Option<Spanned<u32>>,
    pub(super) keepalive: Option<Written<Span>>,
    pub(super) backlog: Option<u32>,
    #[serde(default)]
    pub(super) one_pool: bool,
    #[serde(default = "yes")]
    pub(super) watches: bool,
    #[serde(default = "yes")]
    pub(super) code_cache: bool,
    pub(super) so_keepalive: Option<Spanned<Written<Span>>>,
    pub(super) connect_timeout: Option<Spanned<Written<Span>>>,
    pub(super) read_timeout: Option<Spanned<Written<Span>>>,
    pub(super) request_bytes: Option<u32>,
    pub(super) response_bytes: Option<Spanned<u32>>,
}

/// A code path of `kind = "openresty"`.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Path {
    pub(super) end: Written<Ending>,
    pub(super) share: Option<Spanned<Share>>,
    pub(super) commands: Option<Spanned<u32>>,
    pub(super) hold: Option<Written<Delay>>,
}

/// `kind = "wrk"`.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wrk {
    pub(super) host: Spanned<String>,
    pub(super) to: Spanned<String>,
    pub(super) connections: Spanned<u32>,
    pub(super) threads: Option<Spanned<u32>>,
    pub(super) duration: Option<Spanned<Written<Span>>>,
    pub(super) start: Option<Written<Span>>,
    pub(super) connection: Option<Written<Connection>>,
    pub(super) timeout: Option<Spanned<Written<Span>>>,
    pub(super) turn: Option<Written<Span>>,
}

/// `kind = "ab"`.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Ab {
    pub(super) host: Spanned<String>,
    pub(super) to: Spanned<String>,
    pub(super) rate: Spanned<Written<Rate>>,
    #[serde(default)]
    pub(super) scattered: bool,
    pub(super) start: Option<Written<Span>>,
    pub(super) count: Option<u64>,
    pub(super) duration: Option<Spanned<Written<Span>>>,
    pub(super) connection: Option<Written<Connection>>,
    pub(super) timeout: Option<Spanned<Written<Span>>>,
}

/// `[apps.listen]`: what clients see of a web server, by nginx's directives.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Listen {
    pub(super) port: Spanned<Ports>,
    pub(super) backlog: Option<u16>,
    pub(super) request_bytes: Option<Spanned<u32>>,
    pub(super) response_bytes: Option<Spanned<u32>>,
    pub(super) keepalive_timeout: Option<Written<Span>>,
    pub(super) keepalive_requests: Option<Spanned<u32>>,
    pub(super) client_header_timeout: Option<Spanned<Written<Span>>>,
    pub(super) send_timeout: Option<Spanned<Written<Span>>>,
    pub(super) lingering_close: Option<Written<Lingering>>,
    pub(super) lingering_time: Option<Written<Span>>,
    pub(super) lingering_timeout: Option<Spanned<Written<Span>>>,
}

/// `kind = "nginx"`.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Nginx {
    pub(super) host: Spanned<String>,
    pub(super) listen: Spanned<Listen>,
    pub(super) workers: Option<Spanned<u32>>,
    pub(super) service: Option<Written<Delay>>,
    pub(super) upstream: Option<Spanned<Upstream>>,
}

/// `[apps.upstream]` of an nginx.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Upstream {
    pub(super) to: Spanned<String>,
    #[serde(default)]
    pub(super) keepalive: u32,
    pub(super) keepalive_timeout: Option<Spanned<Written<Span>>>,
    pub(super) keepalive_requests: Option<Spanned<u32>>,
    pub(super) keepalive_time: Option<Written<Span>>,
    pub(super) connect_timeout: Option<Spanned<Written<Span>>>,
    pub(super) read_timeout: Option<Spanned<Written<Span>>>,
    #[serde(default)]
    pub(super) ignore_client_abort: bool,
}

/// `kind = "scripted"`.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Scripted {
    pub(super) host: Spanned<String>,
    pub(super) script: Spanned<String>,
    pub(super) copies: Option<Spanned<u32>>,
    pub(super) start: Option<Written<Span>>,
    pub(super) port: Option<Spanned<Ports>>,
    pub(super) backlog: Option<u16>,
}

/// `Connection: keep-alive` or `Connection: close`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Connection {
    KeepAlive,
    Close,
}

/// How many requests a path serves: parts of what is left to all paths with parts, or a share of all
/// requests.
#[derive(Clone, Copy, Debug)]
pub(super) enum Share {
    Parts(u32),
    Of(Ratio),
}

impl<'de> Deserialize<'de> for Share {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl Visitor<'_> for Either {
            type Value = Share;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    "a number of parts such as 97, or a share of all requests such as \"3%\"",
                )
            }
            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Self::Value, E> {
                u32::try_from(number).map(Share::Parts).map_err(|_| {
                    E::custom(format!("{number} is no number of parts, expected 0 to 1000000"))
                })
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                let wrong =
                    |_| E::custom(format!("{text:?} is no share, expected one such as \"3%\""));
                units::ratio(text).map(Share::Of).map_err(wrong)
            }
        }
        deserializer.deserialize_any(Either)
    }
}

/// A box on the way between hosts.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PassBox {
    pub(super) kind: Spanned<Written<BoxKind>>,
    pub(super) host: Spanned<String>,
    pub(super) inside: Option<Spanned<Vec<Spanned<String>>>>,
    pub(super) port: Option<Spanned<Ports>>,
    pub(super) to: Option<Spanned<String>>,
    pub(super) ports: Option<Spanned<Ports>>,
    pub(super) keep_ports: Option<bool>,
    pub(super) idle: Option<Written<Span>>,
    pub(super) opening: Option<Written<Span>>,
    pub(super) closing: Option<Written<Span>>,
    pub(super) closed: Option<Written<Span>>,
    pub(super) forgotten: Option<Written<Forgotten>>,
}

/// The kinds of boxes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum BoxKind {
    Nat,
    Balancer,
}

/// From the peer's end of file to close(), or never.
#[derive(Clone, Copy, Debug)]
pub(super) struct CloseAfter(pub(super) Option<Delay>);

const fn yes() -> bool {
    true
}

/// A value that people write as text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Written<T>(pub(super) T);

/// How such text is read.
pub(super) trait FromText: Sized {
    const EXPECTING: &'static str;
    fn from_text(text: &str) -> Result<Self, String>;
}

impl FromText for Span {
    const EXPECTING: &'static str = "a time such as \"60s\"";
    fn from_text(text: &str) -> Result<Self, String> {
        units::span(text)
    }
}
impl FromText for Rate {
    const EXPECTING: &'static str = "a rate such as \"2500/s\"";
    fn from_text(text: &str) -> Result<Self, String> {
        units::rate(text)
    }
}
impl FromText for Ratio {
    const EXPECTING: &'static str = "a probability such as \"1/1000\"";
    fn from_text(text: &str) -> Result<Self, String> {
        units::ratio(text)
    }
}
impl FromText for Addr {
    const EXPECTING: &'static str = "an address such as \"10.0.0.1\"";
    fn from_text(text: &str) -> Result<Self, String> {
        units::addr(text)
    }
}
impl FromText for Delay {
    const EXPECTING: &'static str = "a time such as \"40ms\", or a range such as \"0ms..80ms\"";
    fn from_text(text: &str) -> Result<Self, String> {
        let (least, most) = text.split_once("..").unwrap_or((text, text));
        let delay = Self { least: units::span(least.trim())?, most: units::span(most.trim())? };
        if delay.least > delay.most {
            return Err("expected the shorter time first".to_owned());
        }
        Ok(delay)
    }
}
impl FromText for CloseAfter {
    const EXPECTING: &'static str =
        "a time such as \"40ms\", a range such as \"0ms..80ms\", or \"never\"";
    fn from_text(text: &str) -> Result<Self, String> {
        if text == "never" { Ok(Self(None)) } else { Delay::from_text(text).map(|d| Self(Some(d))) }
    }
}
impl FromText for BoxKind {
    const EXPECTING: &'static str = "a kind of box: \"nat\" or \"balancer\"";
    fn from_text(text: &str) -> Result<Self, String> {
        match text {
            "nat" => Ok(Self::Nat),
            "balancer" => Ok(Self::Balancer),
            _ => Err("expected \"nat\" or \"balancer\"".to_owned()),
        }
    }
}
impl FromText for Forgotten {
    const EXPECTING: &'static str =
        "what a box does without a flow: \"adopt\", \"drop\" or \"reset\"";
    fn from_text(text: &str) -> Result<Self, String> {
        match text {
            "adopt" => Ok(Self::Adopt),
            "drop" => Ok(Self::Drop),
            "reset" => Ok(Self::Reset),
            _ => Err("expected \"adopt\", \"drop\" or \"reset\"".to_owned()),
        }
    }
}
impl FromText for Ending {
    const EXPECTING: &'static str = "what becomes of the connection: \"keepalive\" or \"close\"";
    fn from_text(text: &str) -> Result<Self, String> {
        match text {
            "keepalive" => Ok(Self::Keepalive),
            "close" => Ok(Self::Close),
            _ => Err("expected \"keepalive\" or \"close\"".to_owned()),
        }
    }
}
impl FromText for Connection {
    const EXPECTING: &'static str = "what a request asks for: \"keep-alive\" or \"close\"";
    fn from_text(text: &str) -> Result<Self, String> {
        match text {
            "keep-alive" => Ok(Self::KeepAlive),
            "close" => Ok(Self::Close),
            _ => Err("expected \"keep-alive\" or \"close\"".to_owned()),
        }
    }
}
impl FromText for Lingering {
    const EXPECTING: &'static str = "lingering_close: \"on\", \"always\" or \"off\"";
    fn from_text(text: &str) -> Result<Self, String> {
        match text {
            "on" => Ok(Self::On),
            "always" => Ok(Self::Always),
            "off" => Ok(Self::Off),
            _ => Err("expected \"on\", \"always\" or \"off\"".to_owned()),
        }
    }
}
impl FromText for Release {
    const EXPECTING: &'static str = "a kernel release such as \"6.18\"";
    fn from_text(text: &str) -> Result<Self, String> {
        Self::from_name(text).ok_or_else(|| {
            let names: Vec<_> = Self::ALL.iter().map(|r| format!("{:?}", r.name())).collect();
            format!("expected {}", names.join(" or "))
        })
    }
}
impl FromText for FigureKind {
    const EXPECTING: &'static str = "a kind of figure such as \"timeline\"";
    fn from_text(text: &str) -> Result<Self, String> {
        Self::named(text).ok_or_else(|| {
            let names: Vec<_> = Self::ALL.iter().map(|k| format!("{:?}", k.name())).collect();
            format!("expected one of {}", names.join(", "))
        })
    }
}
impl FromText for CloseHow {
    const EXPECTING: &'static str = "a way to close such as \"close\"";
    fn from_text(text: &str) -> Result<Self, String> {
        Ok(match text {
            "close" => Self::Close,
            "shutdown" => Self::Shutdown,
            "linger0" => Self::LingerZero,
            "unread" => Self::Unread,
            _ => {
                return Err(
                    "expected \"close\", \"shutdown\", \"linger0\" or \"unread\"".to_owned()
                );
            }
        })
    }
}

impl<'de, T: FromText> Deserialize<'de> for Written<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text<T>(PhantomData<T>);
        impl<T: FromText> Visitor<'_> for Text<T> {
            type Value = Written<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(T::EXPECTING)
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                T::from_text(text).map(Written).map_err(|expected| {
                    E::custom(format!("{text:?} does not fit here, {expected}"))
                })
            }
        }
        deserializer.deserialize_str(Text(PhantomData))
    }
}

/// A sysctl's value: a number, or text with several.
#[derive(Clone, Debug)]
pub(super) struct Value(pub(super) String);

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl Visitor<'_> for Either {
            type Value = Value;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number, or several in quotes such as \"32768 60999\"")
            }
            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Self::Value, E> {
                Ok(Value(number.to_string()))
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Value(text.to_owned()))
            }
        }
        deserializer.deserialize_any(Either)
    }
}

/// What a case sets: whatever a key of a scenario takes.
#[derive(Clone, Debug)]
pub(super) struct Any(pub(super) String);

impl<'de> Deserialize<'de> for Any {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl Visitor<'_> for Either {
            type Value = Any;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("text, a whole number, true or false")
            }
            fn visit_bool<E: de::Error>(self, flag: bool) -> Result<Self::Value, E> {
                Ok(Any(flag.to_string()))
            }
            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Self::Value, E> {
                Ok(Any(number.to_string()))
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Any(text.to_owned()))
            }
        }
        deserializer.deserialize_any(Either)
    }
}

/// A port or a range of ports: 6379, "6379" or "6379-6394".
#[derive(Clone, Copy, Debug)]
pub(super) struct Ports(pub(super) u16, pub(super) u16);

impl<'de> Deserialize<'de> for Ports {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl Visitor<'_> for Either {
            type Value = Ports;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a port such as 6379, or a range such as \"6379-6394\"")
            }
            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Self::Value, E> {
                self.visit_str(&number.to_string())
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                units::ports(text)
                    .map(|(low, high)| Ports(low, high))
                    .map_err(|expected| E::custom(format!("{text:?} is no port, {expected}")))
            }
        }
        deserializer.deserialize_any(Either)
    }
}
