//! Backtick lines: the sysctls that they set, and what else they would do.

use super::ast::{Pos, Shell};
use super::diagnostic::ScriptError;

/// What a backtick line asks for.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(super) struct Commands {
    /// Full name and value, in order.
    pub(super) sysctls: Vec<(Pos, String, String)>,
    /// Everything else, which is not done.
    pub(super) ignored: Vec<(Pos, String)>,
}

/// Reads a backtick line. `read` gives the text of a file that a script names, as `defaults.sh`.
pub(super) fn commands(
    shell: &Shell,
    read: &dyn Fn(&str) -> Option<String>,
) -> Result<Commands, ScriptError> {
    let mut all = Commands::default();
    collect(&shell.text, shell.pos, read, 0, &mut all)?;
    Ok(all)
}

fn collect(
    text: &str,
    pos: Pos,
    read: &dyn Fn(&str) -> Option<String>,
    depth: u32,
    all: &mut Commands,
) -> Result<(), ScriptError> {
    for command in split(text) {
        let words = words(&command);
        let Some(first) = words.first() else { continue };
        let name = first.rsplit('/').next().unwrap_or(first);
        let inside = match name {
            "sysctl" => sysctl(&words[1..], pos, all),
            "set_sysctls.py" => paths(&words[1..], pos, all),
            "echo" => echo(&words[1..], pos, all),
            name if name.ends_with(".sh") && depth < 4 => match read(first) {
                Some(script) => {
                    collect(&script, pos, read, depth + 1, all)?;
                    paths(&words[1..], pos, all)
                }
                None => false,
            },
            _ => false,
        };
        if !inside {
            all.ignored.push((pos, command));
        }
    }
    Ok(())
}

/// `sysctl [-qwe] NAME=VALUE…`
fn sysctl(words: &[String], pos: Pos, all: &mut Commands) -> bool {
    let mut found = false;
    for word in words {
        match word.split_once('=') {
            Some((name, value)) if !name.is_empty() => {
                let name = name.replace('/', ".");
                all.sysctls.push((pos, name, evaluate(value)));
                found = true;
            }
            _ if word.starts_with('-') => {}
            _ => return false,
        }
    }
    found
}

/// `/proc/sys/net/ipv4/tcp_fin_timeout=60…`
fn paths(words: &[String], pos: Pos, all: &mut Commands) -> bool {
    words.iter().all(|word| {
        let pair = word.strip_prefix("/proc/sys/").and_then(|rest| rest.split_once('='));
        if let Some((name, value)) = pair {
            all.sysctls.push((pos, name.replace('/', "."), evaluate(value)));
        }
        pair.is_some()
    })
}

/// `echo VALUE > /proc/sys/net/ipv4/tcp_fin_timeout`
fn echo(words: &[String], pos: Pos, all: &mut Commands) -> bool {
    let Some(arrow) = words.iter().position(|w| w == ">") else { return false };
    let path = words.get(arrow + 1).and_then(|w| w.strip_prefix("/proc/sys/"));
    let Some(path) = path.filter(|_| arrow + 2 == words.len()) else { return false };
    all.sysctls.push((pos, path.replace('/', "."), words[..arrow].join(" ")));
    true
}

/// Commands without comments and without where their output goes.
fn split(text: &str) -> Vec<String> {
    let text = text.replace("\\\n", " ");
    let mut commands = Vec::new();
    for line in text.lines() {
        let line = line.trim();
        if line.starts_with('#') {
            continue;
        }
        for command in line.split([';', '|', '&']) {
            let command = ["> /dev/null 2>", "2>/dev/null", "2> /dev/null", "> /dev/null"]
                .iter()
                .fold(command.to_owned(), |c, quiet| c.replace(quiet, ""));
            let command = command.trim();
            if !command.is_empty() && command != "1" {
                commands.push(command.to_owned());
            }
        }
    }
    commands
}

/// Words as a shell cuts them; quotes and `$((…))` hold blanks.
fn words(command: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let (mut quote, mut depth) = (None, 0u32);
    for c in command.chars() {
        match c {
            '"' | '\'' if quote == Some(c) => quote = None,
            '"' | '\'' if quote.is_none() => quote = Some(c),
            '(' => {
                depth += 1;
                word.push(c);
            }
            ')' => {
                depth = depth.saturating_sub(1);
                word.push(c);
            }
            c if c.is_whitespace() && quote.is_none() && depth == 0 => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
            }
            c => word.push(c),
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

/// Numbers may be written in hex or as a product, `$((256*1024))`.
fn evaluate(value: &str) -> String {
    let mut out = String::new();
    let mut rest = value.trim();
    while let Some(at) = rest.find("$((") {
        out.push_str(&rest[..at]);
        let Some(length) = rest[at..].find("))") else { break };
        let factors = rest[at + 3..at + length].trim_matches(|c| c == '(' || c == ')').split('*');
        let product: Option<i64> =
            factors.map(|f| f.trim().parse::<i64>().ok()).try_fold(1i64, |p, f| p.checked_mul(f?));
        match product {
            Some(n) => out.push_str(&n.to_string()),
            None => out.push_str(&rest[at..at + length + 2]),
        }
        rest = &rest[at + length + 2..];
    }
    out.push_str(rest);
    match out.strip_prefix("0x").and_then(|hex| i64::from_str_radix(hex, 16).ok()) {
        Some(n) => n.to_string(),
        None => out,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Commands {
        let shell = Shell { pos: Pos::default(), text: text.to_owned() };
        let defaults = "#!/bin/sh\n# why\nsysctl -q net.ipv4.tcp_rmem=\"4096 540000 $((15*1024*1024))\"\ntc qdisc add\n";
        commands(&shell, &|path| path.ends_with("defaults.sh").then(|| defaults.to_owned()))
            .expect("reads")
    }

    #[test]
    fn sysctls_are_found_in_every_form() {
        let found = read(
            "../common/defaults.sh\nsysctl -q net.ipv4.tcp_sack=0 net/ipv4/tcp_dsack=0x1;\
             echo 3 > /proc/sys/net/ipv4/tcp_tw_reuse\n./set_sysctls.py /proc/sys/net/core/somaxconn=5",
        );
        let pairs: Vec<_> = found.sysctls.iter().map(|(_, n, v)| format!("{n}={v}")).collect();
        assert_eq!(
            pairs,
            [
                "net.ipv4.tcp_rmem=4096 540000 15728640",
                "net.ipv4.tcp_sack=0",
                "net.ipv4.tcp_dsack=1",
                "net.ipv4.tcp_tw_reuse=3",
                "net.core.somaxconn=5"
            ]
        );
        assert_eq!(found.ignored.len(), 1);
        assert_eq!(found.ignored[0].1, "tc qdisc add");
    }
}
