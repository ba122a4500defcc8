//! `finwait sweep --shard` on several machines, and `finwait merge`: by hand, with GNU parallel, and
//! as the examples for Slurm and Kubernetes do it.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use yaml_rust2::{Yaml, YamlLoader};

use crate::outside::here;
use crate::program::{finwait, text};
use crate::sweep::{BUCKETS, assert_same, files, stage};

fn sweep(file: &str, more: &[&str]) {
    let vary = format!("{BUCKETS}=50..500:+50");
    let args = ["sweep", file, "--vary", &vary, "--vary", "links.delay=100us,3ms", "--seeds", "2"];
    let ended = finwait(&[&args[..], more].concat());
    assert_eq!(ended.status, 0, "{}", ended.stderr);
}

#[test]
fn shards_put_together_are_the_whole() {
    let (folder, file) = stage("shards_whole");
    let path = |name: &str| folder.join(name);
    sweep(&file, &["--out", text(&path("whole"))]);
    for shard in ["1/3", "2/3", "3/3"] {
        sweep(&file, &["--shard", shard, "--out", text(&path(&shard[..1]))]);
    }
    let (one, two, three, merged) = (path("1"), path("2"), path("3"), path("merged"));
    // In whatever order.
    let parts = [text(&three), text(&one), text(&two)];
    let ended = finwait(&[&["merge"], &parts[..], &["--out", text(&merged)]].concat());
    assert_eq!((ended.status, ended.stderr.as_str()), (0, ""));
    assert_same(&path("whole"), &merged);
    let json = finwait(&[&["merge"], &parts[..], &["--json"]].concat()).stdout;
    let whole = finwait(&["merge", text(&path("whole")), "--json"]).stdout;
    assert_eq!(json, whole);
    // Nothing is written over the parts.
    let ended = finwait(&[&["merge"], &parts[..], &["--out", text(&one)]].concat());
    assert_eq!(ended.status, 2);
    assert!(ended.stderr.contains("or a part of one: the shards differ"), "{}", ended.stderr);
}

#[test]
fn missing_and_doubled_points_are_named() {
    let (folder, file) = stage("shards_missing");
    let path = |name: &str| folder.join(name);
    for shard in ["1/3", "2/3"] {
        sweep(&file, &["--shard", shard, "--out", text(&path(&shard[..1]))]);
    }
    let (one, two, out) = (path("1"), path("2"), path("merged"));
    let merge = |parts: &[&Path]| {
        let parts: Vec<&str> = parts.iter().map(|part| text(part)).collect();
        finwait(&[&["merge"], &parts[..], &["--out", text(&out)]].concat())
    };
    let ended = merge(&[&one, &two]);
    assert_eq!((ended.status, ended.stdout.as_str()), (2, ""));
    let expected = format!(
        "error: 12 of the sweep's runs are missing:\n  {BUCKETS}=100, links.delay=100us, seed 1\n  \
         {BUCKETS}=100, links.delay=100us, seed 2\n"
    );
    assert!(ended.stderr.starts_with(&expected), "{}", ended.stderr);
    let rest = "  … and 2 more\n  = help: they belong to shard 3/3; a shard that is started again goes on\n";
    assert!(ended.stderr.ends_with(rest), "{}", ended.stderr);
    let ended = merge(&[&one, &two, &one]);
    assert_eq!(ended.status, 2);
    let expected = format!(
        "error: 14 of the sweep's runs are there twice:\n  {BUCKETS}=50, links.delay=100us, seed 1: in {} \
         and in {}\n",
        one.display(),
        one.display()
    );
    assert!(ended.stderr.starts_with(&expected), "{}", ended.stderr);
    let other = path("other");
    let ended = finwait(&["sweep", &file, "--vary", "seed=1", "--out", text(&other)]);
    assert_eq!(ended.status, 0, "{}", ended.stderr);
    let ended = merge(&[&one, &other]);
    assert_eq!(ended.status, 2);
    assert!(
        ended
            .stderr
            .contains("of different sweeps: the values of --vary, the numbers of --seeds differ"),
        "{}",
        ended.stderr
    );
    let ended = merge(&[&folder]);
    assert!(ended.stderr.contains("is not the folder of a sweep"), "{}", ended.stderr);
    assert!(!out.exists());
}

/// A shell that finds finwait.
fn shell(program: &str) -> Command {
    let mut command = Command::new(program);
    let folder = Path::new(env!("CARGO_BIN_EXE_finwait")).parent().expect("it is in a folder");
    let path = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{}:{path}", folder.display()));
    command
}

fn fine(output: &Output) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
}

fn example(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/cluster").join(name);
    fs::read_to_string(path).expect("the example is there")
}

#[test]
fn gnu_parallel_runs_the_shards() {
    if !here("parallel") {
        return;
    }
    let (folder, file) = stage("shards_parallel");
    let vary = format!("{BUCKETS}=50..500:+50");
    let whole = folder.join("whole");
    let ended = finwait(&["sweep", &file, "--vary", &vary, "--out", text(&whole)]);
    assert_eq!(ended.status, 0, "{}", ended.stderr);
    // The line of docs/sweep.md, as it stands there.
    let page = include_str!("../../docs/sweep.md");
    let line = page.lines().find(|line| line.starts_with("parallel ")).expect("the page has it");
    let line = line
        .replace("mine.toml", &file)
        .replace("web.net.ipv4.tcp_max_tw_buckets=8192..262144:x2", &vary);
    assert!(line.contains(&vary), "{line}");
    let output = shell("bash").args(["-c", &line]).current_dir(&folder).output();
    fine(&output.expect("bash starts"));
    let merge = "finwait merge parts/* --out merged";
    assert!(page.contains(merge), "the page has the second step");
    let output = shell("bash").args(["-c", merge]).current_dir(&folder).output();
    fine(&output.expect("bash starts"));
    assert_same(&whole, &folder.join("merged"));
}

#[test]
fn the_slurm_array_of_the_documentation() {
    let (folder, file) = stage("shards_slurm");
    let script = example("sweep.sbatch");
    let array = script.lines().find_map(|line| line.strip_prefix("#SBATCH --array="));
    let (first, last) = array.and_then(|a| a.split_once('-')).expect("it is an array");
    let (first, last): (u32, u32) = (first.parse().unwrap(), last.parse().unwrap());
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/cluster/sweep.sbatch");
    for task in first..=last {
        let mut bash = shell("bash");
        bash.arg(&path).args([&file, "parts"]).current_dir(&folder);
        bash.env("SLURM_ARRAY_TASK_ID", task.to_string());
        bash.env("SLURM_ARRAY_TASK_COUNT", (last - first + 1).to_string());
        bash.env("SLURM_CPUS_PER_TASK", "1");
        fine(&bash.output().expect("bash starts"));
    }
    same_as_whole(&folder, &file, &folder.join("parts"));
}

#[test]
fn the_kubernetes_job_of_the_documentation() {
    let (folder, file) = stage("shards_kubernetes");
    let documents = YamlLoader::load_from_str(&example("sweep-job.yaml")).expect("it is YAML");
    let job = documents.iter().find(|one| one["kind"].as_str() == Some("Job")).expect("a Job");
    assert_eq!(job["apiVersion"].as_str(), Some("batch/v1"));
    let spec = &job["spec"];
    assert_eq!(spec["completionMode"].as_str(), Some("Indexed"));
    let completions = spec["completions"].as_i64().expect("so many");
    let pod = &spec["template"]["spec"];
    let container = &pod["containers"][0];
    let volumes: Vec<&str> = pod["volumes"]
        .as_vec()
        .expect("volumes")
        .iter()
        .filter_map(|v| v["name"].as_str())
        .collect();
    let parts = folder.join("parts");
    let scenario = folder.join("scenario");
    fs::create_dir_all(&scenario).expect("it can be made");
    fs::copy(&file, scenario.join("mine.toml")).expect("it can be copied");
    let mounts = container["volumeMounts"].as_vec().expect("mounts");
    let place = |mut text: String| {
        for mount in mounts {
            let name = mount["name"].as_str().expect("it has a name");
            assert!(volumes.contains(&name), "{name} is no volume");
            let here = if name == "scenario" { &scenario } else { &parts };
            let there = mount["mountPath"].as_str().expect("it has a place");
            text = text.replace(&format!("{there}/"), &format!("{}/", here.display()));
        }
        text
    };
    let words = |yaml: &Yaml| -> Vec<String> {
        let list = yaml.as_vec().expect("a list");
        list.iter().map(|word| place(word.as_str().expect("a word").to_owned())).collect()
    };
    let (command, args) = (words(&container["command"]), words(&container["args"]));
    assert!(args.iter().any(|arg| arg.contains(&format!("/{completions}"))), "{args:?}");
    for index in 0..completions {
        let mut pod = shell(&command[0]);
        pod.args(&command[1..]).args(&args).current_dir(&folder);
        fine(&pod.env("JOB_COMPLETION_INDEX", index.to_string()).output().expect("it starts"));
    }
    assert_eq!(fs::read_dir(&parts).expect("it is there").count() as i64, completions);
    same_as_whole(&folder, text(&scenario.join("mine.toml")), &parts);
}

/// The parts in a folder, put together, against the sweep that they say they are parts of.
fn same_as_whole(folder: &Path, file: &str, parts: &Path) {
    let mut parts: Vec<_> = fs::read_dir(parts)
        .expect("the folder is there")
        .map(|entry| entry.expect("it can be read").path())
        .collect();
    parts.sort();
    let head = fs::read_to_string(parts[0].join("sweep.journal")).expect("it has a journal");
    let head: serde_json::Value =
        serde_json::from_str(head.lines().next().expect("a line")).expect("it is JSON");
    let vary = head["vary"].as_array().expect("a list");
    let vary: Vec<&str> = vary.iter().filter_map(|text| text.as_str()).collect();
    let measures: Vec<&str> = head["measures"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|text| text.as_str())
        .collect();
    let measures = measures.join(",");
    let seeds = head["seeds"].to_string();
    let (whole, merged) = (folder.join("whole"), folder.join("merged"));
    let rest = ["--measure", &measures, "--seeds", &seeds, "--out", text(&whole)];
    let mut args = vec!["sweep", file];
    args.extend(vary.iter().flat_map(|text| ["--vary", text]));
    args.extend(rest);
    let ended = finwait(&args);
    assert_eq!(ended.status, 0, "{}", ended.stderr);
    let parts: Vec<&str> = parts.iter().map(|part| text(part)).collect();
    let ended = finwait(&[&["merge"], &parts[..], &["--out", text(&merged)]].concat());
    assert_eq!(ended.status, 0, "{}", ended.stderr);
    assert!(files(&merged)["sweep.csv"].iter().filter(|b| **b == b'\n').count() > parts.len());
    assert_same(&whole, &merged);
}
