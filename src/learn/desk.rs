//! The folder that a person works in, and what has been done there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::library::{Exercise, Library};
use crate::failure::Failure;
use crate::out_dir::Folder;

/// The file in which progress is kept; it makes a folder one of exercises.
const PROGRESS: &str = "progress.toml";
/// An answer of more bytes than this is none.
const MOST_BYTES: u64 = 1 << 20;

/// A folder of exercises.
#[derive(Debug)]
pub(crate) struct Desk {
    root: PathBuf,
    progress: Progress,
}

/// What has been done.
#[derive(Clone, Default, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Progress {
    /// Names of exercises that are solved.
    #[serde(default)]
    solved: Vec<String>,
    /// How many hints were shown of each.
    #[serde(default)]
    hints: BTreeMap<String, usize>,
}

impl Desk {
    /// Is that a folder of exercises?
    pub(crate) fn is_one(path: &Path) -> bool {
        path.join(PROGRESS).is_file()
    }
    /// Opens the folder, or finds it: this one, one above it, or `finwait-exercises` in it.
    pub(crate) fn open(path: Option<&Path>) -> Result<Self, Failure> {
        let root = match path {
            Some(path) if Self::is_one(path) => path.to_owned(),
            Some(path) => return Err(no_desk(&format!("{} is", path.display()))),
            None => Self::nearest().ok_or_else(|| no_desk("here is"))?,
        };
        let file = root.join(PROGRESS);
        let shown = file.display().to_string();
        let text = std::fs::read_to_string(&file).map_err(|e| Failure::unreadable(&shown, &e))?;
        let progress = toml::from_str(&text).map_err(|error: toml::de::Error| {
            Failure::in_text(&shown, &text, &finwait_sim::scenario::Error::from(error))
        })?;
        Ok(Self { root, progress })
    }
    /// The one that `finwait learn` means where none is named.
    pub(crate) fn nearest() -> Option<PathBuf> {
        let here = std::env::current_dir().ok()?;
        let above = here.ancestors().find(|folder| Self::is_one(folder)).map(Path::to_owned);
        above.or_else(|| Some(PathBuf::from("finwait-exercises")).filter(|p| Self::is_one(p)))
    }
    /// Writes what a person gets of every exercise; what is there already stays as it is.
    pub(crate) fn create(root: &Path, library: &Library) -> Result<(Self, usize), Failure> {
        Folder::create(root)?;
        let mut written = 0;
        for exercise in &library.0 {
            for (name, text) in exercise.given() {
                written += usize::from(put(&root.join(&exercise.name).join(name), text)?);
            }
        }
        if Self::is_one(root) {
            return Ok((Self::open(Some(root))?, written));
        }
        let desk = Self { root: root.to_owned(), progress: Progress::default() };
        desk.save()?;
        Ok((desk, written))
    }
    /// Where it is.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }
    /// The file that is to be written for an exercise.
    pub(crate) fn answer(&self, exercise: &Exercise) -> PathBuf {
        self.root.join(&exercise.name).join(&exercise.spec.answer)
    }
    /// What was written.
    pub(crate) fn read(&self, exercise: &Exercise) -> Result<String, Failure> {
        let path = self.answer(exercise);
        let shown = path.display().to_string();
        let missing = |e: &std::io::Error| {
            let help = "`finwait learn init` writes what is missing";
            Failure::Input(format!("error: cannot read {shown}: {e}\n  = help: {help}"))
        };
        let meta = std::fs::metadata(&path).map_err(|e| missing(&e))?;
        if meta.len() > MOST_BYTES || !meta.is_file() {
            let message = "expected a file of at most 1 MiB";
            return Err(Failure::Input(format!("error: {shown} is no answer: {message}")));
        }
        std::fs::read_to_string(&path).map_err(|e| missing(&e))
    }
    /// Is it solved?
    pub(crate) fn is_solved(&self, exercise: &Exercise) -> bool {
        self.progress.solved.contains(&exercise.name)
    }
    /// How many are solved.
    pub(crate) fn solved(&self, library: &Library) -> usize {
        library.0.iter().filter(|e| self.is_solved(e)).count()
    }
    /// The first that is not solved.
    pub(crate) fn next<'a>(&self, library: &'a Library) -> Option<&'a Exercise> {
        library.0.iter().find(|e| !self.is_solved(e))
    }
    /// Notes that an exercise is solved; was it news?
    pub(crate) fn note_solved(&mut self, exercise: &Exercise) -> Result<bool, Failure> {
        if self.is_solved(exercise) {
            return Ok(false);
        }
        self.progress.solved.push(exercise.name.clone());
        self.progress.solved.sort();
        self.save().map(|()| true)
    }
    /// How many hints of an exercise were shown.
    pub(crate) fn hints(&self, exercise: &Exercise) -> usize {
        self.progress.hints.get(&exercise.name).copied().unwrap_or(0)
    }
    /// Notes that so many hints of an exercise were shown.
    pub(crate) fn note_hints(&mut self, exercise: &Exercise, count: usize) -> Result<(), Failure> {
        self.progress.hints.insert(exercise.name.clone(), count);
        self.save()
    }
    fn save(&self) -> Result<(), Failure> {
        let head = "# Kept by `finwait learn`: what is solved, and how many hints were shown.\n";
        // JSON's strings are TOML's, too.
        let solved = serde_json::json!(self.progress.solved);
        let mut text = format!("{head}solved = {solved}\n\n[hints]\n");
        for (name, count) in &self.progress.hints {
            text += &format!("{} = {count}\n", serde_json::json!(name));
        }
        Folder::create(&self.root)?.write(PROGRESS, text.as_bytes())
    }
}

/// Writes a file unless it is there; was it written?
pub(crate) fn put(path: &Path, text: &str) -> Result<bool, Failure> {
    if path.exists() {
        return Ok(false);
    }
    let folder = Folder::create(path.parent().unwrap_or_else(|| Path::new(".")))?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    folder.write(&name, text.as_bytes()).map(|()| true)
}

fn no_desk(what: &str) -> Failure {
    Failure::Input(format!(
        "error: {what} no folder of exercises\n  = help: `finwait learn init DIR` makes one"
    ))
}
