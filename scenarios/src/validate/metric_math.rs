//! Metric math: expressions of metrics for alarms and scaling policies.

use models::cloudwatch::{Expression, Math, MathMetric, Metrics, Operator, PERIOD, Statistic};
use sim_core::SimDuration;

use super::Check;
use super::cloudwatch::{Asked, Found};
use crate::decode::Sp;
use crate::diagnostics::Diagnostic;
use crate::nearest::advice;
use crate::raw::cloudwatch::{MetricQuery, StatisticName};
use crate::tree::Span;

/// Most entries (CloudWatch: an alarm may have ten metrics).
const MAX_QUERIES: usize = 20;
/// Deepest nesting of an expression.
const MAX_DEPTH: usize = 50;

impl Check<'_> {
    /// Refuses what names one metric beside several.
    pub(super) fn one_or_several(
        &mut self,
        owner: Span,
        one: [&Option<Sp<String>>; 3],
        statistic: &Option<Sp<StatisticName>>,
        several: &Option<Sp<Vec<MetricQuery>>>,
    ) {
        let Some(several) = several else { return };
        let spans = one.into_iter().filter_map(|it| it.as_ref().map(|it| it.span));
        for span in spans.chain(statistic.as_ref().map(|it| it.span)).filter(|span| *span != owner) {
            let error = Diagnostic::error(span, "the entries of `metrics` say which metrics are meant", "remove it");
            self.note(error.also(several.span, "these"));
        }
    }

    /// The metric that these entries make, known by its number to alarms from now on. `owner`: whose it is; `dimensions`: whose
    /// metrics are meant where an entry does not say.
    pub(super) fn metric_math(
        &mut self,
        queries: &Sp<Vec<MetricQuery>>,
        owner: &str,
        dimensions: &[String],
        period: Option<Sp<SimDuration>>,
        published: Option<&Metrics>,
    ) -> Found {
        let mut found =
            Found { metric: String::new(), statistic: Statistic::Average, period: PERIOD, resolution: PERIOD };
        if queries.is_empty() || queries.len() > MAX_QUERIES {
            self.error(queries.span, "metric math needs metrics", format!("from one to {MAX_QUERIES} entries"));
            return found;
        }
        self.distinct(queries.iter().map(|query| &query.id), "ids");
        let mut inputs: Vec<(String, Statistic)> = Vec::new();
        let mut known: Vec<(&str, Expression)> = Vec::new();
        for query in queries.iter() {
            self.id_of_query(&query.id);
            let value = match (&query.expression, &query.metric_name) {
                (Some(text), None) => self.expression(text, &known),
                (None, Some(name)) => {
                    let dimension = query.dimension.as_ref().map(|of| vec![of.value.clone()]);
                    let asked = Asked {
                        name,
                        span: name.span,
                        namespace: query.namespace.as_ref(),
                        dimensions: dimension.unwrap_or_else(|| dimensions.to_vec()),
                        statistic: query.statistic.as_ref().map(|it| Sp { value: it.value.0, span: it.span }),
                        period,
                    };
                    let input = self.metric(&asked, published);
                    found.resolution =
                        if inputs.is_empty() { input.resolution } else { found.resolution.max(input.resolution) };
                    found.period = input.period;
                    inputs.push((input.metric, input.statistic));
                    Some(Expression::Input(inputs.len() - 1))
                }
                _ => {
                    self.error(
                        query.span,
                        "an entry is a metric or an expression",
                        "give `metric_name` or `expression`",
                    );
                    None
                }
            };
            known.push((query.id.as_str(), value.unwrap_or(Expression::Number(0.0))));
        }
        let result = self.result(queries);
        if inputs.is_empty() {
            self.error(queries.span, "this expression looks at no metric", "give an entry with `metric_name`");
        }
        let (id, expression) = known.swap_remove(result);
        found.metric = format!("Math {id} {owner}");
        self.metric_math.push(MathMetric { name: found.metric.clone(), unit: "", math: Math::new(inputs, expression) });
        found
    }

    fn id_of_query(&mut self, id: &Sp<String>) {
        let fits = |(at, byte): (usize, u8)| match at {
            0 => byte.is_ascii_lowercase(),
            _ => byte.is_ascii_alphanumeric() || byte == b'_',
        };
        if id.is_empty() || !id.bytes().enumerate().all(fits) {
            let label = "a small letter, then letters, digits and underscores, such as m1";
            self.error(id.span, "this is no id of metric math", label);
        }
    }

    /// Which entry is the result.
    fn result(&mut self, queries: &Sp<Vec<MetricQuery>>) -> usize {
        let said = |wanted| {
            move |query: &&MetricQuery| query.return_data.as_ref().is_some_and(|returned| returned.value == wanted)
        };
        let mut returned = queries.iter().filter(said(true));
        match (returned.next(), returned.next()) {
            (Some(one), None) => queries.iter().position(|query| query.span == one.span).unwrap_or(0),
            (Some(_), Some(second)) => {
                self.error(second.span, "two entries are the result", "`return_data = true` for exactly one");
                0
            }
            (None, _) => {
                if let Some(last) = queries.last().filter(said(false)) {
                    self.error(last.span, "no entry is the result", "`return_data = true` for exactly one");
                }
                queries.len() - 1
            }
        }
    }

    /// Reads an expression of what is known by id so far.
    fn expression(&mut self, text: &Sp<String>, known: &[(&str, Expression)]) -> Option<Expression> {
        let mut reader = Reader { tokens: tokens(text), at: 0, known };
        let read = reader.sum(0).and_then(|read| match reader.next() {
            None => Ok(read),
            Some(token) => Err(format!("an operator or the end was expected, not `{token}`")),
        });
        match read {
            Ok(read) => Some(read),
            Err(why) => {
                let error = Diagnostic::error(text.span, "this expression cannot be read", why);
                self.note(
                    error.help("such as \"m1 / m2\" or \"FILL(m1, 0) / m2\"; an entry comes after those it uses"),
                );
                None
            }
        }
    }
}

/// Numbers, names and signs of an expression.
fn tokens(text: &str) -> Vec<String> {
    let mut tokens: Vec<String> = Vec::new();
    let mut goes_on = false;
    for letter in text.chars() {
        let word = letter.is_alphanumeric() || letter == '_' || letter == '.';
        match tokens.last_mut() {
            Some(last) if word && goes_on => last.push(letter),
            _ if !letter.is_whitespace() => tokens.push(letter.to_string()),
            _ => {}
        }
        goes_on = word;
    }
    tokens
}

/// Reads sums of products of values.
struct Reader<'k, 't> {
    tokens: Vec<String>,
    at: usize,
    known: &'k [(&'t str, Expression)],
}

impl Reader<'_, '_> {
    fn next(&mut self) -> Option<String> {
        self.at += 1;
        self.tokens.get(self.at - 1).cloned()
    }

    fn eat(&mut self, sign: &str) -> bool {
        let there = self.tokens.get(self.at).is_some_and(|token| token == sign);
        self.at += usize::from(there);
        there
    }

    fn expect(&mut self, sign: &str) -> Result<(), String> {
        match self.eat(sign) {
            true => Ok(()),
            false => {
                Err(format!("`{sign}` was expected before {}", self.tokens.get(self.at).map_or("the end", |it| it)))
            }
        }
    }

    fn sum(&mut self, depth: usize) -> Result<Expression, String> {
        let mut sum = self.product(depth)?;
        loop {
            let operator = match () {
                () if self.eat("+") => Operator::Plus,
                () if self.eat("-") => Operator::Minus,
                () => return Ok(sum),
            };
            sum = Expression::Of(operator, Box::new(sum), Box::new(self.product(depth)?));
        }
    }

    fn product(&mut self, depth: usize) -> Result<Expression, String> {
        let mut product = self.value(depth)?;
        loop {
            let operator = match () {
                () if self.eat("*") => Operator::Times,
                () if self.eat("/") => Operator::Over,
                () => return Ok(product),
            };
            product = Expression::Of(operator, Box::new(product), Box::new(self.value(depth)?));
        }
    }

    fn value(&mut self, depth: usize) -> Result<Expression, String> {
        if depth > MAX_DEPTH {
            return Err("too deeply nested".to_owned());
        }
        if self.eat("-") {
            return Ok(Expression::Minus(Box::new(self.value(depth + 1)?)));
        }
        if self.eat("(") {
            let inner = self.sum(depth + 1)?;
            return self.expect(")").map(|()| inner);
        }
        let Some(token) = self.next() else { return Err("a value was expected before the end".to_owned()) };
        if self.eat("(") {
            return self.function(&token, depth);
        }
        if let Some(number) = token.parse().ok().filter(|number: &f64| number.is_finite()) {
            return Ok(Expression::Number(number));
        }
        let found = self.known.iter().find(|(id, _)| *id == token);
        let ids = self.known.iter().map(|(id, _)| *id);
        found
            .map(|(_, value)| value.clone())
            .ok_or_else(|| format!("no entry before it is called `{token}`; {}", advice(&token, ids)))
    }

    fn function(&mut self, name: &str, depth: usize) -> Result<Expression, String> {
        if name != "FILL" {
            return Err(format!("the function `{name}` is not built: FILL is"));
        }
        let value = self.sum(depth + 1)?;
        self.expect(",")?;
        let otherwise = self.sum(depth + 1)?;
        self.expect(")")?;
        Ok(Expression::Fill(Box::new(value), Box::new(otherwise)))
    }
}
