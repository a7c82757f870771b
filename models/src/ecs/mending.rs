//! What a service tells the downtime ledger: that it has lost tasks, that others take their place, and that there are enough again.

use sim_core::observations::Phase;

use super::*;

/// How far it is with replacing tasks that it did not mean to stop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Mending {
    /// There is nothing to replace.
    #[default]
    Whole,
    /// Tasks are gone or failing, and the scheduler has not looked yet.
    Struck,
    /// Others are on their way.
    Replacing,
    /// They answer; load balancer or scheduler do not count them healthy yet.
    Registering,
}

impl Ecs {
    /// A task is lost that nobody meant to stop. Where enough are left nothing is replaced.
    pub(super) fn struck(&mut self, cx: &mut Cx<'_>) {
        if self.mending == Mending::Whole && self.sound(cx.now()).1 < self.desired {
            self.mending = Mending::Struck;
            cx.phase(&self.name, Phase::Detection);
        }
        self.tell_whether_down(cx);
    }

    /// The scheduler asks for a task in place of one that was lost.
    pub(super) fn replaces(&mut self, cx: &mut Cx<'_>) {
        if self.mending == Mending::Struck {
            self.mending = Mending::Replacing;
            cx.phase(&self.name, Phase::Recovery);
        }
    }

    /// Tasks have come up, or become healthy.
    pub(super) fn mends(&mut self, cx: &mut Cx<'_>) {
        self.tell_whether_down(cx);
        if !matches!(self.mending, Mending::Replacing | Mending::Registering) {
            return;
        }
        let (up, healthy) = self.sound(cx.now());
        if healthy >= self.desired {
            self.mending = Mending::Whole;
            cx.settling(&self.name);
        } else if up >= self.desired && self.mending == Mending::Replacing {
            self.mending = Mending::Registering;
            cx.phase(&self.name, Phase::Routing);
        }
    }

    /// How many tasks are up and not to be replaced, and how many of these are healthy.
    fn sound(&self, now: SimTime) -> (u32, u32) {
        let up = self.order.iter().map(|&key| &self.tasks[key]).filter(|task| task.state == State::Up);
        let sound = up.filter(|task| !self.is_failing(task, now));
        sound.fold((0, 0), |(up, healthy), task| (up + 1, healthy + u32::from(task.healthy)))
    }

    /// A service is down while none of its tasks answers.
    pub(super) fn tell_whether_down(&self, cx: &mut Cx<'_>) {
        let answers = self.order.iter().any(|&key| self.tasks[key].serves());
        cx.down(&self.name, !answers);
    }
}
