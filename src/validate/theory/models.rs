//! Queues without a handy closed form, as Markov chains. Their states are cut off where the queue hardly ever is; the tests
//! compare them with closed forms where these exist.

use super::chain::{Absorption, Chain};
use super::queues::hyperexponential;

/// Longest queue looked at.
const LONGEST: u32 = 250;

/// The time to serve a number of requests one after the other at a rate, where the number is random.
fn one_after_the_other(counts: impl IntoIterator<Item = (u32, f64)>, rate: f64) -> Absorption {
    let counts: Vec<(u32, f64)> = counts.into_iter().filter(|(_, share)| *share > 0.0).collect();
    let chain = Chain::explore(counts.iter().map(|(n, _)| *n), |&n| if n > 0 { vec![(n - 1, rate)] } else { vec![] });
    let start = chain.distribution(counts);
    chain.absorption(start)
}

/// Where a tagged request of a processor-sharing station is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Tagged {
    /// In the queue: requests ahead and behind it there.
    Waits(u32, u32),
    /// In service with so many others present.
    Served(u32),
    /// Gone.
    Gone,
}

/// The sojourn at a station whose `cores` are shared by up to `limit` requests, with Poisson arrivals and exponential demands:
/// a tagged request and those around it (Avi-Itzhak and Halfin 1987 for the limit; Coffman, Muntz and Trotter 1970 without).
pub fn sharing_sojourn(arrivals: f64, service: f64, cores: u32, limit: Option<u32>) -> Absorption {
    let limit = limit.unwrap_or(u32::MAX);
    let speed = move |sharing: u32| service * f64::from(cores.min(sharing)) / f64::from(sharing);
    let load = arrivals / service;
    let shares = super::queues::mmck(load, cores, LONGEST);
    let start = shares.iter().enumerate().map(|(n, share)| {
        let n = n as u32;
        (if n < limit { Tagged::Served(n) } else { Tagged::Waits(n - limit, 0) }, *share)
    });
    let start: Vec<(Tagged, f64)> = start.filter(|(_, share)| *share > 1e-9).collect();
    let chain = Chain::explore(start.iter().map(|(state, _)| *state), |&state| match state {
        Tagged::Gone => vec![],
        Tagged::Served(others) => {
            let sharing = (others + 1).min(limit);
            let mut moves = vec![(Tagged::Gone, speed(sharing))];
            if others < LONGEST {
                moves.push((Tagged::Served(others + 1), arrivals));
            }
            if others > 0 {
                moves.push((Tagged::Served(others - 1), f64::from(sharing - 1) * speed(sharing)));
            }
            moves
        }
        Tagged::Waits(ahead, behind) => {
            let next = if ahead > 0 { Tagged::Waits(ahead - 1, behind) } else { Tagged::Served(limit - 1 + behind) };
            let mut moves = vec![(next, f64::from(limit) * speed(limit))];
            if behind < LONGEST / 2 {
                moves.push((Tagged::Waits(ahead, behind + 1), arrivals));
            }
            moves
        }
    });
    let start = chain.distribution(start);
    chain.absorption(start)
}

/// Mean sojourn where one core is shared by up to `limit` requests with hyperexponential demands (balanced means). A limit of 1 is
/// first come first served.
pub fn limited_sharing_mean(arrivals: f64, mean: f64, cv: f64, limit: u32) -> f64 {
    let branches = hyperexponential(mean, cv);
    let chain = Chain::explore([(0u32, 0u32, 0u32)], |&(first, second, waiting)| {
        let sharing = first + second;
        let mut moves = Vec::new();
        if sharing < limit {
            moves.push(((first + 1, second, 0), arrivals * branches[0].0));
            moves.push(((first, second + 1, 0), arrivals * branches[1].0));
        } else if waiting < LONGEST {
            moves.push(((first, second, waiting + 1), arrivals));
        }
        for (is_first, count) in [(true, first), (false, second)] {
            if count == 0 {
                continue;
            }
            let rate = f64::from(count) / f64::from(sharing) / branches[usize::from(!is_first)].1;
            let (first, second) = if is_first { (first - 1, second) } else { (first, second - 1) };
            if waiting > 0 {
                moves.push(((first + 1, second, waiting - 1), rate * branches[0].0));
                moves.push(((first, second + 1, waiting - 1), rate * branches[1].0));
            } else {
                moves.push(((first, second, 0), rate));
            }
        }
        moves
    });
    chain.stationary().mean(|(first, second, waiting)| f64::from(first + second + waiting)) / arrivals
}

/// The sojourn in M/H2/1, first come first served, with balanced means.
pub fn hyperexponential_sojourn(arrivals: f64, mean: f64, cv: f64) -> Absorption {
    let branches = hyperexponential(mean, cv);
    let of_next = |left: u32, rate: f64| {
        let phases = if left == 0 { vec![(0, 1.0)] } else { vec![(0, branches[0].0), (1, branches[1].0)] };
        phases.into_iter().map(move |(phase, share): (usize, f64)| ((left, phase), rate * share))
    };
    let chain = Chain::explore([(0, 0)], |&(present, phase): &(u32, usize)| {
        let mut moves = Vec::new();
        if present == 0 {
            moves.extend(of_next(1, arrivals));
        } else {
            if present < 2 * LONGEST {
                moves.push(((present + 1, phase), arrivals));
            }
            moves.extend(of_next(present - 1, 1.0 / branches[phase].1));
        }
        moves
    });
    let mut start = Vec::new();
    for (&(present, phase), share) in chain.stationary().iter() {
        match present {
            0 => start.extend(of_next(1, share)),
            _ => start.push(((present + 1, phase), share)),
        }
    }
    let service = Chain::explore(start.iter().map(|(state, _)| *state), |&(left, phase)| match left {
        0 => vec![],
        _ => of_next(left - 1, 1.0 / branches[phase].1).collect(),
    });
    let start = service.distribution(start);
    service.absorption(start)
}

/// The sojourn in MMPP/M/1: arrivals at the rate of a state that changes by itself. States in a ring: rate of arrivals, mean
/// time until the next state.
pub fn mmpp_sojourn(states: &'static [(f64, f64)], service: f64) -> Absorption {
    let chain = Chain::explore([(0u32, 0usize)], |&(present, state)| {
        let (arrivals, lasts) = states[state];
        let mut moves = vec![((present, (state + 1) % states.len()), 1.0 / lasts)];
        if present < 4 * LONGEST {
            moves.push(((present + 1, state), arrivals));
        }
        if present > 0 {
            moves.push(((present - 1, state), service));
        }
        moves
    });
    let seen: Vec<(u32, f64)> =
        chain.stationary().iter().map(|(&(present, state), share)| (present + 1, share * states[state].0)).collect();
    let total: f64 = seen.iter().map(|(_, weight)| weight).sum();
    one_after_the_other(seen.into_iter().map(|(n, weight)| (n, weight / total)), service)
}

/// The sojourn of those that M/M/c/K lets in, from the shares of time with 0, 1, ... K present.
pub fn admitted_sojourn(shares: &[f64], service: f64, servers: u32) -> Absorption {
    let admitted = 1.0 - shares[shares.len() - 1];
    let seen = shares[..shares.len() - 1].iter().enumerate().map(|(found, share)| (found as u32 + 1, share / admitted));
    // Place in the line; whoever has come to a server leaves at its rate.
    let chain = Chain::explore(1..shares.len() as u32, |&place| match place {
        0 => vec![],
        _ if place > servers => vec![(place - 1, f64::from(servers) * service)],
        _ => vec![(0, service)],
    });
    let start = chain.distribution(seen);
    chain.absorption(start)
}

/// The sojourn in M\[X\]/M/1 with batches of `size`.
pub fn batch_sojourn(batches: f64, size: u32, service: f64) -> Absorption {
    let chain = Chain::explore([0u32], |&present| {
        let mut moves = vec![];
        if present < 3 * LONGEST {
            moves.push((present + size, batches));
        }
        if present > 0 {
            moves.push((present - 1, service));
        }
        moves
    });
    let stationary = chain.stationary();
    let seen = stationary
        .iter()
        .flat_map(|(&present, share)| (1..=size).map(move |place| (present + place, share / f64::from(size))));
    one_after_the_other(seen.collect::<Vec<_>>(), service)
}

/// The sojourn in M/M/1 whose server is up for exponential times of mean `up` and down for exponential times of mean `down`,
/// whether busy or not, and takes up its work where it was. (White and Christie 1958, doi:10.1287/opre.6.1.79.)
pub fn breakdown_sojourn(arrivals: f64, service: f64, up: f64, down: f64) -> Absorption {
    let moves = |present: u32, is_up: bool| {
        let mut moves = vec![((present, !is_up), 1.0 / if is_up { up } else { down })];
        if is_up && present > 0 {
            moves.push(((present - 1, true), service));
        }
        moves
    };
    let chain = Chain::explore([(0u32, true)], |&(present, is_up)| {
        let mut all = moves(present, is_up);
        if present < 3 * LONGEST {
            all.push(((present + 1, is_up), arrivals));
        }
        all
    });
    let seen: Vec<_> =
        chain.stationary().iter().map(|(&(present, is_up), share)| ((present + 1, is_up), share)).collect();
    let own = Chain::explore(
        seen.iter().map(|(state, _)| *state),
        |&(left, is_up)| {
            if left == 0 { vec![] } else { moves(left, is_up) }
        },
    );
    let start = own.distribution(seen);
    own.absorption(start)
}

/// Shares of time busy and down of a server without a queue, idle or busy as long as it is up; a failure ends what it does.
pub fn breakdown_loss(arrivals: f64, service: f64, up: f64, down: f64) -> (f64, f64) {
    let (idle, busy, broken) = (0, 1, 2);
    let chain = Chain::explore([idle], |&state| match state {
        0 => vec![(busy, arrivals), (broken, 1.0 / up)],
        1 => vec![(idle, service), (broken, 1.0 / up)],
        _ => vec![(idle, 1.0 / down)],
    });
    let stationary = chain.stationary();
    let share = |which: i32| stationary.mean(|state| f64::from(u32::from(*state == which)));
    (share(busy), share(broken))
}

/// Which of several queues an arrival joins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Join {
    /// The shortest.
    Shortest,
    /// The shorter of two different ones drawn at random. (Mitzenmacher 2001, doi:10.1109/71.963420; Vvedenskaya 1996.)
    ShorterOfTwo,
}

/// The sojourn where each of `servers` equal exponential servers has its own queue. By symmetry only the sorted lengths matter.
pub fn balanced_sojourn(arrivals: f64, service: f64, servers: usize, join: Join, longest: u32) -> Absorption {
    // How likely the arrival joins the queue at each place of the sorted lengths, shortest first.
    let joins = move |lengths: &[u32]| -> Vec<(usize, f64)> {
        match join {
            Join::Shortest => vec![(lengths.iter().filter(|&&length| length == lengths[0]).count() - 1, 1.0)],
            Join::ShorterOfTwo => {
                let pairs = (servers * (servers - 1) / 2) as f64;
                let of = |place: usize| (servers - 1 - place) as f64 / pairs;
                // Of equal lengths the last grows, so that they stay sorted.
                let last =
                    |place: usize| place + lengths[place..].iter().take_while(|l| **l == lengths[place]).count() - 1;
                (0..servers - 1).map(|place| (last(place), of(place))).collect()
            }
        }
    };
    let chain = Chain::explore([vec![0u32; servers]], |lengths| {
        let mut moves = Vec::new();
        for (place, probability) in joins(lengths) {
            if lengths[place] < longest {
                let mut next = lengths.clone();
                next[place] += 1;
                moves.push((next, arrivals * probability));
            }
        }
        for place in (0..servers).filter(|&place| lengths[place] > 0) {
            let mut next = lengths.clone();
            next[place] -= 1;
            next.sort_unstable();
            moves.push((next, service));
        }
        moves
    });
    let stationary = chain.stationary();
    let seen = stationary.iter().flat_map(|(lengths, share)| {
        joins(lengths).into_iter().map(move |(place, probability)| (lengths[place] + 1, share * probability))
    });
    one_after_the_other(seen.collect::<Vec<_>>(), service)
}

/// What decides between queues of equal length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ties {
    /// The turn, which goes to the other queue whenever one is chosen.
    InTurn,
    /// Chance.
    AtRandom,
}

/// The sojourn behind two servers of different rates, where arrivals join the shorter queue.
pub fn shortest_of_unequal_sojourn(arrivals: f64, services: [f64; 2], ties: Ties, longest: u32) -> Absorption {
    // Which queues an arrival may join, and how likely.
    let choose = |lengths: [u32; 2], turn: usize| match (lengths[0].cmp(&lengths[1]), ties) {
        (std::cmp::Ordering::Less, _) => vec![(0, 1.0)],
        (std::cmp::Ordering::Greater, _) => vec![(1, 1.0)],
        (std::cmp::Ordering::Equal, Ties::InTurn) => vec![(turn, 1.0)],
        (std::cmp::Ordering::Equal, Ties::AtRandom) => vec![(0, 0.5), (1, 0.5)],
    };
    let chain = Chain::explore([([0u32; 2], 0usize)], |&(lengths, turn)| {
        let mut moves = Vec::new();
        for (chosen, probability) in choose(lengths, turn) {
            if lengths[chosen] < longest {
                let mut next = lengths;
                next[chosen] += 1;
                let turn = if ties == Ties::InTurn { 1 - chosen } else { 0 };
                moves.push(((next, turn), arrivals * probability));
            }
        }
        for server in 0..2 {
            if lengths[server] > 0 {
                let mut next = lengths;
                next[server] -= 1;
                moves.push(((next, turn), services[server]));
            }
        }
        moves
    });
    let stationary = chain.stationary();
    let found = stationary.iter().flat_map(|(&(lengths, turn), share)| {
        let joined = choose(lengths, turn).into_iter();
        joined.map(move |(chosen, probability)| ((lengths[chosen] + 1, chosen), share * probability))
    });
    let found: Vec<_> = found.collect();
    let own = Chain::explore(found.iter().map(|(state, _)| *state), |&(left, server)| {
        if left > 0 { vec![((left - 1, server), services[server])] } else { vec![] }
    });
    let start = own.distribution(found);
    own.absorption(start)
}

/// The time until both parts are done where each arrival forks into two parts, one for either of two exponential servers.
/// (Flatto and Hahn 1984, doi:10.1137/0144074; Nelson and Tantawi 1988, doi:10.1109/12.2213.)
pub fn fork_join_sojourn(arrivals: f64, service: f64, longest: u32) -> Absorption {
    let serve = |parts: [u32; 2]| {
        (0..2).filter(move |&server| parts[server] > 0).map(move |server| {
            let mut next = parts;
            next[server] -= 1;
            (next, service)
        })
    };
    let chain = Chain::explore([[0u32; 2]], |&parts| {
        let mut moves: Vec<_> = serve(parts).collect();
        if parts[0] < longest && parts[1] < longest {
            moves.push(([parts[0] + 1, parts[1] + 1], arrivals));
        }
        moves
    });
    let seen: Vec<_> =
        chain.stationary().iter().map(|(&[first, second], share)| ([first + 1, second + 1], share)).collect();
    let own = Chain::explore(seen.iter().map(|(state, _)| *state), |&parts| serve(parts).collect());
    let start = own.distribution(seen);
    own.absorption(start)
}

/// A queue whose waiting requests give up after exponential times (Palm 1957; Garnett, Mandelbaum and Reiman 2002,
/// doi:10.1287/msom.4.3.208.7753).
pub struct ErlangA {
    /// Share that gives up.
    pub gives_up: f64,
    /// Mean number waiting.
    pub waiting: f64,
    /// Mean number of busy servers.
    pub busy: f64,
}

/// M/M/c+M.
pub fn erlang_a(arrivals: f64, service: f64, servers: u32, patience: f64) -> ErlangA {
    let leaves = |n: u32| f64::from(n.min(servers)) * service + f64::from(n.saturating_sub(servers)) / patience;
    let chain = Chain::explore([0u32], |&n| {
        let mut moves = vec![];
        if n < 2 * LONGEST {
            moves.push((n + 1, arrivals));
        }
        if n > 0 {
            moves.push((n - 1, leaves(n)));
        }
        moves
    });
    let stationary = chain.stationary();
    let waiting = stationary.mean(|&n| f64::from(n.saturating_sub(servers)));
    ErlangA { gives_up: waiting / patience / arrivals, waiting, busy: stationary.mean(|&n| f64::from(n.min(servers))) }
}

/// The sojourn in M/M/1 of those who come within a span of time after it began empty: Poisson arrivals find what is there on
/// average over that time.
pub fn mm1_after_pauses(arrivals: f64, service: f64, span: f64) -> Absorption {
    let chain = Chain::explore([0u32], |&n| {
        let mut moves = vec![];
        if n < LONGEST {
            moves.push((n + 1, arrivals));
        }
        if n > 0 {
            moves.push((n - 1, service));
        }
        moves
    });
    let shares = chain.shares_until(chain.distribution([(0, 1.0)]), span);
    one_after_the_other(shares.into_iter().map(|(present, share)| (present + 1, share)), service)
}

/// Throughput and sojourn where `users` think for `think` on average between questions to a queue of exponential servers. Who asks
/// finds the others as they are in the long run without him.
pub fn closed_sojourn(users: u32, think: f64, service: f64, servers: u32) -> (f64, Absorption) {
    let shares = |users: u32| {
        let mut weights = vec![1.0];
        for n in 1..=users {
            let rate = f64::from(users - n + 1) / think / (f64::from(n.min(servers)) * service);
            weights.push(weights[weights.len() - 1] * rate);
        }
        let total: f64 = weights.iter().sum();
        weights.into_iter().map(move |weight| weight / total)
    };
    let busy: f64 = (0..).zip(shares(users)).map(|(n, share): (u32, f64)| f64::from(n.min(servers)) * share).sum();
    // States: so many before one in the queue, in service (0), answered.
    let start: Vec<(Option<u32>, f64)> = (0..)
        .zip(shares(users - 1))
        .map(|(n, share): (u32, f64)| (Some((n + 1).saturating_sub(servers)), share))
        .collect();
    let chain = Chain::explore(start.iter().map(|(state, _)| *state), |&state| match state {
        None => vec![],
        Some(0) => vec![(None, service)],
        Some(ahead) => vec![(Some(ahead - 1), f64::from(servers) * service)],
    });
    let start = chain.distribution(start);
    (busy * service, chain.absorption(start))
}

#[cfg(test)]
mod tests {
    use super::super::assert_close;
    use super::super::queues::{Mmc, batch_mean_sojourn, gim1_root, pollaczek_khinchine};
    use super::*;

    #[test]
    fn sharing_keeps_the_mean_of_m_m_c_and_a_limit_of_one_is_first_come_first_served() {
        let mm2 = Mmc { arrivals: 1.5, service: 1.0, servers: 2 };
        assert_close(sharing_sojourn(1.5, 1.0, 2, None).mean(), mm2.mean_sojourn(), 1e-5);
        let mm1 = Mmc { arrivals: 0.7, service: 1.0, servers: 1 };
        let limited = sharing_sojourn(0.7, 1.0, 1, Some(1));
        assert_close(limited.mean(), mm1.mean_sojourn(), 1e-5);
        assert_close(limited.quantile(0.99), mm1.quantile(0.99), 1e-5);
        // Its variance exceeds that of first come first served: (1 / (mu - lambda))^2 (2 + rho) / (2 - rho), Coffman et al.
        assert!(sharing_sojourn(0.7, 1.0, 1, None).quantile(0.99) > limited.quantile(0.99));
    }

    #[test]
    fn hyperexponential_queues_obey_pollaczek_and_khinchine() {
        let mean = 1.0 + pollaczek_khinchine(0.6, 1.0, 2.0);
        assert_close(hyperexponential_sojourn(0.6, 1.0, 2.0).mean(), mean, 1e-5);
        assert_close(limited_sharing_mean(0.6, 1.0, 2.0, 1), mean, 1e-5);
        // Many at once is processor sharing, which is insensitive.
        assert_close(limited_sharing_mean(0.6, 1.0, 2.0, 60), 2.5, 1e-4);
    }

    #[test]
    fn special_cases_are_m_m_1() {
        let mm1 = Mmc { arrivals: 0.7, service: 1.0, servers: 1 };
        assert_close(mmpp_sojourn(&[(0.7, 3.0), (0.7, 5.0)], 1.0).quantile(0.9), mm1.quantile(0.9), 1e-5);
        assert_close(batch_sojourn(0.7, 1, 1.0).quantile(0.9), mm1.quantile(0.9), 1e-5);
        assert_close(breakdown_sojourn(0.7, 1.0, 1e9, 1.0).quantile(0.9), mm1.quantile(0.9), 1e-5);
        let equal = balanced_sojourn(0.7, 1.0, 2, Join::Shortest, 40).mean();
        for ties in [Ties::InTurn, Ties::AtRandom] {
            assert_close(shortest_of_unequal_sojourn(0.7, [1.0, 1.0], ties, 40).mean(), equal, 1e-5);
        }
        assert_close(
            balanced_sojourn(1.4, 1.0, 2, Join::ShorterOfTwo, 40).mean(),
            balanced_sojourn(1.4, 1.0, 2, Join::Shortest, 40).mean(),
            1e-5,
        );
    }

    #[test]
    fn published_results() {
        assert_close(batch_sojourn(0.15, 4, 1.0).mean(), batch_mean_sojourn(0.15, 4.0, 16.0, 1.0), 1e-5);
        // Flatto and Hahn: (12 - rho) / 8 times the mean of M/M/1.
        assert_close(fork_join_sojourn(0.6, 1.0, 60).mean(), (12.0 - 0.6) / 8.0 / 0.4, 1e-5);
        // White and Christie: mean number for resumed service.
        let (arrivals, service, up, down) = (0.5f64, 1.0, 10.0, 2.0);
        let (fails, mends) = (1.0 / up, 1.0 / down);
        let utilisation = arrivals / service * (1.0 + fails / mends);
        let present = (utilisation + arrivals * fails / (mends * (fails + mends))) / (1.0 - utilisation);
        assert_close(breakdown_sojourn(arrivals, service, up, down).mean(), present / arrivals, 1e-5);
        // Patience as long as service makes the queue an infinite server.
        let a = erlang_a(3.0, 1.0, 3, 1.0);
        assert_close(a.waiting + a.busy, 3.0, 1e-9);
    }

    #[test]
    fn closed_queues() {
        let (throughput, sojourn) = closed_sojourn(20, 1.0, 10.0, 1);
        let analysis = super::super::networks::mean_value_analysis(20, 1.0, &[0.1]);
        assert_close(throughput, analysis.throughput, 1e-9);
        assert_close(sojourn.mean(), analysis.response, 1e-5);
        let (throughput, sojourn) = closed_sojourn(30, 1.0, 12.5, 2);
        assert_close(sojourn.mean(), 30.0 / throughput - 1.0, 1e-5);
    }

    #[test]
    fn a_long_time_after_a_pause_it_is_as_in_the_long_run() {
        assert_close(mm1_after_pauses(0.5, 1.0, 2e4).mean(), 2.0, 1e-3);
        assert_close(mm1_after_pauses(0.5, 1.0, 1e-6).mean(), 1.0, 1e-5);
    }

    #[test]
    fn round_robin_is_better_than_random_and_worse_than_the_shortest_queue() {
        let random = 1.0 / (1.0 - 0.7);
        let in_turn = 1.0 / (1.0 - gim1_root(1.0, |s| (1.4 / (1.4 + s)) * (1.4 / (1.4 + s))));
        let shortest = balanced_sojourn(1.4, 1.0, 2, Join::Shortest, 50).mean();
        assert!(random > in_turn && in_turn > shortest, "{random} {in_turn} {shortest}");
    }
}
