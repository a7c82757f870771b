//! Health checks: populations of checkers that probe an endpoint each on its own, and the status they make together.

use sim_core::observations::LogKind;
use sim_core::random::{Draws, Source};
use sim_core::{LaneId, SimDuration, SimTime};

use super::{Event, HealthCheck};
use crate::cloudwatch;
use crate::ids::MetricId;
use crate::observer::Findings;
use crate::request::*;
use crate::world::{self, Cx};

/// A health check is healthy if more than this share of its checkers say so, percent. AWS says the value "might change".
/// Source: Route 53 developer guide, "How Amazon Route 53 determines whether a health check is healthy".
pub const HEALTHY_SHARE_PERCENT: u32 = 18;

/// One checker of a health check.
#[derive(Clone, Copy, Debug)]
struct Checker {
    healthy: bool,
    /// Results in a row that contradict `healthy`.
    contradictions: u32,
    /// Probes sent so far.
    sent: u64,
    /// Stream of the probe that is out. By this, not by its key, an answer is known: who answers in place of a silent
    /// service does it with a copy of the request.
    probe: Option<u64>,
}

/// One health check at work.
#[derive(Debug)]
struct Check {
    settings: HealthCheck,
    /// Subject of log entries and counters.
    subject: String,
    /// Key of the streams of its checkers.
    key: u64,
    interval: LaneId,
    timeout: LaneId,
    checkers: Vec<Checker>,
    healthy_checkers: u32,
    healthy: bool,
    /// The status the name servers go by, which follows `healthy`.
    served: bool,
    status_metric: MetricId,
    share_metric: MetricId,
    tally: Tally,
    /// For the audit: since the start of the run.
    since_start: Tally,
}

#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    sent: u64,
    succeeded: u64,
    failed: u64,
    timed_out: u64,
    changes: u64,
}

/// All health checks.
#[derive(Debug)]
pub(super) struct Checks {
    checks: Vec<Check>,
    propagation: LaneId,
}

impl Checks {
    pub(super) fn new(settings: &[HealthCheck], propagation: SimDuration, cx: &mut Cx<'_>) -> Self {
        let checks = settings.iter().map(|settings| Check::new(settings, cx)).collect();
        Self { checks, propagation: cx.kernel.lane(propagation) }
    }

    /// The status that answers follow.
    pub(super) fn serves_as_healthy(&self, check: usize) -> bool {
        self.checks[check].served
    }

    /// Schedules every checker's first probe. Checkers do not coordinate (Route 53 developer guide): phases are independent
    /// and uniform over the interval.
    pub(super) fn start(&mut self, cx: &mut Cx<'_>) {
        for (number, check) in self.checks.iter().enumerate() {
            for checker in 0..check.settings.checkers {
                let phase = Draws::new(check.key, u64::from(checker)).uniform();
                let wait = check.settings.request_interval.scale(phase);
                cx.kernel.schedule_in(wait, world::Event::Route53(Event::Probe(number as u16, checker)));
            }
        }
    }

    /// A checker sends a probe.
    pub(super) fn probe(&mut self, number: u16, checker_number: u16, cx: &mut Cx<'_>) {
        let check = &mut self.checks[usize::from(number)];
        let checker = &mut check.checkers[usize::from(checker_number)];
        checker.sent += 1;
        let stream = sim_core::math::mix(check.key ^ u64::from(checker_number), checker.sent);
        checker.probe = Some(stream);
        check.tally.sent += 1;
        check.since_start.sent += 1;
        let mut request = Request::new(stream, cx.now(), Holder::RouteProbe(number, checker_number), Hop::NONE);
        request.purpose = Purpose::HealthCheck;
        request.path = check.settings.path;
        let key = cx.shared.requests.insert(request);
        cx.kernel.schedule_lane(check.timeout, world::Event::Route53(Event::ProbeTimeout(key)));
        cx.offer(check.settings.endpoint, key, Hop::NONE);
    }

    /// A probe is answered, perhaps too late.
    pub(super) fn answered(&mut self, key: RequestKey, number: u16, checker: u16, cx: &mut Cx<'_>) {
        let Some(request) = cx.shared.requests.remove(key) else { return };
        let check = &mut self.checks[usize::from(number)];
        if check.checkers[usize::from(checker)].probe != Some(request.stream) {
            return;
        }
        let success = (200..400).contains(&request.outcome.status);
        let tallies = [&mut check.tally, &mut check.since_start];
        tallies.into_iter().for_each(|tally| if success { tally.succeeded += 1 } else { tally.failed += 1 });
        self.result(number, checker, success, cx);
    }

    /// A probe has had its time.
    pub(super) fn timed_out(&mut self, key: RequestKey, cx: &mut Cx<'_>) {
        // Most are stale: the probe was answered and is gone.
        let Some(request) = cx.shared.requests.get_mut(key) else { return };
        let Holder::RouteProbe(number, checker) = request.bottom() else { return };
        let check = &mut self.checks[usize::from(number)];
        if check.checkers[usize::from(checker)].probe != Some(request.stream) {
            return;
        }
        request.abandoned = true;
        check.tally.timed_out += 1;
        check.since_start.timed_out += 1;
        self.result(number, checker, false, cx);
    }

    /// A checker has the result of its probe. The next one goes out an interval later ("the number of seconds between the
    /// time that Route 53 gets a response and the time that it sends the next request", API reference, HealthCheckConfig).
    fn result(&mut self, number: u16, checker_number: u16, success: bool, cx: &mut Cx<'_>) {
        let check = &mut self.checks[usize::from(number)];
        let checker = &mut check.checkers[usize::from(checker_number)];
        checker.probe = None;
        cx.kernel.schedule_lane(check.interval, world::Event::Route53(Event::Probe(number, checker_number)));
        if success == checker.healthy {
            checker.contradictions = 0;
            return;
        }
        checker.contradictions += 1;
        if checker.contradictions < check.settings.failure_threshold {
            return;
        }
        checker.contradictions = 0;
        checker.healthy = success;
        if success {
            check.healthy_checkers += 1
        } else {
            check.healthy_checkers -= 1
        }
        let healthy = check.healthy_checkers * 100 > HEALTHY_SHARE_PERCENT * u32::from(check.settings.checkers);
        if healthy == check.healthy {
            return;
        }
        check.healthy = healthy;
        check.tally.changes += 1;
        let what = format!(
            "{}: {} of {} checkers report healthy",
            word(healthy),
            check.healthy_checkers,
            check.settings.checkers
        );
        cx.shared.observer.log(cx.kernel.now(), LogKind::Health, &check.subject, what);
        cx.kernel.schedule_lane(self.propagation, world::Event::Route53(Event::StatusServed(number, healthy)));
    }

    /// The name servers learn of a new status.
    pub(super) fn status_served(&mut self, number: u16, healthy: bool, cx: &mut Cx<'_>) {
        let check = &mut self.checks[usize::from(number)];
        check.served = healthy;
        let what = format!("new answers take it as {}", word(healthy));
        cx.shared.observer.log(cx.kernel.now(), LogKind::Health, &check.subject, what);
    }

    pub(super) fn publish(&mut self, cx: &mut Cx<'_>) {
        let period_start = SimTime::from_nanos(cx.now().as_nanos() - cloudwatch::PERIOD.as_nanos());
        for check in &self.checks {
            let share = 100.0 * f64::from(check.healthy_checkers) / f64::from(check.settings.checkers);
            cx.shared.metrics.publish(check.status_metric, period_start, f64::from(u8::from(check.healthy)));
            cx.shared.metrics.publish(check.share_metric, period_start, share);
        }
    }

    pub(super) fn warm_up_over(&mut self) {
        self.checks.iter_mut().for_each(|check| check.tally = Tally::default());
    }

    pub(super) fn finish(&self, findings: &mut Findings) {
        for check in &self.checks {
            findings.count(&check.subject, "probes", check.tally.sent as f64);
            findings.count(&check.subject, "probes failed", (check.tally.failed + check.tally.timed_out) as f64);
            findings.count(&check.subject, "status changes", check.tally.changes as f64);
            let Tally { sent, succeeded, failed, timed_out, .. } = check.since_start;
            let out = check.checkers.iter().filter(|checker| checker.probe.is_some()).count() as u64;
            findings.check(
                format!("{}: probes sent = succeeded + failed + timed out + on their way", check.subject),
                sent == succeeded + failed + timed_out + out,
                format!("{sent} = {succeeded} + {failed} + {timed_out} + {out}"),
            );
        }
    }
}

impl Check {
    fn new(settings: &HealthCheck, cx: &mut Cx<'_>) -> Self {
        let subject = format!("route53.{}", settings.name);
        let metrics = &mut cx.shared.metrics;
        // A new health check counts as healthy until there is enough to tell.
        let checker = Checker { healthy: true, contradictions: 0, sent: 0, probe: None };
        Self {
            key: cx.shared.streams.key(&subject, "checkers"),
            interval: cx.kernel.lane(settings.request_interval),
            timeout: cx.kernel.lane(settings.timeout),
            checkers: vec![checker; usize::from(settings.checkers)],
            healthy_checkers: u32::from(settings.checkers),
            healthy: true,
            served: true,
            status_metric: metrics.register(format!("AWS/Route53 HealthCheckStatus {}", settings.name), "count"),
            share_metric: metrics.register(format!("AWS/Route53 HealthCheckPercentageHealthy {}", settings.name), "%"),
            tally: Tally::default(),
            since_start: Tally::default(),
            subject,
            settings: settings.clone(),
        }
    }
}

fn word(healthy: bool) -> &'static str {
    if healthy { "healthy" } else { "unhealthy" }
}
