//! 章节: entry points of a lesson: marks, board changes, stage changes.

use crate::base::{id::MarkId, words::words};

words!(
    /// Origin of a chapter.
    ChapterOrigin {
        /// 标记: a mark made by a person.
        Mark = "mark",
        /// The board changed.
        Board = "board",
        /// A class entered or left the stage.
        Stage = "stage",
    }
);

/// 标记: a moment of a lesson.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Its id in the store.
    pub mark_id: MarkId,
    /// Lesson time in milliseconds.
    pub at_ms: i64,
    /// What begins there. Empty: no title.
    pub title: String,
    /// Version, from 1; raised with each edit.
    pub version: i64,
}

/// An entry point of a lesson.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chapter {
    /// Lesson time in milliseconds.
    pub at_ms: i64,
    /// Its origin.
    pub kind: ChapterOrigin,
    /// The mark that names it. `None`: no mark does.
    pub mark: Option<Mark>,
}

/// A mark within this many milliseconds of a recorded event names that event: people react with a delay.
const SAME_MS: i64 = 2_000;

/// Maximum marks of a recording: about five a minute of a lesson.
pub const MARKS_MAX: i64 = 200;

/// Marks and recorded events, in order of time. A mark near an event gives the event its title and is not a chapter of
/// its own.
#[must_use]
pub fn merged(seen: impl IntoIterator<Item = (i64, ChapterOrigin)>, marks: Vec<Mark>) -> Vec<Chapter> {
    let mut chapters: Vec<Chapter> =
        seen.into_iter().map(|(at_ms, kind)| Chapter { at_ms, kind, mark: None }).collect();
    for mark in marks {
        let away = |chapter: &Chapter| (chapter.at_ms - mark.at_ms).abs();
        let unnamed = |chapter: &&mut Chapter| chapter.mark.is_none() && away(chapter) <= SAME_MS;
        match chapters.iter_mut().filter(unnamed).min_by_key(|chapter| away(chapter)) {
            Some(chapter) => chapter.mark = Some(mark),
            None => chapters.push(Chapter { at_ms: mark.at_ms, kind: ChapterOrigin::Mark, mark: Some(mark) }),
        }
    }
    chapters.sort_by_key(|chapter| (chapter.at_ms, chapter.kind));
    chapters
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(at_ms: i64, title: &str) -> Mark {
        Mark { mark_id: MarkId::fresh(), at_ms, title: title.into(), version: 1 }
    }

    #[test]
    fn a_mark_names_what_is_near_and_else_stands_for_itself() {
        use ChapterOrigin::{Board, Mark as Marked, Stage};
        let seen = [(0, Board), (61_000, Board), (120_000, Stage)];
        let marks = vec![mark(63_000, "分数"), mark(90_000, ""), mark(62_500, "练习"), mark(117_999, "上台")];
        let chapters = merged(seen, marks);
        let told: Vec<_> = chapters
            .iter()
            .map(|chapter| (chapter.at_ms, chapter.kind, chapter.mark.as_ref().map(|mark| mark.title.as_str())))
            .collect();
        let expected = [
            (0, Board, None),
            (61_000, Board, Some("分数")),
            (62_500, Marked, Some("练习")), // Each is named once.
            (90_000, Marked, Some("")),
            (117_999, Marked, Some("上台")), // Too far.
            (120_000, Stage, None),
        ];
        assert_eq!(told, expected);
        assert!(merged([], vec![]).is_empty());
    }
}
