//! Caches of ElastiCache: nodes, items, what calls do with them, and what is planned and goes wrong.

use models::elasticache::{
    Change, Client, Collapsing, Command, Failover, Fault, Item, KeyOf, MAX_NODES, PLAIN_ITEM, Planned, Policy,
    Resharding, Settings, Use, What,
};
use models::ids::*;
use models::timeline::FaultAction;
use sim_core::distribution::{Distribution, Zipf};
use sim_core::{SimDuration, SimTime};

use super::aurora::GIB;
use super::bounds::show;
use super::{BROKEN, Check, Section};
use crate::decode::{Decode, Decoder, Sp};
use crate::diagnostics::Diagnostic;
use crate::nearest::{advice, list};
use crate::raw::aurora::{self, ApiAction};
use crate::raw::elasticache as raw;
use crate::raw::station::Renewal;
use crate::raw::timeline::{self, Action};
use crate::tree::{Node, Value};
use crate::units::{Bytes, Time};

/// Memory of node types in GiB (EC guide, ParameterGroups.Redis, node-type specific maxmemory; the newer ones by the list of
/// sizes that AWS prices).
const NODE_TYPES: &[(&str, f64)] = &[
    ("cache.t3.micro", 0.5),
    ("cache.t3.small", 1.37),
    ("cache.t3.medium", 3.09),
    ("cache.t4g.micro", 0.5),
    ("cache.t4g.small", 1.37),
    ("cache.t4g.medium", 3.09),
    ("cache.m4.large", 6.42),
    ("cache.m4.xlarge", 14.28),
    ("cache.m5.large", 6.38),
    ("cache.m5.xlarge", 12.93),
    ("cache.m5.2xlarge", 26.04),
    ("cache.m5.4xlarge", 52.26),
    ("cache.m6g.large", 6.38),
    ("cache.m6g.xlarge", 12.94),
    ("cache.m6g.2xlarge", 26.05),
    ("cache.m6g.4xlarge", 52.26),
    ("cache.m6g.12xlarge", 157.13),
    ("cache.m7g.large", 6.38),
    ("cache.m7g.xlarge", 12.93),
    ("cache.m7g.2xlarge", 26.04),
    ("cache.r5.large", 13.07),
    ("cache.r5.xlarge", 26.32),
    ("cache.r5.2xlarge", 52.82),
    ("cache.r5.4xlarge", 105.81),
    ("cache.r5.12xlarge", 317.77),
    ("cache.r6g.large", 13.07),
    ("cache.r6g.xlarge", 26.32),
    ("cache.r6g.2xlarge", 52.82),
    ("cache.r6g.4xlarge", 105.81),
    ("cache.r6g.8xlarge", 209.55),
    ("cache.r6g.12xlarge", 317.77),
    ("cache.r6g.16xlarge", 419.09),
    ("cache.r7g.large", 13.07),
    ("cache.r7g.xlarge", 26.32),
    ("cache.r7g.2xlarge", 52.82),
    ("cache.r7g.4xlarge", 105.81),
];

/// Smallest memory of a node.
const LEAST_MEMORY: u64 = 1024;
/// Most items whose keys the simulation can hold.
const MAX_ITEMS: f64 = 5e7;

/// How long planned changes take that do not say so (EC guide, CacheNodes.NodeMigration and VersionManagement), by whether
/// the engine is of 5.0.6 or later: a node type with replicas, an engine with replicas.
const NODE_TYPE: [SimDuration; 2] = [SimDuration::from_secs(10), SimDuration::from_secs(1)];
const ENGINE: [SimDuration; 2] = [SimDuration::from_secs(45), SimDuration::from_secs(3)];
/// Of a single node: another type about a minute (same), another engine about 1 min 30 s (requirements).
const NODE_TYPE_ALONE: SimDuration = SimDuration::from_secs(60);
const ENGINE_ALONE: SimDuration = SimDuration::from_secs(90);
/// A reboot ("a momentary outage", API:elasticache, RebootCacheCluster; assumption).
const REBOOT: SimDuration = SimDuration::from_secs(30);

/// What a failover's time consists of beside the promotion (assumptions, see `raw::elasticache::Failover`).
const FAILURE_DETECTION: SimDuration = SimDuration::from_secs(15);
const ENDPOINT_UPDATE: SimDuration = SimDuration::from_secs(3);

impl Check<'_> {
    pub(super) fn caches(&mut self) -> Vec<Option<Settings>> {
        let doc = self.doc;
        self.part_names(&doc.elasticache, "elasticache");
        let groups = doc.elasticache.entries.iter().enumerate();
        groups.map(|(number, (name, group))| Some(self.replication_group(number, name, group.as_ref()?))).collect()
    }

    fn replication_group(&mut self, number: usize, name: &Sp<String>, group: &raw::ReplicationGroup) -> Settings {
        let node_groups = self.count(&group.num_node_groups, "num_node_groups", 1, 90) as u16;
        let replicas = self.count(&group.replicas_per_node_group, "replicas_per_node_group", 0, 5) as u16;
        if usize::from(node_groups) * usize::from(replicas + 1) > MAX_NODES {
            let title = format!("a cluster has at most {MAX_NODES} nodes");
            self.error(group.num_node_groups.span, title, "num_node_groups x (1 + replicas_per_node_group)");
        }
        let memory = self.node_memory(group, &group.cache_node_type, group.maxmemory.as_ref());
        if group.availability_zones.is_empty() {
            self.error(group.availability_zones.span, "a cache is in some zone", "such as [\"a\"]");
        }
        self.part_names(&group.items, "items");
        let items = group.items.iter().map(|(_, name, item)| self.item(name, item, replicas)).collect();
        self.items_fit(group, memory, node_groups);
        let version = self.engine_version(&group.engine_version);
        Settings {
            name: name.value.clone(),
            node_type: group.cache_node_type.value.clone(),
            // Versions up to 7.1 are Redis's, from 7.2 on Valkey's (ElastiCache guide, supported-engine-versions).
            engine: if version >= vec![7, 2] { "valkey" } else { "redis" },
            node_groups,
            replicas,
            zones: group.availability_zones.iter().map(|zone| zone.value.clone()).collect(),
            memory,
            policy: policy(group.maxmemory_policy.value),
            item_overhead: group.item_overhead.0,
            command_time: group.command_time.0.clone(),
            client: self.cache_client(&group.client),
            max_connections: self.count(&group.max_connections, "max_connections", 1, 65_000),
            failover: self.cache_failover(group, replicas),
            replication_lag: group.replication_lag.0.clone(),
            items,
            uses: std::mem::take(&mut self.cache_uses[number]),
            resharding: Resharding {
                provisioning: self.delay(&group.resharding.provisioning_time, "provisioning_time"),
                slot: self.delay(&group.resharding.slot_time, "slot_time"),
                rate: self.bytes_a_second(&group.resharding.migration_rate),
            },
            changes: self.cache_changes(name, group, version >= vec![5, 0, 6]),
        }
    }

    fn cache_failover(&mut self, group: &raw::ReplicationGroup, replicas: u16) -> Failover {
        let its = &group.failover;
        let time = self.delay(&its.failover_time, "failover_time");
        let mut part = |given: &Option<Sp<Time>>, name: &str, left: SimDuration, default: SimDuration| {
            let Some(given) = given else { return default.min(left) };
            let takes = self.delay(given, name);
            if takes > left {
                let title = format!("`{name}` is a part of failover_time");
                self.error(given.span, title, format!("{} are left of it", show(left.as_secs_f64())));
            }
            takes.min(left)
        };
        let detection = part(&its.failure_detection, "failure_detection", time, FAILURE_DETECTION);
        let update = if group.num_node_groups.value > 1 { SimDuration::ZERO } else { ENDPOINT_UPDATE };
        let endpoint_update = part(&its.endpoint_update, "endpoint_update", time - detection, update);
        Failover {
            automatic: self.fails_over(group, replicas),
            time,
            detection,
            endpoint_update,
            replacement: self.delay(&its.replacement_time, "replacement_time"),
        }
    }

    fn bytes_a_second(&mut self, rate: &Sp<Bytes>) -> f64 {
        if rate.0 == 0 {
            self.error(rate.span, "nothing would ever be moved", "such as \"25MB\"");
        }
        rate.0.max(1) as f64
    }

    fn cache_client(&mut self, client: &raw::Client) -> Client {
        if client.timeout.0.is_zero() {
            self.error(client.timeout.span, "a timeout of nothing fails every command", "more than \"0s\"");
        }
        Client {
            timeout: self.delay(&client.timeout, "timeout"),
            connections: self.count(&client.connections, "connections", 1, 10_000),
            connect_time: self.delay(&client.connect_time, "connect_time"),
            connect_cpu: self.delay(&client.connect_cpu, "connect_cpu"),
        }
    }

    fn fails_over(&mut self, group: &raw::ReplicationGroup, replicas: u16) -> bool {
        let Some(given) = &group.automatic_failover_enabled else { return replicas > 0 };
        if given.value && replicas == 0 {
            let title = "without replicas nobody takes over";
            self.error(given.span, title, "add replicas_per_node_group, or remove this");
        }
        if !given.value && group.num_node_groups.value > 1 {
            let title = "cluster mode requires automatic failover (API:elasticache, AutomaticFailoverEnabled)";
            self.error(given.span, title, "remove it");
        }
        given.value
    }

    /// Bytes for items of a node of a type.
    fn node_memory(
        &mut self,
        group: &raw::ReplicationGroup,
        node_type: &Sp<String>,
        given: Option<&Sp<crate::units::Bytes>>,
    ) -> u64 {
        let known = NODE_TYPES.iter().find(|(name, _)| *name == node_type.as_str());
        let all = match (given, known) {
            (Some(given), _) => given.0,
            (None, Some((_, gib))) => (gib * GIB) as u64,
            (None, None) => {
                let title = format!("the memory of node type `{}` is not known", node_type.value);
                let label = advice(node_type, NODE_TYPES.iter().map(|(name, _)| *name));
                self.note(
                    Diagnostic::error(node_type.span, title, label).help("for a type not in the table give maxmemory"),
                );
                u64::MAX
            }
        };
        let reserved = self.share(&group.reserved_memory_percent, "reserved_memory_percent");
        let left = (all as f64 * (1.0 - reserved)) as u64;
        if left < LEAST_MEMORY {
            let span = given.map_or(group.reserved_memory_percent.span, |given| given.span);
            self.error(span, "no memory is left for items", "at least \"1KB\" beside what is reserved");
        }
        left
    }

    /// Keys of items are held one by one: they must fit into this machine's memory.
    fn items_fit(&mut self, group: &raw::ReplicationGroup, memory: u64, node_groups: u16) {
        let each =
            |item: &raw::Item| item.size.as_ref().map_or(1.0, |size| size.0.mean()) + group.item_overhead.0 as f64;
        let smallest = group.items.iter().map(|(_, _, item)| each(item)).fold(f64::INFINITY, f64::min);
        let fit = memory as f64 * f64::from(node_groups) / smallest.max(1.0);
        let keys: f64 = group.items.iter().map(|(_, _, item)| self.distinct_keys(item)).sum();
        if fit.min(keys) > MAX_ITEMS {
            let title = format!("this cache would hold about {:.1e} items", fit.min(keys));
            let error = Diagnostic::error(group.span, title, format!("at most {MAX_ITEMS:.0e} can be simulated"));
            self.note(error.help("lower the number of keys, or the memory"));
        }
    }

    /// How many different items there may be.
    fn distinct_keys(&self, item: &raw::Item) -> f64 {
        if item.hit_ratio.is_some() {
            return 0.0;
        }
        match (&item.keys, item.key.value) {
            (Some(keys), _) => keys.count.value as f64,
            (None, raw::Key::Object) => self.objects_asked_for(),
            (None, raw::Key::Client) => {
                let clients = |it: &crate::raw::traffic::Traffic| it.clients.as_ref().map_or(1e6, |n| n.value as f64);
                self.doc.traffic.iter().map(clients).sum()
            }
        }
    }

    fn item(&mut self, name: &Sp<String>, item: &raw::Item, replicas: u16) -> Item {
        let sliding = item.renewal.value == Renewal::Sliding;
        let from_replicas = item.read_from.value == raw::ReadFrom::Replica;
        if from_replicas && replicas == 0 {
            self.error(item.read_from.span, "there are no replicas to read", "add replicas_per_node_group");
        }
        if from_replicas && sliding {
            self.error(item.read_from.span, "a read that renews a time to live is a write", "replicas take none");
        }
        if sliding && item.ttl.is_none() {
            self.error(item.renewal.span, "there is no time to live to be renewed", "add ttl = \"30m\"");
        }
        if let Some(ttl) = item.ttl.as_ref().filter(|ttl| ttl.0.mean() <= 0.0) {
            self.error(ttl.span, "items would live no time", "more than \"0s\"");
        }
        if let (Some(_), true) = (&item.hit_ratio, item.ttl.is_some() || item.size.is_some() || item.keys.is_some()) {
            let title = "with a fixed hit_ratio neither keys nor sizes nor times to live matter";
            self.error(item.hit_ratio.as_ref().map_or(item.span, |it| it.span), title, "remove it, or them");
        }
        let key = match (&item.keys, item.key.value) {
            (Some(keys), _) => {
                let count = self.count(&keys.count, "the number of keys", 1, 1_000_000_000);
                let zipf = self.number(&keys.zipf, "zipf", 0.0, 10.0);
                KeyOf::Drawn(Zipf::new(count, zipf).expect("both are within bounds"))
            }
            (None, raw::Key::Object) => KeyOf::Object,
            (None, raw::Key::Client) => KeyOf::Client,
        };
        Item {
            name: name.value.clone(),
            ttl: item.ttl.as_ref().map(|ttl| ttl.0.clone()),
            sliding,
            size: match (&item.size, &key) {
                (Some(size), _) => Some(size.0.clone()),
                (None, KeyOf::Object) => None,
                (None, _) => Some(Distribution::Constant(f64::from(PLAIN_ITEM))),
            },
            key,
            hit_ratio: item.hit_ratio.as_ref().map(|ratio| self.share(ratio, "hit_ratio")),
            from_replicas,
            collapsing: match item.collapsing.value {
                raw::Collapsing::None => Collapsing::None,
                raw::Collapsing::Process => Collapsing::Process,
                raw::Collapsing::Lock => Collapsing::Lock,
            },
            falls_through: item.on_error.value == raw::OnError::AskStore,
            miss_fails: item.on_miss.value == raw::OnMiss::Fail,
        }
    }

    /// The number of what a call does with a cache: a use of its own.
    fn cache_use(&mut self, cache: ElastiCacheId, item: u16, what: What, rtt: SimDuration) -> u16 {
        let uses = &mut self.cache_uses[cache.index()];
        uses.push(Use { item, what, rtt });
        (uses.len() - 1) as u16
    }

    /// A round trip from a caller to a cache.
    pub(super) fn cache_rtt(&mut self, from: Endpoint, cache: ElastiCacheId) -> SimDuration {
        let near = self.part_rtt(from, Endpoint::ElastiCache(cache));
        let given = self.doc.elasticache.entries[cache.index()].1.as_ref().and_then(|group| group.rtt.as_ref());
        given.map_or(near, |rtt| self.delay(rtt, "rtt"))
    }

    /// A call of one command: "session.get".
    pub(super) fn cache_command(
        &mut self,
        from: Endpoint,
        cache: ElastiCacheId,
        name: Option<&Sp<String>>,
        span: crate::tree::Span,
    ) -> u16 {
        let Some(group) = &self.doc.elasticache.entries[cache.index()].1 else { return 0 };
        let advised = || {
            let items: Vec<&str> = group.items.names().collect();
            format!("an item and what is done with it, such as \"{}.get\"", items.first().unwrap_or(&"session"))
        };
        let parts = name.and_then(|name| Some((name, name.split_once('.')?)));
        let Some((name, (item, command))) = parts else {
            self.error(name.map_or(span, |name| name.span), "what is asked of this cache?", advised());
            return 0;
        };
        let item = self.named(&Sp { value: item.to_owned(), span: name.span }, &group.items, "item");
        let node = Node { span: name.span, value: Value::String(command.to_owned()) };
        let mut decoder = Decoder::default();
        let command = raw::Command::decode(&node, &mut decoder);
        self.errors.append(&mut decoder.errors);
        let (Some(item), Some(command)) = (item, command) else { return 0 };
        let command = match command {
            raw::Command::Get => Command::Get,
            raw::Command::Set => Command::Set,
            raw::Command::Del => Command::Del,
        };
        let rtt = self.cache_rtt(from, cache);
        self.cache_use(cache, item as u16, What::Command(command), rtt)
    }

    /// A call that looks into a cache first: where it goes, and what it asks there.
    pub(super) fn look_aside(
        &mut self,
        from: Endpoint,
        cache: &Sp<String>,
        what: What,
    ) -> Option<(ElastiCacheId, u16)> {
        let (found, rest) = self.endpoint_and_rest(cache, &[Section::ElastiCache], Some(from), "`cache`");
        let Endpoint::ElastiCache(id) = found else { return None };
        let group = self.doc.elasticache.entries[id.index()].1.as_ref()?;
        let item = match rest {
            Some(name) => self.named(&Sp { value: name.to_owned(), span: cache.span }, &group.items, "item")?,
            None if group.items.len() <= 1 => 0,
            None => {
                let label = advice("", group.items.names());
                self.error(cache.span, "which item is looked for?", label);
                0
            }
        };
        if let What::LookAside { store: BROKEN, .. } = what {
            return None;
        }
        let rtt = self.cache_rtt(from, id);
        Some((id, self.cache_use(id, item as u16, what, rtt)))
    }

    /// What is planned for a cache, in order of time.
    fn cache_changes(&mut self, name: &Sp<String>, group: &raw::ReplicationGroup, recent: bool) -> Vec<Planned> {
        let doc = self.doc;
        let target = format!("elasticache.{}", name.value);
        let its = doc.maintenance.iter().filter(|change| change.target.value == target);
        let mut changes: Vec<Planned> = its.filter_map(|change| self.cache_change(change, group, recent)).collect();
        changes.sort_by_key(|planned| planned.at);
        changes
    }

    fn cache_change(
        &mut self,
        change: &aurora::Maintenance,
        group: &raw::ReplicationGroup,
        recent: bool,
    ) -> Option<Planned> {
        let at = self.within_run(change);
        self.cache_change_keys(change);
        let alone = group.replicas_per_node_group.value == 0;
        let recent = usize::from(recent);
        let takes = |check: &mut Self, default: SimDuration| {
            change.duration.as_ref().map_or(default, |duration| check.delay(duration, "duration"))
        };
        let change = match change.action.value {
            ApiAction::TestFailover => {
                if alone {
                    let title = "without replicas nobody takes over";
                    self.error(change.action.span, title, "add replicas_per_node_group");
                }
                let shard = change.node_group_id.as_ref().map_or(0, |id| self.node_group(id, group));
                Change::TestFailover { shard }
            }
            ApiAction::ModifyReplicationGroup => match (&change.cache_node_type, &change.engine_version) {
                (Some(node_type), None) => Change::NodeType {
                    name: node_type.value.clone(),
                    memory: self.node_memory(group, node_type, None),
                    takes: takes(self, if alone { NODE_TYPE_ALONE } else { NODE_TYPE[recent] }),
                },
                (None, Some(_)) => {
                    Change::Engine { takes: takes(self, if alone { ENGINE_ALONE } else { ENGINE[recent] }) }
                }
                _ => {
                    let title = "ModifyReplicationGroup changes either the node type or the engine";
                    self.error(change.span, title, "give `cache_node_type` or `engine_version`");
                    return None;
                }
            },
            ApiAction::RebootCacheCluster => {
                if group.num_node_groups.value > 1 {
                    let title = "nodes of a cluster cannot be rebooted";
                    let label = "API:elasticache (RebootCacheCluster): cluster mode disabled only";
                    self.error(change.action.span, title, label);
                }
                let node = change.cache_node_id.as_ref().map_or(Some(0), |id| self.cache_node(id, group))?;
                Change::Reboot { node, takes: takes(self, REBOOT) }
            }
            ApiAction::ModifyShards => Change::Reshard { node_groups: self.shard_count(change, group)? },
            ApiAction::Flush => Change::Flush,
            _ => {
                let title = "this is no change of a cache";
                let label = "TestFailover, ModifyReplicationGroup, ModifyReplicationGroupShardConfiguration, RebootCacheCluster or FLUSHALL";
                self.error(change.action.span, title, label);
                return None;
            }
        };
        Some(Planned { at, change })
    }

    fn shard_count(&mut self, change: &aurora::Maintenance, group: &raw::ReplicationGroup) -> Option<u16> {
        let Some(count) = &change.node_group_count else {
            let title = "ModifyReplicationGroupShardConfiguration lacks `node_group_count`";
            self.error(change.span, title, "add node_group_count = 4");
            return None;
        };
        if group.num_node_groups.value < 2 {
            let title = "shards are added to and removed from clusters only";
            self.error(change.action.span, title, "give the cache num_node_groups = 2 or more");
        }
        let each = group.replicas_per_node_group.value.min(5) + 1;
        Some(self.count(count, "node_group_count", 1, MAX_NODES as u32 / each) as u16)
    }

    fn within_run(&mut self, change: &aurora::Maintenance) -> SimTime {
        let ends = self.doc.run.duration.as_ref().map(|duration| duration.0);
        if let Some(ends) = ends.filter(|&ends| change.at.0 >= ends) {
            let label = format!("the run ends after {}", show(ends.as_secs_f64()));
            self.error(change.at.span, "this change comes after the end of the run", label);
        }
        SimTime::ZERO + change.at.0
    }

    /// Refuses what belongs to changes of databases.
    fn cache_change_keys(&mut self, change: &aurora::Maintenance) {
        let action = change.action.value;
        let modifies = action == ApiAction::ModifyReplicationGroup;
        let keys = [
            ("db_instance_identifier", change.db_instance_identifier.as_ref().map(|it| it.span), false),
            ("db_instance_class", change.db_instance_class.as_ref().map(|it| it.span), false),
            ("failover_first", change.failover_first.value.then_some(change.failover_first.span), false),
            ("apply_immediately", (!change.apply_immediately.value).then_some(change.apply_immediately.span), false),
            ("engine_version", change.engine_version.as_ref().map(|it| it.span), modifies),
            ("cache_node_type", change.cache_node_type.as_ref().map(|it| it.span), modifies),
            (
                "duration",
                change.duration.as_ref().map(|it| it.span),
                modifies || action == ApiAction::RebootCacheCluster,
            ),
            ("cache_node_id", change.cache_node_id.as_ref().map(|it| it.span), action == ApiAction::RebootCacheCluster),
            ("node_group_count", change.node_group_count.as_ref().map(|it| it.span), action == ApiAction::ModifyShards),
            ("node_group_id", change.node_group_id.as_ref().map(|it| it.span), action == ApiAction::TestFailover),
        ];
        for (key, span, fits) in keys {
            if let (Some(span), false) = (span, fits) {
                self.error(span, format!("this change of a cache has no parameter `{key}`"), "remove it");
            }
        }
    }

    /// The numbers of an engine's version.
    fn engine_version(&mut self, version: &Sp<String>) -> Vec<u32> {
        let numbers: Vec<Option<u32>> = version.split('.').map(|part| part.parse().ok()).collect();
        let Some(numbers) = numbers.into_iter().collect::<Option<Vec<u32>>>().filter(|it| (1..=3).contains(&it.len()))
        else {
            self.error(version.span, "this is no version", "such as \"7.1\" or \"5.0.6\"");
            return vec![7, 1];
        };
        numbers
    }

    /// The number of a shard: "0001" is the first.
    fn node_group(&mut self, id: &Sp<String>, group: &raw::ReplicationGroup) -> u16 {
        let groups = group.num_node_groups.value;
        match id.parse::<u32>() {
            Ok(number) if (1..=groups).contains(&number) && id.len() == 4 => (number - 1) as u16,
            _ => {
                let label = format!("\"0001\" to \"{groups:04}\"");
                self.error(id.span, format!("there is no node group `{}`", id.value), label);
                0
            }
        }
    }

    /// A fault that strikes a cache.
    pub(super) fn cache_fault(&mut self, fault: &timeline::Fault) -> Option<FaultAction> {
        let of_node = fault.action.value == Action::CacheNodeFailure;
        let allowed: &[Section] = if of_node { &[Section::ElastiCache, Section::Dax] } else { &[Section::ElastiCache] };
        let target = self.endpoint(&fault.target, allowed, None, "the target of this fault");
        if let Endpoint::Dax(id) = target {
            return self.dax_fault(fault, id);
        }
        let Endpoint::ElastiCache(cache) = target else { return None };
        let group = self.doc.elasticache.entries[cache.index()].1.as_ref()?;
        let its = match fault.action.value {
            Action::CacheNodeFailure => Fault::Node {
                node: match &fault.cache_node_id {
                    Some(id) => Some(self.cache_node(id, group)?),
                    None => None,
                },
            },
            Action::InterruptCachePower => {
                let Some(zone) = &fault.availability_zone else {
                    let title = format!("{} lacks `availability_zone`", fault.action.value.word());
                    self.error(fault.span, title, "add availability_zone = \"a\"");
                    return None;
                };
                let zones: Vec<&str> = group.availability_zones.iter().map(|zone| zone.as_str()).collect();
                if !zones.contains(&zone.as_str()) {
                    let title = format!("no node is in zone `{}`", zone.value);
                    self.error(zone.span, title, format!("zones: {}", list(&zones)));
                }
                Fault::Power { zone: zone.value.clone() }
            }
            _ => Fault::Unreachable,
        };
        Some(FaultAction::Cache { cache, fault: its })
    }

    /// The number of a node: "0002-001" is the first of the second shard.
    fn cache_node(&mut self, id: &Sp<String>, group: &raw::ReplicationGroup) -> Option<u16> {
        let each = group.replicas_per_node_group.value + 1;
        let parsed = id.split_once('-').and_then(|(shard, node)| Some((shard.parse().ok()?, node.parse().ok()?)));
        match parsed {
            Some((shard, node)) if (1..=group.num_node_groups.value).contains(&shard) && (1..=each).contains(&node) => {
                Some(((shard - 1) * each + node - 1) as u16)
            }
            _ => {
                let label = format!("\"0001-001\" to \"{:04}-{each:03}\"", group.num_node_groups.value);
                self.error(id.span, format!("there is no node `{}`", id.value), label);
                None
            }
        }
    }
}

/// Whether an action strikes caches only.
pub(super) fn of_caches(action: Action) -> bool {
    matches!(action, Action::CacheNodeFailure | Action::InterruptCachePower)
}

/// Whether a planned change is of caches only.
pub(super) fn changes_caches(action: ApiAction) -> bool {
    use ApiAction::{Flush, ModifyReplicationGroup, ModifyShards, RebootCacheCluster, TestFailover};
    matches!(action, TestFailover | ModifyReplicationGroup | ModifyShards | RebootCacheCluster | Flush)
}

fn policy(policy: raw::Policy) -> Policy {
    match policy {
        raw::Policy::VolatileLru => Policy::VolatileLru,
        raw::Policy::AllKeysLru => Policy::AllKeysLru,
        raw::Policy::VolatileLfu => Policy::VolatileLfu,
        raw::Policy::AllKeysLfu => Policy::AllKeysLfu,
        raw::Policy::VolatileRandom => Policy::VolatileRandom,
        raw::Policy::AllKeysRandom => Policy::AllKeysRandom,
        raw::Policy::VolatileTtl => Policy::VolatileTtl,
        raw::Policy::NoEviction => Policy::NoEviction,
    }
}
