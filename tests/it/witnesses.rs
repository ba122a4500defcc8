//! Who shows what: which script raises which counter, sends for which cause, passes through which
//! state, and what each sysctl changes. Found by playing every script in examples/scripts, written
//! to sim/src/glossary/witnesses.txt (`FINWAIT_UPDATE=1`) and compared with it otherwise, so that
//! nothing that `finwait explain` says of a script can rot.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use finwait_model::cause::Cause;
use finwait_model::counters::Mib;
use finwait_model::drop_reason::DropReason;
use finwait_model::release::Release;
use finwait_model::sink::Note;
use finwait_model::state::TcpState;
use finwait_model::sysctl::Sysctl;
use finwait_model::time::{Instant, Span};
use finwait_sim::because::{Because, Explain};
use finwait_sim::link::Fate;
use finwait_sim::run::run;
use finwait_sim::scenario::Scenario;
use finwait_sim::script::lower::lower;
use finwait_sim::script::plan::{Act, Plan};
use finwait_sim::script::runner::{Options, Played, play};
use finwait_sim::script::stir::{Effect, Stir};
use finwait_sim::watch::{Sent, Watch as _};
use finwait_sim::world::{HostId, Turns};
use rayon::prelude::*;

use crate::scripts::{read, scripts};

/// How many scripts are named for each thing; those that show the least besides come first.
const NAMED: usize = 4;

/// A script, played.
struct Case {
    name: String,
    about: String,
    plan: Plan,
    played: Played,
    /// The earlier events of the RSTs in it, with their causes.
    becauses: Vec<(&'static str, &'static str)>,
}

/// What is known of one thing, by what it is about.
type Facts = BTreeMap<(&'static str, String, &'static str), Vec<String>>;

fn cases() -> Vec<Case> {
    let case = |(name, path): &(String, PathBuf)| {
        let script = read(name, path);
        let release = script.kernel.unwrap_or(Release::V6_18);
        let plan = lower(&script, release, &|_| None).unwrap_or_else(|e| panic!("{name}: {e}"));
        let played = play(&plan, &Options { stirs: true, ..Options::default() });
        let plain = |line: &&String| !line.starts_with("Behaviour: ");
        let about: Vec<_> = script.about.iter().filter(plain).cloned().collect();
        let becauses = becauses(&played.stirs);
        Case { name: name.clone(), about: about.join(" "), plan, played, becauses }
    };
    scripts().par_iter().map(case).collect()
}

/// Tells the explainer of scenarios what happened in a script.
fn becauses(stirs: &[Stir]) -> Vec<(&'static str, &'static str)> {
    let (host, mut explain) = (HostId(0), Explain::new(1));
    for stir in stirs {
        for effect in &stir.effects {
            match effect {
                Effect::Noted(note) => explain.noted(stir.at, host, note),
                Effect::Sent(segment, cause) => explain.sent(&Sent {
                    at: stir.at,
                    host,
                    segment,
                    cause: *cause,
                    answers: stir.arrived.as_ref(),
                    fate: Fate::Arrives(Instant::ZERO),
                }),
            }
        }
    }
    explain.into_groups().iter().map(|g| (g.because.name(), g.cause.name())).collect()
}

/// How much a script shows: the less, the better it shows each of it.
fn breadth(case: &Case) -> usize {
    case.played.causes.len() + case.played.observed.counters.len() + case.plan.steps.len()
}

/// Does the script say that it is about the thing?
fn mentions(case: &Case, name: &str) -> bool {
    let bare = name.rsplit('.').next().unwrap_or(name);
    let bare = bare.strip_prefix("TcpExt").or_else(|| bare.strip_prefix("Tcp")).unwrap_or(bare);
    let bare = bare.strip_prefix("TCP_").unwrap_or(bare);
    let dashed = bare.to_lowercase().replace('_', "-");
    case.about.contains(bare) || case.name.contains(&dashed)
}

/// Notes that `case` shows the thing; the scripts are cut to the best few at the end.
fn show(facts: &mut Facts, kind: &'static str, name: &str, case: &Case) {
    add(facts, (kind, name.to_owned(), "scripts"), &case.name);
}

/// The states that a host was seen in.
fn states(stir: &Stir) -> BTreeSet<TcpState> {
    let mut seen = BTreeSet::new();
    for note in stir.notes() {
        match *note {
            Note::State { from, to, .. } => seen.extend([from, to]),
            Note::BucketBorn { substate, .. } => seen.extend([substate]),
            Note::BucketTimeWait { .. } => seen.extend([TcpState::TimeWait]),
            Note::RequestBorn { .. } => seen.extend([TcpState::NewSynRecv]),
            _ => {}
        }
    }
    seen
}

fn shown(facts: &mut Facts, cases: &[Case]) {
    for case in cases {
        facts.insert(("script", case.name.clone(), "about"), vec![case.about.clone()]);
        for (because, cause) in &case.becauses {
            show(facts, "because", because, case);
            add(facts, ("because", (*because).to_owned(), "causes"), cause);
        }
        for stir in &case.played.stirs {
            stir.rose.iter().for_each(|mib| show(facts, "counter", mib.nstat_name(), case));
            stir.causes().for_each(|cause| show(facts, "cause", cause.name(), case));
            states(stir).iter().for_each(|s| show(facts, "state", s.kernel_name(), case));
            for note in stir.notes() {
                if let Note::Drop { reason, .. } = note {
                    show(facts, "drop", reason.kernel_name(), case);
                }
            }
        }
    }
}

/// What each call counted in which a thing happened: every time, and only sometimes.
#[derive(Default)]
struct Together {
    always: Option<BTreeSet<&'static str>>,
    ever: BTreeSet<&'static str>,
}

impl Together {
    fn add(&mut self, names: &BTreeSet<&'static str>, alone: bool) {
        let always = self.always.get_or_insert_with(|| names.clone());
        always.retain(|name| names.contains(name));
        if alone {
            self.ever.extend(names);
        }
    }
    fn tell(self, facts: &mut Facts, kind: &'static str, name: &str, keys: [&'static str; 2]) {
        let always = self.always.unwrap_or_default();
        let sometimes = self.ever.difference(&always).copied().map(str::to_owned).collect();
        facts.insert((kind, name.to_owned(), keys[1]), sometimes);
        let always = always.into_iter().map(str::to_owned).collect();
        facts.insert((kind, name.to_owned(), keys[0]), always);
    }
}

/// Which counters go with which cause and drop reason, from all calls of all scripts.
fn together(facts: &mut Facts, cases: &[Case]) {
    let mut by_cause: BTreeMap<&str, Together> = BTreeMap::new();
    let mut by_drop: BTreeMap<&str, Together> = BTreeMap::new();
    let mut drop_causes: BTreeMap<&str, Together> = BTreeMap::new();
    for stir in cases.iter().flat_map(|case| &case.played.stirs) {
        let rose: BTreeSet<_> = stir.rose.iter().map(|mib| mib.nstat_name()).collect();
        let causes: BTreeSet<_> = stir.causes().map(Cause::name).collect();
        for cause in &causes {
            by_cause.entry(cause).or_default().add(&rose, causes.len() == 1);
        }
        for note in stir.notes() {
            if let Note::Drop { reason, .. } = note {
                let name = reason.kernel_name();
                by_drop.entry(name).or_default().add(&rose, causes.len() <= 1);
                drop_causes.entry(name).or_default().add(&causes, true);
            }
        }
    }
    let counters = ["always", "sometimes"];
    by_cause.into_iter().for_each(|(name, t)| t.tell(facts, "cause", name, counters));
    by_drop.into_iter().for_each(|(name, t)| t.tell(facts, "drop", name, counters));
    let causes = ["answers", "may-answer"];
    drop_causes.into_iter().for_each(|(name, t)| t.tell(facts, "drop", name, causes));
}

/// Values worth trying for a sysctl; what the kernel refuses is left out. The default is one of them
/// for the scripts that set another.
fn values(name: &str, release: Release) -> Vec<String> {
    let normal = Sysctl::new(release).get(name);
    let tried = match name {
        "net.ipv4.ip_local_port_range" => vec!["40000 40001"],
        "net.ipv4.tcp_rmem" => vec!["4096 8192 8192", "4096 1048576 1048576"],
        "net.ipv4.tcp_wmem" => vec!["4096 4608 4608"],
        "net.ipv4.tcp_mem" => vec!["1 1 1"],
        _ => vec!["-1", "0", "1", "2", "3", "4", "40", "61", "255", "1000", "5000", "1000000"],
    };
    let tried = tried.into_iter().map(str::to_owned).chain(normal);
    tried.filter(|value| Sysctl::new(release).set(name, value).is_ok()).collect()
}

/// What changes in all scripts if the sysctl does: scripts, causes, counters.
fn changes(name: &str, cases: &[Case]) -> [BTreeSet<String>; 3] {
    let mut all = [const { BTreeSet::new() }; 3];
    for case in cases {
        for value in values(name, case.plan.settings.release) {
            let sysctls = vec![(name.to_owned(), value)];
            let options = Options { sysctls, keep_going: true, ..Options::default() };
            let other = play(&case.plan, &options);
            let (was, is) = (&case.played.observed, &other.observed);
            if was.records == is.records && was.counters == is.counters {
                continue;
            }
            all[0].insert(case.name.clone());
            let one_only =
                |c: &&Cause| !case.played.causes.contains(c) || !other.causes.contains(c);
            let causes = case.played.causes.iter().chain(&other.causes).filter(one_only);
            all[1].extend(causes.map(|c| c.name().to_owned()));
            let counters = was.counters.keys().chain(is.counters.keys());
            let differs =
                |n: &&String| was.counters.contains_key(*n) != is.counters.contains_key(*n);
            all[2].extend(counters.filter(differs).cloned());
        }
    }
    all
}

fn sysctls(facts: &mut Facts, cases: &[Case]) {
    let names: BTreeSet<_> =
        Release::ALL.iter().flat_map(|&r| Sysctl::new(r).names().collect::<Vec<_>>()).collect();
    // A script that sets it shows it better than one that only depends on it.
    let mut set: BTreeSet<(String, String)> = BTreeSet::new();
    for case in cases {
        let later = case.plan.steps.iter().filter_map(|step| match &step.act {
            Act::Sysctl(values) => Some(values),
            _ => None,
        });
        let names = case.plan.sysctls.iter().chain(later.flatten());
        set.extend(names.map(|(name, _)| (name.clone(), case.name.clone())));
    }
    let found: Vec<_> = names.par_iter().map(|name| (*name, changes(name, cases))).collect();
    for (name, [scripts, causes, counters]) in found {
        let mut put = |key, set: BTreeSet<String>| {
            facts.insert(("sysctl", name.to_owned(), key), set.into_iter().collect());
        };
        let sets = |script: &String| set.contains(&(name.to_owned(), script.clone()));
        let (setting, depending) = scripts.into_iter().partition(sets);
        put("set", setting);
        put("scripts", depending);
        put("causes", causes);
        put("counters", counters);
    }
}

fn behaviours(facts: &mut Facts) {
    for (name, path) in scripts() {
        for behaviour in crate::scripts::behaviours(&read(&name, &path)) {
            facts.entry(("behaviour", behaviour, "scripts")).or_default().push(name.clone());
        }
    }
}

/// The facts, one a line.
fn written(facts: Facts, cases: &[Case]) -> String {
    let mut text = String::from(
        "# Who shows what, found by playing examples/scripts; written by tests/it/witnesses.rs.\n\
         # kind, name, what follows, words; of many scripts the total and the plainest few.\n",
    );
    let by_name: BTreeMap<_, _> = cases.iter().map(|c| (c.name.clone(), c)).collect();
    for ((kind, name, key), mut words) in facts {
        if matches!(key, "scripts" | "set") && kind != "behaviour" {
            words.sort_by_cached_key(|script| {
                let case = by_name[script];
                (!mentions(case, &name), breadth(case), script.clone())
            });
            let total = words.len();
            words.truncate(NAMED);
            words.insert(0, total.to_string());
        }
        if !words.is_empty() && words[0] != "0" {
            let _ = writeln!(text, "{kind} {name} {key} {}", words.join(" "));
        }
    }
    text
}

/// How much of a scenario is run: the incident's first refusals come before.
const MOST_S: u64 = 60;

/// Which scenario raises what, and which of them sets a sysctl.
fn scenarios(facts: &mut Facts) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/scenarios");
    let mut paths: Vec<_> = std::fs::read_dir(folder)
        .expect("the folder is there")
        .map(|entry| entry.expect("it can be listed").path())
        .collect();
    paths.sort();
    let ran: Vec<_> = paths
        .par_iter()
        .map(|path| {
            let text = std::fs::read_to_string(path).expect("it can be read");
            let mut scenario = Scenario::parse(&text, "one").expect("it is a scenario");
            scenario.duration = scenario.duration.min(Span::secs(MOST_S));
            let outcome = run(&scenario, Turns::Forward, |_| ());
            (path.file_stem().expect("it has a name").to_string_lossy().into_owned(), outcome)
        })
        .collect();
    for (name, outcome) in &ran {
        for host in &outcome.hosts {
            let raised = host.mib.iter().filter(|(_, n)| *n > 0);
            let mut shown: Vec<_> = raised.map(|(m, _)| ("counter", m.nstat_name())).collect();
            for group in &host.rst {
                let (because, cause) = (group.because.name(), group.cause.name());
                shown.extend([("cause", cause), ("because", because)]);
                add(facts, ("because", because.to_owned(), "causes"), cause);
            }
            let normal = Sysctl::new(host.release);
            shown.extend(
                host.sysctl
                    .names()
                    .filter(|n| host.sysctl.get(n) != normal.get(n))
                    .map(|n| ("sysctl", n)),
            );
            for (kind, thing) in shown {
                add(facts, (kind, thing.to_owned(), "scenarios"), name);
            }
        }
    }
}

fn add(facts: &mut Facts, key: (&'static str, String, &'static str), word: &str) {
    let words = facts.entry(key).or_default();
    if !words.iter().any(|w| w == word) {
        words.push(word.to_owned());
    }
}

#[test]
fn what_the_scripts_show_is_written_down() {
    let cases = cases();
    let mut facts = Facts::new();
    shown(&mut facts, &cases);
    together(&mut facts, &cases);
    sysctls(&mut facts, &cases);
    behaviours(&mut facts);
    scenarios(&mut facts);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("sim/src/glossary/witnesses.txt");
    crate::golden::check_at(&path, &written(facts, &cases));
}

/// Counters of which no script raises any, and why.
const NEVER_RAISED: [(Mib, &str); 1] = [(
    Mib::TCPZeroWindowDrop,
    "6.18 refuses what sticks out of a shut window before it looks at the queue, and 3.10 does not count it",
)];

#[test]
fn every_counter_of_the_model_is_raised_by_a_script() {
    let cases = cases();
    let mut raised: BTreeSet<Mib> = BTreeSet::new();
    raised.extend(cases.iter().flat_map(|c| &c.played.stirs).flat_map(|s| &s.rose));
    for mib in Mib::ALL {
        let excused = !mib.is_modelled() || NEVER_RAISED.iter().any(|(never, _)| never == mib);
        assert_ne!(raised.contains(mib), excused, "{}", mib.nstat_name());
    }
}

/// Drop reasons and earlier events that nothing in examples shows, and why.
const NEVER_SHOWN: [(&str, &str); 6] = [
    ("NETFILTER_DROP", "only a box on the way drops so, and a script has one host"),
    ("TCP_OVERWINDOW", "tcp_sequence refuses it before"),
    ("TCP_RFC7323_TSECR", "the model answers such a segment and notes no drop"),
    ("TCP_CLOSE", "a socket in CLOSE is out of the tables"),
    ("TCP_OLD_ACK", "in SYN-RECV an old ACK is older than our SYN, and so too old"),
    ("bucket-replaced", "the connection that takes the place is remembered instead"),
];

#[test]
fn every_reason_and_earlier_event_is_shown() {
    let facts = include_str!("../../sim/src/glossary/witnesses.txt");
    let drops = DropReason::ALL.iter().map(|reason| ("drop", reason.kernel_name()));
    let earlier = Because::ALL.iter().map(|because| ("because", because.name()));
    for (kind, name) in drops.chain(earlier) {
        let seen = ["scripts", "scenarios"]
            .iter()
            .any(|key| facts.lines().any(|l| l.starts_with(&format!("{kind} {name} {key} "))));
        let excused = NEVER_SHOWN.iter().any(|(never, _)| *never == name);
        assert_ne!(seen, excused, "{kind} {name}");
    }
}
