//! Caches under the independent reference model: every request asks for an object by its popularity, whatever was asked before.

use sim_core::math::{exp, pow};

/// Shares of requests that ask for each of `objects` objects, by Zipf's law.
pub fn zipf(objects: usize, exponent: f64) -> Vec<f64> {
    let weights: Vec<f64> = (1..=objects).map(|rank| pow(rank as f64, -exponent)).collect();
    let total: f64 = weights.iter().sum();
    weights.into_iter().map(|weight| weight / total).collect()
}

/// Hit ratio of a cache of equal objects that throws out the least recently used, exactly: an object is in it if fewer than
/// `room` others were asked for since it was; with requests as a Poisson process these are independent of each other
/// (Flajolet, Gardy and Thimonier 1992, doi:10.1016/0166-218X(92)90177-C). The integral over that time is by Simpson's rule over
/// its logarithm.
pub fn lru(shares: &[f64], room: usize) -> f64 {
    let steps = 400;
    let (from, to) = (-16.0f64, 12.0f64);
    let width = (to - from) / f64::from(steps);
    let mut hits = 0.0;
    for step in 0..=steps {
        let t = exp(from + width * f64::from(step));
        let weight = if step == 0 || step == steps {
            1.0
        } else if step % 2 == 1 {
            4.0
        } else {
            2.0
        };
        for (own, share) in shares.iter().enumerate() {
            let density = share * share * exp(-share * t);
            if density * t < 1e-15 {
                continue;
            }
            // Chances of 0, 1, ... room - 1 others asked for within t.
            let mut chances = vec![0.0; room];
            chances[0] = 1.0;
            for (_, rate) in shares.iter().enumerate().filter(|(other, _)| *other != own) {
                let asked = 1.0 - exp(-rate * t);
                for k in (1..room).rev() {
                    chances[k] = chances[k] * (1.0 - asked) + chances[k - 1] * asked;
                }
                chances[0] *= 1.0 - asked;
            }
            hits += weight * width / 3.0 * t * density * chances.iter().sum::<f64>();
        }
    }
    hits
}

/// Che's approximation of the same: an object stays for a fixed time after it was last asked for (Che, Tung and Wang 2002,
/// doi:10.1109/JSAC.2002.801752).
pub fn che(shares: &[f64], room: usize) -> f64 {
    let held = |t: f64| shares.iter().map(|share| 1.0 - exp(-share * t)).sum::<f64>();
    let t = super::crossing(room as f64, 0.0, room as f64, held);
    shares.iter().map(|share| share * (1.0 - exp(-share * t))).sum()
}

/// Hit ratio of a cache that throws out any object: one stays for a random time, exponential but for the number of others,
/// so that it is a renewal cycle of a miss and the hits until it goes (Fricker, Robert and Roberts 2012, arXiv:1202.3974).
pub fn random(shares: &[f64], room: usize) -> f64 {
    let held = |t: f64| shares.iter().map(|share| share * t / (1.0 + share * t)).sum::<f64>();
    let t = super::crossing(room as f64, 0.0, room as f64, held);
    shares.iter().map(|share| share * share * t / (1.0 + share * t)).sum()
}

/// Hit ratio where an object is kept for `ttl` after it was fetched: a renewal cycle is a miss and the hits of one time to live.
/// (Jung, Berger and Balakrishnan 2003, doi:10.1109/INFCOM.2003.1208693.)
pub fn fixed_ttl(shares: &[f64], rate: f64, ttl: f64) -> f64 {
    shares.iter().map(|share| share * (rate * share * ttl) / (1.0 + rate * share * ttl)).sum()
}

/// Hit ratio where every hit renews the time to live: a hit is a gap shorter than it.
/// (Choungmo Fofack, Nain, Neglia and Towsley 2012, doi:10.4108/valuetools.2012.250250.)
pub fn sliding_ttl(shares: &[f64], rate: f64, ttl: f64) -> f64 {
    shares.iter().map(|share| share * (1.0 - exp(-rate * share * ttl))).sum()
}

#[cfg(test)]
mod tests {
    use super::super::assert_close;
    use super::*;

    #[test]
    fn equal_objects_hit_by_their_share() {
        assert_close(lru(&zipf(12, 0.0), 4), 4.0 / 12.0, 1e-6);
        assert_close(che(&zipf(12, 0.0), 4), 4.0 / 12.0, 1e-9);
    }

    /// King 1971: the chance that the cache holds a given list is a product; here for three objects and room for two.
    #[test]
    fn a_small_cache_by_enumeration() {
        let p = [0.6, 0.3, 0.1];
        let mut hits = 0.0;
        for first in 0..3 {
            for second in (0..3).filter(|&second| second != first) {
                let holds = p[first] * p[second] / (1.0 - p[first]);
                hits += holds * (p[first] + p[second]);
            }
        }
        assert_close(lru(&p, 2), hits, 1e-6);
    }

    #[test]
    fn the_approximation_is_near() {
        let shares = zipf(100, 0.8);
        assert_close(che(&shares, 20), lru(&shares, 20), 5e-3);
    }
}
