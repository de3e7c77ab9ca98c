//! Library: licences, access to a recording beyond its own lesson's participants, and search text.

pub mod chapter;
pub mod clip;
pub mod rubric;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::base::{id::OrganisationId, time::UnixMs, words::words};

words!(
    /// What others may do with a recording they can see.
    Licence {
        /// 保留所有权利: view it here only.
        AllRightsReserved = "all_rights_reserved",
        /// 仅供教学: play it to classes.
        TeachingOnly = "teaching_only",
        /// 知识共享 署名
        CcBy = "cc_by",
        /// 知识共享 署名—非商业性使用
        CcByNc = "cc_by_nc",
        /// 知识共享 署名—非商业性使用—相同方式共享
        CcByNcSa = "cc_by_nc_sa",
    }
);

words!(
    /// Who may see a recording.
    RecordingStanding {
        /// Its school, and those who listened.
        Kept = "kept",
        /// The same; its teacher has consented to publishing.
        Consented = "consented",
        /// Everyone who teaches or observes lessons at a place, and below it.
        Published = "published",
        /// No one.
        TakenDown = "taken_down",
    }
);

words!(
    /// The role in which a person changes the rights of a recording.
    Side {
        /// The teacher of the lesson.
        Author = "author",
        /// An editor of the school's library.
        Keeper = "keeper",
    }
);

/// A recording that was taken down: no one sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TakenDown {
    /// When.
    pub at: UnixMs,
    /// By which side: only the same side can put it back.
    pub by: Side,
    /// Reason.
    pub reason: String,
}

/// Access to a recording, beyond its school and those who listened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rights {
    /// When its teacher consented to publishing. `None`: no consent.
    pub consented_at: Option<UnixMs>,
    /// The place it is published to. `None`: not published.
    pub published_to: Option<OrganisationId>,
    /// `None`: not taken down.
    pub taken_down: Option<TakenDown>,
}

/// A change of a recording's rights.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "act", rename_all = "snake_case", deny_unknown_fields)]
pub enum RightsAct {
    /// Its teacher consents to publishing.
    Consent {},
    /// Its teacher withdraws consent: the recording is no longer published.
    WithdrawConsent {},
    /// Publish to everyone who teaches or observes lessons at this place and below.
    Publish {
        /// Its school, or a bureau above it.
        to: OrganisationId,
    },
    /// Restrict to its school and those who listened.
    Unpublish {},
    /// Hide from everyone.
    TakeDown {
        /// Reason, 1 to 200 characters.
        #[schema(min_length = 1, max_length = 200)]
        reason: String,
    },
    /// Restore the access it had before it was taken down.
    PutBack {},
}

impl RightsAct {
    /// Its name in audit rows.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Consent {} => "consent_to_publishing",
            Self::WithdrawConsent {} => "withdraw_consent",
            Self::Publish { .. } => "publish_recording",
            Self::Unpublish {} => "unpublish_recording",
            Self::TakeDown { .. } => "take_down_recording",
            Self::PutBack {} => "put_back_recording",
        }
    }
}

/// Why a change of rights is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error, Serialize, ToSchema)]
#[serde(tag = "reason", rename_all = "kebab-case")]
pub enum RightsError {
    /// Only its teacher can do this.
    #[error("only the teacher whose lesson it is can do this")]
    OnlyTheAuthor,
    /// Only an editor of its school's library can do this.
    #[error("only who keeps the school's library can do this")]
    OnlyTheKeeper,
    /// Its teacher has not consented.
    #[error("its teacher has not agreed")]
    NoConsent,
    /// The change does not fit the standing.
    #[error("a recording that is {} cannot do this", .standing.as_str())]
    WrongStanding {
        /// Its standing.
        standing: RecordingStanding,
    },
    /// It was taken down by the other side.
    #[error("it was taken down by the other side: the {}", .side.as_str())]
    OtherSide {
        /// The side that took it down: only that side can put it back.
        side: Side,
    },
}

impl Rights {
    /// Its standing.
    #[must_use]
    pub fn standing(&self) -> RecordingStanding {
        match self {
            Self { taken_down: Some(_), .. } => RecordingStanding::TakenDown,
            Self { published_to: Some(_), .. } => RecordingStanding::Published,
            Self { consented_at: Some(_), .. } => RecordingStanding::Consented,
            _ => RecordingStanding::Kept,
        }
    }

    /// The rights after a change by a person with these sides. A change that is already in effect does nothing.
    ///
    /// # Errors
    /// [`RightsError`] where the side, the consent or the standing does not allow it.
    pub fn after(&self, act: &RightsAct, sides: &[Side], now: UnixMs) -> Result<Self, RightsError> {
        let standing = self.standing();
        let author = || if sides.contains(&Side::Author) { Ok(()) } else { Err(RightsError::OnlyTheAuthor) };
        let keeper = || if sides.contains(&Side::Keeper) { Ok(()) } else { Err(RightsError::OnlyTheKeeper) };
        let shown = || {
            if standing == RecordingStanding::TakenDown { Err(RightsError::WrongStanding { standing }) } else { Ok(()) }
        };
        match act {
            RightsAct::Consent {} => {
                author()?;
                shown()?;
                Ok(Self { consented_at: self.consented_at.or(Some(now)), ..self.clone() })
            }
            RightsAct::WithdrawConsent {} => {
                author()?;
                Ok(Self { consented_at: None, published_to: None, ..self.clone() })
            }
            RightsAct::Publish { to } => {
                keeper()?;
                shown()?;
                self.consented_at.ok_or(RightsError::NoConsent)?;
                Ok(Self { published_to: Some(*to), ..self.clone() })
            }
            RightsAct::Unpublish {} => Ok(Self { published_to: None, ..self.clone() }),
            RightsAct::TakeDown { reason } => {
                // A library editor acts for the library even if also the teacher; a teacher takes down their own.
                let by = if sides.contains(&Side::Keeper) { Side::Keeper } else { Side::Author };
                let taken_down = TakenDown { at: now, by, reason: reason.trim().to_owned() };
                Ok(Self { taken_down: Some(self.taken_down.clone().unwrap_or(taken_down)), ..self.clone() })
            }
            RightsAct::PutBack {} => match &self.taken_down {
                Some(taken_down) if !sides.contains(&taken_down.by) => {
                    Err(RightsError::OtherSide { side: taken_down.by })
                }
                _ => Ok(Self { taken_down: None, ..self.clone() }),
            },
        }
    }
}

/// Why a recording cannot be played in a lesson.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error, Serialize, ToSchema)]
#[serde(tag = "reason", rename_all = "kebab-case")]
pub enum NotPlayable {
    /// It was taken down.
    #[error("it was taken down")]
    TakenDown,
    /// An end of the lesson is outside the place it is published to.
    #[error("it is not published to every end of the lesson")]
    NotPublished,
    /// Its licence allows viewing but not playing beyond its own school.
    #[error("its licence does not allow it")]
    Licence,
}

/// Whether a lesson may play a recording of the school at `home`. Each end of the lesson is the path of its school, and
/// whether its classroom listened to the recorded lesson. At its own school and below, and for those who listened, a
/// recording can be played as it is; elsewhere it must be published there, under a licence that allows playing.
///
/// # Errors
/// [`NotPlayable`] with the reason.
pub fn playable<'a>(
    home: &str,
    rights: &Rights,
    licence: Licence,
    published_to: Option<&str>,
    ends: impl IntoIterator<Item = (&'a str, bool)>,
) -> Result<(), NotPlayable> {
    if rights.taken_down.is_some() {
        return Err(NotPlayable::TakenDown);
    }
    let beyond = |(place, heard): &(&str, bool)| !heard && !place.starts_with(home);
    for (place, _) in ends.into_iter().filter(beyond) {
        if !published_to.is_some_and(|to| place.split('/').any(|id| id == to)) {
            return Err(NotPlayable::NotPublished);
        }
        if licence == Licence::AllRightsReserved {
            return Err(NotPlayable::Licence);
        }
    }
    Ok(())
}

/// Normalises text for search: lower case, half-width characters, single spaces.
#[must_use]
pub fn normalised(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars().flat_map(half_width).flat_map(char::to_lowercase) {
        match c {
            c if c.is_whitespace() && (plain.is_empty() || plain.ends_with(' ')) => {}
            c if c.is_whitespace() => plain.push(' '),
            c if c.is_control() => {}
            c => plain.push(c),
        }
    }
    plain.trim_end().to_owned()
}

/// Half-width form of a full-width character: Ａ is A, ！ is !. Input methods produce them.
fn half_width(c: char) -> Option<char> {
    match c {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xfee0),
        c => Some(c),
    }
}

/// The words of a search: each must occur, in any order.
#[must_use]
pub fn words_of(text: &str) -> Vec<String> {
    normalised(text).split(' ').filter(|word| !word.is_empty()).take(WORDS_MAX).map(str::to_owned).collect()
}

/// Maximum words of a search; each word is one more condition on every recording.
pub const WORDS_MAX: usize = 8;

/// Maximum 知识点 of a recording: a lesson of 40 minutes has about three.
pub const POINTS_MAX: usize = 20;

/// Maximum length of a summary, in characters: it is shown in a list.
pub const SUMMARY_CHARACTERS_MAX: usize = 1_000;

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMs = UnixMs(5);

    #[test]
    fn nothing_is_published_before_its_teacher_agrees() {
        let to = OrganisationId::fresh();
        let publish = RightsAct::Publish { to };
        let (author, keeper) = (&[Side::Author][..], &[Side::Keeper][..]);
        let kept = Rights::default();
        assert_eq!(kept.after(&publish, keeper, NOW), Err(RightsError::NoConsent));
        assert_eq!(kept.after(&RightsAct::Consent {}, keeper, NOW), Err(RightsError::OnlyTheAuthor));
        let consented = kept.after(&RightsAct::Consent {}, author, NOW).unwrap();
        assert_eq!(consented.standing(), RecordingStanding::Consented);
        assert_eq!(consented.after(&publish, author, NOW), Err(RightsError::OnlyTheKeeper));
        let published = consented.after(&publish, keeper, NOW).unwrap();
        assert_eq!((published.standing(), published.published_to), (RecordingStanding::Published, Some(to)));
        assert_eq!(published.after(&RightsAct::Consent {}, author, UnixMs(9)), Ok(published.clone()), "agreed already");
        let withdrawn = published.after(&RightsAct::WithdrawConsent {}, author, NOW).unwrap();
        assert_eq!(withdrawn, kept);
        assert_eq!(published.after(&RightsAct::Unpublish {}, author, NOW), Ok(consented));
    }

    #[test]
    fn what_is_taken_down_is_put_back_by_the_side_that_took_it_down() {
        let both = &[Side::Author, Side::Keeper][..];
        let (author, keeper) = (&[Side::Author][..], &[Side::Keeper][..]);
        let take_down = RightsAct::TakeDown { reason: " 有学生姓名 ".into() };
        let to = OrganisationId::fresh();
        let published = Rights { consented_at: Some(NOW), published_to: Some(to), taken_down: None };
        for (by, other) in [(author, keeper), (keeper, author)] {
            let down = published.after(&take_down, by, NOW).unwrap();
            assert_eq!(down.standing(), RecordingStanding::TakenDown);
            assert_eq!(down.taken_down.as_ref().unwrap().reason, "有学生姓名");
            let publish = RightsAct::Publish { to };
            let standing = RecordingStanding::TakenDown;
            assert_eq!(down.after(&publish, both, NOW), Err(RightsError::WrongStanding { standing }));
            assert_eq!(down.after(&RightsAct::PutBack {}, other, NOW), Err(RightsError::OtherSide { side: by[0] }));
            assert_eq!(down.after(&RightsAct::PutBack {}, by, NOW), Ok(published.clone()), "as it was");
            assert_eq!(down.after(&take_down, other, NOW), Ok(down.clone()), "the first reason stands");
            // Consent withdrawn in the meantime is not restored.
            let withdrawn = down.after(&RightsAct::WithdrawConsent {}, author, NOW).unwrap();
            assert_eq!(withdrawn.after(&RightsAct::PutBack {}, both, NOW), Ok(Rights::default()));
        }
    }

    #[test]
    fn a_recording_is_played_where_it_is_seen_and_may_be() {
        let home = "/county/centre/";
        let (own, point, other, far) = ("/county/centre/", "/county/centre/point/", "/county/other/", "/else/school/");
        let (reserved, teaching) = (Licence::AllRightsReserved, Licence::TeachingOnly);
        let (unpublished, unlicensed) = (Err(NotPlayable::NotPublished), Err(NotPlayable::Licence));
        let table = [
            (vec![(own, false), (point, false)], None, reserved, Ok(())),
            (vec![(own, false), (other, false)], None, teaching, unpublished),
            (vec![(own, false), (other, true)], None, reserved, Ok(())),
            (vec![(other, false)], Some("county"), teaching, Ok(())),
            (vec![(other, false)], Some("county"), reserved, unlicensed),
            (vec![(other, false), (far, false)], Some("county"), teaching, unpublished),
            (vec![(other, false)], Some("centre"), teaching, unpublished),
        ];
        for (ends, published_to, licence, expected) in table {
            let rights = Rights { consented_at: Some(NOW), ..Rights::default() };
            assert_eq!(playable(home, &rights, licence, published_to, ends.clone()), expected, "{ends:?}");
            let down = rights.after(&RightsAct::TakeDown { reason: "错".into() }, &[Side::Keeper], NOW).unwrap();
            assert_eq!(playable(home, &down, licence, published_to, ends), Err(NotPlayable::TakenDown));
        }
    }

    #[test]
    fn a_search_finds_what_was_typed_in_another_way() {
        let table = [
            ("Unit　３：My  Family", "unit 3:my family"),
            ("  三年级\t（2）班 ", "三年级 (2)班"),
            ("ＡＢＣ abc", "abc abc"),
            ("\u{0}100%_\\", "100%_\\"),
            ("", ""),
        ];
        for (typed, plain) in table {
            assert_eq!(normalised(typed), plain);
            assert_eq!(normalised(plain), plain, "once is enough");
        }
        assert_eq!(words_of(" 分数　加法 "), ["分数", "加法"]);
        assert_eq!(words_of(&"词 ".repeat(100)).len(), WORDS_MAX);
    }
}
