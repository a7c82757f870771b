//! Metric math: arithmetic on metrics, such as a backlog divided by the tasks there are.
//!
//! A period has a result where each metric in it has a datapoint (unless filled in), and nothing is divided by zero
//! (CloudWatch guide, using-metric-math).

use super::Statistic;

/// An expression and the metrics in it: by name in settings, by number at work.
#[derive(Clone, Debug, PartialEq)]
pub struct Math<M> {
    inputs: Vec<(M, Statistic)>,
    expression: Expression,
}

/// An expression.
#[derive(Clone, Debug, PartialEq)]
pub enum Expression {
    /// A number.
    Number(f64),
    /// The metric of this place among the inputs.
    Input(usize),
    /// `-x`.
    Minus(Box<Self>),
    /// `x + y` and the like.
    Of(Operator, Box<Self>, Box<Self>),
    /// `FILL(x, y)`: y in periods where x has no value.
    Fill(Box<Self>, Box<Self>),
}

/// What two values are put together by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// `+`.
    Plus,
    /// `-`.
    Minus,
    /// `*`.
    Times,
    /// `/`.
    Over,
}

/// A metric that is reckoned from others.
#[derive(Clone, Debug, PartialEq)]
pub struct MathMetric {
    /// Its full name: namespace, name, dimension.
    pub name: String,
    /// What it is measured in; may be empty.
    pub unit: &'static str,
    /// From which, and how.
    pub math: Math<String>,
}

impl<M: Copy> Math<M> {
    /// The value of a period, given those of the inputs.
    pub(super) fn value(&self, input: impl Fn(M, Statistic) -> Option<f64>) -> Option<f64> {
        self.expression.value(&|at| input(self.inputs[at].0, self.inputs[at].1))
    }
    /// The metrics in it.
    pub(super) fn metrics(&self) -> impl Iterator<Item = M> {
        self.inputs.iter().map(|input| input.0)
    }
}

impl<M> Math<M> {
    /// An expression whose inputs are these metrics, each with its statistic.
    ///
    /// # Panics
    /// If the expression has an input that is not there.
    #[must_use]
    pub fn new(inputs: Vec<(M, Statistic)>, expression: Expression) -> Self {
        assert!(expression.inputs() <= inputs.len(), "an expression of inputs that are there");
        Self { inputs, expression }
    }
    /// The metrics in it, with their statistics.
    pub(super) fn inputs(&self) -> &[(M, Statistic)] {
        &self.inputs
    }
    /// The same of what the metrics are mapped to.
    pub(super) fn map<N>(&self, to: impl Fn(&M) -> N) -> Math<N> {
        let inputs = self.inputs.iter().map(|(metric, statistic)| (to(metric), *statistic)).collect();
        Math { inputs, expression: self.expression.clone() }
    }
}

impl Expression {
    /// How many inputs there must be.
    fn inputs(&self) -> usize {
        match self {
            Self::Number(_) => 0,
            Self::Input(at) => at + 1,
            Self::Minus(one) => one.inputs(),
            Self::Of(_, one, other) | Self::Fill(one, other) => one.inputs().max(other.inputs()),
        }
    }

    fn value(&self, input: &impl Fn(usize) -> Option<f64>) -> Option<f64> {
        Some(match self {
            Self::Number(number) => *number,
            Self::Input(at) => input(*at)?,
            Self::Minus(one) => -one.value(input)?,
            Self::Fill(one, other) => return one.value(input).or_else(|| other.value(input)),
            Self::Of(operator, one, other) => {
                let (one, other) = (one.value(input)?, other.value(input)?);
                match operator {
                    Operator::Plus => one + other,
                    Operator::Minus => one - other,
                    Operator::Times => one * other,
                    Operator::Over if other == 0.0 => return None,
                    Operator::Over => one / other,
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloudwatch::{Kind, Metrics, PERIOD};
    use sim_core::SimTime;

    #[test]
    fn a_backlog_is_divided_by_the_tasks_there_are_and_missing_without_them() {
        let mut metrics = Metrics::default();
        let backlog =
            metrics.register_as("Custom/Application BacklogSize ecs.work".into(), "count", Kind::Level, PERIOD);
        let tasks =
            metrics.register_as("ECS/ContainerInsights RunningTaskCount ecs.work".into(), "count", Kind::Mean, PERIOD);
        let inputs = [backlog, tasks].map(|id| (metrics.name(id).to_owned(), Statistic::Average)).to_vec();
        let over = |one| Expression::Of(Operator::Over, Box::new(one), Box::new(Expression::Input(1)));
        let per_task = metrics.register_math(
            "Math e1 ecs.work".into(),
            "",
            &Math::new(inputs.clone(), over(Expression::Input(0))),
        );
        let filled = Expression::Fill(Box::new(Expression::Input(0)), Box::new(Expression::Number(0.0)));
        let filled = metrics.register_math("Math e2 ecs.work".into(), "", &Math::new(inputs, over(filled)));
        metrics.keep(per_task, PERIOD.times(4), Statistic::Average);
        let minute = |n: u64| SimTime::from_secs(60 * n);
        for (n, (waiting, running)) in [(Some(1500.0), 10.0), (Some(30.0), 0.0), (None, 5.0)].into_iter().enumerate() {
            if let Some(waiting) = waiting {
                metrics.publish(backlog, minute(n as u64), waiting);
            }
            metrics.publish(tasks, minute(n as u64), running);
        }
        let mut points = Vec::new();
        let mut read = |id| {
            metrics.read(id, Statistic::Average, PERIOD, minute(3), 3, &mut points);
            points.clone()
        };
        assert_eq!(read(per_task), [Some(150.0), None, None]);
        assert_eq!(read(filled), [Some(150.0), None, Some(0.0)]);
    }

    #[test]
    fn expressions_are_reckoned_as_written() {
        let number = |it| Box::new(Expression::Number(it));
        let sum = Expression::Of(Operator::Plus, number(2.0), Box::new(Expression::Minus(number(5.0))));
        let all = Expression::Of(
            Operator::Times,
            Box::new(sum.clone()),
            Box::new(Expression::Of(Operator::Minus, number(1.0), number(3.0))),
        );
        assert_eq!((sum.value(&|_| None), all.value(&|_| None)), (Some(-3.0), Some(6.0)));
    }
}
