//! Two and three clusters of a global database, in different Regions.

use super::*;

const EAST: AuroraId = AuroraId(0);
const WEST: AuroraId = AuroraId(1);

/// Clusters that tell each other what they have to, and tasks that ask them.
struct World {
    bench: Bench,
    clusters: Vec<Aurora>,
    asked: u64,
    /// When, and why if it failed; by cluster.
    answers: Vec<(u64, AuroraId, Cause)>,
}

/// The first is the primary; each is half a second behind it, a promotion takes a minute.
fn world(count: u16, change: impl Fn(&mut Settings)) -> World {
    let mut bench = Bench::new();
    let all: Vec<AuroraId> = (0..count).map(AuroraId).collect();
    let lag = || Distribution::constant(0.5).unwrap();
    let mut clusters = Vec::new();
    for &id in &all {
        let mut settings = settings();
        settings.name = format!("aurora.{}", id.0);
        settings.dns_ttl = SimDuration::ZERO;
        settings.global = Some(GlobalSettings {
            primary: EAST,
            others: all.iter().filter(|&&other| other != id).map(|&other| (other, lag())).collect(),
            promotion: Distribution::constant(60.0).unwrap(),
        });
        change(&mut settings);
        let mut cluster = Aurora::new(id, &settings, &mut bench.cx());
        cluster.start(&mut bench.cx());
        clusters.push(cluster);
    }
    World { bench, clusters, asked: 0, answers: Vec::new() }
}

impl World {
    fn run_until(&mut self, seconds: f64) {
        let Self { bench, clusters, answers, .. } = self;
        let clusters = RefCell::new(clusters);
        let answered = RefCell::new(|key: RequestKey, cx: &mut Cx<'_>| {
            let now = cx.now().as_nanos() / 1_000_000;
            let request = cx.shared.requests.remove(key).unwrap();
            answers.push((now, AuroraId(request.client as u16), request.outcome.cause));
        });
        bench.run_until(
            at(seconds),
            |event, cx| match event {
                WorldEvent::Aurora(id, event) => clusters.borrow_mut()[id.index()].on(event, cx),
                WorldEvent::Reply(key) => answered.borrow_mut()(key, cx),
                other => panic!("{other:?}"),
            },
            |message, cx| match message {
                Message::Reply(key) => answered.borrow_mut()(key, cx),
                Message::Control(Control::Global(id, news)) => clusters.borrow_mut()[id.index()].hear(news, cx),
                other => panic!("{other:?}"),
            },
        );
    }

    fn ask(&mut self, cluster: AuroraId, operation: u16) {
        self.asked += 1;
        let now = self.bench.kernel.now();
        let mut request = Request::new(mix(7, self.asked), now, Holder::Call(ComputeId(0), Key::NONE), Hop::NONE);
        (request.operation, request.target, request.client) = (operation, task(0), u32::from(cluster.0));
        let key = self.bench.shared.requests.insert(request);
        self.clusters[cluster.index()].on_offer(key, &mut self.bench.cx());
    }

    /// Asks every tenth of a second.
    fn ask_each_tenth(&mut self, cluster: AuroraId, operation: u16, from: f64, until: f64) {
        let mut now = from;
        while now < until {
            self.run_until(now);
            self.ask(cluster, operation);
            now += 0.1;
        }
        self.run_until(until);
    }

    fn change(&mut self, cluster: AuroraId, change: impl Fn(&mut Aurora, &mut Cx<'_>)) {
        change(&mut self.clusters[cluster.index()], &mut self.bench.cx());
        self.run_until(self.bench.kernel.now().as_nanos() as f64 / 1e9);
    }

    fn lose_east(&mut self, lost: bool) {
        self.change(
            EAST,
            |east, cx| {
                if lost { east.begin_fault(&Fault::Region, cx) } else { east.end_fault(&Fault::Region, cx) }
            },
        );
    }

    /// The first write of a cluster that goes well after an instant, in seconds.
    fn writes_again(&mut self, cluster: AuroraId, from: f64) -> f64 {
        self.answers.clear();
        self.ask_each_tenth(cluster, WRITE, from, from + 200.0);
        let found = self.answers.iter().find(|it| it.1 == cluster && it.2 == Cause::None);
        found.expect("it does").0 as f64 / 1e3
    }

    fn counter(&mut self, cluster: AuroraId, name: &str) -> f64 {
        let mut findings = Findings::default();
        self.clusters[cluster.index()].finish(self.bench.kernel.now(), &mut findings);
        for check in &findings.checks {
            assert!(check.holds, "{}: {}", check.law, check.found);
        }
        counter(&findings, name)
    }
}

#[test]
fn a_secondary_takes_reads_and_no_writes_and_has_each_write_after_the_lag() {
    let mut world = world(2, |_| {});
    world.ask(EAST, WRITE);
    world.ask(WEST, WRITE);
    world.run_until(0.2);
    world.ask(WEST, READ_FROM_READER);
    world.run_until(1.0);
    world.ask(WEST, READ_FROM_READER);
    world.run_until(2.0);
    let causes: Vec<Cause> = world.answers.iter().map(|it| it.2).collect();
    assert_eq!(causes, [Cause::ReadOnly, Cause::None, Cause::None, Cause::None]);
    // The first read came before the write was there.
    assert_eq!(world.counter(WEST, "reads at readers"), 2.0);
    assert_eq!(world.counter(WEST, "reads that missed a committed write"), 1.0);
}

#[test]
fn all_instances_of_a_secondary_are_behind_its_reader_endpoint() {
    let mut world = world(2, |settings| settings.pool.max_size = 1);
    let mut seen: Vec<u16> = (0..4).map(|_| world.clusters[1].next_of(READER, false).unwrap()).collect();
    seen.sort_unstable();
    assert_eq!(seen, [0, 0, 1, 1]);
    assert_eq!(world.clusters[0].next_of(READER, false), Some(1));
    world.run_until(1.0);
}

#[test]
fn a_switchover_waits_for_the_last_write_and_loses_none() {
    let mut world = world(2, |_| {});
    world.ask_each_tenth(EAST, WRITE, 0.0, 10.0);
    world.change(WEST, Aurora::switch_over);
    // The last write was committed at 9.915 s or so and arrives half a second later; then a minute.
    let again = world.writes_again(WEST, 10.0);
    assert!((70.3..=70.7).contains(&again), "{again}");
    assert_eq!(world.counter(WEST, "writes lost"), 0.0);
    assert_eq!(world.counter(WEST, "promotions to primary"), 1.0);
    // The old primary is a secondary now, and can be the primary again.
    world.run_until(211.0);
    world.answers.clear();
    world.ask(EAST, WRITE);
    world.ask(EAST, READ_FROM_READER);
    world.run_until(215.0);
    assert_eq!(world.answers.iter().map(|it| it.2).collect::<Vec<_>>(), [Cause::ReadOnly, Cause::None]);
    world.change(EAST, Aurora::switch_over);
    let again = world.writes_again(EAST, 215.0);
    assert!((275.0..=276.0).contains(&again), "{again}");
}

#[test]
fn a_failover_after_the_loss_of_a_region_loses_what_was_on_its_way() {
    let mut world = world(2, |settings| settings.pool.socket_timeout = Some(seconds(1.0)));
    world.ask_each_tenth(EAST, WRITE, 0.0, 10.0);
    world.run_until(10.05);
    world.lose_east(true);
    world.run_until(300.0);
    // Nothing happens by itself.
    assert_eq!(world.counter(WEST, "promotions to primary"), 0.0);
    world.change(WEST, |west, cx| west.fail_over_region(false, cx));
    let again = world.writes_again(WEST, 300.0);
    assert!((360.0..=360.2).contains(&again), "{again}");
    // Committed each tenth of a second at 9.51, 9.61, ... 9.91 s: five of them had not come by 10.05 s; a write takes 15 ms at first, 10 then.
    assert_eq!(world.counter(WEST, "writes lost"), 5.0);
    let recovery_point = world.counter(WEST, "recovery point s");
    assert!((0.42..=0.46).contains(&recovery_point), "{recovery_point}");
    // Back, the old primary is a secondary.
    world.lose_east(false);
    world.run_until(600.0);
    world.answers.clear();
    world.ask(EAST, WRITE);
    world.ask(EAST, READ_FROM_READER);
    world.run_until(601.0);
    assert_eq!(world.answers.iter().map(|it| it.2).collect::<Vec<_>>(), [Cause::ReadOnly, Cause::None]);
}

#[test]
fn a_region_that_comes_back_without_a_failover_goes_on_and_nothing_is_lost() {
    let mut world = world(2, |_| {});
    world.ask_each_tenth(EAST, WRITE, 0.0, 10.0);
    world.lose_east(true);
    world.run_until(100.0);
    world.lose_east(false);
    let again = world.writes_again(EAST, 100.0);
    // A restart of 60 s.
    assert!((160.0..=160.2).contains(&again), "{again}");
    world.change(WEST, Aurora::switch_over);
    world.run_until(500.0);
    assert_eq!((world.counter(WEST, "writes lost"), world.counter(WEST, "promotions to primary")), (0.0, 1.0));
}

#[test]
fn a_detached_cluster_and_a_primary_that_comes_back_are_two_databases() {
    let mut world = world(2, |_| {});
    world.ask_each_tenth(EAST, WRITE, 0.0, 10.0);
    world.lose_east(true);
    world.change(WEST, |west, cx| west.fail_over_region(true, cx));
    world.run_until(200.0);
    world.lose_east(false);
    world.run_until(300.0);
    world.answers.clear();
    world.ask_each_tenth(EAST, WRITE, 300.0, 301.0);
    world.ask_each_tenth(WEST, WRITE, 301.0, 302.0);
    world.run_until(303.0);
    assert!(world.answers.iter().all(|it| it.2 == Cause::None) && world.answers.len() >= 20);
    assert_eq!(world.counter(EAST, "writes after the split"), 10.0);
}

#[test]
fn a_third_region_follows_the_new_primary() {
    let south = AuroraId(2);
    let mut world = world(3, |_| {});
    world.change(WEST, Aurora::switch_over);
    world.run_until(100.0);
    world.ask(WEST, WRITE);
    world.run_until(100.1);
    for cluster in [EAST, south] {
        world.ask(cluster, READ_FROM_READER);
    }
    world.run_until(200.0);
    for cluster in [EAST, south] {
        assert_eq!(world.counter(cluster, "reads that missed a committed write"), 1.0, "{cluster:?}");
    }
    // And a switchover to it works.
    world.change(south, Aurora::switch_over);
    let again = world.writes_again(south, 200.0);
    assert!((260.0..=260.3).contains(&again), "{again}");
}

#[test]
fn a_switchover_without_a_primary_that_answers_is_refused() {
    let mut world = world(2, |_| {});
    world.lose_east(true);
    world.change(WEST, Aurora::switch_over);
    world.run_until(200.0);
    assert_eq!(world.counter(WEST, "promotions to primary"), 0.0);
}

#[test]
fn a_writer_that_fails_in_the_primary_region_fails_over_there() {
    let mut world = world(2, |settings| settings.pool.socket_timeout = Some(seconds(1.0)));
    world.run_until(1.0);
    world.change(EAST, |east, cx| east.begin_fault(&Fault::HostFailure { instance: None }, cx));
    let again = world.writes_again(EAST, 1.0);
    assert!((31.0..=32.0).contains(&again), "{again}");
    assert_eq!(world.counter(WEST, "promotions to primary"), 0.0);
}
