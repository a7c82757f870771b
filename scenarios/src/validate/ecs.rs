//! ECS services.

use models::client::{Jitter, Retry};
use models::cloudwatch;
use models::compute::Memory;
use models::ecs::{
    Call, Concurrency, ContainerCheck, ContainerInstances, DeploymentConfiguration, Handler, ManagedScaling, Placement,
    Settings, Step, StepAction, Task,
};
use models::elasticache::What;
use models::ids::*;
use models::request::Method;
use sim_core::SimDuration;
use sim_core::distribution::Distribution;

use super::alb::Registration;
use super::client::of_mode;
use super::traffic::method;
use super::{BROKEN, Check, Section};
use crate::decode::{Named, Sp};
use crate::diagnostics::Diagnostic;
use crate::nearest::advice;
use crate::raw::ecs as raw;
use crate::raw::traffic::RetryMode;
use crate::tree::Span;
use crate::units::{Bytes, Time, Vcpu};

const CALLED: [Section; 10] = [
    Section::Alb,
    Section::Nlb,
    Section::Ecs,
    Section::Ec2,
    Section::Station,
    Section::Aurora,
    Section::Rds,
    Section::DynamoDb,
    Section::ElastiCache,
    Section::Dax,
];
/// Most steps of a handler, and most calls of a step.
const MAX_STEPS: usize = 100;
/// Most tasks of a service.
pub(super) const MAX_TASKS: u32 = 100_000;

impl Check<'_> {
    pub(super) fn services(&mut self, registrations: &[Registration]) -> Vec<Option<Settings>> {
        let doc = self.doc;
        self.part_names(&doc.ecs, "ecs");
        let mut built = Vec::new();
        for (n, (name, service)) in doc.ecs.entries.iter().enumerate() {
            let (id, groups) = (EcsId(n as u16), &registrations[n].groups);
            built.push(service.as_ref().map(|service| self.service(id, name, service, groups)));
        }
        built
    }

    fn service(
        &mut self,
        id: EcsId,
        name: &Sp<String>,
        service: &raw::Service,
        groups: &[(AlbId, TargetGroupId)],
    ) -> Settings {
        self.zones(&service.availability_zones, "a service");
        self.handlers_bounds(&service.handler, "ecs");
        let desired_count = self.count(&service.desired_count, "desired_count", 0, MAX_TASKS);
        let deployment = self.deployment(id, service);
        Settings {
            name: name.value.clone(),
            desired_count,
            zones: service.availability_zones.iter().map(|zone| zone.value.clone()).collect(),
            task: Task {
                vcpu: self.vcpu(&service.cpu),
                workers: self.count(&service.workers, "workers", 1, 1_000_000),
                backlog: service.backlog.as_ref().map(|n| n.value),
                concurrency: concurrency(service.concurrency.value),
                memory: self.memory(
                    service.span,
                    service.memory.as_ref(),
                    [&service.memory_base, &service.memory_per_request, &service.memory_leak_per_request],
                ),
            },
            container_instances: service.container_instances.as_ref().map(|it| self.container_instances(service, it)),
            launch_time: match (&service.launch_time, &service.container_instances) {
                (Some(time), _) => time.0.clone(),
                (None, Some(_)) => Distribution::constant(10.0).expect("a constant"),
                (None, None) => Distribution::constant(25.0).expect("a constant"),
            },
            image_bytes: service.image_size.0 as f64,
            pull_bytes_per_s: self.throughput(&service.image_pull_throughput),
            startup_time: service.startup_time.0.clone(),
            stop_timeout: self.time(&service.stop_timeout, "stop_timeout", 0.0, 86_400.0, ""),
            scheduler_interval: self.time(&service.scheduler_interval, "scheduler_interval", 0.1, 3600.0, ""),
            health_check_grace_period: self.delay(&service.health_check_grace_period, "health_check_grace_period"),
            container_check: service.health_check.as_ref().map(|check| self.container_check(check)),
            discovery_ttl: service
                .service_discovery_ttl
                .as_ref()
                .map(|ttl| self.time(ttl, "service_discovery_ttl", 0.0, 2_147_483_647.0, "Cloud Map")),
            healthy_after: self.delay(&service.healthy_after, "healthy_after"),
            handlers: service.handler.iter().map(|handler| self.handler(Endpoint::Ecs(id), handler)).collect(),
            handler_of_path: Vec::new(),
            deployment,
            target_groups: groups.to_vec(),
            error_rate: self.share(&service.error_rate, "error_rate"),
            health_check_cpu: self.delay(&service.health_check_cpu, "health_check_cpu"),
            metric_resolution: self.metric_resolution(&service.metric_resolution),
            publishes_backlog: !service.custom_metrics.is_empty(),
        }
    }

    /// The memory of a process; `span`: where its service stands. Needs: at the start, of a request, what a request leaves.
    pub(super) fn memory(&mut self, span: Span, limit: Option<&Sp<Bytes>>, needs: [&Sp<Bytes>; 3]) -> Option<Memory> {
        let Some(limit) = limit else {
            for (need, key) in needs.into_iter().zip(["memory_base", "memory_per_request", "memory_leak_per_request"]) {
                if need.span != span {
                    self.error(need.span, format!("`{key}` without `memory` means nothing"), "add memory = \"512MB\"");
                }
            }
            return None;
        };
        let [base, per_request, leak_per_request] = needs.map(|need| need.0 as f64);
        if base >= limit.0 as f64 {
            let title = "the memory in use from the start is all there is";
            self.error(limit.span, title, "more than `memory_base`");
        }
        Some(Memory { limit: limit.0 as f64, base, per_request, leak_per_request })
    }

    fn container_instances(&mut self, service: &raw::Service, given: &raw::ContainerInstances) -> ContainerInstances {
        let vcpu = given.cpu.as_ref().map(|cpu| self.vcpu(cpu));
        let vcpu = self.instance_type(&given.instance_type, vcpu).vcpu;
        let fewest = u32::from(given.managed_scaling.is_none());
        let count = self.count(&given.count, "count", fewest, 10_000);
        let needed = service.memory.as_ref().map_or(0.0, |memory| memory.0 as f64);
        let memory = given.memory.as_ref().map_or(f64::INFINITY, |memory| memory.0 as f64);
        let on_one =
            (vcpu / service.cpu.0).floor().min(if needed > 0.0 { (memory / needed).floor() } else { f64::MAX });
        if f64::from(count) * on_one < f64::from(service.desired_count.value) {
            let title = "the container instances have no room for the desired tasks";
            let label = format!("room for {on_one} on each of {count}");
            self.error(given.count.span, title, label);
        }
        let strategies = service.placement_strategy.iter().map(|strategy| placement(strategy.value)).collect();
        let instance_type = given.instance_type.value.clone();
        let managed = given.managed_scaling.as_ref().map(|managed| self.managed_scaling(managed, count, on_one));
        ContainerInstances { count, vcpu, memory, instance_type, strategies, managed }
    }

    fn managed_scaling(&mut self, given: &raw::ManagedScaling, count: u32, on_one: f64) -> ManagedScaling {
        let (least, most) =
            (self.count(&given.min_size, "min_size", 0, 10_000), self.count(&given.max_size, "max_size", 1, 10_000));
        if !(least..=most).contains(&count) {
            let label = format!("`count`, {count}, does not lie between");
            self.error(given.span, "the instances at the start are outside of min_size..max_size", label);
        }
        if on_one < 1.0 {
            self.error(given.span, "no task has room on an instance", "a larger instance type, or a smaller task");
        }
        ManagedScaling {
            max_size: most.max(count),
            launch_time: given.launch_time.0.clone(),
            termination_protection: given.managed_termination_protection.value,
        }
    }

    fn throughput(&mut self, throughput: &Sp<Bytes>) -> f64 {
        if throughput.0 == 0 {
            self.error(throughput.span, "an image would never be pulled", "more than 0, such as \"15MB\"");
        }
        (throughput.0 as f64).max(1.0)
    }

    fn container_check(&mut self, check: &raw::ContainerHealthCheck) -> ContainerCheck {
        ContainerCheck {
            interval: self.time(&check.interval, "interval", 5.0, 300.0, "ECS"),
            timeout: self.time(&check.timeout, "timeout", 2.0, 60.0, "ECS"),
            retries: self.count(&check.retries, "retries", 1, 10),
            start_period: self.time(&check.start_period, "start_period", 0.0, 300.0, "ECS"),
        }
    }

    pub(super) fn zones(&mut self, zones: &Sp<Vec<Sp<String>>>, who: &str) {
        if zones.is_empty() || zones.len() > 100 {
            self.error(zones.span, format!("{who} runs in at least one zone"), "such as [\"a\", \"b\"]");
        }
        self.distinct(zones.iter(), "zones");
        zones.iter().for_each(|zone| self.label(zone));
    }

    pub(super) fn handlers_bounds(&mut self, handlers: &Sp<Vec<raw::Handler>>, section: &str) {
        if handlers.is_empty() || handlers.len() > 1000 {
            let label = format!("at least one [[{section}.NAME.handler]], at most 1000");
            self.error(handlers.span, "a service without handlers answers nothing", label);
        }
    }

    fn metric_resolution(&mut self, resolution: &Sp<Time>) -> SimDuration {
        let allowed = [cloudwatch::PERIOD, cloudwatch::FINE_PERIOD];
        if !allowed.contains(&resolution.0) {
            self.error(resolution.span, "ECS publishes its metrics every 60s or every 20s", "\"60s\" or \"20s\"");
            return cloudwatch::PERIOD;
        }
        resolution.0
    }

    pub(super) fn vcpu(&mut self, cpu: &Sp<Vcpu>) -> f64 {
        if !(0.001..=1024.0).contains(&cpu.0) {
            self.error(cpu.span, "this number of vCPU is impossible", "more than 0, at most \"1024 vCPU\"");
        }
        cpu.0.clamp(0.001, 1024.0)
    }

    fn deployment(&mut self, id: EcsId, service: &raw::Service) -> DeploymentConfiguration {
        let (low, high) = (&service.minimum_healthy_percent, &service.maximum_percent);
        let mut whole = |share: f64, span: Span, what: &str, least: f64, most: f64| {
            let percent = (share * 100.0 * 1e6).round() / 1e6;
            if percent.fract() != 0.0 || percent < least || percent > most {
                let title = format!("{what} is a whole percentage from {least} to {most}");
                self.error(span, title, format!("such as \"{}%\"", percent.clamp(least, most).round()));
            }
            percent.clamp(least, most).round() as u32
        };
        let minimum = whole(low.0, low.span, "minimum_healthy_percent", 0.0, 100.0);
        let maximum = whole(high.0, high.span, "maximum_percent", 100.0, 200.0);
        let rolls = |deploy: &&crate::raw::deploy::Deploy| {
            !deploy.strategy.value.has_green()
                && self.look_up(&deploy.service).0.is_some_and(|(_, endpoint)| endpoint == Endpoint::Ecs(id))
        };
        if self.doc.deploy.iter().any(|deploy| rolls(&deploy)) {
            self.warn_if_stuck(service, minimum, maximum);
        }
        DeploymentConfiguration { minimum_healthy_percent: minimum, maximum_percent: maximum }
    }

    /// A rolling deployment that may neither start a new task nor stop an old one never ends.
    fn warn_if_stuck(&mut self, service: &raw::Service, minimum: u32, maximum: u32) {
        let desired = service.desired_count.value;
        let (lower, upper) = rolling_bounds(desired, minimum, maximum);
        if desired == 0 || desired > MAX_TASKS || upper > desired || lower < desired {
            return;
        }
        let exact = |percent: u32| f64::from(desired) * f64::from(percent) / 100.0;
        let place = [&service.maximum_percent.span, &service.minimum_healthy_percent.span, &service.desired_count.span]
            .into_iter()
            .find(|span| **span != service.span)
            .copied()
            .unwrap_or(service.span);
        let text = format!(
            "a rolling deployment of this service can never make progress: at least {lower} tasks stay healthy ({desired} x \
             {minimum}% = {}, rounded up), and at most {upper} run at once ({desired} x {maximum}% = {}, rounded down), so that no \
             task may start and none may stop; lower minimum_healthy_percent or raise maximum_percent",
            exact(minimum),
            exact(maximum),
        );
        self.warnings.push((place, text));
    }

    pub(super) fn handler(&mut self, from: Endpoint, handler: &raw::Handler) -> Handler {
        self.pattern(&handler.path);
        if handler.steps.len() > MAX_STEPS {
            self.error(handler.steps.span, "too many steps", format!("at most {MAX_STEPS}"));
        }
        Handler {
            path_pattern: handler.path.value.clone(),
            steps: handler.steps.iter().map(|step| self.step(from, step)).collect(),
            response_bytes: self.body(&handler.response_size, "response_size"),
        }
    }

    fn step(&mut self, from: Endpoint, step: &raw::Step) -> Step {
        let given = [
            step.cpu.as_ref().map(|cpu| ("cpu", cpu.span)),
            step.wait.as_ref().map(|wait| ("wait", wait.span)),
            step.call.as_ref().map(|call| ("call", call.span())),
            step.calls.as_ref().map(|calls| ("calls", calls.span)),
        ];
        let given: Vec<(&str, Span)> = given.into_iter().flatten().collect();
        match given.as_slice() {
            [_] => {}
            [] => self.error(step.span, "this step does nothing", "give `cpu`, `wait`, `call` or `calls`"),
            [(first, _), (second, span), ..] => {
                let title = format!("a step is either `{first}` or `{second}`, not both");
                let help = "steps are done one after the other: write two steps";
                self.note(Diagnostic::error(*span, title, "one too many").help(help));
            }
        }
        let given_calls = step.calls.iter().flat_map(|calls| calls.iter());
        let calls: Vec<Call> = step.call.iter().chain(given_calls).map(|call| self.call(from, call)).collect();
        if calls.len() > MAX_STEPS {
            self.error(step.span, "too many calls at once", format!("at most {MAX_STEPS}"));
        }
        let action = match (&step.cpu, &step.wait) {
            (Some(cpu), _) => StepAction::Cpu(cpu.0.clone()),
            (None, Some(wait)) => StepAction::Wait(wait.0.clone()),
            (None, None) => StepAction::Calls(calls),
        };
        Step { probability: self.share(&step.probability, "probability"), action }
    }

    fn call(&mut self, from: Endpoint, call: &raw::Call) -> Call {
        let (to, long) = match call {
            raw::Call::Short(to) => (to, None),
            raw::Call::Long(long) => (&long.to, Some(long)),
        };
        let (endpoint, rest) = self.endpoint_and_rest(to, &CALLED, Some(from), "the called part");
        let named = rest.map(|rest| Sp { value: rest.to_string(), span: to.span });
        let separate = long.and_then(|long| long.operation.clone());
        if let (Some(_), Some(second)) = (&named, &separate) {
            self.error(second.span, "the operation is given twice", "remove it here or in `to`");
        }
        let operation = self.operation(from, endpoint, named.or(separate).as_ref(), to.span);
        let path = long.and_then(|long| long.path.as_ref());
        let http = matches!(endpoint, Endpoint::Alb(_) | Endpoint::Ecs(_) | Endpoint::Ec2(_)) || endpoint == BROKEN;
        if let (Some(path), false) = (path, http) {
            self.error(path.span, "only load balancers, ECS services and EC2 groups have paths", "remove `path`");
        }
        let retry = self.call_retry(endpoint, long.map(|long| &**long));
        let near = match endpoint {
            Endpoint::ElastiCache(cache) => self.cache_rtt(from, cache),
            _ => self.part_rtt(from, endpoint),
        };
        let Some(long) = long else {
            return Call {
                to: endpoint,
                operation,
                path: self.path("/"),
                method: Method::Get,
                probability: 1.0,
                timeout: None,
                retry,
                rtt: near,
                required: true,
            };
        };
        if let Some(timeout) = long.timeout.as_ref().filter(|timeout| timeout.0.is_zero()) {
            self.error(timeout.span, "a timeout of nothing fails every call", "more than \"0s\", or leave it out");
        }
        let mut made = Call {
            to: endpoint,
            operation,
            path: match path {
                Some(path) => self.typed_path(path),
                None => self.path("/"),
            },
            method: method(long.method.value),
            probability: self.share(&long.probability, "probability"),
            timeout: long.timeout.as_ref().map(|timeout| timeout.0),
            retry,
            rtt: long.rtt.as_ref().map_or(near, |rtt| self.delay(rtt, "rtt")),
            required: long.required.value,
        };
        self.put_cache_before(from, long, &mut made);
        made
    }

    /// A call that looks aside goes to the cache, which knows what to do if nothing is there.
    fn put_cache_before(&mut self, from: Endpoint, long: &raw::LongCall, call: &mut Call) {
        let Some(cache) = &long.cache else { return };
        if let Endpoint::ElastiCache(_) = call.to {
            self.error(cache.span, "a cache stands before no other", "name the store in `to`");
            return;
        }
        let what = What::LookAside { store: call.to, operation: call.operation, rtt: call.rtt };
        if let Some((cache, number)) = self.look_aside(from, cache, what) {
            call.rtt = self.cache_rtt(from, cache);
            (call.to, call.operation) = (Endpoint::ElastiCache(cache), number);
        }
    }

    /// The number of an operation among those of the called part.
    fn operation(&mut self, from: Endpoint, to: Endpoint, name: Option<&Sp<String>>, span: Span) -> u16 {
        let doc = self.doc;
        match to {
            BROKEN => 0,
            Endpoint::Aurora(id) => match doc.statements_of(id.index()) {
                Some(statements) => self.one_operation(statements, name, span, "statement"),
                None => 0,
            },
            Endpoint::DynamoDb(id) => match &doc.dynamodb.entries[id.index()].1 {
                Some(table) => self.one_operation(&table.operations, name, span, "operation"),
                None => 0,
            },
            Endpoint::Station(id) => match (&doc.station.entries[id.index()].1, name) {
                (Some(station), Some(name)) => {
                    self.named(name, &station.classes, "class").map_or(0, |class| class as u16 + 1)
                }
                _ => 0,
            },
            Endpoint::Dax(id) => match self.table_behind(id) {
                Some(table) => self.operation(from, table, name, span),
                None => 0,
            },
            Endpoint::ElastiCache(cache) => self.cache_command(from, cache, name, span),
            _ => {
                if let Some(name) = name {
                    let title = "load balancers, ECS services and EC2 groups have paths, not operations";
                    self.error(name.span, title, "write { to = ..., path = ... }");
                }
                0
            }
        }
    }

    fn one_operation<T>(&mut self, all: &Named<T>, name: Option<&Sp<String>>, span: Span, what: &str) -> u16 {
        match (name, all.len()) {
            (Some(name), _) => self.named(name, all, what).unwrap_or(0) as u16,
            (None, 1) => 0,
            (None, 0) => {
                self.error(span, format!("this part has no {what}"), "nothing can be asked of it");
                0
            }
            (None, _) => {
                let label = advice("", all.names());
                self.error(span, format!("which {what} is called?"), label);
                0
            }
        }
    }

    fn call_retry(&mut self, to: Endpoint, call: Option<&raw::LongCall>) -> Retry {
        let table = matches!(to, Endpoint::DynamoDb(_) | Endpoint::Dax(_));
        if let Some(retry) = call.and_then(|call| call.retry.as_ref()) {
            if let Some(mode) = call.and_then(|call| call.retry_mode.as_ref()) {
                let error = Diagnostic::error(mode.span, "either `retry` or `retry_mode`, not both", "one too many");
                self.note(error.also(retry.span, "given here"));
            }
            if retry.mode.value == RetryMode::Adaptive {
                let error =
                    Diagnostic::error(retry.mode.span, "a task's calls have no adaptive mode", "not modelled yet");
                self.note(
                    error
                        .help("\"standard\" has its retry quota; the client's rate limit is there in [[traffic]] only"),
                );
            }
            return self.retry(retry, 0);
        }
        let otherwise = if table { raw::RetryMode::Legacy } else { raw::RetryMode::None };
        let mode = call.and_then(|call| call.retry_mode.as_ref()).map_or(otherwise, |mode| mode.value);
        sdk_retry(mode, table)
    }

    pub(super) fn match_paths(
        &mut self,
        cloudfront: &mut [Option<models::cloudfront::Settings>],
        albs: &mut [Option<models::alb::Settings>],
        ecs: &mut [Option<Settings>],
        ec2: &mut [Option<models::ec2::Settings>],
    ) {
        for distribution in cloudfront.iter_mut().flatten() {
            let patterns: Vec<&str> = distribution.behaviors.iter().map(|it| it.path_pattern.as_str()).collect();
            distribution.behavior_of_path = self.first_matches(&patterns, distribution.behaviors.len() as u16 - 1);
            for invalidation in &mut distribution.invalidations {
                let patterns: Vec<&str> = invalidation.paths.iter().map(String::as_str).collect();
                let of_path = self.first_matches(&patterns, u16::MAX);
                invalidation.has_path = of_path.into_iter().map(|at| at != u16::MAX).collect();
            }
        }
        for alb in albs.iter_mut().flatten() {
            self.match_rules(alb);
        }
        for service in ecs.iter_mut().flatten() {
            let patterns: Vec<&str> = service.handlers.iter().map(|it| it.path_pattern.as_str()).collect();
            service.handler_of_path = self.first_matches(&patterns, u16::MAX);
        }
        for group in ec2.iter_mut().flatten() {
            let patterns: Vec<&str> = group.handlers.iter().map(|it| it.path_pattern.as_str()).collect();
            group.handler_of_path = self.first_matches(&patterns, u16::MAX);
        }
    }
}

pub(super) fn concurrency(concurrency: raw::Concurrency) -> Concurrency {
    match concurrency {
        raw::Concurrency::Threaded => Concurrency::Threaded,
        raw::Concurrency::EventLoop => Concurrency::EventLoop,
    }
}

fn placement(strategy: raw::Placement) -> Placement {
    match strategy {
        raw::Placement::SpreadZone => Placement::SpreadZone,
        raw::Placement::SpreadInstance => Placement::SpreadInstance,
        raw::Placement::BinpackCpu => Placement::BinpackCpu,
        raw::Placement::BinpackMemory => Placement::BinpackMemory,
        raw::Placement::Random => Placement::Random,
    }
}

/// Fewest healthy and most tasks during a rolling deployment (ECS guide, service_definition_parameters): rounded up and down.
pub(crate) fn rolling_bounds(desired: u32, minimum_healthy_percent: u32, maximum_percent: u32) -> (u32, u32) {
    let share = |percent: u32| u64::from(desired) * u64::from(percent);
    (share(minimum_healthy_percent).div_ceil(100) as u32, (share(maximum_percent) / 100) as u32)
}

/// What AWS's SDKs do about failures (botocore/retries/standard.py, botocore/data/_retry.json).
fn sdk_retry(mode: raw::RetryMode, dynamodb: bool) -> Retry {
    match (mode, dynamodb) {
        (raw::RetryMode::None, _) => Retry::NEVER,
        (raw::RetryMode::Standard, _) => of_mode(RetryMode::Standard),
        (raw::RetryMode::Standard21, false) => of_mode(RetryMode::Standard21),
        (raw::RetryMode::Standard21, true) => {
            Retry { max_attempts: 4, backoff: SimDuration::from_millis(25), ..of_mode(RetryMode::Standard21) }
        }
        (raw::RetryMode::Legacy, true) => {
            Retry::plain(10, SimDuration::from_millis(50), SimDuration::from_secs(20), Jitter::None)
        }
        (raw::RetryMode::Legacy, false) => of_mode(RetryMode::Legacy),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_of_rolling_deployments_are_those_of_the_table() {
        let table = [
            (4, 100, 200, 4, 8),
            (4, 50, 100, 2, 4),
            (3, 100, 125, 3, 3),
            (1, 100, 150, 1, 1),
            (2, 75, 100, 2, 2),
            (3, 66, 100, 2, 3),
            (10, 90, 110, 9, 11),
            (7, 50, 150, 4, 10),
            (5, 80, 120, 4, 6),
        ];
        for (desired, minimum, maximum, lower, upper) in table {
            assert_eq!(rolling_bounds(desired, minimum, maximum), (lower, upper), "{desired}, {minimum}/{maximum}");
        }
    }

    #[test]
    fn legacy_mode_for_dynamodb_sleeps_25_55_s_in_all() {
        let retry = sdk_retry(raw::RetryMode::Legacy, true);
        let sleeps = (0..u32::from(retry.max_attempts) - 1).map(|n| retry.backoff.as_secs_f64() * f64::from(1u32 << n));
        assert!((sleeps.sum::<f64>() - 25.55).abs() < 1e-9);
    }

    #[test]
    fn the_mode_of_2026_tries_dynamodb_four_times_from_25_ms_on_and_others_thrice_from_50() {
        let of = |dynamodb| {
            let retry = sdk_retry(raw::RetryMode::Standard21, dynamodb);
            let quota = retry.quota.expect("it has one");
            assert_eq!((quota.tokens, quota.cost, quota.throttled_cost), (500, 14, 5));
            (retry.max_attempts, retry.backoff.as_secs_f64(), retry.throttled_backoff.as_secs_f64())
        };
        assert_eq!((of(true), of(false)), ((4, 0.025, 1.0), (3, 0.05, 1.0)));
    }
}
