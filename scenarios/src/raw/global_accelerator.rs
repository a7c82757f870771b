//! AWS Global Accelerator.

use crate::decode::{Named, Sp, choice, table};
use crate::units::{Share, Time};

table! {
    /// An accelerator with one listener: static addresses in front of Regions.
    Accelerator as "[global_accelerator]" {
        /// Whether all flows of a client go to one endpoint.
        default("NONE", "API:globalaccelerator (ClientAffinity)") client_affinity: Sp<ClientAffinity>,
        /// Endpoint groups, one for each Region, by name: [global_accelerator.shop.endpoint_group.tokyo].
        required endpoint_group: Named<EndpointGroup>,
        /// At most so long after a load balancer's change of health new flows follow it: away at a random instant, back after the whole.
        default("30s", "assumption A20; GA guide: about 30 s") shift: Sp<Time>,
    }
    not ["ip_address_type", "ip_addresses", "port_ranges", "protocol", "listener", "flow_logs"]
}

choice! {
    /// Which flows belong together.
    ClientAffinity {
        /// None: each goes by itself.
        None = "NONE",
        /// Those of one client.
        SourceIp = "SOURCE_IP",
    } not []
}

table! {
    /// The endpoints of a Region.
    EndpointGroup as "an endpoint group" {
        /// The Region.
        required endpoint_group_region: Sp<String>,
        /// Share of the traffic that would go there otherwise; the rest goes to the next nearest group.
        default("100%", "API:globalaccelerator (TrafficDialPercentage)") traffic_dial_percentage: Sp<Share>,
        /// Endpoints.
        required endpoints: Sp<Vec<GroupEndpoint>>,
        /// Round trips from places to it: { tokyo = "5ms", london = "220ms" }.
        default({}, "what follows from where the place and the Region are") rtt: Named<Sp<Time>>,
        /// Time between two checks of an endpoint that is no load balancer: "30s" or "10s".
        default("30s", "API:globalaccelerator (HealthCheckIntervalSeconds)") health_check_interval: Sp<Time>,
        /// Checks in a row that change its health.
        default(3, "API:globalaccelerator (ThresholdCount)") threshold_count: Sp<u32>,
        /// Path of the checks.
        default("/", "API:globalaccelerator (HealthCheckPath)") health_check_path: Sp<String>,
    }
    not ["health_check_port", "health_check_protocol", "port_overrides"]
}

table! {
    /// An endpoint of a group.
    GroupEndpoint as "an endpoint" {
        /// What answers: "alb.tokyo", whose own health checks count, or "station.tokyo", which is checked from here.
        required endpoint: Sp<String>,
        /// Its share of the group is its weight over the sum of weights; 0..=255.
        default(128, "API:globalaccelerator (Weight)") weight: Sp<u32>,
    }
    not ["client_ip_preservation_enabled"]
}
