//! Laws hold of the real conversations, and each forgery breaks one.

use finwait_learn::laws::Laws;
use finwait_learn::trace::{FORGERIES, WORDS, traces};

#[test]
fn laws_of_conversations() {
    let text = "after in and fin eventually out and ack and ackno >= that.end\n\
        never out and ack and ackno > heard\n\
        never out and not rst and seq > said\n\
        after out and fin never out and len > 0\n\
        after out and fin never out and end > that.end and not rst\n\
        after out and ack never out and ack and ackno < that.ackno\n\
        after out and fin never out and fin and t_ms < that.t_ms + 200\n\
        after in and fin never out and rst\n\
        after in and rst never out";
    let laws = Laws::parse(text, WORDS, true).unwrap_or_else(|e| panic!("{e}"));
    let traces = traces();
    for trace in &traces {
        println!("{}\n{}", trace.name, trace.ladder(&[]));
        if let Some((law, breach)) = laws.breach(trace) {
            panic!("{}: {}\n{}", trace.name, law.text, trace.ladder(&breach.places));
        }
    }
    for forgery in FORGERIES {
        let forged: Vec<_> = traces.iter().filter_map(|trace| forgery.of(trace)).collect();
        assert!(!forged.is_empty(), "{} has an occasion", forgery.about);
        for trace in &forged {
            assert!(laws.breach(trace).is_some(), "{}:\n{}", forgery.about, trace.ladder(&[]));
        }
    }
}
