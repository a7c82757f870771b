//! Expectations as JUnit XML, which continuous integration servers show as tests.

use quick_junit::{NonSuccessKind, Report as JunitReport, TestCase, TestCaseStatus, TestSuite};

use crate::format::{Unit, figure, plain};
use crate::model::{Estimate, ExpectationResult, Outcome, Report};
use crate::terminal::{caution_text, expectation_text, setting};

impl Report {
    /// One test suite: a test for each expectation, and one for the run's audit of itself. No times of day and no durations: the same
    /// report gives the same bytes.
    #[must_use]
    pub fn to_junit(&self) -> String {
        let mut suite = TestSuite::new(self.scenario.as_str());
        suite.add_test_cases(self.expectations.iter().map(|one| self.case(one)));
        suite.add_test_case(self.audit_case());
        let mut told = vec![setting(self)];
        told.extend(self.cautions.iter().map(caution_text));
        suite.set_system_out(told.join("\n"));
        let mut report = JunitReport::new("stormglass");
        report.add_test_suite(suite);
        let text = report.to_string();
        debug_assert!(text.is_ok(), "text can always be written: {text:?}");
        text.unwrap_or_default()
    }

    fn case(&self, one: &ExpectationResult) -> TestCase {
        let found = figure(Unit::of_path(&one.metric), &Estimate { value: one.value, half_width: one.half_width });
        let status = match one.verdict {
            Outcome::Pass => TestCaseStatus::success(),
            Outcome::Fail => {
                let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
                status.set_message(format!("{}: found {found}", expectation_text(one))).set_type("expectation");
                status
            }
        };
        let mut case = TestCase::new(expectation_text(one), status);
        case.set_classname(self.scenario.as_str());
        let note = one.note.as_ref().map_or_else(String::new, |note| format!("\n{note}"));
        let level = plain(Unit::Share, self.interval.confidence);
        let level = one.half_width.map_or_else(String::new, |_| format!(" (interval of {level})"));
        case.set_system_out(format!("found {found}{level}{note}"));
        case
    }

    fn audit_case(&self) -> TestCase {
        let broken: Vec<String> =
            self.audit.iter().filter(|law| !law.holds).map(|law| format!("{}: {}", law.law, law.found)).collect();
        let status = if self.audit_passed() {
            TestCaseStatus::success()
        } else {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
            status.set_message("the run's audit of itself failed").set_type("audit").set_description(broken.join("\n"));
            status
        };
        let mut case = TestCase::new("audit: every law that the run checks itself by holds", status);
        case.set_classname(self.scenario.as_str());
        case
    }
}
