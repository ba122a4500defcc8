//! Entries as a page of docs/generated.

use std::fmt::Write as _;

use super::{Body, Entry, Glossary, Kind};

/// A page with all entries of these kinds.
pub fn page(title: &str, intro: &str, kinds: &[Kind]) -> String {
    let mut text = format!("# {title}\n\n{intro}\n");
    let glossary = Glossary::new();
    for &kind in kinds {
        if kinds.len() > 1 {
            let _ = write!(text, "\n## {}\n", kind.title());
        }
        glossary.entries().iter().filter(|e| e.kind == kind).for_each(|e| entry(&mut text, e));
    }
    text
}

fn entry(text: &mut String, entry: &Entry) {
    let _ = write!(text, "\n### `{}`\n\n{}\n\n", entry.name, entry.headline);
    for section in &entry.sections {
        let _ = match &section.body {
            Body::Text(words) => writeln!(text, "- **{}**: {words}", section.title),
            Body::Path(path) => writeln!(text, "- **{}**: `{}`", section.title, path.join(" → ")),
            Body::Names(names) => {
                let quoted: Vec<_> = names.iter().map(|n| format!("`{n}`")).collect();
                writeln!(text, "- **{}**: {}", section.title, quoted.join(", "))
            }
            Body::Table(lines) => {
                let _ = writeln!(text, "- **{}**", section.title);
                lines.iter().try_for_each(|line| match line.name.as_str() {
                    "" => writeln!(text, "  - {}", line.text),
                    name => writeln!(text, "  - `{name}`: {}", line.text),
                })
            }
        };
    }
}
