//! A long random run, whose books balance.

use super::*;

fn random_plan(stream: &mut Stream) -> Vec<Planned> {
    let class = Class { name: "db.r6g.xlarge".to_owned(), vcpu: 4.0, max_connections: 12, memory_gib: 32.0 };
    let changes = (0..12).map(|n| {
        let (instance, takes) = (stream.below(3) as u16, seconds(0.1 + 0.3 * stream.uniform()));
        let change = match n % 7 {
            0 => Change::ModifyClass { instance, class: class.clone(), takes, failover_first: stream.below(2) == 0 },
            1 => Change::MinorUpgrade {
                patching: Some(ZeroDowntimePatching { pause: seconds(0.2), failure: 0.5 }),
                restart: takes,
            },
            2 => Change::SystemUpdate { takes },
            3 => Change::Switchover { takes, timeout: seconds(0.3), both: (SimTime::ZERO, SimTime::ZERO) },
            4 => Change::Reboot { instance: Some(instance) },
            5 => Change::MajorUpgrade { takes },
            _ => Change::Failover { to: Some(instance) },
        };
        Planned { at: at(0.4 + 0.55 * f64::from(n)), change }
    });
    changes.collect()
}

/// Whatever happens in whatever order, every query is answered once and no connection is lost or counted twice.
#[test]
fn the_books_balance_in_a_long_random_run() {
    for seed in 0..40 {
        let mut stream = Stream::from_key(seed);
        let mut settings = settings();
        settings.instances.push(instance("orders-3", 1, 16.0));
        settings.pool = pool(1 + stream.below(4) as u32, 0.05);
        settings.instances.iter_mut().for_each(|it| it.class.max_connections = 4 + (seed as u32 % 3) * 4);
        settings.failover.promotion = Distribution::constant(0.3).unwrap();
        settings.failover.restart = seconds(0.1 + 0.4 * stream.uniform());
        settings.failover.dns_update = seconds(0.3 * stream.uniform());
        settings.dns_ttl = seconds(0.2);
        settings.statements.iter_mut().for_each(|it| it.cpu = Distribution::exponential(0.004).unwrap());
        settings.failover.detection = seconds(0.1);
        settings.failover.recreate = seconds(0.5);
        settings.failover.silent = seed % 3 == 0;
        settings.failover.survivable_readers = seed % 7 != 0;
        settings.pool.connect_timeout = seconds(0.05);
        settings.pool.keepalive = (seed % 5 < 2).then(|| seconds(0.1));
        settings.pool.validation_timeout = (seed % 4 == 1).then(|| seconds(0.02));
        settings.pool.max_lifetime = (seed % 6 == 1).then(|| seconds(0.3));
        if seed % 5 == 3 {
            settings.proxy = Some(proxy());
            settings.statements[0].pins = 0.2;
        }
        if seed % 5 == 4 {
            settings.pool.driver = Driver::Wrapper(Wrapper {
                failure_detection_time: seconds(0.05),
                failure_detection_interval: seconds(0.02),
                failure_detection_count: 3,
                topology_refresh: seconds(0.05),
                failover_timeout: seconds(1.0),
            });
        }
        settings.instances.iter_mut().zip(["a", "b", "c"]).for_each(|(it, zone)| it.zone = zone.to_owned());
        if seed % 2 == 0 {
            settings.changes = random_plan(&mut stream);
        }
        if seed % 4 == 0 {
            settings.connect_time = SimDuration::ZERO;
            settings.statements[0].cpu = Distribution::constant(0.0).unwrap();
            settings.statements[0].wait = Distribution::constant(0.0).unwrap();
        }
        let mut bed = Bed::new(&settings);
        bed.seed = seed;
        if seed % 2 == 1 {
            bed.hop = bed.bench.cx().hop(seconds(0.001));
        }
        let mut generations = [0u32; 5];
        for step in 0..4_000u32 {
            let now = bed.now() + SimDuration::from_micros(stream.below(4_000));
            bed.run_until(now);
            if step == 1_000 {
                bed.aurora.warm_up_over(now);
            }
            let slot = stream.below(5) as u32;
            let task = |generation| TaskKey::new(slot, generation);
            let generation = &mut generations[slot as usize];
            match stream.below(200) {
                0 => bed.fail_over(),
                20 => {
                    let zone = ["a", "b", "c"][stream.below(3) as usize].to_owned();
                    let fault = Fault::Zone { zone, power: stream.below(2) == 0 };
                    bed.aurora.begin_fault(&fault, &mut bed.bench.cx());
                    let until = bed.now() + SimDuration::from_micros(stream.below(400_000));
                    bed.run_until(until);
                    bed.aurora.end_fault(&fault, &mut bed.bench.cx());
                }
                21 => {
                    let fault = Fault::HostFailure { instance: Some(stream.below(3) as u16) };
                    bed.aurora.begin_fault(&fault, &mut bed.bench.cx());
                }
                22 => {
                    let fault = Fault::Reboot { instance: None, force_failover: stream.below(2) == 0 };
                    bed.aurora.begin_fault(&fault, &mut bed.bench.cx());
                }
                1 | 2 => {
                    bed.aurora.task_gone(ComputeId(0), task(*generation), &mut bed.bench.cx());
                    *generation += 1;
                }
                // A new task in the slot of one whose end nobody told.
                3 => *generation += 1,
                4..12 => {
                    let late = task(generation.saturating_sub(1));
                    bed.ask(stream.below(4) as u16, late);
                }
                12..20 => {
                    // One of the latest dozen, if it is not answered.
                    let back = stream.below(12) as usize;
                    let late = bed.asked.iter().rev().nth(back).copied().unwrap_or(Key::NONE);
                    if let Some(request) = bed.bench.shared.requests.get_mut(late) {
                        request.abandoned = true;
                    }
                }
                _ => {
                    let task = task(*generation);
                    bed.ask(stream.below(4) as u16, task);
                }
            }
        }
        let end = bed.now() + seconds(5.0);
        bed.run_until(end);
        assert_eq!(bed.answers.len(), bed.asked.len(), "each is answered once, sooner or later");
        assert_eq!(bed.aurora.inspect(), (0, true));
        let waiting = |phase| matches!(phase, Phase::Idle | Phase::Pinned);
        assert!(bed.aurora.connections.iter().all(|(_, wire)| waiting(wire.phase)));
        bed.finish();
    }
}
