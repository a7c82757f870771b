//! A load balancer's nodes, one a zone, and its DNS name, which says which of them clients may go to.
//!
//! The name has the addresses of the zones whose target groups have enough healthy targets, and that no zonal shift has taken
//! out. If none is left, it has all of them but the shifted one: better a sick zone than no answer. A client goes to one of
//! the addresses at random and keeps it for the TTL of 60 s; its copy is of an age that is uniform over the TTL, because caching
//! resolvers hold it for many clients.

use std::collections::VecDeque;

use sim_core::math::mix;
use sim_core::random::{Draws, Source as _};
use sim_core::{SimDuration, SimTime};

use crate::address::Source;

/// TTL of a load balancer's DNS name (Elastic Load Balancing user guide, "How Elastic Load Balancing works").
const TTL: SimDuration = SimDuration::from_secs(60);

/// The zones of a load balancer.
#[derive(Debug)]
pub(super) struct Zones {
    pub(super) names: Vec<String>,
    /// Key of the choice among addresses.
    key: u64,
    /// Zones that have enough healthy targets, by bit.
    healthy: u64,
    /// The zone that a zonal shift has taken out.
    pub(super) shifted: Option<u8>,
    /// Which addresses the name had since when; what is older than a TTL is forgotten.
    answers: VecDeque<(SimTime, u64)>,
}

impl Zones {
    pub(super) fn new(names: &[String], key: u64) -> Self {
        let all = (1 << names.len().max(1)) - 1;
        Self {
            names: names.to_vec(),
            key,
            healthy: all,
            shifted: None,
            answers: VecDeque::from([(SimTime::ZERO, all)]),
        }
    }

    /// Nodes.
    pub(super) fn count(&self) -> usize {
        self.names.len().max(1)
    }

    /// What to add to the name of something that is one node's: nothing where there is only one.
    pub(super) fn suffix(&self, node: usize) -> String {
        self.names.get(node).filter(|_| self.count() > 1).map_or(String::new(), |zone| format!("@{zone}"))
    }

    /// The node that a request goes to.
    #[inline]
    pub(super) fn node_of(&self, source: impl FnOnce() -> Source, now: SimTime) -> usize {
        if self.names.len() <= 1 { 0 } else { self.node_by_dns(source, now) }
    }

    #[inline(never)]
    fn node_by_dns(&self, source: impl FnOnce() -> Source, now: SimTime) -> usize {
        let client = source().key();
        let mut draws = Draws::new(self.key, client);
        let phase = draws.below(TTL.as_nanos());
        let (number, age) = ((now.as_nanos() + phase) / TTL.as_nanos(), (now.as_nanos() + phase) % TTL.as_nanos());
        let asked = SimTime::from_nanos(now.as_nanos().saturating_sub(age));
        let known = self.answers.iter().rev().find(|&&(since, _)| since <= asked);
        let addresses = known.or(self.answers.front()).map_or(1, |&(_, addresses)| addresses);
        let mut left = Draws::new(mix(self.key, client), number).below(u64::from(addresses.count_ones()));
        for node in 0..self.count() {
            if addresses & 1 << node != 0 {
                if left == 0 {
                    return node;
                }
                left -= 1;
            }
        }
        unreachable!("the name always has an address")
    }

    /// A zone has enough healthy targets from now on, or has not.
    pub(super) fn set_healthy(&mut self, node: usize, healthy: bool) {
        self.healthy = self.healthy & !(1 << node) | u64::from(healthy) << node;
    }

    /// Draws up which addresses the name has; returns those that left it and those that came, by bit.
    pub(super) fn review(&mut self, now: SimTime) -> (u64, u64) {
        let all = (1 << self.count()) - 1;
        let open = self.shifted.map_or(all, |zone| all & !(1 << zone));
        let addresses = [self.healthy & open, open, all].into_iter().find(|&zones| zones != 0).unwrap_or(all);
        let before = self.in_dns();
        if addresses != before {
            while self.answers.len() > 1 && self.answers[1].0 + TTL <= now {
                self.answers.pop_front();
            }
            self.answers.push_back((now, addresses));
        }
        (before & !addresses, addresses & !before)
    }

    /// The addresses that the name has, by bit.
    pub(super) fn in_dns(&self) -> u64 {
        self.answers.back().map_or(1, |&(_, addresses)| addresses)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::TrafficId;

    fn zones() -> Zones {
        Zones::new(&["a".into(), "b".into(), "c".into()], 7)
    }

    fn shares(zones: &Zones, at: u64) -> [u32; 3] {
        let mut shares = [0; 3];
        for client in 0..30_000 {
            shares[zones.node_of(|| Source::Client(TrafficId(0), client), SimTime::from_secs(at))] += 1;
        }
        shares
    }

    #[test]
    fn each_node_has_an_equal_share_of_the_clients() {
        // Binomial, n = 30,000, p = 1/3: standard deviation 82.
        assert!(shares(&zones(), 500).iter().all(|share| share.abs_diff(10_000) < 400));
    }

    #[test]
    fn a_zone_that_leaves_dns_is_left_by_its_clients_within_the_ttl() {
        let mut zones = zones();
        zones.shifted = Some(1);
        assert_eq!(zones.review(SimTime::from_secs(1000)), (0b010, 0));
        let of_b = [1000, 1030, 1060].map(|at| shares(&zones, at)[1]);
        // A third of the clients at first, half of them 30 s later, none after the TTL.
        assert!(of_b[0].abs_diff(10_000) < 400 && of_b[1].abs_diff(5_000) < 400 && of_b[2] == 0, "{of_b:?}");
        assert!(shares(&zones, 1060)[0].abs_diff(15_000) < 500);
        zones.shifted = None;
        assert_eq!(zones.review(SimTime::from_secs(2000)), (0, 0b010));
    }

    #[test]
    fn with_no_healthy_zone_left_all_are_answered_but_the_shifted_one() {
        let mut zones = zones();
        zones.set_healthy(0, false);
        assert_eq!(zones.review(SimTime::from_secs(1)), (0b001, 0));
        zones.set_healthy(1, false);
        zones.set_healthy(2, false);
        zones.review(SimTime::from_secs(2));
        assert_eq!(zones.in_dns(), 0b111);
        zones.shifted = Some(2);
        zones.review(SimTime::from_secs(3));
        assert_eq!(zones.in_dns(), 0b011);
    }
}
