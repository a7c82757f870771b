//! Predictive scaling: the forecast of each hour, from the rates that the scenario gives.
//!
//! AWS learns from up to 14 days of history, of which there is none before a run. So the days before are taken to have been like the
//! one that is simulated: the load of an hour is the mean of its rates, and the capacity for it follows from what one task or
//! instance takes at the target.

use models::Architecture;
use models::architecture::Run;
use models::autoscaling::Forecast;
use models::client::{Arrivals, RateProfile};
use sim_core::{SimDuration, SimTime};

use super::Check;
use super::ecs::MAX_TASKS;
use super::scaling::Scaled;
use crate::nearest::advice;
use crate::raw::scaling as raw;

const HOUR: SimDuration = SimDuration::from_secs(3600);
/// Most hours of a forecast: ten years.
const MAX_HOURS: u64 = 10 * 366 * 24;

/// The rates of the sources that have one, by name.
pub(super) struct Rates<'a>(Vec<(&'a str, &'a RateProfile)>);

impl<'a> Rates<'a> {
    /// Those of an architecture, `names` being those of its sources.
    pub(super) fn of(architecture: Option<&'a Architecture>, names: impl Iterator<Item = &'a str>) -> Self {
        let traffic = architecture.map_or(&[][..], |built| &built.traffic);
        let rates = names.zip(traffic).filter_map(|(name, source)| match &source.arrivals {
            Arrivals::Open { rate, .. } => Some((name, rate)),
            _ => None,
        });
        Self(rates.collect())
    }
}

/// What a policy is called: as given, or after what it scales and its kind.
pub(super) fn policy_name(scaled: &Scaled<'_>, number: usize, scaling: &raw::Scaling, word: &str) -> String {
    scaling.policy_name.as_ref().map_or_else(
        || match number {
            0 => format!("{} {word}", scaled.label),
            _ => format!("{} {word} {}", scaled.label, number + 1),
        },
        |given| given.value.clone(),
    )
}

impl Check<'_> {
    /// The forecast of a predictive policy.
    pub(super) fn forecast(
        &mut self,
        scaled: &Scaled<'_>,
        number: usize,
        scaling: &raw::Scaling,
        run: &Run,
        rates: &Rates<'_>,
    ) -> Forecast {
        self.fitting_keys(scaling);
        if let Some(name) = &scaling.policy_name {
            self.label(name);
        }
        let per_capacity = self.load_per_capacity(scaling);
        let factor = self.number(&scaling.forecast_factor, "forecast_factor", 0.0, 1000.0);
        let profiles = self.forecast_rates(scaling, rates);
        let increases = scaling.max_capacity_breach_behavior.value == raw::MaxCapacityBreach::Increase;
        if let (Some(buffer), false) = (&scaling.max_capacity_buffer, increases) {
            let label = "give max_capacity_breach_behavior = \"IncreaseMaxCapacity\", or remove it";
            self.error(buffer.span, "the maximum stays as it is", label);
        }
        let buffer = scaling.max_capacity_buffer.as_ref();
        let raised_by = buffer.map_or(0, |percent| self.count(percent, "max_capacity_buffer", 0, 100));
        let capacity = |begins: SimTime| {
            let load: f64 = profiles.iter().map(|profile| profile.mean(begins, begins + HOUR)).sum();
            let exact = load * factor / per_capacity;
            (exact - 1e-9 * exact.max(1.0)).ceil().clamp(0.0, f64::from(MAX_TASKS)) as u32
        };
        Forecast {
            name: policy_name(scaled, number, scaling, "predictive"),
            target: scaled.id,
            hours: self.hours(run).into_iter().map(|(from, hour)| (from, capacity(hour))).collect(),
            scales: scaling.mode.value == raw::PredictiveMode::ForecastAndScale,
            buffer: self.time(
                &scaling.scheduling_buffer_time,
                "scheduling_buffer_time",
                0.0,
                3599.0,
                "EC2 Auto Scaling",
            ),
            raises_max_by: increases.then_some(raised_by),
        }
    }

    fn load_per_capacity(&mut self, scaling: &raw::Scaling) -> f64 {
        let Some(given) = &scaling.load_per_capacity else {
            let title = "predictive scaling lacks `load_per_capacity`";
            self.error(scaling.span, title, "such as \"40/s\": what a task takes at its target");
            return 1.0;
        };
        if given.0 <= 0.0 {
            self.error(given.span, "a task takes something", "more than \"0/s\"");
            return 1.0;
        }
        given.0
    }

    /// The rates that are the load.
    fn forecast_rates<'r>(&mut self, scaling: &raw::Scaling, rates: &Rates<'r>) -> Vec<&'r RateProfile> {
        let Some(from) = &scaling.forecast_from else { return rates.0.iter().map(|(_, rate)| *rate).collect() };
        let doc = self.doc;
        let mut found = Vec::new();
        for name in from.iter() {
            let source = doc.traffic.iter().find(|source| source.name.value == name.value);
            match (source, rates.0.iter().find(|(of, _)| *of == name.as_str())) {
                (_, Some((_, rate))) => found.push(*rate),
                (Some(source), None) if source.rate.is_none() => {
                    self.error(name.span, "a forecast is made from a rate", "this source has users or a replay");
                }
                (Some(_), None) => {}
                (None, None) => {
                    let names = doc.traffic.iter().map(|source| source.name.as_str());
                    self.error(name.span, format!("no traffic is called `{}`", name.value), advice(name, names));
                }
            }
        }
        found
    }

    /// The hours of the clock that lie in a run: from when on they count, and when they begin.
    fn hours(&mut self, run: &Run) -> Vec<(SimTime, SimTime)> {
        let doc = self.doc;
        let started =
            self.calendar(&doc.run.starts_at).map_or(0, |zero| zero.timestamp().rem_euclid(3600).unsigned_abs());
        let end = run.horizon();
        let first = (SimTime::ZERO, SimTime::ZERO);
        let full =
            (1..MAX_HOURS).map(|hour| SimTime::from_secs(3600 * hour - started)).take_while(|begins| *begins < end);
        std::iter::once(first).chain(full.map(|begins| (begins, begins))).collect()
    }
}
