//! Listener rules: which one a request meets, and which target group it is forwarded to.

use sim_core::random::Source as _;
use sim_core::{SimDuration, SimTime};

use super::memory::PerClient;
use super::settings::{Action, Conditions, Rule, Settings};
use super::{Choice, draws};
use crate::address::{Addresses, Source};
use crate::ids::*;
use crate::request::*;

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Decision {
    /// It is forwarded.
    Group(TargetGroupId),
    /// It is answered.
    Answer(Outcome),
    /// It is answered, and the client is sent to another path.
    Redirect(Outcome, PathId),
}

#[derive(Debug)]
enum Prepared {
    Forward(Forward),
    Answer(Outcome),
    Redirect(Outcome, PathId),
}

/// A weighted choice of a target group.
#[derive(Debug)]
struct Forward {
    /// Groups with the sum of the weights up to and including theirs, a weight being [`WEIGHT_UNIT`] times the one that was
    /// written.
    groups: Vec<(TargetGroupId, u64)>,
    total: u64,
    stickiness: Option<SimDuration>,
}

/// The cookie `AWSALBTG`: the target group a client stays with.
#[derive(Clone, Copy, Debug, Default)]
struct Cookie {
    group: TargetGroupId,
    expires: SimTime,
}

/// The rules of a load balancer.
#[derive(Debug)]
pub(super) struct Rules {
    rules: Vec<(Conditions, Prepared)>,
    ways: Vec<Vec<u16>>,
    way_of_path: Vec<u16>,
    cookies: PerClient<Cookie>,
    /// Rules looked at beyond the first ten of each request, which are free (`RuleEvaluations` of LCUs).
    pub(super) evaluations: u64,
}

/// Rules whose evaluation costs nothing (Elastic Load Balancing pricing).
const FREE_RULES: u64 = 10;

impl Rules {
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            rules: settings.rules.iter().map(|rule| (rule.conditions.clone(), prepare(rule))).collect(),
            ways: settings.ways.clone(),
            way_of_path: settings.way_of_path.clone(),
            cookies: PerClient::default(),
            evaluations: 0,
        }
    }

    /// What becomes of a request.
    #[inline]
    pub(super) fn decide(&mut self, request: &Request, addresses: &Addresses, now: SimTime) -> Decision {
        let number = self.first_met(request, addresses);
        self.evaluations += (number as u64 + 1).saturating_sub(FREE_RULES);
        match &self.rules[number].1 {
            Prepared::Forward(forward) => match forward.stickiness {
                Some(lasts) if request.is_from_client() => {
                    Decision::Group(by_cookie(&mut self.cookies, forward, request, lasts, now))
                }
                _ => Decision::Group(forward.choose(request)),
            },
            Prepared::Answer(outcome) => Decision::Answer(*outcome),
            Prepared::Redirect(outcome, path) => Decision::Redirect(*outcome, *path),
        }
    }

    /// The number of the rule a request meets. A path that no rule was matched with (a health checker's) meets the last.
    #[inline]
    fn first_met(&self, request: &Request, addresses: &Addresses) -> usize {
        let Some(&way) = self.way_of_path.get(request.path.index()) else { return self.rules.len() - 1 };
        match self.ways[way as usize][..] {
            [only] => only as usize,
            ref several => self.first_of(several, request, addresses),
        }
    }

    /// The same of several that may be met, in their order.
    #[inline(never)]
    fn first_of(&self, several: &[u16], request: &Request, addresses: &Addresses) -> usize {
        let met = several.iter().find(|&&rule| self.rules[rule as usize].0.hold(request, addresses));
        met.map_or(self.rules.len() - 1, |&rule| rule as usize)
    }

    /// Whether a rule forwards to a group.
    pub(super) fn forward_to(&self, group: TargetGroupId) -> bool {
        let forwards = |rule: &Prepared| match rule {
            Prepared::Forward(forward) => forward.groups.iter().any(|&(of, _)| of == group),
            _ => false,
        };
        self.rules.iter().any(|(_, rule)| forwards(rule))
    }

    /// Of what goes to either of two groups, `share` thousandths go to `green` from now on and the rest to `blue`.
    pub(super) fn shift(&mut self, blue: TargetGroupId, green: TargetGroupId, share: u16) {
        for (_, rule) in &mut self.rules {
            if let Prepared::Forward(forward) = rule {
                forward.shift(blue, green, share.into());
            }
        }
    }
}

/// The group that a client stays with: that of its cookie, or a new one. The cookie lasts anew from each request on.
#[inline(never)]
fn by_cookie(
    cookies: &mut PerClient<Cookie>,
    forward: &Forward,
    request: &Request,
    lasts: SimDuration,
    now: SimTime,
) -> TargetGroupId {
    let cookie = cookies.of(request);
    let there = |group| forward.groups.iter().any(|&(of, _)| of == group);
    if now >= cookie.expires || !there(cookie.group) {
        cookie.group = forward.choose(request);
    }
    cookie.expires = now + lasts;
    cookie.group
}

impl Conditions {
    /// Whether all of them hold. Host, headers and query strings are those of a client's route: calls of tasks have none.
    fn hold(&self, request: &Request, addresses: &Addresses) -> bool {
        let fits = |routes: &Vec<bool>| {
            request.is_from_client() && routes.get(request.route.index()).copied().unwrap_or_default()
        };
        self.routes.as_ref().is_none_or(fits)
            && (self.methods.is_empty() || self.methods.contains(&request.method))
            && (self.sources.is_empty() || self.has_source(addresses.peer(request)))
    }

    fn has_source(&self, source: Source) -> bool {
        match source {
            Source::Address(address) => self.sources.iter().any(|block| block.contains(address)),
            _ => false,
        }
    }
}

impl Forward {
    /// Whose turn it is by the request's own draw, so that it is the same in every variant; a retry draws anew.
    #[inline]
    fn choose(&self, request: &Request) -> TargetGroupId {
        if let [(only, _)] = self.groups[..] {
            return only;
        }
        self.choose_by_weight(request)
    }

    #[inline(never)]
    fn choose_by_weight(&self, request: &Request) -> TargetGroupId {
        let draw = draws(request, Choice::Group).below(self.total);
        let chosen = self.groups.iter().find(|&&(_, up_to)| draw < up_to);
        chosen.expect("validated: at least one group has a weight").0
    }

    /// Divides the weight of two groups between them anew; the second has `share` thousandths of it.
    fn shift(&mut self, blue: TargetGroupId, green: TargetGroupId, share: u64) {
        let is_one = |group: TargetGroupId| group == blue || group == green;
        let Some(at) = self.groups.iter().position(|&(group, _)| is_one(group)) else { return };
        let (mut both, mut before, mut divided) = (0, 0, Vec::new());
        for &(group, up_to) in &self.groups {
            let weight = up_to - std::mem::replace(&mut before, up_to);
            if is_one(group) {
                both += weight;
            } else {
                divided.push((group, weight));
            }
        }
        let for_green = both * share / WEIGHT_UNIT;
        // Blue first, so that a larger share takes only more of the draws.
        divided.splice(at..at, [(blue, both - for_green), (green, for_green)]);
        let mut up_to = 0;
        let cumulative = divided.into_iter().filter(|&(_, weight)| weight > 0).map(|(group, weight)| {
            up_to += weight;
            (group, up_to)
        });
        self.groups = cumulative.collect();
    }
}

/// A weight is counted in so many parts, so that shares of it are whole.
const WEIGHT_UNIT: u64 = 1000;

fn prepare(rule: &Rule) -> Prepared {
    match &rule.action {
        Action::Forward(forward) => {
            let mut total = 0;
            let groups = forward.groups.iter().map(|&(group, weight)| {
                total += WEIGHT_UNIT * u64::from(weight);
                (group, total)
            });
            Prepared::Forward(Forward { groups: groups.collect(), total, stickiness: forward.stickiness })
        }
        Action::FixedResponse(status) => {
            let cause = if *status >= 400 { Cause::AlbFixed } else { Cause::None };
            Prepared::Answer(Outcome { status: *status, cause })
        }
        Action::Redirect { status, path } => Prepared::Redirect(Outcome { status: *status, cause: Cause::None }, *path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shifting_traffic_divides_what_two_groups_have_and_leaves_the_others_alone() {
        let (blue, green, other) = (TargetGroupId(0), TargetGroupId(1), TargetGroupId(2));
        let mut forward = Forward { groups: vec![(other, 1000), (blue, 4000)], total: 4000, stickiness: None };
        for (share, groups) in [
            (300, vec![(other, 1000), (blue, 3100), (green, 4000)]),
            (1, vec![(other, 1000), (blue, 3997), (green, 4000)]),
            (1000, vec![(other, 1000), (green, 4000)]),
            (0, vec![(other, 1000), (blue, 4000)]),
        ] {
            forward.shift(blue, green, share);
            assert_eq!(forward.groups, groups, "{share}");
        }
    }
}
