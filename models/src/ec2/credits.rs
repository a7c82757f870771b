//! CPU credits of burstable instances. One credit is a minute of one vCPU. They are earned all the time, accrue up to what is
//! earned in a day, and are spent as CPU is used (EC2 user guide, burstable-credits-baseline-concepts). An instance in standard
//! mode that has none left gets its baseline and no more; in unlimited mode it goes on with surplus credits, which it pays
//! back from what it earns later, or with money where they are more than a day's earnings.

use sim_core::{SimDuration, SimTime};

use super::{Event, Group};
use crate::request::TaskKey;
use crate::world::Cx;

/// How often a throttled instance's balance is looked at.
const STEP: SimDuration = SimDuration::from_secs(5);
const HOUR: f64 = 3600.0;

/// What a burstable type earns.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rates {
    /// Credits an hour: baseline x vCPU x 60.
    pub earned_per_hour: f64,
    /// Launch credits in standard mode: 30 per vCPU of T2, none of others.
    pub launch_credits: f64,
    /// Whether the balance outlives a stop (T3, T3a, T4g; T2's is lost).
    pub kept_on_stop: bool,
}

impl Rates {
    /// Most credits that accrue, and most surplus credits that are not charged at once: 24 hours of earnings.
    #[must_use]
    pub fn most(&self) -> f64 {
        24.0 * self.earned_per_hour
    }
}

/// `CreditSpecification`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Without credits the baseline.
    Standard,
    /// Without credits on credit.
    Unlimited,
}

/// How the instances of a group begin.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Account {
    /// Of the type.
    pub rates: Rates,
    /// Standard or unlimited.
    pub mode: Mode,
    /// Balance of the instances that are there when the run starts.
    pub at_start: f64,
}

impl Account {
    pub(super) fn open(&self, now: SimTime, fresh: bool) -> Credits {
        let mut credits = Credits::new(self.rates, self.mode, now);
        if !fresh {
            (credits.balance, credits.launch) = (self.at_start.min(self.rates.most()), 0.0);
        }
        credits
    }
}

/// The credits of one instance.
#[derive(Clone, Debug)]
pub struct Credits {
    rates: Rates,
    mode: Mode,
    /// Accrued.
    balance: f64,
    /// Launch credits left: spent first, and no part of the cap.
    launch: f64,
    surplus: f64,
    charged: f64,
    /// Spent since the last time somebody asked.
    spent: f64,
    /// Until when all of it has been reckoned.
    at: SimTime,
    /// Whether it gets its baseline only.
    throttled: bool,
    /// Core time of the process when last reckoned, seconds.
    used: f64,
}

impl Credits {
    /// Those of an instance that is launched now: launch credits in standard mode, no others.
    #[must_use]
    pub fn new(rates: Rates, mode: Mode, now: SimTime) -> Self {
        let launch = if mode == Mode::Standard { rates.launch_credits } else { 0.0 };
        Self {
            rates,
            mode,
            balance: 0.0,
            launch,
            surplus: 0.0,
            charged: 0.0,
            spent: 0.0,
            at: now,
            throttled: false,
            used: 0.0,
        }
    }

    /// `CPUCreditBalance`: launch credits included.
    #[must_use]
    pub fn balance(&self) -> f64 {
        self.balance + self.launch
    }
    /// `CPUSurplusCreditBalance`.
    #[must_use]
    pub fn surplus(&self) -> f64 {
        self.surplus
    }
    /// Credits charged so far.
    #[must_use]
    pub fn charged(&self) -> f64 {
        self.charged
    }
    /// Whether the instance gets its baseline only.
    #[must_use]
    pub fn throttled(&self) -> bool {
        self.throttled
    }
    /// Credits spent since this was last asked: `CPUCreditUsage`.
    pub fn take_spent(&mut self) -> f64 {
        std::mem::take(&mut self.spent)
    }

    /// Reckons up to `now`: so many seconds of a vCPU were used since the last time.
    pub fn reckon(&mut self, now: SimTime, core_seconds: f64) {
        let earned = now.since(self.at).as_secs_f64() * self.rates.earned_per_hour / HOUR;
        let spent = core_seconds / 60.0;
        self.at = now;
        self.spent += spent;
        let mut net = earned - spent;
        if net > 0.0 {
            let repaid = net.min(self.surplus);
            self.surplus -= repaid;
            self.balance = (self.balance + net - repaid).min(self.rates.most());
            return;
        }
        for purse in [&mut self.launch, &mut self.balance] {
            let paid = purse.min(-net);
            *purse -= paid;
            net += paid;
        }
        if self.mode == Mode::Unlimited {
            self.surplus -= net;
            let over = (self.surplus - self.rates.most()).max(0.0);
            self.surplus -= over;
            self.charged += over;
        }
    }

    /// An instance of so many vCPU goes on: what cores it gets, and when to look again.
    #[must_use]
    pub fn allow(&mut self, vcpu: f64) -> (f64, Option<SimDuration>) {
        if self.mode == Mode::Unlimited {
            return (vcpu, None);
        }
        let burst_per_s = vcpu / 60.0 - self.rates.earned_per_hour / HOUR;
        if burst_per_s <= 0.0 {
            return (vcpu, None);
        }
        let lasts = self.balance() / burst_per_s;
        // A second's worth is as good as none; once throttled it needs a few seconds' worth to run on.
        self.throttled = lasts < if self.throttled { STEP.as_secs_f64() } else { 1.0 };
        if self.throttled {
            (self.rates.earned_per_hour / 60.0, Some(STEP))
        } else {
            (vcpu, Some(SimDuration::from_secs_f64(lasts)))
        }
    }

    /// The instance stops: surplus credits are charged; T2 loses its balance.
    pub fn stop(&mut self) {
        self.terminate();
        if !self.rates.kept_on_stop {
            (self.balance, self.launch) = (0.0, 0.0);
        }
        (self.used, self.throttled) = (0.0, false);
    }

    /// Its process begins anew, with no core time.
    pub(super) fn forget_use(&mut self) {
        self.used = 0.0;
    }

    /// The instance is terminated: surplus credits are charged.
    pub fn terminate(&mut self) {
        self.charged += std::mem::take(&mut self.surplus);
    }
}

impl Group {
    /// Reckons an instance's credits up to now. A stopped instance earns nothing.
    pub(super) fn settle_credits(&mut self, key: TaskKey, now: SimTime) {
        let Some(instance) = self.instances.get_mut(key) else { return };
        let off = instance.power == super::Power::Off;
        let used = instance.process.core_time(now);
        let Some(credits) = &mut instance.credits else { return };
        if off {
            credits.at = now;
            return;
        }
        let since = used - std::mem::replace(&mut credits.used, used);
        credits.reckon(now, since.max(0.0));
    }

    /// Gives an instance the cores that its credits allow, and looks again when they may be used up.
    pub(super) fn mind_credits(&mut self, key: TaskKey, cx: &mut Cx<'_>) {
        self.settle_credits(key, cx.now());
        let Some(instance) = self.instances.get_mut(key) else { return };
        if matches!(instance.power, super::Power::Off) {
            return;
        }
        let (epoch, vcpu) = (instance.epoch, instance.process.vcpu());
        let Some(credits) = &mut instance.credits else { return };
        let before = credits.throttled;
        let (cores, again) = credits.allow(vcpu);
        let (number, throttled) = (instance.number, credits.throttled);
        if let Some(again) = again {
            cx.kernel.schedule_in(again, self.event(Event::Credits(epoch, key)));
        }
        if throttled != before {
            self.engine.set_cores(&mut self.instances, key, cores, cx);
            if throttled {
                self.log(format!("instance {number} has no CPU credits left: its baseline only"), cx);
            }
        }
    }
}
