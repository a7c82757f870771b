//! Clusters of DynamoDB Accelerator (DAX).

use crate::decode::{Sp, table};
use crate::distributions::TimeDist;
use crate::units::{Bytes, Rate, Time};

table! {
    /// A cluster of DAX in front of a DynamoDB table. Callers name it in place of the table: "dax.NAME.OPERATION".
    Cluster as "[dax]" {
        /// The AWS Region it is in, such as "eu-west-1": what the network to parts of other Regions takes follows from it.
        optional("network.region", "see network.region") region: Sp<String>,
        /// The table: "dynamodb.cart". Its operations are the cluster's.
        required table: Sp<String>,
        /// Nodes: a primary and its replicas.
        default(3, "DDB guide, DAX.concepts.cluster: at least three for production; 1-11") replication_factor: Sp<u32>,
        /// The node type: how much memory there is for copies. All nodes have the same copies.
        default("dax.r5.large", "assumption: the smallest of its family") node_type: Sp<String>,
        /// Memory of a node for copies, where the type is not in the table of known types, or to try another size.
        optional("that of the type", "DDB guide, DAX.concepts.cluster") memory: Sp<Bytes>,
        /// How long an item is kept (record-ttl-millis).
        default("5m", "DDB guide, DAX.concepts") record_ttl: Sp<Time>,
        /// How long the result of a query or scan is kept (query-ttl-millis).
        default("5m", "DDB guide, DAX.concepts") query_ttl: Sp<Time>,
        /// Time of a node to answer from a cache, or to pass a request on.
        default("300us", "assumption: DDB guide, DAX says microseconds, no figure") latency: Sp<TimeDist>,
        /// Requests a second that a node takes; those beyond are throttled.
        optional("any number", "DDB guide, DAX.concepts: ThrottlingException when overloaded; no figure")
        requests_per_second: Sp<Rate>,
        /// Round trip to the table.
        optional("network.region_rtt", "see network.region_rtt") rtt: Sp<Time>,
        /// How long a client waits for a node that does not answer before it tries another.
        default("1s", "assumption: the clients' connectTimeout") client_timeout: Sp<Time>,
        /// From a node's failure until clients leave it out.
        default("10s", "assumption: not documented") failure_detection: Sp<Time>,
        /// From a node's failure until another stands in its place.
        default("5m", "assumption: minutes") replacement_time: Sp<Time>,
    }
    not ["sse_specification", "cluster_endpoint_encryption_type"]
}
