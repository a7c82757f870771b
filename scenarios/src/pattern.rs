//! Path patterns: `*` stands for any text, `?` for any one character, everything else for itself (case matters).
//!
//! A route's path may itself hold wildcards; it then stands for the paths of its catalogue. A pattern has the route only if
//! it has all of them: the route's own `*` and `?` are taken as plain text, which `*` covers and `?` does not.

/// Longest pattern or path that may be typed; a log may hold longer paths.
pub(crate) const MAX_PATTERN: usize = 255;

/// Whether `pattern` has `path`.
pub(crate) fn matches(pattern: &str, path: &str) -> bool {
    let (pattern, path): (Vec<char>, Vec<char>) = (pattern.chars().collect(), path.chars().collect());
    let (mut p, mut t) = (0, 0);
    // Where to go on after the last `*`: its place, and how much of the text it has taken.
    let mut star: Option<(usize, usize)> = None;
    while t < path.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some('?') if path[t] != '*' => (p, t) = (p + 1, t + 1),
            Some(c) if *c == path[t] => (p, t) = (p + 1, t + 1),
            _ => match star {
                Some((at, taken)) => {
                    star = Some((at, taken + 1));
                    (p, t) = (at + 1, taken + 1);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

/// The first of `patterns` that has `path`.
pub(crate) fn first_match<'a>(patterns: impl IntoIterator<Item = &'a str>, path: &str) -> Option<usize> {
    patterns.into_iter().position(|pattern| matches(pattern, path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_stand_for_text() {
        assert!(matches("*", "/"));
        assert!(matches("/static/*", "/static/a/b.jpg"));
        assert!(matches("/*.jpg", "/a/b.jpg"));
        assert!(matches("/a?c", "/abc"));
        assert!(matches("/a*b*c", "/axxbyyc"));
        assert!(!matches("/a*b*c", "/axxcyy"));
        assert!(!matches("/static/*", "/Static/x"));
        assert!(!matches("/a?c", "/ac"));
        assert!(!matches("", "/"));
    }

    #[test]
    fn a_pattern_has_a_route_with_wildcards_only_if_it_has_all_its_paths() {
        assert!(matches("/static/*", "/static/*"));
        assert!(matches("/*", "/static/*"));
        assert!(matches("/static/*", "/static/img/*.jpg"));
        assert!(!matches("/static/*.jpg", "/static/*"));
        assert!(!matches("/static/?", "/static/*"));
    }
}
