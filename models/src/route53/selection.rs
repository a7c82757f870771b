//! Which answer a name has: routing policies, health, and the way down a tree of alias and CNAME records.

use sim_core::math::mix;
use sim_core::random::{Draws, Source};
use sim_core::{SimDuration, SimTime};

use super::health::Checks;
use super::{Answer, Record, RoutingPolicy};
use crate::ids::*;

/// Values of a multivalue answer at most (R53 guide, routing-policy-multivalue).
pub const MOST_VALUES: usize = 8;

/// Several values of one answer, or one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) struct Values {
    values: [u16; MOST_VALUES],
    count: u8,
}

impl Values {
    /// One value, or none at all ([`super::NO_ANSWER`]).
    pub(super) fn of(value: u16) -> Self {
        if value == super::NO_ANSWER { Self::default() } else { Self::one(value) }
    }
    fn one(value: u16) -> Self {
        let mut one = Self::default();
        one.push(value);
        one
    }
    fn push(&mut self, value: u16) {
        self.values[usize::from(self.count)] = value;
        self.count += 1;
    }
    /// All of them.
    pub(super) fn all(&self) -> &[u16] {
        &self.values[..usize::from(self.count)]
    }
}

impl RoutingPolicy {
    /// Which of the answers are given: their numbers; none if there is none to give. `healthy` tells of each, `place` is the number of
    /// the place that the question comes from. One draw decides among weights: the same draw gives the same answer as long as
    /// the candidates stay the same.
    ///
    /// Source: Route 53 developer guide, "How Amazon Route 53 chooses records when health checking is configured" and the pages of
    /// the policies. If no candidate is healthy, all are.
    pub(super) fn choose(
        &self,
        answers: &[Answer],
        healthy: impl Fn(&Answer) -> bool,
        place: usize,
        draws: &mut Draws,
    ) -> Values {
        match self {
            Self::Simple => answers.first().map_or_else(Values::default, |_| Values::one(0)),
            Self::Preferred(orders) => {
                let order = orders.get(place).or(orders.first()).map_or(&[][..], |order| order.as_slice());
                let first_healthy = order.iter().find(|&&number| healthy(&answers[usize::from(number)]));
                first_healthy.or(order.first()).map_or_else(Values::default, |&number| Values::one(number))
            }
            Self::Weighted => {
                let u = draws.uniform();
                let positive = |answer: &Answer| answer.weight > 0;
                // Weight 0 takes part only when every other record is unhealthy; if all are, all count as healthy.
                by_weight(answers, |answer| positive(answer) && healthy(answer), u)
                    .or_else(|| by_weight(answers, |answer| !positive(answer) && healthy(answer), u))
                    .or_else(|| by_weight(answers, positive, u))
                    .or_else(|| by_weight(answers, |_| true, u))
                    .map_or_else(Values::default, Values::one)
            }
            Self::Multivalue => {
                let well = answers.iter().filter(|answer| healthy(answer)).count();
                some_of(answers, |answer| well == 0 || healthy(answer), draws)
            }
        }
    }
}

/// By share of weight among the candidates; evenly if they have none. `None` if there are no candidates.
fn by_weight(answers: &[Answer], candidate: impl Fn(&Answer) -> bool, u: f64) -> Option<u16> {
    let candidates = || answers.iter().enumerate().filter(|(_, answer)| candidate(answer));
    let sum: u32 = candidates().map(|(_, answer)| u32::from(answer.weight)).sum();
    let weight = |answer: &Answer| if sum == 0 { 1 } else { u32::from(answer.weight) };
    let total: u32 = candidates().map(|(_, answer)| weight(answer)).sum();
    let mut left = u * f64::from(total);
    let mut chosen = None;
    for (number, answer) in candidates().filter(|(_, answer)| weight(answer) > 0) {
        chosen = Some(number as u16);
        left -= f64::from(weight(answer));
        if left < 0.0 {
            break;
        }
    }
    chosen
}

/// Up to eight of the candidates, each set of eight equally likely (selection sampling, Knuth 3.4.2 S).
fn some_of(answers: &[Answer], candidate: impl Fn(&Answer) -> bool, draws: &mut Draws) -> Values {
    let mut left = answers.iter().filter(|answer| candidate(answer)).count();
    let mut wanted = left.min(MOST_VALUES);
    let mut values = Values::default();
    for (number, _) in answers.iter().enumerate().filter(|(_, answer)| candidate(answer)) {
        if (wanted as f64) > draws.uniform() * left as f64 {
            values.push(number as u16);
            wanted -= 1;
        }
        left -= 1;
    }
    values
}

/// A record from some instant on.
#[derive(Clone, Debug)]
struct Version {
    since: SimTime,
    record: Record,
}

/// A name at work: what it was, is and will be.
#[derive(Debug)]
pub(super) struct Name {
    versions: Vec<Version>,
    /// Key of the stream that decides among weights and values.
    key: u64,
    /// Key of the times at which each resolver's name server learns of changes.
    propagation: u64,
}

/// What the name servers say.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Resolution {
    /// Numbers of the places that requests go to, in [`Zone::leaves`]; none if there is no answer.
    pub(super) values: Values,
    /// How long it may be kept.
    pub(super) ttl: SimDuration,
    /// CNAME records that had to be followed, each with a question of its own.
    pub(super) cnames: u32,
}

/// Who asks: which resolver, how many questions it has asked about this name, where it is for Route 53, and when.
#[derive(Clone, Copy, Debug)]
pub(super) struct Question {
    pub(super) resolver: u32,
    pub(super) number: u32,
    pub(super) place: usize,
    pub(super) now: SimTime,
}

/// All names, and the health of what they stand for.
#[derive(Debug)]
pub(super) struct Zone {
    names: Vec<Name>,
    /// Whatever a name can resolve to in the end.
    leaves: Vec<Endpoint>,
    /// Load balancers that have said they are unhealthy.
    unhealthy_albs: Vec<AlbId>,
    negative_ttl: SimDuration,
    change_propagation: SimDuration,
}

/// Longest chain of records; validation refuses circles.
const LONGEST_CHAIN: usize = 32;

impl Zone {
    pub(super) fn new(settings: &super::Settings, key: impl Fn(&str, &str) -> u64) -> Self {
        let mut names: Vec<Name> = settings
            .records
            .iter()
            .map(|record| {
                let component = format!("route53.{}", record.name);
                let first = Version { since: SimTime::ZERO, record: record.clone() };
                let (key, propagation) = (key(&component, "choice"), key(&component, "propagation of changes"));
                Name { versions: vec![first], key, propagation }
            })
            .collect();
        for change in &settings.changes {
            let version = Version { since: change.at, record: change.upsert.clone() };
            names[change.record.index()].versions.push(version);
        }
        let mut leaves: Vec<Endpoint> = Vec::new();
        let versions = names.iter().flat_map(|name| &name.versions);
        for answer in versions.flat_map(|version| &version.record.answers) {
            if !matches!(answer.endpoint, Endpoint::Record(_)) && !leaves.contains(&answer.endpoint) {
                leaves.push(answer.endpoint);
            }
        }
        Self {
            names,
            leaves,
            unhealthy_albs: Vec::new(),
            negative_ttl: settings.negative_ttl,
            change_propagation: settings.change_propagation,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.names.len()
    }

    pub(super) fn leaf(&self, number: u16) -> Endpoint {
        self.leaves[usize::from(number)]
    }

    /// A load balancer's targets are fit to be sent to, or not.
    pub(super) fn set_alb(&mut self, alb: AlbId, healthy: bool) {
        self.unhealthy_albs.retain(|unhealthy| *unhealthy != alb);
        if !healthy {
            self.unhealthy_albs.push(alb);
        }
    }

    /// What a name is for a resolver. A change reaches the name server it asks within the propagation time, evenly.
    fn record(&self, id: RecordId, resolver: u32, now: SimTime) -> &Record {
        let name = &self.names[id.index()];
        let known = |&(number, version): &(usize, &Version)| {
            let u = Draws::new(mix(name.propagation, u64::from(resolver)), number as u64).uniform();
            number == 0 || now >= version.since + self.change_propagation.scale(u)
        };
        let latest = name.versions.iter().enumerate().rev().find(known);
        &latest.expect("the first version is known to all").1.record
    }

    fn is_healthy(&self, answer: &Answer, checks: &Checks, question: &Question) -> bool {
        if answer.health_check.is_some_and(|check| !checks.serves_as_healthy(check)) {
            return false;
        }
        match answer.endpoint {
            _ if !answer.evaluate_target_health => true,
            Endpoint::Alb(alb) => !self.unhealthy_albs.contains(&alb),
            Endpoint::Record(id) => {
                let below = self.record(id, question.resolver, question.now);
                below.answers.iter().any(|answer| self.is_healthy(answer, checks, question))
            }
            _ => true,
        }
    }

    /// Goes down from a name to what it resolves to. A branch without a healthy answer is left alone where its alias evaluates the
    /// target's health, as such an alias is itself unhealthy.
    pub(super) fn resolve(&self, id: RecordId, checks: &Checks, question: &Question) -> Resolution {
        let mut resolution = Resolution { values: Values::default(), ttl: SimDuration::MAX, cnames: 0 };
        let mut at = id;
        for _ in 0..LONGEST_CHAIN {
            let record = self.record(at, question.resolver, question.now);
            let key = mix(self.names[at.index()].key, u64::from(question.resolver));
            let mut draws = Draws::new(key, u64::from(question.number));
            let healthy = |answer: &Answer| self.is_healthy(answer, checks, question);
            let chosen = record.policy.choose(&record.answers, healthy, question.place, &mut draws);
            match chosen.all().first().map(|&number| record.answers[usize::from(number)].endpoint) {
                None => return Resolution { ttl: self.negative_ttl, ..resolution },
                // An alias has its target's time to live, and takes no question of its own.
                Some(Endpoint::Record(next)) if record.alias => at = next,
                Some(Endpoint::Record(next)) => {
                    resolution.ttl = resolution.ttl.min(record.ttl);
                    resolution.cnames += 1;
                    at = next;
                }
                Some(_) => {
                    resolution.ttl = resolution.ttl.min(record.ttl);
                    for &number in chosen.all() {
                        let endpoint = record.answers[usize::from(number)].endpoint;
                        if let Some(leaf) = self.leaves.iter().position(|leaf| *leaf == endpoint) {
                            resolution.values.push(leaf as u16);
                        }
                    }
                    return resolution;
                }
            }
        }
        unreachable!("validation refuses circles of records")
    }

    /// Whether a name's answer may change with a health check.
    pub(super) fn depends_on(&self, id: RecordId, check: usize) -> bool {
        let mut answers = self.names[id.index()].versions.iter().flat_map(|version| &version.record.answers);
        answers.any(|answer| {
            answer.health_check == Some(check)
                || matches!(answer.endpoint, Endpoint::Record(next) if self.depends_on(next, check))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{Endpoint, StationId};

    /// Answers with these weights, each with a health check of its number.
    fn weighted(weights: &[u8]) -> Vec<Answer> {
        weights.iter().enumerate().map(|(i, &weight)| answer(weight, Some(i))).collect()
    }

    fn answer(weight: u8, health_check: Option<usize>) -> Answer {
        let endpoint = Endpoint::Station(StationId(0));
        Answer { endpoint, weight, health_check, evaluate_target_health: false }
    }

    fn well<'a>(unhealthy: &'a [usize]) -> impl Fn(&Answer) -> bool + 'a {
        |answer| answer.health_check.is_none_or(|check| !unhealthy.contains(&check))
    }

    /// Shares of the weighted answers over a fine grid, in thousandths.
    fn shares(answers: &[Answer], unhealthy: &[usize]) -> Vec<u32> {
        let mut shares = vec![0; answers.len()];
        for step in 0..1000 {
            let u = (f64::from(step) + 0.5) / 1000.0;
            let positive = |answer: &Answer| answer.weight > 0;
            let healthy = well(unhealthy);
            let number = by_weight(answers, |answer| positive(answer) && healthy(answer), u)
                .or_else(|| by_weight(answers, |answer| !positive(answer) && healthy(answer), u))
                .or_else(|| by_weight(answers, positive, u))
                .or_else(|| by_weight(answers, |_| true, u));
            if let Some(number) = number {
                shares[usize::from(number)] += 1;
            }
        }
        shares
    }

    fn given(policy: &RoutingPolicy, answers: &[Answer], unhealthy: &[usize], place: usize) -> Vec<u16> {
        policy.choose(answers, well(unhealthy), place, &mut Draws::new(1, 1)).all().to_vec()
    }

    #[test]
    fn simple_always_gives_its_answer() {
        assert_eq!(given(&RoutingPolicy::Simple, &weighted(&[0]), &[0], 3), [0]);
    }

    #[test]
    fn weighted_shares_by_weight_among_the_healthy() {
        let answers = weighted(&[10, 30, 60]);
        assert_eq!(shares(&answers, &[]), [100, 300, 600]);
        assert_eq!(shares(&answers, &[2]), [250, 750, 0]);
        assert_eq!(shares(&answers, &[0, 2]), [0, 1000, 0]);
        // The policy does the same with its draw.
        let mut seen = [0u32; 3];
        for number in 0..10_000 {
            let chosen = RoutingPolicy::Weighted.choose(&answers, well(&[2]), 0, &mut Draws::new(7, number));
            seen[usize::from(chosen.all()[0])] += 1;
        }
        assert!((f64::from(seen[0]) / 2500.0 - 1.0).abs() < 0.1 && seen[2] == 0, "{seen:?}");
    }

    #[test]
    fn weight_0_serves_only_when_every_other_is_unhealthy() {
        let answers = weighted(&[50, 0, 50, 0]);
        assert_eq!(shares(&answers, &[]), [500, 0, 500, 0]);
        assert_eq!(shares(&answers, &[0]), [0, 0, 1000, 0]);
        assert_eq!(shares(&answers, &[0, 2]), [0, 500, 0, 500]);
        assert_eq!(shares(&answers, &[0, 2, 3]), [0, 1000, 0, 0]);
    }

    #[test]
    fn all_unhealthy_count_as_all_healthy() {
        assert_eq!(shares(&weighted(&[10, 90]), &[0, 1]), [100, 900]);
        assert_eq!(shares(&weighted(&[10, 0, 90]), &[0, 1, 2]), [100, 0, 900]);
        assert_eq!(given(&RoutingPolicy::Multivalue, &weighted(&[0, 0]), &[0, 1], 0), [0, 1]);
        assert_eq!(given(&RoutingPolicy::Preferred(vec![vec![1, 0]]), &weighted(&[0, 0]), &[0, 1], 0), [1]);
    }

    #[test]
    fn all_weights_0_share_equally() {
        let answers = weighted(&[0, 0, 0, 0]);
        assert_eq!(shares(&answers, &[]), [250; 4]);
        assert_eq!(shares(&answers, &[1, 3]), [500, 0, 500, 0]);
        assert_eq!(shares(&answers, &[0, 1, 2, 3]), [250; 4]);
    }

    #[test]
    fn a_record_without_a_check_is_healthy_and_no_records_give_no_answer() {
        let answers = [answer(1, Some(0)), answer(1, None)];
        assert_eq!(shares(&answers, &[0]), [0, 1000]);
        assert!(given(&RoutingPolicy::Weighted, &[], &[], 0).is_empty());
        assert!(given(&RoutingPolicy::Multivalue, &[], &[], 0).is_empty());
    }

    #[test]
    fn failover_prefers_the_primary_then_the_secondary_then_the_primary() {
        let policy = RoutingPolicy::failover();
        let answers = weighted(&[0, 0]);
        let first = |unhealthy: &[usize]| given(&policy, &answers, unhealthy, 5)[0];
        assert_eq!((first(&[]), first(&[1]), first(&[0]), first(&[0, 1])), (0, 0, 1, 0));
        let unchecked = [answer(0, Some(0)), answer(0, None)];
        assert_eq!(given(&policy, &unchecked, &[0], 0), [1]);
    }

    #[test]
    fn each_place_has_its_own_order_and_may_have_none() {
        let policy = RoutingPolicy::Preferred(vec![vec![0, 1], vec![1, 0], vec![]]);
        let answers = weighted(&[0, 0]);
        assert_eq!((given(&policy, &answers, &[], 0), given(&policy, &answers, &[], 1)), (vec![0], vec![1]));
        assert_eq!(given(&policy, &answers, &[1], 1), [0], "the next best");
        assert!(given(&policy, &answers, &[], 2).is_empty(), "geolocation without a default");
    }

    #[test]
    fn multivalue_gives_up_to_eight_healthy_values_evenly() {
        let few = weighted(&[0; 5]);
        assert_eq!(given(&RoutingPolicy::Multivalue, &few, &[2], 0), [0, 1, 3, 4]);
        let many = weighted(&[0; 20]);
        let mut times = [0u32; 20];
        for number in 0..5000 {
            let chosen = RoutingPolicy::Multivalue.choose(&many, well(&[3]), 0, &mut Draws::new(5, number));
            assert_eq!(chosen.all().len(), 8);
            chosen.all().iter().for_each(|&value| times[usize::from(value)] += 1);
        }
        assert_eq!(times[3], 0);
        let expected = 5000.0 * 8.0 / 19.0;
        assert!(
            times.iter().enumerate().all(|(n, &n_times)| n == 3 || (f64::from(n_times) / expected - 1.0).abs() < 0.08),
            "{times:?}"
        );
    }

    #[test]
    fn the_same_number_gives_the_same_answer_while_its_candidate_stays() {
        // Growing the last weight only takes from the others: who was on the last one stays there.
        let (before, after) = (weighted(&[80, 20]), weighted(&[60, 40]));
        for step in 0..1000 {
            let u = (f64::from(step) + 0.5) / 1000.0;
            if by_weight(&before, |_| true, u) == Some(1) {
                assert_eq!(by_weight(&after, |_| true, u), Some(1));
            }
        }
    }
}
