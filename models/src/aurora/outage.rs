//! Instances that do not answer, and what callers make of it.
//!
//! An instance that *resets* tells its callers at once. One that is *silent* - its host or network is gone, or it is fenced off -
//! does not: queries on it hang until the caller's own timeouts end them, and idle connections to it lie in pools and are lent.

use sim_core::observations::LogKind;

use super::server::Stage;
use super::*;
use crate::ledger;

impl Aurora {
    /// An instance goes away and comes back at an instant, or with [`SimTime::MAX`] when somebody says so. One that is away
    /// already stays so for as long as either reason lasts.
    pub(super) fn take_away(&mut self, number: u16, reach: Reach, back_at: SimTime, cx: &mut Cx<'_>) {
        let now = cx.now();
        let server = &mut self.servers[number as usize];
        let was_up = server.is_up();
        server.back_at = if was_up { back_at } else { server.back_at.max(back_at) };
        if was_up {
            server.away_since = now;
            cx.down(&server.name, true);
        }
        let reach = server.reach.max(reach);
        server.set_reach(now, reach);
        if self.roles.writer == Some(number) {
            self.set_writer(None, cx);
        }
        self.expect_back(number, cx);
        if reach == Reach::Silent && was_up {
            self.fall_silent(number, cx);
        }
        self.tell_available(cx);
    }

    /// From an instance that goes away in an orderly way the reader endpoint is told at once.
    pub(super) fn take_down(&mut self, number: u16, back_at: SimTime, cx: &mut Cx<'_>) {
        self.servers[number as usize].listed = false;
        self.take_away(number, Reach::Refusing, back_at, cx);
    }

    /// Whoever is away indefinitely is back at an instant.
    pub(super) fn set_return(&mut self, number: u16, at: SimTime, cx: &mut Cx<'_>) {
        self.servers[number as usize].back_at = at;
        self.expect_back(number, cx);
    }

    pub(super) fn expect_back(&self, number: u16, cx: &mut Cx<'_>) {
        let at = self.servers[number as usize].back_at;
        if at < SimTime::MAX {
            cx.kernel.schedule_at(at, self.event(Event::Back(number)));
        }
    }

    /// An instance is back, if it is not to stay away for longer.
    pub(super) fn back(&mut self, number: u16, cx: &mut Cx<'_>) {
        let now = cx.now();
        let server = &mut self.servers[number as usize];
        if server.is_up() || server.back_at != now || self.roles.is_candidate(number) {
            return;
        }
        if server.stage == Stage::Creating {
            return self.reader_made(number, cx);
        }
        let silent = server.reach == Reach::Silent;
        server.return_at(now);
        cx.down(&server.name, false);
        if silent {
            // It knows nothing of the connections that hang.
            self.reset_connections(number, false, cx);
        }
        let headless = self.roles.writer.is_none() && !self.is_secondary();
        let stays_writer = headless && !self.roles.is_electing() && self.roles.record == number;
        if stays_writer {
            self.set_writer(Some(number), cx);
        }
        let what = match self.servers[number as usize].kind {
            _ if stays_writer => "is the writer again",
            Kind::Standby => "is back, as a standby",
            Kind::Apart => "is back, a database of its own",
            Kind::Member | Kind::Replica => "is back, as a reader",
        };
        let what = format!("{} {what}", self.servers[number as usize].short_name);
        cx.shared.observer.log(now, LogKind::Lifecycle, &self.name, what);
        self.elect_if_headless(cx);
        self.refill_proxy(cx);
        self.change_goes_on(cx);
        self.tell_settled(cx);
        self.tell_available(cx);
    }

    /// There is nothing more to be done but for instances that come back by and by: the downtime ledger is told.
    pub(super) fn tell_settled(&self, cx: &mut Cx<'_>) {
        let serves = (self.roles.writer.is_some() || self.is_secondary()) && !self.roles.is_electing();
        if serves && !self.plan.is_at_work() {
            cx.settling(&self.name);
        }
    }

    /// What is on an instance hangs from now on.
    fn fall_silent(&mut self, number: u16, cx: &mut Cx<'_>) {
        let now = cx.now();
        let server = &mut self.servers[number as usize];
        server.cpu.clear(now).for_each(drop);
        let works = |wire: &Connection| wire.server == number && matches!(wire.phase, Phase::Cpu | Phase::Waiting);
        let working: Vec<Key> = self.connections.iter().filter(|(_, wire)| works(wire)).map(|(key, _)| key).collect();
        for connection in working {
            let wire = &self.connections[connection];
            if wire.phase == Phase::Cpu {
                self.servers[number as usize].tally.lose_served(now, wire.since);
            }
            self.hang(connection, cx);
        }
    }

    /// The query on a connection gets no answer. Whatever the caller has against that ends it.
    pub(super) fn hang(&mut self, connection: Key, cx: &mut Cx<'_>) {
        let now = cx.now();
        let wire = &mut self.connections[connection];
        wire.phase = Phase::Hanging;
        let (sent, proxys) = (wire.since, wire.pool.is_proxys());
        let silent = self.servers[wire.server as usize].away_since;
        // The proxy watches instances itself, see `detected`.
        if let Some(at) = self.pool.gives_up(sent, silent).filter(|_| !proxys) {
            cx.kernel.schedule_at(at.max(now), self.event(Event::GivenUp(connection)));
        }
    }

    /// A caller ends a query that hangs, and its connection.
    pub(super) fn give_up(&mut self, connection: Key, cx: &mut Cx<'_>) {
        let Some(wire) = self.connections.get(connection).filter(|wire| wire.phase == Phase::Hanging) else { return };
        let pool = wire.pool;
        if self.goes_on_waiting(connection, cx.now()) {
            return;
        }
        self.break_off(connection, cx);
        self.refill(pool, cx);
    }

    /// The control plane has noticed that an instance does not answer.
    pub(super) fn detected(&mut self, number: u16, cx: &mut Cx<'_>) {
        let now = cx.now();
        let server = &mut self.servers[number as usize];
        if server.is_up() || !server.exists() {
            return;
        }
        server.listed = false;
        cx.phase(&self.name, ledger::Phase::Decision);
        let what = format!("{} does not answer: noticed", server.short_name);
        cx.shared.observer.log(now, LogKind::Health, &self.name, what);
        if self.proxy.is_some() {
            self.reset_connections(number, true, cx);
        }
        self.elect_if_headless(cx);
        let alone = self.roles.writer.is_none() && !self.roles.is_electing();
        if alone && self.servers[number as usize].back_at < SimTime::MAX {
            // Nobody takes its place: it is replaced itself.
            cx.phase(&self.name, ledger::Phase::Recovery);
        }
        self.tell_settled(cx);
    }

    /// A pause of an instance's work is over.
    pub(super) fn resume(&mut self, number: u16, cx: &mut Cx<'_>) {
        let now = cx.now();
        let server = &mut self.servers[number as usize];
        server.cpu.set_speed(now, 1.0);
        (server.paused, server.resumed_at) = (false, Some(now));
        self.forecast(number, cx);
        cx.down(&self.servers[number as usize].name, false);
        let what = format!("{} works again, its sessions kept", self.servers[number as usize].short_name);
        cx.shared.observer.log(now, LogKind::Lifecycle, &self.name, what);
        self.change_goes_on(cx);
        self.tell_settled(cx);
    }

    /// A fault begins.
    pub fn begin_fault(&mut self, fault: &Fault, cx: &mut Cx<'_>) {
        let now = cx.now();
        match fault {
            Fault::Failover => self.fail_over(None, cx),
            &Fault::Reboot { instance, force_failover } => {
                let instance = instance.unwrap_or(self.roles.record);
                if force_failover && self.roles.writer == Some(instance) {
                    self.fail_over(None, cx);
                } else {
                    self.reboot(instance, cx);
                }
            }
            &Fault::HostFailure { instance } => {
                let instance = instance.unwrap_or(self.roles.record);
                let back_at = now + self.failover.recreate;
                self.lose(instance, back_at, true, cx);
            }
            Fault::Zone { zone, power } => {
                for number in self.of_zone(zone) {
                    self.lose(number, SimTime::MAX, *power, cx);
                }
                if *power {
                    self.lose_copies(storage::IN_ZONE, true, cx);
                }
            }
            &Fault::Storage { copies } => self.lose_copies(copies, true, cx),
            Fault::Region => {
                self.existing().for_each(|number| self.lose(number, SimTime::MAX, true, cx));
                self.region_lost(true, cx);
            }
        }
    }

    /// A fault is over.
    pub fn end_fault(&mut self, fault: &Fault, cx: &mut Cx<'_>) {
        if let &Fault::Storage { copies } = fault {
            return self.lose_copies(copies, false, cx);
        }
        if *fault == Fault::Region {
            let back_at = cx.now() + self.failover.restart;
            self.existing().for_each(|number| self.set_return(number, back_at, cx));
            return self.region_lost(false, cx);
        }
        let Fault::Zone { zone, power } = fault else { return };
        if *power {
            self.lose_copies(storage::IN_ZONE, false, cx);
        }
        let now = cx.now();
        for number in self.of_zone(zone) {
            // Whose place another has taken restarts as a reader, as all do that were without power.
            let demoted = self.roles.writer.is_some() && self.servers[number as usize].returns_cold;
            let takes = if *power || demoted { self.failover.restart } else { SimDuration::ZERO };
            self.set_return(number, now + takes, cx);
        }
    }

    fn of_zone(&self, zone: &str) -> Vec<u16> {
        self.existing().filter(|&it| self.servers[it as usize].zone == *zone).collect()
    }

    /// An instance falls silent, and nobody has been told.
    fn lose(&mut self, number: u16, back_at: SimTime, cold: bool, cx: &mut Cx<'_>) {
        let detected = cx.now() + self.failover.detection;
        self.servers[number as usize].returns_cold |= cold;
        self.take_away(number, Reach::Silent, back_at, cx);
        cx.kernel.schedule_at(detected, self.event(Event::Detected(number)));
    }

    /// An engine restarts in its place; what it keeps in memory survives (Aurora guide, Aurora.Overview.StorageReliability).
    pub(super) fn reboot(&mut self, number: u16, cx: &mut Cx<'_>) {
        let back_at = cx.now() + self.failover.restart;
        cx.phase(&self.name, ledger::Phase::Recovery);
        self.take_down(number, back_at, cx);
        self.reset_connections(number, false, cx);
    }
}

impl Pool {
    /// When the caller of a query that was sent at `sent` to an instance that is silent since `silent` gives it up: by the socket's
    /// timeout, by TCP keepalive, or when the driver's monitoring takes the instance for dead.
    fn gives_up(&self, sent: SimTime, silent: SimTime) -> Option<SimTime> {
        let from = sent.max(silent);
        let socket = self.socket_timeout.map(|timeout| sent + timeout);
        let keepalive = self.keepalive.map(|time| from + time);
        let monitoring = match &self.driver {
            Driver::Standard => None,
            // Probes begin when the statement has taken that long; so many in a row must fail (AWS JDBC wrapper,
            // UsingTheHostMonitoringPlugin).
            Driver::Wrapper(wrapper) => {
                let first = (sent + wrapper.failure_detection_time).max(silent);
                Some(first + wrapper.failure_detection_interval.times(wrapper.failure_detection_count.into()))
            }
        };
        [socket, keepalive, monitoring].into_iter().flatten().min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> SimTime {
        SimTime::from_secs(seconds)
    }

    fn pool(driver: Driver) -> Pool {
        Pool { driver, ..super::super::tests::pool(10, 30.0) }
    }

    /// The worked example of the fact sheet: outage 10 s into a query, defaults: 20 + 15 = 35 s.
    #[test]
    fn host_monitoring_notices_35_s_after_an_outage_10_s_into_a_query() {
        let pool = pool(Driver::Wrapper(Wrapper {
            failure_detection_time: SimDuration::from_secs(30),
            failure_detection_interval: SimDuration::from_secs(5),
            failure_detection_count: 3,
            topology_refresh: SimDuration::from_secs(2),
            failover_timeout: SimDuration::from_secs(300),
        }));
        assert_eq!(pool.gives_up(at(100), at(110)), Some(at(110 + 35)));
        // A query that has been under way for longer than the detection time is monitored when the outage begins.
        assert_eq!(pool.gives_up(at(100), at(200)), Some(at(200 + 15)));
        // One that is sent into the silence: 30 + 15 s.
        assert_eq!(pool.gives_up(at(120), at(110)), Some(at(120 + 45)));
    }

    /// The keepalive recipe: 1 s, and 5 probes 1 s apart; and nothing at all.
    #[test]
    fn keepalive_and_socket_timeout_race_and_without_them_a_query_hangs_for_good() {
        let mut pool = pool(Driver::Standard);
        assert_eq!(pool.gives_up(at(100), at(110)), None);
        pool.socket_timeout = Some(SimDuration::from_secs(60));
        assert_eq!(pool.gives_up(at(100), at(110)), Some(at(160)));
        pool.keepalive = Some(SimDuration::from_secs(5));
        assert_eq!(pool.gives_up(at(100), at(110)), Some(at(115)));
        assert_eq!(pool.gives_up(at(120), at(110)), Some(at(125)));
    }
}
