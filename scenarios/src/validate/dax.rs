//! Clusters of DAX.

use models::dax::{Fault, Kind, MAX_NODES, Operation, Settings};
use models::ids::*;
use models::timeline::FaultAction;

use super::aurora::GIB;
use super::{Check, Section};
use crate::decode::{Decode, Decoder, Sp};
use crate::diagnostics::Diagnostic;
use crate::nearest::advice;
use crate::raw::dax as raw;
use crate::raw::dynamodb::{self, ApiOperation};
use crate::raw::timeline;
use crate::tree::{Node, Value};

/// Memory of node types in GiB (DDB guide, DAX.concepts.cluster; AWS's list of sizes).
const NODE_TYPES: &[(&str, f64)] = &[
    ("dax.t2.small", 2.0),
    ("dax.t2.medium", 4.0),
    ("dax.t3.small", 2.0),
    ("dax.t3.medium", 4.0),
    ("dax.r4.large", 15.25),
    ("dax.r4.xlarge", 30.5),
    ("dax.r5.large", 16.0),
    ("dax.r5.xlarge", 32.0),
    ("dax.r5.2xlarge", 64.0),
    ("dax.r5.4xlarge", 128.0),
    ("dax.r5.8xlarge", 256.0),
    ("dax.r5.12xlarge", 384.0),
    ("dax.r5.16xlarge", 512.0),
    ("dax.r5.24xlarge", 768.0),
];

impl Check<'_> {
    pub(super) fn dax_clusters(&mut self) -> Vec<Option<Settings>> {
        let doc = self.doc;
        self.part_names(&doc.dax, "dax");
        let clusters = doc.dax.entries.iter().enumerate();
        clusters.map(|(number, (name, cluster))| self.dax(number as u16, name, cluster.as_ref()?)).collect()
    }

    fn dax(&mut self, number: u16, name: &Sp<String>, cluster: &raw::Cluster) -> Option<Settings> {
        let itself = Endpoint::Dax(DaxId(number));
        let known = NODE_TYPES.iter().find(|(name, _)| *name == cluster.node_type.as_str());
        let memory = match (&cluster.memory, known) {
            (Some(memory), _) => memory.0,
            (None, Some((_, gib))) => (gib * GIB) as u64,
            (None, None) => {
                let title = format!("the memory of node type `{}` is not known", cluster.node_type.value);
                let label = advice(&cluster.node_type, NODE_TYPES.iter().map(|(name, _)| *name));
                self.note(
                    Diagnostic::error(cluster.node_type.span, title, label)
                        .help("for a type not in the table give memory"),
                );
                0
            }
        };
        let requests_per_second = cluster.requests_per_second.as_ref().map(|rate| {
            if rate.0 < 1.0 {
                self.error(rate.span, "a node that takes hardly any request", "at least \"1/s\"");
            }
            rate.0.max(1.0)
        });
        let table = self.endpoint(&cluster.table, &[Section::DynamoDb], Some(itself), "`table`");
        let near = self.part_rtt(itself, table);
        let rtt = cluster.rtt.as_ref().map_or(near, |rtt| self.delay(rtt, "rtt"));
        let Endpoint::DynamoDb(table) = table else { return None };
        let operations = &self.doc.dynamodb.entries[table.index()].1.as_ref()?.operations;
        Some(Settings {
            name: name.value.clone(),
            table,
            node_type: cluster.node_type.value.clone(),
            nodes: self.count(&cluster.replication_factor, "replication_factor", 1, MAX_NODES) as u16,
            memory,
            ttl: [
                self.time(&cluster.record_ttl, "record_ttl", 0.0, 1e9, ""),
                self.time(&cluster.query_ttl, "query_ttl", 0.0, 1e9, ""),
            ],
            latency: cluster.latency.0.clone(),
            requests_per_second,
            rtt,
            timeout: self.delay(&cluster.client_timeout, "client_timeout"),
            detection: self.delay(&cluster.failure_detection, "failure_detection"),
            replacement: self.delay(&cluster.replacement_time, "replacement_time"),
            operations: operations.iter().map(|(_, name, operation)| kept(name, operation)).collect(),
        })
    }

    /// The table behind a cluster; what is wrong with it is told where the cluster is read.
    pub(super) fn table_behind(&self, dax: DaxId) -> Option<Endpoint> {
        let cluster = self.doc.dax.entries[dax.index()].1.as_ref()?;
        self.look_up(&cluster.table).0.map(|(_, table)| table).filter(|table| matches!(table, Endpoint::DynamoDb(_)))
    }

    /// A node of a cluster loses its host.
    pub(super) fn dax_fault(&mut self, fault: &timeline::Fault, dax: DaxId) -> Option<FaultAction> {
        let cluster = self.doc.dax.entries[dax.index()].1.as_ref()?;
        let nodes = cluster.replication_factor.value;
        let node = match &fault.cache_node_id {
            None => 0,
            Some(id) => match id.parse::<u32>() {
                Ok(number) if (1..=nodes).contains(&number) => number as u16 - 1,
                _ => {
                    self.error(id.span, format!("there is no node `{}`", id.value), format!("\"1\" to \"{nodes}\""));
                    return None;
                }
            },
        };
        Some(FaultAction::Dax { dax, fault: Fault { node } })
    }
}

/// What the caches have to do with an operation of a table.
fn kept(name: &Sp<String>, operation: &dynamodb::Operation) -> Operation {
    use ApiOperation::*;
    let eventually = !operation.consistent_read.value && !operation.transactional.value;
    let named = || {
        ApiOperation::decode(
            &Node { span: name.span, value: Value::String(name.value.clone()) },
            &mut Decoder::default(),
        )
    };
    let kind = match operation.operation.as_ref().map(|api| api.value).or_else(named) {
        Some(GetItem) if eventually => Kind::Item,
        Some(Query | Scan) if eventually => Kind::Query,
        Some(PutItem | UpdateItem) if !operation.transactional.value => Kind::Put,
        Some(DeleteItem) if !operation.transactional.value => Kind::Delete,
        _ => Kind::Through,
    };
    Operation { kind, bytes: operation.item_size.0 * u64::from(operation.items.value) }
}
