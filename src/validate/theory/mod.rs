//! What the laws say: closed forms, and the numerical solution of Markov chains where there is none. Times in seconds, rates
//! per second. Checked against published numbers in the tests beside them.

pub mod caches;
pub mod chain;
pub mod models;
pub mod networks;
pub mod queues;

/// The point at which a function that rises through `target` does so, between `low` and a bound that is found by doubling.
pub fn crossing(target: f64, low: f64, guess: f64, rises: impl Fn(f64) -> f64) -> f64 {
    let (mut low, mut high) = (low, low + guess);
    while rises(high) < target && high < 1e12 {
        high = low + 2.0 * (high - low);
    }
    for _ in 0..200 {
        let middle = 0.5 * (low + high);
        if rises(middle) < target { low = middle } else { high = middle }
    }
    0.5 * (low + high)
}

#[cfg(test)]
pub fn assert_close(found: f64, expected: f64, relative: f64) {
    assert!((found - expected).abs() <= relative * expected.abs(), "{found} is not {expected}");
}
