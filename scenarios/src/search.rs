//! Searches over settings in an order of preference. What "passes" means, and what it costs to find out, is the caller's matter.

/// The first of `count` settings that passes, where every one after a passing one passes too: about log2(`count`) questions. The
/// last and the first are always asked, so that there is something to see of the response, and so is the one before the answer.
///
/// # Errors
/// What `passes` ends with.
pub fn first_by_bisection<E>(
    count: usize,
    passes: &mut dyn FnMut(usize) -> Result<bool, E>,
) -> Result<Option<usize>, E> {
    let Some(last) = count.checked_sub(1) else { return Ok(None) };
    if !passes(last)? {
        return Ok(None);
    }
    if last == 0 || passes(0)? {
        return Ok(Some(0));
    }
    let (mut fails, mut good) = (0, last);
    while good - fails > 1 {
        let middle = fails + (good - fails) / 2;
        if passes(middle)? {
            good = middle;
        } else {
            fails = middle;
        }
    }
    Ok(Some(good))
}

/// The settings that pass at the lowest cost at which any does, `costs` being in rising order; nothing dearer is asked.
///
/// # Errors
/// What `passes` ends with.
pub fn cheapest<E>(costs: &[f64], passes: &mut dyn FnMut(usize) -> Result<bool, E>) -> Result<Vec<usize>, E> {
    let mut found: Vec<usize> = Vec::new();
    for (index, cost) in costs.iter().enumerate() {
        if found.first().is_some_and(|first| costs[*first] < *cost) {
            break;
        }
        if passes(index)? {
            found.push(index);
        }
    }
    Ok(found)
}

/// The edge between the factors that pass and those that do not.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HeadRoom {
    /// The highest factor that was asked and passes; none if not even the lowest does.
    pub passes: Option<f64>,
    /// The lowest factor above it that was asked and does not; none if even the highest passes.
    pub fails: Option<f64>,
}

/// The factors that are asked lie between these.
pub const FACTORS: (f64, f64) = (1.0 / 1024.0, 1024.0);
/// More questions than these [`head_room`] does not ask: one for each doubling up or halving down, and as many as it takes to
/// halve an octave down to the finest tolerance.
pub const QUESTIONS: u32 = 11 + 10;
/// The finest tolerance that makes sense of three digits.
pub const FINEST: f64 = 0.001;

/// The highest factor that passes, where every lower one passes too: doubles or halves from 1, then bisects until both sides are
/// less than `tolerance` apart (a share, at least [`FINEST`]).
///
/// # Errors
/// What `passes` ends with.
pub fn head_room<E>(tolerance: f64, passes: &mut dyn FnMut(f64) -> Result<bool, E>) -> Result<HeadRoom, E> {
    let up = passes(1.0)?;
    let (mut good, mut bad) = if up { (Some(1.0), None) } else { (None, Some(1.0)) };
    let mut factor = 1.0;
    while good.is_none() || bad.is_none() {
        factor = if up { factor * 2.0 } else { factor / 2.0 };
        if !(FACTORS.0..=FACTORS.1).contains(&factor) {
            return Ok(HeadRoom { passes: good, fails: bad });
        }
        if passes(factor)? {
            good = Some(factor);
        } else {
            bad = Some(factor);
        }
    }
    let (mut low, mut high) = (good.unwrap_or(factor), bad.unwrap_or(factor));
    while high / low > 1.0 + tolerance.max(FINEST) {
        let middle = three_digits((low + high) / 2.0);
        if middle <= low || middle >= high {
            break;
        }
        if passes(middle)? {
            low = middle;
        } else {
            high = middle;
        }
    }
    Ok(HeadRoom { passes: Some(low), fails: Some(high) })
}

/// A factor that can be said, and typed again.
fn three_digits(factor: f64) -> f64 {
    format!("{factor:.3e}").parse().unwrap_or(factor)
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    fn sure<T>(result: Result<T, Infallible>) -> T {
        let Ok(value) = result;
        value
    }

    #[test]
    fn bisection_finds_the_first_and_asks_the_one_before() {
        for count in 0..70usize {
            for first in 0..=count {
                let mut asked = Vec::new();
                let found = sure(first_by_bisection(count, &mut |index| {
                    asked.push(index);
                    Ok(index >= first)
                }));
                assert_eq!(found, (first < count).then_some(first), "{count} {first}");
                if let Some(found) = found.filter(|found| *found > 0) {
                    assert!(asked.contains(&(found - 1)) && asked.contains(&found));
                }
                assert!(asked.len() <= 2 + count.max(1).ilog2() as usize + 1, "{count} {first}: {asked:?}");
                let mut once = asked.clone();
                once.sort_unstable();
                once.dedup();
                assert_eq!(once.len(), asked.len());
            }
        }
    }

    #[test]
    fn the_cheapest_are_all_of_one_cost_and_nothing_dearer_is_asked() {
        let costs = [1.0, 2.0, 2.0, 2.0, 3.0];
        let mut asked = 0;
        let found = sure(cheapest(&costs, &mut |index| {
            asked += 1;
            Ok(index == 1 || index >= 3)
        }));
        assert_eq!((found, asked), (vec![1, 3], 4));
        assert!(sure(cheapest(&costs, &mut |_| Ok(false))).is_empty());
    }

    #[test]
    fn head_room_is_found_within_the_tolerance_and_the_questions() {
        for edge in [0.0011, 0.03, 0.5, 0.99, 1.0, 1.7, 9.99, 700.0] {
            for tolerance in [0.0, 0.001, 0.02] {
                let mut asked = 0;
                let found = sure(head_room(tolerance, &mut |factor| {
                    asked += 1;
                    Ok(factor <= edge)
                }));
                let (passes, fails) = (found.passes.unwrap(), found.fails.unwrap());
                assert!(passes <= edge && edge < fails, "{edge}: {found:?}");
                assert!(fails / passes <= 1.0 + tolerance.max(FINEST) + 0.001, "{edge}: {found:?}");
                assert!(asked <= QUESTIONS, "{edge}: {asked}");
            }
        }
        assert_eq!(sure(head_room(0.02, &mut |_| Ok(true))), HeadRoom { passes: Some(1024.0), fails: None });
        assert_eq!(sure(head_room(0.02, &mut |_| Ok(false))), HeadRoom { passes: None, fails: Some(1.0 / 1024.0) });
    }
}
