//! Alarms, and the metrics that they and scaling policies look at.
//!
//! What is published is not written down a second time: the services of the finished architecture are asked. So metrics are
//! looked up only where there is no other mistake.

use models::cloudwatch::{
    Alarm, AlarmKind, AlarmState, Comparison, Condition, Expression, FINE_PERIOD, Kind, Math, MathMetric, MetricAlarm,
    Metrics, MissingData, Operator, PERIOD, Rule, Statistic,
};
use models::ids::*;
use sim_core::SimDuration;

use super::Check;
use super::bounds::show;
use crate::decode::Sp;
use crate::diagnostics::Diagnostic;
use crate::nearest::{list, nearest};
use crate::raw::{cloudwatch as raw, deploy};
use crate::tree::Span;
use crate::units::Time;

/// Most alarms.
const MAX_ALARMS: usize = 5_000;
/// Longest time that an alarm looks back over: CloudWatch's limit.
const LONGEST: f64 = 86_400.0;
/// Deepest nesting of a rule.
const MAX_DEPTH: usize = 50;

/// A metric as it is asked for.
pub(super) struct Asked<'a> {
    pub name: &'a str,
    pub span: Span,
    pub namespace: Option<&'a Sp<String>>,
    /// Whose it may be, the first that publishes it; empty: anyone's.
    pub dimensions: Vec<String>,
    pub statistic: Option<Sp<Statistic>>,
    pub period: Option<Sp<SimDuration>>,
}

/// A metric that is published.
pub(super) struct Found {
    /// Full name.
    pub metric: String,
    pub statistic: Statistic,
    pub period: SimDuration,
    pub resolution: SimDuration,
}

impl Found {
    /// Stands for a metric that was refused or not looked up.
    pub(super) fn nothing(asked: &Asked<'_>) -> Self {
        Self {
            metric: String::new(),
            statistic: asked.statistic.map_or(Statistic::Average, |it| it.value),
            period: asked.period.map_or(PERIOD, |it| it.value),
            resolution: PERIOD,
        }
    }
}

/// Metric math that alarms know by name: `100 * FILL(HTTPCode_Target_5XX_Count, 0) / RequestCount`.
const ERROR_RATE: &str = "ErrorRate";

/// An alarm that is written in a deployment.
pub(super) struct OwnAlarm<'a> {
    pub alarm: &'a deploy::Alarm,
    /// Whose deployment.
    pub of: &'a str,
    /// Whose metric it may be: the first that publishes it.
    pub dimensions: Vec<String>,
}

impl Check<'_> {
    /// All alarms: the scenario's, then those that are written in deployments.
    pub(super) fn all_alarms(&mut self, published: Option<&Metrics>) -> Vec<Alarm> {
        let mut alarms = self.alarms(published);
        for own in std::mem::take(&mut self.own_alarms) {
            alarms.push(self.own_alarm(&own, published));
        }
        alarms
    }

    fn own_alarm(&mut self, own: &OwnAlarm<'_>, published: Option<&Metrics>) -> Alarm {
        let alarm = own.alarm;
        let asked = Asked {
            name: &alarm.metric_name,
            span: alarm.metric_name.span,
            namespace: None,
            dimensions: own.dimensions.clone(),
            statistic: None,
            period: None,
        };
        let found = self.metric_or_error_rate(&asked, published);
        let condition = self.condition(
            Given {
                span: alarm.span,
                threshold: Some(&alarm.threshold),
                comparison: alarm.comparison_operator.value,
                evaluation_periods: &alarm.evaluation_periods,
                datapoints_to_alarm: alarm.datapoints_to_alarm.as_ref(),
                missing: alarm.treat_missing_data.value,
            },
            found.period,
        );
        let name = match &alarm.alarm_name {
            Some(name) => {
                self.label(name);
                name.value.clone()
            }
            None => {
                let of = alarm.target_group.as_ref().map_or(String::new(), |group| format!(" of {}", group.value));
                format!("{}{of} {} {}", alarm.metric_name.value, condition.comparison.sign(), alarm.threshold.value)
            }
        };
        let kind = AlarmKind::Metric(MetricAlarm {
            metric: found.metric,
            statistic: found.statistic,
            period: found.period,
            condition,
            ignore_low_sample_count: false,
        });
        Alarm { name, kind, of_deployment: Some(own.of.to_owned()) }
    }

    /// Looks a metric up, or makes the error rate of two.
    fn metric_or_error_rate(&mut self, asked: &Asked<'_>, published: Option<&Metrics>) -> Found {
        if asked.name != ERROR_RATE {
            return self.metric(asked, published);
        }
        if let Some(statistic) = asked.statistic {
            self.error(statistic.span, "an error rate is made of sums", "remove it");
        }
        let of = |name| Asked { name, statistic: None, dimensions: asked.dimensions.clone(), ..*asked };
        let errors = self.metric(&of("HTTPCode_Target_5XX_Count"), published);
        let Some(whose) = errors.metric.rsplit(' ').next().filter(|it| !it.is_empty()).map(str::to_owned) else {
            return errors;
        };
        let requests = self.metric(&Asked { dimensions: vec![whose.clone()], ..of("RequestCount") }, published);
        let name = format!("Math {ERROR_RATE} {whose}");
        if !self.metric_math.iter().any(|known| known.name == name) {
            let filled = Expression::Fill(Box::new(Expression::Input(0)), Box::new(Expression::Number(0.0)));
            let of_hundred = Expression::Of(Operator::Times, Box::new(Expression::Number(100.0)), Box::new(filled));
            let rate = Expression::Of(Operator::Over, Box::new(of_hundred), Box::new(Expression::Input(1)));
            let inputs = [&errors, &requests].map(|of| (of.metric.clone(), Statistic::Sum)).to_vec();
            self.metric_math.push(MathMetric { name: name.clone(), unit: "%", math: Math::new(inputs, rate) });
        }
        Found { metric: name, statistic: Statistic::Average, ..errors }
    }

    fn alarms(&mut self, published: Option<&Metrics>) -> Vec<Alarm> {
        let doc = self.doc;
        self.part_names(&doc.alarm, "alarm");
        if let Some((name, _)) = doc.alarm.entries.get(MAX_ALARMS) {
            self.error(name.span, "too many alarms", format!("at most {MAX_ALARMS}"));
        }
        let mut alarms = Vec::new();
        for (name, alarm) in &doc.alarm.entries {
            let kind = alarm
                .as_ref()
                .map_or(AlarmKind::Composite(Rule::Constant(false)), |alarm| self.alarm(name, alarm, published));
            alarms.push(Alarm { name: name.value.clone(), kind, of_deployment: None });
        }
        self.circles(&alarms);
        alarms
    }

    fn alarm(&mut self, label: &Sp<String>, alarm: &raw::Alarm, published: Option<&Metrics>) -> AlarmKind {
        let (looks_at, found) = if let Some(name) = &alarm.metric_name {
            (name.span, self.metric_of_alarm(name, alarm, published))
        } else if let Some(queries) = &alarm.metrics {
            let period = Some(Sp { value: alarm.period.0, span: alarm.period.span });
            (queries.span, self.metric_math(queries, &format!("alarm.{}", label.value), &[], period, published))
        } else {
            self.keys_of_metrics(alarm);
            let Some(rule) = &alarm.alarm_rule else {
                let error = Diagnostic::error(alarm.span, "this alarm looks at nothing", "give `metric_name`");
                self.note(error.help("or alarm_rule = \"ALARM(other)\" for one that looks at other alarms"));
                return AlarmKind::Composite(Rule::Constant(false));
            };
            return AlarmKind::Composite(self.alarm_rule(rule));
        };
        if let Some(rule) = &alarm.alarm_rule {
            let title = "an alarm looks at a metric or at other alarms, not at both";
            let error = Diagnostic::error(rule.span, title, "one too many");
            self.note(error.also(looks_at, "the metric"));
        }
        self.one_or_several(
            alarm.span,
            [&alarm.metric_name, &alarm.namespace, &alarm.dimension],
            &alarm.statistic,
            &alarm.metrics,
        );
        if alarm.evaluate_low_sample_count_percentile.value == raw::LowSamples::Ignore
            && !matches!(found.statistic, Statistic::Percentile(_))
        {
            let span = alarm.evaluate_low_sample_count_percentile.span;
            self.error(span, "only percentiles can be of too few samples", "give statistic = \"p99\", or remove it");
        }
        let condition = self.condition(
            Given {
                span: alarm.span,
                threshold: alarm.threshold.as_ref(),
                comparison: alarm.comparison_operator.value,
                evaluation_periods: &alarm.evaluation_periods,
                datapoints_to_alarm: alarm.datapoints_to_alarm.as_ref(),
                missing: alarm.treat_missing_data.value,
            },
            found.period,
        );
        AlarmKind::Metric(MetricAlarm {
            metric: found.metric,
            statistic: found.statistic,
            period: found.period,
            condition,
            ignore_low_sample_count: alarm.evaluate_low_sample_count_percentile.value == raw::LowSamples::Ignore,
        })
    }

    fn metric_of_alarm(&mut self, name: &Sp<String>, alarm: &raw::Alarm, published: Option<&Metrics>) -> Found {
        let asked = Asked {
            name,
            span: name.span,
            namespace: alarm.namespace.as_ref(),
            dimensions: alarm.dimension.iter().map(|it| it.value.clone()).collect(),
            statistic: alarm.statistic.as_ref().map(|it| Sp { value: it.value.0, span: it.span }),
            period: Some(Sp { value: alarm.period.0, span: alarm.period.span }),
        };
        self.metric_or_error_rate(&asked, published)
    }

    /// Refuses what only alarms on metrics have.
    fn keys_of_metrics(&mut self, alarm: &raw::Alarm) {
        let typed = |span: Span| Some(span).filter(|span| *span != alarm.span);
        let keys = [
            ("namespace", alarm.namespace.as_ref().map(|it| it.span)),
            ("dimension", alarm.dimension.as_ref().map(|it| it.span)),
            ("statistic", alarm.statistic.as_ref().map(|it| it.span)),
            ("period", typed(alarm.period.span)),
            ("evaluation_periods", typed(alarm.evaluation_periods.span)),
            ("datapoints_to_alarm", alarm.datapoints_to_alarm.as_ref().map(|it| it.span)),
            ("threshold", alarm.threshold.as_ref().map(|it| it.span)),
            ("comparison_operator", typed(alarm.comparison_operator.span)),
            ("treat_missing_data", typed(alarm.treat_missing_data.span)),
            ("evaluate_low_sample_count_percentile", typed(alarm.evaluate_low_sample_count_percentile.span)),
        ];
        for (key, span) in keys {
            if let (Some(span), Some(_)) = (span, &alarm.alarm_rule) {
                self.error(span, format!("a composite alarm has no `{key}`"), "remove it");
            }
        }
    }

    /// The condition of an alarm whose periods have this length.
    pub(super) fn condition(&mut self, given: Given<'_>, period: SimDuration) -> Condition {
        let threshold = match given.threshold {
            Some(threshold) => self.number(threshold, "threshold", -1e12, 1e12),
            None => {
                self.error(given.span, "this alarm lacks `threshold`", "such as 70 (percent of CPU)");
                0.0
            }
        };
        let evaluation_periods = self.count(given.evaluation_periods, "evaluation_periods", 1, 8640);
        let datapoints_to_alarm = match given.datapoints_to_alarm {
            Some(points) => self.count(points, "datapoints_to_alarm", 1, evaluation_periods),
            None => evaluation_periods,
        };
        if period.as_secs_f64() * f64::from(evaluation_periods) > LONGEST {
            let title = "an alarm looks back over at most a day";
            self.error(given.evaluation_periods.span, title, "evaluation_periods x period is more");
        }
        Condition {
            comparison: match given.comparison {
                raw::Comparison::Greater => Comparison::Greater,
                raw::Comparison::GreaterOrEqual => Comparison::GreaterOrEqual,
                raw::Comparison::Less => Comparison::Less,
                raw::Comparison::LessOrEqual => Comparison::LessOrEqual,
            },
            threshold,
            evaluation_periods,
            datapoints_to_alarm,
            treat_missing_data: match given.missing {
                raw::MissingData::Missing => MissingData::Missing,
                raw::MissingData::Ignore => MissingData::Ignore,
                raw::MissingData::Breaching => MissingData::Breaching,
                raw::MissingData::NotBreaching => MissingData::NotBreaching,
            },
        }
    }

    /// Looks a metric up among those that are published.
    pub(super) fn metric(&mut self, asked: &Asked<'_>, published: Option<&Metrics>) -> Found {
        let Some(metrics) = published else { return Found::nothing(asked) };
        let all: Vec<[&str; 3]> = metrics.names().filter_map(parts).collect();
        let fits = |[namespace, name, _]: &[&str; 3]| {
            *name == asked.name && asked.namespace.is_none_or(|wanted| wanted.as_str() == *namespace)
        };
        let named: Vec<[&str; 3]> = all.iter().copied().filter(fits).collect();
        let found = match asked.dimensions.as_slice() {
            [] if named.len() > 1 => {
                let of: Vec<&str> = named.iter().map(|it| it[2]).collect();
                let error = Diagnostic::error(asked.span, format!("whose {}?", asked.name), "say it with `dimension`");
                self.note(error.help(format!("published for {}", list(&of))));
                return Found::nothing(asked);
            }
            [] => named.first(),
            dimensions => dimensions.iter().find_map(|of| named.iter().find(|it| it[2] == of)),
        };
        let Some([namespace, name, of]) = found else {
            self.no_such_metric(asked, &all);
            return Found::nothing(asked);
        };
        let metric = format!("{namespace} {name} {of}");
        let id = metrics.find(&metric).expect("it is one of the names");
        let (kind, resolution) = (metrics.kind(id), metrics.resolution(id));
        let statistic = self.statistic(asked, kind);
        Found { metric, statistic, period: self.period(asked, resolution), resolution }
    }

    fn no_such_metric(&mut self, asked: &Asked<'_>, all: &[[&str; 3]]) {
        let of_whom = match asked.dimensions.as_slice() {
            [] => String::new(),
            dimensions => format!(" of {}", dimensions.join(" or ")),
        };
        let title = format!("nothing publishes `{}`{of_whom}", asked.name);
        let elsewhere: Vec<String> =
            all.iter().filter(|it| it[1] == asked.name).map(|it| format!("{} of {}", it[0], it[2])).collect();
        let here: Vec<&str> = all
            .iter()
            .filter(|it| asked.dimensions.is_empty() || asked.dimensions.iter().any(|of| of == it[2]))
            .map(|it| it[1])
            .collect();
        let near = nearest(asked.name, here.iter().copied());
        let label = near.first().map_or("no such metric".to_owned(), |near| format!("did you mean `{near}`?"));
        let error = Diagnostic::error(asked.span, title, label);
        let help = match (elsewhere.is_empty(), here.is_empty()) {
            (false, _) => format!("published: {}", elsewhere.join(", ")),
            (true, false) => {
                let mut names = here;
                names.sort_unstable();
                names.dedup();
                format!("published here: {}", list(&names))
            }
            (true, true) => "nothing of that dimension publishes any metric".to_owned(),
        };
        self.note(error.help(help));
    }

    fn statistic(&mut self, asked: &Asked<'_>, kind: Kind) -> Statistic {
        let Some(statistic) = asked.statistic else { return kind.usual() };
        if !kind.has(statistic.value) {
            let title = format!("{} has no {}", asked.name, statistic.value.name());
            self.error(statistic.span, title, format!("it has {}", kind.statistics()));
        }
        statistic.value
    }

    fn period(&mut self, asked: &Asked<'_>, resolution: SimDuration) -> SimDuration {
        let Some(period) = asked.period else { return PERIOD };
        let nanos = period.value.as_nanos();
        let short = [SimDuration::from_secs(10), FINE_PERIOD, SimDuration::from_secs(30)];
        if nanos == 0 || !(nanos.is_multiple_of(PERIOD.as_nanos()) || short.contains(&period.value)) {
            let title = "a period is 10s, 20s, 30s, or a whole number of minutes";
            self.error(period.span, title, "not a period of CloudWatch's");
        } else if !nanos.is_multiple_of(resolution.as_nanos()) {
            let title = format!("{} is published every {}", asked.name, show(resolution.as_secs_f64()));
            self.error(period.span, title, "shorter than, or no multiple of, what is published");
        } else if period.value.as_secs_f64() > LONGEST {
            self.error(period.span, "a period is at most a day", "at most \"1d\"");
        }
        period.value
    }

    fn alarm_rule(&mut self, rule: &Sp<String>) -> Rule {
        let mut parser = RuleParser { words: words(rule), at: 0, check: self, span: rule.span };
        let read = parser.either(0);
        match (read, parser.words.get(parser.at)) {
            (Some(rule), None) => rule,
            (read, Some(word)) => {
                if read.is_some() {
                    let label = format!("AND, OR or the end was expected before `{word}`");
                    self.error(rule.span, "this rule goes on where it should end", label);
                }
                Rule::Constant(false)
            }
            (None, None) => Rule::Constant(false),
        }
    }

    /// Refuses composite alarms that look at themselves by way of others.
    fn circles(&mut self, alarms: &[Alarm]) {
        let looks_at = |at: usize| {
            let mut found = Vec::new();
            if let Some(AlarmKind::Composite(rule)) = alarms.get(at).map(|alarm| &alarm.kind) {
                rule.alarms(&mut found);
            }
            found
        };
        for start in 0..alarms.len() {
            let mut reached: Vec<usize> = Vec::new();
            let mut next = looks_at(start);
            while let Some(id) = next.pop() {
                if !reached.contains(&id.index()) {
                    reached.push(id.index());
                    next.extend(looks_at(id.index()));
                }
            }
            if reached.contains(&start) {
                let (name, alarm) = &self.doc.alarm.entries[start];
                let span = alarm.as_ref().and_then(|alarm| alarm.alarm_rule.as_ref()).map_or(name.span, |it| it.span);
                self.error(span, format!("the alarm `{}` looks at itself", name.value), "a circle of composite alarms");
                return;
            }
        }
    }

    /// How a target group is named in metrics.
    pub(super) fn group_name(&self, alb: AlbId, group: TargetGroupId) -> String {
        // Network Load Balancers are numbered after the Application Load Balancers.
        let albs = self.doc.alb.len();
        let (kind, name, groups): (_, _, Vec<&str>) = if alb.index() < albs {
            let (name, settings) = &self.doc.alb.entries[alb.index()];
            ("alb", name, settings.iter().flat_map(|it| it.target_group.names()).collect())
        } else {
            let (name, settings) = &self.doc.nlb.entries[alb.index() - albs];
            ("nlb", name, settings.iter().flat_map(|it| it.target_group.names()).collect())
        };
        format!("{kind}.{}/{}", name.value, groups.get(group.index()).copied().unwrap_or_default())
    }
}

/// The keys of a condition as they were given.
pub(super) struct Given<'a> {
    pub span: Span,
    pub threshold: Option<&'a Sp<f64>>,
    pub comparison: raw::Comparison,
    pub evaluation_periods: &'a Sp<u32>,
    pub datapoints_to_alarm: Option<&'a Sp<u32>>,
    pub missing: raw::MissingData,
}

/// Namespace, name and dimension.
fn parts(full: &str) -> Option<[&str; 3]> {
    let mut parts = full.splitn(3, ' ');
    Some([parts.next()?, parts.next()?, parts.next()?])
}

/// The words of a rule: parentheses, and what is between them and spaces, without quotes.
fn words(rule: &str) -> Vec<String> {
    let spaced = rule.replace('(', " ( ").replace(')', " ) ");
    spaced.split_whitespace().map(|word| word.trim_matches(['"', '\'']).to_owned()).collect()
}

/// Reads a rule: OR of ANDs of NOTs (CloudWatch API, AlarmRule).
struct RuleParser<'p, 'a> {
    words: Vec<String>,
    at: usize,
    check: &'p mut Check<'a>,
    span: Span,
}

impl RuleParser<'_, '_> {
    fn eat(&mut self, word: &str) -> bool {
        let there = self.words.get(self.at).is_some_and(|next| next == word);
        self.at += usize::from(there);
        there
    }

    fn wrong<T>(&mut self, wanted: &str) -> Option<T> {
        let found = self.words.get(self.at).map_or("the end".to_owned(), |word| format!("`{word}`"));
        let error =
            Diagnostic::error(self.span, "this alarm_rule cannot be read", format!("{wanted} expected, not {found}"));
        self.check.note(error.help("such as \"ALARM(high-5xx) AND NOT OK(slow)\""));
        self.at = self.words.len();
        None
    }

    fn either(&mut self, depth: usize) -> Option<Rule> {
        let mut rule = self.both(depth)?;
        while self.eat("OR") {
            rule = Rule::Or(Box::new(rule), Box::new(self.both(depth)?));
        }
        Some(rule)
    }

    fn both(&mut self, depth: usize) -> Option<Rule> {
        let mut rule = self.one(depth)?;
        while self.eat("AND") {
            rule = Rule::And(Box::new(rule), Box::new(self.one(depth)?));
        }
        Some(rule)
    }

    fn one(&mut self, depth: usize) -> Option<Rule> {
        if depth > MAX_DEPTH {
            return self.wrong("fewer parentheses and NOTs");
        }
        if self.eat("NOT") {
            return Some(Rule::Not(Box::new(self.one(depth + 1)?)));
        }
        if self.eat("(") {
            let rule = self.either(depth + 1)?;
            return if self.eat(")") { Some(rule) } else { self.wrong("`)`") };
        }
        if self.eat("TRUE") {
            return Some(Rule::Constant(true));
        }
        if self.eat("FALSE") {
            return Some(Rule::Constant(false));
        }
        let states = [AlarmState::Alarm, AlarmState::Ok, AlarmState::InsufficientData];
        let Some(state) = states.into_iter().find(|state| self.eat(state.name())) else {
            return self.wrong("ALARM(...), OK(...), INSUFFICIENT_DATA(...), NOT, or `(`");
        };
        if !self.eat("(") {
            return self.wrong("`(`");
        }
        let Some(name) = self.words.get(self.at).cloned() else { return self.wrong("the name of an alarm") };
        self.at += 1;
        if !self.eat(")") {
            return self.wrong("`)`");
        }
        let name = Sp { value: name, span: self.span };
        let doc = self.check.doc;
        let number = self.check.named(&name, &doc.alarm, "the alarm").unwrap_or(0);
        Some(Rule::In(AlarmId(number as u16), state))
    }
}

/// A period as it was typed.
pub(super) fn period_of(period: &Sp<Time>) -> Sp<SimDuration> {
    Sp { value: period.0, span: period.span }
}
