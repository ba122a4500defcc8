//! What the scripts show, as a test found it by playing them: tests/it/witnesses.rs writes the
//! file and compares it with what it finds.

use std::sync::LazyLock;

use super::Line;

/// One line of the file.
struct Fact {
    kind: &'static str,
    name: &'static str,
    key: &'static str,
    words: &'static str,
}

static FACTS: LazyLock<Vec<Fact>> = LazyLock::new(|| {
    let facts = include_str!("witnesses.txt").lines().filter_map(|line| {
        let mut parts = line.splitn(4, ' ');
        let (kind, name, key) = (parts.next()?, parts.next()?, parts.next()?);
        (kind != "#").then_some(Fact { kind, name, key, words: parts.next()? })
    });
    let mut facts: Vec<Fact> = facts.collect();
    facts.sort_unstable_by_key(|f| (f.kind, f.name, f.key));
    facts
});

/// The words that follow a kind, a name and a key; none if there is no such fact.
pub(super) fn words(kind: &str, name: &str, key: &str) -> impl Iterator<Item = &'static str> {
    tail(kind, name, key).unwrap_or_default().split(' ').filter(|word| !word.is_empty())
}

/// The names of that kind whose words under that key contain the word.
pub(super) fn with_word(
    kind: &'static str,
    key: &'static str,
    word: &str,
) -> impl Iterator<Item = &'static str> {
    let has = |fact: &&Fact| fact.words.split(' ').any(|w| w == word);
    let facts = FACTS.iter().filter(|fact| fact.kind == kind && fact.key == key);
    facts.filter(has).map(|fact| fact.name).collect::<Vec<_>>().into_iter()
}

fn tail(kind: &str, name: &str, key: &str) -> Option<&'static str> {
    let place = FACTS.binary_search_by_key(&(kind, name, key), |f| (f.kind, f.name, f.key));
    place.ok().map(|place| FACTS[place].words)
}

/// How to play the few scripts that show it best, with what each is about; behind them, how many
/// more there are.
pub(super) fn scripts(kind: &str, name: &str, key: &str) -> Vec<Line> {
    let mut words = words(kind, name, key);
    let Some(total) = words.next().and_then(|n| n.parse::<usize>().ok()) else {
        return Vec::new();
    };
    let mut lines: Vec<Line> = words.map(script).collect();
    if total > lines.len() {
        let text = format!("and {} more", total - lines.len());
        lines.push(Line { name: String::new(), text });
    }
    lines
}

/// A script's file and its first sentence.
pub(super) fn script(name: &str) -> Line {
    let about = tail("script", name, "about").unwrap_or_default();
    let first = about.split_once(". ").map_or(about, |(first, _)| first);
    let text = format!("{}.", first.trim_end_matches('.'));
    Line { name: format!("examples/scripts/{name}.pkt"), text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_are_found_by_kind_name_and_key() {
        assert!(words("cause", "rst-no-socket", "always").any(|w| w == "TcpOutRsts"));
        assert_eq!(words("cause", "rst-no", "always").count(), 0, "no prefix will do");
        assert!(with_word("cause", "always", "TcpOutRsts").any(|n| n == "rst-linger-zero"));
        let lines = scripts("counter", "TcpExtTCPTimeWaitOverflow", "scripts");
        assert!(lines.len() > 1 && lines[0].name.ends_with(".pkt"), "{lines:?}");
        assert!(lines[0].text.len() > 10, "{lines:?}");
    }
}
