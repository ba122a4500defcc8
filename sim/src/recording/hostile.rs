//! Whatever stands in a file, reading it ends, with an error or with events, and takes no more
//! memory than the file's size allows. Checksums are set right again, or they would catch
//! everything before the decoder sees it.

use std::io::Cursor;

use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use finwait_model::time::{Instant, Span};

use super::block::{Blocks, Body, HEAD, Head, Kind, PROLOGUE, unpack, unpack_list};
use super::header::Header;
use super::{Filter, Recorder, Recording, VERSION};
use crate::run::run_watched;
use crate::scenario::Scenario;
use crate::world::{HostId, Turns};

const SCENARIO: &str = r#"
duration = "300ms"
[hosts.a]
kernel = "3.10"
[hosts.a.sysctl]
"net.ipv4.tcp_max_tw_buckets" = 3
[hosts.b]
kernel = "6.18"
[links]
jitter = "2ms"
loss = "2%"
duplicate = "2%"
[[apps]]
kind = "client"
host = "a"
to = "b:80"
rate = "200/s"
close = "shutdown"
[[apps]]
kind = "server"
host = "b"
port = 80
"#;

/// The blocks of a recording with keyframes at two instants, unpacked.
fn blocks() -> Vec<Body> {
    let scenario = Scenario::parse(SCENARIO, "hostile").expect("it is right");
    let header = Header::new(&scenario, SCENARIO, None);
    let mut recorder = Recorder::new(Vec::new(), header);
    recorder.keyframes_are_due();
    let outcome = run_watched(&scenario, Turns::Forward, &mut recorder, |_| ());
    let bytes = recorder.finish(&outcome).expect("memory can be written");
    let mut at = PROLOGUE as usize;
    let mut out = Vec::new();
    loop {
        let head: [u8; HEAD] = bytes[at..at + HEAD].try_into().expect("a head");
        let head = Head::from_bytes(&head).expect("it is whole");
        let stored = &bytes[at + HEAD..at + HEAD + head.stored as usize];
        at += HEAD + stored.len();
        if head.kind == Kind::End {
            return out;
        }
        let (list, body) = unpack(&head, stored).expect("it is whole");
        assert_eq!(unpack_list(&head, &stored[..head.list_stored as usize]), Ok(list.clone()));
        let Head { kind, segments, resets, from, to, .. } = head;
        out.push(Body { kind, list, body, segments, resets, from, to });
    }
}

fn file(blocks: &[Body]) -> Vec<u8> {
    let mut file = Blocks::new(Vec::new(), VERSION);
    for block in blocks {
        file.write(block);
    }
    file.finish(b"{}".to_vec(), Instant::ZERO).0
}

/// Reads everything there is, and answers how many events there were.
fn read(bytes: Vec<u8>) -> usize {
    let Ok(recording) = Recording::read(Cursor::new(bytes)) else { return 0 };
    let all = Instant::ZERO..Instant { ns: u64::MAX };
    for host in 0..recording.hosts().len() {
        let host = HostId(host as u16);
        for ms in [0, 150, 299, 300_000] {
            let _ = recording.host_at(host, Instant::ZERO + Span::millis(ms));
        }
        let _ = recording.samples(host);
    }
    let _ = recording.reset(2);
    recording.events(all, Filter::ALL).filter(Result::is_ok).count()
}

#[test]
fn what_was_unpacked_and_packed_again_reads_as_before() {
    let blocks = blocks();
    assert!(blocks.iter().filter(|b| b.kind == Kind::Keyframe).count() > 1);
    assert!(read(file(&blocks)) > 1000);
}

/// The same cases every time; others with `PROPTEST_RNG_SEED`.
fn config() -> ProptestConfig {
    let mut config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    if std::env::var_os("PROPTEST_RNG_SEED").is_none() {
        config.rng_seed = RngSeed::Fixed(1);
    }
    config
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn broken_blocks_are_errors(
        changes in prop::collection::vec((any::<usize>(), any::<usize>(), any::<u8>()), 1..6),
        shorter in any::<prop::sample::Index>(),
    ) {
        let mut blocks = blocks();
        for (n, &(block, place, byte)) in changes.iter().enumerate() {
            let count = blocks.len();
            let block = &mut blocks[block % count];
            let bytes = if n % 3 == 0 && !block.list.is_empty() {
                &mut block.list
            } else {
                &mut block.body
            };
            if !bytes.is_empty() {
                let place = place % bytes.len();
                bytes[place] = byte;
            }
        }
        let events = read(file(&blocks));
        let last = blocks.len() - 1;
        let block = &mut blocks[1 + shorter.index(last)];
        block.body.truncate(block.body.len() / 2);
        prop_assert!(read(file(&blocks)) <= events.max(100_000));
    }

    #[test]
    fn broken_files_are_errors(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..20),
    ) {
        let mut bytes = file(&blocks());
        for (place, byte) in changes {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        read(bytes);
    }
}
