//! What queries are charged as (Route 53 pricing).

use sim_core::observations::Usage;

use super::*;

/// Queries by what they are charged as.
pub(super) type Billed = [u64; 3];

/// An ordinary query.
pub(super) const STANDARD: u8 = 0;
/// A query of a record with latency routing.
const LATENCY: u8 = 1;
/// A query of an alias of something of AWS's: free.
const ALIAS: u8 = 2;

/// What queries of a record are charged as. What latency, geolocation and geoproximity make of an answer is the same here; they are
/// taken for latency.
pub(super) fn billed_as(record: &Record) -> u8 {
    let is_awss = |answer: &Answer| {
        matches!(answer.endpoint, Endpoint::Alb(_) | Endpoint::CloudFront(_) | Endpoint::GlobalAccelerator(_))
    };
    match &record.policy {
        _ if record.alias && record.answers.iter().all(is_awss) => ALIAS,
        policy if policy.depends_on_place() => LATENCY,
        _ => STANDARD,
    }
}

/// Hands over what was used.
pub(super) fn of(billed: &Billed, findings: &mut Findings) {
    let kinds = [
        ("standard", ""),
        ("latency", "answers by place are charged as latency routing; by location they cost more"),
        ("alias", "aliases of load balancers, distributions and accelerators"),
    ];
    for ((kind, assumed), count) in kinds.into_iter().zip(billed) {
        let usage = Usage::new("route53", "route53.queries", *count as f64, "query");
        findings.used(usage.of_kind(kind).assuming(assumed));
    }
}
