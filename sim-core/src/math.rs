//! Mathematical functions that give the same bits on every target, and fixed hash functions.
//!
//! The platform's `exp`, `ln` and `pow` differ between C libraries and even between processors, in the last bit; those of
//! the `libm` crate, and the two of our own, are plain arithmetic. Everything in the simulator takes them from here.

mod elementary;
mod special;

pub(crate) use elementary::ln_of_share;
pub use elementary::{exp, ln};
pub use special::{
    gamma, incomplete_beta, ln_gamma, normal_cdf, normal_density, normal_quantile, student_t_cdf, student_t_quantile,
};

/// `base` to the power `exponent`.
#[inline]
#[must_use]
pub fn pow(base: f64, exponent: f64) -> f64 {
    libm::pow(base, exponent)
}

/// Cube root.
#[inline]
#[must_use]
pub fn cbrt(x: f64) -> f64 {
    libm::cbrt(x)
}

/// Sine of an angle in radians.
#[inline]
#[must_use]
pub fn sin(x: f64) -> f64 {
    libm::sin(x)
}

/// Cosine of an angle in radians.
#[inline]
#[must_use]
pub fn cos(x: f64) -> f64 {
    libm::cos(x)
}

/// The angle in radians whose sine is `x`, between minus and plus a quarter turn; NaN beyond -1..=1.
#[inline]
#[must_use]
pub fn asin(x: f64) -> f64 {
    libm::asin(x)
}

/// Square root; NaN below 0. IEEE 754 prescribes the result to the bit, so the hardware's is as good as any.
#[inline]
#[must_use]
pub fn sqrt(x: f64) -> f64 {
    x.sqrt()
}

/// The odd integer nearest to 2^64 divided by the golden ratio.
pub(crate) const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// The finalizer of SplitMix64: David Stafford's 13th variant of the MurmurHash3 mixer. A bijection with full avalanche
/// that maps 0 to 0.
#[inline]
#[must_use]
pub(crate) const fn avalanche(x: u64) -> u64 {
    let x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

/// A strong hash of one word; a bijection. The first output of SplitMix64 seeded with `x` (Steele, Lea and Flood 2014,
/// doi:10.1145/2714064.2660195).
#[inline]
#[must_use]
pub const fn mix64(x: u64) -> u64 {
    avalanche(x.wrapping_add(GOLDEN))
}

/// A strong hash of two words. Not symmetric: `mix(a, b)` and `mix(b, a)` differ. With either word fixed it is a bijection
/// of the other, so that distinct keys under one root never collide.
#[inline]
#[must_use]
pub const fn mix(a: u64, b: u64) -> u64 {
    mix64(mix64(a) ^ b.wrapping_mul(0xD6E8_FEB8_6659_FD93).rotate_left(32))
}

/// The word that [`mix`] made `mixed` of with `b`: `unmix(mix(a, b), b)` is `a`.
#[must_use]
pub const fn unmix(mixed: u64, b: u64) -> u64 {
    unmix64(unmix64(mixed) ^ b.wrapping_mul(0xD6E8_FEB8_6659_FD93).rotate_left(32))
}

/// The inverse of [`mix64`]: each step of [`avalanche`] undone, the last one first.
const fn unmix64(x: u64) -> u64 {
    let x = (x ^ (x >> 31) ^ (x >> 62)).wrapping_mul(0x3196_42B2_D24D_8EC3);
    let x = (x ^ (x >> 27) ^ (x >> 54)).wrapping_mul(0x96DE_1B17_3F11_9089);
    (x ^ (x >> 30) ^ (x >> 60)).wrapping_sub(GOLDEN)
}

/// A hash of a text's bytes: 64-bit FNV-1a followed by [`mix64`]. Fixed for all time and targets: random streams are found
/// by it.
#[must_use]
pub const fn hash_str(text: &str) -> u64 {
    let bytes = text.as_bytes();
    let mut hash: u64 = 0xCBF2_9CE4_8422_2325;
    let mut at = 0;
    while at < bytes.len() {
        hash = (hash ^ bytes[at] as u64).wrapping_mul(0x0000_0100_0000_01B3);
        at += 1;
    }
    mix64(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mix64_is_the_published_splitmix64() {
        // First outputs of SplitMix64 for seeds 0 and 1234567, as in the reference implementation's published vectors.
        assert_eq!(mix64(0), 0xE220_A839_7B1D_CDAF);
        assert_eq!(mix64(1_234_567), 6_457_827_717_110_365_317);
    }

    #[test]
    fn hashes_are_pinned() {
        assert_eq!(
            (mix(1, 2), hash_str(""), hash_str("ecs.web")),
            (12_403_216_910_049_890_566, 14_087_677_454_934_409_008, 7_976_191_173_462_071_599)
        );
    }

    #[test]
    fn what_was_mixed_comes_back() {
        for i in 0..10_000u64 {
            let (a, b) = (mix64(i), mix64(!i));
            assert_eq!(unmix(mix(a, b), b), a);
        }
        assert_eq!((unmix(mix(0, 7), 7), unmix(mix(u64::MAX, 0), 0)), (0, u64::MAX));
    }

    #[test]
    fn mix_is_not_symmetric_and_flips_half_the_bits() {
        assert_ne!(mix(1, 2), mix(2, 1));
        let mut flipped = [0u32; 2];
        for i in 0..1000u64 {
            for bit in 0..64 {
                flipped[0] += (mix(i, 77) ^ mix(i ^ (1 << bit), 77)).count_ones();
                flipped[1] += (mix(77, i) ^ mix(77, i ^ (1 << bit))).count_ones();
            }
        }
        for total in flipped {
            assert!((f64::from(total) / 64_000.0 - 32.0).abs() < 0.1, "{total}");
        }
    }

    #[test]
    fn elementary_functions_agree_with_the_platform_to_an_ulp() {
        for i in 1..2000 {
            let x = f64::from(i) * 0.0371;
            #[allow(clippy::disallowed_methods, reason = "the platform's functions are the oracle here")]
            let pairs = [(exp(x), x.exp()), (ln(x), x.ln()), (pow(x, 1.7), x.powf(1.7)), (sqrt(x), x.sqrt())];
            for (ours, theirs) in pairs {
                assert!((ours - theirs).abs() <= 4e-16 * theirs.abs(), "{x}: {ours} {theirs}");
            }
        }
    }
}
