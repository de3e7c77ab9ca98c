//! 结对 and 收听授权: which class may listen to which school for a term, and replay rights after that ends.

use crate::base::{
    id::{ClassId, ListeningRightId, OrganisationId, PairingId, TermId},
    time::UnixMs,
    words::words,
};

words!(
    /// Shape of a pairing.
    Topology {
        /// 中心校带教学点
        CentreWithPoints = "centre_with_points",
        /// 一校带多点
        OneToManyPoints = "one_to_many_points",
        /// 一校带多校
        OneToManySchools = "one_to_many_schools",
    }
);

words!(
    /// Standing of an agreement.
    Standing {
        /// In force.
        Active = "active",
        /// Suspended; can be resumed.
        Frozen = "frozen",
        /// Ended permanently.
        Cancelled = "cancelled",
    }
);

words!(
    /// An action that changes an agreement's standing.
    StandingAct {
        /// 冻结
        Freeze = "freeze",
        /// 恢复
        Resume = "resume",
        /// 取消
        Cancel = "cancel",
    }
);

/// The action does not fit the standing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an agreement that is {} cannot do this", .0.as_str())]
pub struct WrongStanding(pub Standing);

impl Standing {
    /// The standing after an action. An action that was already done changes nothing.
    ///
    /// # Errors
    /// [`WrongStanding`]: a cancelled agreement stays cancelled.
    pub fn after(self, act: StandingAct) -> Result<Self, WrongStanding> {
        match (self, act) {
            (Self::Active | Self::Frozen, StandingAct::Freeze) => Ok(Self::Frozen),
            (Self::Active | Self::Frozen, StandingAct::Resume) => Ok(Self::Active),
            (_, StandingAct::Cancel) => Ok(Self::Cancelled),
            (Self::Cancelled, _) => Err(WrongStanding(self)),
        }
    }
}

/// Subjects that an agreement covers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Extent {
    /// 整班: every subject.
    WholeClass,
    /// 按学科: the listed subjects.
    Subjects(Vec<String>),
}

impl Extent {
    /// Whether it covers a subject.
    #[must_use]
    pub fn has(&self, subject: &str) -> bool {
        match self {
            Self::WholeClass => true,
            Self::Subjects(subjects) => subjects.iter().any(|listed| listed == subject),
        }
    }

    fn meets(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::WholeClass, _) | (_, Self::WholeClass) => true,
            (Self::Subjects(subjects), other) => subjects.iter().any(|subject| other.has(subject)),
        }
    }
}

/// 结对: a teaching school, and the classes it teaches for a term.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pairing {
    /// Its id in the store.
    pub pairing_id: PairingId,
    /// The term.
    pub term_id: TermId,
    /// Its shape.
    pub topology: Topology,
    /// The teaching school.
    pub teaching_id: OrganisationId,
    /// The listening classes.
    pub class_ids: Vec<ClassId>,
    /// The subjects covered.
    pub extent: Extent,
    /// Its standing.
    pub standing: Standing,
}

/// 收听授权: one class's right to listen to one school for a term.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListeningRight {
    /// Its id in the store.
    pub listening_right_id: ListeningRightId,
    /// The term.
    pub term_id: TermId,
    /// The teaching school.
    pub teaching_id: OrganisationId,
    /// The listening class.
    pub class_id: ClassId,
    /// The pairing that granted it. `None`: granted on its own.
    pub pairing_id: Option<PairingId>,
    /// The subjects covered.
    pub extent: Extent,
    /// Its standing.
    pub standing: Standing,
    /// When it ended. `None`: in force.
    pub ended_at: Option<UnixMs>,
}

/// Another agreement for the same class, term and subjects is in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the class is paired already for this term and subject")]
pub struct PairedAlready {
    /// The other pairing.
    pub pairing_id: PairingId,
    /// The class.
    pub class_id: ClassId,
}

impl Pairing {
    /// Checks it against other pairings: a class has one teaching school per subject and term. A frozen pairing counts
    /// as well, because it can be resumed.
    ///
    /// # Errors
    /// [`PairedAlready`] with the other pairing and the class.
    pub fn check(&self, others: &[Self]) -> Result<(), PairedAlready> {
        let stands_beside = |other: &&Self| {
            other.pairing_id != self.pairing_id
                && other.term_id == self.term_id
                && other.standing != Standing::Cancelled
                && other.extent.meets(&self.extent)
        };
        for other in others.iter().filter(stands_beside) {
            if let Some(class_id) = self.class_ids.iter().copied().find(|class_id| other.class_ids.contains(class_id)) {
                return Err(PairedAlready { pairing_id: other.pairing_id, class_id });
            }
        }
        Ok(())
    }

    /// The listening rights that it grants, one per class.
    #[must_use]
    pub fn rights(&self) -> Vec<ListeningRight> {
        let right = |class_id: &ClassId| ListeningRight {
            listening_right_id: ListeningRightId::fresh(),
            term_id: self.term_id,
            teaching_id: self.teaching_id,
            class_id: *class_id,
            pairing_id: Some(self.pairing_id),
            extent: self.extent.clone(),
            standing: self.standing,
            ended_at: None,
        };
        self.class_ids.iter().map(right).collect()
    }
}

/// A lesson that a class wants to listen to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hearing<'a> {
    /// The term.
    pub term_id: TermId,
    /// The teaching school.
    pub teaching_id: OrganisationId,
    /// The class.
    pub class_id: ClassId,
    /// 英语
    pub subject: &'a str,
}

impl ListeningRight {
    fn is_about(&self, hearing: &Hearing<'_>) -> bool {
        self.term_id == hearing.term_id
            && self.teaching_id == hearing.teaching_id
            && self.class_id == hearing.class_id
            && self.extent.has(hearing.subject)
    }

    /// Freezes, resumes or cancels it.
    ///
    /// # Errors
    /// [`WrongStanding`] where it is cancelled and the action is not another cancel.
    pub fn after(&self, act: StandingAct, now: UnixMs) -> Result<Self, WrongStanding> {
        let standing = self.standing.after(act)?;
        let ended_at = if standing == Standing::Active { None } else { self.ended_at.or(Some(now)) };
        Ok(Self { standing, ended_at, ..self.clone() })
    }
}

/// Whether one of these rights admits the class to a lesson now.
#[must_use]
pub fn may_listen(rights: &[ListeningRight], hearing: &Hearing<'_>) -> bool {
    rights.iter().any(|right| right.standing == Standing::Active && right.is_about(hearing))
}

/// Whether a class is planned into future lessons: a frozen right can be resumed, so its lessons stay planned.
#[must_use]
pub fn may_be_planned(rights: &[ListeningRight], hearing: &Hearing<'_>) -> bool {
    rights.iter().any(|right| right.standing != Standing::Cancelled && right.is_about(hearing))
}

/// Whether a class may replay a lesson that was live at `live_at`: it keeps access to lessons it could hear then, even
/// after the right was frozen or cancelled.
#[must_use]
pub fn may_replay(rights: &[ListeningRight], hearing: &Hearing<'_>, live_at: UnixMs) -> bool {
    rights.iter().any(|right| right.is_about(hearing) && right.ended_at.is_none_or(|ended_at| live_at < ended_at))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairing(class_ids: &[ClassId], extent: Extent) -> Pairing {
        Pairing {
            pairing_id: PairingId::fresh(),
            term_id: TermId::fresh(),
            topology: Topology::CentreWithPoints,
            teaching_id: OrganisationId::fresh(),
            class_ids: class_ids.to_vec(),
            extent,
            standing: Standing::Active,
        }
    }

    fn subjects(subjects: &[&str]) -> Extent {
        Extent::Subjects(subjects.iter().map(|&subject| subject.into()).collect())
    }

    #[test]
    fn a_class_has_one_teaching_school_for_a_subject_in_a_term() {
        let (class, other_class) = (ClassId::fresh(), ClassId::fresh());
        let first = pairing(&[other_class, class], subjects(&["英语", "音乐"]));
        let mut second = Pairing { term_id: first.term_id, ..pairing(&[class], subjects(&["美术"])) };
        assert_eq!(second.check(std::slice::from_ref(&first)), Ok(()));
        let clash = Err(PairedAlready { pairing_id: first.pairing_id, class_id: class });
        for extent in [subjects(&["美术", "音乐"]), Extent::WholeClass] {
            second.extent = extent;
            assert_eq!(second.check(std::slice::from_ref(&first)), clash);
        }
        let frozen = Pairing { standing: Standing::Frozen, ..first.clone() };
        assert_eq!(second.check(&[frozen]), clash, "it can go on");
        let cancelled = Pairing { standing: Standing::Cancelled, ..first.clone() };
        assert_eq!(second.check(&[cancelled]), Ok(()));
        second.term_id = TermId::fresh();
        assert_eq!(second.check(&[first]), Ok(()), "another term");
    }

    #[test]
    fn past_replays_stay_when_a_right_ends() {
        let class = ClassId::fresh();
        let pairing = pairing(&[class], subjects(&["英语"]));
        let hearing =
            Hearing { term_id: pairing.term_id, teaching_id: pairing.teaching_id, class_id: class, subject: "英语" };
        let right = pairing.rights().remove(0);
        let (before, now, after) = (UnixMs(10), UnixMs(20), UnixMs(30));
        let heard = |right: &ListeningRight| {
            let rights = std::slice::from_ref(right);
            (may_listen(rights, &hearing), may_replay(rights, &hearing, before), may_replay(rights, &hearing, after))
        };
        let planned = |right: &ListeningRight| may_be_planned(std::slice::from_ref(right), &hearing);
        assert_eq!(heard(&right), (true, true, true));
        let frozen = right.after(StandingAct::Freeze, now).unwrap();
        assert_eq!(heard(&frozen), (false, true, false));
        assert_eq!(heard(&frozen.after(StandingAct::Resume, after).unwrap()), (true, true, true));
        let cancelled = right.after(StandingAct::Cancel, now).unwrap();
        assert_eq!(heard(&cancelled), (false, true, false));
        assert_eq!([&right, &frozen, &cancelled].map(planned), [true, true, false]);
        // A second cancel changes nothing: the first time stays.
        assert_eq!(cancelled.after(StandingAct::Cancel, after), Ok(cancelled.clone()));
        assert_eq!(cancelled.after(StandingAct::Resume, after), Err(WrongStanding(Standing::Cancelled)));
        assert!(!may_listen(&[right], &Hearing { subject: "数学", ..hearing }));
    }

    #[test]
    fn words_lead_back() {
        for standing in [Standing::Active, Standing::Frozen, Standing::Cancelled] {
            assert_eq!(standing.as_str().parse(), Ok(standing));
        }
        for topology in [Topology::CentreWithPoints, Topology::OneToManyPoints, Topology::OneToManySchools] {
            assert_eq!(topology.as_str().parse(), Ok(topology));
        }
    }
}
