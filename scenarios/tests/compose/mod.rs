//! Composes random legal scenarios as text. Every choice is the next number of a list, 0 once it is used up; 0 is the
//! plainest choice, so that a shorter list and smaller numbers make a simpler scenario.
#![allow(dead_code, reason = "each user takes what it needs")]

use std::fmt::Write as _;

/// Where choices come from.
pub struct Dice<'a> {
    numbers: std::slice::Iter<'a, u8>,
}

impl<'a> Dice<'a> {
    /// Choices by these numbers.
    pub fn new(numbers: &'a [u8]) -> Self {
        Self { numbers: numbers.iter() }
    }

    /// One of 0..n.
    pub fn below(&mut self, n: usize) -> usize {
        usize::from(self.numbers.next().copied().unwrap_or(0)) % n
    }

    fn one<'t>(&mut self, of: &[&'t str]) -> &'t str {
        of[self.below(of.len())]
    }

    /// True once in `n` times.
    fn rarely(&mut self, n: usize) -> bool {
        self.below(n) == n - 1
    }
}

/// A legal scenario of any kind.
pub fn scenario(dice: &mut Dice<'_>) -> String {
    let mut it = Composer::new(dice);
    it.run();
    it.stations();
    it.aurora();
    it.dynamodb();
    it.services();
    it.balancers();
    it.distributions();
    it.names();
    it.traffic();
    it.incidents();
    it.text
}

/// A time distribution of moderate mean, in milliseconds.
pub fn time(dice: &mut Dice<'_>) -> String {
    let mean = [5, 1, 2, 10, 25, 60][dice.below(6)];
    match dice.below(11) {
        0 => format!("\"{mean}ms\""),
        1 => format!("{{ exponential = \"{mean}ms\" }}"),
        2 => format!("{{ lognormal = {{ median = \"{mean}ms\", p99 = \"{}ms\" }} }}", mean * 6),
        3 => format!("{{ uniform = [\"0ms\", \"{}ms\"] }}", mean * 2),
        4 => format!("{{ erlang = {{ k = 3, mean = \"{mean}ms\" }} }}"),
        5 => format!("{{ hyperexponential = {{ mean = \"{mean}ms\", cv = 3 }} }}"),
        6 => format!("{{ weibull = {{ shape = 0.7, scale = \"{mean}ms\" }} }}"),
        7 => format!("{{ pareto = {{ shape = 1.5, low = \"{mean}ms\", high = \"{}ms\" }} }}", mean * 100),
        8 => format!("{{ gamma = {{ mean = \"{mean}ms\", shape = 0.5 }} }}"),
        9 => format!("{{ normal = {{ mean = \"{mean}ms\", sd = \"{mean}ms\" }} }}"),
        _ => format!("{{ lognormal = {{ mean = \"{mean}ms\", cv = 2 }} }}"),
    }
}

struct Composer<'a, 'd> {
    dice: &'a mut Dice<'d>,
    text: String,
    seconds: usize,
    stations: Vec<String>,
    services: Vec<String>,
    /// Services that no target group has yet.
    unbalanced: Vec<String>,
    balancers: Vec<String>,
    distributions: Vec<String>,
    names: Vec<String>,
    /// What steps can call.
    callees: Vec<String>,
    has_aurora: bool,
    /// Whether the load balancer has zones.
    zoned: bool,
    /// Whether it balances connections, and switches no traffic.
    network: bool,
}

impl<'a, 'd> Composer<'a, 'd> {
    fn new(dice: &'a mut Dice<'d>) -> Self {
        Self {
            dice,
            text: "title = \"composed\"\n".into(),
            seconds: 0,
            stations: vec![],
            services: vec![],
            unbalanced: vec![],
            balancers: vec![],
            distributions: vec![],
            names: vec![],
            callees: vec![],
            has_aurora: false,
            zoned: false,
            network: false,
        }
    }

    fn line(&mut self, line: impl AsRef<str>) {
        let _ = writeln!(self.text, "{}", line.as_ref());
    }

    /// Writes `key = value` with one of the values, or leaves the default.
    fn maybe(&mut self, key: &str, values: &[&str]) {
        if let Some(value) = self.dice.below(values.len() + 1).checked_sub(1) {
            self.line(format!("{key} = {}", values[value]));
        }
    }

    fn run(&mut self) {
        self.seconds = [20, 60, 150][self.dice.below(3)];
        self.line(format!("[run]\nduration = \"{}s\"\nreplications = 2", self.seconds));
        self.maybe("warm_up", &["\"5s\""]);
        self.maybe("seed", &["7", "9223372036854775807"]);
        self.maybe("metric_delay", &["\"0s\""]);
        self.line("[network]");
        self.maybe("region_rtt", &["\"0s\"", "\"3ms\""]);
        self.line("[catalog.things]");
        let objects = self.dice.one(&["100", "1", "5000"]);
        self.line(format!("objects = {objects}"));
        self.maybe("zipf", &["0", "1.2"]);
        let size = self.dice.one(&[
            "\"4KB\"",
            "{ lognormal = { median = \"20KB\", p99 = \"900KB\" } }",
            "{ uniform = [\"1KB\", \"1MB\"] }",
        ]);
        self.line(format!("size = {size}"));
        self.maybe("cache_control", &["\"max-age=3\"", "\"no-store\"", "\"s-maxage=10\""]);
    }

    fn stations(&mut self) {
        for number in 0..=self.dice.below(3) {
            let name = format!("s{number}");
            self.line(format!("[station.{name}]"));
            let service = time(self.dice);
            self.line(format!("service = {service}"));
            let bounded = self.dice.below(4);
            if bounded > 0 {
                self.line(format!("servers = {}", [1, 3, 8][bounded - 1]));
                self.maybe("room", &["0", "2", "50"]);
                self.maybe("discipline", &["\"processor_sharing\""]);
            }
            self.callees.push(format!("station.{name}"));
            if self.dice.rarely(3) {
                let class = time(self.dice);
                self.line(format!("classes = {{ other = {class} }}"));
                self.callees.push(format!("station.{name}.other"));
            }
            self.stations.push(format!("station.{name}"));
        }
    }

    fn aurora(&mut self) {
        if !self.dice.rarely(3) {
            return;
        }
        self.has_aurora = true;
        self.line("[aurora.db]");
        self.maybe("engine", &["\"aurora-postgresql\""]);
        self.maybe("dns_ttl", &["\"0s\"", "\"1s\""]);
        let proxied = self.dice.rarely(4);
        if proxied {
            self.line("rds_proxy = { connection_borrow_timeout = \"5s\", max_connections_percent = \"10%\" }");
        }
        let mut pools = vec![
            "{ max_size = 1, acquire_timeout = \"100ms\" }",
            "{ max_size = 50 }",
            "{ dns_cache = \"30s\", keepalive = \"3s\", max_lifetime = \"20s\" }",
            "{ validation_timeout = \"2s\", socket_timeout = \"5s\", connect_timeout = \"2s\" }",
        ];
        if !proxied {
            pools.push("{ driver = \"aws_advanced_jdbc_wrapper\", wrapper = { failure_detection_time = \"2s\" } }");
        }
        self.maybe("pool", &pools);
        self.maybe("replica_lag", &["{ delay = \"5ms\", apply = \"10ms\" }"]);
        self.maybe("buffer_cache", &["{ hit_ratio = \"90%\", warm_up = \"10s\" }"]);
        self.maybe(
            "failover",
            &[
                "{ promotion = \"2s\", dns_update = \"1s\", restart = \"3s\", recreate = \"10s\" }",
                "{ promotion = \"5s\" }",
                "{ promotion = { uniform = [\"1s\", \"5s\"] }, detection = \"1s\", old_writer = \"silent\", survivable_readers = false }",
            ],
        );
        let readers = self.dice.below(3);
        let writer = self.dice.one(&["", ", max_connections = 3", ", vcpu = \"1 vCPU\""]);
        let mut instances = format!("{{ name = \"i0\", db_instance_class = \"db.r6g.large\"{writer} }}");
        for number in 1..=readers {
            let _ = write!(
                instances,
                ", {{ name = \"i{number}\", db_instance_class = \"db.r6g.xlarge\", promotion_tier = {number} }}"
            );
        }
        self.line(format!("instances = [{instances}]"));
        let (read, write) = (time(self.dice), time(self.dice));
        self.line(format!(
            "[aurora.db.statements]\nread = {{ endpoint = \"reader\", cpu = {read}, wait = \"1ms\", pages = 3, pins = \"5%\" }}\nwrite = {{ write = true, cpu = {write} }}"
        ));
        self.callees.extend(["aurora.db.read".into(), "aurora.db.write".into()]);
    }

    fn dynamodb(&mut self) {
        if !self.dice.rarely(3) {
            return;
        }
        self.line("[dynamodb.t]");
        if self.dice.below(2) == 0 {
            let (read, write) = (self.dice.one(&["50", "1", "4000"]), self.dice.one(&["20", "1", "2500"]));
            self.line(format!("read_capacity_units = {read}\nwrite_capacity_units = {write}"));
        } else {
            self.line("billing_mode = \"PAY_PER_REQUEST\"");
        }
        self.maybe("table_size", &["\"35GB\""]);
        self.maybe("adaptive_capacity", &["false"]);
        self.maybe("burst_capacity", &["\"0s\"", "\"10s\""]);
        let keys = self.dice.one(&["{}", "{ count = 3, zipf = 1.5 }", "{ count = 1000, zipf = 0.9 }"]);
        self.line(format!(
            "[dynamodb.t.operations]\nget = {{ operation = \"GetItem\", item_size = \"5KB\", consistent_read = true, keys = {keys} }}\nput = {{ operation = \"PutItem\", item_size = \"1.5KB\", keys = {keys} }}"
        ));
        self.callees.extend(["dynamodb.t.get".into(), "dynamodb.t.put".into()]);
    }

    fn services(&mut self) {
        for number in 0..self.dice.below(3) {
            let name = format!("e{number}");
            self.line(format!("[ecs.{name}]"));
            let cpu = self.dice.one(&["1 vCPU", "0.25 vCPU", "4 vCPU"]);
            self.line(format!("cpu = \"{cpu}\""));
            self.maybe("desired_count", &["3", "7"]);
            self.maybe("workers", &["1", "8"]);
            self.maybe("backlog", &["0", "3"]);
            self.maybe("concurrency", &["\"event_loop\""]);
            self.maybe("launch_time", &["\"2s\"", "{ exponential = \"3s\" }", "\"0s\""]);
            self.maybe("startup_time", &["\"0s\"", "\"3s\""]);
            self.maybe("stop_timeout", &["\"0s\"", "\"2s\""]);
            self.maybe("scheduler_interval", &["\"1s\""]);
            self.maybe("health_check_grace_period", &["\"20s\""]);
            self.maybe("healthy_after", &["\"1s\""]);
            self.maybe("error_rate", &["\"2%\"", "\"100%\""]);
            let deployment = self.dice.one(&[
                "",
                "minimum_healthy_percent = \"50%\"\nmaximum_percent = \"200%\"",
                "minimum_healthy_percent = \"0%\"\nmaximum_percent = \"100%\"",
            ]);
            self.line(deployment);
            self.line(format!("[[ecs.{name}.handler]]"));
            let mut steps = vec![format!("{{ cpu = {} }}", time(self.dice))];
            for _ in 0..self.dice.below(3) {
                steps.push(self.step());
            }
            self.line(format!("steps = [{}]", steps.join(", ")));
            if self.dice.rarely(3) {
                self.line(format!("[[ecs.{name}.scaling]]\nmin_capacity = 1\nmax_capacity = 9"));
                let policy = self.dice.one(&[
                    "target_value = 40\nscale_out_datapoints = 1\nscale_in_datapoints = 1\nscale_out_cooldown = \"0s\"\nscale_in_cooldown = \"0s\"",
                    "policy_type = \"StepScaling\"\nthreshold = 30\ncooldown = \"0s\"\nstep_adjustments = [{ metric_interval_lower_bound = 0, metric_interval_upper_bound = 20, scaling_adjustment = 1 }, { metric_interval_lower_bound = 20, scaling_adjustment = 3 }]",
                    "policy_type = \"SimpleScaling\"\nthreshold = 90\ncomparison_operator = \"LessThanOrEqualToThreshold\"\nscaling_adjustment = -1\ncooldown = \"1s\"",
                ]);
                self.line(policy);
            }
            // The next service may call this one's dependencies, not this one: a circle would be refused.
            self.services.push(format!("ecs.{name}"));
            self.unbalanced.push(name);
        }
    }

    fn step(&mut self) -> String {
        let probability = self.dice.one(&["", ", probability = \"30%\""]);
        match self.dice.below(4) {
            0 => format!("{{ call = {}{probability} }}", self.call()),
            1 => format!("{{ wait = {}{probability} }}", time(self.dice)),
            2 => format!("{{ calls = [{}, {}]{probability} }}", self.call(), self.call()),
            _ => format!("{{ cpu = {}{probability} }}", time(self.dice)),
        }
    }

    fn call(&mut self) -> String {
        let to = self.callees[self.dice.below(self.callees.len())].clone();
        let more = self.dice.one(&[
            "",
            ", timeout = \"20ms\"",
            ", timeout = \"1s\", retry = { max_attempts = 3, backoff = \"10ms\" }",
            ", required = false",
            ", retry_mode = \"standard\"",
            ", rtt = \"0s\"",
        ]);
        format!("{{ to = \"{to}\"{more} }}")
    }

    fn balancers(&mut self) {
        let groups = std::mem::take(&mut self.unbalanced);
        if groups.is_empty() && self.dice.below(2) == 0 {
            return;
        }
        // A service that nobody balances may stand behind a network load balancer as well.
        if groups.len() == 1 && self.dice.rarely(4) {
            self.line("[nlb.n0]");
            self.maybe("availability_zones", &["[\"a\", \"b\", \"c\"]"]);
            self.line(format!("[nlb.n0.target_group.g0]\ntargets = \"ecs.{}\"", groups[0]));
            self.maybe("deregistration_delay", &["\"0s\"", "\"5s\""]);
            self.maybe("health_check", &["{ enabled = false }", "{ interval = \"5s\", timeout = \"2s\" }"]);
            self.network = true;
            return self.balancers.push("nlb.n0".into());
        }
        self.line("[alb.a0]");
        self.maybe("idle_timeout", &["\"1s\"", "\"3s\""]);
        self.maybe("added_latency", &["\"0s\""]);
        self.maybe("target_rtt", &["\"0s\""]);
        self.maybe("initial_capacity", &["\"5/s\""]);
        self.maybe("client_keep_alive", &["\"1m\""]);
        self.zoned = self.dice.below(2) == 1;
        if self.zoned {
            self.line("availability_zones = [\"a\", \"b\", \"c\"]\nzonal_shift = true");
        }
        let guarded = self.dice.rarely(3);
        if guarded {
            self.line("web_acl = \"waf.w0\"");
        }
        let mut targets: Vec<String> = groups.iter().map(|name| format!("ecs.{name}")).collect();
        if targets.is_empty() || self.dice.rarely(4) {
            targets.push(self.stations[0].clone());
        }
        match targets.len() {
            1 => {}
            n if self.dice.below(2) == 0 => {
                let weights: Vec<String> =
                    (0..n).map(|group| format!("g{group} = {}", 1 + self.dice.below(9))).collect();
                self.line(format!("rule = [{{ forward = {{ {} }} }}]", weights.join(", ")));
            }
            n => {
                let mut rules: Vec<String> =
                    (1..n).map(|group| format!("{{ path_pattern = \"/{group}*\", forward = \"g{group}\" }}")).collect();
                if self.dice.rarely(4) {
                    rules.push("{ path_pattern = \"/stop\", fixed_response = 503 }".into());
                }
                if self.dice.rarely(3) {
                    rules.push(
                        "{ http_request_method = [\"POST\"], source_ip = \"10.0.0.0/8\", fixed_response = 403 }".into(),
                    );
                }
                rules.push("{ forward = \"g0\" }".into());
                self.line(format!("rule = [{}]", rules.join(", ")));
            }
        }
        for (group, target) in targets.iter().enumerate() {
            self.line(format!("[alb.a0.target_group.g{group}]\ntargets = \"{target}\""));
            self.maybe("stickiness", &["{ duration = \"2s\" }", "{ cookie = \"app_cookie\", cookie_name = \"user\" }"]);
            let choice = self.dice.one(&[
                "",
                "slow_start = \"30s\"",
                "load_balancing_algorithm = \"least_outstanding_requests\"",
                "load_balancing_algorithm = \"weighted_random\"",
                "load_balancing_algorithm = \"weighted_random\"\nanomaly_mitigation = true",
            ]);
            self.line(choice);
            if self.zoned {
                self.maybe("cross_zone", &["false"]);
                self.maybe("target_group_health.dns_failover", &["{ count = 2 }", "{ percentage = \"60%\" }"]);
            }
            self.maybe("deregistration_delay", &["\"0s\"", "\"5s\""]);
            self.maybe(
                "health_check",
                &[
                    "{ enabled = false }",
                    "{ interval = \"5s\", timeout = \"2s\", healthy_threshold_count = 2 }",
                    "{ interval = \"5s\", timeout = \"2s\", unhealthy_threshold_count = 5 }",
                ],
            );
        }
        if guarded {
            let rate = self.dice.one(&["", "rate_based = { limit = 100, evaluation_window = \"1m\", lag = \"2s\" }\n"]);
            let action = self.dice.one(&["block", "count"]);
            self.line(format!(
                "[waf.w0]\n[[waf.w0.rule]]\nname = \"r\"\naction = \"{action}\"\nsender_share = \"30%\"\n{rate}"
            ));
        }
        self.balancers.push("alb.a0".into());
    }

    /// What can stand behind a distribution or a name.
    fn origins(&self) -> Vec<String> {
        self.balancers.iter().chain(&self.stations).cloned().collect()
    }

    fn distributions(&mut self) {
        if !self.dice.rarely(3) {
            return;
        }
        let origins = self.origins();
        self.line("[cloudfront.c0]");
        self.maybe("error_caching_min_ttl", &["\"0s\"", "\"2s\""]);
        self.maybe("origin_read_timeout", &["\"1s\""]);
        self.maybe("regional_edge_caches", &["[{ name = \"r\", capacity = \"1MB\", origin_rtt = \"0s\" }]"]);
        self.maybe(
            "edges",
            &["[{ place = \"viewers\", capacity = \"300KB\", viewer_rtt = \"0s\" }, { place = \"moon\" }]"],
        );
        self.maybe(
            "custom_error_responses",
            &["[{ error_code = 503, response_code = 200, response_page_size = \"1KB\" }]"],
        );
        self.maybe("invalidations", &["[{ at = \"1s\", paths = [\"/*\"], takes = \"3s\" }]"]);
        let policy = self.dice.one(&[
            "",
            ", cache_policy = \"CachingDisabled\"",
            ", min_ttl = \"0s\", default_ttl = \"1s\", max_ttl = \"5s\"",
            ", cookie_behavior = \"all\", query_string_behavior = \"all\", header_behavior = \"all\"",
            ", min_ttl = \"0s\", default_ttl = \"1s\", request_collapsing = false, compress = true",
            ", function_associations = [{ event_type = \"viewer-request\", time = \"1ms\", error_rate = \"5%\" }]",
            ", lambda_function_associations = [{ event_type = \"origin-response\", time = \"9ms\", error_rate = \"5%\" }]",
        ]);
        let methods = self.dice.one(&[
            "",
            ", allowed_methods = [\"GET\", \"HEAD\", \"OPTIONS\", \"PUT\", \"POST\", \"PATCH\", \"DELETE\"]",
        ]);
        let policy = format!("{policy}{methods}");
        let grouped = self.dice.below(3) == 0;
        let first = if grouped { "group".to_string() } else { origins[0].clone() };
        self.line(format!("default_cache_behavior = {{ target_origin = \"{first}\"{policy} }}"));
        if self.dice.below(2) == 1 {
            let other = origins[self.dice.below(origins.len())].clone();
            self.line(format!("cache_behaviors = [{{ path_pattern = \"/1*\", target_origin = \"{other}\" }}]"));
        }
        if grouped {
            let other = origins[self.dice.below(origins.len())].clone();
            self.line("origin_group.group = { primary = \"one\", secondary = \"two\" }");
            self.line(format!(
                "origin.one = {{ target = \"{}\", connection_timeout = \"1s\", handshake_round_trips = 2 }}",
                origins[0]
            ));
            let shield = if self.dice.below(2) == 0 { ", rtt = \"3ms\"" } else { "" };
            self.line(format!("origin.two = {{ target = \"{other}\"{shield} }}"));
        }
        self.distributions.push("cloudfront.c0".into());
    }

    fn names(&mut self) {
        if !self.dice.rarely(3) {
            return;
        }
        let mut targets = self.distributions.clone();
        targets.extend(self.origins());
        let one = targets[0].clone();
        let other = targets[self.dice.below(targets.len())].clone();
        self.line("[resolvers]");
        self.maybe("count", &["1"]);
        self.maybe("client_cache", &["false"]);
        self.maybe("propagation", &["\"0s\""]);
        let routing = self.dice.below(3);
        if routing > 0 {
            self.line(format!("[health_check.h0]\ntarget = \"{one}\"\nrequest_interval = \"10s\""));
            self.maybe("failure_threshold", &["1"]);
            self.maybe("checkers", &["1", "3"]);
            self.maybe("timeout", &["\"10ms\""]);
        }
        self.line("[route53.\"www.example.com\"]");
        match routing {
            0 => self.line(format!("target = \"{one}\"")),
            1 => self.line(format!(
                "routing_policy = \"weighted\"\nrecords = [{{ target = \"{one}\", weight = 3, health_check = \"h0\" }}, {{ target = \"{other}\", weight = 1 }}]"
            )),
            _ => self.line(format!(
                "routing_policy = \"failover\"\nrecords = [{{ target = \"{one}\", failover = \"PRIMARY\", health_check = \"h0\" }}, {{ target = \"{other}\", failover = \"SECONDARY\" }}]"
            )),
        }
        self.names.push("www.example.com".into());
    }

    fn traffic(&mut self) {
        // Whoever stands in front of most comes first, so that a plain scenario exercises most of what it has.
        let mut front: Vec<String> = self.names.clone();
        for more in [&self.distributions, &self.balancers, &self.services, &self.stations] {
            front.extend(more.iter().cloned());
        }
        for number in 0..=self.dice.below(3) {
            let to = front[if number == 0 { 0 } else { self.dice.below(front.len()) }].clone();
            self.line(format!("[[traffic]]\nname = \"t{number}\"\nto = \"{to}\""));
            match self.dice.below(5) {
                0 => self.line("rate = \"40/s\""),
                1 => self.line("rate = { base = \"5/s\", at = [[\"5s\", \"300/s\"], [\"9s\", \"0/s\"], [\"12s\", \"50/s\"]], ramp = \"1s\" }"),
                2 => self.line("rate = \"90/s\"\narrivals = \"deterministic\""),
                3 => {
                    let think = time(self.dice);
                    self.line(format!("users = 6\nthink_time = {think}"));
                }
                _ => self.line("users = 25\nthink_time = { exponential = \"200ms\" }"),
            }
            self.maybe("timeout", &["\"30ms\"", "\"1s\"", "\"5s\""]);
            self.maybe("rtt", &["\"30ms\""]);
            self.maybe(
                "retry",
                &[
                    "{ max_attempts = 3, backoff = \"20ms\" }",
                    "{ max_attempts = 2, backoff = \"0s\", jitter = \"none\" }",
                    "{ max_attempts = 8, backoff = \"1s\", max_backoff = \"2s\" }",
                ],
            );
            self.maybe(
                "routes",
                &[
                    "[{ path = \"/1/*\", catalog = \"things\", weight = 3 }, { path = \"/\" }]",
                    "[{ path = \"/1/a\", method = \"POST\" }, { path = \"/stop\", query_strings = 3, cookies = 5, headers = 2 }]",
                ],
            );
        }
    }

    fn incidents(&mut self) {
        for _ in 0..if self.has_aurora { self.dice.below(3) } else { 0 } {
            let at = self.dice.below(self.seconds);
            let what = self.dice.one(&[
                "action = \"FailoverDBCluster\"",
                "action = \"RebootDBInstance\"\ndb_instance_identifier = \"i0\"",
                "action = \"ModifyDBInstance\"\ndb_instance_identifier = \"i0\"\ndb_instance_class = \"db.r6g.2xlarge\"\nduration = \"9s\"\nfailover_first = true",
                "action = \"ModifyDBCluster\"\nengine_version = \"minor\"\npatching_failure = \"50%\"",
                "action = \"ModifyDBCluster\"\nengine_version = \"major\"\nduration = \"9s\"",
                "action = \"ApplyPendingMaintenanceAction\"\nduration = \"4s\"",
                "action = \"SwitchoverBlueGreenDeployment\"\nduration = \"4s\"",
            ]);
            self.line(format!("[[maintenance]]\nat = \"{at}s\"\ntarget = \"aurora.db\"\n{what}"));
        }
        for _ in 0..self.dice.below(4) {
            let at = self.dice.below(self.seconds);
            let Some(service) =
                (!self.services.is_empty()).then(|| self.services[self.dice.below(self.services.len())].clone())
            else {
                break;
            };
            if self.dice.below(3) == 1 {
                let strategy = self.dice.one(&[
                    "",
                    "strategy = \"blue_green\"\nbake_time = \"4s\"\n",
                    "deployment_circuit_breaker = { threshold_type = \"COUNT\", value = 2 }\n",
                    "strategy = \"linear\"\npercent = \"30%\"\ninterval = \"2s\"\nhooks = [{ stage = \"PRE_SCALE_UP\", failure_rate = \"40%\" }]\n",
                    "strategy = \"time_based_canary\"\npercent = \"20%\"\ninterval = \"3s\"\ntermination_wait = \"1s\"\n",
                    "strategy = \"all_at_once\"\nrollback = false\ntermination_wait = \"2s\"\nhooks = [{ stage = \"AfterAllowTraffic\", failure_rate = \"50%\" }]\n",
                    "deployment_circuit_breaker = {}\nrollback = false\nalarms = [{ metric_name = \"CPUUtilization\", threshold = 5 }]\n",
                ]);
                // Nobody shifts traffic behind a network load balancer.
                let strategy = if self.network && strategy.contains("strategy") { "" } else { strategy };
                let revision = self.dice.one(&[
                    "",
                    "revision = { error_rate = \"30%\", cpu_factor = 3.0 }\n",
                    "revision = { crash_on_start = \"70%\", startup_time = \"1s\" }\n",
                    "revision = { out_of_memory_after = \"6s\", warm_up = { factor = 4.0, time = \"2s\" } }\n",
                ]);
                self.line(format!("[[deploy]]\nservice = \"{service}\"\nat = \"{at}s\"\n{strategy}{revision}"));
                continue;
            }
            let what = self.dice.one(&[
                "action = \"aws:ecs:stop-task\"",
                "action = \"aws:ecs:stop-task\"\ncount = 1",
                "action = \"aws:ecs:stop-task\"\navailability_zone = \"a\"",
                "action = \"aws:ecs:task-network-blackhole-port\"\navailability_zone = \"a\"\nduration = \"7s\"",
                "action = \"aws:arc:start-zonal-autoshift\"\navailability_zone = \"a\"\nduration = \"5s\"",
                "action = \"aws:ecs:task-network-latency\"\ndelay = \"200ms\"\nduration = \"5s\"",
                "action = \"aws:ecs:task-cpu-stress\"\nfactor = 10.0\nduration = \"30s\"",
                "action = \"stormglass:error-rate\"\nerror_rate = \"50%\"\nduration = \"1s\"",
                "action = \"aws:rds:failover-db-cluster\"",
                "action = \"aws:rds:reboot-db-instances\"\ndb_instance_identifier = \"i0\"\nforce_failover = true",
                "action = \"stormglass:db-instance-failure\"\ndb_instance_identifier = \"i0\"",
                "action = \"aws:network:disrupt-connectivity\"\navailability_zone = \"a\"\nduration = \"8s\"",
                "action = \"stormglass:az-power-interruption\"\navailability_zone = \"a\"\nduration = \"20s\"",
            ]);
            let of_database = ["rds", "db-instance", "disrupt", "az-power"].iter().any(|word| what.contains(word));
            let of_balancer = what.contains("arc:");
            let there = if of_balancer { self.zoned } else { !of_database || self.has_aurora };
            if there {
                let target = if of_database { "aurora.db" } else { &service };
                let target = if of_balancer { "alb.a0" } else { target };
                self.line(format!("[[fault]]\nat = \"{at}s\"\ntarget = \"{target}\"\n{what}"));
            }
        }
    }
}
