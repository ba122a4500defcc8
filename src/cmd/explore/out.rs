//! What was found as files: a folder for each kind.

use std::path::Path;

use finwait_sim::explore::{Kind, Property};

use super::tell::{self, Told};
use crate::failure::Failure;
use crate::out_dir::{Folder, RUN};

/// What the folder of a kind is called.
pub(super) fn folder(kind: &Kind) -> String {
    kind.to_string().replace('/', "-")
}

/// Writes everything.
pub(super) fn write(path: &Path, property: &Property, told: &[Told<'_>]) -> Result<(), Failure> {
    for one in told {
        let kind = &one.found.violation.kind;
        let folder = Folder::create(&path.join(folder(kind)))?;
        folder.write("schedule.toml", one.file.as_bytes())?;
        folder.write(RUN, &one.bytes)?;
        if let Some(pkt) = &one.pkt {
            let host = &one.found.schedule.hosts[one.found.violation.side].name;
            folder.write(&format!("{host}.pkt"), pkt.as_bytes())?;
        }
        let mut text = format!("{property}\n");
        tell::story(&mut text, one);
        folder.write("story.txt", text.as_bytes())?;
    }
    Ok(())
}
