//! Single queues with closed forms.

use sim_core::math::{exp, ln, ln_gamma, sqrt};

use super::crossing;

/// Erlang's loss formula B(servers, load): the share of calls lost where nobody waits. By the usual recursion.
/// (Erlang 1917; Cooper, Introduction to Queueing Theory, 1981, section 3.3.)
pub fn erlang_b(servers: u32, load: f64) -> f64 {
    (1..=servers).fold(1.0, |b, n| load * b / (f64::from(n) + load * b))
}

/// Erlang's delay formula C(servers, load): the share of calls that wait. (Cooper 1981, section 3.4.)
pub fn erlang_c(servers: u32, load: f64) -> f64 {
    let b = erlang_b(servers, load);
    let utilisation = load / f64::from(servers);
    b / (1.0 - utilisation * (1.0 - b))
}

/// M/M/c, first come first served.
#[derive(Clone, Copy, Debug)]
pub struct Mmc {
    /// Arrivals a second.
    pub arrivals: f64,
    /// Services a second of one server.
    pub service: f64,
    /// Servers.
    pub servers: u32,
}

impl Mmc {
    /// The share that waits.
    pub fn waits(&self) -> f64 {
        erlang_c(self.servers, self.arrivals / self.service)
    }
    /// Rate at which the wait of those who wait ends.
    fn drain(&self) -> f64 {
        f64::from(self.servers) * self.service - self.arrivals
    }
    /// Mean wait.
    pub fn mean_wait(&self) -> f64 {
        self.waits() / self.drain()
    }
    /// Mean time from arrival to end.
    pub fn mean_sojourn(&self) -> f64 {
        self.mean_wait() + 1.0 / self.service
    }
    /// Chance of a sojourn longer than `t`: service, preceded with probability C by an exponential wait.
    /// (Shortle, Thompson, Gross and Harris, Fundamentals of Queueing Theory, 2018, section 2.3.)
    pub fn longer_than(&self, t: f64) -> f64 {
        let (c, mu, drain) = (self.waits(), self.service, self.drain());
        let both = if (drain - mu).abs() < 1e-9 * mu {
            (1.0 + mu * t) * exp(-mu * t)
        } else {
            (drain * exp(-mu * t) - mu * exp(-drain * t)) / (drain - mu)
        };
        (1.0 - c) * exp(-mu * t) + c * both
    }
    /// The sojourn that a share `q` does not exceed.
    pub fn quantile(&self, q: f64) -> f64 {
        crossing(q, 0.0, self.mean_sojourn(), |t| 1.0 - self.longer_than(t))
    }
}

/// Shares of time with 0, 1, ... `places` requests present in M/M/c/K. (Shortle et al. 2018, section 2.5.)
pub fn mmck(load: f64, servers: u32, places: u32) -> Vec<f64> {
    let mut weights = vec![1.0];
    for n in 1..=places {
        let last = weights[weights.len() - 1];
        weights.push(last * load / f64::from(n.min(servers)));
    }
    let total: f64 = weights.iter().sum();
    weights.into_iter().map(|weight| weight / total).collect()
}

/// Mean wait of M/G/1 from the load and the service's mean and coefficient of variation (Pollaczek 1930, Khinchine 1932).
pub fn pollaczek_khinchine(utilisation: f64, mean: f64, cv: f64) -> f64 {
    utilisation * mean * (1.0 + cv * cv) / 2.0 / (1.0 - utilisation)
}

/// Chance that the wait of M/D/1 is at most `t` (Erlang 1909; Franx 2001, doi:10.1016/S0167-6377(01)00108-0):
/// `(1 - u) sum over k of (a (k D - t))^k / k! exp(-a (k D - t))`, k up to t / D.
pub fn md1_wait_at_most(arrivals: f64, service: f64, t: f64) -> f64 {
    let mut sum = 0.0;
    let mut k = 0.0;
    while k * service <= t {
        let x = arrivals * (k * service - t);
        let power = if k == 0.0 { 1.0 } else { exp(k * ln(-x) - ln_gamma(k + 1.0)) };
        let sign = if k % 2.0 == 0.0 { 1.0 } else { -1.0 };
        sum += sign * power * exp(-x);
        k += 1.0;
    }
    (1.0 - arrivals * service) * sum
}

/// The root of `z = A(service (1 - z))` within 0..1, where A is the Laplace transform of the gaps between arrivals: in GI/M/1 a
/// sojourn is exponential with rate `service (1 - z)`. (Kendall 1953; Shortle et al. 2018, section 5.3.)
pub fn gim1_root(service: f64, gaps: impl Fn(f64) -> f64) -> f64 {
    let mut z = 0.5;
    for _ in 0..100_000 {
        z = gaps(service * (1.0 - z));
    }
    z
}

/// An exponential time's quantile.
pub fn exponential_quantile(mean: f64, q: f64) -> f64 {
    -mean * ln(1.0 - q)
}

/// The two branches (probability, mean) of a hyperexponential distribution with balanced means.
pub fn hyperexponential(mean: f64, cv: f64) -> [(f64, f64); 2] {
    let square = cv * cv;
    let p = 0.5 * (1.0 + sqrt((square - 1.0) / (square + 1.0)));
    [(p, 0.5 * mean / p), (1.0 - p, 0.5 * mean / (1.0 - p))]
}

/// Mean sojourn in a queue of M\[X\]/M/1 with batches of mean size `size` and mean square `square`. (Shortle et al. 2018,
/// section 3.1.)
pub fn batch_mean_sojourn(batches: f64, size: f64, square: f64, service: f64) -> f64 {
    let utilisation = batches * size / service;
    let present = (utilisation + batches * square / service) / 2.0 / (1.0 - utilisation);
    present / (batches * size)
}

/// M/M/1 whose requests leave after a constant wait: the work that an arrival finds has an atom at 0 and a density in two pieces,
/// as nobody who finds more than `patience` is served.
pub struct ConstantPatience {
    arrivals: f64,
    service: f64,
    patience: f64,
    idle: f64,
    /// Share that gives up.
    pub gives_up: f64,
    /// Mean wait of those served.
    pub mean_wait: f64,
}

/// See [`ConstantPatience`].
pub fn mm1_constant_patience(arrivals: f64, service: f64, patience: f64) -> ConstantPatience {
    let rate = service - arrivals;
    let at_end = exp(-rate * patience);
    let below = arrivals * (1.0 - at_end) / rate;
    let above = arrivals * at_end / service;
    let idle = 1.0 / (1.0 + below + above);
    let gives_up = idle * above;
    let waits = idle * arrivals * ((1.0 - at_end) / rate - patience * at_end) / rate;
    ConstantPatience { arrivals, service, patience, idle, gives_up, mean_wait: waits / (1.0 - gives_up) }
}

impl ConstantPatience {
    /// Chance that one who is served is done within `t`: the wait's density against the service's distribution.
    fn within(&self, t: f64) -> f64 {
        let (mu, rate) = (self.service, self.service - self.arrivals);
        let longest = self.patience.min(t);
        // The integral over v up to `longest` of lambda exp(-rate v) (1 - exp(-mu (t - v))).
        let waited =
            self.arrivals * (1.0 - exp(-rate * longest)) / rate - exp(-mu * t) * (exp(self.arrivals * longest) - 1.0);
        self.idle * (1.0 - exp(-mu * t) + waited) / (1.0 - self.gives_up)
    }
    /// The sojourn that a share `q` of those served does not exceed.
    pub fn quantile(&self, q: f64) -> f64 {
        crossing(q, 0.0, self.patience, |t| self.within(t))
    }
}

/// Chance that at least `least` of `all` independent things are there, each with probability `p`.
pub fn at_least(least: u32, all: u32, p: f64) -> f64 {
    let mut counts = vec![1.0];
    for _ in 0..all {
        let more: Vec<f64> = (0..=counts.len())
            .map(|k| {
                let same = counts.get(k).copied().unwrap_or(0.0) * (1.0 - p);
                same + if k > 0 { counts[k - 1] * p } else { 0.0 }
            })
            .collect();
        counts = more;
    }
    counts[least as usize..].iter().sum()
}

#[cfg(test)]
mod tests {
    use super::super::assert_close;
    use super::*;

    #[test]
    fn erlangs_tables() {
        // Tables of B: 10 lines, 5 erlangs 0.018385; 20 lines, 15 erlangs 0.0456.
        assert_close(erlang_b(10, 5.0), 0.018_385, 1e-4);
        assert_close(erlang_b(20, 15.0), 0.0456, 1e-3);
        // C for 10 agents and 8 erlangs: 0.409; two servers at 75 %: 9/14.
        assert_close(erlang_c(10, 8.0), 0.409, 1e-3);
        assert_close(erlang_c(2, 1.5), 9.0 / 14.0, 1e-12);
    }

    #[test]
    fn one_server_is_the_simplest_of_many() {
        let mm1 = Mmc { arrivals: 80.0, service: 100.0, servers: 1 };
        assert_close(mm1.mean_sojourn(), 0.05, 1e-12);
        assert_close(mm1.quantile(0.99), exponential_quantile(0.05, 0.99), 1e-9);
        // M/M/2 at 75 %: mean sojourn 1 / (mu (1 - rho^2)).
        let mm2 = Mmc { arrivals: 1.5, service: 1.0, servers: 2 };
        assert_close(mm2.mean_sojourn(), 1.0 / (1.0 - 0.5625), 1e-12);
    }

    #[test]
    fn a_finite_room_is_a_cut_off_geometric() {
        let shares = mmck(0.8, 1, 5);
        let norm = (1.0 - 0.8f64) / (1.0 - 0.262_144);
        assert_close(shares[5], norm * 0.327_68, 1e-12);
        assert_close(mmck(5.0, 10, 10)[10], erlang_b(10, 5.0), 1e-12);
    }

    #[test]
    fn waits_of_m_d_1() {
        // P(W = 0) = 1 - rho, and by integration the Pollaczek-Khinchine mean.
        assert_close(md1_wait_at_most(0.6, 1.0, 0.0), 0.4, 1e-12);
        let step = 0.001;
        let mean: f64 =
            (0..20_000).map(|k| step * (1.0 - md1_wait_at_most(0.6, 1.0, (f64::from(k) + 0.5) * step))).sum();
        assert_close(mean, pollaczek_khinchine(0.6, 1.0, 0.0), 1e-4);
    }

    #[test]
    fn gi_m_1_with_exponential_gaps_is_m_m_1() {
        assert_close(gim1_root(1.0, |s| 0.7 / (0.7 + s)), 0.7, 1e-9);
        // D/M/1 at 50 %: z = exp(-2 (1 - z)), z = 0.2032 (tables of Kleinrock, Queueing Systems I).
        assert_close(gim1_root(1.0, |s| exp(-2.0 * s)), 0.203_188, 1e-5);
    }

    #[test]
    fn balanced_hyperexponential_moments() {
        let branches = hyperexponential(2.0, 3.0);
        let mean: f64 = branches.iter().map(|(p, mean)| p * mean).sum();
        let square: f64 = branches.iter().map(|(p, mean)| 2.0 * p * mean * mean).sum();
        assert_close(mean, 2.0, 1e-12);
        assert_close(square, 4.0 * (1.0 + 9.0), 1e-12);
    }

    #[test]
    fn constant_patience() {
        // Endless patience is M/M/1; none at all is Erlang's loss system.
        let endless = mm1_constant_patience(60.0, 100.0, 10.0);
        assert_close(endless.mean_wait, 0.015, 1e-9);
        assert_close(endless.quantile(0.9), exponential_quantile(0.025, 0.9), 1e-6);
        assert_close(mm1_constant_patience(60.0, 100.0, 1e-12).gives_up, erlang_b(1, 0.6), 1e-6);
    }

    #[test]
    fn three_of_five() {
        assert_close(at_least(3, 5, 0.8), 0.942_08, 1e-9);
        assert_close(at_least(1, 2, 0.9), 0.99, 1e-12);
    }

    #[test]
    fn batches_of_one_are_no_batches() {
        assert_close(batch_mean_sojourn(0.8, 1.0, 1.0, 1.0), 5.0, 1e-12);
    }
}
