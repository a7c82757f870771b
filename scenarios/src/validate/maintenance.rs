//! Planned changes of databases, and what goes wrong with them.

use models::aurora::{Change, Fault, Planned, ZeroDowntimePatching};
use models::ids::Endpoint;
use models::timeline::FaultAction;
use sim_core::{SimDuration, SimTime};

use super::elasticache::changes_caches;
use super::{Check, Section};
use crate::decode::Sp;
use crate::diagnostics::Diagnostic;
use crate::nearest::list;
use crate::raw::aurora::{self as raw, ApiAction};
use crate::raw::rds;
use crate::raw::timeline::{self, Action};

/// Windows come back after a week.
const WEEK: SimDuration = SimDuration::from_secs(7 * 86_400);
/// Most changes of all databases.
const MAX_CHANGES: usize = 10_000;

/// How long changes take that do not say so: a class change 6-8 minutes, a minor upgrade's restart 20-30 s, a major one about
/// 10 minutes (requirements); a system update about 10 minutes an instance (Aurora guide, USER_UpgradeDBInstance.Maintenance); a
/// switchover usually under a minute (same, blue-green-deployments-overview).
const CLASS_CHANGE: SimDuration = SimDuration::from_secs(7 * 60);
const MINOR_UPGRADE: SimDuration = SimDuration::from_secs(25);
const MAJOR_UPGRADE: SimDuration = SimDuration::from_secs(600);
const SYSTEM_UPDATE: SimDuration = SimDuration::from_secs(600);
const SWITCHOVER: SimDuration = SimDuration::from_secs(60);
/// A promotion takes several minutes or longer (RDS guide, USER_ReadRepl.Promote; the figure is an assumption). How long a volume is
/// optimized is not documented: usually short, sometimes up to a day and more (RDS guide, USER_PIOPS.StorageTypes).
const PROMOTION: SimDuration = SimDuration::from_secs(300);
const OPTIMIZING: SimDuration = SimDuration::from_secs(3600);

/// What is known of a database for whose sake something is planned.
pub(super) struct Planning<'a> {
    /// As it is referred to: `aurora.orders`.
    pub target: String,
    pub instances: Vec<&'a str>,
    pub window: Option<&'a raw::MaintenanceWindow>,
    pub of: Of<'a>,
}

/// Which kind of database it is.
#[derive(Clone, Copy)]
pub(super) enum Of<'a> {
    Cluster(&'a raw::Cluster),
    Database(&'a rds::Database),
}

impl<'a> Planning<'a> {
    pub fn of_cluster(name: &Sp<String>, cluster: &'a raw::Cluster) -> Self {
        Self {
            target: format!("aurora.{}", name.value),
            instances: cluster.instances.iter().map(|it| it.name.as_str()).collect(),
            window: cluster.maintenance_window.as_ref(),
            of: Of::Cluster(cluster),
        }
    }

    /// The same of an RDS database. Its own instances have no names: who names none means the primary.
    pub fn of_database(name: &Sp<String>, database: &'a rds::Database) -> Self {
        Self {
            target: format!("rds.{}", name.value),
            instances: database.read_replicas.iter().map(|it| it.name.as_str()).collect(),
            window: database.maintenance_window.as_ref(),
            of: Of::Database(database),
        }
    }

    /// The number of the first instance that has a name.
    fn first_named(&self) -> u16 {
        match self.of {
            Of::Cluster(_) => 0,
            Of::Database(database) => super::rds::own_instances(database),
        }
    }

    fn is_aurora(&self) -> bool {
        matches!(self.of, Of::Cluster(_))
    }
}

impl Check<'_> {
    /// Checks that every planned change is of a database there is.
    pub(super) fn maintenance_targets(&mut self) {
        let doc = self.doc;
        if let Some(change) = doc.maintenance.get(MAX_CHANGES) {
            self.error(change.span, "too many planned changes", format!("at most {MAX_CHANGES}"));
        }
        for change in &doc.maintenance {
            let allowed = [Section::Aurora, Section::Rds, Section::ElastiCache];
            self.endpoint(&change.target, &allowed, None, "the target of a change");
        }
    }

    /// What is planned for a database, in order of time.
    pub(super) fn changes_of(&mut self, planning: &Planning<'_>) -> Vec<Planned> {
        let doc = self.doc;
        if let Some(window) = planning.window {
            self.time(&window.duration, "duration", 1800.0, 86_400.0, "Amazon RDS");
            self.time(&window.start, "start", 0.0, 604_800.0, "a weekly window");
        }
        let its = doc.maintenance.iter().take(MAX_CHANGES).filter(|change| change.target.value == planning.target);
        let mut changes: Vec<Planned> = its.filter_map(|change| self.planned(change, planning)).collect();
        changes.sort_by_key(|planned| planned.at);
        changes
    }

    fn planned(&mut self, change: &raw::Maintenance, planning: &Planning<'_>) -> Option<Planned> {
        if changes_caches(change.action.value) {
            self.error(change.action.span, "this is a change of caches", "databases do not have it");
            return None;
        }
        let at = self.moment(change, planning);
        self.change_keys(change, planning);
        self.in_a_global_database(change);
        let instance = match &change.db_instance_identifier {
            Some(name) => Some(self.instance_named(name, &planning.instances)? + planning.first_named()),
            None => None,
        };
        let duration = |check: &mut Self, default: SimDuration| match &change.duration {
            Some(duration) => check.delay(duration, "duration"),
            None => default,
        };
        let what = match change.action.value {
            ApiAction::Reboot => Change::Reboot { instance },
            ApiAction::Failover => Change::Failover { to: instance },
            ApiAction::ModifyInstance if change.allocated_storage.is_some() => {
                let Of::Database(database) = planning.of else { return None };
                let takes = duration(self, OPTIMIZING);
                self.storage_change(database, change.allocated_storage.as_ref()?, takes)?
            }
            ApiAction::PromoteReplica => Change::Promote {
                instance: instance.filter(|_| !planning.is_aurora())?,
                takes: duration(self, PROMOTION),
                takes_over: change.takes_over.value,
            },
            ApiAction::ModifyInstance => {
                let class = change.db_instance_class.as_ref()?;
                let takes = duration(self, CLASS_CHANGE);
                let class = match planning.of {
                    Of::Cluster(cluster) => self.known_class(class, cluster.engine.value, false, false),
                    Of::Database(database) => self.size_of_instance(class, database, false),
                };
                match planning.of {
                    Of::Database(database)
                        if instance.is_none() && database.deployment.value != rds::Deployment::SingleAz =>
                    {
                        Change::ModifyAll { class, takes }
                    }
                    _ => {
                        let failover_first = change.failover_first.value;
                        Change::ModifyClass { instance: instance.unwrap_or(0), class, takes, failover_first }
                    }
                }
            }
            ApiAction::ModifyCluster => match change.engine_version.as_ref()?.value {
                raw::Version::Major => Change::MajorUpgrade { takes: duration(self, MAJOR_UPGRADE) },
                raw::Version::Minor => Change::MinorUpgrade {
                    patching: (planning.is_aurora() && change.zero_downtime_patching.value).then(|| {
                        ZeroDowntimePatching {
                            pause: self.delay(&change.patching_pause, "patching_pause"),
                            failure: self.share(&change.patching_failure, "patching_failure"),
                        }
                    }),
                    restart: duration(self, MINOR_UPGRADE),
                },
            },
            ApiAction::SystemUpdate => Change::SystemUpdate { takes: duration(self, SYSTEM_UPDATE) },
            ApiAction::GlobalSwitchover => Change::GlobalSwitchover,
            ApiAction::GlobalFailover => Change::GlobalFailover { detach: false },
            ApiAction::GlobalDetach => Change::GlobalFailover { detach: true },
            ApiAction::TestFailover
            | ApiAction::ModifyReplicationGroup
            | ApiAction::ModifyShards
            | ApiAction::RebootCacheCluster
            | ApiAction::Flush => return None,
            ApiAction::Switchover => Change::Switchover {
                takes: duration(self, SWITCHOVER),
                timeout: self.time(&change.switchover_timeout, "switchover_timeout", 30.0, 3600.0, "Amazon RDS"),
                both: self.both_environments(change, at),
            },
        };
        Some(Planned { at, change: what })
    }

    /// From when to when two environments are paid for.
    fn both_environments(&mut self, change: &raw::Maintenance, at: SimTime) -> (SimTime, SimTime) {
        let over = at + change.duration.as_ref().map_or(SWITCHOVER, |it| it.0).min(change.switchover_timeout.0);
        let Some(created) = &change.created_at else {
            if let Some(deleted) = &change.deleted_at {
                self.error(deleted.span, "two environments are paid for from `created_at` on", "add created_at = ...");
            }
            return (over, over);
        };
        let (from, until) = (created.0, change.deleted_at.as_ref().map(|deleted| deleted.0));
        if SimTime::ZERO + from > at {
            self.error(created.span, "the green environment is created before it takes over", "earlier than `at`");
        }
        if let (Some(deleted), Some(until)) = (&change.deleted_at, until)
            && SimTime::ZERO + until < over
        {
            self.error(deleted.span, "the old environment is deleted after the switchover", "later than that is over");
        }
        (SimTime::ZERO + from, until.map_or(over, |until| SimTime::ZERO + until))
    }

    /// When a change is made: at its time, or in the first maintenance window from then on.
    fn moment(&mut self, change: &raw::Maintenance, planning: &Planning<'_>) -> SimTime {
        let at = change.at.0;
        let when = if change.apply_immediately.value {
            at
        } else if let Some(window) = planning.window {
            let weeks = at.as_nanos().saturating_sub(window.start.0.as_nanos()) / WEEK.as_nanos();
            let this = window.start.0 + WEEK.times(weeks);
            if at < this + window.duration.0 { at.max(this) } else { this + WEEK }
        } else {
            let title = "this change waits for a maintenance window, and there is none";
            self.error(change.apply_immediately.span, title, "give the database maintenance_window = { start = ... }");
            at
        };
        let ends = self.doc.run.duration.as_ref().map(|duration| duration.0);
        if let Some(ends) = ends.filter(|&ends| when >= ends) {
            let label = format!("the run ends after {}", super::bounds::show(ends.as_secs_f64()));
            self.error(change.at.span, "this change comes after the end of the run", label);
        }
        SimTime::ZERO + when
    }

    /// Refuses parameters that an action does not have, and asks for those that it needs.
    fn change_keys(&mut self, change: &raw::Maintenance, planning: &Planning<'_>) {
        use ApiAction::{Failover, ModifyCluster, ModifyInstance, PromoteReplica, Reboot, Switchover, SystemUpdate};
        let action = change.action.value;
        let name = action.word();
        let grows = change.allocated_storage.is_some();
        match planning.of {
            Of::Database(database) => self.database_change(change, database),
            Of::Cluster(_) if action == PromoteReplica => {
                self.error(
                    change.action.span,
                    "Aurora has readers, not read replicas",
                    "FailoverDBCluster promotes one",
                );
            }
            Of::Cluster(_) => {}
        }
        let keys = [
            (
                "db_instance_identifier",
                change.db_instance_identifier.as_ref().map(|it| it.span),
                matches!(action, Reboot | Failover | PromoteReplica) || action == ModifyInstance && !grows,
                planning.is_aurora() && matches!(action, Reboot | ModifyInstance) || action == PromoteReplica,
            ),
            (
                "db_instance_class",
                change.db_instance_class.as_ref().map(|it| it.span),
                action == ModifyInstance && !grows,
                action == ModifyInstance && !grows,
            ),
            (
                "allocated_storage",
                change.allocated_storage.as_ref().map(|it| it.span),
                action == ModifyInstance && !planning.is_aurora(),
                false,
            ),
            ("takes_over", change.takes_over.value.then_some(change.takes_over.span), action == PromoteReplica, false),
            (
                "engine_version",
                change.engine_version.as_ref().map(|it| it.span),
                action == ModifyCluster,
                action == ModifyCluster,
            ),
            (
                "duration",
                change.duration.as_ref().map(|it| it.span),
                matches!(action, ModifyInstance | ModifyCluster | SystemUpdate | Switchover | PromoteReplica),
                false,
            ),
            ("created_at", change.created_at.as_ref().map(|it| it.span), action == Switchover, false),
            ("deleted_at", change.deleted_at.as_ref().map(|it| it.span), action == Switchover, false),
            ("cache_node_type", change.cache_node_type.as_ref().map(|it| it.span), false, false),
            ("node_group_id", change.node_group_id.as_ref().map(|it| it.span), false, false),
            ("cache_node_id", change.cache_node_id.as_ref().map(|it| it.span), false, false),
            ("node_group_count", change.node_group_count.as_ref().map(|it| it.span), false, false),
            (
                "failover_first",
                change.failover_first.value.then_some(change.failover_first.span),
                planning.is_aurora() && action == ModifyInstance,
                false,
            ),
        ];
        for (key, span, fits, needed) in keys {
            match span {
                Some(span) if !fits => self.error(span, format!("{name} has no parameter `{key}`"), "remove it"),
                None if needed => self.error(change.span, format!("{name} lacks `{key}`"), format!("add {key} = ...")),
                _ => {}
            }
        }
    }

    /// Refuses what an RDS database cannot do, and what is not documented of it.
    fn database_change(&mut self, change: &raw::Maintenance, database: &rds::Database) {
        let action = change.action.value;
        if action == ApiAction::Failover && database.deployment.value != rds::Deployment::Cluster {
            let title = "FailoverDBCluster is for clusters";
            self.error(change.action.span, title, "a Multi-AZ instance fails over by a fault, or while it is changed");
        }
        let has_green =
            matches!(database.engine.value, rds::Engine::Mysql | rds::Engine::MariaDb | rds::Engine::Postgres);
        if action == ApiAction::Switchover && !has_green {
            let title = "blue/green deployments are of MySQL, MariaDB and PostgreSQL";
            self.error(change.action.span, title, "RDS guide, blue-green-deployments-overview");
        }
        let minor = change.engine_version.as_ref().is_some_and(|version| version.value == raw::Version::Minor);
        if minor && change.duration.is_none() {
            let title = "how long a minor upgrade of RDS takes is not documented";
            self.error(change.span, title, "add duration = \"5m\", or what you have measured");
        }
    }

    /// A fault that strikes a database.
    pub(super) fn database_fault(&mut self, fault: &timeline::Fault) -> Option<FaultAction> {
        let doc = self.doc;
        let allowed = [Section::Aurora, Section::Rds];
        let Endpoint::Aurora(id) = self.endpoint(&fault.target, &allowed, None, "the target of this fault") else {
            return None;
        };
        let clusters = doc.aurora.entries.len();
        let planning = match id.index().checked_sub(clusters) {
            None => {
                let (name, cluster) = &doc.aurora.entries[id.index()];
                Planning::of_cluster(name, cluster.as_ref()?)
            }
            Some(place) => {
                let (name, database) = &doc.rds.entries[place];
                Planning::of_database(name, database.as_ref()?)
            }
        };
        let name = fault.action.value.word();
        let mut needed = |given: bool, key: &str, example: &str| {
            if !given {
                self.error(fault.span, format!("{name} lacks `{key}`"), format!("add {key} = {example}"));
            }
        };
        let its = match fault.action.value {
            Action::RebootDbInstances | Action::DbInstanceFailure => {
                let named = fault.db_instance_identifier.is_some();
                needed(named || !planning.is_aurora(), "db_instance_identifier", "the name of an instance");
                let instance = match &fault.db_instance_identifier {
                    Some(name) => Some(self.instance_named(name, &planning.instances)? + planning.first_named()),
                    None => None,
                };
                if fault.action.value == Action::DbInstanceFailure {
                    Fault::HostFailure { instance }
                } else {
                    let force_failover = fault.force_failover.as_ref().is_some_and(|force| force.value);
                    self.can_fail_over(fault, force_failover, &planning);
                    Fault::Reboot { instance, force_failover }
                }
            }
            Action::DisruptConnectivity | Action::AzPowerInterruption => {
                needed(fault.availability_zone.is_some(), "availability_zone", "\"a\"");
                let zone = fault.availability_zone.as_ref()?;
                let zones: Vec<String> = match planning.of {
                    Of::Cluster(cluster) => (cluster.instances.iter().enumerate())
                        .map(|(n, it)| {
                            it.availability_zone.as_ref().map_or(["a", "b", "c"][n % 3].into(), |it| it.value.clone())
                        })
                        .collect(),
                    Of::Database(database) => super::rds::zones(database),
                };
                if !zones.contains(&zone.value) {
                    let title = format!("no instance is in zone `{}`", zone.value);
                    let label = format!("zones: {}", list(&zones.iter().map(String::as_str).collect::<Vec<_>>()));
                    self.note(Diagnostic::error(zone.span, title, label));
                }
                Fault::Zone { zone: zone.value.clone(), power: fault.action.value == Action::AzPowerInterruption }
            }
            Action::StorageFailure => {
                if !planning.is_aurora() {
                    let title = "only Aurora's storage has copies that can be lost";
                    self.error(fault.target.span, title, "an Aurora cluster");
                }
                let copies = fault.count.as_ref().map_or(1, |count| self.count(count, "count", 1, 6));
                Fault::Storage { copies: copies as u8 }
            }
            _ => {
                self.can_fail_over(fault, true, &planning);
                Fault::Failover
            }
        };
        Some(FaultAction::Database { cluster: id, fault: its })
    }
}

impl Check<'_> {
    /// A database of one instance has nobody to fail over to.
    fn can_fail_over(&mut self, fault: &timeline::Fault, asked: bool, planning: &Planning<'_>) {
        if let Of::Database(database) = planning.of
            && asked
            && database.deployment.value == rds::Deployment::SingleAz
        {
            let title = "a single-AZ database has no standby to fail over to";
            self.error(fault.action.span, title, "deployment = \"multi_az\" has one");
        }
    }
}
