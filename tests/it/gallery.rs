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
    Picture {
        file: "ages.svg",
        typed: "examples/scenarios/short-code.toml ages",
        heading: "How old pooled connections are when they are closed",
        words: "3 % of the requests end with close(), and each destroys a connection of the pool: \
                most of them die young, long before the pool's 5 s of idleness. Nearly all \
                requests find a connection all the same. More of that: [pools.md](pools.md).",
    },
    Picture {
        file: "short-share.svg",
        typed: "docs/gallery/short-share.csv map --curves --x short_code_percent --y max_tw_buckets \
                --measure peak_buckets",
        heading: "TIME-WAIT against the share of short-connection code",
        words: "The same web server with more and more code that calls close(), and three tables. \
                With none of it a few tens of buckets are left by connections that were idle in \
                the pool; a few per cent fill the table.",
    },
    Picture {
        file: "smoltcp.svg",
        typed: "examples/scenarios/smoltcp-close.toml ladder --flow peer:62774-web:80 --width 1100",
        heading: "A TCP that is not Linux closes first",
        words: "smoltcp waits 90 s in FIN-WAIT-2, where Linux would have given up after 60 s \
                (tcp_fin_timeout), and then 10 s in TIME-WAIT. What else differs: \
                [smoltcp.md](smoltcp.md).",
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
    short_share();
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

/// Per cent of the requests that end with close(), and rooms of the table.
const SHARES: [&str; 11] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10"];
const ROOMS: [u32; 3] = [250, 500, 262_144];

/// How full the table of a web server becomes with more and more short-connection code: 33 short
/// runs.
fn short_share() {
    let path = folder().join("../examples/scenarios/short-code.toml");
    let text = std::fs::read_to_string(path).expect("it is there");
    let head =
        "short_code_percent,max_tw_buckets,peak_buckets,refused_buckets,rst_sent,hit_rate_percent";
    let mut table = format!("{head}\n");
    for share in SHARES {
        for room in ROOMS {
            let with_share = text.replace("share = \"3%\"", &format!("share = \"{share}%\""));
            let limit = "\"net.ipv4.tcp_max_tw_buckets\" = ";
            let with_room =
                with_share.replace(&format!("{limit}250\n"), &format!("{limit}{room}\n"));
            let scenario = Scenario::parse(&with_room, "short-code").expect("it is one");
            let outcome = run(&scenario, Turns::Forward, |_| ());
            let web = outcome.host("web").expect("it takes part");
            let pool = web.pool.as_ref().expect("it has one");
            let refused = web.series.last().map_or(0, |sample| sample.overflows);
            let hits = pool.hits * 10_000 / (pool.hits + pool.misses);
            let (peak, rsts) = (web.peak.tw, web.rst_count());
            let _ = writeln!(
                table,
                "{share},{room},{peak},{refused},{rsts},{}.{:02}",
                hits / 100,
                hits % 100
            );
            // What the page says of it.
            match share {
                "0" => assert!((10..100).contains(&peak) && refused == 0, "a few tens: {peak}"),
                "5" | "7" | "10" if room == 250 => {
                    assert!(peak == 250 && refused > 300, "{share} %")
                }
                _ => {}
            }
        }
    }
    golden::check_at(&folder().join("gallery/short-share.csv"), &table);
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
