//! Typed numbers of the parts of an architecture. They index the `Vec`s of [`crate::Architecture`] and of the world.

macro_rules! id {
    ($($(#[$doc:meta])* $name:ident($inner:ty);)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
        pub struct $name(pub $inner);
        impl $name {
            /// As an index.
            #[must_use]
            pub fn index(self) -> usize { self.0 as usize }
        }
    )*};
}

id! {
    /// A source of traffic.
    TrafficId(u16);
    /// A route whose fate is reported: one traffic source, one path pattern.
    RouteId(u16);
    /// A distinct path; patterns are matched once per path, before the run.
    PathId(u32);
    /// Where viewers are.
    PlaceId(u16);
    /// A set of objects with popularities and sizes.
    CatalogId(u16);
    /// A name served by Route 53, with its records.
    RecordId(u16);
    /// A distribution.
    CloudFrontId(u16);
    /// An accelerator.
    GlobalAcceleratorId(u16);
    /// A load balancer.
    AlbId(u16);
    /// A target group, numbered within its load balancer.
    TargetGroupId(u16);
    /// An ECS service.
    EcsId(u16);
    /// An Aurora cluster.
    AuroraId(u16);
    /// A table.
    DynamoDbId(u16);
    /// A cache of ElastiCache.
    ElastiCacheId(u16);
    /// A cluster of DAX.
    DaxId(u16);
    /// A plain station.
    StationId(u16);
    /// A web ACL.
    WafId(u16);
    /// An EC2 Auto Scaling group.
    Ec2Id(u16);
    /// A published CloudWatch metric.
    MetricId(u16);
    /// A CloudWatch alarm.
    AlarmId(u16);
    /// A synthetic canary.
    CanaryId(u16);
}

/// Whatever has a capacity that policies set.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Scalable {
    /// The tasks of an ECS service.
    Ecs(EcsId),
    /// The instances of an EC2 Auto Scaling group.
    Ec2(Ec2Id),
    /// Provisioned throughput of a DynamoDB table: 0 its read units, 1 its write units, then those of its indexes.
    Throughput(DynamoDbId, u8),
    /// The container instances of an ECS service's capacity provider.
    Capacity(EcsId),
    /// The readers of an Aurora cluster.
    Readers(AuroraId),
}

/// Whatever a request can be offered to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Endpoint {
    /// A DNS name: the client resolves it first.
    Record(RecordId),
    /// A distribution.
    CloudFront(CloudFrontId),
    /// An accelerator.
    GlobalAccelerator(GlobalAcceleratorId),
    /// A load balancer.
    Alb(AlbId),
    /// An ECS service; [`crate::Request::target`] says which task, or the service picks one in turn.
    Ecs(EcsId),
    /// An EC2 Auto Scaling group; [`crate::Request::target`] says which instance, or any in turn.
    Ec2(Ec2Id),
    /// An Aurora cluster.
    Aurora(AuroraId),
    /// A table.
    DynamoDb(DynamoDbId),
    /// A plain station.
    Station(StationId),
    /// A cache of ElastiCache.
    ElastiCache(ElastiCacheId),
    /// A cluster of DAX.
    Dax(DaxId),
}
const _: () = assert!(size_of::<Endpoint>() == 4);

impl Endpoint {
    /// Whose processes serve there, if anybody's.
    #[must_use]
    pub fn service(self) -> Option<ComputeId> {
        match self {
            Self::Ecs(id) => Some(id.into()),
            Self::Ec2(id) => Some(id.into()),
            _ => None,
        }
    }
}

/// Whoever has processes that serve requests and call others: an ECS service, an EC2 Auto Scaling group. Even numbers are
/// services, odd ones groups, so that the numbers in use are small.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ComputeId(pub u16);

/// See [`ComputeId`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Compute {
    /// An ECS service.
    Ecs(EcsId),
    /// An EC2 Auto Scaling group.
    Ec2(Ec2Id),
}

impl ComputeId {
    /// Which it is.
    #[inline]
    #[must_use]
    pub fn get(self) -> Compute {
        if self.0 & 1 == 0 { Compute::Ecs(EcsId(self.0 / 2)) } else { Compute::Ec2(Ec2Id(self.0 / 2)) }
    }
    /// Where requests for it are offered.
    #[must_use]
    pub fn endpoint(self) -> Endpoint {
        match self.get() {
            Compute::Ecs(id) => Endpoint::Ecs(id),
            Compute::Ec2(id) => Endpoint::Ec2(id),
        }
    }
}

impl From<EcsId> for ComputeId {
    fn from(id: EcsId) -> Self {
        Self(2 * id.0)
    }
}

impl From<Ec2Id> for ComputeId {
    fn from(id: Ec2Id) -> Self {
        Self(2 * id.0 + 1)
    }
}
