//! 结对 and 收听授权: who may listen to whom for a term, and what remains when that ends.

use crate::base::{
    id::{ClassId, ListeningRightId, OrganisationId, PairingId, TermId},
    time::UnixMs,
    words::words,
};

words!(
    /// The shape of a pairing.
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
    /// Whether an agreement holds.
    Standing {
        /// It holds.
        Active = "active",
        /// It rests; it can go on.
        Frozen = "frozen",
        /// It is over for good.
        Cancelled = "cancelled",
    }
);

words!(
    /// What changes an agreement's standing.
    StandingAct {
        /// 冻结
        Freeze = "freeze",
        /// 恢复
        Resume = "resume",
        /// 取消
        Cancel = "cancel",
    }
);

/// The act does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an agreement that is {} cannot do this", .0.as_str())]
pub struct WrongStanding(pub Standing);

impl Standing {
    /// The standing after an act. An act that was done already changes nothing.
    ///
    /// # Errors
    /// [`WrongStanding`]: what is cancelled stays cancelled.
    pub fn after(self, act: StandingAct) -> Result<Self, WrongStanding> {
        match (self, act) {
            (Self::Active | Self::Frozen, StandingAct::Freeze) => Ok(Self::Frozen),
            (Self::Active | Self::Frozen, StandingAct::Resume) => Ok(Self::Active),
            (_, StandingAct::Cancel) => Ok(Self::Cancelled),
            (Self::Cancelled, _) => Err(WrongStanding(self)),
        }
    }
}

/// What an agreement is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Extent {
    /// 整班: every subject.
    WholeClass,
    /// 按学科: these.
    Subjects(Vec<String>),
}

impl Extent {
    /// True where a subject is in it.
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

/// 结对: a school that teaches, and the classes it teaches for a term.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pairing {
    /// Its name in the store.
    pub pairing_id: PairingId,
    /// For which term.
    pub term_id: TermId,
    /// Its shape.
    pub topology: Topology,
    /// Who teaches.
    pub teaching_id: OrganisationId,
    /// Which classes listen.
    pub class_ids: Vec<ClassId>,
    /// In which subjects.
    pub extent: Extent,
    /// Whether it holds.
    pub standing: Standing,
}

/// 收听授权: one class's right to listen to one school for a term.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListeningRight {
    /// Its name in the store.
    pub listening_right_id: ListeningRightId,
    /// For which term.
    pub term_id: TermId,
    /// Who is listened to.
    pub teaching_id: OrganisationId,
    /// Who listens.
    pub class_id: ClassId,
    /// The pairing that gave it. `None`: it was given by itself.
    pub pairing_id: Option<PairingId>,
    /// In which subjects.
    pub extent: Extent,
    /// Whether it holds.
    pub standing: Standing,
    /// Since when it does not hold. `None`: it holds.
    pub ended_at: Option<UnixMs>,
}

/// Another agreement for the same classes, term and subjects holds already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the class is paired already for this term and subject")]
pub struct PairedAlready {
    /// By which pairing.
    pub pairing_id: PairingId,
    /// Which class.
    pub class_id: ClassId,
}

impl Pairing {
    /// Whether it can stand beside the others: a class has one teaching school for a subject in a term. One that is
    /// frozen keeps its place, for it can go on.
    ///
    /// # Errors
    /// [`PairedAlready`] names the pairing and the class.
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

    /// The rights that it gives, one a class.
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

/// What a class wants to hear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hearing<'a> {
    /// In which term.
    pub term_id: TermId,
    /// Taught by which school.
    pub teaching_id: OrganisationId,
    /// Which class.
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
    /// [`WrongStanding`] where it is cancelled already and is not to be cancelled again.
    pub fn after(&self, act: StandingAct, now: UnixMs) -> Result<Self, WrongStanding> {
        let standing = self.standing.after(act)?;
        let ended_at = if standing == Standing::Active { None } else { self.ended_at.or(Some(now)) };
        Ok(Self { standing, ended_at, ..self.clone() })
    }
}

/// Whether one of these rights lets a class into a lesson now.
#[must_use]
pub fn may_listen(rights: &[ListeningRight], hearing: &Hearing<'_>) -> bool {
    rights.iter().any(|right| right.standing == Standing::Active && right.is_about(hearing))
}

/// Whether a class is planned into lessons to come: a right that rests can go on, and its lessons stay planned.
#[must_use]
pub fn may_be_planned(rights: &[ListeningRight], hearing: &Hearing<'_>) -> bool {
    rights.iter().any(|right| right.standing != Standing::Cancelled && right.is_about(hearing))
}

/// Whether a class may replay a lesson that was live at `live_at`: what it could hear then stays its own, also after
/// the right was frozen or cancelled.
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
        // Cancelled twice is cancelled once, and at the first time.
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
