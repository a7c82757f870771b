//! What a distribution counts: where answers came from, by behaviour; CloudWatch metrics; the audit.

use sim_core::SimTime;

use super::CloudFront;
use crate::cloudwatch;
use crate::ids::MetricId;
use crate::observer::{Findings, Observed};
use crate::request::Outcome;
use crate::world::Cx;

/// Where a good answer came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Source {
    /// The edge had a fresh copy (`Hit`).
    Edge,
    /// Another request's fetch, which it waited for at the edge (`Hit`).
    Collapsed,
    /// The regional cache had a fresh copy, or was about to.
    Regional,
    /// The origin, for an expired copy (`RefreshHit`).
    Refresh,
    /// The origin (`Miss`).
    Origin,
    /// An expired copy, since the origin failed.
    Stale,
    /// The origin; not to be cached (`Miss`).
    Uncached,
}

impl Source {
    pub(super) const ALL: [Self; 7] =
        [Self::Edge, Self::Collapsed, Self::Regional, Self::Refresh, Self::Origin, Self::Stale, Self::Uncached];
}

/// Answers of one behaviour.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    /// Good answers by [`Source`].
    good: [u64; Source::ALL.len()],
    failed_4xx: u64,
    failed_5xx: u64,
    bytes: u64,
}

impl Tally {
    #[inline]
    pub(super) fn count(&mut self, outcome: Outcome, bytes: u32, source: Source) {
        self.bytes += u64::from(bytes);
        if outcome.is_ok() {
            self.good[source as usize] += 1;
        } else if outcome.status < 500 {
            self.failed_4xx += 1;
        } else {
            self.failed_5xx += 1;
        }
    }

    fn of(&self, source: Source) -> u64 {
        self.good[source as usize]
    }

    /// Answers that may be cached, failures left out ("POST and PUT requests, and errors, are not considered cacheable
    /// requests": CloudFront developer guide, metric CacheHitRate).
    fn cacheable(&self) -> u64 {
        self.good.iter().sum::<u64>() - self.of(Source::Uncached)
    }

    /// Answers of the edge alone.
    fn edge_hits(&self) -> u64 {
        self.of(Source::Edge) + self.of(Source::Collapsed)
    }

    /// Answers without a trip to the origin ("served directly from the CloudFront cache": guide, "cache hit ratio"). Whether
    /// the regional cache counts there is not documented; it is part of CloudFront, so here it does.
    fn hits(&self) -> u64 {
        self.edge_hits() + self.of(Source::Regional)
    }

    fn answers(&self) -> u64 {
        self.good.iter().sum::<u64>() + self.failed_4xx + self.failed_5xx
    }

    fn add(&mut self, other: &Self) {
        for (sum, more) in self.good.iter_mut().zip(other.good) {
            *sum += more;
        }
        self.failed_4xx += other.failed_4xx;
        self.failed_5xx += other.failed_5xx;
        self.bytes += other.bytes;
    }

    /// What has been added since an earlier look.
    fn since(&self, earlier: &Self) -> Self {
        Self {
            good: std::array::from_fn(|i| self.good[i] - earlier.good[i]),
            failed_4xx: self.failed_4xx - earlier.failed_4xx,
            failed_5xx: self.failed_5xx - earlier.failed_5xx,
            bytes: self.bytes - earlier.bytes,
        }
    }
}

/// What a distribution counts beside its behaviours' answers. Never reset: what counts from the end of the warm-up on is the
/// difference to a copy made then.
#[derive(Debug)]
pub(super) struct Books {
    /// Requests that came to an edge, and those answered.
    pub(super) requests: u64,
    pub(super) answers: u64,
    /// Requests sent on from an edge and not back yet.
    pub(super) beyond_edge: u64,
    /// Requests sent to the origin, and those answered, of which the read timeout answered some.
    pub(super) to_origin: u64,
    pub(super) from_origin: u64,
    pub(super) timed_out: u64,
    /// Answers with a trip to the origin in the present period, and the time they took, seconds.
    origin_answers: u64,
    origin_seconds: f64,
    at_period: Seen,
    at_warm_up: Seen,
    metrics: Metrics,
}

/// Totals at some instant.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    tally: Tally,
    requests: u64,
    to_origin: u64,
    timed_out: u64,
    collapsed: u64,
    evictions: u64,
}

/// Metrics by AWS's names.
#[derive(Debug)]
struct Metrics {
    requests: MetricId,
    cache_hit_rate: MetricId,
    error_rate_4xx: MetricId,
    error_rate_5xx: MetricId,
    bytes_downloaded: MetricId,
    origin_latency: MetricId,
}

impl Books {
    pub(super) fn new(name: &str, cx: &mut Cx<'_>) -> Self {
        let mut metric = |metric: &str, unit: &'static str| {
            cx.shared.metrics.register(format!("AWS/CloudFront {metric} {name}"), unit)
        };
        Self {
            requests: 0,
            answers: 0,
            beyond_edge: 0,
            to_origin: 0,
            from_origin: 0,
            timed_out: 0,
            origin_answers: 0,
            origin_seconds: 0.0,
            at_period: Seen::default(),
            at_warm_up: Seen::default(),
            metrics: Metrics {
                requests: metric("Requests", "count"),
                cache_hit_rate: metric("CacheHitRate", "%"),
                error_rate_4xx: metric("4xxErrorRate", "%"),
                error_rate_5xx: metric("5xxErrorRate", "%"),
                bytes_downloaded: metric("BytesDownloaded", "bytes"),
                origin_latency: metric("OriginLatency", "ms"),
            },
        }
    }

    /// A viewer's request that came at an instant is answered with a trip to the origin.
    pub(super) fn served_by_origin(&mut self, came: Option<SimTime>, now: SimTime) {
        if let Some(came) = came {
            self.origin_answers += 1;
            self.origin_seconds += now.since(came).as_secs_f64();
        }
    }
}

impl CloudFront {
    fn seen(&self) -> Seen {
        let mut tally = Tally::default();
        self.behaviors.iter().for_each(|behavior| tally.add(&behavior.tally));
        let layers = || self.edges.iter().map(|it| &it.layer).chain(self.regionals.iter().map(|it| &it.layer));
        Seen {
            tally,
            requests: self.books.requests,
            to_origin: self.books.to_origin,
            timed_out: self.books.timed_out,
            collapsed: layers().map(|layer| layer.collapsed).sum(),
            evictions: layers().map(|layer| layer.evictions).sum(),
        }
    }
}

/// `part` in percent of `whole`.
fn percent(part: u64, whole: u64) -> f64 {
    100.0 * part as f64 / whole as f64
}

impl Observed for CloudFront {
    fn publish(&mut self, cx: &mut Cx<'_>) {
        let seen = self.seen();
        let period_start = SimTime::from_nanos(cx.now().as_nanos() - cloudwatch::PERIOD.as_nanos());
        let books = &mut self.books;
        let before = std::mem::replace(&mut books.at_period, seen);
        let tally = seen.tally.since(&before.tally);
        let mut publish = |id: MetricId, value: f64| cx.shared.metrics.publish(id, period_start, value);
        publish(books.metrics.requests, (seen.requests - before.requests) as f64);
        publish(books.metrics.bytes_downloaded, tally.bytes as f64);
        // Where there is nothing to divide by there is no datapoint.
        if tally.cacheable() > 0 {
            publish(books.metrics.cache_hit_rate, percent(tally.hits(), tally.cacheable()));
        }
        if tally.answers() > 0 {
            publish(books.metrics.error_rate_4xx, percent(tally.failed_4xx, tally.answers()));
            publish(books.metrics.error_rate_5xx, percent(tally.failed_5xx, tally.answers()));
        }
        let answers = std::mem::take(&mut books.origin_answers);
        let seconds = std::mem::take(&mut books.origin_seconds);
        if answers > 0 {
            publish(books.metrics.origin_latency, 1000.0 * seconds / answers as f64);
        }
    }

    fn warm_up_over(&mut self, _now: SimTime) {
        // Periods do not care for the warm-up, so that their marks stay.
        self.books.at_warm_up = self.seen();
        self.behaviors.iter_mut().for_each(|behavior| behavior.at_warm_up = behavior.tally);
    }

    fn finish(&mut self, _now: SimTime, findings: &mut Findings) {
        let (seen, before) = (self.seen(), self.books.at_warm_up);
        let tally = seen.tally.since(&before.tally);
        let name = &self.name;
        findings.count(name, "requests", (seen.requests - before.requests) as f64);
        count_answers(name, &tally, findings);
        findings.count(name, "errors 4xx", tally.failed_4xx as f64);
        findings.count(name, "errors 5xx", tally.failed_5xx as f64);
        findings.count(name, "bytes served", tally.bytes as f64);
        findings.count(name, "origin requests", (seen.to_origin - before.to_origin) as f64);
        findings.count(name, "origin timeouts", (seen.timed_out - before.timed_out) as f64);
        findings.count(name, "collapsed fetches", (seen.collapsed - before.collapsed) as f64);
        findings.count(name, "evictions", (seen.evictions - before.evictions) as f64);
        let edges = self.edges.iter().map(|edge| edge.layer.copies()).sum::<usize>();
        let regionals = self.regionals.iter().map(|regional| regional.layer.copies()).sum::<usize>();
        findings.count(name, "copies at edges", edges as f64);
        findings.count(name, "copies at regional caches", regionals as f64);
        if self.behaviors.len() > 1 {
            for behavior in &self.behaviors {
                let subject = format!("{name} {}", behavior.path_pattern);
                let tally = behavior.tally.since(&behavior.at_warm_up);
                findings.count(&subject, "answers", tally.answers() as f64);
                count_answers(&subject, &tally, findings);
            }
        }
        self.check(findings);
    }
}

/// Where a behaviour's or a distribution's good answers came from.
fn count_answers(subject: &str, tally: &Tally, findings: &mut Findings) {
    let mut count = |name: &str, value: u64| findings.count(subject, name, value as f64);
    count("hits", tally.edge_hits());
    count("hits by collapsing", tally.of(Source::Collapsed));
    count("regional hits", tally.of(Source::Regional));
    count("refresh hits", tally.of(Source::Refresh));
    count("misses", tally.of(Source::Origin));
    count("stale on error", tally.of(Source::Stale));
    count("not cacheable", tally.of(Source::Uncached));
    if tally.cacheable() > 0 {
        let cacheable = tally.cacheable() as f64;
        findings.count(subject, "hit_ratio", tally.hits() as f64 / cacheable);
        findings.count(subject, "edge_hit_ratio", tally.edge_hits() as f64 / cacheable);
    }
}

impl CloudFront {
    fn check(&self, findings: &mut Findings) {
        let name = &self.name;
        let Books { requests, answers, beyond_edge, to_origin, from_origin, .. } = self.books;
        let waiting: u64 = self.edges.iter().map(|edge| edge.layer.flights.waiting()).sum();
        findings.check(
            format!("{name}: requests = answered + waiting for another's fetch + beyond the edge"),
            requests == answers + waiting + beyond_edge,
            format!("{requests} = {answers} + {waiting} + {beyond_edge}"),
        );
        let counted = self.seen().tally.answers();
        findings.check(
            format!("{name}: answers = hits + misses + failures"),
            answers == counted,
            format!("{answers} = {counted}"),
        );
        // The caches' waiting rooms and the origin are all there is beyond the edge, but for hops under way.
        let waiting: u64 = self.regionals.iter().map(|regional| regional.layer.flights.waiting()).sum();
        let at_origin = to_origin - from_origin;
        findings.check(
            format!("{name}: waiting at regional caches + at the origin <= beyond the edge"),
            waiting + at_origin <= beyond_edge,
            format!("{waiting} + {at_origin} <= {beyond_edge}"),
        );
    }
}
