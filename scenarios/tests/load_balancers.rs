//! Load balancers, their rules and target groups, and web ACLs, as the language has them.

mod common;

use common::{SMALL, load_text, loaded, refused};
use models::ids::*;

#[test]
fn a_second_target_group_is_green_or_warned_of() {
    let two = SMALL.replace(
        "target_group.web.targets = \"ecs.web\"",
        "target_group.web.targets = \"ecs.web\"\ntarget_group.next.targets = \"ecs.web\"\nrule = [{ forward = \"web\" }]",
    );
    let scenario = loaded(&two, &[]);
    assert_eq!(scenario.warnings, ["test.toml:11:14: no rule forwards to the target group `next`"]);
    assert_eq!(scenario.architecture.ecs[0].target_groups.len(), 1);
    let deploy = "[[deploy]]\nservice = \"ecs.web\"\nat = \"5m\"\nstrategy = \"blue_green\"\nbake_time = \"1m\"\n";
    let scenario = loaded(&format!("{two}{deploy}"), &[]);
    assert_eq!((scenario.warnings.len(), scenario.architecture.ecs[0].target_groups.len()), (0, 2));
    assert_eq!(scenario.architecture.alb[0].target_groups.len(), 2, "the given one is the green one");
    refused(&two, &["alb.front.rule.0.forward={ web = 9, next = 1 }"], &["two target groups that get requests"]);
}

/// SMALL with a second target group and rules in front.
fn with_rules(rules: &str) -> String {
    let text = SMALL.replace(
        "target_group.web.targets = \"ecs.web\"",
        &format!(
            "target_group.web.targets = \"ecs.web\"\ntarget_group.beta.targets = \"station.beta\"\nrule = [{rules}]"
        ),
    );
    text + "[station.beta]\nservice = \"1ms\"\n"
}

#[test]
fn rules_are_ordered_by_priority_and_matched_with_what_routes_say_of_themselves() {
    let text = with_rules(
        r#"{ priority = 20, host_header = "*.example.com", http_header = [{ name = "user-agent", values = ["*Mobile*", "Bot"] }], forward = "beta" },
           { priority = 5, query_string = [{ key = "v", value = "2" }, { value = "beta" }], forward = "beta" },
           { priority = 30, path_pattern = ["/a/*", "/b"], http_request_method = ["POST", "PUT"], source_ip = "203.0.113.0/24", forward = "beta" },
           { forward = "web" }"#,
    );
    let routes = r#"traffic.users.routes=[
        { path = "/", name = "plain" },
        { path = "/", name = "mobile", host = "www.EXAMPLE.com", http_headers = { User-Agent = "A Mobile Browser" } },
        { path = "/", name = "elsewhere", host = "example.org", http_headers = { User-Agent = "bot" } },
        { path = "/", name = "second", query = { v = "2" } },
        { path = "/b", name = "any value", method = "POST", query = { x = "BETA" } }]"#;
    let scenario = loaded(&text, &[&routes.replace('\n', " "), "traffic.users.source_ip=203.0.113.0/28"]);
    let front = &scenario.architecture.alb[0];
    let routes = |rule: usize| front.rules[rule].conditions.routes.clone().unwrap_or_default();
    assert_eq!(routes(0), [false, false, false, true, true], "priority 5 comes first");
    assert_eq!(routes(1), [false, true, false, false, false], "all conditions, case aside");
    let third = &front.rules[2];
    assert_eq!((third.conditions.methods.len(), third.conditions.sources[0].prefix), (2, 24));
    let way = |route: usize| {
        let path = scenario.architecture.traffic[0].routes[route].path;
        front.ways[usize::from(front.way_of_path[path.index()])].clone()
    };
    assert_eq!((way(0), way(4)), (vec![0, 1, 3], vec![0, 1, 2, 3]));
    assert_eq!(scenario.architecture.routes[1], "users mobile");
    assert_eq!(scenario.architecture.traffic[0].addresses.map(|block| block.size()), Some(16));
}

#[test]
fn mistakes_in_rules_and_target_groups_are_told() {
    let rule = |rule: &str| with_rules(&format!("{rule}, {{ forward = \"web\" }}"));
    for (text, says) in [
        (
            rule(
                "{ priority = 1, path_pattern = \"/a\", forward = \"beta\" }, { path_pattern = \"/b\", forward = \"beta\" }",
            ),
            "lacks `priority`",
        ),
        (
            rule(
                "{ priority = 1, path_pattern = \"/a\", forward = \"beta\" }, { priority = 1, path_pattern = \"/b\", forward = \"beta\" }",
            ),
            "two rules of priority 1",
        ),
        (rule("{ path_pattern = \"/a\", forward = \"beta\", fixed_response = 404 }"), "one of them"),
        (rule("{ path_pattern = \"/a\" }"), "does nothing"),
        (
            rule("{ path_pattern = [\"/a\", \"/b\", \"/c\", \"/d\", \"/e\", \"/f\"], forward = \"beta\" }"),
            "too many values",
        ),
        (rule("{ source_ip = \"203.0.113.7/24\", forward = \"beta\" }"), "write \"203.0.113.0/24\""),
        (rule("{ source_ip = \"2001:db8::/32\", forward = \"beta\" }"), "IPv6 is not modelled"),
        (rule("{ source_ip = [], forward = \"beta\" }"), "never holds"),
        (rule("{ path_pattern = \"/a\", redirect = { path = \"/b*\" } }"), "goes to one path"),
        (rule("{ path_pattern = \"/*\", redirect = { path = \"/\" } }"), "requests go in a circle"),
        (
            rule("{ path_pattern = \"/a\", fixed_response = 404, target_group_stickiness = \"1h\" }"),
            "only a rule that forwards",
        ),
    ] {
        let wrong = load_text(&text, &[]).err().unwrap_or_else(|| panic!("{text}")).to_string();
        assert!(wrong.contains(says), "{says}: {wrong}");
    }
    for (set, says) in [
        ("alb.front.target_group.web.slow_start=10s", "slow_start must be between 30s and"),
        ("alb.front.target_group.web.anomaly_mitigation=true", "needs weights"),
        ("alb.front.target_group.web.cross_zone=false", "one node for all zones"),
        ("alb.front.target_group.web.target_group_health.dns_failover.count=2", "one node for all zones"),
        ("alb.front.target_group.web.stickiness={ cookie = \"app_cookie\" }", "needs its name"),
        ("alb.front.target_group.web.stickiness={ cookie_name = \"x\" }", "has a name already"),
        ("alb.front.availability_zones=[\"a\"]", "where the load balancer is not enabled"),
        ("alb.front.web_acl=waf.none", "no web ACL is called"),
        ("alb.front.initial_capacity=0/s", "cannot be scaled for this"),
    ] {
        refused(SMALL, &[set], &[says]);
    }
    let zones = "alb.front.availability_zones=[\"a\", \"b\", \"c\"]";
    let shift = "[[fault]]\nat = \"10s\"\naction = \"aws:arc:start-zonal-autoshift\"\ntarget = \"alb.front\"\navailability_zone = \"b\"\nduration = \"20s\"\n";
    refused(&format!("{SMALL}{shift}"), &[zones], &["zonal shifts are off"]);
    refused(&format!("{SMALL}{shift}"), &["alb.front.zonal_shift=true"], &["nowhere to shift to"]);
    let on = "alb.front.zonal_shift=true";
    refused(&format!("{SMALL}{shift}"), &[zones, on, "fault.0.availability_zone=d"], &["has no zone `d`"]);
    assert!(load_text(&format!("{SMALL}{shift}"), &[zones, on]).is_ok());
}

#[test]
fn web_acls_are_read_and_their_mistakes_told() {
    let acl = "[waf.edge]\n[[waf.edge.rule]]\nname = \"rate\"\naction = \"block\"\nrate_based = { limit = 1000, evaluation_window = \"1m\" }\n";
    let text = SMALL.replace("[alb.front]", &format!("{acl}[alb.front]\nweb_acl = \"waf.edge\""));
    let scenario = loaded(&text, &[]);
    assert_eq!(scenario.architecture.web_acls, [(Endpoint::Alb(AlbId(0)), WafId(0))]);
    let rate = scenario.architecture.waf[0].rules[0].rate.expect("rate-based");
    assert_eq!((rate.limit, rate.window.as_secs_f64(), rate.lag.as_secs_f64()), (1000, 60.0, 15.0));
    for (set, says) in [
        ("waf.edge.rule.0.action=allow", "cannot allow"),
        ("waf.edge.rule.0.rate_based.limit=50", "limit must be between 100 and"),
        ("waf.edge.rule.0.rate_based.evaluation_window=90s", "lasts 1, 2, 5 or 10 minutes"),
        ("waf.edge.rule.0.captcha=true", "not modelled yet"),
    ] {
        refused(&text, &[set], &[says]);
    }
}

#[test]
fn a_network_load_balancer_is_read_with_its_own_defaults() {
    let text = SMALL.replace("alb.front", "nlb.front");
    let scenario = loaded(&text, &[]);
    let front = &scenario.architecture.alb[0];
    let group = &front.target_groups[0];
    assert_eq!(front.kind, models::alb::Kind::Network);
    assert_eq!((front.idle_timeout.as_secs_f64(), group.health_check.timeout.as_secs_f64()), (350.0, 10.0));
    assert!(!group.cross_zone && scenario.warnings.is_empty(), "{:?}", scenario.warnings);
    assert_eq!(scenario.architecture.ecs[0].target_groups, [(AlbId(0), TargetGroupId(0))]);
    let both = format!(
        "{SMALL}[nlb.inner]\ntarget_group.desk.targets = \"station.desk\"\n[station.desk]\nservice = \"1ms\"\n"
    );
    let call = "ecs.web.handler.0.steps=[{ call = \"nlb.inner\" }]";
    let scenario = loaded(&both, &[call]);
    assert_eq!(scenario.architecture.alb[1].name, "inner");
    for (set, says) in [
        ("nlb.front.idle_timeout=10s", "idle_timeout must be between 1m and"),
        ("nlb.front.target_group.second.targets=ecs.web", "one target group"),
        ("nlb.front.web_acl=waf.none", "not modelled yet"),
        ("nlb.front.target_group.web.stickiness={}", "not modelled yet"),
        (
            "ecs.web.scaling=[{ policy_name = \"r\", min_capacity = 1, max_capacity = 9, predefined_metric_type = \"ALBRequestCountPerTarget\", target_value = 9 }]",
            "nothing publishes `RequestCountPerTarget`",
        ),
    ] {
        refused(&text, &[set], &[says]);
    }
    let deploy = "[[deploy]]\nservice = \"ecs.web\"\nat = \"1m\"\nstrategy = \"blue_green\"\nbake_time = \"1m\"\n";
    refused(&format!("{text}{deploy}"), &[], &["behind a network load balancer"]);
}
