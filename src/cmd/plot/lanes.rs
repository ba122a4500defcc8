//! `finwait plot RUN lanes`: connections as swim lanes.

use finwait_viz::lanes::{self, Zero};
use finwait_viz::run::Run;

use super::{Format, Made, Session, flows};
use crate::failure::Failure;
use crate::source::broken;

/// Makes it.
pub(crate) fn make(session: &mut Session<'_>, _: Format) -> Result<Made, Failure> {
    let stories = flows::several(session)?;
    let rec = session.recording()?;
    let path = session.args.run.display().to_string();
    let about = Run::read(&rec).map_err(|error| broken(&path, &error))?.about;
    let title = match &stories[..] {
        [story] => story.name(),
        several => {
            let from = several.iter().map(|story| story.from()).min().unwrap_or_default();
            format!("{} connections from {from} s on", several.len())
        }
    };
    let zero = if session.args.which.align { Zero::Connection } else { Zero::Run };
    let figure = lanes::figure(&title, &stories, zero, session.look(1280, 320), &about);
    Ok(Made::Figure(Box::new(figure)))
}
