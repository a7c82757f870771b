//! What `stormglass explain` says.

use scenarios::explain;

#[test]
fn a_key_is_explained_with_or_without_the_names_of_parts() {
    for key in ["ecs.desired_count", "ecs.web.desired_count", "ecs.NAME.desired_count"] {
        let text = explain(key).expect("known");
        let expected = "ecs.NAME.desired_count\n  How many tasks there are at the start.\n  type:    a whole number\n  default: 1\n  \
                        source:  API:ecs (desiredCount)\n";
        assert_eq!(text, expected);
    }
}

#[test]
fn keys_inside_lists_and_quoted_names_are_found() {
    for key in [
        "traffic.0.rate.base",
        "traffic.rate.base",
        "traffic.shoppers.routes.1.weight",
        "route53.\"www.example.com\".ttl",
    ] {
        assert!(explain(key).is_ok(), "{key}");
    }
    let text = explain("alb.front.target_group.web.health_check.interval").expect("known");
    assert!(text.contains("default: \"30s\"") && text.contains("target-group-health-checks"), "{text}");
}

#[test]
fn a_last_part_alone_tells_all_keys_that_end_so() {
    let text = explain("request_interval").expect("known");
    assert!(text.starts_with("health_check.NAME.request_interval\n"), "{text}");
    let text = explain("error_rate").expect("known");
    let keys: Vec<&str> = text.lines().filter(|line| !line.starts_with(' ') && !line.is_empty()).collect();
    assert_eq!(
        keys,
        [
            "cloudfront.NAME.cache_behaviors[].function_associations[].error_rate",
            "cloudfront.NAME.cache_behaviors[].lambda_function_associations[].error_rate",
            "cloudfront.NAME.default_cache_behavior.function_associations[].error_rate",
            "cloudfront.NAME.default_cache_behavior.lambda_function_associations[].error_rate",
            "deploy[].revision.error_rate",
            "dynamodb.NAME.stream_specification.consumers.NAME.error_rate",
            "ec2.NAME.error_rate",
            "ecs.NAME.error_rate",
            "fault[].error_rate"
        ]
    );
}

#[test]
fn a_table_tells_its_keys_and_a_choice_its_words() {
    let run = explain("run").expect("known");
    assert!(run.contains("keys: ") && run.contains("replications"), "{run}");
    let algorithm = explain("load_balancing_algorithm").expect("known");
    assert!(
        algorithm.contains("one of \"round_robin\", \"least_outstanding_requests\", \"weighted_random\""),
        "{algorithm}"
    );
}

#[test]
fn an_unknown_key_gives_the_nearest() {
    let near = explain("ecs.desird_count").expect_err("unknown");
    assert_eq!(near.first().map(String::as_str), Some("ecs.desired_count"));
    let near = explain("alb.target_group.health_check_interval_seconds").expect_err("unknown");
    assert!(near.contains(&"alb.target_group.health_check.interval".to_string()), "{near:?}");
    assert!(explain("zzzzqqqq").expect_err("unknown").is_empty());
}

#[test]
fn every_key_has_a_meaning_and_every_default_a_source() {
    let schema: serde_json::Value = serde_json::from_str(&scenarios::schema()).expect("JSON");
    fn walk(path: &str, node: &serde_json::Value, seen: &mut usize) {
        for (key, inner) in node.get("properties").and_then(|it| it.as_object()).into_iter().flatten() {
            let described = inner.get("description").is_some() || path.contains("Distribution");
            assert!(described, "{path}.{key} has no meaning");
            let has = |key: &str| inner.get(key).and_then(|text| text.as_str()).is_some_and(|text| !text.is_empty());
            assert_eq!(has("x-default"), has("x-source"), "{path}.{key}: a default and its source belong together");
            *seen += 1;
        }
        if let Some(object) = node.as_object() {
            for (key, inner) in object.iter().filter(|(key, _)| *key != "properties") {
                walk(&format!("{path}/{key}"), inner, seen);
            }
        }
    }
    let mut seen = 0;
    walk("", &schema, &mut seen);
    assert!(seen > 150, "{seen} keys");
}
