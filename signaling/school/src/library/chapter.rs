//! 章节: what a lesson can be entered by: marks that people made, changes of the board, stage turns.

use crate::base::{id::MarkId, words::words};

words!(
    /// Where a chapter comes from.
    ChapterOrigin {
        /// 标记: somebody marked it.
        Mark = "mark",
        /// The board changed.
        Board = "board",
        /// A class came on stage, or left it.
        Stage = "stage",
    }
);

/// 标记: a moment of a lesson.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Its name in the store.
    pub mark_id: MarkId,
    /// When, in lesson time.
    pub at_ms: i64,
    /// What begins there. Empty: it was marked in passing.
    pub title: String,
    /// Counts its edits, from 1.
    pub version: i64,
}

/// A point to enter a lesson by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chapter {
    /// When, in lesson time.
    pub at_ms: i64,
    /// Where it comes from.
    pub kind: ChapterOrigin,
    /// The mark that names it. `None`: nobody has.
    pub mark: Option<Mark>,
}

/// A mark this near to what the recorder saw names that: a finger is slower than a page.
const SAME_MS: i64 = 2_000;

/// Marks of one recording: five a minute of a lesson.
pub const MARKS_MAX: i64 = 200;

/// Marks and what the recorder saw, in order of time. A mark that is near to something seen gives it its title and is no
/// chapter of its own.
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
