//! Which endpoint a flow goes to.

/// An endpoint as it can be chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    pub(super) group: usize,
    pub(super) weight: u8,
    pub(super) healthy: bool,
}

/// Groups that are tried before a flow is sent to the nearest one whatever its health.
const GROUPS_TRIED: usize = 3;

/// The endpoint of a flow: its number. `order` has the groups, the nearest first; `u` and `v` are uniform on 0..1 and decide about
/// dials and weights.
///
/// The nearest group takes the share its dial says of what comes to it, the next its share of the rest; what no dial takes stays at the
/// nearest one. If the group has no healthy endpoint with a weight, the nearest that has one is taken, dials or not; if the three nearest
/// have none, a random endpoint of the nearest (fail open).
///
/// Source: API:globalaccelerator (TrafficDialPercentage, Weight), Global Accelerator developer guide, "How failover works with unhealthy
/// endpoints".
pub(super) fn choose(candidates: &[Candidate], dials: &[f64], order: &[usize], u: f64, v: f64) -> usize {
    let usable = |group: usize| candidates.iter().any(|it| it.group == group && it.healthy && it.weight > 0);
    let home = by_dial(dials, order, u);
    let group = if usable(home) { Some(home) } else { order.iter().copied().take(GROUPS_TRIED).find(|&it| usable(it)) };
    match group {
        Some(group) => by_weight(candidates, |it| it.group == group && it.healthy, |it| it.weight.into(), v),
        None => by_weight(candidates, |it| it.group == order[0], |_| 1, v),
    }
}

fn by_dial(dials: &[f64], order: &[usize], mut u: f64) -> usize {
    for &group in order {
        if u < dials[group] {
            return group;
        }
        // What is left of the draw is uniform again.
        u = (u - dials[group]) / (1.0 - dials[group]);
    }
    order[0]
}

/// The one of those that count in which `v` falls, each as wide as its weight.
fn by_weight(
    candidates: &[Candidate],
    counts: impl Fn(&Candidate) -> bool,
    weight: impl Fn(&Candidate) -> u32,
    v: f64,
) -> usize {
    let counting = || candidates.iter().enumerate().filter(|(_, it)| counts(it) && weight(it) > 0);
    let total: u32 = counting().map(|(_, it)| weight(it)).sum();
    let mut left = v * f64::from(total);
    let mut chosen = 0;
    for (number, it) in counting() {
        chosen = number;
        left -= f64::from(weight(it));
        if left < 0.0 {
            break;
        }
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Shares of the endpoints over a fine grid, in hundredths.
    fn shares(candidates: &[Candidate], dials: &[f64], order: &[usize]) -> Vec<u32> {
        let mut shares = vec![0; candidates.len()];
        for step in 0..10_000u32 {
            let (u, v) = (f64::from(step / 100) + 0.5, f64::from(step % 100) + 0.5);
            shares[choose(candidates, dials, order, u / 100.0, v / 100.0)] += 1;
        }
        shares.iter().map(|share| (share + 50) / 100).collect()
    }

    fn endpoints(all: &[(usize, u8, bool)]) -> Vec<Candidate> {
        all.iter().map(|&(group, weight, healthy)| Candidate { group, weight, healthy }).collect()
    }

    #[test]
    fn an_endpoints_share_is_its_weight_over_the_sum_of_its_group() {
        let it = endpoints(&[(0, 128, true), (0, 128, true), (1, 128, true)]);
        assert_eq!(shares(&it, &[1.0, 1.0], &[0, 1]), [50, 50, 0]);
        let it = endpoints(&[(0, 255, true), (0, 85, true), (0, 0, true)]);
        assert_eq!(shares(&it, &[1.0], &[0]), [75, 25, 0]);
        let it = endpoints(&[(0, 255, true), (0, 85, false), (0, 85, true)]);
        assert_eq!(shares(&it, &[1.0], &[0]), [75, 0, 25]);
    }

    #[test]
    fn the_nearest_group_gets_what_its_dial_says_and_the_next_ones_the_rest() {
        let it = endpoints(&[(0, 128, true), (1, 128, true), (2, 128, true)]);
        assert_eq!(shares(&it, &[1.0, 1.0, 1.0], &[1, 0, 2]), [0, 100, 0]);
        assert_eq!(shares(&it, &[0.2, 1.0, 1.0], &[0, 1, 2]), [20, 80, 0]);
        // The second takes half of the four fifths that come to it.
        assert_eq!(shares(&it, &[0.2, 0.5, 1.0], &[0, 1, 2]), [20, 40, 40]);
        assert_eq!(shares(&it, &[0.0, 1.0, 1.0], &[0, 1, 2]), [0, 100, 0]);
        assert_eq!(shares(&it, &[0.5, 0.0, 0.0], &[0, 1, 2]), [100, 0, 0]);
    }

    #[test]
    fn an_unhealthy_group_is_left_whatever_the_dials_say() {
        let it = endpoints(&[(0, 128, false), (1, 128, true), (2, 128, true)]);
        assert_eq!(shares(&it, &[1.0, 1.0, 1.0], &[0, 1, 2]), [0, 100, 0]);
        assert_eq!(shares(&it, &[1.0, 0.0, 1.0], &[0, 1, 2]), [0, 100, 0], "the dial of 0 is ignored");
        let it = endpoints(&[(0, 0, true), (1, 128, true)]);
        assert_eq!(shares(&it, &[1.0, 1.0], &[0, 1]), [0, 100], "nor does a weight of 0 count as healthy");
    }

    #[test]
    fn after_three_groups_without_a_healthy_endpoint_the_nearest_gets_all() {
        let it = endpoints(&[(0, 128, false), (0, 1, false), (1, 128, false), (2, 128, false), (3, 128, true)]);
        assert_eq!(shares(&it, &[1.0; 4], &[0, 1, 2, 3]), [50, 50, 0, 0, 0], "at random, whatever the weights");
        assert_eq!(shares(&it, &[1.0; 4], &[0, 1, 3, 2]), [0, 0, 0, 0, 100]);
    }
}
