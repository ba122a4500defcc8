//! `--color` and NO_COLOR.

use crate::program::{command, finwait};

const RESET: [&str; 4] = ["plot", "examples/scenarios/linger-0.toml", "ladder", "--color=always"];

/// The text without its escapes.
fn stripped(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("\x1b[") {
        out.push_str(before);
        rest = after.split_once('m').expect("only styles are used").1;
    }
    out + rest
}

#[test]
fn a_pipe_gets_colours_only_if_it_asks_for_them() {
    let args = ["plot", "examples/scenarios/linger-0.toml", "ladder"];
    let plain = finwait(&args);
    assert!(!plain.stdout.contains('\x1b'), "{}", plain.stdout);
    let coloured = finwait(&RESET);
    let rst = coloured.stdout.lines().find(|line| line.contains("═▶")).expect("a RST");
    assert!(rst.contains("\x1b[1m\x1b[31m"), "{rst:?}");
    assert_eq!(stripped(&coloured.stdout), plain.stdout, "the same words");
}

#[test]
fn every_text_is_the_same_without_its_colours() {
    let mine = ["--color", "always"];
    for args in [
        &["run", "examples/scenarios/linger-0.toml", "--json"][..],
        &["explain", "examples/scenarios/linger-0.toml", "--rst", "1"],
        &["replay", "examples/scripts/linger-0.pkt"],
        &["explain", "tcp_max_tw_buckets"],
    ] {
        let plain = finwait(args);
        let coloured = finwait(&[args, &mine[..]].concat());
        let whole = |text: &str| {
            let lines = text.lines().filter(|line| !line.contains("wall"));
            lines.map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(whole(&stripped(&coloured.stdout)), whole(&plain.stdout), "{args:?}");
    }
}

#[test]
fn files_are_never_coloured() {
    let folder = crate::program::scratch("color_files");
    let path = folder.join("ladder.txt");
    let text = path.to_str().expect("it is text");
    let ended = finwait(&[&RESET[..], &["-o", text]].concat());
    assert_eq!(ended.status, 0, "{}", ended.stderr);
    assert!(!std::fs::read_to_string(&path).expect("it is there").contains('\x1b'));
}

#[test]
fn complaints_have_colours_too() {
    let bad = ["run", "no/such.toml"];
    assert!(finwait(&bad).stderr.starts_with("error: cannot read"));
    let ended = finwait(&[&bad[..], &["--color=always"]].concat());
    assert!(
        ended.stderr.starts_with("\x1b[1m\x1b[31merror\x1b[0m: cannot read"),
        "{:?}",
        ended.stderr
    );
    let ended = finwait(&["--color=always", "run", "README.md"]);
    assert!(ended.stderr.contains("\x1b[") && ended.stderr.contains("README.md"));
    // clap's own.
    assert!(finwait(&["--color=always", "--nonsense"]).stderr.contains('\x1b'));
    let ended = finwait(&["--color=blue"]);
    assert_eq!(ended.status, 2);
    assert!(ended.stderr.contains("auto, always, never"), "{}", ended.stderr);
}

#[test]
fn no_color_is_respected_and_an_explicit_wish_goes_before_it() {
    let mut quiet = command(&["--help"]);
    let out = quiet.env("NO_COLOR", "1").env("CLICOLOR_FORCE", "1").output().expect("it starts");
    assert!(!out.stdout.contains(&0x1b));
    let mut forced = command(&["--help"]);
    let out = forced.env("CLICOLOR_FORCE", "1").output().expect("it starts");
    assert!(out.stdout.contains(&0x1b));
    let mut asked = command(&RESET);
    let out = asked.env("NO_COLOR", "1").output().expect("it starts");
    assert!(out.stdout.contains(&0x1b));
}
