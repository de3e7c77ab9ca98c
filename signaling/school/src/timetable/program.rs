//! 三个课堂 and their modes: the rules of each, and what must be ready before its lessons begin.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{base::words::words, organisation::serve_scope::ServeLevel};

words!(
    /// One of the three classrooms (三个课堂).
    Program {
        /// 专递课堂: a centre school teaches what a teaching point has no teacher for.
        DeliveryClass = "delivery_class",
        /// 名师课堂: a master teacher's lessons and research train other teachers.
        MasterClass = "master_class",
        /// 名校网络课堂: a strong school offers whole series to a region.
        OpenSchoolClass = "open_school_class",
    }
);

words!(
    /// Mode of teaching.
    Mode {
        /// 直播式: both ends at once.
        Live = "live",
        /// 录播式: a recording is played to the class, with a local teacher present.
        Recorded = "recorded",
        /// 植入式: a local lesson includes a piece from elsewhere.
        Embedded = "embedded",
        /// 观摩式: others observe.
        Observed = "observed",
    }
);

words!(
    /// Whether there is a class in the broadcasting room.
    Delivery {
        /// 同步课堂: a local class and remote ones together.
        Synchronous = "synchronous",
        /// 专门开课: for remote classes only.
        Dedicated = "dedicated",
        /// Resources are pushed to the class.
        Pushed = "pushed",
    }
);

/// Rule of a program in a mode. A bureau may set its own values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProgramRule {
    /// The program.
    pub program: Program,
    /// The mode.
    pub mode: Mode,
    /// 接收端数量上限: maximum classrooms that can be called on stage.
    #[schema(maximum = 100)]
    pub interactive_max: u32,
    /// Maximum classrooms that watch only.
    #[schema(maximum = 10000)]
    pub watch_only_max: u32,
    /// Maximum guests without an account.
    #[schema(maximum = 10000)]
    pub guests_max: u32,
    /// 辐射范围: how far from the broadcasting school.
    pub serves: ServeLevel,
    /// Whether a listening class needs a pairing or a listening right for the term.
    pub needs_listening_right: bool,
    /// Whether each receiving classroom must have a class in it.
    pub needs_listening_class: bool,
    /// Whether it goes live at the bell without a teacher at the broadcasting end.
    pub starts_without_teacher: bool,
    /// What must be ready.
    #[schema(max_items = 20)]
    pub readiness: Vec<ReadinessItem>,
}

words!(
    /// An item that must be ready before the bell.
    ReadinessItem {
        /// A lead teacher is named.
        LeadTeacher = "lead_teacher",
        /// The broadcasting classroom has an enrolled device.
        BroadcastDevice = "broadcast_device",
        /// At least one classroom listens.
        Receivers = "receivers",
        /// Every receiving classroom has an enrolled device.
        ReceivingDevices = "receiving_devices",
        /// Every receiving classroom has an assistant teacher.
        Assistants = "assistants",
        /// Every listening class has its listening right.
        ListeningRights = "listening_rights",
        /// The recording to be played is chosen.
        RecordingChosen = "recording_chosen",
        /// The piece to be included is chosen.
        PieceChosen = "piece_chosen",
        /// The purpose of the observation is written down.
        ObservationPurpose = "observation_purpose",
    }
);

/// What is known of a lesson before it begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the item of its name")]
pub struct Prepared {
    pub lead_teacher: bool,
    pub broadcast_device: bool,
    pub receivers: u32,
    pub receiving_devices: u32,
    pub assistants: u32,
    pub listening_rights: u32,
    pub recording_chosen: bool,
    pub piece_chosen: bool,
    pub observation_purpose: bool,
}

/// State of a readiness item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Readiness {
    /// The item.
    pub item: ReadinessItem,
    /// Whether it is met.
    pub met: bool,
    /// Whether a named person has waived it.
    pub waived: bool,
}

impl ProgramRule {
    /// The readiness items and their states. A lesson is ready when each is met or waived by name.
    #[must_use]
    pub fn readiness(&self, prepared: &Prepared, waived: &[ReadinessItem]) -> Vec<Readiness> {
        let met = |item| match item {
            ReadinessItem::LeadTeacher => prepared.lead_teacher,
            ReadinessItem::BroadcastDevice => prepared.broadcast_device,
            ReadinessItem::Receivers => prepared.receivers > 0,
            ReadinessItem::ReceivingDevices => prepared.receiving_devices >= prepared.receivers,
            ReadinessItem::Assistants => prepared.assistants >= prepared.receivers,
            ReadinessItem::ListeningRights => prepared.listening_rights >= prepared.receivers,
            ReadinessItem::RecordingChosen => prepared.recording_chosen,
            ReadinessItem::PieceChosen => prepared.piece_chosen,
            ReadinessItem::ObservationPurpose => prepared.observation_purpose,
        };
        let readiness = |&item| Readiness { item, met: met(item), waived: waived.contains(&item) };
        self.readiness.iter().map(readiness).collect()
    }
}

/// Whether nothing is missing.
#[must_use]
pub fn is_ready(readiness: &[Readiness]) -> bool {
    readiness.iter().all(|one| one.met || one.waived)
}

/// Default rules until a bureau sets its own: few interactive classrooms, many that watch only.
#[must_use]
pub fn default_rules() -> Vec<ProgramRule> {
    use Mode::{Embedded, Live, Observed, Recorded};
    use Program::{DeliveryClass, MasterClass, OpenSchoolClass};
    use ReadinessItem as R;
    //                                       interactive watch-only guests
    let table: [(Program, Mode, [u32; 3]); 12] = [
        (DeliveryClass, Live, [3, 0, 0]),
        (DeliveryClass, Recorded, [0, 10, 0]),
        (DeliveryClass, Embedded, [3, 0, 0]),
        (DeliveryClass, Observed, [3, 50, 0]),
        (MasterClass, Live, [6, 100, 0]),
        (MasterClass, Recorded, [0, 200, 0]),
        (MasterClass, Embedded, [6, 50, 0]),
        (MasterClass, Observed, [3, 200, 200]),
        (OpenSchoolClass, Live, [3, 500, 3_000]),
        (OpenSchoolClass, Recorded, [0, 2_000, 3_000]),
        (OpenSchoolClass, Embedded, [3, 100, 0]),
        (OpenSchoolClass, Observed, [0, 2_000, 3_000]),
    ];
    let rule = |(program, mode, [interactive_max, watch_only_max, guests_max]): (Program, Mode, [u32; 3])| {
        let delivers = program == DeliveryClass;
        let mut readiness = vec![R::LeadTeacher];
        match mode {
            Live => readiness.extend([R::BroadcastDevice, R::Receivers, R::ReceivingDevices]),
            Recorded => readiness.extend([R::RecordingChosen, R::Receivers, R::ReceivingDevices]),
            Embedded => readiness.extend([R::BroadcastDevice, R::PieceChosen]),
            Observed => readiness.extend([R::BroadcastDevice, R::ObservationPurpose]),
        }
        if delivers {
            readiness.extend([R::Assistants, R::ListeningRights]);
        }
        ProgramRule {
            program,
            mode,
            interactive_max,
            watch_only_max,
            guests_max,
            serves: match program {
                DeliveryClass => ServeLevel::County,
                MasterClass => ServeLevel::City,
                OpenSchoolClass => ServeLevel::Province,
            },
            needs_listening_right: delivers,
            needs_listening_class: delivers,
            starts_without_teacher: mode == Recorded,
            readiness,
        }
    };
    table.into_iter().map(rule).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_program_has_a_rule_for_every_mode() {
        let rules = default_rules();
        let mut pairs: Vec<_> = rules.iter().map(|rule| (rule.program, rule.mode)).collect();
        pairs.dedup();
        assert_eq!(pairs.len(), 12);
        for rule in &rules {
            assert_eq!(rule.program.as_str().parse(), Ok(rule.program));
            assert_eq!(rule.mode.as_str().parse(), Ok(rule.mode));
            assert_eq!(rule.needs_listening_right, rule.readiness.contains(&ReadinessItem::ListeningRights));
        }
    }

    #[test]
    fn a_lesson_is_ready_when_each_item_is_met_or_waived() {
        let rule = default_rules().into_iter().find(|rule| rule.mode == Mode::Live).unwrap();
        let mut prepared = Prepared {
            lead_teacher: true,
            broadcast_device: true,
            receivers: 2,
            receiving_devices: 2,
            assistants: 1,
            listening_rights: 2,
            ..Prepared::default()
        };
        let missing = |prepared: &Prepared| -> Vec<_> {
            rule.readiness(prepared, &[]).into_iter().filter(|one| !one.met).map(|one| one.item).collect()
        };
        assert_eq!(missing(&prepared), [ReadinessItem::Assistants]);
        assert!(!is_ready(&rule.readiness(&prepared, &[])));
        assert!(is_ready(&rule.readiness(&prepared, &[ReadinessItem::Assistants])));
        prepared.assistants = 2;
        assert!(is_ready(&rule.readiness(&prepared, &[])));
        prepared.receivers = 0;
        assert_eq!(missing(&prepared), [ReadinessItem::Receivers]);
    }
}
