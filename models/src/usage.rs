//! What is paid for: how much of it there was, and what is paid for being there at all. Quantities only: prices are the reports' matter.

use sim_core::observations::{Part, Usage};
use sim_core::{SimDuration, SimTime};

use crate::architecture::Architecture;
use crate::cloudwatch::{AlarmKind, PERIOD};
use crate::ids::{AlbId, Endpoint};
use crate::{alb, route53};

/// Hours of a month, as AWS's price lists reckon (730 = 365 x 24 / 12).
pub const HOURS_A_MONTH: f64 = 730.0;
/// The shortest time that an instance or a Fargate task is charged for (EC2 and Fargate pricing: by the second, at least a minute).
pub const MINIMUM: SimDuration = SimDuration::from_secs(60);

/// Bytes that leave a Region for the internet.
pub(crate) const DATA_OUT: &str = "data_transfer.out";

/// Capacity that is paid for by the second - tasks, instances - split by what it was there for. Integrals are exact.
#[derive(Clone, Debug)]
pub(crate) struct Meter {
    /// How many the scenario has from the start.
    planned: i64,
    /// How many are asked for at present.
    wanted: i64,
    /// How many there are that are paid for.
    running: i64,
    deploying: bool,
    /// Nanoseconds by [`Part`].
    spent: [u128; Part::ALL.len()],
    changed: SimTime,
}

impl Meter {
    pub(crate) fn new(planned: u32) -> Self {
        let planned = i64::from(planned);
        Self { planned, wanted: planned, running: 0, deploying: false, spent: [0; 5], changed: SimTime::ZERO }
    }

    fn advance(&mut self, now: SimTime) {
        let span = u128::from((now - self.changed).as_nanos());
        self.changed = now;
        let asked_for = self.running.min(self.wanted);
        let planned = asked_for.min(self.planned);
        let rest = if self.deploying { Part::Deployment } else { Part::Spare };
        let parts = [(Part::Planned, planned), (Part::Scaled, asked_for - planned), (rest, self.running - asked_for)];
        for (part, count) in parts {
            self.spent[part as usize] += span * u128::from(count.unsigned_abs());
        }
    }

    /// So many more are paid for from now on.
    pub(crate) fn start(&mut self, now: SimTime) {
        self.advance(now);
        self.running += 1;
    }
    /// One that was paid for since an instant is gone.
    pub(crate) fn stop(&mut self, now: SimTime, since: SimTime) {
        self.advance(now);
        self.running -= 1;
        let short = MINIMUM.as_nanos().saturating_sub((now - since).as_nanos());
        self.spent[Part::Minimum as usize] += u128::from(short);
    }
    /// So many are asked for from now on.
    pub(crate) fn want(&mut self, now: SimTime, wanted: u32) {
        self.advance(now);
        self.wanted = wanted.into();
    }
    /// A deployment begins, or is over.
    pub(crate) fn deploying(&mut self, now: SimTime, begins: bool) {
        self.advance(now);
        self.deploying = begins;
    }
    /// Counting begins.
    pub(crate) fn reset(&mut self, now: SimTime) {
        self.advance(now);
        self.spent = [0; 5];
    }
    /// Hours since then, by part.
    pub(crate) fn hours(&self, now: SimTime) -> impl Iterator<Item = (Part, f64)> + use<> {
        let mut copy = self.clone();
        copy.advance(now);
        Part::ALL.into_iter().map(move |part| (part, copy.spent[part as usize] as f64 / 3.6e12))
    }
}

/// Adds what is paid for whatever it does to what services have found, and tells what goes to viewers from what goes to a
/// distribution's edges, which is free (CloudFront pricing).
pub(crate) fn complete(usage: &mut Vec<Usage>, architecture: &Architecture, now: SimTime) {
    let origins: Vec<Endpoint> =
        architecture.cloudfront.iter().flat_map(|it| it.origins.iter().map(|origin| origin.endpoint)).collect();
    for (number, balancer) in architecture.alb.iter().enumerate() {
        let name = balancer_name(balancer);
        let is_origin = origins.contains(&Endpoint::Alb(AlbId(number as u16)));
        for it in usage.iter_mut().filter(|it| is_origin && it.item == DATA_OUT && it.subject == name) {
            it.item = "data_transfer.to_cloudfront".to_owned();
            it.assumed = "answers' bodies; all of them to the distribution that it is an origin of".to_owned();
        }
    }
    usage.extend(standing(architecture, now));
}

fn balancer_name(it: &alb::Settings) -> String {
    format!("{}.{}", kind_of(it), it.name)
}

fn kind_of(it: &alb::Settings) -> &'static str {
    if it.kind == alb::Kind::Network { "nlb" } else { "alb" }
}

/// What is paid for by the hour or month, whatever it does.
fn standing(architecture: &Architecture, now: SimTime) -> Vec<Usage> {
    let hours = now.since(SimTime::ZERO + architecture.run.warm_up).as_secs_f64() / 3600.0;
    let months = hours / HOURS_A_MONTH;
    let mut all = names(&architecture.route53, months);
    for it in &architecture.global_accelerators {
        all.push(Usage::new(&format!("global_accelerator.{}", it.name), "global_accelerator.hours", hours, "hour"));
    }
    for it in &architecture.alb {
        let (subject, addresses) = (balancer_name(it), it.zones.len().max(1) as f64);
        all.push(Usage::new(&subject, &format!("{}.hours", kind_of(it)), hours, "hour"));
        let assumed = "it faces the internet, with one address in each zone";
        all.push(Usage::new(&subject, "public_ipv4", hours * addresses, "address-hour").assuming(assumed));
    }
    for it in &architecture.waf {
        let subject = format!("waf.{}", it.name);
        all.push(Usage::new(&subject, "waf.acl", months, "ACL-month"));
        all.push(Usage::new(&subject, "waf.rule", months * it.rules.len() as f64, "rule-month"));
    }
    for it in &architecture.dax {
        let usage = Usage::new(&format!("dax.{}", it.name), "dax.node", hours * f64::from(it.nodes), "node-hour");
        all.push(usage.of_kind(&it.node_type));
    }
    all.extend(architecture.alarms.iter().map(|alarm| {
        let (kind, metrics) = match &alarm.kind {
            AlarmKind::Metric(it) if it.period < PERIOD => ("high_resolution", months),
            AlarmKind::Metric(_) => ("standard", months),
            AlarmKind::Composite(_) => ("composite", months),
        };
        Usage::new(&format!("alarm.{}", alarm.name), "cloudwatch.alarm", metrics, "alarm-month").of_kind(kind)
    }));
    all.retain(|usage| usage.quantity > 0.0);
    all
}

fn names(settings: &route53::Settings, months: f64) -> Vec<Usage> {
    let mut all = Vec::new();
    if !settings.records.is_empty() {
        let assumed = "all names are in one hosted zone, which AWS charges for the whole month once it is 12 hours old";
        all.push(Usage::new("route53", "route53.zone", months, "zone-month").assuming(assumed));
    }
    for check in settings.health_checks.iter().filter(|check| !check.disabled) {
        let subject = format!("health_check.{}", check.name);
        // What is not AWS's costs more; options are charged apart.
        let kind = match &check.source {
            route53::Source::Endpoint(it) if matches!(it.endpoint, Endpoint::Station(_)) => "other",
            _ => "aws",
        };
        let assumed = "over HTTP, without matching of strings or latency graphs";
        let usage = Usage::new(&subject, "route53.health_check", months, "check-month").of_kind(kind);
        all.push(usage.assuming(assumed));
        if let route53::Source::Endpoint(it) = &check.source
            && it.request_interval < SimDuration::from_secs(30)
        {
            let option = Usage::new(&subject, "route53.health_check_option", months, "option-month");
            all.push(option.of_kind(kind).assuming("the fast interval is one option"));
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> SimTime {
        SimTime::from_secs(seconds)
    }

    fn seconds(meter: &Meter, now: u64) -> [f64; 5] {
        let mut all = [0.0; 5];
        meter.hours(at(now)).for_each(|(part, hours)| all[part as usize] = (hours * 3600.0).round());
        all
    }

    #[test]
    fn what_runs_is_split_by_what_it_is_there_for() {
        let mut meter = Meter::new(2);
        meter.start(at(0));
        meter.start(at(0));
        // Scaling asks for a third at 100 s; it is there at 130 s.
        meter.want(at(100), 3);
        meter.start(at(130));
        // A deployment doubles it from 200 s to 300 s.
        meter.deploying(at(200), true);
        (0..3).for_each(|_| meter.start(at(200)));
        (0..3).for_each(|_| meter.stop(at(300), at(0)));
        meter.deploying(at(300), false);
        // Scaling takes one more than it gave: what still runs is spare until it is gone.
        meter.want(at(400), 1);
        meter.stop(at(410), at(0));
        meter.stop(at(420), at(0));
        let expected = [2.0 * 400.0 + 100.0, 270.0, 300.0, 10.0 * 2.0 + 10.0, 0.0];
        assert_eq!(seconds(&meter, 500), expected);
    }

    #[test]
    fn what_is_stopped_early_is_charged_for_a_minute() {
        let mut meter = Meter::new(1);
        meter.start(at(0));
        meter.stop(at(25), at(0));
        meter.start(at(100));
        meter.stop(at(200), at(100));
        assert_eq!(seconds(&meter, 300), [125.0, 0.0, 0.0, 0.0, 35.0]);
        // Nothing of what was before counting began.
        meter.reset(at(300));
        assert_eq!(seconds(&meter, 400), [0.0; 5]);
    }
}
