//! What is planned and what goes wrong, at its time: deployments and faults.

use sim_core::observations::{IncidentKind, LogKind};
use sim_core::{SimDuration, SimTime};

use crate::deployment::Deployment;
use crate::ids::*;
use crate::world::{Control, Cx};
use crate::{aurora, dax, elasticache};

/// Something that goes wrong.
#[derive(Clone, Debug)]
pub struct Fault {
    /// When.
    pub at: SimTime,
    /// For how long, where it lasts.
    pub duration: SimDuration,
    /// What.
    pub action: FaultAction,
    /// As written: the action id.
    pub name: String,
    /// As written: what it strikes.
    pub target: String,
    /// It is part of the one before it in the list, and not told apart: what strikes a Region strikes many.
    pub follows: bool,
}

/// What goes wrong. Named by AWS FIS action ids where there is one.
#[derive(Clone, Debug)]
pub enum FaultAction {
    /// `aws:ecs:stop-task`: stops some tasks of a service at once, of one zone or of all.
    StopTask {
        /// Whose.
        service: EcsId,
        /// Index of the zone; none = any.
        zone: Option<u16>,
        /// How many; none = all of them.
        count: Option<u32>,
    },
    /// Something happens to a database.
    Database {
        /// Which.
        cluster: AuroraId,
        /// What.
        fault: aurora::Fault,
    },
    /// Something happens to a cluster of DAX.
    Dax {
        /// Which.
        dax: DaxId,
        /// What.
        fault: dax::Fault,
    },
    /// Something happens to a cache.
    Cache {
        /// Which.
        cache: ElastiCacheId,
        /// What.
        fault: elasticache::Fault,
    },
    /// `aws:dynamodb:global-table-pause-replication`: no write passes between a replica of a global table and the others while it
    /// lasts.
    PauseReplication(DynamoDbId),
    /// Tasks of a service do not get to RUNNING while it lasts: the image cannot be pulled.
    LaunchFailure {
        /// Whose.
        service: EcsId,
    },
    /// What becomes of some instances of an Auto Scaling group, or of the container instances of a service.
    Instances {
        /// Whose.
        of: ComputeId,
        /// Index of the zone; none = any.
        zone: Option<u16>,
        /// How many (the oldest); none = all.
        count: Option<u32>,
        /// What.
        fault: InstanceFault,
    },
    /// `aws:network:disrupt-connectivity`: no packet reaches a service while it lasts.
    DisruptConnectivity(Endpoint),
    /// Share of a service's requests answered with an error while it lasts, by its tasks of one zone or by all.
    ErrorRate {
        /// Whose.
        service: ComputeId,
        /// Index of the zone; none = any.
        zone: Option<u16>,
        /// 0..=1.
        share: f64,
    },
    /// `aws:ecs:task-network-latency`: added to every request of the service's tasks, of one zone or of all, while it lasts.
    NetworkLatency {
        /// Whose.
        service: ComputeId,
        /// Index of the zone; none = any.
        zone: Option<u16>,
        /// How much.
        delay: SimDuration,
    },
    /// `aws:ecs:task-network-blackhole-port`: packets to the service's tasks, of one zone or of all, are lost while it lasts.
    Blackhole {
        /// Whose.
        service: ComputeId,
        /// Index of the zone; none = any.
        zone: Option<u16>,
    },
    /// `aws:arc:start-zonal-autoshift`: a load balancer's traffic goes to its other zones while it lasts.
    ZonalShift {
        /// Whose.
        alb: AlbId,
        /// Index of the load balancer's zone.
        zone: u8,
    },
    /// `aws:ecs:task-cpu-stress`: the CPU steps of the service take this many times as long while it lasts.
    CpuStress {
        /// Whose.
        service: ComputeId,
        /// Factor.
        factor: f64,
        /// Only this many of its tasks or instances (the oldest); none = all.
        count: Option<u32>,
    },
}

/// What goes wrong with instances.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InstanceFault {
    /// `aws:ec2:stop-instances`; started again when the fault's time is over, if they are still there.
    Stop,
    /// `aws:ec2:reboot-instances`.
    Reboot,
    /// `aws:ec2:terminate-instances`.
    Terminate,
    /// `aws:ecs:drain-container-instances`: no more tasks on them, and those there are replaced elsewhere.
    Drain,
    /// Its host or its operating system does not work while the fault lasts: status checks fail, nobody is answered.
    Impair(crate::ec2::Impairment),
}

/// What happens on the timeline.
#[derive(Clone, Copy, Debug)]
pub enum Event {
    /// Deployment number n is due.
    Deploy(u16),
    /// Fault number n begins.
    Begin(u16),
    /// Fault number n ends.
    End(u16),
}

/// The plan.
#[derive(Debug)]
pub struct Timeline {
    deployments: Vec<Deployment>,
    faults: Vec<Fault>,
}

impl Timeline {
    /// The plan of a scenario.
    #[must_use]
    pub fn new(deployments: &[Deployment], faults: &[Fault]) -> Self {
        Self { deployments: deployments.to_vec(), faults: faults.to_vec() }
    }
    /// Schedules all of it.
    pub fn start(&mut self, cx: &mut Cx<'_>) {
        for (number, deployment) in self.deployments.iter().enumerate() {
            cx.kernel.schedule_at(deployment.at, crate::world::Event::Timeline(Event::Deploy(number as u16)));
        }
        for (number, fault) in self.faults.iter().enumerate() {
            cx.kernel.schedule_at(fault.at, crate::world::Event::Timeline(Event::Begin(number as u16)));
            if !fault.duration.is_zero() {
                let end = fault.at + fault.duration;
                cx.kernel.schedule_at(end, crate::world::Event::Timeline(Event::End(number as u16)));
            }
        }
    }
    /// Handles one of its events.
    #[cold]
    #[inline(never)]
    pub fn on(&mut self, event: Event, cx: &mut Cx<'_>) {
        match event {
            Event::Deploy(number) => {
                cx.control(Control::Deploy(self.deployments[number as usize].service, number));
            }
            Event::Begin(number) => {
                let fault = &self.faults[number as usize];
                if !fault.follows {
                    Self::tell(fault, cx);
                }
                cx.control(Control::Fault(number, true));
            }
            Event::End(number) => {
                let fault = &self.faults[number as usize];
                if !fault.follows {
                    cx.is_over(IncidentKind::Fault, &fault.target);
                }
                cx.control(Control::Fault(number, false));
            }
        }
    }
    /// A fault begins: log and downtime ledger are told.
    fn tell(fault: &Fault, cx: &mut Cx<'_>) {
        let until = Some(cx.now() + fault.duration);
        cx.shared.observer.log_span(cx.kernel.now(), until, LogKind::Fault, &fault.target, fault.name.as_str());
        cx.begins(IncidentKind::Fault, &fault.target, &fault.name);
        if fault.duration.is_zero() {
            cx.is_over(IncidentKind::Fault, &fault.target);
        }
    }
    /// Deployment number n.
    #[must_use]
    pub fn deployment(&self, number: u16) -> &Deployment {
        &self.deployments[number as usize]
    }
    /// Fault number n.
    #[must_use]
    pub fn fault(&self, number: u16) -> &Fault {
        &self.faults[number as usize]
    }
}
