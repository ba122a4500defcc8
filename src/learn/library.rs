//! The exercises that there are: built in, or in a folder of somebody who writes some.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;

use finwait_sim::scenario::{Error, nearest};

use super::spec::Spec;
use crate::failure::Failure;

/// Every file of the exercises, and the sources that exercises in Rust need: `build.rs` wrote it.
const FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/learn_files.rs"));
/// Where the exercises lie in the repository.
const FOLDER: &str = "examples/exercises/";
/// What an exercise is.
const SPEC: &str = "exercise.toml";
/// What learners do not get lies here.
const KEPT: &str = "kept/";

/// An exercise with its files.
#[derive(Clone, Debug)]
pub(crate) struct Exercise {
    /// Its folder: `06_time_wait`.
    pub(crate) name: String,
    /// What its `exercise.toml` says.
    pub(crate) spec: Spec,
    files: BTreeMap<String, Cow<'static, str>>,
}

impl Exercise {
    /// Its number.
    pub(crate) fn number(&self) -> &str {
        self.name.split('_').next().unwrap_or(&self.name)
    }
    /// A file of it.
    pub(crate) fn file(&self, name: &str) -> Result<&str, Failure> {
        self.files.get(name).map(|text| &**text).ok_or_else(|| {
            Failure::Input(format!("error: exercise {} has no file {name}", self.name))
        })
    }
    /// A file that learners do not get.
    pub(crate) fn kept(&self, name: &str) -> Result<&str, Failure> {
        self.file(&format!("{KEPT}{name}"))
    }
    /// A scenario or another file, whether learners get it or not.
    pub(crate) fn any(&self, name: &str) -> Result<&str, Failure> {
        self.kept(name).or_else(|_| self.file(name))
    }
    /// The page.
    pub(crate) fn page(&self) -> Result<&str, Failure> {
        self.file("README.md")
    }
    /// The solution.
    pub(crate) fn solution(&self) -> Result<&str, Failure> {
        self.kept(&self.spec.answer)
    }
    /// What a learner gets: name and text.
    pub(crate) fn given(&self) -> impl Iterator<Item = (&str, &str)> {
        let given = |(name, _): &(&String, _)| !name.starts_with(KEPT) && *name != SPEC;
        self.files.iter().filter(given).map(|(name, text)| (name.as_str(), &**text))
    }
}

/// All exercises, in order.
#[derive(Clone, Debug)]
pub(crate) struct Library(pub(crate) Vec<Exercise>);

impl Library {
    /// Those that are built in, or those of a folder.
    pub(crate) fn open(folder: Option<&Path>) -> Result<Self, Failure> {
        match folder {
            None => Self::built_in(),
            Some(folder) => Self::of_folder(folder),
        }
    }
    fn built_in() -> Result<Self, Failure> {
        let mut all: BTreeMap<&str, BTreeMap<String, Cow<'static, str>>> = BTreeMap::new();
        for (path, text) in FILES {
            let Some((name, file)) = path.strip_prefix(FOLDER).and_then(|p| p.split_once('/'))
            else {
                continue;
            };
            all.entry(name).or_default().insert(file.to_owned(), Cow::Borrowed(text));
        }
        let read = |(name, files): (&str, _)| read(name, &format!("{FOLDER}{name}"), files);
        all.into_iter().map(read).collect::<Result<_, _>>().map(Self)
    }
    fn of_folder(folder: &Path) -> Result<Self, Failure> {
        let shown = folder.display().to_string();
        let listed = std::fs::read_dir(folder)
            .map_err(|e| Failure::Input(format!("error: cannot read the folder {shown}: {e}")))?;
        let mut exercises = Vec::new();
        for entry in listed {
            let path = entry?.path();
            if !path.join(SPEC).is_file() {
                continue;
            }
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let mut files = BTreeMap::new();
            gather(&path, "", &mut files)?;
            exercises.push(read(&name, &path.display().to_string(), files)?);
        }
        if exercises.is_empty() {
            return Err(Failure::Input(format!(
                "error: {shown} has no exercises\n  = help: expected folders with an {SPEC} in each"
            )));
        }
        exercises.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Self(exercises))
    }
    /// The exercise that is meant: its number, its name or a part of it.
    pub(crate) fn find(&self, text: &str) -> Result<&Exercise, Failure> {
        let number = text.parse::<u32>().ok();
        let meant = |e: &&Exercise| {
            e.name == text
                || (number.is_some() && e.number().parse::<u32>().ok() == number)
                || (number.is_none() && !text.is_empty() && e.name.contains(text))
        };
        let mut found = self.0.iter().filter(meant);
        let wrong = |message: String| {
            let names = || self.0.iter().map(|e| e.name.as_str());
            let error = Error {
                span: Some(0..text.len()),
                message,
                expected: "expected its number, its name, or a part of that".to_owned(),
                help: nearest(text, names()).map(|near| format!("did you mean `{near}`?")),
            };
            Failure::in_text("EXERCISE", text, &error)
        };
        match (found.next(), found.next()) {
            (Some(one), None) => Ok(one),
            (Some(one), Some(_)) if one.name == text => Ok(one),
            (Some(_), Some(_)) => Err(wrong(format!("{text:?} may be several exercises"))),
            (None, _) => Err(wrong(format!("there is no exercise {text:?}"))),
        }
    }
}

/// The sources of a crate below `model/src` or `learn/src`.
pub(crate) fn sources(folder: &str) -> impl Iterator<Item = (&'static str, &'static str)> {
    FILES.iter().filter_map(move |(path, text)| Some((path.strip_prefix(folder)?, *text)))
}

fn read(
    name: &str,
    shown: &str,
    files: BTreeMap<String, Cow<'static, str>>,
) -> Result<Exercise, Failure> {
    let path = format!("{shown}/{SPEC}");
    let Some(text) = files.get(SPEC) else {
        return Err(Failure::Input(format!("error: {shown} has no {SPEC}")));
    };
    let spec = toml::from_str(text)
        .map_err(|error: toml::de::Error| Failure::in_text(&path, text, &Error::from(error)))?;
    let exercise = Exercise { name: name.to_owned(), spec, files };
    // What every exercise needs is missed when it is opened, not when somebody is stuck in it.
    exercise.page()?;
    exercise.solution()?;
    exercise.file(&exercise.spec.answer)?;
    Ok(exercise)
}

fn gather(
    folder: &Path,
    prefix: &str,
    files: &mut BTreeMap<String, Cow<'static, str>>,
) -> Result<(), Failure> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with('.') {
            continue;
        }
        if path.is_dir() {
            gather(&path, &format!("{prefix}{name}/"), files)?;
        } else {
            let shown = path.display().to_string();
            let text =
                std::fs::read_to_string(&path).map_err(|e| Failure::unreadable(&shown, &e))?;
            files.insert(format!("{prefix}{name}"), Cow::Owned(text));
        }
    }
    Ok(())
}
