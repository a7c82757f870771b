//! What is planned for RDS databases only: a read replica is promoted, storage grows, backups are taken.

use sim_core::observations::LogKind;

use super::*;
use crate::ledger;

impl Aurora {
    /// `PromoteReadReplica`: replication ends, what has not arrived never will, and the instance is rebooted (RDS guide,
    /// USER_ReadRepl.Promote).
    pub(super) fn begin_promotion_of_replica(&mut self, instance: u16, takes: SimDuration, cx: &mut Cx<'_>) {
        let lost = self.lag.unapplied(cx.now()) as u64;
        *self.books.lost.get_or_insert(0) += lost;
        let name = &self.servers[instance as usize].short_name;
        let behind = self.lag.backlog(cx.now()).as_secs_f64();
        let what = format!("PromoteReadReplica {name}: {behind:.3} s behind, {lost} committed writes are not there");
        self.announce(what, takes, cx);
        // It is nobody's replica from now on, and does nothing until it is back.
        self.servers[instance as usize].kind = Kind::Apart;
        self.replace(instance, takes, cx);
    }

    /// A promoted replica is back. If it takes over, the database's name leads to it, and what it led to is a database of its own
    /// that nobody asks any more.
    pub(super) fn promote_replica(&mut self, instance: u16, takes_over: bool, cx: &mut Cx<'_>) {
        let now = cx.now();
        let name = self.servers[instance as usize].short_name.clone();
        if takes_over {
            let before = self.roles.record;
            for server in self.servers.iter_mut().filter(|server| server.kind.is_candidate()) {
                server.kind = Kind::Apart;
            }
            cx.phase(&self.name, ledger::Phase::Routing);
            self.roles.rename(instance, now);
            self.set_writer(Some(instance), cx);
            // Whoever still has a connection to it comes back under the name.
            if self.servers[before as usize].is_up() {
                self.reset_connections(before, false, cx);
            }
            self.refill_proxy(cx);
        }
        let how = if takes_over { "is what the database's name leads to" } else { "is a database of its own" };
        cx.shared.observer.log(now, LogKind::Lifecycle, &self.name, format!("{name} {how}"));
    }

    /// `ModifyDBInstance` with a larger storage: nothing is away. Until the volumes are optimized they have their old rate, the lower
    /// end of what is documented: between both (RDS guide, USER_PIOPS.StorageTypes).
    pub(super) fn grow_storage(&mut self, volume: &Volume, takes: SimDuration, gigabytes: f64, cx: &mut Cx<'_>) {
        let now = cx.now();
        self.announce(format!("ModifyDBInstance: {gigabytes:.0} GiB in all, optimizing"), takes, cx);
        for server in self.servers.iter_mut().filter(|server| server.kind != Kind::Replica) {
            if let Some(disk) = &mut server.disk {
                disk.becomes(volume, now + takes);
            }
        }
        self.allocated.set(now, gigabytes);
    }

    /// A backup of the primary begins (RDS guide, USER_WorkingWithAutomatedBackups).
    pub(super) fn back_up(&mut self, suspension: SimDuration, cx: &mut Cx<'_>) {
        let now = cx.now();
        self.announce("backup: storage I/O is suspended".to_owned(), suspension, cx);
        if let Some(disk) = &mut self.servers[self.roles.record as usize].disk {
            disk.suspend(now, suspension);
        }
    }
}
