//! Networks of queues.

/// Mean value analysis of a closed network of single exponential servers and thinking (Reiser and Lavenberg 1980,
/// doi:10.1145/322186.322195).
pub struct Closed {
    /// Cycles a second of all users.
    pub throughput: f64,
    /// Mean time from question to answer.
    pub response: f64,
    /// Mean number at each station.
    pub present: Vec<f64>,
}

/// `users` think for `think` on average between the answer and the next question, which takes `demands` (visits times service
/// time) at the stations.
pub fn mean_value_analysis(users: u32, think: f64, demands: &[f64]) -> Closed {
    let mut closed = Closed { throughput: 0.0, response: 0.0, present: vec![0.0; demands.len()] };
    for n in 1..=users {
        let residence: Vec<f64> =
            demands.iter().zip(&closed.present).map(|(demand, present)| demand * (1.0 + present)).collect();
        let response: f64 = residence.iter().sum();
        let throughput = f64::from(n) / (think + response);
        closed = Closed { throughput, response, present: residence.iter().map(|r| throughput * r).collect() };
    }
    closed
}

#[cfg(test)]
mod tests {
    use super::super::assert_close;
    use super::*;

    #[test]
    fn the_textbook_example() {
        // Lazowska et al., Quantitative System Performance (1984), section 6.4: think time 15 s, demands 0.605, 2.1 and 1.35 s;
        // three users have a throughput of 0.152/s.
        let one = mean_value_analysis(1, 15.0, &[0.605, 2.1, 1.35]);
        assert_close(one.response, 4.055, 1e-12);
        assert_close(one.throughput, 1.0 / 19.055, 1e-12);
        let three = mean_value_analysis(3, 15.0, &[0.605, 2.1, 1.35]);
        assert_close(three.throughput, 0.152, 5e-3);
        // One station alone is never idle.
        assert_close(mean_value_analysis(7, 0.0, &[0.5]).response, 3.5, 1e-12);
    }
}
