//! A quantile function by a table of polynomials: as exact as samples need to be, without the function's chain of divisions,
//! logarithms and exponentials, each of which waits for the one before.

/// Halvings of each tail that the table knows, from 1/2 down; what lies beyond (one sample in 128) is left to the function itself.
const HALVINGS: usize = 7;
/// Equal parts of each halving.
const PARTS: usize = 8;
const PART_BITS: u32 = PARTS.ilog2();
/// Coefficients of a part's polynomial: as many as there are in a line of the processor's memory.
const TERMS: usize = 8;
const OF_A_TAIL: usize = HALVINGS * PARTS;

/// A smooth quantile function: for each part of each halving of both tails, the polynomial through its values at Chebyshev's points. For
/// lognormals within 10^-13 of the value for sigma up to 0.5, within 10^-11 up to 3.
#[derive(Clone, PartialEq)]
pub(super) struct QuantileTable {
    /// The lower tail's parts, in order of halving and then of distance from the end, then the upper tail's. Lowest coefficient first.
    parts: Box<[[f64; TERMS]]>,
}

impl std::fmt::Debug for QuantileTable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("QuantileTable").finish_non_exhaustive()
    }
}

/// Half of a part's length, where a halving is as long as 1.
const HALF_PART: f64 = 0.5 / PARTS as f64;

impl QuantileTable {
    /// The table of a quantile function on (0, 1).
    pub(super) fn new(quantile: impl Fn(f64) -> f64) -> Self {
        let part = |number: usize| {
            let (halving, part) = (number % OF_A_TAIL / PARTS, number % PARTS);
            let length = 0.25 / (1u64 << halving) as f64;
            let middle = 1.0 + (2 * part + 1) as f64 * HALF_PART;
            polynomial_through(|t| {
                let from_end = length * (middle + t);
                quantile(if number < OF_A_TAIL { from_end } else { 1.0 - from_end })
            })
        };
        Self { parts: (0..2 * OF_A_TAIL).map(part).collect() }
    }

    /// The function's value at the number that [`crate::random::Source::open01`] makes of a draw; `None` where that is too near an end.
    #[inline]
    pub(super) fn value(&self, draw: u64) -> Option<f64> {
        // The distance from the nearer end is an odd multiple of 2^-53; its leading one is its halving.
        let upper = draw >> 63;
        let from_end = ((draw ^ 0u64.wrapping_sub(upper)) >> 12) << 1 | 1;
        let halving = (from_end.leading_zeros() - 12) as usize;
        if halving >= HALVINGS {
            return None;
        }
        // What comes after the leading one, from the left: first the part, then the place in it.
        let rest = from_end << (halving + 12) << 1;
        let part = (rest >> (64 - PART_BITS)) as usize;
        let terms = self.parts.get(upper as usize * OF_A_TAIL + halving * PARTS + part)?;
        let one_and = |fraction: u64| f64::from_bits(1.0f64.to_bits() | fraction >> 12);
        let middle = (2 * part as u64 + 1) << (63 - PART_BITS);
        let t = one_and(rest) - one_and(middle);
        let t2 = t * t;
        let low = (terms[0] + terms[1] * t) + t2 * (terms[2] + terms[3] * t);
        let high = (terms[4] + terms[5] * t) + t2 * (terms[6] + terms[7] * t);
        Some(low + (t2 * t2) * high)
    }
}

/// The coefficients, lowest first, of the polynomial through a function's values at Chebyshev's points of -`HALF_PART` to `HALF_PART`:
/// Newton's divided differences, multiplied out.
fn polynomial_through(f: impl Fn(f64) -> f64) -> [f64; TERMS] {
    /// cos((2 i + 1) pi / 16).
    const HALF: [f64; 4] =
        [0.980_785_280_403_230_4, 0.831_469_612_302_545_2, 0.555_570_233_019_602_2, 0.195_090_322_016_128_27];
    let [a, b, c, d] = HALF.map(|point| point * HALF_PART);
    let at = [a, b, c, d, -d, -c, -b, -a];
    let mut differences = at.map(f);
    for order in 1..TERMS {
        for i in (order..TERMS).rev() {
            differences[i] = (differences[i] - differences[i - 1]) / (at[i] - at[i - order]);
        }
    }
    let mut terms = [0.0; TERMS];
    for (difference, point) in differences.into_iter().zip(at).rev() {
        for i in (1..TERMS).rev() {
            terms[i] = terms[i - 1] - point * terms[i];
        }
        terms[0] = difference - point * terms[0];
    }
    terms
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::distribution::kinds::{Lognormal, Once};
    use crate::random::{Source, Stream};

    #[test]
    fn values_are_near_the_function_in_all_parts_and_none_beyond() {
        for (sigma, near) in [(0.01, 1e-14), (0.1, 1e-13), (0.5, 1e-12), (1.0, 1e-12), (2.0, 1e-11), (3.0, 1e-10)] {
            let law = Lognormal::new(-3.0, sigma);
            let mut source = Stream::from_key(3);
            // Ends of the parts on both sides, and anything between.
            let ends = (0..1u64 << 11).flat_map(|end| [end << 53, (end << 53).wrapping_sub(1)]);
            for draw in ends.chain((0..200_000).map(|_| source.next_u64())) {
                let u = Once(draw).open01();
                let exact = law.at(u);
                match law.table.as_ref().unwrap().value(draw) {
                    Some(value) => assert!((value / exact - 1.0).abs() < near, "sigma {sigma}, u {u}: {value} {exact}"),
                    None => assert!(u.min(1.0 - u) < 0.5 / (1 << HALVINGS) as f64, "u {u}"),
                }
            }
        }
    }

    #[test]
    fn what_is_too_steep_has_no_table_and_samples_stay_finite() {
        for (mu, sigma) in [(0.0, 3.1), (0.0, 500.0), (600.0, 1.0), (-600.0, 1.0)] {
            let law = Lognormal::new(mu, sigma);
            assert_eq!(law.table, None);
            let mut source = Stream::from_key(5);
            assert!((0..1_000).map(|_| law.sample(&mut source)).all(|x| x.is_finite() && x >= 0.0));
        }
    }

    #[test]
    fn most_of_the_range_is_in_the_table() {
        let law = Lognormal::new(0.0, 1.0);
        let mut source = Stream::from_key(4);
        let beyond = (0..1 << 17).filter(|_| law.table.as_ref().unwrap().value(source.next_u64()).is_none()).count();
        assert!((900..1_150).contains(&beyond), "{beyond} of {}, where 1,024 are to be expected", 1 << 17);
    }
}
