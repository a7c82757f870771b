//! Exponential function and logarithm by tables: the two functions that sampling spends its time in.
//!
//! Additions, multiplications and table look-ups only, in a fixed order, so that results are the same on every target; about
//! three times as fast as the `libm` crate's, which stay the oracle of the tests and do what is rare (infinities, subnormal
//! numbers). Within 0.55 units in the last place. The method is P. T. P. Tang's: "Table-driven implementation of the
//! exponential function in IEEE floating-point arithmetic", ACM Transactions on Mathematical Software 15 (1989) 144-157,
//! doi:10.1145/63522.214389, and for the logarithm 16 (1990) 378-400, doi:10.1145/98267.98294. The tables are computed at
//! compile time in pairs of numbers.

/// Entries of each table: the first seven bits of a fraction.
const ENTRIES: usize = 128;

/// An unevaluated sum of two numbers, the second at most half a unit in the last place of the first.
type Pair = (f64, f64);

/// The sum of two numbers, exactly, if the first is the greater (Dekker 1971).
const fn exact_sum(greater: f64, less: f64) -> Pair {
    let sum = greater + less;
    (sum, less - (sum - greater))
}

/// The product of two numbers, exactly (Veltkamp and Dekker 1971).
const fn exact_product(a: f64, b: f64) -> Pair {
    const fn halves(x: f64) -> Pair {
        let shifted = 134_217_729.0 * x;
        let high = shifted - (shifted - x);
        (high, x - high)
    }
    let product = a * b;
    let ((ah, al), (bh, bl)) = (halves(a), halves(b));
    (product, ((ah * bh - product) + ah * bl + al * bh) + al * bl)
}

const fn product(a: Pair, b: Pair) -> Pair {
    let (high, low) = exact_product(a.0, b.0);
    exact_sum(high, low + (a.0 * b.1 + a.1 * b.0))
}

/// `a + b` where `a` is the greater.
const fn sum(a: Pair, b: Pair) -> Pair {
    let (high, low) = exact_sum(a.0, b.0);
    exact_sum(high, low + (a.1 + b.1))
}

/// `a / n` for a small whole `n`.
const fn quotient(a: Pair, n: f64) -> Pair {
    let high = a.0 / n;
    let (back, lost) = exact_product(high, n);
    exact_sum(high, (((a.0 - back) - lost) + a.1) / n)
}

/// The natural logarithm of 2.
const LN_2: Pair = (std::f64::consts::LN_2, 2.319_046_813_846_299_6e-17);

/// e to the power `x` for `x` in 0..1, by Taylor's series.
const fn exp_pair(x: Pair) -> Pair {
    // From the inside: 1 + x (1 + x/2 (1 + x/3 (...))).
    let (mut result, mut n) = ((1.0, 0.0), 30.0);
    while n > 0.0 {
        result = sum((1.0, 0.0), product(quotient(x, n), result));
        n -= 1.0;
    }
    result
}

/// The natural logarithm of a number near 1: 2 artanh((x - 1) / (x + 1)).
const fn ln_pair(x: f64) -> Pair {
    let numerator = x - 1.0;
    let ratio = {
        let first = numerator / (x + 1.0);
        let (back, lost) = exact_product(first, x + 1.0);
        exact_sum(first, ((numerator - back) - lost) / (x + 1.0))
    };
    let square = product(ratio, ratio);
    let (mut result, mut n) = ((0.0, 0.0), 41.0);
    while n > 0.0 {
        result = sum(quotient((1.0, 0.0), n), product(square, result));
        n -= 2.0;
    }
    let (high, low) = product(ratio, result);
    (2.0 * high, 2.0 * low)
}

/// 2 to the power i / 128: its bits, and by what part of itself it falls short.
static POWERS: [(u64, f64); ENTRIES] = {
    let mut table = [(0, 0.0); ENTRIES];
    let mut i = 0;
    while i < ENTRIES {
        let exponent = i as f64 / ENTRIES as f64;
        let power = exp_pair(product((exponent, 0.0), LN_2));
        table[i] = (power.0.to_bits(), power.1 / power.0);
        i += 1;
    }
    table
};

/// e to the power `x`.
#[inline]
#[must_use]
pub fn exp(x: f64) -> f64 {
    /// Added and taken away again, it rounds to a whole number.
    const SHIFT: f64 = 6_755_399_441_055_744.0;
    const PER_UNIT: f64 = ENTRIES as f64 / std::f64::consts::LN_2;
    /// ln 2 / 128, the first part with so many zeros that its product with the whole number is exact.
    const HIGH: f64 = f64::from_bits(LN_2.0.to_bits() & !0xFF_FFFF) / ENTRIES as f64;
    const LOW: f64 = (LN_2.0 - f64::from_bits(LN_2.0.to_bits() & !0xFF_FFFF) + LN_2.1) / ENTRIES as f64;
    if !(x > -700.0 && x < 700.0) {
        return libm::exp(x);
    }
    let shifted = x * PER_UNIT + SHIFT;
    let (whole, bits) = (shifted - SHIFT, shifted.to_bits());
    let (power, short) = POWERS[bits as usize % ENTRIES];
    // The bits of 2 to the power whole / 128: the exponent grows by the quotient, its low bits are the shift's whole number.
    let scale = f64::from_bits(power.wrapping_add((bits / ENTRIES as u64) << 52));
    let r = (x - whole * HIGH) - whole * LOW;
    let r2 = r * r;
    let grown = (short + r) + r2 * ((0.5 + r * (1.0 / 6.0)) + r2 * (1.0 / 24.0 + r * (1.0 / 120.0)));
    scale + scale * grown
}

/// Where the fractions of the logarithm begin: they run from 11/16 to 11/8, so that 1 is inside.
const FIRST_FRACTION: u64 = 0x3FE6_0000_0000_0000;

/// For each of the intervals that the fractions fall into: the reciprocal of about its middle, to nine bits, and the negative
/// logarithm of that. At 1 the reciprocal is 1 on both sides, so that logarithms near 0 lose nothing.
static RECIPROCALS: [(f64, f64, f64); ENTRIES] = {
    let mut table = [(1.0, 0.0, 0.0); ENTRIES];
    let mut i = 0;
    while i < ENTRIES {
        let low = f64::from_bits(FIRST_FRACTION + ((i as u64) << 45));
        let high = f64::from_bits(FIRST_FRACTION + ((i as u64 + 1) << 45));
        if low != 1.0 && high != 1.0 {
            let reciprocal = ((2.0 / (low + high)) * 512.0 + 0.5) as u64 as f64 / 512.0;
            let (log, rest) = ln_pair(reciprocal);
            table[i] = (reciprocal, -log, -rest);
        }
        i += 1;
    }
    table
};

/// Natural logarithm; `-inf` at 0, NaN below.
#[inline]
#[must_use]
pub fn ln(x: f64) -> f64 {
    /// ln 2, the first part with so many zeros that its product with an exponent is exact.
    const HIGH: f64 = f64::from_bits(LN_2.0.to_bits() & !0xFFF_FFFF);
    const LOW: f64 = LN_2.0 - HIGH + LN_2.1;
    if !(f64::MIN_POSITIVE..f64::INFINITY).contains(&x) {
        return libm::log(x);
    }
    let above = x.to_bits().wrapping_sub(FIRST_FRACTION);
    let exponent = (above as i64 >> 52) as f64;
    let fraction = f64::from_bits(x.to_bits().wrapping_sub(above & (0xFFF << 52)));
    let (reciprocal, log, log_rest) = RECIPROCALS[(above >> 45) as usize % ENTRIES];
    // fraction * reciprocal - 1 in two halves, whose products are exact.
    let front = f64::from_bits(fraction.to_bits() & !0x7FF_FFFF);
    let r = (front * reciprocal - 1.0) + (fraction - front) * reciprocal;
    let r2 = r * r;
    let series =
        (-0.5 + r * (1.0 / 3.0)) + r2 * ((-0.25 + r * 0.2) + r2 * ((-1.0 / 6.0 + r * (1.0 / 7.0)) - r2 * 0.125));
    let (coarse, coarse_rest) = exact_sum(exponent * HIGH, log);
    let (high, rest) = exact_sum(coarse, r);
    high + (r2 * series + (rest + (coarse_rest + (exponent * LOW + log_rest))))
}

/// Natural logarithm of a number between 2^-64 and 1, for samples: within 10^-15 of the true value, and never above 0. It takes half
/// the time of [`ln`], which is exact to the last place also where the logarithm is small.
#[inline]
#[must_use]
pub(crate) fn ln_of_share(x: f64) -> f64 {
    let above = x.to_bits().wrapping_sub(FIRST_FRACTION);
    let exponent = (above as i64 >> 52) as f64;
    let fraction = f64::from_bits(x.to_bits().wrapping_sub(above & (0xFFF << 52)));
    let (reciprocal, log, _) = RECIPROCALS[(above >> 45) as usize % ENTRIES];
    let r = fraction * reciprocal - 1.0;
    let r2 = r * r;
    let series = (-0.5 + r * (1.0 / 3.0)) + r2 * ((-0.25 + r * 0.2) - r2 * (1.0 / 6.0));
    (exponent * LN_2.0 + log) + (r + r2 * series)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Source, Stream};

    /// By how many units in the last place two numbers of one sign differ.
    fn units_apart(a: f64, b: f64) -> u64 {
        a.to_bits().abs_diff(b.to_bits())
    }

    #[test]
    fn tables_hold_what_their_names_say() {
        for (i, &(bits, _)) in POWERS.iter().enumerate() {
            assert!(units_apart(f64::from_bits(bits), libm::exp2(i as f64 / 128.0)) <= 1, "{i}");
        }
        for &(reciprocal, log, _) in &RECIPROCALS {
            assert!((log + libm::log(reciprocal)).abs() <= 1e-16, "{reciprocal}");
        }
    }

    #[test]
    fn both_agree_with_libm_to_a_unit_in_the_last_place() {
        let mut stream = Stream::from_key(1);
        for _ in 0..500_000 {
            let (u, wide) = (stream.open01(), 1400.0 * stream.uniform() - 700.0);
            for x in [u, 1.0 - u, -u, wide, u * 1e-9] {
                assert!(units_apart(exp(x), libm::exp(x)) <= 1, "exp {x:e}: {:e} {:e}", exp(x), libm::exp(x));
            }
            for x in [u, 1.0 - u, 1.0 + u * 0.01, 1.0 - u * 0.01, 1.0 + u * 1e-12, u * 1e9, libm::exp(wide)] {
                assert!(units_apart(ln(x), libm::log(x)) <= 1, "ln {x:e}: {:e} {:e}", ln(x), libm::log(x));
            }
        }
    }

    #[test]
    fn logarithms_of_shares_are_near_enough_and_never_above_zero() {
        let mut stream = Stream::from_key(2);
        let near = |x: f64| {
            let found = ln_of_share(x);
            assert!((found - ln(x)).abs() <= 1e-15 * (1.0 - ln(x)) && found <= 0.0, "{x:e}: {found:e} {:e}", ln(x));
        };
        for _ in 0..500_000 {
            let u = stream.open01();
            [u, 1.0 - u, 1.0 - u * 0.01, 1.0 - u * 1e-9, u * 1e-3].into_iter().for_each(near);
        }
        // Ends of the intervals, and the least and the greatest that `open01` gives.
        for i in 0..=ENTRIES as u64 {
            let end = FIRST_FRACTION + (i << 45);
            [end - 1, end, end + 1].map(f64::from_bits).into_iter().filter(|&x| x < 1.0).for_each(near);
        }
        [1.0, 1.0 - f64::EPSILON / 2.0, f64::EPSILON / 2.0].into_iter().for_each(near);
    }

    #[test]
    fn the_edges_are_those_of_the_standard() {
        assert_eq!((exp(0.0), ln(1.0)), (1.0, 0.0));
        assert_eq!((exp(f64::NEG_INFINITY), exp(f64::INFINITY)), (0.0, f64::INFINITY));
        assert_eq!((ln(0.0), ln(f64::INFINITY)), (f64::NEG_INFINITY, f64::INFINITY));
        assert!(exp(f64::NAN).is_nan() && ln(-1.0).is_nan() && ln(f64::NAN).is_nan());
        for x in [710.0, 709.0, -709.0, -720.0, -745.0] {
            assert!(units_apart(exp(x), libm::exp(x)) <= 1, "{x}");
        }
        for x in [f64::MIN_POSITIVE, f64::MIN_POSITIVE / 1e9, f64::MAX, 5e-324] {
            assert!(units_apart(ln(x), libm::log(x)) <= 1, "{x}");
        }
    }
}
