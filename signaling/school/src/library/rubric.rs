//! 量表: what a lesson is judged by, and the score that comes of it. Every part of a score is shown with it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::base::name;

/// One thing that is judged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Criterion {
    /// 教学目标
    #[schema(min_length = 1, max_length = 80)]
    pub name: String,
    /// Its share of the whole, in percent.
    #[schema(minimum = 1, maximum = 100)]
    pub weight: u32,
    /// The highest score; the lowest is 0.
    #[schema(minimum = 1, maximum = 100)]
    pub highest: u32,
}

/// Criteria that make no rubric, or scores that do not fit one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RubricError {
    /// None, or more than a reviewer can judge.
    #[error("量表要有 1 到 {CRITERIA_MAX} 项")]
    Count,
    /// A name.
    #[error("第 {0} 项的名称{1}")]
    Name(usize, name::BadName),
    /// A name is there twice.
    #[error("“{0}”出现了两次")]
    Twice(String),
    /// A weight or a scale out of its bounds.
    #[error("“{0}”的权重和最高分应为 1 到 100")]
    Bounds(String),
    /// The weights are not the whole.
    #[error("各项权重之和应为 100，现在是 {0}")]
    Weights(u32),
    /// Not one score for each.
    #[error("要给全部 {0} 项打分")]
    Scores(usize),
    /// Beyond the scale.
    #[error("“{0}”最高 {1} 分")]
    TooHigh(String, u32),
}

/// More than a reviewer can keep in mind during a lesson.
pub const CRITERIA_MAX: usize = 20;

/// The criteria as they are kept: names without spaces around them.
///
/// # Errors
/// [`RubricError`].
pub fn checked(criteria: Vec<Criterion>) -> Result<Vec<Criterion>, RubricError> {
    if criteria.is_empty() || criteria.len() > CRITERIA_MAX {
        return Err(RubricError::Count);
    }
    let mut kept: Vec<Criterion> = Vec::with_capacity(criteria.len());
    for (n, criterion) in criteria.into_iter().enumerate() {
        let name = name::name(&criterion.name).map_err(|why| RubricError::Name(n + 1, why))?;
        if kept.iter().any(|other| other.name == name) {
            return Err(RubricError::Twice(name));
        }
        if !(1..=100).contains(&criterion.weight) || !(1..=100).contains(&criterion.highest) {
            return Err(RubricError::Bounds(name));
        }
        kept.push(Criterion { name, ..criterion });
    }
    let sum = kept.iter().map(|criterion| criterion.weight).sum();
    if sum == 100 { Ok(kept) } else { Err(RubricError::Weights(sum)) }
}

/// Σ weight × score ÷ highest, of 100, to a tenth: 82.5 is 825.
///
/// # Errors
/// [`RubricError`] where a criterion has no score, or one beyond its scale.
pub fn tenths(criteria: &[Criterion], scores: &[u32]) -> Result<u32, RubricError> {
    if scores.len() != criteria.len() {
        return Err(RubricError::Scores(criteria.len()));
    }
    let mut sum = 0.0;
    for (criterion, score) in criteria.iter().zip(scores) {
        if *score > criterion.highest {
            return Err(RubricError::TooHigh(criterion.name.clone(), criterion.highest));
        }
        sum += f64::from(criterion.weight) * f64::from(*score) / f64::from(criterion.highest);
    }
    Ok((sum * 10.0).round() as u32)
}

/// What reviewers gave, together.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Average {
    /// Of how many reviews.
    pub count: u32,
    /// Of 100. `null`: there is no review.
    pub total: Option<f64>,
    /// Of each criterion's own scale, in their order.
    pub scores: Vec<f64>,
}

/// The average of reviews by one revision of a rubric, each with its scores.
#[must_use]
pub fn average(criteria: &[Criterion], reviews: &[Vec<u32>]) -> Average {
    let of = |sum: f64| (sum / reviews.len() as f64 * 100.0).round() / 100.0;
    let fitting: Vec<u32> = reviews.iter().filter_map(|scores| tenths(criteria, scores).ok()).collect();
    if fitting.len() != reviews.len() || reviews.is_empty() {
        return Average { count: 0, total: None, scores: Vec::new() };
    }
    let column = |n: usize| of(reviews.iter().map(|scores| f64::from(scores[n])).sum());
    Average {
        count: u32::try_from(reviews.len()).unwrap_or(u32::MAX),
        total: Some(of(fitting.iter().map(|tenths| f64::from(*tenths) / 10.0).sum())),
        scores: (0..criteria.len()).map(column).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn criterion(name: &str, weight: u32, highest: u32) -> Criterion {
        Criterion { name: name.into(), weight, highest }
    }

    fn rubric() -> Vec<Criterion> {
        vec![criterion("教学目标", 30, 5), criterion("互动", 50, 10), criterion("板书", 20, 5)]
    }

    #[test]
    fn a_score_is_the_weighted_sum_of_its_parts() {
        // 30 × 4/5 + 50 × 7/10 + 20 × 5/5 = 24 + 35 + 20
        assert_eq!(tenths(&rubric(), &[4, 7, 5]), Ok(790));
        assert_eq!(tenths(&rubric(), &[5, 10, 5]), Ok(1_000));
        assert_eq!(tenths(&rubric(), &[0, 0, 0]), Ok(0));
        assert_eq!(tenths(&[criterion("一", 100, 3)], &[2]), Ok(667));
        assert_eq!(tenths(&rubric(), &[4, 7]), Err(RubricError::Scores(3)));
        assert_eq!(tenths(&rubric(), &[4, 11, 5]), Err(RubricError::TooHigh("互动".into(), 10)));
    }

    #[test]
    fn an_average_says_of_how_many() {
        // 79.0 and 30 × 5/5 + 50 × 8/10 + 20 × 2/5 = 78.0
        let average = average(&rubric(), &[vec![4, 7, 5], vec![5, 8, 2]]);
        assert_eq!(average, Average { count: 2, total: Some(78.5), scores: vec![4.5, 7.5, 3.5] });
        let none = super::average(&rubric(), &[]);
        assert_eq!((none.count, none.total), (0, None));
    }

    #[test]
    fn what_is_no_rubric_is_told_why() {
        assert_eq!(checked(rubric()), Ok(rubric()));
        let table = [
            (vec![], RubricError::Count),
            (vec![criterion("一", 1, 1); 21], RubricError::Count),
            (vec![criterion(" ", 100, 5)], RubricError::Name(1, name::BadName::Empty)),
            (vec![criterion("一", 50, 5), criterion(" 一 ", 50, 5)], RubricError::Twice("一".into())),
            (vec![criterion("一", 0, 5), criterion("二", 100, 5)], RubricError::Bounds("一".into())),
            (vec![criterion("一", 100, 101)], RubricError::Bounds("一".into())),
            (vec![criterion("一", 99, 5)], RubricError::Weights(99)),
        ];
        for (criteria, why) in table {
            assert_eq!(checked(criteria), Err(why));
        }
    }
}
