//! The part of a run that is looked at, as it was typed.

use finwait_model::time::Instant;
use finwait_sim::scenario::Error;
use finwait_sim::units;

use crate::failure::Failure;

/// What of a run is looked at.
#[derive(Clone, Default, Debug, clap::Args)]
pub(crate) struct Part {
    /// From this time of the run on, such as 52.4s.
    #[arg(long, value_name = "TIME")]
    pub(crate) from: Option<String>,
    /// Up to this time of the run.
    #[arg(long, value_name = "TIME")]
    pub(crate) to: Option<String>,
}

impl Part {
    /// The two times.
    pub(crate) fn times(&self) -> Result<(Instant, Option<Instant>), Failure> {
        let from = self.from.as_deref().map(|text| time("--from", text)).transpose()?;
        let to = self.to.as_deref().map(|text| time("--to", text)).transpose()?;
        let from = from.unwrap_or(Instant::ZERO);
        if let (Some(end), Some(text)) = (to, &self.to)
            && end <= from
        {
            let error = Error {
                span: Some(0..text.len()),
                message: format!("nothing lies between {}s and {text}", from),
                expected: "expected a later time than --from".to_owned(),
                help: None,
            };
            return Err(Failure::in_text("--to", text, &error));
        }
        Ok((from, to))
    }
}

/// A time of the run.
pub(crate) fn time(flag: &str, text: &str) -> Result<Instant, Failure> {
    let span = units::span(text).map_err(|expected| {
        let error = Error {
            span: Some(0..text.len()),
            message: format!("{text:?} is no time of a run"),
            expected,
            help: None,
        };
        Failure::in_text(flag, text, &error)
    })?;
    Ok(Instant::ZERO + span)
}
