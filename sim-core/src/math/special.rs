//! Special functions of statistics: the normal and Student's distributions, gamma and incomplete beta functions.

use super::{exp, ln, sqrt};

/// Density of the standard normal distribution.
#[must_use]
pub fn normal_density(x: f64) -> f64 {
    const ONE_OVER_SQRT_TWO_PI: f64 = 0.398_942_280_401_432_7;
    ONE_OVER_SQRT_TWO_PI * exp(-0.5 * x * x)
}

/// Probability that a standard normal variable is at most `x`; accurate in relative terms in the lower tail.
#[must_use]
pub fn normal_cdf(x: f64) -> f64 {
    0.5 * libm::erfc(-x * std::f64::consts::FRAC_1_SQRT_2)
}

/// Evaluates a polynomial of degree 7, lowest coefficient first, in Estrin's order: half of it waits for nothing.
#[inline]
fn polynomial(c: &[f64; 8], x: f64) -> f64 {
    let x2 = x * x;
    let low = (c[0] + c[1] * x) + x2 * (c[2] + c[3] * x);
    let high = (c[4] + c[5] * x) + x2 * (c[6] + c[7] * x);
    low + (x2 * x2) * high
}

/// The value a standard normal variable stays below with probability `p`: `-inf` at 0, `inf` at 1, NaN outside 0..=1.
///
/// Algorithm PPND16 of M. J. Wichura, "Algorithm AS 241: The Percentage Points of the Normal Distribution", Applied
/// Statistics 37 (1988) 477-484, doi:10.2307/2347330. Relative error about 1e-16.
#[inline]
#[must_use]
pub fn normal_quantile(p: f64) -> f64 {
    let q = p - 0.5;
    if q.abs() <= 0.425 {
        let r = 0.180_625 - q * q;
        return q * polynomial(&CENTRAL.0, r) / polynomial(&CENTRAL.1, r);
    }
    normal_quantile_tail(p, q)
}

fn normal_quantile_tail(p: f64, q: f64) -> f64 {
    let tail = if q < 0.0 { p } else { 1.0 - p };
    if tail <= 0.0 || tail.is_nan() {
        return if tail == 0.0 { q.signum() * f64::INFINITY } else { f64::NAN };
    }
    let r = sqrt(-ln(tail));
    let magnitude = if r <= 5.0 {
        polynomial(&MIDDLE.0, r - 1.6) / polynomial(&MIDDLE.1, r - 1.6)
    } else {
        polynomial(&FAR.0, r - 5.0) / polynomial(&FAR.1, r - 5.0)
    };
    if q < 0.0 { -magnitude } else { magnitude }
}

type Rational = ([f64; 8], [f64; 8]);

/// Coefficients for |p - 1/2| <= 0.425.
#[allow(clippy::excessive_precision, reason = "the digits as published")]
const CENTRAL: Rational = (
    [
        3.387_132_872_796_366_608_0,
        133.141_667_891_784_377_45,
        1_971.590_950_306_551_442_7,
        13_731.693_765_509_461_125,
        45_921.953_931_549_871_457,
        67_265.770_927_008_700_853,
        33_430.575_583_588_128_105,
        2_509.080_928_730_122_672_7,
    ],
    [
        1.0,
        42.313_330_701_600_911_252,
        687.187_007_492_057_908_30,
        5_394.196_021_424_751_107_7,
        21_213.794_301_586_595_867,
        39_307.895_800_092_710_610,
        28_729.085_735_721_942_674,
        5_226.495_278_852_854_561_0,
    ],
);
/// Coefficients for tails down to exp(-25).
#[allow(clippy::excessive_precision, reason = "the digits as published")]
const MIDDLE: Rational = (
    [
        1.423_437_110_749_683_577_34,
        4.630_337_846_156_545_295_90,
        5.769_497_221_460_691_405_50,
        3.647_848_324_763_204_605_04,
        1.270_458_252_452_368_382_58,
        0.241_780_725_177_450_611_770,
        0.022_723_844_989_269_184_583_3,
        7.745_450_142_783_414_076_40e-4,
    ],
    [
        1.0,
        2.053_191_626_637_758_821_87,
        1.676_384_830_183_803_849_40,
        0.689_767_334_985_100_004_550,
        0.148_103_976_427_480_074_590,
        0.015_198_666_563_616_457_196_6,
        5.475_938_084_995_344_946_00e-4,
        1.050_750_071_644_416_843_24e-9,
    ],
);
/// Coefficients for tails beyond.
#[allow(clippy::excessive_precision, reason = "the digits as published")]
const FAR: Rational = (
    [
        6.657_904_643_501_103_777_20,
        5.463_784_911_164_114_369_90,
        1.784_826_539_917_291_335_80,
        0.296_560_571_828_504_891_230,
        0.026_532_189_526_576_123_093_0,
        1.242_660_947_388_078_438_60e-3,
        2.711_555_568_743_487_578_15e-5,
        2.010_334_399_292_288_132_65e-7,
    ],
    [
        1.0,
        0.599_832_206_555_887_937_690,
        0.136_929_880_922_735_805_310,
        0.014_875_361_290_850_614_852_5,
        7.868_691_311_456_132_591_00e-4,
        1.846_318_317_510_054_681_80e-5,
        1.421_511_758_316_445_888_70e-7,
        2.044_263_103_389_939_785_64e-15,
    ],
);

/// The gamma function.
#[must_use]
pub fn gamma(x: f64) -> f64 {
    libm::tgamma(x)
}

/// Natural logarithm of the absolute value of the gamma function.
#[must_use]
pub fn ln_gamma(x: f64) -> f64 {
    libm::lgamma(x)
}

/// The regularised incomplete beta function I_x(a, b) for `x` in 0..=1 and positive `a` and `b`: the probability that a
/// beta(a, b) variable is at most `x`.
///
/// Continued fraction of DLMF 8.17.22 (<https://dlmf.nist.gov/8.17.E22>) by Lentz's method, on the side where it converges fast.
#[must_use]
pub fn incomplete_beta(x: f64, a: f64, b: f64) -> f64 {
    incomplete_beta_of_both(x, 1.0 - x, a, b)
}

/// The same, told `y = 1 - x` by someone who knows it better than a subtraction would.
fn incomplete_beta_of_both(x: f64, y: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if y <= 0.0 {
        return 1.0;
    }
    let ln_of = |x: f64, y: f64| if y < 0.5 { libm::log1p(-y) } else { ln(x) };
    let front = exp(a * ln_of(x, y) + b * ln_of(y, x) - ln_beta(a, b));
    if x < (a + 1.0) / (a + b + 2.0) {
        front * beta_fraction(x, a, b) / a
    } else {
        1.0 - front * beta_fraction(y, b, a) / b
    }
}

/// Natural logarithm of the beta function. For large arguments the logarithms of gamma functions are large and nearly cancel;
/// there, Stirling's series is subtracted term by term.
fn ln_beta(a: f64, b: f64) -> f64 {
    let (small, large) = if a < b { (a, b) } else { (b, a) };
    if large < 16.0 {
        return ln_gamma(small) + ln_gamma(large) - ln_gamma(small + large);
    }
    let sum = small + large;
    let ln_ratio = (large - 0.5) * libm::log1p(small / large) + small * ln(sum) - small + stirling_rest(sum);
    ln_gamma(small) - (ln_ratio - stirling_rest(large))
}

/// What Stirling's formula lacks of the logarithm of the gamma function, for x >= 16 (DLMF 5.11.1).
fn stirling_rest(x: f64) -> f64 {
    let square = 1.0 / (x * x);
    let terms = 1.0 / 360.0 - square * (1.0 / 1260.0 - square * (1.0 / 1680.0 - square * (1.0 / 1188.0)));
    (1.0 / 12.0 - square * terms) / x
}

fn beta_fraction(x: f64, a: f64, b: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let away_from_zero = |v: f64| if v.abs() < TINY { TINY } else { v };
    let mut c = 1.0;
    let mut d = 1.0 / away_from_zero(1.0 - (a + b) * x / (a + 1.0));
    let mut fraction = d;
    // About sqrt(max(a, b)) rounds are needed; the bound only stops what cannot converge any further.
    for round in 1..100_000u32 {
        let m = f64::from(round);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        d = 1.0 / away_from_zero(1.0 + even * d);
        c = away_from_zero(1.0 + even / c);
        fraction *= d * c;
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        d = 1.0 / away_from_zero(1.0 + odd * d);
        c = away_from_zero(1.0 + odd / c);
        let step = d * c;
        fraction *= step;
        if (step - 1.0).abs() < 1e-16 {
            break;
        }
    }
    fraction
}

/// Probability that a variable with Student's distribution of `df` (positive) degrees of freedom is at most `t`.
#[must_use]
pub fn student_t_cdf(t: f64, df: f64) -> f64 {
    let upper = student_t_upper_tail(t.abs(), df);
    if t < 0.0 { upper } else { 1.0 - upper }
}

/// P(T > t) for t >= 0.
fn student_t_upper_tail(t: f64, df: f64) -> f64 {
    let t2 = t * t;
    if t2 < df {
        0.5 - 0.5 * incomplete_beta_of_both(t2 / (df + t2), df / (df + t2), 0.5, 0.5 * df)
    } else {
        0.5 * incomplete_beta_of_both(df / (df + t2), t2 / (df + t2), 0.5 * df, 0.5)
    }
}

/// The value that a variable with Student's distribution of `df` degrees of freedom stays below with probability `p`:
/// `-inf` at 0, `inf` at 1, NaN for `p` outside 0..=1 or `df` not above 0. Infinite `df` gives the normal quantile.
///
/// Solves the distribution function by Newton's method guarded by bisection, to about 1e-14 relative for ordinary levels.
#[must_use]
pub fn student_t_quantile(p: f64, df: f64) -> f64 {
    if !(0.0..=1.0).contains(&p) || df.is_nan() || df <= 0.0 {
        return f64::NAN;
    }
    if p == 0.0 || p == 1.0 || p == 0.5 {
        return normal_quantile(p);
    }
    if df > 1e4 {
        return student_t_near_normal(normal_quantile(p), df);
    }
    let tail = p.min(1.0 - p);
    let magnitude = student_t_magnitude(tail, df);
    if p < 0.5 { -magnitude } else { magnitude }
}

/// The quantile for many degrees of freedom from the normal one, `z`: expansion 26.7.5 of Abramowitz and Stegun.
fn student_t_near_normal(z: f64, df: f64) -> f64 {
    let (n, z2) = (1.0 / df, z * z);
    let third = (((3.0 * z2 + 19.0) * z2 + 17.0) * z2 - 15.0) / 384.0;
    let second = ((5.0 * z2 + 16.0) * z2 + 3.0) / 96.0;
    z * (1.0 + n * ((z2 + 1.0) / 4.0 + n * (second + n * third)))
}

/// The t > 0 with P(T > t) = `tail`, for `tail` in (0, 1/2).
fn student_t_magnitude(tail: f64, df: f64) -> f64 {
    let (mut low, mut high) = (0.0, -normal_quantile(tail) + 1.0);
    while student_t_upper_tail(high, df) > tail {
        low = high;
        high *= 2.0;
    }
    let ln_scale = -ln_beta(0.5 * df, 0.5) - 0.5 * ln(df);
    let mut t = 0.5 * (low + high);
    for _ in 0..200 {
        let excess = student_t_upper_tail(t, df) - tail;
        if excess > 0.0 {
            low = t
        } else {
            high = t
        }
        let density = exp(ln_scale - 0.5 * (df + 1.0) * libm::log1p(t * t / df));
        let newton = t + excess / density;
        let next = if newton > low && newton < high { newton } else { 0.5 * (low + high) };
        if (next - t).abs() <= 1e-15 * t {
            return next;
        }
        t = next;
    }
    t
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(ours: f64, table: f64, relative: f64) {
        assert!((ours - table).abs() <= relative * table.abs(), "{ours} instead of {table}");
    }

    #[test]
    fn normal_quantiles_match_the_published_check_values_and_invert_the_distribution() {
        // From the text of AS 241.
        close(normal_quantile(0.25), -0.674_489_750_196_081_7, 1e-15);
        close(normal_quantile(0.001), -3.090_232_306_167_813_5, 1e-15);
        close(normal_quantile(1e-20), -9.262_340_089_798_408, 1e-15);
        close(normal_quantile(0.975), 1.959_963_984_540_054, 1e-15);
        for i in 1..1000 {
            let p = f64::from(i) / 1000.0;
            close(normal_cdf(normal_quantile(p)), p, 2e-15);
        }
        assert_eq!(normal_quantile(0.0), f64::NEG_INFINITY);
        assert_eq!(normal_quantile(1.0), f64::INFINITY);
        assert!(normal_quantile(-0.1).is_nan() && normal_quantile(1.1).is_nan() && normal_quantile(f64::NAN).is_nan());
    }

    #[test]
    fn student_quantiles_match_closed_forms_and_tables() {
        // One and two degrees of freedom have closed forms: tan(pi (p - 1/2)) and (2p - 1) / sqrt(2 p (1 - p)).
        for p in [0.6, 0.9, 0.975, 0.995, 0.9999] {
            close(student_t_quantile(p, 1.0), libm::tan(std::f64::consts::PI * (p - 0.5)), 1e-11);
            close(student_t_quantile(p, 2.0), (2.0 * p - 1.0) / (2.0 * p * (1.0 - p)).sqrt(), 1e-12);
        }
        for (p, df, table) in [
            (0.975, 3.0, 3.182_446_305_283_706),
            (0.975, 4.0, 2.776_445_105_197_791),
            (0.975, 9.0, 2.262_157_162_798_205),
            (0.975, 19.0, 2.093_024_054_408_311),
            (0.995, 10.0, 3.169_272_672_616_95),
            (0.95, 29.0, 1.699_127_026_533_496),
            (0.975, 99.0, 1.984_216_951_586_42),
        ] {
            // Whole degrees of freedom have finite trigonometric series (Abramowitz and Stegun 26.7.3-4), solved by bisection.
            close(student_t_quantile(p, df), table, 1e-13);
            close(student_t_quantile(1.0 - p, df), -table, 1e-13);
        }
        close(student_t_quantile(0.975, f64::INFINITY), 1.959_963_984_540_054, 1e-15);
        close(student_t_quantile(0.975, 1e9), 1.959_963_984_540_054, 1e-8);
        assert_eq!(student_t_quantile(0.5, 7.0), 0.0);
        assert!(student_t_quantile(0.9, 0.0).is_nan());
    }

    #[test]
    fn student_quantile_inverts_the_distribution_function() {
        for df in [0.5, 1.5, 5.0, 30.0, 300.0, 9_999.0, 10_001.0] {
            for p in [1e-6, 0.01, 0.3, 0.5001, 0.8, 0.999_999] {
                close(student_t_cdf(student_t_quantile(p, df), df), p, 1e-10);
            }
        }
    }

    #[test]
    fn incomplete_beta_matches_the_binomial_sum() {
        // I_x(a, n - a + 1) = P(Binomial(n, x) >= a).
        let (n, x) = (12u32, 0.37f64);
        for a in 1..=n {
            let mut term = crate::math::pow(1.0 - x, f64::from(n));
            let mut upper = 0.0;
            for k in 0..=n {
                if k >= a {
                    upper += term;
                }
                term *= f64::from(n - k) / f64::from(k + 1) * x / (1.0 - x);
            }
            close(incomplete_beta(x, f64::from(a), f64::from(n - a + 1)), upper, 1e-13);
        }
    }
}
