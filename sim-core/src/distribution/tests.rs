//! Samples against theory, against the `rand_distr` crate, and against themselves (pinned values).

use super::*;
use crate::random::{Stream, Streams};

fn stream(purpose: &str) -> Stream {
    Streams::new(11, 0).stream("distribution tests", purpose)
}

/// One of each kind, with moments that exist and tails not too heavy for a test of moments.
fn kinds() -> Vec<(&'static str, Distribution)> {
    let empirical = [(0.0, 0.001), (0.5, 0.01), (0.9, 0.03), (0.99, 0.2), (1.0, 0.5)];
    let mixture = vec![
        (3.0, Distribution::exponential(0.2).unwrap()),
        (1.0, Distribution::constant(2.0).unwrap()),
        (0.0, Distribution::constant(1e9).unwrap()),
    ];
    [
        ("exponential", Distribution::exponential(0.02)),
        ("uniform", Distribution::uniform(1.0, 3.0)),
        ("normal", Distribution::normal(10.0, 1.0)),
        ("normal, half cut off", Distribution::normal(0.0, 2.0)),
        ("normal, some cut off", Distribution::normal(1.0, 1.0)),
        ("lognormal by mean and cv", Distribution::lognormal_mean_cv(0.05, 0.5)),
        ("lognormal by median and p99", Distribution::lognormal_median_p99(0.008, 0.02)),
        ("lognormal by mean and sigma", Distribution::lognormal_mean_sigma(3.0, 0.4)),
        ("gamma below 1", Distribution::gamma_shape_scale(0.3, 2.0)),
        ("gamma above 1", Distribution::gamma_shape_mean(4.5, 0.1)),
        ("erlang", Distribution::erlang(3, 0.6)),
        ("hyperexponential", Distribution::hyperexponential(1.0, 2.0)),
        ("weibull", Distribution::weibull(1.5, 2.0)),
        ("weibull below 1", Distribution::weibull(0.8, 2.0)),
        ("pareto", Distribution::pareto(1.2, 1.0, 50.0)),
        ("pareto of shape 1", Distribution::pareto(1.0, 1.0, 50.0)),
        ("pareto of shape 2", Distribution::pareto(2.0, 0.5, 20.0)),
        ("empirical", Distribution::empirical(&empirical)),
        ("empirical with open ends", Distribution::empirical(&[(0.25, 1.0), (0.75, 2.0)])),
        ("mixture", Distribution::mixture(mixture)),
    ]
    .into_iter()
    .map(|(name, made)| (name, made.unwrap()))
    .collect()
}

#[test]
fn means_and_variances_are_those_of_theory() {
    let n = 400_000usize;
    for (name, distribution) in kinds() {
        let mut source = stream(name);
        let sample: Vec<f64> = (0..n).map(|_| distribution.sample(&mut source)).collect();
        assert!(sample.iter().all(|x| x.is_finite() && *x >= 0.0), "{name}");
        let (mean, variance) = (distribution.mean(), distribution.variance());
        let ours = sample.iter().sum::<f64>() / n as f64;
        let deviations = |power: i32| {
            sample.iter().map(|x| (0..power).fold(1.0, |product, _| product * (x - mean))).sum::<f64>() / n as f64
        };
        let half_width = 4.5 * (variance / n as f64).sqrt();
        assert!((ours - mean).abs() < half_width, "{name}: mean {ours} is not {mean} +- {half_width}");
        let half_width = 5.0 * ((deviations(4) - variance * variance) / n as f64).sqrt();
        let ours = deviations(2);
        assert!((ours - variance).abs() < half_width, "{name}: variance {ours} is not {variance} +- {half_width}");
    }
}

/// Two-sample Kolmogorov-Smirnov test at alpha = 0.001: the difference stays below 1.95 sqrt(2 / n).
fn same_law(name: &str, ours: &Distribution, oracle: impl rand_distr::Distribution<f64>) {
    let n = 100_000;
    let (mut a, mut b) = (stream(name), stream("oracle"));
    let mut mine: Vec<f64> = (0..n).map(|_| ours.sample(&mut a)).collect();
    let mut theirs: Vec<f64> = (0..n).map(|_| oracle.sample(&mut b)).collect();
    mine.sort_by(f64::total_cmp);
    theirs.sort_by(f64::total_cmp);
    let (mut i, mut j, mut greatest) = (0, 0, 0.0f64);
    while i < n && j < n {
        if mine[i] <= theirs[j] {
            i += 1
        } else {
            j += 1
        }
        greatest = greatest.max((i as f64 - j as f64).abs() / n as f64);
    }
    let allowed = 1.95 * (2.0 / n as f64).sqrt();
    assert!(greatest < allowed, "{name}: {greatest} of {allowed}");
}

#[test]
fn laws_agree_with_rand_distr() {
    same_law("exp", &Distribution::exponential(0.5).unwrap(), rand_distr::Exp::new(2.0).unwrap());
    same_law(
        "lognormal",
        &Distribution::Lognormal(Lognormal::new(0.3, 0.7)),
        rand_distr::LogNormal::new(0.3, 0.7).unwrap(),
    );
    same_law("gamma", &Distribution::gamma_shape_scale(0.3, 2.0).unwrap(), rand_distr::Gamma::new(0.3, 2.0).unwrap());
    same_law("gamma 2", &Distribution::gamma_shape_scale(7.3, 0.5).unwrap(), rand_distr::Gamma::new(7.3, 0.5).unwrap());
    same_law("weibull", &Distribution::weibull(0.7, 3.0).unwrap(), rand_distr::Weibull::new(3.0, 0.7).unwrap());
    same_law("normal", &Distribution::normal(20.0, 2.0).unwrap(), rand_distr::Normal::new(20.0, 2.0).unwrap());
    // A bound this far out changes nothing that can be seen.
    same_law("pareto", &Distribution::pareto(2.5, 1.0, 1e9).unwrap(), rand_distr::Pareto::new(1.0, 2.5).unwrap());
}

#[test]
fn quantiles_are_where_they_were_asked_for() {
    let at = |distribution: &Distribution, u: f64| {
        struct At(f64);
        impl Source for At {
            fn next_u64(&mut self) -> u64 {
                (self.0 * 18_446_744_073_709_551_616.0) as u64
            }
        }
        distribution.sample(&mut At(u))
    };
    let close = |ours: f64, theory: f64| assert!((ours - theory).abs() < 1e-9 * theory, "{ours} instead of {theory}");
    let web = Distribution::lognormal_median_p99(0.008, 0.060).unwrap();
    close(at(&web, 0.5), 0.008);
    close(at(&web, 0.99), 0.060);
    close(at(&Distribution::exponential(2.0).unwrap(), 0.5), 2.0 * std::f64::consts::LN_2);
    close(at(&Distribution::weibull(2.0, 3.0).unwrap(), 0.75), 3.0 * ln(4.0).sqrt());
    close(at(&Distribution::uniform(2.0, 4.0).unwrap(), 0.25), 2.5);
    let empirical = Distribution::empirical(&[(0.5, 1.0), (0.9, 2.0), (0.99, 5.0)]).unwrap();
    for (u, value) in [(0.1, 1.0), (0.5, 1.0), (0.7, 1.5), (0.945, 3.5), (0.995, 5.0)] {
        close(at(&empirical, u), value);
    }
    // A normal variable cut at its mean: the median of what is left is the 75 % point.
    close(at(&Distribution::normal(0.0, 1.0).unwrap(), 0.5), normal_quantile(0.75));
    let pareto = Distribution::pareto(1.0, 1.0, 2.0).unwrap();
    close(at(&pareto, 0.5), 1.0 / 0.75);
}

#[test]
fn parameters_mean_what_they_say() {
    let close = |ours: f64, theory: f64| assert!((ours - theory).abs() < 1e-12 * theory, "{ours} instead of {theory}");
    let cv = |distribution: &Distribution| distribution.variance().sqrt() / distribution.mean();
    let lognormal = Distribution::lognormal_mean_cv(0.05, 1.5).unwrap();
    close(lognormal.mean(), 0.05);
    close(cv(&lognormal), 1.5);
    let hyper = Distribution::hyperexponential(3.0, 4.0).unwrap();
    close(hyper.mean(), 3.0);
    close(cv(&hyper), 4.0);
    let branches = Distribution::hyperexponential_branches(&[(9.0, 0.1), (1.0, 9.1)]).unwrap();
    close(branches.mean(), 1.0);
    close(cv(&Distribution::erlang(4, 7.0).unwrap()), 0.5);
    close(Distribution::gamma_shape_mean(2.0, 3.0).unwrap().mean(), 3.0);
    close(Distribution::lognormal_mean_sigma(3.0, 0.9).unwrap().mean(), 3.0);
    assert_eq!(Distribution::hyperexponential(3.0, 1.0), Distribution::exponential(3.0));
    assert_eq!(Distribution::erlang(1, 3.0), Distribution::exponential(3.0));
}

#[test]
fn what_does_not_vary_is_constant() {
    for made in [
        Distribution::constant(2.0),
        Distribution::uniform(2.0, 2.0),
        Distribution::normal(2.0, 0.0),
        Distribution::lognormal_mean_cv(2.0, 0.0),
        Distribution::lognormal_median_p99(2.0, 2.0),
        Distribution::pareto(1.0, 2.0, 2.0),
        Distribution::empirical(&[(0.3, 2.0)]),
        Distribution::empirical(&[(0.0, 2.0), (1.0, 2.0)]),
    ] {
        let distribution = made.unwrap();
        assert_eq!((distribution.is_constant(), distribution.variance()), (Some(2.0), 0.0));
    }
    assert_eq!(Distribution::exponential(1.0).unwrap().is_constant(), None);
}

#[test]
fn bad_parameters_are_refused_with_what_is_allowed() {
    use DistributionError as E;
    let bad = |made: Made, error: E| assert_eq!(made, Err(error));
    bad(Distribution::constant(-1.0), E::Negative { parameter: "value", value: -1.0 });
    bad(Distribution::exponential(0.0), E::NotPositive { parameter: "mean", value: 0.0 });
    bad(Distribution::exponential(f64::INFINITY), E::NotFinite { parameter: "mean", value: f64::INFINITY });
    bad(Distribution::uniform(2.0, 1.0), E::Descending { lower: "low", low: 2.0, upper: "high", high: 1.0 });
    bad(
        Distribution::lognormal_median_p99(2.0, 1.0),
        E::Descending { lower: "median", low: 2.0, upper: "p99", high: 1.0 },
    );
    bad(Distribution::erlang(0, 1.0), E::NoStages);
    bad(Distribution::hyperexponential(1.0, 0.5), E::CvBelowOne { cv: 0.5 });
    bad(Distribution::empirical(&[]), E::Empty);
    bad(Distribution::empirical(&[(1.5, 1.0)]), E::NotAProbability { value: 1.5 });
    bad(Distribution::empirical(&[(0.5, 1.0), (0.5, 2.0)]), E::ProbabilitiesNotAscending { index: 1 });
    bad(Distribution::empirical(&[(0.5, 2.0), (0.6, 1.0)]), E::ValuesDescending { index: 1 });
    bad(Distribution::mixture(vec![]), E::Empty);
    bad(Distribution::hyperexponential_branches(&[(0.0, 1.0)]), E::WeightsAllZero);
    assert!(Distribution::weibull(f64::NAN, 1.0).is_err() && Distribution::gamma_shape_scale(-1.0, 1.0).is_err());
    assert_eq!(E::NoStages.to_string(), "k is 0; an Erlang distribution has at least 1 stage");
    // Absurd, yet allowed: nothing overflows into infinity.
    let absurd = Distribution::lognormal_mean_sigma(1e300, 30.0).unwrap();
    let mut source = stream("absurd");
    assert!((0..1000).all(|_| absurd.sample(&mut source).is_finite()));
    let absurd = Distribution::weibull(1e-3, 1e300).unwrap();
    assert!((0..1000).all(|_| absurd.sample(&mut source).is_finite()));
}

/// Every kind takes one draw a sample, a constant none: streams stay in step whatever the parameters.
#[test]
fn a_sample_is_one_draw() {
    struct Counted(Stream, u32);
    impl Source for Counted {
        fn next_u64(&mut self) -> u64 {
            self.1 += 1;
            Source::next_u64(&mut self.0)
        }
    }
    for (name, distribution) in kinds() {
        let mut source = Counted(stream(name), 0);
        (0..1000).for_each(|_| {
            distribution.sample(&mut source);
        });
        assert_eq!(source.1, 1000, "{name}");
    }
    let mut source = Counted(stream("constant"), 0);
    Distribution::constant(1.0).unwrap().sample(&mut source);
    assert_eq!(source.1, 0);
}

#[test]
fn values_are_pinned() {
    let sampled: Vec<(&str, [u64; 2])> = kinds()
        .iter()
        .map(|(name, distribution)| {
            let mut source = Stream::from_key(2);
            (*name, [0; 2].map(|_| distribution.sample_duration(&mut source).as_nanos()))
        })
        .collect();
    let pinned: [(&str, [u64; 2]); 20] = [
        ("exponential", [28_983_429, 15_407_594]),
        ("uniform", [2_530_470_552, 2_074_325_414]),
        ("normal", [10_723_244_884, 10_093_288_226]),
        ("normal, half cut off", [2_376_348_716, 1_468_365_738]),
        ("normal, some cut off", [1_850_519_841, 1_280_868_256]),
        ("lognormal by mean and cv", [62_934_731, 46_736_189]),
        ("lognormal by median and p99", [10_636_694, 8_299_419]),
        ("lognormal by mean and sigma", [3_698_436_794, 2_874_640_374]),
        ("gamma below 1", [223_798_706, 440_751_385]),
        ("gamma above 1", [96_689_115, 155_998_584]),
        ("erlang", [562_935_083, 1_010_458_286]),
        ("hyperexponential", [359_129_880, 120_939_002]),
        ("weibull", [2_561_198_115, 1_680_737_480]),
        ("weibull below 1", [3_180_018_923, 1_443_480_887]),
        ("pareto", [3_264_681_669, 1_883_598_429]),
        ("pareto of shape 1", [3_998_889_438, 2_111_573_219]),
        ("pareto of shape 2", [1_030_888_402, 734_680_271]),
        ("empirical", [23_261_764, 11_858_135]),
        ("empirical with open ends", [2_000_000_000, 1_574_325_414]),
        ("mixture", [127_462_138, 2_000_000_000]),
    ];
    assert_eq!(sampled, pinned);
}
