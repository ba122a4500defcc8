//! The screen as widgets.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span as Text};
use ratatui::widgets::{Block, Gauge, Paragraph, Row, Sparkline, Table};

use finwait_model::time::Instant;

use super::{Counter, STATES, Screen};
use finwait_sim::text::grouped;

const KEYS: &str = " ←/→ 1 s   ↑/↓ 10 s   Home/End   Tab next host   q quit";

/// Draws it.
pub(crate) fn draw(screen: &Screen, frame: &mut Frame<'_>) {
    let [title, time, buckets, middle, keys] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Length(3),
        Constraint::Min(12),
        Constraint::Length(1),
    ])
    .areas(frame.area());
    let [left, right] =
        Layout::horizontal([Constraint::Length(36), Constraint::Min(20)]).areas(middle);
    title_line(screen, frame, title);
    time_line(screen, frame, time);
    bucket_gauge(screen, frame, buckets);
    states(screen, frame, left);
    rates(screen, frame, right);
    frame.render_widget(Paragraph::new(KEYS).style(Style::new().fg(Color::DarkGray)), keys);
}

fn seconds(at: Instant) -> String {
    format!("{}.{} s", at.ns / 1_000_000_000, at.ns / 100_000_000 % 10)
}

fn title_line(screen: &Screen, frame: &mut Frame<'_>, area: Rect) {
    let bold = Style::new().add_modifier(Modifier::BOLD);
    let mut words = vec![Text::styled(format!(" {}", screen.run), bold), Text::raw("  ")];
    for (place, host) in screen.hosts.iter().enumerate() {
        let style = if place == screen.host { bold.reversed() } else { Style::new() };
        words.push(Text::styled(format!(" {} ", host.name), style));
    }
    words.push(Text::raw(format!("  {}", screen.host().platform)));
    frame.render_widget(Line::from(words), area);
}

/// Where in the run we are.
fn time_line(screen: &Screen, frame: &mut Frame<'_>, area: Rect) {
    let share = screen.at.ns as f64 / screen.end.ns.max(1) as f64;
    let label = format!("t = {} of {}", seconds(screen.at), seconds(screen.end));
    let gauge = Gauge::default()
        .ratio(share.clamp(0.0, 1.0))
        .label(label)
        .gauge_style(Style::new().fg(Color::DarkGray));
    frame.render_widget(gauge, area);
}

fn bucket_gauge(screen: &Screen, frame: &mut Frame<'_>, area: Rect) {
    let limit = screen.host().bucket_limit.max(0).unsigned_abs();
    let held = u64::from(screen.sample(screen.at).map_or(0, |sample| sample.sockstat.tw));
    let share = if limit == 0 { 1.0 } else { held as f64 / limit as f64 };
    let color = match share {
        s if s >= 1.0 => Color::Red,
        s if s >= 0.9 => Color::Yellow,
        _ => Color::Green,
    };
    let gauge = Gauge::default()
        .block(Block::bordered().title(" timewait buckets, net.ipv4.tcp_max_tw_buckets "))
        .ratio(share.clamp(0.0, 1.0))
        .label(format!("{} of {}", grouped(held), grouped(limit)))
        .gauge_style(Style::new().fg(color));
    frame.render_widget(gauge, area);
}

/// How many are in each state, and how many more or fewer than a second ago.
fn states(screen: &Screen, frame: &mut Frame<'_>, area: Rect) {
    let before = Instant { ns: screen.at.ns.saturating_sub(1_000_000_000) };
    let rows = STATES.iter().map(|&state| {
        let now = screen.count(state, screen.at);
        let change = i64::from(now) - i64::from(screen.count(state, before));
        let change = if change == 0 { String::new() } else { format!("{change:+}") };
        let style = if now == 0 { Style::new().fg(Color::DarkGray) } else { Style::new() };
        let count = format!("{:>11}", grouped(u64::from(now)));
        Row::new([state.ss_name().to_owned(), count, format!("{change:>8}")]).style(style)
    });
    let widths = [Constraint::Length(11), Constraint::Length(11), Constraint::Length(8)];
    let table = Table::new(rows, widths).block(Block::bordered().title(" states, change in 1 s "));
    frame.render_widget(table, area);
}

fn rates(screen: &Screen, frame: &mut Frame<'_>, area: Rect) {
    let [stat, rst, overflow] =
        Layout::vertical([Constraint::Length(3), Constraint::Fill(1), Constraint::Fill(1)])
            .areas(area);
    let s = screen.sample(screen.at).map_or_else(Default::default, |sample| sample.sockstat);
    let text = format!("inuse {}  orphan {}  tw {}  alloc {}", s.inuse, s.orphan, s.tw, s.alloc);
    let sockstat = Paragraph::new(text).block(Block::bordered().title(" sockstat TCP "));
    frame.render_widget(sockstat, stat);
    sparkline(screen, frame, rst, Counter::Rsts, "RST/s");
    sparkline(screen, frame, overflow, Counter::Overflows, "TCPTimeWaitOverflow/s");
}

/// The last seconds, one column each, the instant shown at the right.
fn sparkline(screen: &Screen, frame: &mut Frame<'_>, area: Rect, counter: Counter, name: &str) {
    let width = usize::from(area.width.saturating_sub(2));
    let values: Vec<u64> =
        screen.seconds(width).map(|at| at.map_or(0, |at| screen.per_second(counter, at))).collect();
    let now = screen.per_second(counter, screen.at);
    let most = values.iter().copied().max().unwrap_or(0);
    let title = format!(" {name}: {}, at most {} ", grouped(now), grouped(most));
    let line = Sparkline::default()
        .block(Block::bordered().title(title))
        .data(&values)
        .style(Style::new().fg(Color::Red));
    frame.render_widget(line, area);
}
