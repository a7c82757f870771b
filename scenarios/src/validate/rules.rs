//! Listener rules: their order, their conditions, what they do, and which of them the requests of a path may meet.

use std::net::Ipv4Addr;

use indexmap::IndexSet;
use models::address::Block;
use models::alb::{Action, Conditions, Forward, Rule, Settings};
use models::ids::*;

use super::Check;
use super::traffic::method;
use crate::decode::{Named, Sp};
use crate::diagnostics::Diagnostic;
use crate::pattern;
use crate::raw::alb as raw;
use crate::raw::traffic as asked;
use crate::tree::Span;

/// Most values of a rule's conditions (quota, Elastic Load Balancing).
const MAX_VALUES: usize = 5;

impl Check<'_> {
    pub(super) fn rules(&mut self, alb: &raw::Alb) -> Vec<Rule> {
        if alb.rule.len() > 1000 {
            self.error(alb.rule.span, "too many listener rules", "at most 1000");
        }
        let mut rules: Vec<Rule> = Vec::new();
        for raw in self.in_order(alb) {
            let rule = self.rule(alb, raw);
            if rules.iter().any(is_default) {
                let title = "no request reaches this rule: one before it has no conditions";
                let span = raw.path_pattern.0.first().map_or(raw.span, |pattern| pattern.span);
                self.error(span, title, "move the rule without conditions to the end");
            }
            rules.push(rule);
        }
        if !rules.last().is_some_and(is_default) {
            match alb.target_group.len() {
                1 => rules.push(Rule::any(Action::forward(TargetGroupId(0)))),
                0 if alb.rule.is_empty() => {
                    let title = "this load balancer has neither target groups nor rules";
                    self.error(alb.span, title, "add [alb.NAME.target_group.NAME] with `targets`");
                }
                _ => {
                    let title = "this load balancer has no default rule";
                    let error = Diagnostic::error(alb.span, title, "what becomes of requests that no rule has?");
                    self.note(error.help("add a last rule with path_pattern = \"*\" and forward or fixed_response"));
                }
            }
        }
        rules
    }

    /// Rules by priority, the default rule last; as written where they have none.
    fn in_order<'a>(&mut self, alb: &'a raw::Alb) -> Vec<&'a raw::Rule> {
        let mut rules: Vec<&raw::Rule> = alb.rule.iter().collect();
        if rules.iter().all(|rule| rule.priority.is_none()) {
            return rules;
        }
        let mut seen: Vec<(u32, Span)> = Vec::new();
        for rule in &rules {
            match &rule.priority {
                Some(priority) => {
                    self.count(priority, "priority", 1, 50_000);
                    if let Some((_, first)) = seen.iter().find(|(number, _)| *number == priority.value) {
                        let title = format!("there are two rules of priority {}", priority.value);
                        self.note(Diagnostic::error(priority.span, title, "again here").also(*first, "first here"));
                    }
                    seen.push((priority.value, priority.span));
                }
                None if has_conditions(rule) => {
                    self.error(rule.span, "this rule lacks `priority`", "other rules of this load balancer have one");
                }
                None => {}
            }
        }
        rules.sort_by_key(|rule| rule.priority.as_ref().map_or(u32::MAX, |priority| priority.value));
        rules
    }

    fn rule(&mut self, alb: &raw::Alb, rule: &raw::Rule) -> Rule {
        self.words(&rule.path_pattern);
        rule.path_pattern.0.iter().for_each(|pattern| self.pattern(pattern));
        if count_values(rule) > MAX_VALUES {
            let label = format!("at most {MAX_VALUES} in all its conditions");
            self.error(rule.span, "this rule has too many values", label);
        }
        Rule {
            path_patterns: rule.path_pattern.0.iter().map(|pattern| pattern.value.clone()).collect(),
            conditions: self.conditions(rule),
            action: self.action(alb, rule),
        }
    }

    pub(super) fn words(&mut self, words: &Sp<raw::Words>) {
        if words.0.is_empty() {
            self.error(words.span, "a condition without values never holds", "at least one");
        }
    }

    fn conditions(&mut self, rule: &raw::Rule) -> Conditions {
        if let Some(hosts) = &rule.host_header {
            self.words(hosts);
            hosts.0.iter().for_each(|host| self.pattern(host));
        }
        rule.http_header.iter().for_each(|header| self.words(&header.values));
        let methods = rule.http_request_method.iter().flat_map(|methods| methods.iter());
        let methods = methods.map(|it| method(it.value)).collect();
        if let Some(methods) = rule.http_request_method.as_ref().filter(|methods| methods.is_empty()) {
            self.error(methods.span, "a condition without values never holds", "at least one");
        }
        let sources = rule.source_ip.as_ref().map_or_else(Vec::new, |blocks| {
            self.words(blocks);
            blocks.0.iter().filter_map(|block| self.block(block)).collect()
        });
        let by_route = rule.host_header.is_some() || !rule.http_header.is_empty() || !rule.query_string.is_empty();
        let routes = by_route.then(|| {
            let routes = self.doc.traffic.iter().flat_map(|source| source.routes.iter().map(move |it| (source, it)));
            let fits: Vec<bool> = routes.map(|(source, route)| self.fits(rule, source, route)).collect();
            if !fits.contains(&true) {
                self.warnings
                    .push((rule.span, "no route of traffic meets the conditions of this listener rule".into()));
            }
            fits
        });
        Conditions { routes, methods, sources }
    }

    /// Whether a route's host, headers and query string meet a rule's conditions.
    fn fits(&self, rule: &raw::Rule, source: &asked::Traffic, route: &asked::Route) -> bool {
        let of_name = self.doc.route53.position(&source.to).map(|_| source.to.as_str());
        let host = route.host.as_ref().map(|host| host.as_str()).or(of_name).unwrap_or_default();
        let host_fits = rule.host_header.as_ref().is_none_or(|hosts| hosts.0.iter().any(|it| is_like(it, host)));
        let header_fits = |header: &raw::HttpHeader| {
            let values = &header.values;
            found(&route.http_headers, &header.name).any(|value| values.0.iter().any(|it| is_like(it, value)))
        };
        let query_fits = |query: &raw::QueryString| match &query.key {
            Some(key) => found(&route.query, key).any(|value| is_like(&query.value, value)),
            None => route.query.iter().any(|(_, _, value)| is_like(&query.value, value)),
        };
        host_fits
            && rule.http_header.iter().all(header_fits)
            && (rule.query_string.is_empty() || rule.query_string.iter().any(query_fits))
    }

    /// A block of IPv4 addresses.
    pub(super) fn block(&mut self, text: &Sp<String>) -> Option<Block> {
        let (address, prefix) = text.split_once('/').unwrap_or((text, "32"));
        let read = address.parse::<Ipv4Addr>().ok().zip(prefix.parse::<u8>().ok().filter(|prefix| *prefix <= 32));
        let Some((address, prefix)) = read else {
            let error = Diagnostic::error(text.span, format!("`{}` is no block of addresses", text.value), "not CIDR");
            self.note(error.help("write \"203.0.113.0/24\"; IPv6 is not modelled"));
            return None;
        };
        let block = Block { first: u32::from(address), prefix };
        if u64::from(block.first) % block.size() != 0 {
            let first = Ipv4Addr::from(block.first & !((block.size() - 1) as u32));
            self.error(text.span, "this address is not the first of its block", format!("write \"{first}/{prefix}\""));
        }
        Some(block)
    }

    fn action(&mut self, alb: &raw::Alb, rule: &raw::Rule) -> Action {
        let nothing = Action::FixedResponse(503);
        let given = [
            rule.forward.as_ref().map(|it| it.span),
            rule.fixed_response.as_ref().map(|it| it.span),
            rule.redirect.as_ref().map(|it| it.span),
        ];
        match given.into_iter().flatten().collect::<Vec<Span>>()[..] {
            [] => {
                self.error(rule.span, "this rule does nothing", "give `forward`, `fixed_response` or `redirect`");
                return nothing;
            }
            [_] => {}
            [_, second, ..] => {
                self.error(second, "a rule forwards, answers or redirects: one of them", "remove one of them");
                return nothing;
            }
        }
        if let (Some(stickiness), None) = (&rule.target_group_stickiness, &rule.forward) {
            self.error(stickiness.span, "only a rule that forwards has target groups to stay with", "remove it");
        }
        match (&rule.forward, &rule.fixed_response, &rule.redirect) {
            (Some(forward), ..) => self.forward(alb, rule, forward),
            (_, Some(status), _) => {
                Action::FixedResponse(self.count(status, "an HTTP status of a fixed response", 200, 599) as u16)
            }
            (.., Some(redirect)) => {
                if redirect.path.contains(['*', '?', '#']) {
                    let label = "no wildcards and no #{path}";
                    self.error(redirect.path.span, "a redirect goes to one path", label);
                }
                let status = match redirect.status_code.value {
                    raw::RedirectStatus::Permanent => 301,
                    raw::RedirectStatus::Found => 302,
                };
                Action::Redirect { status, path: self.typed_path(&redirect.path) }
            }
            (None, None, None) => nothing,
        }
    }

    fn forward(&mut self, alb: &raw::Alb, rule: &raw::Rule, forward: &Sp<raw::Forward>) -> Action {
        if forward.0.is_empty() || forward.0.len() > 5 {
            self.error(forward.span, "a rule forwards to one to five target groups", "ALB's limit is five");
        }
        let mut groups = Vec::new();
        for (name, weight) in &forward.0 {
            let weight = self.count(weight, "a target group's weight", 0, 999);
            if let Some(n) = self.named(name, &alb.target_group, "target group") {
                groups.push((TargetGroupId(n as u16), weight));
            }
        }
        if !groups.is_empty() && groups.iter().all(|(_, weight)| *weight == 0) {
            self.error(forward.span, "all weights of this rule are 0", "at least one above 0");
        }
        let stickiness = rule.target_group_stickiness.as_ref();
        let stickiness = stickiness.map(|time| self.time(time, "target_group_stickiness", 1.0, 604_800.0, "ALB"));
        Action::Forward(Forward { groups, stickiness })
    }

    /// Finds for each path which rules its requests may meet: those that have the path, up to the first without other
    /// conditions.
    pub(super) fn match_rules(&self, alb: &mut Settings) {
        let mut ways: IndexSet<Vec<u16>> = IndexSet::new();
        alb.way_of_path.clear();
        for path in &self.paths {
            let mut way = Vec::new();
            for (number, rule) in alb.rules.iter().enumerate() {
                if rule.path_patterns.iter().any(|pattern| pattern::matches(pattern, path)) {
                    way.push(number as u16);
                    if rule.conditions.is_empty() {
                        break;
                    }
                }
            }
            alb.way_of_path.push(ways.insert_full(way).0 as u16);
        }
        alb.ways = ways.into_iter().collect();
    }
}

/// Whether a rule is for every request.
fn is_default(rule: &Rule) -> bool {
    rule.conditions.is_empty() && rule.path_patterns.iter().any(|pattern| pattern == "*")
}

fn has_conditions(rule: &raw::Rule) -> bool {
    !rule.path_pattern.0.iter().any(|pattern| pattern.value == "*") || count_values(rule) > 0
}

/// Values of all conditions; the pattern `*` is none.
fn count_values(rule: &raw::Rule) -> usize {
    let paths = rule.path_pattern.0.iter().filter(|pattern| pattern.value != "*").count();
    let words = |words: &Option<Sp<raw::Words>>| words.as_ref().map_or(0, |words| words.0.len());
    let methods = rule.http_request_method.as_ref().map_or(0, |methods| methods.len());
    let headers: usize = rule.http_header.iter().map(|header| header.values.0.len()).sum();
    paths + words(&rule.host_header) + words(&rule.source_ip) + methods + headers + rule.query_string.len()
}

/// Whether a pattern has a text, whatever the case.
fn is_like(pattern: &str, text: &str) -> bool {
    pattern::matches(&pattern.to_lowercase(), &text.to_lowercase())
}

/// The values of a name, whatever its case.
fn found<'a>(among: &'a Named<Sp<String>>, name: &'a str) -> impl Iterator<Item = &'a str> {
    among.iter().filter(move |(_, key, _)| key.eq_ignore_ascii_case(name)).map(|(_, _, value)| value.as_str())
}
