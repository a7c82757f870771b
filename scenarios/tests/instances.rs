//! EC2 groups through the language: alarms drive them, and what they cannot have is refused.

use scenarios::{Scenario, Source, load};

const GROUP: &str = r#"
title = "A group under target tracking"

[run]
duration = "20m"

[[traffic]]
name = "users"
to = "alb.front"
rate = "80/s"
timeout = "5s"

[alb.front.target_group.web]
targets = "ec2.web"

[ec2.web]
instance_type = "m7g.medium"
desired_capacity = 2

[[ec2.web.handler]]
steps = [{ cpu = { exponential = "20ms" } }]

[[ec2.web.scaling]]
min_capacity = 2
max_capacity = 6
predefined_metric_type = "ASGAverageCPUUtilization"
target_value = 40
"#;

fn loaded(text: &str) -> Result<Scenario, String> {
    load(&Source { name: "group.toml".into(), text: text.into() }, &[], None).map_err(|wrong| wrong.render(false))
}

#[test]
fn target_tracking_launches_instances_that_take_their_part() {
    let scenario = loaded(GROUP).unwrap_or_else(|wrong| panic!("{wrong}"));
    let seen = models::simulate(&scenario.architecture, 1, 0);
    // 1.6 vCPU are asked: 80 % of two; four of one vCPU are at the target.
    let decided = seen.log.iter().find(|entry| entry.what.contains("desired 2 -> 4")).expect("a decision");
    let answers = seen.log.iter().find(|entry| entry.what.contains("instance 4 answers")).expect("an instance");
    let delay = answers.at.as_secs_f64() - decided.at.as_secs_f64();
    assert!((22.0..=27.0).contains(&delay), "19 s + 3 s, and up to 5 s until the group looks: {delay}");
    assert!(seen.audit.checks.iter().all(|check| check.holds));
}

#[test]
fn what_a_group_cannot_have_is_refused_with_its_reason() {
    let refused = |from: &str, to: &str| loaded(&GROUP.replace(from, to)).err().unwrap_or_default();
    let told = refused("instance_type = \"m7g.medium\"", "instance_type = \"m7g.medum\"");
    assert!(told.contains("no instance type is known as `m7g.medum`") && told.contains("m7g.medium"), "{told}");
    let told = refused("desired_capacity = 2", "desired_capacity = 2\ncpu_credits = \"standard\"");
    assert!(told.contains("`cpu_credits` has no meaning here"), "{told}");
    let told = refused("desired_capacity = 2", "desired_capacity = 2\nauto_scaling_group = false");
    assert!(told.contains("`scaling` has no meaning here"), "{told}");
    let told = refused("desired_capacity = 2", "desired_capacity = 2\nmin_size = 3");
    assert!(told.contains("outside of min_size..max_size"), "{told}");
}
