//! Predictive scaling through the language: the forecast is what the traffic's rates say.

mod common;

use common::{load_text, loaded};
use scenarios::{Source, load};

const SERVICE: &str = r#"
title = "A service that is forecast"

[run]
duration = "3h"
starts_at = "2026-01-05T06:30:00Z"

[[traffic]]
name = "users"
to = "ecs.web"
rate = { base = "10/s", at = [["90m", "60/s"], ["150m", "20/s"]] }

[ecs.web]
desired_count = 2
cpu = "1 vCPU"

[[ecs.web.handler]]
steps = [{ cpu = "20ms" }]

[[ecs.web.scaling]]
policy_type = "PredictiveScaling"
min_capacity = 1
max_capacity = 3
mode = "ForecastAndScale"
load_per_capacity = "20/s"
"#;

/// Hours of the clock and what is forecast for them, from one set of changes of the text.
fn forecast(from: &str, to: &str) -> Vec<(f64, u32)> {
    let scenario = loaded(&SERVICE.replace(from, to), &[]);
    let hours = &scenario.architecture.scaling.forecasts[0].hours;
    hours.iter().map(|(at, capacity)| (at.as_secs_f64() / 3600.0, *capacity)).collect()
}

#[test]
fn the_forecast_of_an_hour_of_the_clock_is_its_mean_rate_over_what_a_task_takes() {
    // 6:30 to 8:00 10/s, 8:00 to 9:00 60/s, 20/s from then on.
    assert_eq!(forecast("", ""), [(0.0, 1), (0.5, 1), (1.5, 3), (2.5, 1)]);
    // By the clock of the run, hours have both rates: 10, 10 to 60 (35), 60 to 20 (40).
    assert_eq!(forecast("06:30", "06:00"), [(0.0, 1), (1.0, 2), (2.0, 2)]);
    assert_eq!(forecast("load_per", "forecast_factor = 2\nload_per"), [(0.0, 1), (0.5, 1), (1.5, 6), (2.5, 2)]);
}

#[test]
fn tasks_are_there_before_the_hour_and_the_mode_decides_whether_at_all() {
    let decided = |from: &str, to: &str| -> Vec<(f64, String)> {
        let scenario = loaded(&SERVICE.replace(from, to), &[]);
        let seen = models::simulate(&scenario.architecture, 1, 0);
        let decisions = seen.log.iter().filter(|entry| entry.what.starts_with("desired"));
        decisions.map(|entry| (entry.at.as_secs_f64() / 60.0, entry.what.clone())).collect()
    };
    assert_eq!(decided("", ""), [(85.0, "desired 2 -> 3 by web predictive: forecast".to_owned())]);
    assert_eq!(decided("mode =", "scheduling_buffer_time = \"15m\"\nmode =")[0].0, 75.0);
    assert_eq!(decided("ForecastAndScale", "ForecastOnly"), []);
    let raised =
        "forecast_factor = 2\nmax_capacity_breach_behavior = \"IncreaseMaxCapacity\"\nmax_capacity_buffer = 10\nmode =";
    assert_eq!(decided("mode =", raised)[0].1, "desired 2 -> 6 by web predictive: forecast");
    assert_eq!(decided("mode =", "forecast_factor = 2\nmode =")[0].1, "desired 2 -> 3 by web predictive: forecast");
}

#[test]
fn what_cannot_be_forecast_is_refused_with_its_reason() {
    for (from, to, reason) in [
        ("load_per_capacity = \"20/s\"", "", "predictive scaling lacks `load_per_capacity`"),
        ("load_per_capacity", "forecast_from = [\"user\"]\nload_per_capacity", "did you mean `users`?"),
        (
            "load_per_capacity",
            "target_value = 50\nload_per_capacity",
            "this kind of scaling policy has no `target_value`",
        ),
        ("load_per_capacity", "max_capacity_buffer = 10\nload_per_capacity", "the maximum stays as it is"),
        ("load_per_capacity", "scheduling_buffer_time = \"1h\"\nload_per_capacity", "scheduling_buffer_time"),
        ("PredictiveScaling", "StepScaling", "this kind of scaling policy has no `load_per_capacity`"),
    ] {
        let told = load_text(&SERVICE.replace(from, to), &[]).err().unwrap_or_default();
        assert!(told.contains(reason), "{to}: {told}");
    }
}

/// Share of operations that ended well in a scenario of the library, with these settings.
fn well(name: &str, changes: &[&str]) -> (f64, u64) {
    let text = scenarios::library::get(name).expect("in the library").to_owned();
    let changes: Vec<scenarios::Override> = changes.iter().map(|it| scenarios::Override((*it).to_owned())).collect();
    let scenario = load(&Source { name: name.into(), text }, &changes, None)
        .unwrap_or_else(|wrong| panic!("{}", wrong.render(false)));
    let seen = models::simulate(&scenario.architecture, scenario.seed, 0);
    let (started, succeeded) =
        seen.routes.iter().fold((0, 0), |sum, it| (sum.0 + it.started - it.in_flight, sum.1 + it.succeeded));
    let waiting = seen.stations.iter().map(|station| station.max_waiting).max().unwrap_or(0);
    (succeeded as f64 / started as f64, waiting)
}

#[test]
fn the_library_s_rush_fails_who_reacts_and_nobody_who_is_ahead_of_it() {
    let policies = |factor: &str| {
        format!(
            "ecs.web.scaling=[{{ min_capacity = 2, max_capacity = 20, target_value = 50 }}, {{ policy_type = \"PredictiveScaling\", \
             mode = \"ForecastAndScale\", min_capacity = 2, max_capacity = 20, load_per_capacity = \"5/s\", forecast_factor = {factor} }}]"
        )
    };
    let reacts = well("morning-rush", &[]).0;
    assert!((0.80..=0.862).contains(&reacts), "{reacts}");
    let schedule = "ecs.web.scheduled_action=[{ name = \"opening\", schedule = \"cron(50 8 ? * MON-FRI *)\", timezone = \"Europe/Berlin\", min_capacity = 12 }]";
    let (scheduled, forecast) = (well("morning-rush", &[schedule]).0, well("morning-rush", &[&policies("1.0")]).0);
    assert!(scheduled > 0.999 && forecast > 0.999, "{scheduled}, {forecast}");
    let low = well("morning-rush", &[&policies("0.667")]).0;
    assert!(low > 0.98, "{low}");
}

#[test]
fn the_library_s_backlog_is_worked_off_where_it_is_what_is_scaled_on() {
    let backlog = well("backlog", &[]).1;
    assert!((2800..=3800).contains(&backlog), "{backlog}");
    let cpu = well("backlog", &["ecs.work.scaling=[{ min_capacity = 10, max_capacity = 60, target_value = 50 }]"]).1;
    assert!(cpu > 34_000, "{cpu}");
}
