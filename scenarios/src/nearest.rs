//! The name that was meant.

/// The names of `known` nearest to `wanted`, nearest first; none that is too far off to have been meant.
pub(crate) fn nearest<'a>(wanted: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let wanted = wanted.to_lowercase();
    let mut scored: Vec<(usize, &str)> = known
        .into_iter()
        .filter_map(|name| {
            let lower = name.to_lowercase();
            let distance = strsim::osa_distance(&wanted, &lower);
            let allowed = 1 + wanted.chars().count().max(lower.chars().count()) / 3;
            let part =
                wanted.len() >= 3 && (lower.contains(&wanted) || wanted.contains(lower.as_str()) && lower.len() >= 3);
            (distance <= allowed || part).then_some((distance, name))
        })
        .collect();
    scored.sort();
    scored.dedup();
    scored.into_iter().map(|(_, name)| name).take(3).collect()
}

/// What to say about an unknown name: the nearest known one, or all of them where they are few.
pub fn advice<'a>(wanted: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> String {
    let all: Vec<&str> = known.clone().into_iter().collect();
    let near = nearest(wanted, known);
    match (near.as_slice(), all.len()) {
        (_, 0) => "there is none".to_string(),
        ([first, ..], 9..) => format!("did you mean `{first}`?"),
        ([first, ..], _) => format!("did you mean `{first}`? known: {}", list(&all)),
        ([], 0..=24) => format!("known: {}", list(&all)),
        ([], _) => format!("there are {} of them, none with a similar name", all.len()),
    }
}

/// `a`, `b`, `c`.
pub(crate) fn list(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typo_finds_its_name_and_nonsense_finds_none() {
        assert_eq!(nearest("desird_count", ["desired_count", "cpu"]), ["desired_count"]);
        assert_eq!(nearest("interval_seconds", ["interval", "timeout"]), ["interval"]);
        assert!(nearest("zzzzzz", ["desired_count", "cpu"]).is_empty());
    }
}
