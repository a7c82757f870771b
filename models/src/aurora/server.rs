//! An instance: its connections and its CPU.

use sim_core::observations::SeriesGroup;
use sim_core::station::ProcessorSharing;
use sim_core::tally::StationTally;

use super::*;
use crate::observer::FigureId;

/// An instance at work.
#[derive(Debug)]
pub(super) struct Server {
    /// As `orders-1`.
    pub(super) short_name: String,
    /// As `aurora.orders/orders-1`.
    pub(super) name: String,
    vcpu: f64,
    max_connections: u32,
    pub(super) promotion_tier: u8,
    pub(super) memory_gib: f64,
    /// Whether it answers; if not it resets and refuses connections.
    pub(super) up: bool,
    /// Open ones.
    pub(super) connections: u32,
    pub(super) most_connections: u32,
    pub(super) opened: u64,
    pub(super) refused: u64,
    pub(super) cpu: ProcessorSharing<Key>,
    /// Queries that use CPU.
    pub(super) tally: StationTally,
    /// When the event for the next completion is due, and its number.
    expected: Option<SimTime>,
    forecasts: u32,
    /// Queries answered in this period.
    pub(super) answered: u64,
    pub(super) figure: FigureId,
    pub(super) at_bin: (f64, f64),
    pub(super) at_period: (f64, f64),
    pub(super) cpu_metric: MetricId,
    pub(super) connections_metric: MetricId,
    pub(super) queries_metric: MetricId,
}

impl Server {
    pub(super) fn new(cluster: &str, instance: &Instance, cx: &mut Cx<'_>) -> Self {
        let name = format!("{cluster}/{}", instance.name);
        let metrics = &mut cx.shared.metrics;
        Self {
            short_name: instance.name.clone(),
            vcpu: instance.vcpu,
            max_connections: instance.max_connections,
            promotion_tier: instance.promotion_tier,
            memory_gib: instance.memory_gib,
            up: true,
            connections: 0,
            most_connections: 0,
            opened: 0,
            refused: 0,
            cpu: ProcessorSharing::new(instance.vcpu),
            tally: StationTally::shared(instance.vcpu),
            expected: None,
            forecasts: 0,
            answered: 0,
            figure: cx.shared.observer.figures.register(SeriesGroup::Utilisation, &name, "ratio"),
            at_bin: (0.0, 0.0),
            at_period: (0.0, 0.0),
            cpu_metric: metrics.register(format!("AWS/RDS CPUUtilization {name}"), "%"),
            connections_metric: metrics.register(format!("AWS/RDS DatabaseConnections {name}"), "count"),
            queries_metric: metrics.register(format!("AWS/RDS Queries {name}"), "1/s"),
            name,
        }
    }

    /// Somebody wants to connect.
    pub(super) fn accept(&mut self) -> Result<(), Cause> {
        if !self.up {
            return Err(Cause::ConnectionLost);
        }
        if self.connections >= self.max_connections {
            self.refused += 1;
            return Err(Cause::TooManyConnections);
        }
        self.connections += 1;
        self.most_connections = self.most_connections.max(self.connections);
        self.opened += 1;
        Ok(())
    }

    /// From `now` on it answers, or does not. Its connections are the cluster's to reset.
    pub(super) fn set_up(&mut self, now: SimTime, up: bool) {
        self.up = up;
        self.tally.servers(now, if up { self.vcpu } else { 0.0 });
    }

    /// The instant and number of the event to be scheduled, if one is needed. One that is due too early is left to come and
    /// find nothing done: arrivals, which only ever put completions off, then cost no event.
    pub(super) fn forecast(&mut self) -> Option<(SimTime, u32)> {
        let (at, _) = self.cpu.next_completion()?;
        if self.expected.is_some_and(|expected| expected <= at) {
            return None;
        }
        self.expected = Some(at);
        self.forecasts = self.forecasts.wrapping_add(1);
        Some((at, self.forecasts))
    }

    /// Whether an event is the latest forecast's, which thereby is used up.
    pub(super) fn comes_true(&mut self, forecast: u32) -> bool {
        let latest = forecast == self.forecasts;
        if latest {
            self.expected = None;
        }
        latest
    }
}
