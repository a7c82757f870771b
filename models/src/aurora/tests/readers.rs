//! Readers that auto scaling adds and removes.

use sim_core::observations::Part;

use super::*;

/// Up to three readers; one takes 300 s to create, and its record 15 s.
fn scaled() -> Settings {
    let mut settings = settings();
    settings.readers = Some(ReaderScaling { most: 3, creation: Distribution::constant(300.0).unwrap() });
    settings.failover.dns_update = seconds(15.0);
    settings.instances[0].class.name = "db.r6g.2xlarge".to_owned();
    settings
}

impl Bed {
    fn scale(&mut self, readers: u32) {
        self.aurora.scale_readers(readers, &mut self.bench.cx());
    }

    fn server(&self, number: usize) -> &Server {
        &self.aurora.servers[number]
    }

    /// A task reads now and then, so many times.
    fn read(&mut self, from: f64, times: u32, task: TaskKey) {
        for n in 0..times {
            self.run_until(at(from + f64::from(n)));
            self.ask(READ_FROM_READER, task);
        }
        self.run_until(at(from + f64::from(times)));
    }
}

/// The answers of each instance since the last minute.
fn answered(bed: &mut Bed) -> Vec<u64> {
    bed.aurora.servers.iter_mut().map(|server| std::mem::take(&mut server.answered)).collect()
}

#[test]
fn a_reader_takes_minutes_is_like_the_writer_and_comes_last_in_the_order_of_promotion() {
    let mut bed = Bed::new(&scaled());
    assert_eq!(bed.aurora.existing().count(), 2);
    bed.scale(2);
    bed.run_until(at(299.0));
    assert!(!bed.server(2).is_up() && bed.aurora.existing().count() == 2);
    bed.run_until(at(301.0));
    let it = bed.server(2);
    assert_eq!((it.class.name.as_str(), it.promotion_tier, it.is_up()), ("db.r6g.2xlarge", 15, true));
    assert_eq!(it.hit_ratio(at(300.0), &settings().buffer_cache), 0.0, "its cache is empty");
    let order = failover::promotion_order(&bed.aurora.servers, vec![1, 2], 7);
    assert_eq!(order, [1, 2]);
    // The scaler has been told that the cluster was not available, and that it is again.
    let of = Scalable::Readers(AuroraId(0));
    assert_eq!(bed.told, [Control::ScalingActivity(of, true), Control::ScalingActivity(of, false)]);
    bed.finish();
}

#[test]
fn the_reader_endpoint_names_a_new_reader_after_the_record_and_the_ttl() {
    let mut settings = scaled();
    // Each task has one connection, so each new task is a new connection.
    settings.pool.max_size = 1;
    let mut bed = Bed::new(&settings);
    bed.scale(2);
    bed.run_until(at(301.0));
    bed.read(301.0, 1, task(1));
    bed.run_until(at(314.0));
    bed.read(314.0, 1, task(2));
    assert_eq!(answered(&mut bed)[1..3], [2, 0], "created, not yet named");
    bed.run_until(at(316.0));
    (3..7).for_each(|slot| bed.read(320.0 + f64::from(slot) * 10.0, 1, task(slot)));
    assert_eq!(answered(&mut bed)[1..3], [2, 2], "in turn");
    bed.finish();
}

#[test]
fn long_lived_connections_stay_where_they_are_and_a_lifetime_spreads_them() {
    let with = |max_lifetime| {
        let mut settings = scaled();
        settings.pool.max_lifetime = max_lifetime;
        let mut bed = Bed::new(&settings);
        bed.read(0.0, 10, task(0));
        bed.scale(2);
        bed.run_until(at(330.0));
        answered(&mut bed);
        bed.read(330.0, 120, task(0));
        let answered = answered(&mut bed);
        bed.finish();
        (answered[1], answered[2])
    };
    assert_eq!(with(None), (120, 0), "open connections balance nothing");
    let (old, new) = with(Some(seconds(20.0)));
    assert_eq!(old + new, 120);
    assert!((40..=80).contains(&new), "{old} and {new}");
}

#[test]
fn only_readers_that_auto_scaling_created_are_removed_the_latest_first() {
    let mut bed = Bed::new(&scaled());
    bed.scale(2);
    bed.run_until(at(400.0));
    bed.scale(3);
    bed.run_until(at(800.0));
    assert_eq!(bed.aurora.existing().collect::<Vec<_>>(), [0, 1, 2, 3]);
    let running = bed.ask(READ_FROM_READER, task(0));
    bed.run_until(at(800.006));
    let busy = (1..4).find(|&it| bed.server(it).connections > 0).unwrap();
    bed.scale(2);
    assert_eq!(bed.aurora.existing().collect::<Vec<_>>(), [0, 1, 2]);
    bed.run_until(at(801.0));
    // What was on it is broken off; the others' queries go on.
    let cause = if busy == 3 { Cause::ConnectionLost } else { Cause::None };
    assert_eq!(bed.answers().iter().map(|it| (it.0, it.2)).collect::<Vec<_>>(), [(running, cause)]);
    bed.told.clear();
    bed.scale(0);
    bed.run_until(at(802.0));
    assert_eq!(bed.aurora.existing().collect::<Vec<_>>(), [0, 1]);
    let told_back = Control::DesiredCount(Scalable::Readers(AuroraId(0)), 1);
    assert!(bed.told.contains(&told_back), "{:?}", bed.told);
    let findings = bed.finish();
    assert_eq!((counter(&findings, "readers created"), counter(&findings, "readers removed")), (2.0, 2.0));
}

#[test]
fn a_reader_that_became_the_writer_stays() {
    let mut bed = Bed::new(&scaled());
    bed.scale(2);
    bed.run_until(at(400.0));
    bed.aurora.fail_over(Some(2), &mut bed.bench.cx());
    bed.run_until(at(500.0));
    assert_eq!(bed.aurora.roles.writer, Some(2));
    bed.scale(1);
    assert_eq!(bed.aurora.existing().collect::<Vec<_>>(), [0, 1, 2]);
    bed.finish();
}

#[test]
fn what_auto_scaling_created_is_charged_apart_and_for_at_least_ten_minutes() {
    let mut bed = Bed::new(&scaled());
    bed.scale(2);
    bed.run_until(at(420.0));
    bed.scale(1);
    bed.run_until(at(3600.0));
    let findings = bed.finish();
    let hours = |part: Part| -> f64 {
        let its = findings.usage.iter().filter(|it| it.part == part && it.item == "aurora.instance");
        its.map(|it| it.quantity * 3600.0).sum()
    };
    // There from 300 s to 420 s; charged for 600 s.
    assert!((hours(Part::Planned) - 7200.0).abs() < 1e-6, "{}", hours(Part::Planned));
    assert!((hours(Part::Scaled) - 120.0).abs() < 1e-6, "{}", hours(Part::Scaled));
    assert!((hours(Part::Minimum) - 480.0).abs() < 1e-6, "{}", hours(Part::Minimum));
}

#[test]
fn a_zone_that_is_lost_gets_no_new_reader() {
    let mut settings = scaled();
    settings.instances[1].zone = "b".to_owned();
    let mut bed = Bed::new(&settings);
    let fault = Fault::Zone { zone: "b".to_owned(), power: true };
    bed.aurora.begin_fault(&fault, &mut bed.bench.cx());
    bed.scale(2);
    bed.run_until(at(400.0));
    assert_eq!((bed.server(2).zone.as_str(), bed.server(2).is_up()), ("a", true));
    // While an instance is not available nothing is decided.
    assert!(bed.told.iter().all(|it| *it == Control::ScalingActivity(Scalable::Readers(AuroraId(0)), true)));
    bed.finish();
}
