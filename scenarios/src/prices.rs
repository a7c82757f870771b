//! Files of prices: the list that is built in, and those of users.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use sim_core::prices::{EVERYWHERE, Price};

use crate::Source;
use crate::decode::{Decode, Decoder, Sp};
use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::nearest::advice;
use crate::raw::cost::{Price as Raw, PriceFile};
use crate::tree::{Span, parse_document};

/// The price list that is built in, as text.
pub const BUILT_IN: &str = include_str!("../prices/aws.toml");
/// What is replaced by an entry of a user's list.
fn key(price: &Price) -> (&str, &str, &str) {
    (&price.item, &price.kind, &price.region)
}

/// The built-in list.
pub(crate) fn built_in() -> &'static [Price] {
    static PRICES: OnceLock<Vec<Price>> = OnceLock::new();
    PRICES.get_or_init(|| {
        let source = Source { name: "prices".into(), text: BUILT_IN.into() };
        read(&source).expect("the built-in prices are right").1
    })
}

/// The built-in list with what a file says instead or beside it.
pub(crate) fn with(source: &Source) -> Result<Vec<Price>, Diagnostics> {
    let (replace, own) = read(source)?;
    let mut all: Vec<Price> = if replace { Vec::new() } else { built_in().to_vec() };
    all.retain(|known| own.iter().all(|price| key(price) != key(known)));
    all.extend(own);
    Ok(all)
}

/// Whether a file takes the place of the built-in list, and its prices.
fn read(source: &Source) -> Result<(bool, Vec<Price>), Diagnostics> {
    let wrong = |list| Diagnostics::new(vec![source.clone()], list);
    let root = parse_document(&source.text, 0).map_err(wrong)?;
    let mut decoder = Decoder::default();
    let file = PriceFile::decode(&root, &mut decoder);
    let mut errors = decoder.errors;
    let Some(file) = file else { return Err(wrong(errors)) };
    let mut seen: BTreeMap<(String, String, String), Span> = BTreeMap::new();
    let mut all = Vec::new();
    let found: Vec<(Price, Span)> = file.price.iter().flat_map(|raw| one(raw, &mut errors)).collect();
    for (price, span) in found {
        let key = (price.item.clone(), price.kind.clone(), price.region.clone());
        if let Some(first) = seen.insert(key, span) {
            let title = format!("there are two prices of {} {} in {}", price.item, price.kind, price.region);
            errors.push(Diagnostic::error(span, title, "again here").also(first, "first here"));
        }
        all.push(price);
    }
    if errors.is_empty() { Ok((file.replace.value, all)) } else { Err(wrong(errors)) }
}

/// The prices of an entry, and where each stands.
fn one(raw: &Raw, errors: &mut Vec<Diagnostic>) -> Vec<(Price, Span)> {
    let mut error = |span: Span, title: &str, label: &str| {
        if span != Span::NOWHERE {
            errors.push(Diagnostic::error(span, title, label));
        }
    };
    let region = raw.region.value.clone();
    if region != EVERYWHERE && models::geography::region(&region).is_none() {
        let known = models::geography::atlas::REGIONS.iter().map(|region| region.code);
        error(raw.region.span, &format!("`{region}` is no Region"), &advice(&region, known.chain([EVERYWHERE])));
    }
    let Some((amount, unit)) = parse_per(&raw.per) else {
        error(raw.per.span, "this says not for how much the price is", "such as \"hour\" or \"1M request\"");
        return Vec::new();
    };
    if !is_date(&raw.date) {
        error(
            raw.date.span,
            "this is no date",
            "write a year, a month or a day: \"2026\", \"2026-11\", \"2026-11-21\"",
        );
    }
    if raw.source.trim().is_empty() {
        error(raw.source.span, "a price has a source", "say where it is from");
    }
    let mut named: Vec<(String, &Sp<f64>, Span)> =
        raw.of.iter().map(|(_, name, usd)| (name.value.clone(), usd, name.span)).collect();
    match (&raw.usd, named.is_empty()) {
        (Some(usd), true) => {
            named.push((raw.kind.as_ref().map_or_else(String::new, |kind| kind.value.clone()), usd, raw.item.span));
        }
        (None, false) if raw.kind.is_none() && raw.tiers.is_empty() => {}
        (None, false) => {
            error(raw.span, "prices `of` kinds have neither `kind` nor `tiers`", "one entry for each kind")
        }
        (Some(usd), false) => error(usd.span, "either `usd` or `of`, not both", "one too many"),
        (None, true) => error(raw.span, "this entry has no price", "`usd` or `of` is missing here"),
    }
    let mut before = 0.0;
    for tier in raw.tiers.iter() {
        if tier.above.value <= before {
            error(tier.above.span, "tiers must rise", "more than the one before");
        }
        before = tier.above.value;
    }
    let tiers: Vec<(f64, f64)> = raw.tiers.iter().map(|tier| (tier.above.value, tier.usd.value)).collect();
    for usd in named.iter().map(|(_, usd, _)| *usd).chain(raw.tiers.iter().map(|tier| &tier.usd)) {
        if !(0.0..=1e9).contains(&usd.value) {
            error(usd.span, "a price cannot be negative or that high", "dollars, 0 or more");
        }
    }
    let price = |(kind, usd, span): (String, &Sp<f64>, Span)| {
        let price = Price {
            region: region.clone(),
            item: raw.item.value.clone(),
            kind,
            unit: unit.to_owned(),
            amount,
            usd: usd.value,
            tiers: tiers.clone(),
            date: raw.date.value.clone(),
            source: raw.source.value.clone(),
        };
        (price, span)
    };
    named.into_iter().map(price).collect()
}

/// `hour` is one hour, `1M request` a million requests.
fn parse_per(text: &str) -> Option<(f64, &str)> {
    let text = text.trim();
    let (amount, unit) = match text.split_once(' ') {
        Some((amount, unit)) => (number(amount)?, unit.trim()),
        None => (1.0, text),
    };
    (!unit.is_empty() && !unit.contains(' ') && amount > 0.0).then_some((amount, unit))
}

/// `10k`, `1M`, `1000`.
fn number(text: &str) -> Option<f64> {
    let (digits, factor) = match text.strip_suffix('k') {
        Some(digits) => (digits, 1e3),
        None => text.strip_suffix('M').map_or((text, 1.0), |digits| (digits, 1e6)),
    };
    digits.parse::<u32>().ok().map(|number| f64::from(number) * factor)
}

fn is_date(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let digits = |text: &str, length: usize| text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit());
    let within = |text: &str, most: u8| text.parse::<u8>().is_ok_and(|number| (1..=most).contains(&number));
    match parts.as_slice() {
        [year] => digits(year, 4),
        [year, month] => digits(year, 4) && digits(month, 2) && within(month, 12),
        [year, month, day] => {
            digits(year, 4) && digits(month, 2) && within(month, 12) && digits(day, 2) && within(day, 31)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> Source {
        Source { name: "own.toml".into(), text: text.into() }
    }

    const OWN: &str = r#"
[[price]]
region = "us-east-1"
item = "fargate.vcpu"
per = "vCPU-hour"
usd = 0.03
date = "2027-01"
source = "our contract"
"#;

    #[test]
    fn the_built_in_prices_are_those_of_the_fact_sheet() {
        let usd = |region: &str, item: &str, kind: &str| {
            let found = built_in().iter().find(|it| it.region == region && it.item == item && it.kind == kind);
            found.map(|it| it.usd / it.amount).unwrap_or_else(|| panic!("no price of {item} {kind} in {region}"))
        };
        let near = |is: f64, expected: f64| assert!((is - expected).abs() < 1e-9, "{is}, not {expected}");
        near(usd("us-east-1", "alb.lcu", ""), 0.008);
        near(usd("us-east-1", "fargate.vcpu", ""), 0.04048);
        near(usd("us-east-1", "ec2.instance", "m5.xlarge"), 2.0 * 0.096);
        near(usd("us-east-1", "aurora.instance", "db.r6g.4xlarge"), 2.076);
        near(usd("us-east-1", "aurora.instance", "db.r5.24xlarge"), 13.92);
        near(usd("us-east-1", "aurora.instance_io_optimized", "db.r6g.large"), 0.26 * 1.3);
        near(usd("us-east-1", "dynamodb.write_request_units", ""), 0.625e-6);
        near(usd("*", "cloudfront.https_requests", "japan"), 0.0120 / 10_000.0);
        near(usd("ap-northeast-1", "fargate.vcpu", ""), 0.05056);
        near(usd("ap-northeast-1", "aurora.instance", "db.r6g.4xlarge"), 2.506);
        for price in built_in() {
            assert!(is_date(&price.date) && !price.source.is_empty(), "{price:?}");
        }
    }

    #[test]
    fn a_file_changes_its_entries_or_everything() {
        let changed = with(&file(OWN)).expect("right");
        assert_eq!(changed.len(), built_in().len());
        let vcpu = changed.iter().find(|it| it.region == "us-east-1" && it.item == "fargate.vcpu").expect("there");
        assert_eq!((vcpu.usd, vcpu.source.as_str()), (0.03, "our contract"));
        assert_eq!(with(&file(&format!("replace = true\n{OWN}"))).expect("right").len(), 1);
    }

    #[test]
    fn mistakes_are_told_with_their_places() {
        let told = |from: &str, to: &str| {
            let text = OWN.replace(from, to);
            assert_ne!(text, OWN);
            let wrong = with(&file(&text)).expect_err(to);
            let first = wrong.iter().next().map(|it| it.title().to_owned());
            (wrong.line_and_column(wrong.iter().next().expect("one")).0, first.unwrap_or_default())
        };
        assert_eq!(told("us-east-1", "us-east-9"), (3, "`us-east-9` is no Region".to_owned()));
        assert_eq!(told("\"vCPU-hour\"", "\"a few hours\"").0, 5);
        assert_eq!(told("0.03", "-1").0, 6);
        assert_eq!(told("usd = 0.03", "").1, "this entry has no price");
        assert_eq!(told("2027-01", "2027-13"), (7, "this is no date".to_owned()));
        assert_eq!(told("our contract", " ").1, "a price has a source");
        assert_eq!(told("item = ", "what = "), (2, "[[price]] lacks `item`".to_owned()));
        let twice = format!("{OWN}{OWN}");
        assert!(with(&file(&twice)).is_err());
    }

    #[test]
    fn amounts_have_units() {
        assert_eq!(parse_per("hour"), Some((1.0, "hour")));
        assert_eq!(parse_per("1M request"), Some((1e6, "request")));
        assert_eq!(parse_per("10k request"), Some((1e4, "request")));
        assert_eq!(parse_per("1000 query"), Some((1000.0, "query")));
        for wrong in ["", "0 request", "1G request", "per hour", "1M"] {
            assert!(parse_per(wrong).is_none_or(|(_, unit)| unit == "1M"), "{wrong}");
        }
    }
}
