//! The same scenario at many points: what is run ([`plan`]), how ([`play`]), what is kept of it while
//! it goes on ([`journal`]), and what it came to ([`table`], [`figures`]).

pub(crate) mod figures;
pub(crate) mod journal;
mod number;
pub(crate) mod plan;
pub(crate) mod play;
pub(crate) mod row;
pub(crate) mod shard;
pub(crate) mod table;
mod values;

use std::collections::BTreeMap;

use crate::failure::{Failure, Verdict, print};
use crate::ink;
use crate::out_dir::Folder;
use journal::Head;
use plan::Plan;
use row::Row;
use table::Table;

/// Prints what a sweep came to, and writes it into a folder.
pub(crate) fn tell(
    plan: &Plan,
    head: &Head,
    rows: &BTreeMap<usize, Row>,
    folder: Option<&Folder>,
    json: bool,
) -> Result<Verdict, Failure> {
    let table = Table { plan, rows };
    if let Some(folder) = folder {
        folder.write("sweep.txt", table.text(false).as_bytes())?;
        folder.write("sweep.csv", table.csv().as_bytes())?;
        folder.write("sweep.ndjson", table.ndjson().as_bytes())?;
        for (name, figure) in figures::draw(&table) {
            folder.write(&name, figure.as_bytes())?;
        }
        // In the order of the runs, whichever ended first: the folder is the same every time.
        folder.write(journal::NAME, journal::sorted(head, rows, plan).as_bytes())?;
    }
    print(&if json { table.json() } else { table.text(ink::stdout()) })?;
    Ok(if table.failed() > 0 { Verdict::Differs } else { Verdict::Fine })
}
