//! The folder that `--out` names: a run's recording, its summaries, and what others add.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::failure::Failure;
use crate::whole_file::WholeFile;

/// The recording of a run in its folder.
pub(crate) const RUN: &str = "run.fwr";

/// The folder. Each file in it appears whole or not at all.
#[derive(Clone, Debug)]
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// Makes it, unless it is there.
    pub(crate) fn create(path: &Path) -> Result<Self, Failure> {
        fs::create_dir_all(path).map_err(|error| {
            Failure::Input(format!("error: cannot make the folder {}: {error}", path.display()))
        })?;
        Ok(Self(path.to_owned()))
    }
    /// Where a file of it is.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
    /// Writes a file of it in one piece.
    pub(crate) fn write(&self, name: &str, data: &[u8]) -> Result<(), Failure> {
        let mut file = WholeFile::create(&self.path(name))?;
        file.write_all(data).map_err(|error| file.complaint()(&error))?;
        file.keep()
    }
}
