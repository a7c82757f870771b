//! Markov chains in continuous time, explored from their states and solved numerically.

use std::collections::BTreeMap;
use std::collections::VecDeque;

use sim_core::math::{exp, ln, ln_gamma};

/// A chain with finitely many states. A state without moves absorbs.
#[derive(Clone, Debug)]
pub struct Chain<S> {
    states: Vec<S>,
    numbers: BTreeMap<S, usize>,
    /// For each state, where it goes and at what rate.
    moves: Vec<Vec<(usize, f64)>>,
    exits: Vec<f64>,
}

impl<S: Ord + Clone> Chain<S> {
    /// The chain of all states that can be reached from `starts`; `moves` says where a state goes and at what rate.
    pub fn explore(starts: impl IntoIterator<Item = S>, moves: impl Fn(&S) -> Vec<(S, f64)>) -> Self {
        let mut chain = Self { states: Vec::new(), numbers: BTreeMap::new(), moves: Vec::new(), exits: Vec::new() };
        let mut open: VecDeque<usize> = starts.into_iter().map(|state| chain.number(state)).collect();
        while let Some(at) = open.pop_front() {
            if at < chain.moves.len() {
                continue;
            }
            debug_assert_eq!(at, chain.moves.len(), "states are explored in the order they are found in");
            let from = chain.states[at].clone();
            let mut row: Vec<(usize, f64)> = Vec::new();
            for (to, rate) in moves(&from) {
                if rate <= 0.0 || to == from {
                    continue;
                }
                let known = chain.states.len();
                let to = chain.number(to);
                if to == known {
                    open.push_back(to);
                }
                row.push((to, rate));
            }
            chain.exits.push(row.iter().map(|(_, rate)| rate).sum());
            chain.moves.push(row);
        }
        chain
    }

    fn number(&mut self, state: S) -> usize {
        let next = self.states.len();
        *self.numbers.entry(state).or_insert_with_key(|state| {
            self.states.push(state.clone());
            next
        })
    }

    /// The share of time in each state in the long run, for a chain in which every state can be reached from every other:
    /// Gauss-Seidel on the balance equations, forwards and backwards in turn, until the means of two sweeps agree.
    pub fn stationary(&self) -> Stationary<'_, S> {
        let n = self.states.len();
        let mut into: Vec<Vec<(usize, f64)>> = vec![Vec::new(); n];
        for (from, row) in self.moves.iter().enumerate() {
            row.iter().for_each(|&(to, rate)| into[to].push((from, rate)));
        }
        let mut share = vec![1.0 / n as f64; n];
        for _ in 0..100_000 {
            let before = share.clone();
            let update = |at: usize, share: &mut Vec<f64>| {
                share[at] = into[at].iter().map(|&(from, rate)| share[from] * rate).sum::<f64>() / self.exits[at];
            };
            (0..n).for_each(|at| update(at, &mut share));
            (0..n).rev().for_each(|at| update(at, &mut share));
            let total: f64 = share.iter().sum();
            share.iter_mut().for_each(|share| *share /= total);
            let change: f64 = share.iter().zip(&before).map(|(now, before)| (now - before).abs()).sum();
            if change < 1e-13 {
                break;
            }
        }
        Stationary { chain: self, share }
    }

    /// Probabilities of the states, all zero but where `start` says otherwise.
    pub fn distribution(&self, start: impl IntoIterator<Item = (S, f64)>) -> Vec<f64> {
        let mut probabilities = vec![0.0; self.states.len()];
        for (state, probability) in start {
            probabilities[self.numbers[&state]] += probability;
        }
        probabilities
    }

    /// A rate at least as high as that of any state.
    fn uniform_rate(&self) -> f64 {
        self.exits.iter().copied().fold(0.0, f64::max) * 1.02
    }

    /// One jump of the chain that jumps at the uniform rate from every state, perhaps to where it is.
    fn jump(&self, from: &[f64], rate: f64) -> Vec<f64> {
        let mut to: Vec<f64> = from.iter().zip(&self.exits).map(|(p, exit)| p * (1.0 - exit / rate)).collect();
        for (p, row) in from.iter().zip(&self.moves) {
            row.iter().for_each(|&(target, move_rate)| to[target] += p * move_rate / rate);
        }
        to
    }

    /// The states' shares of the time from the start to `until`, by uniformisation: the expected time between jumps `k` and
    /// `k + 1` before that is the chance of more than `k` jumps by then, over the rate. (Grassmann 1977,
    /// doi:10.1016/0305-0548(77)90007-7.)
    pub fn shares_until(&self, start: Vec<f64>, until: f64) -> Vec<(S, f64)> {
        let rate = self.uniform_rate();
        let mut jumps = Poisson::new(rate * until);
        let mut probabilities = start;
        let mut shares = vec![0.0; self.states.len()];
        for k in 0.. {
            let weight = jumps.above(k);
            shares.iter_mut().zip(&probabilities).for_each(|(share, p)| *share += weight * p);
            // Far beyond the mean nothing is left but rounding.
            if weight < 1e-13 || k as f64 > 50.0 + 2.0 * rate * until {
                break;
            }
            probabilities = self.jump(&probabilities, rate);
        }
        let scale = 1.0 / rate / until;
        self.states.iter().cloned().zip(shares).map(|(state, share)| (state, share * scale)).collect()
    }

    /// The time until an absorbing state is reached from `start`.
    pub fn absorption(&self, start: Vec<f64>) -> Absorption {
        let rate = self.uniform_rate();
        let mut left = Vec::new();
        let mut probabilities = start;
        loop {
            let alive: f64 =
                probabilities.iter().zip(&self.exits).filter(|(_, exit)| **exit > 0.0).map(|(p, _)| p).sum();
            left.push(alive);
            if alive < 1e-7 || left.len() > 2_000_000 {
                break;
            }
            probabilities = self.jump(&probabilities, rate);
        }
        Absorption { rate, left }
    }
}

/// A chain in the long run.
pub struct Stationary<'a, S> {
    chain: &'a Chain<S>,
    share: Vec<f64>,
}

impl<S: Ord + Clone> Stationary<'_, S> {
    /// The mean of a function of the state.
    pub fn mean(&self, value: impl Fn(&S) -> f64) -> f64 {
        self.iter().map(|(state, share)| share * value(state)).sum()
    }

    /// States with their shares.
    pub fn iter(&self) -> impl Iterator<Item = (&S, f64)> {
        self.chain.states.iter().zip(self.share.iter().copied())
    }
}

/// The distribution of a time until absorption.
pub struct Absorption {
    rate: f64,
    /// How likely it is that `k` jumps have not sufficed.
    left: Vec<f64>,
}

impl Absorption {
    /// How likely it takes longer than `t`, given that it happens at all.
    pub fn longer_than(&self, t: f64) -> f64 {
        let mut jumps = Poisson::new(self.rate * t);
        let sum: f64 = self.left.iter().enumerate().map(|(k, left)| jumps.exactly(k as u64) * left).sum();
        sum / self.left[0]
    }

    /// The mean.
    pub fn mean(&self) -> f64 {
        self.left.iter().sum::<f64>() / self.left[0] / self.rate
    }

    /// The time that a share `q` does not exceed.
    pub fn quantile(&self, q: f64) -> f64 {
        super::crossing(q, 0.0, self.mean(), |t| 1.0 - self.longer_than(t))
    }
}

/// Probabilities of a Poisson number, asked for in ascending order.
struct Poisson {
    mean: f64,
    /// Chance of more than `k` for the `k` last asked for.
    above: f64,
}

impl Poisson {
    fn new(mean: f64) -> Self {
        Self { mean, above: 1.0 }
    }

    fn exactly(&mut self, k: u64) -> f64 {
        if self.mean == 0.0 {
            return if k == 0 { 1.0 } else { 0.0 };
        }
        let k = k as f64;
        exp(k * ln(self.mean) - self.mean - ln_gamma(k + 1.0))
    }

    /// Chance of more than `k`; to be asked for 0, 1, 2...
    fn above(&mut self, k: u64) -> f64 {
        self.above = (self.above - self.exactly(k)).max(0.0);
        self.above
    }
}

#[cfg(test)]
mod tests {
    use super::super::assert_close;
    use super::*;

    /// M/M/1 at 80 % load, cut off where it hardly ever is.
    fn mm1() -> Chain<u32> {
        Chain::explore([0], |&n| {
            let mut moves = vec![];
            if n < 200 {
                moves.push((n + 1, 0.8));
            }
            if n > 0 {
                moves.push((n - 1, 1.0));
            }
            moves
        })
    }

    #[test]
    fn the_long_run_is_the_geometric_one() {
        let chain = mm1();
        let stationary = chain.stationary();
        assert_close(stationary.mean(|n| f64::from(*n)), 4.0, 1e-9);
        assert_close(stationary.mean(|n| f64::from(u32::from(*n == 3))), 0.2 * 0.512, 1e-9);
    }

    #[test]
    fn an_infinite_server_fills_up_exponentially() {
        // Number present at t: 5 (1 - e^-t); its mean over 0..2 is 5 (1 + e^-2) / 2.
        let chain = Chain::explore([0u32], |&n| {
            let mut moves = vec![(n.saturating_sub(1), f64::from(n))];
            if n < 60 {
                moves.push((n + 1, 5.0));
            }
            moves
        });
        let start = chain.distribution([(0, 1.0)]);
        let mean: f64 = chain.shares_until(start, 2.0).iter().map(|(n, share)| f64::from(*n) * share).sum();
        assert_close(mean, 2.5 * (1.0 + exp(-2.0)), 1e-9);
    }

    #[test]
    fn absorption_after_three_stages_is_erlangs_law() {
        let chain = Chain::explore([3u32], |&n| if n > 0 { vec![(n - 1, 2.0)] } else { vec![] });
        let time = chain.absorption(chain.distribution([(3, 1.0)]));
        assert_close(time.mean(), 1.5, 1e-6);
        assert_close(time.longer_than(1.0), exp(-2.0) * (1.0 + 2.0 + 2.0), 1e-6);
        // The 95th percentile of chi-square with six degrees of freedom is 12.5916; this is a quarter of it.
        assert_close(time.quantile(0.95), 12.591_587 / 4.0, 1e-6);
    }
}
