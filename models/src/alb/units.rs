//! Load balancer capacity units: what AWS bills a load balancer by, and the connections that count for them.
//!
//! A client has one connection to a node at a time, as HTTP/2 has it; it is closed by the idle timeout or at the end of the
//! client keep-alive. Connections of distributions and of calling tasks are pools that stay open: they are not counted.

use sim_core::{SimDuration, SimTime};

use super::memory::PerClient;
use crate::request::Request;

/// What a minute's load amounts to: the largest of the four dimensions (Elastic Load Balancing pricing: 25 new connections a
/// second, 3000 active connections, 1 GB an hour, 1000 rule evaluations a second, of each request's rules ten free).
pub(super) fn consumed(new_connections: u64, active: u64, bytes: u64, evaluations: u64) -> f64 {
    let a_second = |count: u64| count as f64 / 60.0;
    let dimensions = [
        a_second(new_connections) / 25.0,
        active as f64 / 3000.0,
        bytes as f64 * 60.0 / 1e9,
        a_second(evaluations) / 1000.0,
    ];
    dimensions.into_iter().fold(0.0, f64::max)
}

/// Capacity units as they are billed: of each hour the largest dimension's mean (Elastic Load Balancing pricing). The last hour may be
/// a part of one.
#[derive(Debug)]
pub(super) struct Bill {
    /// What a unit has of each dimension: new connections and active ones a minute, bytes an hour, rule evaluations a minute.
    unit: [f64; 4],
    /// Unit minutes of each dimension in this hour.
    hour: [f64; 4],
    minutes: u32,
    /// Unit minutes of the hours before.
    charged: f64,
}

impl Bill {
    /// Of an Application Load Balancer, or of a Network Load Balancer with TCP: 800 new flows a second, 100,000 active, 1 GB an hour.
    pub(super) fn new(network: bool) -> Self {
        let unit = if network {
            [800.0 * 60.0, 100_000.0, 1e9 / 60.0, f64::INFINITY]
        } else {
            [25.0 * 60.0, 3000.0, 1e9 / 60.0, 1000.0 * 60.0]
        };
        Self { unit, hour: [0.0; 4], minutes: 0, charged: 0.0 }
    }

    /// A minute is over.
    pub(super) fn minute(&mut self, amounts: [u64; 4]) {
        for ((sum, amount), unit) in self.hour.iter_mut().zip(amounts).zip(self.unit) {
            *sum += amount as f64 / unit;
        }
        self.minutes += 1;
        if self.minutes == 60 {
            *self = Self { unit: self.unit, hour: [0.0; 4], minutes: 0, charged: self.minutes_charged() };
        }
    }

    fn minutes_charged(&self) -> f64 {
        self.charged + self.hour.iter().copied().fold(0.0, f64::max)
    }

    /// Counting begins.
    pub(super) fn forget(&mut self) {
        *self = Self { unit: self.unit, hour: [0.0; 4], minutes: 0, charged: 0.0 };
    }

    /// Units times hours since then.
    pub(super) fn hours(&self) -> f64 {
        self.minutes_charged() / 60.0
    }
}

/// A client's connection, in seconds from 1.
#[derive(Clone, Copy, Debug, Default)]
struct Connection {
    opened: u32,
    used: u32,
}

/// The connections of clients.
#[derive(Debug)]
pub(super) struct Connections {
    of: PerClient<Connection>,
    idle_timeout: u32,
    keep_alive: u32,
    /// First second of the present minute, from 1.
    minute: u32,
    /// Clients that used theirs in this minute.
    active: u64,
}

impl Connections {
    pub(super) fn new(idle_timeout: SimDuration, keep_alive: SimDuration) -> Self {
        let seconds = |span: SimDuration| (span.as_nanos() / 1_000_000_000) as u32;
        Self {
            of: PerClient::default(),
            idle_timeout: seconds(idle_timeout),
            keep_alive: seconds(keep_alive),
            minute: 1,
            active: 0,
        }
    }

    /// A request comes; whether it needs a new connection.
    #[inline]
    pub(super) fn carries(&mut self, request: &Request, now: SimTime) -> bool {
        if request.depth() > 1 || !request.is_from_client() {
            return false;
        }
        let second = (now.as_nanos() / 1_000_000_000) as u32 + 1;
        let connection = self.of.of(request);
        self.active += u64::from(connection.used < self.minute);
        let open = connection.used > 0
            && second - connection.used <= self.idle_timeout
            && second - connection.opened <= self.keep_alive;
        if !open {
            connection.opened = second;
        }
        connection.used = second;
        !open
    }

    /// A minute is over: how many connections were in use.
    pub(super) fn period_over(&mut self) -> u64 {
        self.minute += 60;
        std::mem::take(&mut self.active)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TrafficId;
    use crate::request::{Holder, Hop};

    #[test]
    fn the_largest_dimension_counts() {
        // 50 new connections a second, 6000 active, 1 GB an hour, 500 evaluations a second: 2, 2, 1 and 0.5 LCUs.
        assert!((consumed(50 * 60, 6000, 1_000_000_000 / 60, 500 * 60) - 2.0).abs() < 1e-6);
        assert_eq!(consumed(0, 9000, 0, 0), 3.0);
        assert!((consumed(0, 0, 50_000_000, 0) - 3.0).abs() < 1e-12);
        assert_eq!(consumed(0, 0, 0, 240_000), 4.0);
        assert_eq!(consumed(3000, 0, 0, 0), 2.0);
    }

    #[test]
    fn an_hour_is_billed_by_the_dimension_that_is_largest_over_it() {
        let mut bill = Bill::new(false);
        // Half an hour of 100 new connections a second (4 units), half an hour of 3 GB an hour (3 units): the means are 2 and 1.5.
        (0..30).for_each(|_| bill.minute([100 * 60, 0, 0, 0]));
        (0..30).for_each(|_| bill.minute([0, 0, 50_000_000, 0]));
        assert!((bill.hours() - 2.0).abs() < 1e-9, "{}", bill.hours());
        // The next hour is one of its own.
        (0..30).for_each(|_| bill.minute([0, 6000, 0, 0]));
        assert!((bill.hours() - 3.0).abs() < 1e-9, "{}", bill.hours());
        bill.forget();
        assert_eq!(bill.hours(), 0.0);
        let mut flows = Bill::new(true);
        (0..60).for_each(|_| flows.minute([1600 * 60, 0, 0, 1_000_000]));
        assert!((flows.hours() - 2.0).abs() < 1e-9, "{}", flows.hours());
    }

    #[test]
    fn a_connection_lives_while_it_is_used_and_no_longer_than_the_keep_alive() {
        let mut connections = Connections::new(SimDuration::from_secs(60), SimDuration::from_secs(300));
        let mut request = Request::new(1, SimTime::ZERO, Holder::Client(TrafficId(0)), Hop::NONE);
        let opened =
            |seconds: u64, connections: &mut Connections| connections.carries(&request, SimTime::from_secs(seconds));
        let course = [0, 50, 100, 161, 200, 250, 300, 350, 400, 450, 470].map(|at| opened(at, &mut connections));
        // At 161 s it has been idle for 61 s; at 470 s it is 309 s old.
        assert_eq!(course, [true, false, false, true, false, false, false, false, false, false, true]);
        assert_eq!(connections.period_over(), 1);
        request.push(Holder::Alb(crate::AlbId(0), crate::request::TargetKey::NONE), Hop::NONE);
        assert!(
            !connections.carries(&request, SimTime::from_secs(1000)),
            "what comes through something else is not counted"
        );
    }
}
