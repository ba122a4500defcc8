use finwait_model::segment::Flags;
use finwait_sim::script::ast::TcpOption;
use finwait_sim::script::observe::Conn;
use finwait_verify::clock::Tick;
use finwait_verify::live;
use finwait_verify::step::*;

const CONN: Conn = Conn { local: 8080, remote: 40000 };

fn inject(flags: Flags, seq: u32, ack: u32, len: u16) -> Act {
    let options = if flags == Flags::SYN { vec![TcpOption::Mss(1460)] } else { vec![] };
    Act::Inject(Packet { conn: CONN, flags, seq, len, ack, win: 65535, options })
}

#[test]
fn probe() {
    let a = Flags::ACK;
    let acts = vec![
        Act::Call(Call::Socket { fd: 3 }),
        Act::Call(Call::Bind { fd: 3, port: 8080, any: true }),
        Act::Call(Call::Listen { fd: 3, backlog: 5 }),
        inject(Flags::SYN, 0, 0, 0),
        inject(a, 1, 1, 0),
        Act::Call(Call::Accept { fd: 3, new: 4 }),
        Act::Call(Call::Close { fd: 4 }),
        inject(a, 1, 2, 0),
        inject(a | Flags::FIN, 1, 2, 0),
        Act::Look,
    ];
    let steps = acts
        .into_iter()
        .enumerate()
        .map(|(event, act)| Step { event, when: When::After(10_000_000), act })
        .collect();
    for limit in ["0", "5"] {
        let case = Case {
            name: "x".into(),
            sysctls: vec![("net.ipv4.tcp_max_tw_buckets".into(), limit.into())],
            peer_isn: 1000,
            steps: Clone::clone(&steps),
        };
        let tick = Tick::of_this_machine();
        let played = std::thread::spawn(move || live::play(&case, tick)).join().unwrap().unwrap();
        println!("{tick:?} blurred {}", played.blurred);
        for s in &played.seen.sent {
            println!("{} {} {}", s.at_ns, s.step, s.header);
        }
        for s in &played.seen.steps {
            println!("{s:?}");
        }
        for s in &played.seen.answers {
            println!("{s:?}");
        }
        let last = played.seen.looks.last().unwrap();
        println!("{:?}\n{:?}", last.rows, last.counters);
    }
}

#[test]
fn soak() {
    let tick = Tick::of_this_machine();
    let t = std::time::Instant::now();
    let (mut blurred, mut steps, mut late) = (0, 0, vec![]);
    let n: usize = std::env::var("N").ok().and_then(|s| s.parse().ok()).unwrap_or(200);
    let j: usize = std::env::var("J").ok().and_then(|s| s.parse().ok()).unwrap_or(100);
    finwait_verify::pool::run(
        n,
        j,
        |i| {
            let case = finwait_verify::generate::case(1, i as u64);
            (live::play(&case, tick), case)
        },
        |i, (r, case)| match r {
            Err(e) => println!("{i} {e}"),
            Ok(p) => {
                blurred += p.blurred as usize;
                steps += p.seen.steps.len();
                for s in &p.seen.sent {
                    let ph = (s.at_ns + p.zero_ns) % tick.tick_ns;
                    // sent long after its step: by a timer
                    if s.at_ns > p.seen.steps[s.step].end_ns + 3_000_000 {
                        late.push(ph / 1000);
                    }
                }
                if i < 3 {
                    for (at, l) in finwait_verify::ladder::lines(&case, &p.seen) {
                        println!("{:>9} {l}", at / 1000);
                    }
                }
            }
        },
    );
    late.sort();
    println!(
        "{n} cases {steps} steps {blurred} blurred in {:?}; timer phase p50 {} p90 {} p99 {} max {} of {}",
        t.elapsed(),
        late[late.len() / 2],
        late[late.len() * 9 / 10],
        late[late.len() * 99 / 100],
        late[late.len() - 1],
        late.len()
    );
}
