//! `finwait plot RUN perfetto`: a trace for ui.perfetto.dev, written as it is read.

use finwait_sim::capture;
use finwait_sim::text::grouped;
use finwait_viz::perfetto;
use finwait_viz::run::Run;

use super::{Format, Made, Session};
use crate::failure::Failure;
use crate::progress::Bar;
use crate::source::broken;

/// Makes it, while it is written.
pub(crate) fn make(session: &mut Session<'_>, _: Format) -> Result<Made, Failure> {
    let rec = session.recording()?;
    let path = session.args.run.display().to_string();
    let about = Run::read(&rec).map_err(|error| broken(&path, &error))?.about;
    let (from, to) = session.part(rec.end().at())?;
    Ok(Made::Stream(Box::new(move |out| {
        let bar = Bar::new("trace", to.since(finwait_model::time::Instant::ZERO));
        let written = perfetto::write(&rec, &about, from..to, out, |at| bar.reach(at));
        bar.finish();
        match written {
            Ok(written) => {
                if written.one_in > 1 {
                    eprintln!(
                        "note: {} sockets are more than {}: the trace shows one connection in {}",
                        grouped(written.sockets),
                        grouped(perfetto::MOST),
                        grouped(written.one_in)
                    );
                }
                Ok(Ok(()))
            }
            Err(capture::Error::Write(error)) => Ok(Err(error)),
            Err(capture::Error::Read(error)) => Err(broken(&path, &error)),
        }
    })))
}
