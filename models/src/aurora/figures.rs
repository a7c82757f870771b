//! What a cluster tells the observer: instances and pools as stations, CloudWatch metrics, totals, the audit.

use super::pause::Sleep;
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
    /// Pages read from storage, and writes, since the warm-up; and when that was over.
    pub(super) pages_read: u64,
    pub(super) writes: u64,
    pub(super) counted_from: SimTime,
    /// Bytes of statements and results between zones, since then.
    pub(super) crossed: u64,
    /// Committed writes that a promoted replica did not have, in all promotions.
    pub(super) lost: Option<u64>,
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
        let mut readers: Vec<(f64, f64)> = Vec::new();
        for (number, server) in self.servers.iter_mut().enumerate() {
            let utilisation = utilisation_since(&mut server.at_period, server.tally.busy_and_server_time(now));
            let answered = std::mem::take(&mut server.answered);
            // An instance that was away for all of the period has no datapoints, nor has a standby.
            if utilisation.is_nan() || server.kind == Kind::Standby && self.roles.writer != Some(number as u16) {
                continue;
            }
            let metrics = &mut cx.shared.metrics;
            metrics.publish(server.cpu_metric, period_start, 100.0 * utilisation);
            metrics.publish(server.connections_metric, period_start, f64::from(server.connections));
            metrics.publish(server.queries_metric, period_start, answered as f64 / cloudwatch::PERIOD.as_secs_f64());
            if self.roles.writer != Some(number as u16) {
                readers.push((100.0 * utilisation, f64::from(server.connections)));
            }
        }
        if let Some(scaling) = &self.readers {
            scaling.publish(period_start, &readers, cx);
        }
        if let Some(global) = &mut self.global {
            global.publish(period_start, cx);
        }
        self.publish_lag_and_caches(period_start, cx);
        self.close_idle(cx);
    }

    fn warm_up_over(&mut self, now: SimTime) {
        for server in &mut self.servers {
            server.tally.reset(now);
            (server.at_bin, server.at_period) = ((0.0, 0.0), (0.0, 0.0));
            server.used_since_last_second(now);
            (server.opened, server.refused, server.most_connections) = (0, 0, server.connections);
        }
        for pools in self.pools.iter_mut().chain(self.proxy.iter_mut().flat_map(|proxy| &mut proxy.pools)) {
            pools.tally.reset(now);
            pools.at_bin = (0.0, 0.0);
        }
        if let Some(proxy) = &mut self.proxy {
            proxy.pinned = 0;
        }
        self.lag.reset();
        if let Some(readers) = &mut self.readers {
            readers.warm_up_over();
        }
        if let Some(global) = &mut self.global {
            global.warm_up_over();
        }
        if let Some(pauses) = &mut self.pauses {
            pauses.warm_up_over();
        }
        self.probers.iter_mut().for_each(|prober| prober.monitor.warm_up_over(now));
        let Books { offered, answered, .. } = self.books;
        let failovers_before = self.roles.failovers;
        self.books = Books { offered, answered, failovers_before, counted_from: now, ..Books::default() };
        self.servers.iter_mut().for_each(|server| server.forget_bill(now));
        self.allocated.forget(now);
    }

    fn sample(&mut self, now: SimTime, figures: &mut Figures) {
        for server in &mut self.servers {
            let utilisation = utilisation_since(&mut server.at_bin, server.tally.busy_and_server_time(now));
            figures.put(server.figure, now, utilisation);
        }
        if let Some(readers) = &self.readers {
            readers.sample(now, self.existing().count() - 1, figures);
        }
        for pools in self.pools.iter_mut().chain(self.proxy.iter_mut().flat_map(|proxy| &mut proxy.pools)) {
            let utilisation = utilisation_since(&mut pools.at_bin, pools.tally.busy_and_server_time(now));
            figures.put(pools.figure, now, utilisation);
        }
    }

    fn finish(&mut self, now: SimTime, findings: &mut Findings) {
        // Readers that auto scaling never needed are not spoken of.
        let servers = self.servers.iter().filter(|server| server.was_there());
        let servers = servers.map(|server| (&server.name, &server.tally, "vCPU"));
        let pools = self.pools.iter().chain(self.proxy.iter().flat_map(|proxy| &proxy.pools));
        for (name, tally, resource) in servers.chain(pools.map(|pools| (&pools.name, &pools.tally, "connection"))) {
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
        self.paid_for(now, findings);
        self.probes_found(now, findings);
    }
}

impl Aurora {
    /// Replica lag of each reader: the most that a write of the period was late. Hit ratio of each cache that was asked.
    fn publish_lag_and_caches(&mut self, period_start: SimTime, cx: &mut Cx<'_>) {
        let now = cx.now();
        let lag = self.lag.of_period().as_secs_f64() * if self.lag.is_rds() { 1.0 } else { 1e3 };
        for (number, server) in self.servers.iter_mut().enumerate() {
            let reads = std::mem::take(&mut server.page_reads);
            let hits = std::mem::take(&mut server.page_hits);
            if !server.is_up() {
                continue;
            }
            let follows = self.roles.writer != Some(number as u16) && server.kind != Kind::Apart;
            if let Some(metric) = server.lag_metric.filter(|_| follows) {
                cx.shared.metrics.publish(metric, period_start, lag);
            }
            if let (Some(metric), Some(acu)) = (server.acu_metric, server.acu) {
                let acu = if server.sleep == Sleep::Awake { acu } else { 0.0 };
                cx.shared.metrics.publish(metric, period_start, acu);
            }
            if let (Some(metric), Some(disk)) = (server.burst_metric, &mut server.disk)
                && let Some(balance) = disk.burst_balance(now)
            {
                cx.shared.metrics.publish(metric, period_start, balance);
            }
            if let Some(metric) = server.cache_metric.filter(|_| reads > 0) {
                cx.shared.metrics.publish(metric, period_start, 100.0 * hits as f64 / reads as f64);
            }
        }
    }

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
        if self.servers.len() > 1 {
            findings.count(&self.name, "reads at readers", self.lag.reads as f64);
            findings.count(&self.name, "reads that missed a committed write", self.lag.stale as f64);
        }
        if self.lag.delayed > 0 {
            findings.count(&self.name, "commits delayed by flow control", self.lag.delayed as f64);
        }
        if let Some(lost) = self.books.lost {
            findings.count(&self.name, "committed writes lost by promotion", lost as f64);
        }
        if let Some(proxy) = &self.proxy {
            findings.count(&self.name, "sessions pinned", proxy.pinned as f64);
        }
        if let Some(readers) = &self.readers {
            readers.count(&self.name, findings);
        }
        if let Some(global) = &self.global {
            global.count(&self.name, findings);
        }
        if let Some(pauses) = &self.pauses {
            pauses.count(&self.name, findings);
        }
        for server in self.servers.iter().filter(|server| server.was_there()) {
            findings.count(&server.name, "connections opened", server.opened as f64);
            findings.count(&server.name, "connections refused", server.refused as f64);
            findings.count(&server.name, "most connections at once", f64::from(server.most_connections));
        }
    }
}
