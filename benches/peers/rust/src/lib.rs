//! What the programs have in common: their arguments, random numbers and last line.

use rand::{Rng, RngExt, SeedableRng};
use rand_distr::{Exp1, LogNormal};
pub use rand_xoshiro::Xoshiro256PlusPlus as Draw;

/// The one argument: how many customers come.
pub fn customers() -> usize {
    let argument = std::env::args().nth(1).expect("the number of customers is wanted");
    argument.parse().expect("the number of customers is a whole number")
}

/// A stream of random numbers, the same in every run.
pub fn draw() -> Draw {
    Draw::seed_from_u64(1)
}

/// Seconds, exponential with `rate` a second.
pub fn exponential(draw: &mut impl Rng, rate: f64) -> f64 {
    draw.sample::<f64, _>(Exp1) / rate
}

/// Seconds, lognormal with `mean` and the standard deviation `sigma` of the logarithm.
#[expect(clippy::disallowed_methods, reason = "these programs need not give the same bits everywhere")]
pub fn lognormal(draw: &mut impl Rng, mean: f64, sigma: f64) -> f64 {
    let law = LogNormal::new(mean.ln() - sigma * sigma / 2.0, sigma).expect("a lognormal law of finite spread");
    draw.sample(law)
}

/// Prints customers and the mean sojourn in seconds, as every program does.
pub fn tell(customers: usize, total: f64) {
    println!("{customers} {}", total / customers as f64);
}
