//! Which part of a sweep a job of a batch engine does.

use std::fmt;

/// Part `number` of `count`, from 1: the points whose id leaves `number - 1` when divided by `count`. Neighbouring points, which
/// tend to take equally long, so go to different shards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// From 1.
    pub number: u32,
    /// How many there are.
    pub count: u32,
}

/// An environment variable.
pub type Variable<'a> = &'a dyn Fn(&str) -> Option<String>;

/// A batch engine: the variable with a job's number in its array, the ones with the number's smallest value and its step, and the
/// one with the count.
struct Engine {
    name: &'static str,
    index: &'static str,
    least: Option<&'static str>,
    step: Option<&'static str>,
    count: Option<&'static str>,
}

/// Slurm: sbatch(1), "OUTPUT ENVIRONMENT VARIABLES". AWS Batch: "Environment variables used in AWS Batch". Kubernetes:
/// "Indexed Job"; it tells no count. Cloud Run: "Container runtime contract, environment variables for jobs".
const ENGINES: [Engine; 4] = [
    Engine {
        name: "Slurm",
        index: "SLURM_ARRAY_TASK_ID",
        least: Some("SLURM_ARRAY_TASK_MIN"),
        step: Some("SLURM_ARRAY_TASK_STEP"),
        count: Some("SLURM_ARRAY_TASK_COUNT"),
    },
    Engine {
        name: "AWS Batch",
        index: "AWS_BATCH_JOB_ARRAY_INDEX",
        least: None,
        step: None,
        count: Some("AWS_BATCH_JOB_ARRAY_SIZE"),
    },
    Engine {
        name: "Cloud Run",
        index: "CLOUD_RUN_TASK_INDEX",
        least: None,
        step: None,
        count: Some("CLOUD_RUN_TASK_COUNT"),
    },
    Engine { name: "Kubernetes", index: "JOB_COMPLETION_INDEX", least: None, step: None, count: None },
];

impl Shard {
    /// Reads `K/N`, `auto/N` or `auto`; the latter two ask the environment of a batch engine.
    ///
    /// # Errors
    /// What is wrong or missing, in a sentence.
    pub fn parse(text: &str, variable: Variable<'_>) -> Result<Self, String> {
        let (number, count) = text.split_once('/').map_or((text, None), |(number, count)| (number, Some(count)));
        let count = count.map(|count| whole(count, "the number of shards")).transpose()?;
        match (number.trim(), count) {
            ("auto", count) => Self::of_environment(count, variable),
            (number, Some(count)) => Self::checked(whole(number, "the number of the shard")?, count),
            _ => Err("write it as 3/16 (the third of sixteen), auto, or auto/16".to_owned()),
        }
    }

    fn of_environment(count: Option<u32>, variable: Variable<'_>) -> Result<Self, String> {
        let Some((engine, index)) = ENGINES.iter().find_map(|it| Some((it, variable(it.index)?))) else {
            let names: Vec<_> = ENGINES.iter().map(|engine| engine.index).collect();
            return Err(format!("auto finds no batch engine: none of {} is set", names.join(", ")));
        };
        let index = whole(&index, engine.index)?;
        let read = |name: Option<&'static str>| {
            name.and_then(|name| Some((name, variable(name)?))).map(|(name, text)| whole(&text, name)).transpose()
        };
        // A count that was given means an array from 0, so that single jobs can be run again: Slurm tells such a run that it
        // is an array of one.
        if let Some(count) = count {
            return Self::checked(index.saturating_add(1), count).map_err(|why| {
                format!(
                    "{why}: {} = {index} of an array that should go from 0 to {}",
                    engine.index,
                    count.saturating_sub(1)
                )
            });
        }
        let Some(count) = read(engine.count)? else {
            return Err(match engine.count {
                Some(name) => format!("{} sets {} but not {name}: give the count as auto/N", engine.name, engine.index),
                None => format!(
                    "{} tells a job its number ({}) but not how many there are: give the count as auto/N",
                    engine.name, engine.index
                ),
            });
        };
        let (least, step) = (read(engine.least)?.unwrap_or(0), read(engine.step)?.unwrap_or(1).max(1));
        let steps = index.checked_sub(least).map(|distance| distance / step);
        let steps =
            steps.ok_or_else(|| format!("{} = {index} is below the array's first number {least}", engine.index))?;
        Self::checked(steps.saturating_add(1), count)
    }

    fn checked(number: u32, count: u32) -> Result<Self, String> {
        if number == 0 || number > count {
            return Err(format!("there is no shard {number} of {count}: shards are numbered from 1"));
        }
        Ok(Self { number, count })
    }

    /// Whether a point is in this shard.
    #[must_use]
    pub const fn holds(self, id: u32) -> bool {
        id % self.count == self.number - 1
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.count)
    }
}

fn whole(text: &str, what: &str) -> Result<u32, String> {
    let text = text.trim();
    text.parse().map_err(|_| format!("{what} should be a whole number and is `{text}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str, environment: &[(&str, &str)]) -> Result<String, String> {
        let variable =
            |name: &str| environment.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        Shard::parse(text, &variable).map(|shard| shard.to_string())
    }

    fn ok(text: &str) -> Result<String, String> {
        Ok(text.to_owned())
    }

    #[test]
    fn shards_are_typed_or_told_by_the_engine() {
        assert_eq!(parse("3/16", &[]), ok("3/16"));
        let slurm = [("SLURM_ARRAY_TASK_ID", "7"), ("SLURM_ARRAY_TASK_COUNT", "4"), ("SLURM_ARRAY_TASK_MIN", "4")];
        assert_eq!(parse("auto", &slurm), ok("4/4"));
        let stepped = [slurm[0], slurm[1], ("SLURM_ARRAY_TASK_MIN", "1"), ("SLURM_ARRAY_TASK_STEP", "2")];
        assert_eq!(parse("auto", &stepped), ok("4/4"));
        assert_eq!(parse("auto", &[("AWS_BATCH_JOB_ARRAY_INDEX", "0"), ("AWS_BATCH_JOB_ARRAY_SIZE", "9")]), ok("1/9"));
        assert_eq!(parse("auto", &[("CLOUD_RUN_TASK_INDEX", "8"), ("CLOUD_RUN_TASK_COUNT", "9")]), ok("9/9"));
        assert_eq!(parse("auto/5", &[("JOB_COMPLETION_INDEX", "2")]), ok("3/5"));
        // A job of a Slurm array that is run again alone.
        let again = [("SLURM_ARRAY_TASK_ID", "7"), ("SLURM_ARRAY_TASK_COUNT", "1"), ("SLURM_ARRAY_TASK_MIN", "7")];
        assert_eq!(parse("auto/16", &again), ok("8/16"));
    }

    #[test]
    fn what_is_missing_is_said() {
        let says = |text: &str, environment: &[(&str, &str)], words: &str| {
            let why = parse(text, environment).expect_err(text);
            assert!(why.contains(words), "{text}: {why}");
        };
        says("auto", &[], "SLURM_ARRAY_TASK_ID");
        says("auto", &[("JOB_COMPLETION_INDEX", "2")], "give the count as auto/N");
        says("auto", &[("AWS_BATCH_JOB_ARRAY_INDEX", "2")], "AWS_BATCH_JOB_ARRAY_SIZE");
        says("auto", &[("CLOUD_RUN_TASK_INDEX", "x"), ("CLOUD_RUN_TASK_COUNT", "9")], "whole number");
        says("auto/2", &[("JOB_COMPLETION_INDEX", "2")], "from 0 to 1");
        says("0/4", &[], "numbered from 1");
        says("5/4", &[], "no shard 5 of 4");
        says("1/0", &[], "no shard 1 of 0");
        says("3", &[], "3/16");
    }

    #[test]
    fn every_point_is_in_exactly_one_shard() {
        for count in 1..=7 {
            for id in 0..50 {
                assert_eq!((1..=count).filter(|&number| Shard { number, count }.holds(id)).count(), 1);
            }
        }
    }
}
