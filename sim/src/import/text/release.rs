//! `uname -r`, `uname -a`, /proc/uptime: which kernel a machine runs, and for how long.
//!
//! finwait knows two releases. Which of them is nearer to another is not a matter of numbers but
//! of what it does: of the differences that have a date, the machine's kernel has some already.

use finwait_model::behaviour::BEHAVIOURS;
use finwait_model::release::Release;
use finwait_model::time::Span;

use super::{Kind, shown, wrong};
use crate::scenario::Error;

/// What `uname` says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Uname {
    /// The release as it stands there: `3.10.0-1160.el7.x86_64`.
    pub release: String,
    /// Its first two numbers.
    pub version: (u32, u32),
    /// The host's name, if `uname -a` said it.
    pub host: Option<String>,
}

/// The modelled release that stands for another.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Nearest {
    /// Which.
    pub release: Release,
    /// Why, in a sentence.
    pub why: String,
    /// Behaviours in which the machine's own kernel is on the other side.
    pub otherwise: Vec<&'static str>,
}

/// Reads `uname -r` or `uname -a`.
pub fn read(text: &str) -> Result<Uname, Error> {
    let line = text.trim();
    let words: Vec<&str> = line.split_whitespace().collect();
    let (release, host) = match words.as_slice() {
        ["Linux", host, release, ..] => (*release, Some((*host).to_owned())),
        [release] => (*release, None),
        _ => ("", None),
    };
    let Some(version) = version(release) else {
        return Err(wrong(
            0..text.trim_end().len(),
            format!("{} is no kernel release", shown(line)),
            "expected what uname -r or uname -a prints, such as \"3.10.0-1160.el7.x86_64\"",
        ));
    };
    Ok(Uname { release: release.chars().take(100).collect(), version, host })
}

/// Seconds since the boot: `12345.67 4567.89`.
pub fn read_uptime(text: &str) -> Result<Span, Error> {
    let first = text.split_whitespace().next().unwrap_or("");
    crate::units::span(&format!("{first}s")).map_err(|_| {
        let span = 0..text.trim_end().len();
        wrong(
            span,
            "this is no uptime",
            "expected what /proc/uptime has, such as \"12345.67 4567.89\"",
        )
    })
}

pub(super) fn looks_like(words: &[&str]) -> Option<Kind> {
    match words {
        ["Linux", _, release, ..] => version(release).map(|_| Kind::Uname),
        [one] => version(one).map(|_| Kind::Uname),
        [up, idle] => {
            let seconds = |word: &str| {
                let (whole, part) = word.split_once('.')?;
                let digits = |text: &str| text.chars().all(|c| c.is_ascii_digit());
                (digits(whole) && digits(part) && part.len() == 2).then_some(())
            };
            seconds(up).and_then(|()| seconds(idle)).map(|()| Kind::Uptime)
        }
        _ => None,
    }
}

/// The first two numbers of a release; none if it does not begin with two.
fn version(release: &str) -> Option<(u32, u32)> {
    let (major, rest) = release.split_once('.')?;
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let major: u32 = major.parse().ok()?;
    // "12345.67" alone would be an uptime; there is no Linux 100.
    (major < 100).then_some(())?;
    Some((major, rest[..end].parse().ok()?))
}

/// Since this release each timewait bucket has a timer of its own: to a machine that closes many
/// connections the largest of all differences (`bucket_has_own_timer`).
const OWN_TIMERS: (u32, u32) = (4, 1);

/// Which modelled release stands for that one, and why.
pub fn nearest(uname: &Uname) -> Nearest {
    let (major, minor) = uname.version;
    if let Some(release) = Release::from_name(&format!("{major}.{minor}")) {
        let why = format!("{} is Linux {release}", uname.release);
        return Nearest { release, why, otherwise: Vec::new() };
    }
    let newer = uname.version >= OWN_TIMERS;
    let release = if newer { Release::V6_18 } else { Release::V3_10 };
    let mut same = 0;
    let mut otherwise = Vec::new();
    for row in BEHAVIOURS.iter().filter(|row| row.v3_10 != row.v6_18) {
        match has_changed(uname.version, row.changed) {
            Some(changed) if changed == newer => same += 1,
            Some(_) => otherwise.push(row.name),
            None => {}
        }
    }
    let death_row = if newer {
        "a timer for each timewait bucket (since 4.1)"
    } else {
        "the death row of 3.10 (until 4.0)"
    };
    let why = format!(
        "Linux {release} stands for {}: both have {death_row}, and they agree in {same} of {} \
         behaviours that changed at a known release",
        uname.release,
        same + otherwise.len()
    );
    Nearest { release, why, otherwise }
}

/// Has a kernel of that version the change of release `changed` (`4.1`, or `4.x` if nobody knows
/// which one of them)?
fn has_changed(own: (u32, u32), changed: &str) -> Option<bool> {
    match changed.strip_suffix(".x") {
        Some(major) => {
            let major: u32 = major.parse().ok()?;
            (own.0 != major).then_some(own.0 > major)
        }
        None => version(changed).map(|changed| own >= changed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_and_who_stands_for_them() {
        for (text, version, host, near) in [
            ("3.10.0-1160.el7.x86_64\n", (3, 10), None, Release::V3_10),
            ("6.18.44-fc-v657", (6, 18), None, Release::V6_18),
            (
                "Linux db1 5.14.0-70.el9.x86_64 #1 SMP x86_64 GNU/Linux",
                (5, 14),
                Some("db1"),
                Release::V6_18,
            ),
            ("2.6.32-754.el6.x86_64", (2, 6), None, Release::V3_10),
            ("3.13.0-24-generic", (3, 13), None, Release::V3_10),
            ("7.1.0-rc1", (7, 1), None, Release::V6_18),
        ] {
            let uname = read(text).expect(text);
            assert_eq!(uname.version, version, "{text}");
            assert_eq!(uname.host.as_deref(), host, "{text}");
            let nearest = nearest(&uname);
            assert_eq!(nearest.release, near, "{text}: {}", nearest.why);
        }
        let of_5_14 = nearest(&read("5.14.0").expect("it is right"));
        assert!(of_5_14.otherwise.contains(&"counts_close_wait_as_established"), "{of_5_14:?}");
        for text in ["", "Darwin x 20.1", "x.y", "3"] {
            assert!(read(text).is_err(), "{text}");
        }
        assert_eq!(read_uptime("12345.67 4567.89\n"), Ok(Span::nanos(12_345_670_000_000)));
        assert!(read_uptime("x").is_err());
    }
}
