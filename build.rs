//! Puts the exercises, and the sources that exercises in Rust are built with, into the program, so
//! that `finwait learn` needs nothing but the program.

use std::fs;
use std::path::{Path, PathBuf};

fn main() {
    let out = std::env::var_os("OUT_DIR").map(PathBuf::from).expect("cargo says where");
    let root = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from).expect("cargo says where");
    let mut table = String::from("&[\n");
    for folder in ["examples/exercises", "model/src", "learn/src"] {
        let mut files = Vec::new();
        walk(&root.join(folder), &mut files);
        files.sort();
        for file in files {
            let name = file.strip_prefix(&root).expect("it is below").display().to_string();
            let path = file.display().to_string();
            table += &format!("({name:?}, include_str!({path:?})),\n");
        }
    }
    table += "]\n";
    fs::write(out.join("learn_files.rs"), table).expect("it can be written");
    println!("cargo::rerun-if-changed=build.rs");
}

/// All files of text below a folder, by name; a change in any folder begins the build anew.
fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
    println!("cargo::rerun-if-changed={}", folder.display());
    for entry in fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("it can be listed").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with('.') || name == "target" || name == "Cargo.lock" {
            continue;
        }
        if path.is_dir() {
            walk(&path, files);
        } else {
            files.push(path);
        }
    }
}
