//! `--pcap`: what passes the device of a live run, as a file.

use std::io;
use std::path::Path;

use finwait_model::time::Instant;
use finwait_sim::pcap::Raw;

use crate::failure::Failure;
use crate::whole_file::WholeFile;

/// The file, if one was asked for.
#[derive(Debug)]
pub(super) struct Passed {
    file: Option<Raw<WholeFile>>,
    /// What went wrong with writing. The run goes on without the file.
    trouble: Option<io::Error>,
}

impl Passed {
    /// Begins it.
    pub(super) fn begin(path: Option<&Path>) -> Result<Self, Failure> {
        let Some(path) = path else { return Ok(Self { file: None, trouble: None }) };
        let file = WholeFile::create(path)?;
        let wrong = file.complaint();
        let file = Raw::new(file).map_err(|error| wrong(&error))?;
        Ok(Self { file: Some(file), trouble: None })
    }
    /// A packet has passed.
    pub(super) fn packet(&mut self, now: Instant, packet: &[u8]) {
        if let (Some(file), None) = (&mut self.file, &self.trouble) {
            self.trouble = file.packet(now, packet).err();
        }
    }
    /// Puts it in its place.
    pub(super) fn finish(self) -> Result<(), Failure> {
        let Some(file) = self.file.map(Raw::into_inner) else { return Ok(()) };
        let Some(error) = self.trouble else { return file.keep() };
        let failure = file.complaint()(&error);
        file.keep_what_there_is();
        Err(failure)
    }
}
