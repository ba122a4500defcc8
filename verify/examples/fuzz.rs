//! Plays generated cases (`fuzz SEED COUNT JOBS`) or one of them (`fuzz SEED 1 1 NUMBER`).
use finwait_verify::{check, generate, ladder, pkt, session, tap};

fn main() {
    let args: Vec<u64> = std::env::args().skip(1).filter_map(|a| a.parse().ok()).collect();
    let get = |i: usize, d: u64| args.get(i).copied().unwrap_or(d);
    let setup = check::Setup::new(tap::Tap::open().map_err(|e| eprintln!("{e}")).ok());
    if let Some(number) = args.get(3) {
        let case = generate::case(get(0, 1), *number);
        match check::check(&case, &setup) {
            check::Verdict::Differ(d) => {
                println!("{}", d.difference);
                println!("{:?}", case.sysctls);
                println!("{}", ladder::side_by_side(&case, &d.live, &d.model, u64::MAX / 2));
                println!("{}", pkt::text(&case, &d.live, &[]));
            }
            other => println!("{other:#?}"),
        }
        return;
    }
    std::panic::set_hook(Box::new(|_| {}));
    let options = session::Options {
        cases: get(1, 100),
        seed: get(0, 1),
        jobs: get(2, 64) as usize,
        shrink: std::env::var("SHRINK").is_ok(),
        findings_max: 1000,
        ..Default::default()
    };
    let report = session::run(&options, &setup, |r| {
        if r.played % 100 == 0 {
            eprintln!("{} played {} agree   ", r.played, r.agreed);
        }
    });
    for f in &report.differed {
        println!("\n## {}\n{}\n{:?}\n{}", f.case.name, f.difference, f.case.sysctls, f.ladder);
    }
    println!(
        "{} played, {} agreed, {} replayed, {} unable",
        report.played,
        report.agreed,
        report.replayed,
        report.unable.len()
    );
    println!("{:?}", report.unable.first());
    println!("{:?} {:?}", report.ticks, report.causes);
}
