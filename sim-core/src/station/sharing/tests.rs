//! The sharer against its naive twin, and against theory.

use super::*;
use crate::distribution::Distribution;
use crate::random::{Draws, Source, Stream, Streams};
use crate::tally::StationTally;
use proptest::prelude::*;

/// The same in floating point, touching every job at every step.
#[derive(Default)]
struct Naive {
    now: f64,
    cores: f64,
    speed: f64,
    busy: f64,
    /// Job, and nanoseconds of work left.
    jobs: Vec<(u32, f64)>,
}

impl Naive {
    fn rate(&self) -> f64 {
        self.speed * (self.cores / self.jobs.len().max(1) as f64).min(1.0)
    }
    /// When the next job is done, at the whole nanosecond it is noticed, and which that is.
    fn next(&self) -> Option<(f64, usize)> {
        let rate = self.rate();
        let least = (0..self.jobs.len()).min_by(|&a, &b| self.jobs[a].1.total_cmp(&self.jobs[b].1))?;
        let after = (self.jobs[least].1 / rate - 1e-3).max(0.0);
        (rate > 0.0).then(|| ((self.now + after).ceil(), least))
    }
    /// Works until `now`; returns jobs done on the way with their instants and the rate they had.
    fn advance(&mut self, now: f64) -> Vec<(f64, u32, f64)> {
        let mut done = Vec::new();
        while let Some((at, which)) = self.next().filter(|&(at, _)| at <= now) {
            self.work(at);
            let rate = self.rate();
            done.push((at, self.jobs.remove(which).0, rate));
        }
        self.work(now);
        done
    }
    fn work(&mut self, until: f64) {
        let (span, rate) = (until - self.now, self.rate());
        self.busy += span * self.cores.min(self.jobs.len() as f64);
        self.jobs.iter_mut().for_each(|job| job.1 -= span * rate);
        self.now = until;
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Offer { after: u64, work: u64 },
    Remove { after: u64, which: prop::sample::Index },
    Cores { after: u64, cores: f64 },
    Speed { after: u64, speed: f64 },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let after = || 0..2_000_000u64;
    let step = prop_oneof![
        8 => (after(), 1..3_000_000u64).prop_map(|(after, work)| Step::Offer { after, work }),
        2 => (after(), any::<prop::sample::Index>()).prop_map(|(after, which)| Step::Remove { after, which }),
        1 => (after(), 0.1..6.0).prop_map(|(after, cores)| Step::Cores { after, cores }),
        1 => (after(), 0.1..4.0).prop_map(|(after, speed)| Step::Speed { after, speed }),
    ];
    prop::collection::vec(step, 1..120)
}

/// Runs the sharer as its user does, event by event, up to `now`.
fn run(sharing: &mut ProcessorSharing<u32>, now: SimTime) -> Vec<(u64, u32)> {
    let mut done = Vec::new();
    while let Some((at, epoch)) = sharing.next_completion().filter(|&(at, _)| at <= now) {
        let mut any = false;
        while let Some(job) = sharing.pop_completed(at) {
            done.push((at.as_nanos(), job));
            any = true;
        }
        assert!(any, "who is announced is done");
        assert!(sharing.next_completion().is_none_or(|(next, e)| next > at && e != epoch), "the epoch has moved on");
    }
    done
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn agrees_with_the_naive_twin(steps in steps(), cores in 0.2..5.0f64) {
        let mut sharing = ProcessorSharing::new(cores);
        let mut naive = Naive { cores, speed: 1.0, ..Naive::default() };
        let (mut now, mut number) = (SimTime::ZERO, 0);
        // By how much work the jobs of the two may differ: the thousandth of a nanosecond at which both call a job done, and
        // what the others gain while a job is over for one and not for the other. At a low rate that is long.
        let mut drift = 0.01;
        let drained = steps.into_iter().map(Some).chain([None]);
        for step in drained {
            let after = match step {
                Some(Step::Offer { after, .. } | Step::Remove { after, .. } | Step::Cores { after, .. }
                    | Step::Speed { after, .. }) => after,
                None => 1_000_000_000_000,
            };
            now += SimDuration::from_nanos(after);
            let (ours, theirs) = (run(&mut sharing, now), naive.advance(now.as_nanos() as f64));
            // A job that is done within a nanosecond of `now` may be over for one and not for the other.
            prop_assume!(ours.len() == theirs.len());
            for (&(at, job), &(exact, twin, rate)) in ours.iter().zip(&theirs) {
                let (apart, allowed) = ((at as f64 - exact).abs(), 1.0 + 1e-9 * exact + drift / rate);
                prop_assert!(apart <= allowed, "{at} {exact}: {apart} > {allowed}");
                prop_assert!(job == twin || theirs.iter().any(|t| t.1 == job && (t.0 - exact).abs() <= 1.0 + allowed));
                drift += apart * naive.speed;
            }
            match step {
                Some(Step::Offer { work, .. }) => {
                    let (before, epoch) = (sharing.next_completion().map(|n| n.0), sharing.epoch);
                    sharing.offer(now, number, SimDuration::from_nanos(work));
                    let after = sharing.next_completion().map(|n| n.0);
                    prop_assert_eq!(before == after, epoch == sharing.epoch);
                    naive.jobs.push((number, work as f64));
                    number += 1;
                }
                Some(Step::Remove { which, .. }) if !naive.jobs.is_empty() => {
                    let job = naive.jobs.remove(which.index(naive.jobs.len())).0;
                    prop_assert_eq!(sharing.remove(now, |&j| j == job), Some(job));
                }
                Some(Step::Cores { cores, .. }) => {
                    sharing.set_cores(now, cores);
                    naive.cores = cores;
                }
                Some(Step::Speed { speed, .. }) => {
                    sharing.set_speed(now, speed);
                    naive.speed = speed;
                }
                _ => {}
            }
            prop_assert_eq!(sharing.len(), naive.jobs.len());
            let (ours, theirs) = (sharing.busy_core_time(now), naive.busy * 1e-9);
            prop_assert!((ours - theirs).abs() <= 1e-9 * theirs + 1e-7, "{} {}", ours, theirs);
        }
    }
}

#[test]
fn jobs_done_together_leave_in_order_of_arrival() {
    let mut sharing = ProcessorSharing::new(2.0);
    (0..10u32).for_each(|job| sharing.offer(SimTime::ZERO, job, SimDuration::from_millis(3)));
    let done = run(&mut sharing, SimTime::from_secs(1));
    assert_eq!(done, (0..10).map(|job| (15_000_000, job)).collect::<Vec<_>>());
    assert_eq!(sharing.busy_core_time(SimTime::from_secs(1)), 0.030);
}

#[test]
fn a_job_alone_takes_exactly_its_work_however_late_it_is() {
    for late in [0, 1, 1 << 40, 1 << 60] {
        let mut sharing = ProcessorSharing::new(1.0);
        // Years of work lie behind.
        sharing.offer(SimTime::ZERO, 0, SimDuration::from_nanos(late));
        run(&mut sharing, SimTime::from_nanos(late));
        sharing.offer(SimTime::from_nanos(late), 1, SimDuration::from_nanos(12_345_677));
        assert_eq!(sharing.next_completion().map(|n| n.0.as_nanos()), Some(late + 12_345_677));
    }
}

#[test]
fn nothing_moves_without_cores_or_speed() {
    let mut sharing = ProcessorSharing::new(0.0);
    let second = SimTime::from_secs(1);
    sharing.offer(SimTime::ZERO, 1, SimDuration::from_secs(2));
    assert_eq!(sharing.next_completion(), None);
    sharing.set_cores(second, 4.0);
    assert_eq!(sharing.next_completion().map(|n| n.0), Some(SimTime::from_secs(3)));
    sharing.set_speed(second, 0.0);
    assert_eq!((sharing.next_completion(), sharing.pop_completed(SimTime::from_secs(9))), (None, None));
    sharing.set_speed(second, 4.0);
    assert_eq!(sharing.next_completion().map(|n| n.0.as_nanos()), Some(1_500_000_000));
    assert_eq!(sharing.clear(second).collect::<Vec<_>>(), [1]);
    assert!(sharing.is_empty() && sharing.next_completion().is_none());
}

/// M/G/1-PS at 70 %: mean sojourn E[S] / (1 - rho), whatever the law of the service time. Also the audit of a shared
/// station, on its way.
#[test]
fn mean_sojourn_is_insensitive_to_the_law_of_service() {
    let laws = [
        Distribution::constant(0.01).unwrap(),
        Distribution::exponential(0.01).unwrap(),
        Distribution::hyperexponential(0.01, 2.0).unwrap(),
    ];
    for (number, law) in laws.iter().enumerate() {
        let mut batches = Vec::new();
        for batch in 0..20u32 {
            let mut arrivals = Streams::new(number as u64, batch).stream("test", "arrivals");
            let mut sharing: ProcessorSharing<SimTime> = ProcessorSharing::new(1.0);
            let mut tally = StationTally::shared(1.0);
            let (mut now, mut sum, mut count) = (SimTime::ZERO, 0.0, 0.0);
            for job in 0..20_000u64 {
                let next = now + SimDuration::from_secs_f64(-ln_over(&mut arrivals, 70.0));
                while let Some((at, _)) = sharing.next_completion().filter(|&(at, _)| at <= next) {
                    while let Some(joined) = sharing.pop_completed(at) {
                        tally.leave(at, joined);
                        sum += (at - joined).as_secs_f64();
                        count += 1.0;
                    }
                }
                now = next;
                tally.join_served(now);
                sharing.offer(now, now, law.sample_duration(&mut Draws::new(job, u64::from(batch))));
            }
            assert!(tally.check(now).iter().all(|check| check.holds), "{:?}", tally.check(now));
            let observed = tally.observe("s", "core", now);
            let busy = sharing.busy_core_time(now) / now.as_secs_f64();
            assert!((observed.utilisation - busy).abs() < 1e-9, "{} {busy}", observed.utilisation);
            batches.push(sum / count);
        }
        let mean = batches.iter().sum::<f64>() / 20.0;
        let deviation = batches.iter().map(|b| (b - mean) * (b - mean)).sum::<f64>() / 19.0;
        let half_width = crate::math::student_t_quantile(0.9995, 19.0) * (deviation / 20.0).sqrt();
        let theory = 0.01 / 0.3;
        assert!((mean - theory).abs() < half_width, "law {number}: {mean} +- {half_width} is not {theory}");
        assert!(half_width < 0.1 * theory, "law {number}: +- {half_width} says nothing");
    }
}

fn ln_over(stream: &mut Stream, rate: f64) -> f64 {
    crate::math::ln(stream.open01()) / rate
}
