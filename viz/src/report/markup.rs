//! The little markup that sentences of a report have, and tables, for a page and for Markdown alike.
//!
//! Sentences are plain text in which names of sysctls, functions and counters stand between
//! backticks; nothing else in them means anything.

use std::fmt::Write as _;

/// A piece of a report.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Block {
    /// A paragraph.
    Para(String),
    /// A list.
    List(Vec<String>),
    /// A list whose items are numbered.
    Numbered(Vec<String>),
    /// A table; columns of numbers stand to the right.
    Table(Table),
    /// Text as it is.
    Pre(String),
}

/// A table.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(super) struct Table {
    pub(super) caption: String,
    /// Headlines, and whether the column holds numbers.
    pub(super) head: Vec<(String, bool)>,
    pub(super) rows: Vec<Vec<String>>,
}

impl Table {
    pub(super) fn new(caption: &str, head: &[(&str, bool)]) -> Self {
        let head = head.iter().map(|&(name, number)| (name.to_owned(), number)).collect();
        Self { caption: caption.to_owned(), head, rows: Vec::new() }
    }
}

/// Text of a person that goes into a sentence: its backticks are no markup.
pub(super) fn plain(text: &str) -> String {
    text.replace('`', "'")
}

/// A name between backticks.
pub(super) fn code(text: &str) -> String {
    format!("`{}`", plain(text))
}

/// Text for a page.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c => out.push(c),
        }
    }
    out
}

/// A sentence for a page.
pub(super) fn inline(text: &str) -> String {
    let mut out = String::new();
    for (n, part) in text.split('`').enumerate() {
        let part = escaped(part);
        let _ = if n % 2 == 1 { write!(out, "<code>{part}</code>") } else { write!(out, "{part}") };
    }
    out
}

/// Pieces for a page.
pub(super) fn html(blocks: &[Block]) -> String {
    let mut out = String::new();
    for block in blocks {
        let _ = match block {
            Block::Para(text) => writeln!(out, "<p>{}</p>", inline(text)),
            Block::Pre(text) => writeln!(out, "<pre tabindex=\"0\">{}</pre>", escaped(text)),
            Block::List(items) => {
                let items: String =
                    items.iter().map(|i| format!("<li>{}</li>\n", inline(i))).collect();
                writeln!(out, "<ul>\n{items}</ul>")
            }
            Block::Numbered(items) => {
                let items: String =
                    items.iter().map(|i| format!("<li>{}</li>\n", inline(i))).collect();
                writeln!(out, "<ol>\n{items}</ol>")
            }
            Block::Table(table) => writeln!(out, "{}", html_table(table)),
        };
    }
    out
}

fn html_table(table: &Table) -> String {
    let class = |number: bool| if number { " class=\"n\"" } else { "" };
    let mut out = String::from("<div class=\"scroll\"><table>\n");
    if !table.caption.is_empty() {
        let _ = writeln!(out, "<caption>{}</caption>", inline(&table.caption));
    }
    out.push_str("<thead><tr>");
    for (name, number) in &table.head {
        let _ = write!(out, "<th scope=\"col\"{}>{}</th>", class(*number), inline(name));
    }
    out.push_str("</tr></thead>\n<tbody>\n");
    for row in &table.rows {
        out.push_str("<tr>");
        for (n, cell) in row.iter().enumerate() {
            let number = table.head.get(n).is_some_and(|(_, number)| *number);
            let tag = if n == 0 { "th scope=\"row\"" } else { "td" };
            let end = if n == 0 { "th" } else { "td" };
            let _ = write!(out, "<{tag}{}>{}</{end}>", class(number), inline(cell));
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody></table></div>");
    out
}

/// A sentence for Markdown: what would mean something there is escaped, but not within backticks.
pub(super) fn markdown_inline(text: &str) -> String {
    let mut out = String::new();
    for (n, part) in text.split('`').enumerate() {
        if n % 2 == 1 {
            let _ = write!(out, "`{part}`");
            continue;
        }
        for c in part.chars() {
            if matches!(c, '*' | '[' | ']' | '<' | '\\' | '#') {
                out.push('\\');
            }
            out.push(c);
        }
    }
    out
}

/// Pieces for Markdown.
pub(super) fn markdown(blocks: &[Block]) -> String {
    let mut out = String::new();
    for block in blocks {
        let _ = match block {
            Block::Para(text) => writeln!(out, "{}\n", markdown_inline(text)),
            Block::Pre(text) => writeln!(out, "```text\n{}\n```\n", text.trim_end()),
            Block::List(items) => {
                let items: String =
                    items.iter().map(|i| format!("- {}\n", markdown_inline(i))).collect();
                writeln!(out, "{items}")
            }
            Block::Numbered(items) => {
                let line =
                    |(n, i): (usize, &String)| format!("{}. {}\n", n + 1, markdown_inline(i));
                let items: String = items.iter().enumerate().map(line).collect();
                writeln!(out, "{items}")
            }
            Block::Table(table) => writeln!(out, "{}", markdown_table(table)),
        };
    }
    out
}

fn markdown_table(table: &Table) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    // A bar would end the cell, within backticks, too.
    let cell = |text: &str| markdown_inline(text).replace('|', "\\|");
    let mut out = String::new();
    if !table.caption.is_empty() {
        let _ = writeln!(out, "{}\n", markdown_inline(&table.caption));
    }
    out += &line(&table.head.iter().map(|(name, _)| cell(name)).collect::<Vec<_>>());
    let rule = |number: bool| if number { "---:" } else { "---" }.to_owned();
    out += &line(&table.head.iter().map(|(_, number)| rule(*number)).collect::<Vec<_>>());
    for row in &table.rows {
        out += &line(&row.iter().map(|text| cell(text)).collect::<Vec<_>>());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_person_wrote_stays_text() {
        let text = format!("{} & {}", plain("<b>`x`"), code("a<b"));
        assert_eq!(inline(&text), "&lt;b&gt;'x' &amp; <code>a&lt;b</code>");
        assert_eq!(markdown_inline(&text), "\\<b>'x' & `a<b`");
        let mut table = Table::new("", &[("name", false), ("n", true)]);
        table.rows.push(vec!["a|b".to_owned(), "1".to_owned()]);
        assert_eq!(markdown_table(&table), "| name | n |\n| --- | ---: |\n| a\\|b | 1 |\n");
    }
}
