use super::*;

fn plan(factors: &[(&str, &[&str])]) -> Plan {
    let factor = |(key, levels): &(&str, &[&str])| Factor {
        key: (*key).to_owned(),
        levels: levels.iter().map(|level| (*level).to_owned()).collect(),
        amounts: levels.iter().map(|level| level.parse().ok()).collect(),
        unit: String::new(),
    };
    Plan {
        format: FORMAT,
        version: "1.0.0".into(),
        digest: "00ff".into(),
        scenario: "desk".into(),
        title: "One <desk>".into(),
        description: String::new(),
        seed: 1,
        replications: 3,
        confidence: 0.95,
        factors: factors.iter().map(factor).collect(),
        ranges: Vec::new(),
        metrics: vec!["latency.p99".into()],
        expectations: vec![Bound {
            text: "latency.p99 <= 300ms".into(),
            metric: "latency.p99".into(),
            min: None,
            max: Some(0.3),
        }],
        points: factors.iter().map(|(_, levels)| levels.len() as u32).product(),
    }
}

fn record(plan: &Plan, id: u32) -> Record {
    let (mut rest, mut factors) = (id as usize, BTreeMap::new());
    for factor in plan.factors.iter().rev() {
        factors.insert(factor.key.clone(), factor.levels[rest % factor.levels.len()].clone());
        rest /= factor.levels.len();
    }
    let figure = Figure { value: Some(0.1 + f64::from(id) / 7.0), half_width: Some(0.01), low: None, high: None };
    let pass = figure.value.is_some_and(|value| value <= 0.3);
    Record {
        id,
        plan: plan.digest.clone(),
        factors,
        seed: 1,
        replications: 3,
        passed: pass,
        figures: [("latency.p99".to_owned(), figure)].into_iter().collect(),
        expectations: vec![Verdict { text: "latency.p99 <= 300ms".into(), figure, pass, uncertain: false }],
        bottleneck: Bottleneck { text: "Nothing bound".into(), station: Some("station.desk".into()) },
        cautions: vec!["Too <few> operations".into()],
        digests: vec!["ab".into()],
    }
}

#[test]
fn a_record_reads_back_as_it_was_written() {
    let plan = plan(&[("a.b", &["1", "2", "3"])]);
    let one = record(&plan, 2);
    let line = one.line();
    assert!(line.ends_with("}\n") && line.lines().count() == 1);
    assert_eq!(read_line(&plan, &line).unwrap(), one);
    assert_eq!(read_line(&plan, &line).unwrap().line(), line);
}

#[test]
fn a_torn_last_line_is_dropped_and_a_broken_line_told() {
    let plan = plan(&[("a.b", &["1", "2", "3"])]);
    let lines: Vec<String> = (0..3).map(|id| record(&plan, id).line()).collect();
    let whole = shard_text(&plan, Some("1/1".into()), lines.iter().map(String::as_str));
    for cut in 0..=whole.len() {
        let ends = whole[..cut].matches('\n').count();
        match read_shard(&whole[..cut]).unwrap() {
            None => assert_eq!(ends, 0),
            Some(shard) => {
                assert_eq!((shard.records.len() + 1, &shard.plan), (ends, &plan));
                assert!(shard.records.iter().zip(&lines).all(|((_, line), other)| line == other));
            }
        }
    }
    let broken = whole.replace("\"id\":1,", "\"id\":,");
    assert!(read_shard(&broken).unwrap_err().starts_with("line 3: "));
    let foreign = whole.replace("\"id\":1,", "\"id\":17,");
    assert_eq!(read_shard(&foreign).unwrap_err(), "line 3: the plan has no point 17");
    let mixed = whole.replace("\"id\":1,\"plan\":\"00ff\"", "\"id\":1,\"plan\":\"0100\"");
    assert_eq!(read_shard(&mixed).unwrap_err(), "line 3: it is of plan 0100, not of 00ff");
    assert!(read_shard("{}\n").unwrap_err().contains("no plan"));
    let later = whole.replace("\"format\":1", "\"format\":2");
    assert!(read_shard(&later).unwrap_err().contains("format 2"));
}

#[test]
fn tables_and_pages_have_a_row_a_point_and_no_markup_of_the_scenario() {
    let plan = plan(&[("a.b", &["1", "2", "4"]), ("c.<d>", &["<x>", "y"])]);
    let records: Vec<Record> = (0..plan.points).map(|id| record(&plan, id)).collect();
    let csv = csv::points(&plan, &records);
    assert_eq!(csv.lines().count(), 7);
    assert_eq!(
        csv.lines().next(),
        Some("id,a.b,c.<d>,seed,replications,passed,busiest_station,cautions,latency.p99,latency.p99 half width")
    );
    assert!(csv.contains("\n1,1,y,1,3,true,station.desk,1,0.24285714285714285,0.01\n"), "{csv}");
    let page = crate::html::sweep_page(&plan, &records);
    assert!(page.contains("One &lt;desk&gt;") && !page.contains("<x>") && !page.contains("<d>"), "{page}");
    assert!(page.contains("<svg class=\"chart\"") && page.matches("<tr>").count() > 6);
    assert_eq!(page, crate::html::sweep_page(&plan, &records));
    let figures = crate::html::sweep_figures(&plan, &records);
    assert_eq!(figures[0].0, "figure-1-latency.p99.svg");
    // Four of the six points fail, and are struck through.
    assert_eq!(figures[0].1.matches("#D55E00").count(), 4, "{}", figures[0].1);
    assert!(page.contains("Too &lt;few&gt; operations"));
    let text = plan.to_terminal(&records, false, 100);
    assert!(text.contains("Figures of 6 points are to be taken with care"), "{text}");
    assert!(text.contains("6 points of a.b x c.<d>") && text.contains("FAIL 1 of 1"), "{text}");
}

#[test]
fn one_factor_gives_a_curve_whatever_its_values() {
    for levels in [&["1", "2", "3"][..], &["1", "10", "100", "1000"], &["rolling", "blue"], &["5"]] {
        let plan = plan(&[("a.b", levels)]);
        let records: Vec<Record> = (0..plan.points).map(|id| record(&plan, id)).collect();
        let figures = crate::html::sweep_figures(&plan, &records);
        assert_eq!(figures.len(), 1);
        assert!(figures[0].1.contains(levels[0]), "{levels:?}");
    }
}
