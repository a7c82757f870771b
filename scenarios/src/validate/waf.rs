//! Web ACLs and what they look at.

use models::ids::*;
use models::waf::{Action, Rate, Rule, Settings};

use super::Check;
use crate::decode::Sp;
use crate::nearest::advice;
use crate::pattern;
use crate::raw::waf as raw;

/// Most rules of a web ACL.
const MAX_RULES: usize = 1000;
/// What an evaluation window may be, seconds.
const WINDOWS: [f64; 4] = [60.0, 120.0, 300.0, 600.0];

impl Check<'_> {
    /// Web ACLs, and whose requests they look at. Comes once all paths are known.
    pub(super) fn web_acls(&mut self) -> (Vec<Settings>, Vec<(Endpoint, WafId)>) {
        let doc = self.doc;
        self.part_names(&doc.waf, "waf");
        let acls: Vec<Settings> = doc.waf.iter().map(|(_, name, acl)| self.web_acl(name, acl)).collect();
        let albs = doc.alb.iter().map(|(n, _, it)| (Endpoint::Alb(AlbId(n as u16)), &it.web_acl));
        let edges = doc.cloudfront.iter().map(|(n, _, it)| (Endpoint::CloudFront(CloudFrontId(n as u16)), &it.web_acl));
        let mut placed = Vec::new();
        for (whose, name) in albs.chain(edges) {
            if let Some(id) = name.as_ref().and_then(|name| self.web_acl_named(name)) {
                placed.push((whose, id));
            }
        }
        for (n, (name, _)) in doc.waf.entries.iter().enumerate() {
            if !placed.iter().any(|(_, id)| id.index() == n) {
                self.warnings.push((
                    name.span,
                    format!("no load balancer and no distribution has web_acl = \"waf.{}\"", name.value),
                ));
            }
        }
        (acls, placed)
    }

    fn web_acl_named(&mut self, name: &Sp<String>) -> Option<WafId> {
        let found = name.strip_prefix("waf.").and_then(|name| self.doc.waf.position(name));
        if found.is_none() {
            let known: Vec<String> = self.doc.waf.names().map(|name| format!("waf.{name}")).collect();
            let label = advice(name, known.iter().map(String::as_str));
            self.error(name.span, format!("no web ACL is called `{}`", name.value), label);
        }
        found.map(|n| WafId(n as u16))
    }

    fn web_acl(&mut self, name: &Sp<String>, acl: &raw::WebAcl) -> Settings {
        self.distinct(acl.rule.iter().map(|rule| &rule.name), "rules of this web ACL");
        if acl.rule.len() > MAX_RULES {
            self.error(acl.rule.span, "too many rules", format!("at most {MAX_RULES}"));
        }
        Settings {
            name: name.value.clone(),
            default_action: match acl.default_action.value {
                raw::DefaultAction::Allow => Action::Allow,
                raw::DefaultAction::Block => Action::Block,
            },
            rules: acl.rule.iter().map(|rule| self.web_acl_rule(rule)).collect(),
        }
    }

    fn web_acl_rule(&mut self, rule: &raw::Rule) -> Rule {
        self.plain_name(&rule.name);
        let action = match rule.action.value {
            raw::RuleAction::Block => Action::Block,
            raw::RuleAction::Allow => Action::Allow,
            raw::RuleAction::Count => Action::Count,
        };
        if let (Some(_), Action::Allow) = (&rule.rate_based, action) {
            self.error(rule.action.span, "a rate-based rule cannot allow", "\"block\" or \"count\"");
        }
        let paths = rule.path_pattern.as_ref().map(|patterns| {
            self.words(patterns);
            patterns.0.iter().for_each(|pattern| self.pattern(pattern));
            let matches = |path: &String| patterns.0.iter().any(|pattern| pattern::matches(pattern, path));
            self.paths.iter().map(matches).collect()
        });
        let ip_set = rule.ip_set.as_ref().map_or_else(Vec::new, |blocks| {
            self.words(blocks);
            blocks.0.iter().filter_map(|block| self.block(block)).collect()
        });
        Rule {
            name: rule.name.value.clone(),
            action,
            paths,
            ip_set,
            share: self.share(&rule.sender_share, "sender_share"),
            rate: rule.rate_based.as_ref().map(|rate| self.rate_based(rate)),
            forwarded_ip: rule.aggregate_key_type.value == raw::AggregateKey::ForwardedIp,
        }
    }

    fn rate_based(&mut self, rate: &raw::RateBased) -> Rate {
        let window = rate.evaluation_window.0;
        if !WINDOWS.contains(&window.as_secs_f64()) {
            let title = "an evaluation window lasts 1, 2, 5 or 10 minutes";
            self.error(rate.evaluation_window.span, title, "\"1m\", \"2m\", \"5m\" or \"10m\"");
        }
        Rate {
            limit: self.count(&rate.limit, "limit", 100, 2_000_000_000),
            window,
            lag: self.time(&rate.lag, "lag", 0.0, 3600.0, ""),
        }
    }
}
