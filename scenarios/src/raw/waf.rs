//! Web ACLs of AWS WAF.

use crate::decode::{Sp, choice, table};
use crate::raw::alb::Words;
use crate::units::{Share, Time};

table! {
    /// A web ACL: rules that look at requests before a load balancer or a distribution does, which names it as its web_acl.
    WebAcl as "[waf]" {
        /// What becomes of requests that no rule decides on.
        default("allow", "assumption (API:wafv2 has no default)") default_action: Sp<DefaultAction>,
        /// Rules in order of priority: [[waf.edge.rule]].
        default([], "none") rule: Sp<Vec<Rule>>,
    }
    not ["managed_rule_groups", "captcha", "challenge", "bot_control", "capacity"]
}

table! {
    /// A rule of a web ACL: it matches requests for which all of its statements hold.
    Rule as "a rule of a web ACL" {
        /// Its name, for metrics and reports.
        required name: Sp<String>,
        /// What is done with requests that match: "block" (403), "allow", or "count" (and the next rule looks at them).
        required action: Sp<RuleAction>,
        /// Path pattern with `*` and `?`, or several, one of which is enough.
        optional("any path", "WAF guide, string match rule statement") path_pattern: Sp<Words>,
        /// Blocks of addresses (CIDR), one or several: see source_ip of traffic.
        optional("any address", "WAF guide, IP set match rule statement") ip_set: Sp<Words>,
        /// This share of the senders, always the same: what a list or a managed rule group catches of them.
        default("100%", "all that the other statements leave") sender_share: Sp<Share>,
        /// The sender asks too often.
        optional("however often it asks", "WAF guide, rate-based rule statement") rate_based: RateBased,
        /// How senders are told apart.
        default("IP", "API:wafv2 (AggregateKeyType)") aggregate_key_type: Sp<AggregateKey>,
    }
    not ["captcha", "challenge", "geo_match", "regex", "size_constraint", "sqli", "xss", "custom_response"]
}

table! {
    /// A rate-based statement.
    RateBased as "a rate-based statement" {
        /// Requests in the evaluation window beyond which a sender's requests match.
        required limit: Sp<u32>,
        /// How far back requests are counted: 1, 2, 5 or 10 minutes.
        default("5m", "API:wafv2 (EvaluationWindowSec: 300)") evaluation_window: Sp<Time>,
        /// From a look at the counts, every 10 s, until it is acted on, both to begin and to stop limiting.
        default("15s", "assumption: WAF guide, rate-based rule caveats: usually under 30 s, possibly minutes") lag: Sp<Time>,
    }
    not ["custom_keys", "scope_down_statement"]
}

choice! {
    /// What becomes of requests that no rule decides on.
    DefaultAction {
        /// They go on.
        Allow = "allow",
        /// They get 403.
        Block = "block",
    } not []
}

choice! {
    /// What a rule does.
    RuleAction {
        /// 403.
        Block = "block",
        /// The request goes on, past the rules that come later.
        Allow = "allow",
        /// It is counted.
        Count = "count",
    } not ["captcha", "challenge"]
}

choice! {
    /// How senders are told apart.
    AggregateKey {
        /// By the other end of the connection: behind a distribution that is CloudFront, the same for all viewers of an edge.
        Ip = "IP",
        /// By X-Forwarded-For: the viewer, also behind a distribution.
        ForwardedIp = "FORWARDED_IP",
    } not ["CONSTANT", "CUSTOM_KEYS"]
}
