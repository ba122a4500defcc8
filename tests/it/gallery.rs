//! docs/gallery.md and its pictures: what `finwait plot` draws, byte for byte.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use finwait_sim::run::run;
use finwait_sim::scenario::Scenario;
use finwait_sim::world::Turns;

use crate::golden;
use crate::program::finwait;

/// A picture: its file, what is typed for it, its heading, and what it shows.
struct Picture {
    file: &'static str,
    typed: &'static str,
    heading: &'static str,
    words: &'static str,
}

const INTRO: &str = "# Gallery\n\n\
    Written by the program's tests (`FINWAIT_UPDATE=1 cargo test --test it gallery`) and compared by \
    them byte for byte otherwise. What the flags mean: [pictures.md](pictures.md).\n";

const PICTURES: &[Picture] = &[
    Picture {
        file: "timeline.svg",
        typed: "docs/gallery/incident-eighth.toml timeline",
        heading: "A table that fills up",
        words: "The built-in incident at an eighth of its rate (so that the gallery is drawn in \
                seconds). After 52 s the table is full. From then on whole cells of the death row of \
                Linux 3.10 leave at once, and the table fills up again: the saw-tooth. Where the \
                buckets stand at the limit, closes are refused one, FIN-WAIT-2 is skipped, and RSTs \
                go out.",
    },
    Picture {
        file: "timeline-dark.svg",
        typed: "docs/gallery/incident-eighth.toml timeline --from 48s --to 78s --dark",
        heading: "The same from close by, for a dark slide",
        words: "Orphans are sockets that no program holds any more; the line runs over the states \
                that they are in.",
    },
    Picture {
        file: "compare.svg",
        typed: "docs/gallery/incident-eighth.toml compare",
        heading: "Two runs",
        words: "The incident and its counter-run, which has four times as many slots. They are the \
                same until the first bucket is refused; what happens then in each of them stands \
                below the title.",
    },
    Picture {
        file: "map.svg",
        typed: "docs/gallery/sweep.csv map --x rate --y max_tw_buckets --measure rst_sent --law 100ms",
        heading: "A sweep over two parameters",
        words: "RSTs that a client sends which closes first towards a peer that needs 100 ms for its \
                FIN, on Linux 6.18. Above the line the table has a slot for each close of a minute. A \
                little more is needed, since a timer of 60 s fires up to 64 s after.",
    },
    Picture {
        file: "curves.svg",
        typed: "docs/gallery/sweep.csv map --curves --x rate --y max_tw_buckets \
                --measure peak_buckets --law 100ms",
        heading: "The same as curves",
        words: "How many buckets there are at most, with a curve for each limit: each follows the \
                rate, a little above the line for the same reason, until it meets its limit.",
    },
    Picture {
        file: "ladder.svg",
        typed: "examples/scenarios/closes-apart.toml ladder \
                --beside-set web.net.ipv4.tcp_max_tw_buckets=100 --width 1500",
        heading: "Table full, table free",
        words: "The same connection with no slot for its bucket and with a hundred. Left, the socket \
                is destroyed when its FIN is acknowledged, nothing is there when the peer's FIN \
                comes 56.5 ms later, and the answer is a RST. Right, a bucket waits for it.",
    },
    Picture {
        file: "lanes.svg",
        typed: "examples/scenarios/closes-apart.toml lanes --align --width 1300",
        heading: "Five connections as lanes",
        words: "Both ends of each, along an axis on which 100 µs and 56 ms are both legible. The \
                dashed boxes are what is missing: FIN-WAIT-2.",
    },
    Picture {
        file: "machine.svg",
        typed: "examples/scenarios/tw-reuse.toml machine --width 1200",
        heading: "The state machine of a run",
        words: "How often each edge was taken, and why. Here each bucket in TIME-WAIT gives its \
                place to a new connect() (tcp_tw_reuse).",
    },
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs")
}

/// What is typed for it, without the fonts: whoever reads the page has some.
fn drawn(picture: &Picture) -> String {
    let mut args = vec!["plot"];
    args.extend(picture.typed.split(' '));
    args.extend(["--svg", "--no-fonts", "-o", "-"]);
    if !picture.typed.contains("--width") {
        args.extend(["--width", "1100"]);
    }
    let ended = finwait(&args);
    assert_eq!((ended.status, ended.stderr.as_str()), (0, ""), "{}", picture.typed);
    ended.stdout
}

#[test]
fn pictures_are_as_in_the_gallery() {
    sweep();
    for picture in PICTURES {
        let svg = drawn(picture);
        assert!(svg.len() < 80_000, "{} is too large for a page", picture.file);
        golden::check_at(&folder().join("gallery").join(picture.file), &svg);
    }
}

#[test]
fn the_page_has_every_picture() {
    let mut page = INTRO.to_owned();
    for Picture { file, typed, heading, words } in PICTURES {
        let _ = write!(page, "\n## {heading}\n\n`finwait plot {typed}`\n\n{words}\n\n");
        let _ = writeln!(page, "![{heading}](gallery/{file})");
    }
    golden::check_at(&folder().join("gallery.md"), &page);
}

/// Two parameters, each with a few values.
const RATES: [u32; 6] = [10, 20, 30, 40, 50, 60];
const LIMITS: [u32; 6] = [600, 1200, 1800, 2400, 3000, 3600];

/// The table of the maps: 36 short runs.
fn sweep() {
    let mut table = "rate,max_tw_buckets,rst_sent,peak_buckets,refused_buckets\n".to_owned();
    for rate in RATES {
        for limit in LIMITS {
            let scenario = Scenario::parse(&swept(rate, limit), "sweep").expect("it is one");
            let outcome = run(&scenario, Turns::Forward, |_| ());
            let web = outcome.host("web").expect("it takes part");
            let refused = web.series.last().map_or(0, |sample| sample.overflows);
            let (rsts, peak) = (web.rst_count(), web.peak.tw);
            let _ = writeln!(table, "{rate},{limit},{rsts},{peak},{refused}");
        }
    }
    golden::check_at(&folder().join("gallery/sweep.csv"), &table);
}

fn swept(rate: u32, limit: u32) -> String {
    format!(
        "duration = \"120s\"\n\
         [hosts.web]\nkernel = \"6.18\"\nhz = 1000\n\
         [hosts.web.sysctl]\n\"net.ipv4.tcp_max_tw_buckets\" = {limit}\n\
         [hosts.peer]\nkernel = \"6.18\"\n\
         [links]\ndelay = \"100us\"\n\
         [[apps]]\nkind = \"client\"\nhost = \"web\"\nto = \"peer:80\"\nrate = \"{rate}/s\"\n\
         [[apps]]\nkind = \"server\"\nhost = \"peer\"\nport = 80\nclose_after = \"100ms\"\n"
    )
}
