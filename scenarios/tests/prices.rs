//! The built-in prices, row by row, against the fact sheet they were taken from (sections 13.1 and 13.2): of everything that is modelled.

use toml::{Table, Value};

const VIRGINIA: &str = "us-east-1";
const TOKYO: &str = "ap-northeast-1";
const ANYWHERE: &str = "*";

fn number(value: &Value) -> f64 {
    value.as_float().or_else(|| value.as_integer().map(|whole| whole as f64)).expect("a number")
}

/// For how much a price is: "10k request" is 10,000.
fn amount(per: &str) -> f64 {
    let Some((many, _)) = per.split_once(' ') else { return 1.0 };
    let (digits, unit) = many.split_at(many.len() - 1);
    digits.parse::<f64>().unwrap() * if unit == "M" { 1e6 } else { 1e3 }
}

/// The entry of an item: dollars for one, and the tiers beyond.
fn price(region: &str, item: &str, kind: &str) -> (f64, Vec<(f64, f64)>) {
    let all: Table = toml::from_str(scenarios::prices::BUILT_IN).unwrap();
    let found = all["price"].as_array().unwrap().iter().filter_map(Value::as_table).find_map(|it| {
        let is = |key: &str, value: &str| it.get(key).and_then(Value::as_str).unwrap_or_default() == value;
        let of = it.get("of").and_then(|of| of.get(kind));
        let usd = if is("kind", kind) { it.get("usd").or(of) } else { of };
        let per = amount(it["per"].as_str().unwrap());
        let tiers = it.get("tiers").and_then(Value::as_array).into_iter().flatten();
        let tiers = tiers.map(|tier| (number(&tier["above"]), number(&tier["usd"]) / per)).collect();
        usd.filter(|_| is("region", region) && is("item", item)).map(|usd| (number(usd) / per, tiers))
    });
    found.unwrap_or_else(|| panic!("no price of {item} {kind} in {region}"))
}

#[track_caller]
fn costs(region: &str, item: &str, kind: &str, usd: f64) {
    let (is, _) = price(region, item, kind);
    assert!((is / usd - 1.0).abs() < 1e-6 || is == usd, "{region} {item} {kind}: {is}, not {usd}");
}

/// Prices of GB beyond 10, 50, 150, 500, 1024 and 5120 TB, as far as there are any.
#[track_caller]
fn falls_to(region: &str, item: &str, kind: &str, usd: &[f64]) {
    let terabytes = [10.0, 50.0, 150.0, 500.0, 1024.0, 5120.0];
    let expected: Vec<_> = terabytes.iter().map(|tb| tb * 1024.0).zip(usd.iter().copied()).collect();
    assert_eq!(price(region, item, kind).1, expected, "{region} {item} {kind}");
}

#[test]
fn load_balancers_and_what_is_in_front_cost_what_the_sheet_says() {
    costs(VIRGINIA, "alb.hours", "", 0.0225);
    costs(VIRGINIA, "alb.lcu", "", 0.008);
    costs(VIRGINIA, "nlb.hours", "", 0.0225);
    costs(VIRGINIA, "nlb.lcu", "", 0.006);
    for (place, http, https) in
        [("north_america", 0.0075, 0.0100), ("europe", 0.0090, 0.0120), ("japan", 0.0090, 0.0120)]
    {
        costs(ANYWHERE, "cloudfront.http_requests", place, http / 1e4);
        costs(ANYWHERE, "cloudfront.https_requests", place, https / 1e4);
    }
    for place in ["north_america", "europe"] {
        costs(ANYWHERE, "cloudfront.data_out", place, 0.085);
        falls_to(ANYWHERE, "cloudfront.data_out", place, &[0.080, 0.060, 0.040, 0.030, 0.025, 0.020]);
        costs(ANYWHERE, "cloudfront.data_to_origin", place, 0.020);
    }
    costs(ANYWHERE, "cloudfront.data_out", "japan", 0.114);
    falls_to(ANYWHERE, "cloudfront.data_out", "japan", &[0.089, 0.086, 0.084, 0.080, 0.070, 0.060]);
    costs(ANYWHERE, "cloudfront.data_to_origin", "japan", 0.060);
    costs(ANYWHERE, "cloudfront.invalidations", "", 0.0);
    assert_eq!(price(ANYWHERE, "cloudfront.invalidations", "").1, [(1000.0, 0.005)]);
    costs(ANYWHERE, "route53.zone", "", 0.50);
    for (kind, usd) in [("standard", 0.40), ("latency", 0.60)] {
        costs(ANYWHERE, "route53.queries", kind, usd / 1e6);
        assert_eq!(price(ANYWHERE, "route53.queries", kind).1, [(1e9, usd / 2.0 / 1e6)], "half above a billion");
    }
    for (kind, check, option) in [("aws", 0.50, 1.00), ("other", 0.75, 2.00)] {
        costs(ANYWHERE, "route53.health_check", kind, check);
        costs(ANYWHERE, "route53.health_check_option", kind, option);
    }
    costs(ANYWHERE, "global_accelerator.hours", "", 0.025);
    for (item, usd) in [("waf.acl", 5.00), ("waf.rule", 1.00), ("waf.requests", 0.60 / 1e6)] {
        costs(ANYWHERE, item, "", usd);
    }
    costs(VIRGINIA, "cloudwatch.alarm", "standard", 0.10);
    costs(VIRGINIA, "cloudwatch.alarm", "high_resolution", 0.30);
    costs(ANYWHERE, "public_ipv4", "", 0.005);
    costs(VIRGINIA, "data_transfer.out", "", 0.09);
    falls_to(VIRGINIA, "data_transfer.out", "", &[0.085, 0.07, 0.05]);
    costs(VIRGINIA, "data_transfer.between_zones", "", 0.01);
    costs(VIRGINIA, "data_transfer.between_regions", "", 0.02);
}

#[test]
fn compute_costs_what_the_sheet_says() {
    costs(VIRGINIA, "fargate.vcpu", "", 0.04048);
    costs(VIRGINIA, "fargate.memory", "", 0.004445);
    for (kind, usd) in [
        ("t3.micro", 0.0104),
        ("t3.small", 0.0208),
        ("t3.medium", 0.0416),
        ("t3.large", 0.0832),
        ("t4g.medium", 0.0336),
        ("m5.large", 0.096),
        ("m6i.large", 0.096),
        ("m7g.large", 0.0816),
        ("c5.large", 0.085),
        ("c6i.large", 0.085),
        ("c7g.large", 0.0725),
        ("r5.large", 0.126),
        ("r6i.large", 0.126),
        ("r7g.large", 0.1072),
    ] {
        costs(VIRGINIA, "ec2.instance", kind, usd);
    }
    for (item, kind, usd) in
        [("storage", "gp2", 0.10), ("storage", "gp3", 0.08), ("iops", "gp3", 0.005), ("throughput", "gp3", 0.04)]
    {
        costs(VIRGINIA, &format!("ebs.{item}"), kind, usd);
    }
    // Sizes double.
    for (family, large) in
        [("m5", 0.096), ("m6i", 0.096), ("m7g", 0.0816), ("c6i", 0.085), ("r5", 0.126), ("r7g", 0.1072)]
    {
        for (size, times) in [("xlarge", 2.0), ("2xlarge", 4.0), ("4xlarge", 8.0)] {
            costs(VIRGINIA, "ec2.instance", &format!("{family}.{size}"), times * large);
        }
    }
}

#[test]
fn databases_cost_what_the_sheet_says() {
    for (kind, usd) in [
        ("db.t3.medium", 0.082),
        ("db.t3.large", 0.164),
        ("db.t4g.medium", 0.073),
        ("db.t4g.large", 0.146),
        ("db.r5.large", 0.29),
        ("db.r6g.large", 0.260),
        ("db.r7g.large", 0.276),
        ("db.r8g.large", 0.276),
        ("db.r6g.4xlarge", 2.076),
        ("db.r5.24xlarge", 13.92),
    ] {
        costs(VIRGINIA, "aurora.instance", kind, usd);
        costs(VIRGINIA, "aurora.instance_io_optimized", kind, 1.30 * usd);
    }
    costs(VIRGINIA, "aurora.acu", "", 0.12);
    costs(VIRGINIA, "aurora.acu_io_optimized", "", 0.156);
    costs(VIRGINIA, "aurora.storage", "", 0.10);
    costs(VIRGINIA, "aurora.storage_io_optimized", "", 0.225);
    costs(VIRGINIA, "aurora.io", "", 0.20 / 1e6);
    for (class, mysql, postgres) in [
        ("db.t3.micro", 0.017, 0.018),
        ("db.t3.medium", 0.068, 0.072),
        ("db.m5.large", 0.171, 0.178),
        ("db.r5.large", 0.24, 0.25),
        ("db.r6g.large", 0.215, 0.225),
    ] {
        costs(VIRGINIA, "rds.instance", &format!("mysql {class}"), mysql);
        costs(VIRGINIA, "rds.instance", &format!("postgres {class}"), postgres);
    }
    // A standby is an instance more: t3.large 0.136, and 0.272 in two zones.
    costs(VIRGINIA, "rds.instance", "mysql db.t3.large", 0.136);
    for (kind, usd) in [("gp2", 0.115), ("gp3", 0.115), ("io1", 0.125)] {
        costs(VIRGINIA, "rds.storage", kind, usd);
    }
    costs(VIRGINIA, "dynamodb.write_request_units", "", 0.625 / 1e6);
    costs(VIRGINIA, "dynamodb.read_request_units", "", 0.125 / 1e6);
    costs(VIRGINIA, "dynamodb.wcu", "", 0.00065);
    costs(VIRGINIA, "dynamodb.rcu", "", 0.00013);
    costs(VIRGINIA, "dynamodb.storage", "", 0.25);
    for (kind, usd) in [("cache.m4.large", 0.156), ("cache.r5.4xlarge", 1.724), ("cache.m6g.12xlarge", 3.557)] {
        costs(VIRGINIA, "elasticache.node", &format!("redis {kind}"), usd);
    }
}

#[test]
fn tokyo_costs_what_the_sheet_says() {
    for (item, usd) in [
        ("alb.hours", 0.0243),
        ("alb.lcu", 0.008),
        ("fargate.vcpu", 0.05056),
        ("fargate.memory", 0.00553),
        ("aurora.acu", 0.15),
        ("data_transfer.out", 0.114),
        ("data_transfer.between_zones", 0.01),
        ("data_transfer.between_regions", 0.09),
    ] {
        costs(TOKYO, item, "", usd);
    }
    falls_to(TOKYO, "data_transfer.out", "", &[0.089, 0.086, 0.084]);
    for (kind, usd) in [("t3.medium", 0.0544), ("t3.large", 0.1088), ("m5.large", 0.124), ("c5.large", 0.107)] {
        costs(TOKYO, "ec2.instance", kind, usd);
    }
    for (kind, usd) in
        [("db.t3.medium", 0.125), ("db.r5.large", 0.35), ("db.r6g.large", 0.313), ("db.r6g.4xlarge", 2.506)]
    {
        costs(TOKYO, "aurora.instance", kind, usd);
    }
    for (kind, usd) in [
        ("mysql db.t3.medium", 0.104),
        ("postgres db.t3.medium", 0.112),
        ("mysql db.r5.large", 0.285),
        ("postgres db.r5.large", 0.30),
        ("mysql db.m5.large", 0.235),
        ("postgres db.m5.large", 0.247),
        ("postgres db.t4g.micro", 0.025),
    ] {
        costs(TOKYO, "rds.instance", kind, usd);
    }
    costs(TOKYO, "rds.storage", "gp3", 0.138);
}
