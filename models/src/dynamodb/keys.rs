//! Which partition an operation's key is on.

use sim_core::distribution::Weighted;
use sim_core::math::{exp, ln, mix};
use sim_core::random::Source;

/// Keys whose place is looked up one by one; those beyond are spread evenly. Each of them has less than a hundred-thousandth
/// of all requests, so that no partition's share is off by more than what a handful of requests in a million would make.
const HEAD: u64 = 1 << 14;

/// An operation's partition keys, by popularity: key number k is asked for in proportion to 1 / (k + 1)^s, and lies on the
/// partition its hash says.
///
/// All that follows from a key is its partition, so what is drawn is the partition, with the probabilities that drawing keys
/// would give: one draw, however many keys there are.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    /// `None` if there is only one partition.
    partition: Option<Weighted>,
}

impl Keys {
    pub(super) fn new(count: u64, zipf: f64, partitions: usize, hash: u64) -> Self {
        let partition = (partitions > 1).then(|| {
            let shares = shares(count.max(1), zipf, partitions, hash);
            Weighted::new(&shares).expect("shares are positive and finite")
        });
        Self { partition }
    }

    /// Draws the partition of the key asked for.
    #[inline]
    pub(super) fn partition(&self, draws: &mut impl Source) -> usize {
        self.partition.as_ref().map_or(0, |partition| partition.sample(draws))
    }
}

/// Popularity of each partition, not normalised: the sum of its keys'.
pub(super) fn shares(count: u64, zipf: f64, partitions: usize, hash: u64) -> Vec<f64> {
    let mut shares = vec![0.0; partitions];
    let head = count.min(HEAD);
    for key in 0..head {
        let popularity = exp(-zipf * ln((key + 1) as f64));
        shares[(mix(hash, key) % partitions as u64) as usize] += popularity;
    }
    if count > head {
        let each = tail(head as f64, count as f64, zipf) / partitions as f64;
        shares.iter_mut().for_each(|share| *share += each);
    }
    shares
}

/// The sum of k^-s over k from `from` + 1 to `to`, as the integral over half a step more on either side: for ranks in the
/// thousands the relative error is below 10^-7.
fn tail(from: f64, to: f64, s: f64) -> f64 {
    let (low, high) = (ln(from + 0.5), ln(to + 0.5));
    let t = (1.0 - s) * (high - low);
    // (e^t - 1) / t, which is 1 at exponent 1.
    let stretch = if t.abs() > 1e-8 { (exp(t) - 1.0) / t } else { 1.0 + 0.5 * t };
    exp((1.0 - s) * low) * (high - low) * stretch
}
