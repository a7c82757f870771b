//! Whatever is done to a scenario, it is read or refused, never a panic; and what is read runs.

mod brief;

use proptest::prelude::*;
use scenarios::{Override, Source, library, load};

/// What is done to a text.
#[derive(Clone, Debug)]
enum Damage {
    /// Cuts off the end.
    Truncate(usize),
    /// Takes some bytes out.
    Delete(usize, usize),
    /// Says some bytes twice.
    Duplicate(usize, usize),
    /// Puts one line in another's place.
    SwapLines(usize, usize),
    /// Gives one line's key another line's value.
    SwapValues(usize, usize),
    /// Gives a key some other value.
    Replace(usize, usize),
}

const VALUES: &[&str] = &[
    "-1",
    "0",
    "1e18",
    "nan",
    "-inf",
    "18446744073709551616",
    "1e400",
    "\"\"",
    "\"-5s\"",
    "\"1e12/s\"",
    "\"0s\"",
    "\"99999999d\"",
    "[]",
    "{}",
    "[[]]",
    "true",
    "\"ecs.web\"",
    "\"alb.front\"",
    "\"www.example.com\"",
    "\"station.database\"",
    "1979-05-27",
    "\"500%\"",
    "\"1e30GB\"",
    "{ exponential = \"0s\" }",
    "{ empirical = [] }",
    "{ mixture = [] }",
    "\"*\"",
    "\"\\u001b[31m\"",
    "{ erlang = { k = 0, mean = \"1s\" } }",
    "{ pareto = { shape = 1e300, low = \"1ns\", high = \"1h\" } }",
    "\"\\u0000\"",
    "\"é\"",
    "4294967295",
    "\"10m\"",
    "100000",
];

fn damage() -> impl Strategy<Value = Damage> {
    let n = 0..10_000usize;
    prop_oneof![
        1 => n.clone().prop_map(Damage::Truncate),
        2 => (n.clone(), 1..40usize).prop_map(|(a, b)| Damage::Delete(a, b)),
        2 => (n.clone(), 1..200usize).prop_map(|(a, b)| Damage::Duplicate(a, b)),
        2 => (n.clone(), n.clone()).prop_map(|(a, b)| Damage::SwapLines(a, b)),
        4 => (n.clone(), n.clone()).prop_map(|(a, b)| Damage::SwapValues(a, b)),
        6 => (n, 0..VALUES.len()).prop_map(|(a, b)| Damage::Replace(a, b)),
    ]
}

fn apply(text: &str, damage: &Damage) -> String {
    let chars: Vec<char> = text.chars().collect();
    let lines: Vec<&str> = text.lines().collect();
    let assignments: Vec<usize> = (0..lines.len()).filter(|n| lines[*n].contains(" = ")).collect();
    if chars.is_empty() || lines.is_empty() || assignments.is_empty() {
        return text.to_string();
    }
    let range = |start: usize, length: usize| {
        let start = start % chars.len();
        start..(start + length).min(chars.len())
    };
    let with_value = |at: usize, value: &str| {
        let mut lines: Vec<String> = lines.iter().map(|line| (*line).to_string()).collect();
        let line = assignments[at % assignments.len()];
        let key = lines[line].split(" = ").next().unwrap_or_default().to_string();
        lines[line] = format!("{key} = {value}");
        lines.join("\n")
    };
    match damage {
        Damage::Truncate(at) => chars[..at % chars.len()].iter().collect(),
        Damage::Delete(at, length) => {
            let cut = range(*at, *length);
            chars[..cut.start].iter().chain(&chars[cut.end..]).collect()
        }
        Damage::Duplicate(at, length) => {
            let twice = range(*at, *length);
            chars[..twice.end].iter().chain(&chars[twice.start..]).collect()
        }
        Damage::SwapLines(a, b) => {
            let mut lines = lines.clone();
            let (a, b) = (a % lines.len(), b % lines.len());
            lines.swap(a, b);
            lines.join("\n")
        }
        Damage::SwapValues(a, b) => {
            let from = lines[assignments[b % assignments.len()]];
            with_value(*a, from.split_once(" = ").map_or("0", |(_, value)| value))
        }
        Damage::Replace(at, value) => with_value(*at, VALUES[*value]),
    }
}

fn survives(text: String, overrides: &[Override]) {
    let source = Source { name: "damaged.toml".into(), text };
    match load(&source, overrides, None) {
        Ok(scenario) => brief::run(scenario.architecture, scenario.seed),
        Err(wrong) => {
            let plain = wrong.render(false);
            assert!(plain.contains("error: ") && !plain.contains('\u{1b}'), "{plain}");
            assert!(wrong.render(true).contains("error"));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_damaged_scenario_is_read_or_refused(which in 0..10usize, all in prop::collection::vec(damage(), 1..6)) {
        let names: Vec<&str> = library::list().map(|(name, _)| name).collect();
        let text = library::get(names[which % names.len()]).expect("in the library");
        let damaged = all.iter().fold(text.to_string(), |text, damage| apply(&text, damage));
        survives(damaged, &[]);
    }

    #[test]
    fn a_strange_override_is_applied_or_refused(key in "[a-z_.0-9\"=]{0,30}", value in 0..VALUES.len()) {
        let text = library::get("web-shop").expect("in the library");
        survives(text.to_string(), &[Override(format!("{key}={}", VALUES[value]))]);
    }

    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,200}") {
        survives(text, &[]);
    }
}

#[test]
fn keys_of_many_parts_do_not_exhaust_the_stack() {
    for n in [50, 1000, 3000, 200_000] {
        survives(format!("{} = 1", vec!["a"; n].join(".")), &[]);
        survives(format!("[{}]\nx = 1", vec!["a"; n].join(".")), &[]);
        survives(format!("a = {}{}", "[".repeat(n), "]".repeat(n)), &[]);
        let dotted = vec!["a"; n].join(".");
        survives("title = \"x\"".into(), &[Override(format!("{dotted}=1"))]);
    }
}
