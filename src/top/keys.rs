//! What a key does.

use finwait_model::time::{Instant, Span};
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::Screen;

/// Does the screen stay?
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Then {
    /// It is drawn anew.
    Draw,
    /// The program ends.
    Quit,
}

impl Screen {
    /// Moves in time, to another host, or away.
    pub(crate) fn key(&mut self, key: KeyEvent) -> Then {
        let shift = key.modifiers.contains(KeyModifiers::SHIFT);
        let step = Span::secs(if shift { 10 } else { 1 });
        match key.code {
            KeyCode::Char('q') | KeyCode::Esc => return Then::Quit,
            KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => {
                return Then::Quit;
            }
            KeyCode::Left | KeyCode::Char('h') => self.back(step),
            KeyCode::Right | KeyCode::Char('l') => self.forth(step),
            KeyCode::PageUp | KeyCode::Up => self.back(Span::secs(10)),
            KeyCode::PageDown | KeyCode::Down => self.forth(Span::secs(10)),
            KeyCode::Home => self.at = Instant::ZERO,
            KeyCode::End => self.at = self.end,
            KeyCode::Tab => self.host = (self.host + 1) % self.hosts.len(),
            KeyCode::BackTab => self.host = (self.host + self.hosts.len() - 1) % self.hosts.len(),
            _ => {}
        }
        Then::Draw
    }
    fn back(&mut self, span: Span) {
        self.at = Instant { ns: self.at.ns.saturating_sub(span.ns) };
    }
    fn forth(&mut self, span: Span) {
        self.at = self.end.min(self.at + span);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::top::TopHost;
    use finwait_model::release::Release;
    use finwait_sim::stack::Platform;

    fn screen() -> Screen {
        let host = |name: &str| TopHost {
            name: name.to_owned(),
            platform: Platform::Linux(Release::V6_18),
            bucket_limit: 10,
            samples: Vec::new(),
        };
        Screen {
            run: "test".to_owned(),
            hosts: vec![host("web"), host("redis")],
            host: 0,
            at: Instant { ns: 15_500_000_000 },
            end: Instant { ns: 30_000_000_000 },
        }
    }

    #[test]
    fn keys_move_through_time_and_stop_at_its_ends() {
        let mut screen = screen();
        let mut press = |code, modifiers| {
            let then = screen.key(KeyEvent::new(code, modifiers));
            (then, screen.at.ns / 100_000_000, screen.host)
        };
        let (none, shift) = (KeyModifiers::NONE, KeyModifiers::SHIFT);
        assert_eq!(press(KeyCode::Left, none), (Then::Draw, 145, 0));
        assert_eq!(press(KeyCode::Left, shift), (Then::Draw, 45, 0));
        assert_eq!(press(KeyCode::PageUp, none), (Then::Draw, 0, 0));
        assert_eq!(press(KeyCode::Right, none), (Then::Draw, 10, 0));
        assert_eq!(press(KeyCode::Down, none), (Then::Draw, 110, 0));
        assert_eq!(press(KeyCode::End, none), (Then::Draw, 300, 0));
        assert_eq!(press(KeyCode::Right, none), (Then::Draw, 300, 0));
        assert_eq!(press(KeyCode::Tab, none), (Then::Draw, 300, 1));
        assert_eq!(press(KeyCode::Tab, none), (Then::Draw, 300, 0));
        assert_eq!(press(KeyCode::Home, none), (Then::Draw, 0, 0));
        assert_eq!(press(KeyCode::Char('q'), none).0, Then::Quit);
        assert_eq!(press(KeyCode::Char('c'), KeyModifiers::CONTROL).0, Then::Quit);
    }
}
