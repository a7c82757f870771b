//! What a cluster tells the observer: instances and pools as stations, CloudWatch metrics, totals, the audit.

use super::*;
use crate::cloudwatch;
use crate::observer::{Figures, Findings, Observed};

/// What is counted.
#[derive(Debug, Default)]
pub(super) struct Books {
    /// Queries that came and that were answered, since the start of the run.
    pub(super) offered: u64,
    answered: u64,
    /// Answers by cause to callers who waited for them; and to those who did not; since the warm-up.
    by_cause: [u64; Cause::COUNT],
    too_late: u64,
    /// Failovers begun before the warm-up was over.
    failovers_before: u64,
}

impl Books {
    #[inline]
    pub(super) fn settle(&mut self, outcome: Outcome, abandoned: bool) {
        self.answered += 1;
        if abandoned {
            self.too_late += 1;
        } else {
            self.by_cause[outcome.cause as usize] += 1;
        }
    }
}

/// Busy time over server time since an earlier look, which is replaced; NaN if there was no server.
fn utilisation_since(before: &mut (f64, f64), now: (f64, f64)) -> f64 {
    let (busy_before, there_before) = std::mem::replace(before, now);
    let there = now.1 - there_before;
    if there > 0.0 { (now.0 - busy_before) / there } else { f64::NAN }
}

impl Observed for Aurora {
    fn publish(&mut self, cx: &mut Cx<'_>) {
        let now = cx.now();
        let period_start = SimTime::from_nanos(now.as_nanos() - cloudwatch::PERIOD.as_nanos());
        for server in &mut self.servers {
            let utilisation = utilisation_since(&mut server.at_period, server.tally.busy_and_server_time(now));
            let answered = std::mem::take(&mut server.answered);
            // An instance that was away for all of the period has no datapoints.
            if utilisation.is_nan() {
                continue;
            }
            let metrics = &mut cx.shared.metrics;
            metrics.publish(server.cpu_metric, period_start, 100.0 * utilisation);
            metrics.publish(server.connections_metric, period_start, f64::from(server.connections));
            metrics.publish(server.queries_metric, period_start, answered as f64 / cloudwatch::PERIOD.as_secs_f64());
        }
    }

    fn warm_up_over(&mut self, now: SimTime) {
        for server in &mut self.servers {
            server.tally.reset(now);
            (server.at_bin, server.at_period) = ((0.0, 0.0), (0.0, 0.0));
            (server.opened, server.refused, server.most_connections) = (0, 0, server.connections);
        }
        for pools in &mut self.pools {
            pools.tally.reset(now);
            pools.at_bin = (0.0, 0.0);
        }
        let Books { offered, answered, .. } = self.books;
        self.books = Books { offered, answered, failovers_before: self.roles.failovers, ..Books::default() };
    }

    fn sample(&mut self, now: SimTime, figures: &mut Figures) {
        for server in &mut self.servers {
            let utilisation = utilisation_since(&mut server.at_bin, server.tally.busy_and_server_time(now));
            figures.put(server.figure, now, utilisation);
        }
        for pools in &mut self.pools {
            if let Some(figure) = pools.figure {
                let utilisation = utilisation_since(&mut pools.at_bin, pools.tally.busy_and_server_time(now));
                figures.put(figure, now, utilisation);
            }
        }
    }

    fn finish(&mut self, now: SimTime, findings: &mut Findings) {
        let servers = self.servers.iter().map(|server| (&server.name, &server.tally, "vCPU"));
        let used = self.pools.iter().filter(|pools| pools.figure.is_some());
        for (name, tally, resource) in servers.chain(used.map(|pools| (&pools.name, &pools.tally, "connection"))) {
            findings.stations.push(tally.observe(name, resource, now));
            findings.checks.extend(tally.check(now).into_iter().map(|mut check| {
                check.law = format!("{name}: {}", check.law);
                check
            }));
        }
        let (inside, agree) = self.inspect();
        let Books { offered, answered, .. } = self.books;
        findings.check(
            format!("{}: queries offered = answered + inside", self.name),
            offered == answered + inside,
            format!("{offered} = {answered} + {inside}"),
        );
        findings.check(
            format!("{}: connections of pools = connections of instances", self.name),
            agree,
            format!("{} in all", self.connections.len()),
        );
        self.count(findings);
    }
}

impl Aurora {
    fn count(&self, findings: &mut Findings) {
        for cause in Cause::ALL {
            let (answers, always) = (self.books.by_cause[cause as usize], cause == Cause::None);
            let name = if always { "queries answered" } else { cause.name() };
            if answers > 0 || always {
                findings.count(&self.name, name, answers as f64);
            }
        }
        findings.count(&self.name, "answered after the caller gave up", self.books.too_late as f64);
        findings.count(&self.name, "failovers", (self.roles.failovers - self.books.failovers_before) as f64);
        for server in &self.servers {
            findings.count(&server.name, "connections opened", server.opened as f64);
            findings.count(&server.name, "connections refused", server.refused as f64);
            findings.count(&server.name, "most connections at once", f64::from(server.most_connections));
        }
    }
}
