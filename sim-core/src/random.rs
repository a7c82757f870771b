//! Randomness: streams found by name, so that adding or reordering components never shifts the draws of another.
//!
//! A stream is keyed by the run's seed, the replication, the component and the purpose. What belongs to one request (its
//! object, size, service demand) is drawn from [`Draws`] keyed by the request's own number instead: two variants of an
//! architecture then see the same customers however differently they route them.

use crate::math::{GOLDEN, avalanche, hash_str, ln_of_share, mix};
use rand::{SeedableRng, TryRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use std::convert::Infallible;

/// A source of random bits and what is commonly made of them.
pub trait Source {
    /// 64 random bits.
    fn next_u64(&mut self) -> u64;

    /// Uniform on [0, 1): a multiple of 2^-53.
    #[inline]
    fn uniform(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// Uniform on the open interval (0, 1), symmetric about one half: an odd multiple of 2^-53. Never 0 or 1, so that
    /// logarithms and quantile functions of it are finite.
    #[inline]
    fn open01(&mut self) -> f64 {
        ((self.next_u64() >> 12) as f64 + 0.5) * (1.0 / (1u64 << 52) as f64)
    }

    /// Exponential with mean 1.
    #[inline]
    fn exponential(&mut self) -> f64 {
        -ln_of_share(self.open01())
    }

    /// Uniform on 0..n, by multiplication and shift: the bias is below n / 2^64. Zero if `n` is zero.
    #[inline]
    fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.next_u64()) * u128::from(n)) >> 64) as u64
    }

    /// True with probability `p`; never for `p <= 0`, always for `p >= 1`. Takes one draw in any case.
    #[inline]
    fn chance(&mut self, p: f64) -> bool {
        self.uniform() < p
    }
}

impl<S: Source + ?Sized> Source for &mut S {
    #[inline]
    fn next_u64(&mut self) -> u64 {
        (**self).next_u64()
    }
}

/// All random streams of one replication.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Streams {
    root: u64,
}

impl Streams {
    /// The streams of replication number `replication` under the run's seed.
    #[must_use]
    pub const fn new(seed: u64, replication: u32) -> Self {
        Self { root: mix(seed, replication as u64) }
    }

    /// The key for one purpose of one component, such as `("ecs.web", "service time")`. Depends on nothing but the names,
    /// the seed and the replication.
    #[must_use]
    pub const fn key(&self, component: &str, purpose: &str) -> u64 {
        mix(mix(self.root, hash_str(component)), hash_str(purpose))
    }

    /// The stream for one purpose of one component, from its beginning.
    #[must_use]
    pub fn stream(&self, component: &str, purpose: &str) -> Stream {
        Stream::from_key(self.key(component, purpose))
    }
}

/// A long stream of random numbers: xoshiro256++ of Blackman and Vigna (doi:10.1145/3460772), period 2^256 - 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream(Xoshiro256PlusPlus);

impl Stream {
    /// The stream of a key; its state is filled by SplitMix64, as the algorithm's authors advise.
    #[must_use]
    pub fn from_key(key: u64) -> Self {
        Self(Xoshiro256PlusPlus::seed_from_u64(key))
    }
}

impl Source for Stream {
    #[inline]
    fn next_u64(&mut self) -> u64 {
        rand::Rng::next_u64(&mut self.0)
    }
}

/// A short stream of random numbers that costs next to nothing to begin: SplitMix64 (doi:10.1145/2714064.2660195) from a
/// hashed state. Meant for the few draws that belong to one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Draws {
    state: u64,
}

impl Draws {
    /// The draws for one purpose under a key, such as a request's own number mixed with its route's key.
    #[inline]
    #[must_use]
    pub const fn new(key: u64, purpose: u64) -> Self {
        Self { state: mix(key, purpose) }
    }

    /// Draws branching off a single one of another stream: lets a sampler that needs an unforeseeable number of draws take
    /// exactly one from its source.
    #[inline]
    #[must_use]
    pub(crate) const fn branch(draw: u64) -> Self {
        Self { state: draw }
    }
}

impl Source for Draws {
    #[inline]
    fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(GOLDEN);
        avalanche(self.state)
    }
}

/// Makes a [`Source`] a generator in the sense of the `rand` crate too.
macro_rules! rand_generator {
    ($name:ty) => {
        impl TryRng for $name {
            type Error = Infallible;
            #[inline]
            fn try_next_u32(&mut self) -> Result<u32, Infallible> {
                Ok((Source::next_u64(self) >> 32) as u32)
            }
            #[inline]
            fn try_next_u64(&mut self) -> Result<u64, Infallible> {
                Ok(Source::next_u64(self))
            }
            fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
                for chunk in bytes.chunks_mut(8) {
                    let word = Source::next_u64(self).to_le_bytes();
                    chunk.copy_from_slice(&word[..chunk.len()]);
                }
                Ok(())
            }
        }
    };
}
rand_generator!(Stream);
rand_generator!(Draws);

#[cfg(test)]
mod tests {
    use super::*;

    fn first(mut source: impl Source, n: usize) -> Vec<u64> {
        (0..n).map(|_| source.next_u64()).collect()
    }

    #[test]
    fn vectors_are_pinned() {
        // SplitMix64 from state 1234567, as published with the reference implementation.
        let splitmix = Draws::branch(1_234_567);
        let expected = [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423];
        assert_eq!(first(splitmix, 3), expected);
        let streams = Streams::new(7, 0);
        assert_eq!(streams.key("ecs.web", "service time"), 4_570_667_518_073_287_995);
        let service = [4_499_294_002_030_992_776, 8_152_117_238_492_329_413, 1_356_083_296_851_771_879];
        assert_eq!(first(streams.stream("ecs.web", "service time"), 3), service);
        assert_eq!(
            first(Draws::new(42, 1), 3),
            [17_084_540_394_541_221_195, 1_598_629_259_811_222_746, 13_878_601_741_418_019_922]
        );
    }

    #[test]
    fn names_seeds_and_replications_all_separate_streams() {
        let keys = [
            Streams::new(7, 0).key("a", "b"),
            Streams::new(7, 1).key("a", "b"),
            Streams::new(8, 0).key("a", "b"),
            Streams::new(7, 0).key("b", "a"),
            Streams::new(7, 0).key("a", "c"),
            Streams::new(7, 0).key("ab", ""),
            Streams::new(0, 7).key("a", "b"),
        ];
        for (i, a) in keys.iter().enumerate() {
            assert!(keys[i + 1..].iter().all(|b| a != b));
        }
    }

    #[test]
    fn a_stream_does_not_depend_on_what_else_was_asked_for() {
        let streams = Streams::new(7, 3);
        let alone = first(streams.stream("alb.front", "routing"), 100);
        let mut other = streams.stream("ecs.web", "service time");
        other.next_u64();
        assert_eq!(first(streams.stream("alb.front", "routing"), 100), alone);
    }

    #[test]
    fn uniform_numbers_stay_in_their_interval() {
        struct Fixed(u64);
        impl Source for Fixed {
            fn next_u64(&mut self) -> u64 {
                self.0
            }
        }
        let (mut least, mut most) = (Fixed(0), Fixed(u64::MAX));
        assert_eq!((least.uniform(), most.uniform()), (0.0, 1.0 - f64::EPSILON / 2.0));
        assert!(least.open01() > 0.0 && most.open01() < 1.0);
        assert_eq!(least.open01(), 1.0 - most.open01());
        assert_eq!((least.below(10), most.below(10), most.below(0)), (0, 9, 0));
        assert!(!least.chance(0.0) && most.chance(1.0));
    }

    /// Mean, variance, and correlation of neighbours, each within five standard errors; also across request keys that
    /// count up, the way they are used.
    #[test]
    fn draws_look_uniform_and_independent() {
        let n = 1_000_000u32;
        let mut stream = Streams::new(1, 0).stream("test", "uniform");
        let along: Vec<f64> = (0..n).map(|_| stream.uniform()).collect();
        let across: Vec<f64> = (0..n).map(|i| Draws::new(u64::from(i), 5).uniform()).collect();
        for sample in [along, across] {
            let se = 1.0 / f64::from(n).sqrt();
            let mean = sample.iter().sum::<f64>() / f64::from(n);
            let square = sample.iter().map(|u| (u - 0.5) * (u - 0.5)).sum::<f64>() / f64::from(n);
            let lag = sample.windows(2).map(|w| (w[0] - 0.5) * (w[1] - 0.5)).sum::<f64>() / f64::from(n);
            assert!((mean - 0.5).abs() < 5.0 * 0.2887 * se, "mean {mean}");
            assert!((square - 1.0 / 12.0).abs() < 5.0 * 0.0745 * se, "variance {square}");
            assert!(lag.abs() < 5.0 / 12.0 * se, "correlation {lag}");
        }
    }
}
