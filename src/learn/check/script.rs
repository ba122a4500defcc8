//! A script with a hole: what was written there is what Linux sends, no more and no less.

use finwait_model::release::Release;
use finwait_sim::script::lower::lower;
use finwait_sim::script::runner::{Options, play};
use finwait_sim::script::{parse, report};

use super::{Answer, Checked, HOLE, Wrong, answers};
use crate::failure::Failure;
use crate::ink;

/// Plays it.
pub(super) fn check(answer: &Answer<'_>) -> Result<Checked, Failure> {
    let exercise = answer.exercise;
    let starter = exercise.file(&exercise.spec.answer)?;
    if let Some(checked) = only_filled(answer, starter) {
        return Ok(checked);
    }
    let refused = |error: &finwait_sim::script::diagnostic::ScriptError| {
        Checked::Unreadable(error.render_by(&ink::renderer(), answer.path, answer.text))
    };
    let script = match parse(answer.text.as_bytes()) {
        Ok(script) => script,
        Err(error) => return Ok(refused(&error)),
    };
    let release = script.kernel.unwrap_or(Release::V6_18);
    let plan = match lower(&script, release, &|_| None) {
        Ok(plan) => plan,
        Err(error) => return Ok(refused(&error)),
    };
    let played = play(&plan, &Options::default());
    if let Some(failure) = played.failures.last() {
        let told = report::failure(answer.path, &played);
        // What packetdrill says of it stands in the sentence already.
        let ladder = told.find("up to then:").map_or(told.as_str(), |at| &told[at..]);
        return Ok(Checked::Wrong(Wrong {
            sentence: format!("line {}: {}", failure.line, sentence(&failure.message)),
            ladder: ladder.to_owned(),
            notes: Vec::new(),
        }));
    }
    if played.unmatched > 0 {
        let n = played.unmatched;
        let more = if n == 1 { "one segment".to_owned() } else { format!("{n} segments") };
        return Ok(Checked::Wrong(Wrong {
            sentence: format!("Linux {release} sends {more} that your script does not mention"),
            ladder: report::trace(&played),
            notes: Vec::new(),
        }));
    }
    Ok(Checked::Passed(format!("played on Linux {release}: every segment is as you said")))
}

/// packetdrill's message in the words of an exercise.
fn sentence(message: &str) -> String {
    let packet = |name: &str| {
        let line = message.lines().find_map(|line| line.trim().strip_prefix(name))?;
        // Behind the time.
        line.trim().split_once(' ').map(|(_, packet)| packet.trim().to_owned())
    };
    match (packet("actual packet:"), packet("script packet:")) {
        (Some(actual), Some(yours)) => format!("Linux sends {actual}, and not {yours}"),
        _ => message.lines().next().unwrap_or(message).to_owned(),
    }
}

/// The lines of the starter stand in the answer, and what stands between them are expectations in
/// place of holes.
fn only_filled(answer: &Answer<'_>, starter: &str) -> Option<Checked> {
    let is_hole = |line: &&str| line.split("//").next().unwrap_or("").contains(HOLE);
    let mut written = lines(answer.text).peekable();
    let mut given = lines(starter).map(|(_, line)| line).peekable();
    loop {
        let mut holes = false;
        while given.next_if(is_hole).is_some() {
            holes = true;
        }
        let next = given.peek().copied();
        let Some(&(at, line)) = written.peek() else {
            let missing = next?;
            let end = answer.text.len();
            let expected = format!("expected {missing}");
            let error = answers::wrong(end..end, "a line is missing".to_owned(), expected);
            return Some(answer.unreadable(&error));
        };
        if next == Some(line) && !(holes && is_expectation(line) && repeats(&written, &given)) {
            written.next();
            given.next();
            continue;
        }
        if !holes || !is_expectation(line) {
            let span = at..at + line.len();
            let expected = match (holes, next) {
                (true, _) => {
                    "expected segments that Linux sends, such as +0 > . 1:1(0) ack 2".to_owned()
                }
                (false, Some(next)) => format!("expected {next}"),
                (false, None) => "expected the end".to_owned(),
            };
            let message = "only the holes are to be filled".to_owned();
            return Some(answer.unreadable(&answers::wrong(span, message, expected)));
        }
        while written.next_if(|(_, line)| is_expectation(line) && next != Some(*line)).is_some() {}
    }
}

/// Does what was written go on with one more line like the one that the starter goes on with? Then
/// the first of them fills the hole.
fn repeats<'a>(
    written: &std::iter::Peekable<impl Iterator<Item = (usize, &'a str)> + Clone>,
    given: &std::iter::Peekable<impl Iterator<Item = &'a str> + Clone>,
) -> bool {
    let next = given.clone().next();
    let mine = written.clone().take_while(|(_, line)| Some(*line) == next).count();
    let theirs = given.clone().take_while(|line| Some(*line) == next).count();
    mine > theirs
}

fn is_expectation(line: &str) -> bool {
    line.contains(" > ") && !line.contains(" < ") && !line.contains('`')
}

/// Lines that say something, without blanks at their ends, and where they begin.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> + Clone {
    let base = text.as_ptr() as usize;
    text.lines()
        .map(str::trim)
        .filter(|l| !l.is_empty() && !l.starts_with("//"))
        .map(move |line| (line.as_ptr() as usize - base, line))
}
