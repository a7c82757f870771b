//! The cases, by family.

mod arrivals;
mod caches;
mod networks;
mod patience;
mod queues;

use super::case::Case;

/// Cases that belong together.
pub struct Family {
    /// What they are.
    pub title: &'static str,
    /// What is to be known of all of them.
    pub text: &'static str,
    /// The cases.
    pub cases: Vec<Case>,
}

/// All of them.
pub fn all() -> Vec<Family> {
    vec![
        queues::single(),
        queues::sharing(),
        queues::losses(),
        arrivals::arrivals(),
        networks::networks(),
        networks::balancing(),
        patience::patience(),
        patience::failures(),
        caches::caches(),
    ]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_case_can_be_read_and_has_a_name_of_its_own_and_figures_that_exist() {
        let mut names = BTreeSet::new();
        for case in all().iter().flat_map(|family| &family.cases) {
            assert!(names.insert(case.name), "{} is there twice", case.name);
            if let Err(error) = case.load() {
                panic!("{error}");
            }
            for figure in (case.figures)() {
                assert_eq!(reports::check_metric(figure.metric), Ok(()), "{}", case.name);
                assert!(figure.theory.is_finite() && figure.theory > 0.0, "{}: {}", case.name, figure.metric);
            }
        }
    }
}
