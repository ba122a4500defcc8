//! Laws: Linux keeps them, and every kernel that is wrong on purpose breaks one.

use finwait_learn::exam::{Decision, Wrong as WrongDecision};
use finwait_learn::laws::{Laws, values_of, words_of};
use finwait_learn::mutant::Mutant;
use finwait_learn::subject::Subject;
use finwait_learn::trace::{self, FORGERIES};

use super::super::spec::MutantSpec;
use super::judge::subject;
use super::{Answer, Checked, Wrong};
use crate::failure::Failure;

/// Laws about decisions.
pub(super) fn decisions(
    answer: &Answer<'_>,
    name: &str,
    specs: &[MutantSpec],
) -> Result<Checked, Failure> {
    let subject = subject(name)?;
    let laws = match Laws::parse(answer.text, &words_of(&subject), false) {
        Ok(laws) => laws,
        Err(mistake) => return Ok(answer.mistake(&mistake)),
    };
    let mutants = mutants(answer, specs, &subject)?;
    let mut seen: Vec<_> = Vec::new();
    for case in subject.cases() {
        let found = subject.observe(&case);
        if let Some(law) = laws.broken_by(&values_of(&case, found.verdict)) {
            let about = subject.verdict(found.verdict).does;
            let decision = Decision {
                verdict: None,
                by: format!("your law in line {}", law.line),
                rule: law.text.clone(),
            };
            let (number, segment) = found.subject();
            let sentence = format!(
                "Linux breaks your law in line {} (`{}`): segment {number} is {segment}, and it \
                 {about}: {}",
                law.line, law.text, found.why
            );
            let wrong = WrongDecision { subject, case, decision, seen: found };
            return Ok(told(sentence, &wrong, Vec::new()));
        }
        seen.push((case, found));
    }
    let mut missed = Vec::new();
    for mutant in &mutants {
        let caught = seen.iter().any(|(case, found)| {
            laws.broken_by(&values_of(case, mutant.decide(case, found))).is_some()
        });
        if !caught {
            missed.push(mutant);
        }
    }
    let Some(first) = missed.first() else {
        return Ok(Checked::Passed(format!(
            "Linux keeps your laws in all {} cases, and all {} mutants break one",
            seen.len(),
            mutants.len()
        )));
    };
    let differs = seen.into_iter().find(|(case, found)| first.decide(case, found) != found.verdict);
    let Some((case, found)) = differs else {
        let message = format!("error: {}: a mutant is Linux itself", answer.exercise.name);
        return Err(Failure::Input(message));
    };
    let verdict = first.decide(&case, &found);
    let decision =
        Decision { verdict: Some(verdict), by: "a mutant".to_owned(), rule: String::new() };
    let sentence = format!(
        "{} of {} mutants keep all your laws. The first {}",
        missed.len(),
        mutants.len(),
        first.about
    );
    let notes = vec![format!(
        "the mutant {}; Linux {}",
        subject.verdict(verdict).does,
        subject.verdict(found.verdict).does
    )];
    Ok(told(sentence, &WrongDecision { subject, case, decision, seen: found }, notes))
}

fn told(sentence: String, wrong: &WrongDecision, mut notes: Vec<String>) -> Checked {
    let ladder = match wrong.decision.verdict {
        None => {
            // Linux itself is the counterexample; nobody else sends anything.
            let ladder = wrong.ladder();
            ladder
                .lines()
                .filter(|l| !l.trim_start().starts_with("yours"))
                .fold(String::new(), |all, line| all + line + "\n")
        }
        Some(_) => wrong.ladder().replace("yours", "it   "),
    };
    notes.push(format!("here: {}", wrong.facts()));
    Checked::Wrong(Wrong { sentence, ladder, notes })
}

fn mutants(
    answer: &Answer<'_>,
    specs: &[MutantSpec],
    subject: &Subject,
) -> Result<Vec<Mutant>, Failure> {
    let name = format!("{}/exercise.toml", answer.exercise.name);
    let mutant = |spec: &MutantSpec| {
        Mutant::new(&spec.about, &spec.rule, subject)
            .map_err(|m| Failure::Input(format!("error: {name}: `{}`: {m}", spec.rule)))
    };
    specs.iter().map(mutant).collect()
}

/// Laws about conversations.
pub(super) fn conversations(answer: &Answer<'_>) -> Checked {
    let laws = match Laws::parse(answer.text, trace::WORDS, true) {
        Ok(laws) => laws,
        Err(mistake) => return answer.mistake(&mistake),
    };
    let traces = trace::traces();
    for trace in &traces {
        if let Some((law, breach)) = laws.breach(trace) {
            return Checked::Wrong(Wrong {
                sentence: format!(
                    "Linux breaks your law in line {} (`{}`) where {}",
                    law.line, law.text, trace.name
                ),
                ladder: trace.ladder(&breach.places),
                notes: Vec::new(),
            });
        }
    }
    let mut missed = Vec::new();
    for forgery in FORGERIES {
        let forged = traces.iter().filter_map(|trace| forgery.of(trace));
        let by = forged.into_iter().find(|forged| laws.breach(forged).is_none());
        missed.extend(by.map(|forged| (forgery, forged)));
    }
    let Some((forgery, forged)) = missed.first() else {
        return Checked::Passed(format!(
            "Linux keeps your laws in {} conversations, and all {} forgeries break one",
            traces.len(),
            FORGERIES.len()
        ));
    };
    let places: Vec<usize> =
        forged.events.iter().enumerate().filter(|(_, e)| e.forged).map(|(n, _)| n).collect();
    Checked::Wrong(Wrong {
        sentence: format!(
            "{} of {} forgeries keep all your laws. The first is a kernel that {}; here {}",
            missed.len(),
            FORGERIES.len(),
            forgery.about,
            forged.name
        ),
        ladder: forged.ladder(&places),
        notes: Vec::new(),
    })
}
