//! Plain stations.

use models::station::{Discipline, Settings};

use super::Check;
use crate::decode::Sp;
use crate::raw::station as raw;

impl Check<'_> {
    pub(super) fn stations(&mut self) -> Vec<Option<Settings>> {
        let doc = self.doc;
        self.part_names(&doc.station, "station");
        let build = |(name, station): &(Sp<String>, Option<raw::Station>), check: &mut Self| {
            station.as_ref().map(|station| check.station(name, station))
        };
        doc.station.entries.iter().map(|entry| build(entry, self)).collect()
    }

    fn station(&mut self, name: &Sp<String>, station: &raw::Station) -> Settings {
        self.part_names(&station.classes, "classes");
        if let (Some(room), None) = (&station.room, &station.servers) {
            self.error(
                room.span,
                "nobody waits where there is any number of servers",
                "remove `room`, or give `servers`",
            );
        }
        let mut classes = vec![station.service.0.clone()];
        classes.extend(
            station.classes.entries.iter().filter_map(|(_, class)| class.as_ref().map(|class| class.0.clone())),
        );
        let ps = station.discipline.value == raw::Discipline::ProcessorSharing;
        Settings {
            name: name.value.clone(),
            servers: station.servers.as_ref().map(|n| self.count(n, "servers", 1, 1_000_000)),
            room: station.room.as_ref().map(|n| n.value),
            discipline: if ps { Discipline::ProcessorSharing } else { Discipline::Fifo },
            classes,
            response_bytes: self.body(&station.response_size, "response_size"),
        }
    }
}
