//! What a distribution counts: where answers came from, by behaviour; CloudWatch metrics; the audit.

use sim_core::SimTime;
use sim_core::observations::Table;

use super::layer::Answer;
use super::popular::Popular;
use super::usage::{self, Beside, Served};
use super::{Cache, CloudFront};
use crate::architecture::Architecture;
use crate::cloudwatch;
use crate::ids::MetricId;
use crate::observer::{Figures, Findings, Observed};
use crate::request::Request;
use crate::world::Cx;

/// Where a good answer came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Source {
    /// The edge had a fresh copy (`Hit`).
    Edge,
    /// Another request's fetch, which it waited for at the edge (`Hit`).
    Collapsed,
    /// An expired copy, while a new one is fetched (`Hit`).
    Revalidating,
    /// A regional cache had a fresh copy, or was about to.
    Regional,
    /// The origin, for an expired copy (`RefreshHit`).
    Refresh,
    /// The origin (`Miss`).
    Origin,
    /// An expired copy, since the origin failed.
    Stale,
    /// The origin; not to be cached (`Miss`).
    Uncached,
    /// None: refused, or failed, at the edge.
    Refused,
}

impl Source {
    pub(super) const ALL: [Self; 9] = [
        Self::Edge,
        Self::Collapsed,
        Self::Revalidating,
        Self::Regional,
        Self::Refresh,
        Self::Origin,
        Self::Stale,
        Self::Uncached,
        Self::Refused,
    ];

    /// Whether a cache of the distribution gave it without asking the origin.
    pub(super) fn is_hit(self) -> bool {
        matches!(self, Self::Edge | Self::Collapsed | Self::Revalidating | Self::Regional)
    }
}

/// Answers of one behaviour. A friendly page in place of an error counts by its own status.
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
    pub(super) fn count(&mut self, answer: Answer, source: Source) {
        self.bytes += u64::from(answer.bytes);
        match answer.outcome.status {
            0..400 => self.good[source as usize] += 1,
            400..500 => self.failed_4xx += 1,
            _ => self.failed_5xx += 1,
        }
    }

    fn of(&self, source: Source) -> u64 {
        self.good[source as usize]
    }

    /// Answers that may be cached, failures left out ("POST and PUT requests, and errors, are not considered cacheable
    /// requests": CloudFront developer guide, metric CacheHitRate).
    fn cacheable(&self) -> u64 {
        self.good.iter().sum::<u64>() - self.of(Source::Uncached) - self.of(Source::Refused)
    }

    /// Answers of the edge alone.
    fn edge_hits(&self) -> u64 {
        self.of(Source::Edge) + self.of(Source::Collapsed) + self.of(Source::Revalidating)
    }

    /// Answers without a trip to the origin ("served directly from the CloudFront cache": guide, "cache hit ratio"). Whether
    /// the regional cache counts there is not documented; it is part of CloudFront, so here it does.
    fn hits(&self) -> u64 {
        self.edge_hits() + self.of(Source::Regional)
    }

    fn hit_ratio(&self) -> f64 {
        self.hits() as f64 / self.cacheable() as f64
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

/// Statuses that have a metric of their own (CloudFront developer guide, "additional metrics").
const METRIC_STATUSES: [u16; 6] = [401, 403, 404, 502, 503, 504];

/// What a distribution counts beside its behaviours' answers. Never reset: what counts from the end of the warm-up on is the
/// difference to a copy made then.
#[derive(Debug)]
pub(super) struct Books {
    /// Requests that came to an edge, and those answered.
    pub(super) requests: u64,
    pub(super) answers: u64,
    /// Requests that a redirect or function has before the edge, and answers that a function has behind it.
    pub(super) before_edge: u64,
    pub(super) after_edge: u64,
    /// Requests sent on from an edge and not back yet.
    pub(super) beyond_edge: u64,
    /// Attempts at origins, functions beside them included, and those that are over.
    pub(super) asked: u64,
    pub(super) from_origin: u64,
    /// Requests that went over a connection to an origin; of these those that were not answered in time.
    pub(super) to_origin: u64,
    pub(super) timed_out: u64,
    /// Connections nobody answered, and new ones where these cost something.
    pub(super) not_connected: u64,
    pub(super) connections: u64,
    /// Requests that went on to the secondary of an origin group.
    pub(super) failovers: u64,
    /// Viewers sent to HTTPS.
    pub(super) redirects: u64,
    /// Fetches in the background.
    pub(super) revalidations: u64,
    pub(super) invalidations: u64,
    /// Bytes that viewers sent.
    uploaded: u64,
    /// Answers with each of [`METRIC_STATUSES`].
    statuses: [u64; METRIC_STATUSES.len()],
    /// Size of the body of a request, by route, where any has one.
    upload_bytes: Vec<u32>,
    popular: Popular,
    /// What viewers got from each edge location, and before the warm-up was over.
    served: Vec<Served>,
    served_before: Vec<Served>,
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
    not_connected: u64,
    connections: u64,
    failovers: u64,
    redirects: u64,
    revalidations: u64,
    invalidations: u64,
    uploaded: u64,
    statuses: [u64; METRIC_STATUSES.len()],
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
    error_rate: MetricId,
    statuses: [MetricId; METRIC_STATUSES.len()],
    bytes_downloaded: MetricId,
    bytes_uploaded: MetricId,
    origin_latency: MetricId,
}

impl Books {
    pub(super) fn new(name: &str, edges: usize, architecture: &Architecture, cx: &mut Cx<'_>) -> Self {
        let mut metric = |metric: &str, unit: &'static str| {
            cx.shared.metrics.register(format!("AWS/CloudFront {metric} {name}"), unit)
        };
        let mut upload_bytes = vec![0; architecture.routes.len() + architecture.canaries.len()];
        for route in architecture.traffic.iter().flat_map(|source| &source.routes) {
            upload_bytes[route.id.index()] = route.upload_bytes;
        }
        if upload_bytes.iter().all(|&bytes| bytes == 0) {
            upload_bytes.clear();
        }
        Self {
            requests: 0,
            answers: 0,
            before_edge: 0,
            after_edge: 0,
            beyond_edge: 0,
            asked: 0,
            from_origin: 0,
            to_origin: 0,
            timed_out: 0,
            not_connected: 0,
            connections: 0,
            failovers: 0,
            redirects: 0,
            revalidations: 0,
            invalidations: 0,
            uploaded: 0,
            statuses: [0; METRIC_STATUSES.len()],
            upload_bytes,
            popular: Popular::new(architecture),
            served: vec![Served::default(); edges],
            served_before: vec![Served::default(); edges],
            origin_answers: 0,
            origin_seconds: 0.0,
            at_period: Seen::default(),
            at_warm_up: Seen::default(),
            metrics: Metrics {
                requests: metric("Requests", "count"),
                cache_hit_rate: metric("CacheHitRate", "%"),
                error_rate_4xx: metric("4xxErrorRate", "%"),
                error_rate_5xx: metric("5xxErrorRate", "%"),
                error_rate: metric("TotalErrorRate", "%"),
                statuses: METRIC_STATUSES.map(|status| metric(&format!("{status}ErrorRate"), "%")),
                bytes_downloaded: metric("BytesDownloaded", "bytes"),
                bytes_uploaded: metric("BytesUploaded", "bytes"),
                origin_latency: metric("OriginLatency", "ms"),
            },
        }
    }

    /// A viewer's request is answered.
    #[inline]
    pub(super) fn answered(&mut self, request: &Request, edge: u16, answer: Answer, source: Source) {
        self.answers += 1;
        let served = &mut self.served[edge as usize];
        served.requests += 1;
        served.bytes += u64::from(answer.bytes);
        if !self.upload_bytes.is_empty() && !request.method.is_cacheable() {
            self.uploaded += u64::from(self.upload_bytes[request.route.index()]);
        }
        if answer.outcome.status >= 400
            && let Some(at) = METRIC_STATUSES.iter().position(|&status| status == answer.outcome.status)
        {
            self.statuses[at] += 1;
        }
        self.popular.count(request, answer, source);
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
        let layers = || self.caches.iter().map(|cache| &cache.layer);
        Seen {
            tally,
            requests: self.books.requests,
            to_origin: self.books.to_origin,
            timed_out: self.books.timed_out,
            not_connected: self.books.not_connected,
            connections: self.books.connections,
            failovers: self.books.failovers,
            redirects: self.books.redirects,
            revalidations: self.books.revalidations,
            invalidations: self.books.invalidations,
            uploaded: self.books.uploaded,
            statuses: self.books.statuses,
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
        // A redirect is answered, and asked again.
        let redirects = seen.redirects - before.redirects;
        publish(books.metrics.requests, (seen.requests - before.requests + redirects) as f64);
        publish(books.metrics.bytes_downloaded, tally.bytes as f64);
        publish(books.metrics.bytes_uploaded, (seen.uploaded - before.uploaded) as f64);
        // Where there is nothing to divide by there is no datapoint.
        if tally.cacheable() > 0 {
            publish(books.metrics.cache_hit_rate, percent(tally.hits(), tally.cacheable()));
        }
        let answers = tally.answers() + redirects;
        if answers > 0 {
            publish(books.metrics.error_rate_4xx, percent(tally.failed_4xx, answers));
            publish(books.metrics.error_rate_5xx, percent(tally.failed_5xx, answers));
            publish(books.metrics.error_rate, percent(tally.failed_4xx + tally.failed_5xx, answers));
            for (at, metric) in books.metrics.statuses.into_iter().enumerate() {
                publish(metric, percent(seen.statuses[at] - before.statuses[at], answers));
            }
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
        self.caches.iter_mut().for_each(|cache| cache.layer.evictions_before = cache.layer.evictions);
        self.books.popular.forget();
        self.books.served_before.clone_from(&self.books.served);
    }

    fn sample(&mut self, now: SimTime, figures: &mut Figures) {
        for behavior in &mut self.behaviors {
            let Some(figure) = behavior.figure else { continue };
            let before = std::mem::replace(&mut behavior.at_bin, behavior.tally);
            let tally = behavior.tally.since(&before);
            if tally.cacheable() > 0 {
                figures.put(figure, now, tally.hit_ratio());
            }
        }
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
        // What not every distribution has is told only where it is.
        let mut if_any = |what: &str, now: u64, before: u64| {
            if now > 0 {
                findings.count(name, what, (now - before) as f64);
            }
        };
        if_any("origin connection timeouts", seen.not_connected, before.not_connected);
        if_any("origin connections", seen.connections, before.connections);
        if_any("origin failovers", seen.failovers, before.failovers);
        if_any("redirects to https", seen.redirects, before.redirects);
        if_any("background fetches", seen.revalidations, before.revalidations);
        if_any("invalidations", seen.invalidations, before.invalidations);
        if_any("bytes uploaded", seen.uploaded, before.uploaded);
        findings.count(name, "collapsed fetches", (seen.collapsed - before.collapsed) as f64);
        findings.count(name, "evictions", (seen.evictions - before.evictions) as f64);
        let (edges, regionals) = self.caches.split_at(usize::from(self.edges));
        let copies = |caches: &[Cache]| caches.iter().map(|cache| cache.layer.copies()).sum::<usize>();
        let (edges, regionals) = (copies(edges), copies(regionals));
        findings.count(name, "copies at edges", edges as f64);
        findings.count(name, "copies at regional caches", regionals as f64);
        if self.behaviors.len() > 1 {
            for behavior in &self.behaviors {
                let subject = format!("{name} {}", behavior.settings.path_pattern);
                let tally = behavior.tally.since(&behavior.at_warm_up);
                findings.count(&subject, "answers", tally.answers() as f64);
                count_answers(&subject, &tally, findings);
            }
        }
        self.paid_for(&seen, findings);
        findings.tables.push(self.statistics(&tally));
        findings.tables.push(self.locations());
        findings.tables.extend(self.books.popular.table(name));
        self.check(findings);
    }
}

impl CloudFront {
    /// Hands over what is paid for.
    fn paid_for(&self, seen: &Seen, findings: &mut Findings) {
        let (books, before) = (&self.books, &self.books.at_warm_up);
        let since = |(now, before): (&Served, &Served)| Served {
            requests: now.requests - before.requests,
            bytes: now.bytes - before.bytes,
        };
        let served: Vec<Served> = books.served.iter().zip(&books.served_before).map(since).collect();
        let beside = Beside {
            redirects: seen.redirects - before.redirects,
            uploaded: seen.uploaded - before.uploaded,
            invalidations: seen.invalidations - before.invalidations,
        };
        let edges = self.caches.iter().take(usize::from(self.edges)).map(|cache| cache.name.as_str());
        usage::of(&self.name, edges, &served, &beside, findings);
    }

    /// What its caches hold, by place.
    fn locations(&self) -> Table {
        let columns = [("copies", "count"), ("bytes", "bytes"), ("of capacity", "share"), ("evictions", "count")];
        let mut table = Table::new(format!("Caches of {}", self.name), "cache", &columns);
        for (number, cache) in self.caches.iter().enumerate() {
            let kind = if self.is_edge(number as u16) { "edge" } else { "regional" };
            let (bytes, capacity) = cache.layer.room();
            let evictions = cache.layer.evictions - cache.layer.evictions_before;
            let share = bytes as f64 / capacity as f64;
            let values = vec![cache.layer.copies() as f64, bytes as f64, share, evictions as f64];
            table.rows.push((format!("{kind} {}", cache.name), values));
        }
        table
    }

    /// CloudFront's cache statistics, by behaviour.
    fn statistics(&self, total: &Tally) -> Table {
        let columns = [
            ("requests", "count"),
            ("hits", "count"),
            ("regional hits", "count"),
            ("refresh hits", "count"),
            ("misses", "count"),
            ("not cacheable", "count"),
            ("stale", "count"),
            ("errors", "share"),
            ("hit ratio", "share"),
            ("bytes", "bytes"),
        ];
        let mut table = Table::new(format!("Cache statistics of {}", self.name), "behaviour", &columns);
        let row = |tally: &Tally| {
            let errors = tally.failed_4xx + tally.failed_5xx;
            vec![
                tally.answers() as f64,
                tally.edge_hits() as f64,
                tally.of(Source::Regional) as f64,
                tally.of(Source::Refresh) as f64,
                tally.of(Source::Origin) as f64,
                tally.of(Source::Uncached) as f64,
                tally.of(Source::Stale) as f64,
                errors as f64 / tally.answers() as f64,
                tally.hit_ratio(),
                tally.bytes as f64,
            ]
        };
        if self.behaviors.len() > 1 {
            table.rows.push(("all".to_owned(), row(total)));
        }
        for behavior in &self.behaviors {
            table.rows.push((behavior.settings.path_pattern.clone(), row(&behavior.tally.since(&behavior.at_warm_up))));
        }
        table
    }
}

/// Where a behaviour's or a distribution's good answers came from.
fn count_answers(subject: &str, tally: &Tally, findings: &mut Findings) {
    let mut count = |name: &str, value: u64| findings.count(subject, name, value as f64);
    count("hits", tally.edge_hits());
    count("hits by collapsing", tally.of(Source::Collapsed));
    count("regional hits", tally.of(Source::Regional));
    count("refresh hits", tally.of(Source::Refresh));
    if tally.of(Source::Revalidating) > 0 {
        count("stale while revalidating", tally.of(Source::Revalidating));
    }
    count("misses", tally.of(Source::Origin));
    count("stale on error", tally.of(Source::Stale));
    count("not cacheable", tally.of(Source::Uncached));
    if tally.cacheable() > 0 {
        let cacheable = tally.cacheable() as f64;
        findings.count(subject, "hit_ratio", tally.hit_ratio());
        findings.count(subject, "edge_hit_ratio", tally.edge_hits() as f64 / cacheable);
    }
}

impl CloudFront {
    fn check(&self, findings: &mut Findings) {
        let name = &self.name;
        let Books { requests, answers, before_edge, beyond_edge, asked, from_origin, .. } = self.books;
        let waiting_at = |caches: &[Cache]| caches.iter().map(|cache| cache.layer.flights.waiting()).sum::<u64>();
        let (edges, regionals) = self.caches.split_at(usize::from(self.edges));
        let waiting = waiting_at(edges);
        findings.check(
            format!("{name}: requests = answered + before the edge + waiting for another's fetch + beyond the edge"),
            requests == answers + before_edge + waiting + beyond_edge,
            format!("{requests} = {answers} + {before_edge} + {waiting} + {beyond_edge}"),
        );
        let counted = self.seen().tally.answers();
        findings.check(
            format!("{name}: answers = hits + misses + failures"),
            answers == counted,
            format!("{answers} = {counted}"),
        );
        // The caches' waiting rooms and the origin are all there is beyond the edge, but for hops under way and fetches in the background.
        let waiting = waiting_at(regionals);
        let at_origin = asked - from_origin;
        let revalidations = self.books.revalidations;
        findings.check(
            format!("{name}: waiting at regional caches + at the origin <= beyond the edge + in the background"),
            waiting + at_origin <= beyond_edge + revalidations,
            format!("{waiting} + {at_origin} <= {beyond_edge} + {revalidations}"),
        );
    }
}
