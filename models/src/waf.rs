//! Web ACLs of AWS WAF: rules that look at a request before a load balancer or a distribution does.
//!
//! Rules are looked at in their order. The first that matches and blocks or allows decides; one that counts is noted and the next
//! is looked at; where none decides the default action does. A blocked request gets 403. Looking takes no time.
//!
//! A rate-based rule counts the requests of each source over the evaluation window, looks at the counts every ten seconds, and
//! matches the requests of sources that were over the limit when it looked, a lag later. Counts are exact here; AWS's are an
//! estimate that weighs recent requests more (WAF guide, "Rate-based rule caveats").

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use sim_core::math::mix;
use sim_core::observations::{LogKind, Usage};
use sim_core::random::{Draws, Source as _};
use sim_core::{SimDuration, SimTime};

use crate::address::{Addresses, Block, Source};
use crate::cloudwatch::{Metrics, PERIOD};
use crate::ids::*;
use crate::observer::{Findings, Observed};
use crate::request::*;
use crate::world::{Cx, Shared};

/// How often a rate-based rule looks at its counts (WAF API: about every 10 s).
pub const CHECK_INTERVAL: SimDuration = SimDuration::from_secs(10);
/// Most sources that a rate-based rule limits at a time (WAF guide, rate-based rule statement).
pub const MOST_LIMITED: usize = 10_000;

/// A web ACL.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Its name.
    pub name: String,
    /// What becomes of requests that no rule decides on.
    pub default_action: Action,
    /// In order of priority.
    pub rules: Vec<Rule>,
}

/// What is done with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// It goes on.
    Allow,
    /// It is answered with 403.
    Block,
    /// It is counted, and the next rule looks at it.
    Count,
}

/// A rule: all that is said of a request must hold.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Its name.
    pub name: String,
    /// What is done with requests that match.
    pub action: Action,
    /// Which paths, by [`PathId`]; none: all.
    pub paths: Option<Vec<bool>>,
    /// Blocks that hold the sender's address; none: any.
    pub ip_set: Vec<Block>,
    /// This share of the senders (0..=1), always the same ones.
    pub share: f64,
    /// The sender asks too often.
    pub rate: Option<Rate>,
    /// Whether senders are told apart by `X-Forwarded-For`, so also behind a distribution, or by the other end of the connection.
    pub forwarded_ip: bool,
}

/// A rate-based statement.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    /// Requests of a source in the window beyond which it is limited.
    pub limit: u32,
    /// `EvaluationWindowSec`, a multiple of [`CHECK_INTERVAL`].
    pub window: SimDuration,
    /// From a check until requests are treated by it.
    pub lag: SimDuration,
}

/// Counts of one source, by check interval.
#[derive(Debug, Default)]
struct Recent {
    total: u32,
    /// (interval, requests), of the intervals in the window with any.
    by_interval: VecDeque<(u64, u32)>,
}

/// A rate-based rule at work. Checks happen when the next request comes by, as if at their time.
#[derive(Debug)]
struct Limiter {
    rate: Rate,
    /// From the start of the run to the first check.
    phase: SimDuration,
    /// The interval that counts go to: the number of checks so far.
    interval: u64,
    recent: BTreeMap<u64, Recent>,
    /// Who was over the limit at the latest check, and since when that is so; sets still to take effect.
    limited: BTreeSet<u64>,
    pending: VecDeque<(SimTime, BTreeSet<u64>)>,
}

impl Limiter {
    fn new(rate: Rate, key: u64) -> Self {
        let phase = CHECK_INTERVAL.scale(Draws::new(key, 0).uniform());
        Self { rate, phase, interval: 0, recent: BTreeMap::new(), limited: BTreeSet::new(), pending: VecDeque::new() }
    }

    fn time_of_check(&self, number: u64) -> SimTime {
        SimTime::ZERO + self.phase + CHECK_INTERVAL.times(number)
    }

    /// Makes the checks that were due by now, and lets what they found take effect. Returns how many sources are limited if that
    /// has changed.
    fn catch_up(&mut self, now: SimTime) -> Option<usize> {
        // A check that finds what the one before found changes nothing; with nobody in the window all of them do.
        while self.time_of_check(self.interval) <= now {
            let at = self.time_of_check(self.interval);
            self.check(at);
            self.interval += 1;
            if self.recent.is_empty() {
                let passed = now.since(at).as_nanos() / CHECK_INTERVAL.as_nanos();
                self.interval += passed;
            }
        }
        let before = self.limited.len();
        let mut changed = false;
        while self.pending.front().is_some_and(|(from, _)| *from <= now) {
            let next = self.pending.pop_front().map(|(_, limited)| limited).unwrap_or_default();
            changed |= next != self.limited;
            self.limited = next;
        }
        (changed && before != self.limited.len()).then_some(self.limited.len())
    }

    /// Looks at the counts: who is over the limit, of too many the busiest.
    fn check(&mut self, at: SimTime) {
        let intervals = self.rate.window.as_nanos() / CHECK_INTERVAL.as_nanos();
        // The interval that ends now is the youngest of the window.
        let oldest = (self.interval + 1).saturating_sub(intervals);
        self.recent.retain(|_, recent| {
            while recent.by_interval.front().is_some_and(|&(interval, _)| interval < oldest) {
                recent.total -= recent.by_interval.pop_front().map_or(0, |(_, count)| count);
            }
            recent.total > 0
        });
        let over = self.recent.iter().filter(|(_, recent)| recent.total > self.rate.limit);
        let mut over: Vec<(u32, u64)> = over.map(|(&source, recent)| (recent.total, source)).collect();
        if over.len() > MOST_LIMITED {
            over.sort_unstable_by(|one, other| other.cmp(one));
            over.truncate(MOST_LIMITED);
        }
        let limited = over.into_iter().map(|(_, source)| source).collect();
        if self.pending.back().map_or(&self.limited, |(_, last)| last) != &limited {
            self.pending.push_back((at + self.rate.lag, limited));
        }
    }

    /// Counts a request; whether its source is limited.
    fn limits(&mut self, source: u64) -> bool {
        let recent = self.recent.entry(source).or_default();
        recent.total += 1;
        match recent.by_interval.back_mut() {
            Some((interval, count)) if *interval == self.interval => *count += 1,
            _ => recent.by_interval.push_back((self.interval, 1)),
        }
        self.limited.contains(&source)
    }
}

/// What requests came to, by rule or for a web ACL.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    allowed: u64,
    blocked: u64,
    counted: u64,
}

impl Tally {
    fn add(&mut self, action: Action) {
        match action {
            Action::Allow => self.allowed += 1,
            Action::Block => self.blocked += 1,
            Action::Count => self.counted += 1,
        }
    }
    fn counts(self) -> [u64; 3] {
        [self.allowed, self.blocked, self.counted]
    }
}

const METRICS: [&str; 3] = ["AllowedRequests", "BlockedRequests", "CountedRequests"];

/// A tally with the metrics it is published as.
#[derive(Debug)]
struct Book {
    tally: Tally,
    at_period: Tally,
    at_warm_up: Tally,
    metrics: [MetricId; 3],
}

impl Book {
    fn new(name: &str, published: &mut Metrics) -> Self {
        let metrics = METRICS.map(|metric| published.register(format!("AWS/WAFV2 {metric} {name}"), "count"));
        Self { tally: Tally::default(), at_period: Tally::default(), at_warm_up: Tally::default(), metrics }
    }

    /// AWS reports these where they are not 0 (WAF guide, monitoring).
    fn publish(&mut self, cx: &mut Cx<'_>) {
        let start = SimTime::from_nanos(cx.now().as_nanos().saturating_sub(PERIOD.as_nanos()));
        let before = std::mem::replace(&mut self.at_period, self.tally);
        for ((now, before), metric) in self.tally.counts().into_iter().zip(before.counts()).zip(self.metrics) {
            if now > before {
                cx.shared.metrics.publish(metric, start, (now - before) as f64);
            }
        }
    }

    /// Requests looked at since the warm-up.
    fn looked_at(&self) -> f64 {
        let of = |tally: &Tally| tally.allowed + tally.blocked;
        (of(&self.tally) - of(&self.at_warm_up)) as f64
    }

    fn finish(&self, name: &str, findings: &mut Findings) {
        for ((now, before), metric) in self.tally.counts().into_iter().zip(self.at_warm_up.counts()).zip(METRICS) {
            findings.count(name, metric, (now - before) as f64);
        }
    }
}

#[derive(Debug)]
struct RuleState {
    rule: Rule,
    /// Key of the choice of senders by share.
    key: u64,
    limiter: Option<Limiter>,
    book: Book,
}

impl RuleState {
    fn matches(&mut self, request: &Request, addresses: &Addresses) -> bool {
        let rule = &self.rule;
        if rule.paths.as_ref().is_some_and(|paths| paths.get(request.path.index()) != Some(&true)) {
            return false;
        }
        let source = if rule.forwarded_ip { addresses.sender(request) } else { addresses.peer(request) };
        let in_set = |block: &Block| matches!(source, Source::Address(address) if block.contains(address));
        if !rule.ip_set.is_empty() && !rule.ip_set.iter().any(in_set) {
            return false;
        }
        let key = source.key();
        if rule.share < 1.0 && Draws::new(mix(self.key, key), 0).uniform() >= rule.share {
            return false;
        }
        self.limiter.as_mut().is_none_or(|limiter| limiter.limits(key))
    }
}

/// A web ACL at work.
#[derive(Debug)]
pub struct Waf {
    name: String,
    default_action: Action,
    rules: Vec<RuleState>,
    book: Book,
    requests: u64,
}

impl Waf {
    /// Builds it.
    #[must_use]
    pub fn new(settings: &Settings, cx: &mut Cx<'_>) -> Self {
        let name = format!("waf.{}", settings.name);
        let rules = settings.rules.iter().map(|rule| {
            let full_name = format!("{name}/{}", rule.name);
            let key = |purpose| cx.shared.streams.key(&full_name, purpose);
            let limiter = rule.rate.map(|rate| Limiter::new(rate, key("checks")));
            let key = key("share of senders");
            RuleState { key, limiter, book: Book::new(&full_name, &mut cx.shared.metrics), rule: rule.clone() }
        });
        let rules = rules.collect();
        let book = Book::new(&name, &mut cx.shared.metrics);
        Self { default_action: settings.default_action, rules, book, requests: 0, name }
    }

    /// Looks at a request; whether it may go on.
    pub fn lets_pass(&mut self, key: RequestKey, cx: &mut Cx<'_>) -> bool {
        let now = cx.now();
        self.requests += 1;
        let Shared { requests, addresses, observer, .. } = &mut *cx.shared;
        let request = &requests[key];
        for state in &mut self.rules {
            if let Some(limited) = state.limiter.as_mut().and_then(|limiter| limiter.catch_up(now)) {
                let sources = if limited == 1 { "source is" } else { "sources are" };
                let what = format!("{limited} {sources} over the limit of rule {}", state.rule.name);
                observer.log(now, LogKind::Health, &self.name, what);
            }
        }
        for state in &mut self.rules {
            if !state.matches(request, addresses) {
                continue;
            }
            let action = state.rule.action;
            state.book.tally.add(action);
            match action {
                Action::Count => self.book.tally.add(action),
                _ => return self.decided(action),
            }
        }
        self.decided(self.default_action)
    }

    fn decided(&mut self, action: Action) -> bool {
        self.book.tally.add(action);
        action == Action::Allow
    }
}

impl Observed for Waf {
    fn publish(&mut self, cx: &mut Cx<'_>) {
        self.book.publish(cx);
        self.rules.iter_mut().for_each(|state| state.book.publish(cx));
    }

    fn warm_up_over(&mut self, _now: SimTime) {
        let books = self.rules.iter_mut().map(|state| &mut state.book).chain([&mut self.book]);
        books.for_each(|book| book.at_warm_up = book.tally);
    }

    fn finish(&mut self, _now: SimTime, findings: &mut Findings) {
        self.book.finish(&self.name, findings);
        for state in &self.rules {
            state.book.finish(&format!("{}/{}", self.name, state.rule.name), findings);
        }
        findings.used(Usage::new(&self.name, "waf.requests", self.book.looked_at(), "request"));
        let Tally { allowed, blocked, .. } = self.book.tally;
        findings.check(
            format!("requests of {}: looked at = allowed + blocked", self.name),
            self.requests == allowed + blocked,
            format!("{} = {allowed} + {blocked}", self.requests),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::bench::Bench;

    fn rule(name: &str, action: Action) -> Rule {
        Rule {
            name: name.to_owned(),
            action,
            paths: None,
            ip_set: Vec::new(),
            share: 1.0,
            rate: None,
            forwarded_ip: false,
        }
    }

    fn rate(limit: u32, window: u64, lag: u64) -> Option<Rate> {
        Some(Rate { limit, window: SimDuration::from_secs(window), lag: SimDuration::from_secs(lag) })
    }

    struct Stage {
        bench: Bench,
        waf: Waf,
    }

    impl Stage {
        fn new(rules: Vec<Rule>) -> Self {
            let mut bench = Bench::new();
            let block = Block { first: 256, prefix: 24 };
            bench.shared.addresses = Addresses::new(vec![Some(block), None]);
            let settings = Settings { name: "edge".to_owned(), default_action: Action::Allow, rules };
            let waf = Waf::new(&settings, &mut bench.cx());
            Self { bench, waf }
        }
        fn passes(&mut self, at: f64, client: u32, change: impl FnOnce(&mut Request)) -> bool {
            self.bench
                .kernel
                .schedule_at(SimTime::ZERO + SimDuration::from_secs_f64(at), crate::world::Event::WarmUpOver);
            self.bench.run_until(SimTime::ZERO + SimDuration::from_secs_f64(at), |_, _| {}, |_, _| {});
            let key = self.bench.request();
            let request = &mut self.bench.shared.requests[key];
            request.client = client;
            change(request);
            let passes = self.waf.lets_pass(key, &mut self.bench.cx());
            self.bench.shared.requests.remove(key);
            passes
        }
    }

    #[test]
    fn the_first_rule_that_decides_decides_and_counting_ones_only_count() {
        let of_five = vec![Block { first: 261, prefix: 32 }];
        let mut stage = Stage::new(vec![
            Rule { ip_set: of_five.clone(), ..rule("watch", Action::Count) },
            Rule { paths: Some(vec![false, true]), ..rule("health", Action::Allow) },
            Rule { ip_set: of_five, ..rule("bad", Action::Block) },
        ]);
        assert!(stage.passes(0.0, 4, |_| {}));
        assert!(!stage.passes(0.0, 5, |_| {}));
        assert!(stage.passes(0.0, 5, |request| request.path = PathId(1)));
        let mut findings = Findings::default();
        stage.waf.finish(SimTime::ZERO, &mut findings);
        let count = |subject: &str, name: &str| {
            findings.counters.iter().find(|it| it.subject == subject && it.name == name).unwrap().value
        };
        assert_eq!(METRICS.map(|name| count("waf.edge", name)), [2.0, 1.0, 2.0]);
        assert_eq!(METRICS.map(|name| count("waf.edge/health", name)), [1.0, 0.0, 0.0]);
        assert!(findings.checks.iter().all(|check| check.holds));
    }

    #[test]
    fn a_share_of_the_senders_is_always_the_same_senders() {
        let mut stage = Stage::new(vec![Rule { share: 0.2, ..rule("list", Action::Block) }]);
        let mut seen = |client: u32| stage.passes(0.0, client, |request| request.traffic = TrafficId(1));
        let first: Vec<bool> = (0..1000).map(&mut seen).collect();
        let again: Vec<bool> = (0..1000).map(&mut seen).collect();
        assert_eq!(first, again);
        // Standard deviation 13.
        assert!(first.iter().filter(|&&passes| !passes).count().abs_diff(200) < 65);
    }

    /// When one client at 100/s is first blocked, in seconds.
    fn blocked_after(limit: u32, window: u64, lag: u64) -> f64 {
        let mut stage = Stage::new(vec![Rule { rate: rate(limit, window, lag), ..rule("rate", Action::Block) }]);
        let first = (0..10_000).find(|&n| !stage.passes(f64::from(n) / 100.0, 7, |_| {}));
        f64::from(first.expect("it is blocked")) / 100.0
    }

    #[test]
    fn a_client_at_100_a_second_is_over_1000_after_10_s_and_blocked_within_50_s() {
        // Over the limit after 10 s, noticed by the next check of every 10 s, acted on after the lag: 10 to 20 s and the lag, of
        // which AWS says "usually under 30 s".
        for (lag, latest) in [(0, 20.0), (15, 35.0), (30, 50.0)] {
            let blocked = blocked_after(1000, 300, lag);
            assert!((10.0 + lag as f64..=latest).contains(&blocked), "{lag}: {blocked}");
        }
    }

    #[test]
    fn after_it_stops_a_source_is_free_once_the_window_has_slid_past_enough_requests() {
        let mut stage = Stage::new(vec![Rule { rate: rate(1000, 60, 0), ..rule("rate", Action::Block) }]);
        for n in 0..3000 {
            stage.passes(f64::from(n) / 100.0, 7, |_| {});
        }
        // Another source is not concerned.
        assert!(stage.passes(30.0, 8, |_| {}));
        // 3000 requests in 30 s: 1000 or fewer are left in a window of 60 s when it has passed 20 s of them, at 80 s.
        let free = (31..200).find(|&second| stage.passes(f64::from(second), 7, |_| {}));
        assert!((80..=91).contains(&free.unwrap()), "{free:?}");
    }

    #[test]
    fn behind_a_distribution_a_rule_by_connection_limits_the_edge_and_one_by_header_the_client() {
        for forwarded_ip in [false, true] {
            let mut stage =
                Stage::new(vec![Rule { rate: rate(100, 60, 0), forwarded_ip, ..rule("rate", Action::Block) }]);
            let mut at = |second: f64, client: u32| {
                stage.passes(second, client, |request| {
                    request.push(Holder::Cache(CloudFrontId(0), 0, Trip::default()), Hop::NONE)
                })
            };
            for n in 0..2000 {
                at(f64::from(n) / 100.0, 7);
            }
            assert_eq!(at(21.0, 8), forwarded_ip, "an innocent client behind the same edge");
            assert!(!at(21.0, 7));
        }
    }
}
