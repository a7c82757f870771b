//! Which answer a name has: routing policies and health.

use super::{Answer, RoutingPolicy};

impl RoutingPolicy {
    /// Number of answers there are to choose from.
    #[must_use]
    pub fn answers(&self) -> usize {
        match self {
            Self::Simple(_) => 1,
            Self::Weighted(answers) => answers.len(),
            Self::Failover { .. } => 2,
        }
    }

    /// Which answer is given: its number (primary 0, secondary 1), or none if there is none to give. `healthy` tells the
    /// status of a health check; an answer without one is healthy. `u` is uniform on 0..1 and decides among weights: the same
    /// `u` gives the same answer as long as the candidates stay the same.
    ///
    /// Source: Route 53 developer guide, "How Amazon Route 53 chooses records when health checking is configured",
    /// "Weighted routing", "Failover routing".
    #[must_use]
    pub fn choose(&self, healthy: impl Fn(usize) -> bool, u: f64) -> Option<u16> {
        let well = |answer: &Answer| answer.health_check.is_none_or(&healthy);
        match self {
            Self::Simple(_) => Some(0),
            Self::Failover { primary, secondary } => Some(u16::from(!well(primary) && well(secondary))),
            Self::Weighted(answers) => {
                let positive = |answer: &Answer| answer.weight > 0;
                // Weight 0 takes part only when every other record is unhealthy; if all are, all count as healthy.
                by_weight(answers, |answer| positive(answer) && well(answer), u)
                    .or_else(|| by_weight(answers, |answer| !positive(answer) && well(answer), u))
                    .or_else(|| by_weight(answers, positive, u))
                    .or_else(|| by_weight(answers, |_| true, u))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{Endpoint, StationId};

    /// Answers with these weights, each with a health check of its number.
    fn weighted(weights: &[u8]) -> RoutingPolicy {
        RoutingPolicy::Weighted(weights.iter().enumerate().map(|(i, &weight)| answer(weight, Some(i))).collect())
    }

    fn answer(weight: u8, health_check: Option<usize>) -> Answer {
        Answer { endpoint: Endpoint::Station(StationId(0)), weight, health_check }
    }

    /// Shares of the answers over a fine grid of `u`, in thousandths.
    fn shares(policy: &RoutingPolicy, unhealthy: &[usize]) -> Vec<u32> {
        let mut shares = vec![0; policy.answers()];
        for step in 0..1000 {
            let u = (f64::from(step) + 0.5) / 1000.0;
            if let Some(number) = policy.choose(|check| !unhealthy.contains(&check), u) {
                shares[usize::from(number)] += 1;
            }
        }
        shares
    }

    #[test]
    fn simple_always_gives_its_answer() {
        let policy = RoutingPolicy::Simple(Endpoint::Station(StationId(3)));
        assert_eq!(policy.choose(|_| false, 0.7), Some(0));
    }

    #[test]
    fn weighted_shares_by_weight_among_the_healthy() {
        let policy = weighted(&[10, 30, 60]);
        assert_eq!(shares(&policy, &[]), [100, 300, 600]);
        assert_eq!(shares(&policy, &[2]), [250, 750, 0]);
        assert_eq!(shares(&policy, &[0, 2]), [0, 1000, 0]);
    }

    #[test]
    fn weight_0_serves_only_when_every_other_is_unhealthy() {
        let policy = weighted(&[50, 0, 50, 0]);
        assert_eq!(shares(&policy, &[]), [500, 0, 500, 0]);
        assert_eq!(shares(&policy, &[0]), [0, 0, 1000, 0]);
        assert_eq!(shares(&policy, &[0, 2]), [0, 500, 0, 500]);
        assert_eq!(shares(&policy, &[0, 2, 3]), [0, 1000, 0, 0]);
    }

    #[test]
    fn all_unhealthy_count_as_all_healthy() {
        assert_eq!(shares(&weighted(&[10, 90]), &[0, 1]), [100, 900]);
        assert_eq!(shares(&weighted(&[10, 0, 90]), &[0, 1, 2]), [100, 0, 900]);
    }

    #[test]
    fn all_weights_0_share_equally() {
        let policy = weighted(&[0, 0, 0, 0]);
        assert_eq!(shares(&policy, &[]), [250; 4]);
        assert_eq!(shares(&policy, &[1, 3]), [500, 0, 500, 0]);
        assert_eq!(shares(&policy, &[0, 1, 2, 3]), [250; 4]);
    }

    #[test]
    fn a_record_without_a_check_is_healthy_and_no_records_give_no_answer() {
        let policy = RoutingPolicy::Weighted(vec![answer(1, Some(0)), answer(1, None)]);
        assert_eq!(shares(&policy, &[0]), [0, 1000]);
        assert_eq!(weighted(&[]).choose(|_| true, 0.5), None);
    }

    #[test]
    fn failover_prefers_the_primary_then_the_secondary_then_the_primary() {
        let policy = RoutingPolicy::Failover { primary: answer(0, Some(0)), secondary: answer(0, Some(1)) };
        let given = |unhealthy: &[usize]| policy.choose(|check| !unhealthy.contains(&check), 0.5);
        assert_eq!((given(&[]), given(&[1]), given(&[0]), given(&[0, 1])), (Some(0), Some(0), Some(1), Some(0)));
        let unchecked = RoutingPolicy::Failover { primary: answer(0, Some(0)), secondary: answer(0, None) };
        assert_eq!(unchecked.choose(|_| false, 0.5), Some(1));
    }

    #[test]
    fn the_same_number_gives_the_same_answer_while_its_candidate_stays() {
        // Growing the last weight only takes from the others: who was on the last one stays there.
        let (before, after) = (weighted(&[80, 20]), weighted(&[60, 40]));
        for step in 0..1000 {
            let u = (f64::from(step) + 0.5) / 1000.0;
            if before.choose(|_| true, u) == Some(1) {
                assert_eq!(after.choose(|_| true, u), Some(1));
            }
        }
    }
}
