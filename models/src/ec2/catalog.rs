//! Instance types: vCPU, and what burstable ones earn.

use super::InstanceType;
use super::credits::Rates;

/// vCPU by size, of families that follow the usual pattern (EC2 instance types: a large has 2 vCPU, an xlarge 4, then so many
/// times an xlarge).
const SIZES: [(&str, u32); 12] = [
    ("medium", 1),
    ("large", 2),
    ("xlarge", 4),
    ("2xlarge", 8),
    ("4xlarge", 16),
    ("8xlarge", 32),
    ("9xlarge", 36),
    ("12xlarge", 48),
    ("16xlarge", 64),
    ("18xlarge", 72),
    ("24xlarge", 96),
    ("32xlarge", 128),
];

/// Families with steady performance and the sizes they have (EC2 instance types).
const FAMILIES: [(&[&str], &[&str]); 5] = [
    (
        &["m6g", "m7g", "c6g", "c7g", "r6g", "r7g"],
        &["medium", "large", "xlarge", "2xlarge", "4xlarge", "8xlarge", "12xlarge", "16xlarge"],
    ),
    (
        &["m5", "m5a", "r5", "r5a"],
        &["large", "xlarge", "2xlarge", "4xlarge", "8xlarge", "12xlarge", "16xlarge", "24xlarge"],
    ),
    (
        &["m6i", "m7i", "c6i", "c7i", "r6i", "r7i", "m6a", "c6a", "r6a"],
        &["large", "xlarge", "2xlarge", "4xlarge", "8xlarge", "12xlarge", "16xlarge", "24xlarge"],
    ),
    (&["c5"], &["large", "xlarge", "2xlarge", "4xlarge", "9xlarge", "12xlarge", "18xlarge", "24xlarge"]),
    (&["c5a"], &["large", "xlarge", "2xlarge", "4xlarge", "8xlarge", "12xlarge", "16xlarge", "24xlarge"]),
];

/// Burstable sizes: vCPU and credits an hour (EC2 user guide, burstable-credits-baseline-concepts).
const T2: [(&str, u32, f64); 7] = [
    ("nano", 1, 3.0),
    ("micro", 1, 6.0),
    ("small", 1, 12.0),
    ("medium", 2, 24.0),
    ("large", 2, 36.0),
    ("xlarge", 4, 54.0),
    ("2xlarge", 8, 81.6),
];
const T3: [(&str, u32, f64); 7] = [
    ("nano", 2, 6.0),
    ("micro", 2, 12.0),
    ("small", 2, 24.0),
    ("medium", 2, 24.0),
    ("large", 2, 36.0),
    ("xlarge", 4, 96.0),
    ("2xlarge", 8, 192.0),
];

/// Launch credits of T2 per vCPU (EC2 user guide, burstable-performance-instances-standard-mode-concepts).
const LAUNCH_CREDITS: f64 = 30.0;

fn burstable(family: &str) -> Option<&'static [(&'static str, u32, f64); 7]> {
    match family {
        "t2" => Some(&T2),
        "t3" | "t3a" | "t4g" => Some(&T3),
        _ => None,
    }
}

/// An instance type by its name; `None` if it is not in the table.
#[must_use]
pub fn instance_type(name: &str) -> Option<InstanceType> {
    let (family, size) = name.split_once('.')?;
    if let Some(sizes) = burstable(family) {
        let &(_, vcpu, earned_per_hour) = sizes.iter().find(|(known, ..)| *known == size)?;
        let t2 = family == "t2";
        let launch_credits = if t2 { LAUNCH_CREDITS * f64::from(vcpu) } else { 0.0 };
        let rates = Rates { earned_per_hour, launch_credits, kept_on_stop: !t2 };
        return Some(InstanceType { name: name.to_owned(), vcpu: f64::from(vcpu), credits: Some(rates) });
    }
    let (_, sizes) = FAMILIES.iter().find(|(families, _)| families.contains(&family))?;
    sizes.iter().find(|known| **known == size)?;
    let (_, vcpu) = SIZES.iter().find(|(known, _)| *known == size)?;
    Some(InstanceType { name: name.to_owned(), vcpu: f64::from(*vcpu), credits: None })
}

/// All names in the table.
pub fn names() -> impl Iterator<Item = String> {
    let bursting =
        ["t2", "t3", "t3a", "t4g"].into_iter().flat_map(|family| T3.map(|(size, ..)| format!("{family}.{size}")));
    let steady = FAMILIES.iter().flat_map(|(families, sizes)| {
        families.iter().flat_map(|family| sizes.iter().map(move |size| format!("{family}.{size}")))
    });
    bursting.chain(steady)
}
