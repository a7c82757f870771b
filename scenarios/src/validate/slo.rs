//! Service level objectives.

use sim_core::observations::Objective;

use super::Check;
use super::traffic::Sources;
use crate::decode::Sp;
use crate::units::Share;

/// From a minute to a year.
const PERIOD: (f64, f64) = (60.0, 366.0 * 86_400.0);

impl Check<'_> {
    /// The objectives, with routes by their full names.
    pub(super) fn objective(&mut self, sources: &Sources) -> Option<Objective> {
        let slo = self.doc.slo.as_ref()?;
        if slo.availability.is_none() && slo.route.is_empty() {
            self.error(slo.span, "this objective says nothing", "give `availability`, or [[slo.route]]");
        }
        self.distinct(slo.route.iter().map(|one| &one.route), "objectives of routes");
        let mut routes = Vec::new();
        for one in &slo.route {
            self.route_known(&one.route, sources);
            let availability = self.reachable(&one.availability);
            let its = sources.route_names.iter().filter(|name| fits(name, &one.route));
            routes.extend(its.map(|name| (name.clone(), availability)));
        }
        Some(Objective {
            availability: slo.availability.as_ref().map(|share| self.reachable(share)),
            routes,
            period: self.time(&slo.period, "period", PERIOD.0, PERIOD.1, ""),
        })
    }

    fn reachable(&mut self, share: &Sp<Share>) -> f64 {
        if share.0 >= 1.0 || share.0 <= 0.0 {
            self.error(share.span, "this objective leaves no error budget", "more than 0% and less than 100%");
        }
        share.0
    }
}

/// Whether a route's full name is meant by what a scenario calls it.
pub(super) fn fits(name: &str, route: &str) -> bool {
    name == route || name.strip_suffix(route).is_some_and(|before| before.ends_with(' '))
}
