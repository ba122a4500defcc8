//! Checks the next exercise whenever its answer is saved, until Ctrl-C.

use std::time::Duration;

use super::{LIMIT_S, check_one, text};
use crate::failure::{Failure, Verdict, print};
use crate::interrupt::Interrupt;
use crate::learn::desk::Desk;
use crate::learn::library::Library;

/// So often the file is read. It is small, and that works on every file system.
const PAUSE: Duration = Duration::from_millis(300);

/// Looks, and looks again.
pub(super) fn run(library: &Library, desk: &mut Desk) -> Result<Verdict, Failure> {
    let interrupt = Interrupt::listen();
    let mut seen = None;
    while !interrupt.asked() {
        let Some(exercise) = desk.next(library) else {
            print(&text::home(library, desk))?;
            return Ok(Verdict::Fine);
        };
        // An editor may take the file away for a moment while it saves.
        let now = desk.read(exercise).ok().map(|text| (exercise.name.clone(), text));
        if now.is_none() || now == seen {
            std::thread::sleep(PAUSE);
            continue;
        }
        if seen.as_ref().is_none_or(|(name, _)| *name != exercise.name) {
            print(&format!("\n{}\n", text::page(exercise, Some(desk))?))?;
        }
        seen = now;
        let checked = check_one(desk, exercise, f64::from(LIMIT_S))?;
        let news = checked.passed() && desk.note_solved(exercise)?;
        print(&text::checked(library, desk, exercise, &checked, news))?;
        print("\nwatching; Ctrl-C ends it\n")?;
    }
    Ok(Verdict::Interrupted)
}
