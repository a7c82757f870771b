//! Health checks: populations of checkers that probe an endpoint each on its own, and the status they make together.

use sim_core::observations::{LogKind, Phase};
use sim_core::random::{Draws, Source as _};
use sim_core::{LaneId, SimDuration, SimTime};

use super::{Event, HealthCheck, Probing, Source};
use crate::cloudwatch::{Kind, PERIOD};
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

/// What a health check hears.
#[derive(Debug)]
enum Watch {
    /// Its checkers, each probing on its own.
    Checkers { probing: Probing, interval: LaneId, timeout: LaneId, checkers: Vec<Checker>, healthy: u32 },
    /// The status of other checks.
    Children { children: Vec<usize>, health_threshold: u32 },
}

/// One health check at work.
#[derive(Debug)]
struct Check {
    /// Subject of log entries and counters.
    subject: String,
    /// Key of the streams of its checkers.
    key: u64,
    watch: Watch,
    inverted: bool,
    disabled: bool,
    healthy: bool,
    /// The status the name servers go by, which follows `healthy`.
    served: bool,
    status_metric: MetricId,
    detail_metric: MetricId,
    /// Whether users' names may have another answer by it.
    matters: bool,
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
    lane: LaneId,
}

impl Checks {
    /// `matters` tells whether users' names may have another answer by a check.
    pub(super) fn new(
        settings: &[HealthCheck],
        propagation: SimDuration,
        matters: impl Fn(usize) -> bool,
        cx: &mut Cx<'_>,
    ) -> Self {
        let checks = settings.iter().enumerate().map(|(number, settings)| Check::new(settings, matters(number), cx));
        let mut checks: Vec<Check> = checks.collect();
        // Endpoints are well at the start, and calculated checks follow theirs.
        for number in 0..checks.len() {
            let well = match &checks[number].watch {
                Watch::Checkers { .. } => true,
                Watch::Children { children, health_threshold } => count_healthy(&checks, children) >= *health_threshold,
            };
            let check = &mut checks[number];
            check.healthy = check.status(well);
            check.served = check.healthy;
        }
        Self { checks, lane: cx.kernel.lane(propagation) }
    }

    /// The status that answers follow.
    pub(super) fn serves_as_healthy(&self, check: usize) -> bool {
        self.checks[check].served
    }

    /// Schedules every checker's first probe. Checkers do not coordinate (Route 53 developer guide): phases are independent
    /// and uniform over the interval.
    pub(super) fn start(&mut self, cx: &mut Cx<'_>) {
        for (number, check) in self.checks.iter().enumerate() {
            let Watch::Checkers { probing, .. } = &check.watch else { continue };
            for checker in (0..probing.checkers).filter(|_| !check.disabled) {
                let phase = Draws::new(check.key, u64::from(checker)).uniform();
                let wait = probing.request_interval.scale(phase);
                cx.kernel.schedule_in(wait, world::Event::Route53(Event::Probe(number as u16, checker)));
            }
        }
    }

    /// A checker sends a probe.
    pub(super) fn probe(&mut self, number: u16, checker_number: u16, cx: &mut Cx<'_>) {
        let check = &mut self.checks[usize::from(number)];
        let Watch::Checkers { probing, timeout, checkers, .. } = &mut check.watch else { return };
        let checker = &mut checkers[usize::from(checker_number)];
        checker.sent += 1;
        let stream = sim_core::math::mix(check.key ^ u64::from(checker_number), checker.sent);
        checker.probe = Some(stream);
        check.tally.sent += 1;
        check.since_start.sent += 1;
        let mut request = Request::new(stream, cx.now(), Holder::RouteProbe(number, checker_number), Hop::NONE);
        request.purpose = Purpose::HealthCheck;
        request.path = probing.path;
        let key = cx.shared.requests.insert(request);
        cx.kernel.schedule_lane(*timeout, world::Event::Route53(Event::ProbeTimeout(key)));
        cx.offer(probing.endpoint, key, Hop::NONE);
    }

    /// A probe is answered, perhaps too late.
    pub(super) fn answered(&mut self, key: RequestKey, number: u16, checker: u16, cx: &mut Cx<'_>) {
        let Some(request) = cx.shared.requests.remove(key) else { return };
        let check = &mut self.checks[usize::from(number)];
        if !check.expects(checker, request.stream) {
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
        if !check.expects(checker, request.stream) {
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
        let Watch::Checkers { probing, interval, checkers, healthy, .. } = &mut check.watch else { return };
        let checker = &mut checkers[usize::from(checker_number)];
        checker.probe = None;
        cx.kernel.schedule_lane(*interval, world::Event::Route53(Event::Probe(number, checker_number)));
        if success == checker.healthy {
            let wavered = std::mem::take(&mut checker.contradictions) > 0;
            if wavered && check.matters && check.healthy && !check.is_suspicious() {
                cx.settling(&check.subject);
            }
            return;
        }
        checker.contradictions += 1;
        if !success && check.matters && check.healthy {
            cx.phase(&check.subject, Phase::Detection);
        }
        if checker.contradictions < probing.failure_threshold {
            return;
        }
        checker.contradictions = 0;
        checker.healthy = success;
        if success {
            *healthy += 1
        } else {
            *healthy -= 1
        }
        let well = *healthy * 100 > HEALTHY_SHARE_PERCENT * u32::from(probing.checkers);
        let why = format!("{healthy} of {} checkers report healthy", probing.checkers);
        if success && check.matters && check.healthy && !check.is_suspicious() {
            cx.settling(&check.subject);
        }
        self.observed(usize::from(number), well, &why, cx);
    }

    /// What a check watches is well, or not. Calculated checks follow their children in the same instant.
    fn observed(&mut self, number: usize, well: bool, why: &str, cx: &mut Cx<'_>) {
        let check = &mut self.checks[number];
        let healthy = check.status(well);
        if healthy == check.healthy {
            return;
        }
        check.healthy = healthy;
        check.tally.changes += 1;
        let now = cx.kernel.now();
        cx.shared.observer.log(now, LogKind::Health, &check.subject, format!("{}: {why}", word(healthy)));
        if check.matters && !healthy {
            cx.phase(&check.subject, Phase::Routing);
        }
        cx.kernel.schedule_lane(self.lane, world::Event::Route53(Event::StatusServed(number as u16, healthy)));
        for parent in 0..self.checks.len() {
            let Watch::Children { children, health_threshold } = &self.checks[parent].watch else { continue };
            if children.contains(&number) {
                let healthy = count_healthy(&self.checks, children);
                let well = healthy >= *health_threshold;
                let why = format!("{healthy} of {} health checks are healthy", children.len());
                self.observed(parent, well, &why, cx);
            }
        }
    }

    /// The name servers learn of a new status.
    pub(super) fn status_served(&mut self, number: u16, healthy: bool, cx: &mut Cx<'_>) {
        let check = &mut self.checks[usize::from(number)];
        check.served = healthy;
        if !healthy {
            cx.led_away(&check.subject);
        }
        let what = format!("new answers take it as {}", word(healthy));
        cx.shared.observer.log(cx.kernel.now(), LogKind::Health, &check.subject, what);
    }

    pub(super) fn publish(&mut self, cx: &mut Cx<'_>) {
        let period_start = SimTime::from_nanos(cx.now().as_nanos() - PERIOD.as_nanos());
        for check in &self.checks {
            let detail = match &check.watch {
                Watch::Checkers { checkers, healthy, .. } => 100.0 * f64::from(*healthy) / checkers.len() as f64,
                Watch::Children { children, .. } => f64::from(count_healthy(&self.checks, children)),
            };
            cx.shared.metrics.publish(check.status_metric, period_start, f64::from(u8::from(check.healthy)));
            cx.shared.metrics.publish(check.detail_metric, period_start, detail);
        }
    }

    pub(super) fn warm_up_over(&mut self) {
        self.checks.iter_mut().for_each(|check| check.tally = Tally::default());
    }

    pub(super) fn finish(&self, findings: &mut Findings) {
        for check in &self.checks {
            findings.count(&check.subject, "status changes", check.tally.changes as f64);
            let Watch::Checkers { checkers, .. } = &check.watch else { continue };
            findings.count(&check.subject, "probes", check.tally.sent as f64);
            findings.count(&check.subject, "probes failed", (check.tally.failed + check.tally.timed_out) as f64);
            let Tally { sent, succeeded, failed, timed_out, .. } = check.since_start;
            let out = checkers.iter().filter(|checker| checker.probe.is_some()).count() as u64;
            findings.check(
                format!("{}: probes sent = succeeded + failed + timed out + on their way", check.subject),
                sent == succeeded + failed + timed_out + out,
                format!("{sent} = {succeeded} + {failed} + {timed_out} + {out}"),
            );
        }
    }
}

impl Check {
    fn new(settings: &HealthCheck, matters: bool, cx: &mut Cx<'_>) -> Self {
        let subject = format!("route53.{}", settings.name);
        let (watch, detail) = match &settings.source {
            Source::Endpoint(probing) => {
                let checker = Checker { healthy: true, contradictions: 0, sent: 0, probe: None };
                let watch = Watch::Checkers {
                    interval: cx.kernel.lane(probing.request_interval),
                    timeout: cx.kernel.lane(probing.timeout),
                    checkers: vec![checker; usize::from(probing.checkers)],
                    healthy: u32::from(probing.checkers),
                    probing: probing.clone(),
                };
                (watch, ("HealthCheckPercentageHealthy", "%"))
            }
            Source::Calculated { children, health_threshold } => {
                let watch = Watch::Children { children: children.clone(), health_threshold: *health_threshold };
                (watch, ("ChildHealthCheckHealthyCount", "count"))
            }
        };
        let metrics = &mut cx.shared.metrics;
        let named = |metric: &str| format!("AWS/Route53 {metric} {}", settings.name);
        Self {
            key: cx.shared.streams.key(&subject, "checkers"),
            watch,
            inverted: settings.inverted,
            disabled: settings.disabled,
            healthy: true,
            served: true,
            status_metric: metrics.register_as(named("HealthCheckStatus"), "count", Kind::Level, PERIOD),
            detail_metric: metrics.register_as(named(detail.0), detail.1, Kind::Level, PERIOD),
            matters,
            tally: Tally::default(),
            since_start: Tally::default(),
            subject,
        }
    }

    /// Whether any checker has reason to think that something is wrong.
    fn is_suspicious(&self) -> bool {
        let Watch::Checkers { checkers, .. } = &self.watch else { return false };
        checkers.iter().any(|checker| !checker.healthy || checker.contradictions > 0)
    }

    /// Its status if what it watches is well, or not. A disabled check does not look (API:route53, HealthCheckConfig).
    fn status(&self, well: bool) -> bool {
        (well || self.disabled) != self.inverted
    }

    /// Whether a checker waits for the answer to the probe with this stream.
    fn expects(&self, checker: u16, stream: u64) -> bool {
        let Watch::Checkers { checkers, .. } = &self.watch else { return false };
        checkers[usize::from(checker)].probe == Some(stream)
    }
}

/// How many of some checks are healthy.
fn count_healthy(checks: &[Check], numbers: &[usize]) -> u32 {
    numbers.iter().filter(|&&number| checks[number].healthy).count() as u32
}

fn word(healthy: bool) -> &'static str {
    if healthy { "healthy" } else { "unhealthy" }
}
