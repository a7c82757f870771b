//! Names, health checks and resolvers.

use models::ids::*;
use models::route53::{Answer, HealthCheck, Record, Resolvers, RoutingPolicy, Settings};
use sim_core::SimDuration;

use super::{BROKEN, Check, Section};
use crate::decode::Sp;
use crate::diagnostics::Diagnostic;
use crate::raw::route53 as raw;

const TARGETS: [Section; 5] =
    [Section::CloudFront, Section::GlobalAccelerator, Section::Alb, Section::Ecs, Section::Station];
/// TTL of an alias to a load balancer, and of a record that says nothing; also in the language's declaration.
pub(crate) const TTL: SimDuration = SimDuration::from_secs(60);

impl Check<'_> {
    pub(super) fn route53(&mut self) -> Settings {
        let doc = self.doc;
        let records = doc.route53.entries.iter().enumerate().map(|(n, (name, record))| match record {
            Some(record) => self.record(RecordId(n as u16), name, record),
            None => Record { name: name.value.clone(), ttl: TTL, policy: RoutingPolicy::Simple(BROKEN) },
        });
        let records = records.collect();
        self.part_names(&doc.health_check, "health_check");
        let health_checks = doc.health_check.iter().map(|(_, name, check)| self.health_check(name, check)).collect();
        let resolvers = &doc.resolvers;
        Settings {
            records,
            health_checks,
            resolvers: Resolvers {
                count: self.count(&resolvers.count, "the number of resolvers", 1, 100_000),
                client_rtt: self.delay(&resolvers.client_rtt, "client_rtt"),
                authoritative_rtt: self.delay(&resolvers.authoritative_rtt, "authoritative_rtt"),
                client_cache: resolvers.client_cache.value,
            },
            propagation: self.delay(&resolvers.propagation, "propagation"),
        }
    }

    fn record(&mut self, id: RecordId, name: &Sp<String>, record: &raw::Record) -> Record {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '*');
        if name.is_empty() || name.len() > 255 || !name.chars().all(plain) {
            let title = format!("`{}` is no DNS name", name.value);
            self.error(name.span, title, "letters, digits, `-`, `_` and dots, up to 255");
        } else if Section::ALL.iter().any(|section| name.split('.').next() == Some(section.prefix())) {
            let title = format!("`{}` could be confused with a part of the architecture", name.value);
            self.error(name.span, title, "begin it with another word");
        }
        let policy = self.policy(id, record);
        let endpoints: Vec<Endpoint> = match &policy {
            RoutingPolicy::Simple(endpoint) => vec![*endpoint],
            RoutingPolicy::Weighted(answers) => answers.iter().map(|answer| answer.endpoint).collect(),
            RoutingPolicy::Failover { primary, secondary } => vec![primary.endpoint, secondary.endpoint],
        };
        let aws = |endpoint: &Endpoint| {
            matches!(endpoint, Endpoint::Alb(_) | Endpoint::CloudFront(_) | Endpoint::GlobalAccelerator(_))
        };
        let can_be_alias = endpoints.iter().all(aws);
        let alias = record.alias.as_ref().map_or(can_be_alias, |alias| alias.value);
        if let (Some(wanted), false) = (&record.alias, can_be_alias || endpoints.contains(&BROKEN))
            && wanted.value
        {
            self.error(wanted.span, "only load balancers and distributions can have an alias", "remove `alias`");
        }
        if let (Some(ttl), true) = (&record.ttl, alias) {
            let title = "an alias has its target's TTL: 60 s";
            let error = Diagnostic::error(ttl.span, title, "remove `ttl`");
            self.note(error.help("or write alias = false: a CNAME, which has a TTL of its own"));
        }
        let ttl = record.ttl.as_ref().map_or(TTL, |ttl| self.time(ttl, "ttl", 0.0, 7.0 * 86_400.0, ""));
        Record { name: name.value.clone(), ttl, policy }
    }

    fn policy(&mut self, id: RecordId, record: &raw::Record) -> RoutingPolicy {
        let from = Some(Endpoint::Record(id));
        if record.routing_policy.value == raw::RoutingPolicy::Simple {
            if let Some(records) = &record.records {
                let title = "simple routing has one `target`, not `records`";
                self.error(records.span, title, "give routing_policy = \"weighted\" or \"failover\"");
            }
            let Some(target) = &record.target else {
                if record.records.is_none() {
                    self.error(record.span, "this name resolves to nothing", "`target` is missing");
                }
                return RoutingPolicy::Simple(BROKEN);
            };
            return RoutingPolicy::Simple(self.endpoint(target, &TARGETS, from, "`target`"));
        }
        let word = if record.routing_policy.value == raw::RoutingPolicy::Weighted { "weighted" } else { "failover" };
        if let Some(target) = &record.target {
            let title = format!("{word} routing has `records`, not one `target`");
            self.error(target.span, title, "write records = [{ target = ... }, ...]");
        }
        let Some(records) = &record.records else {
            if record.target.is_none() {
                self.error(record.span, "this name resolves to nothing", "`records` is missing");
            }
            return RoutingPolicy::Simple(BROKEN);
        };
        if records.len() > 1000 {
            self.error(records.span, "too many answers", "at most 1000");
        }
        match record.routing_policy.value {
            raw::RoutingPolicy::Weighted => self.weighted(records, from),
            _ => self.failover(records, from),
        }
    }

    fn weighted(&mut self, records: &Sp<Vec<raw::Answer>>, from: Option<Endpoint>) -> RoutingPolicy {
        if records.is_empty() {
            self.error(records.span, "there is no answer to choose", "at least one { target, weight }");
        }
        let mut answers = Vec::new();
        for answer in records.iter() {
            if let Some(role) = &answer.failover {
                self.error(role.span, "only failover routing has roles", "give `weight` instead");
            }
            if answer.weight.is_none() {
                self.error(answer.span, "an answer under weighted routing lacks `weight`", "0..=255");
            }
            answers.push(self.answer(answer, from));
        }
        RoutingPolicy::Weighted(answers)
    }

    fn failover(&mut self, records: &Sp<Vec<raw::Answer>>, from: Option<Endpoint>) -> RoutingPolicy {
        for answer in records.iter() {
            if let Some(weight) = &answer.weight {
                self.error(weight.span, "only weighted routing has weights", "give `failover` instead");
            }
            if answer.failover.is_none() {
                let title = "an answer under failover routing lacks `failover`";
                self.error(answer.span, title, "\"PRIMARY\" or \"SECONDARY\"");
            }
        }
        let mut of = |role: raw::FailoverRole, word: &str| -> Answer {
            let having = |answer: &&raw::Answer| answer.failover.as_ref().is_some_and(|given| given.value == role);
            let all: Vec<&raw::Answer> = records.iter().filter(having).collect();
            if let [_, second, ..] = all.as_slice() {
                self.error(second.span, format!("there are two {word} answers"), "one too many");
            }
            match all.first() {
                Some(answer) => self.answer(answer, from),
                None => {
                    if records.iter().all(|answer| answer.failover.is_some()) {
                        self.error(
                            records.span,
                            format!("there is no {word} answer"),
                            "failover routing needs one of each",
                        );
                    }
                    Answer { endpoint: BROKEN, weight: 0, health_check: None }
                }
            }
        };
        let primary = of(raw::FailoverRole::Primary, "PRIMARY");
        let secondary = of(raw::FailoverRole::Secondary, "SECONDARY");
        RoutingPolicy::Failover { primary, secondary }
    }

    fn answer(&mut self, answer: &raw::Answer, from: Option<Endpoint>) -> Answer {
        let doc = self.doc;
        Answer {
            endpoint: self.endpoint(&answer.target, &TARGETS, from, "`target`"),
            weight: answer.weight.as_ref().map_or(0, |weight| self.count(weight, "weight", 0, 255) as u8),
            health_check: answer
                .health_check
                .as_ref()
                .and_then(|name| self.named(name, &doc.health_check, "health check")),
        }
    }

    fn health_check(&mut self, name: &Sp<String>, check: &raw::HealthCheck) -> HealthCheck {
        let interval = check.request_interval.0;
        if interval != SimDuration::from_secs(30) && interval != SimDuration::from_secs(10) {
            let label = "\"30s\", or \"10s\" (fast)";
            self.error(check.request_interval.span, "Route 53 probes every 30 or every 10 seconds", label);
        }
        HealthCheck {
            name: name.value.clone(),
            endpoint: self.endpoint(&check.target, &TARGETS, None, "`target`"),
            path: self.typed_path(&check.resource_path),
            request_interval: interval,
            failure_threshold: self.count(&check.failure_threshold, "failure_threshold", 1, 10),
            checkers: self.count(&check.checkers, "checkers", 1, 1000) as u16,
            timeout: self.time(&check.timeout, "timeout", 0.001, 60.0, ""),
        }
    }
}
