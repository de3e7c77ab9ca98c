//! 量表: criteria for judging a lesson, and the resulting score. Every part of a score is shown with it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::base::name;

/// One criterion.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Criterion {
    /// 教学目标
    #[schema(min_length = 1, max_length = 80)]
    pub name: String,
    /// Weight, in percent.
    #[schema(minimum = 1, maximum = 100)]
    pub weight: u32,
    /// Highest score; the lowest is 0.
    #[schema(minimum = 1, maximum = 100)]
    pub highest: u32,
}

/// Why criteria or scores are refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, ToSchema)]
#[serde(tag = "reason", rename_all = "kebab-case")]
pub enum RubricError {
    /// No criteria, or too many.
    #[error("a rubric has 1 to {max} criteria")]
    CriteriaCount {
        /// Maximum number of criteria.
        max: usize,
    },
    /// The name of a criterion is refused.
    #[error("the name of criterion {number}: {why}")]
    CriterionName {
        /// The criterion, from 1.
        number: usize,
        /// Why.
        why: name::BadName,
    },
    /// Two criteria have the same name.
    #[error("{name} is there twice")]
    CriterionTwice {
        /// The name.
        name: String,
    },
    /// Weight or highest score out of range.
    #[error("weight and highest score of {name} are 1 to {max}")]
    CriterionBounds {
        /// The criterion.
        name: String,
        /// Maximum of each.
        max: u32,
    },
    /// The weights do not sum to 100 %.
    #[error("the weights sum to {sum}, and not to {whole}")]
    WeightsSum {
        /// Their sum.
        sum: u32,
        /// The required sum.
        whole: u32,
    },
    /// Not exactly one score per criterion.
    #[error("there are {count} criteria, and each has one score")]
    ScoresCount {
        /// Number of criteria.
        count: usize,
    },
    /// A score above the highest.
    #[error("the highest score of {name} is {highest}")]
    ScoreTooHigh {
        /// The criterion.
        name: String,
        /// Its highest score.
        highest: u32,
    },
}

/// Maximum number of criteria: more cannot be judged during a lesson.
pub const CRITERIA_MAX: usize = 20;

/// Sum of all weights in percent, and the largest highest score.
const HUNDRED: u32 = 100;

/// Validates criteria for storing; names are trimmed.
///
/// # Errors
/// [`RubricError`]: the first violation found.
pub fn checked(criteria: Vec<Criterion>) -> Result<Vec<Criterion>, RubricError> {
    if criteria.is_empty() || criteria.len() > CRITERIA_MAX {
        return Err(RubricError::CriteriaCount { max: CRITERIA_MAX });
    }
    let mut kept: Vec<Criterion> = Vec::with_capacity(criteria.len());
    for (n, criterion) in criteria.into_iter().enumerate() {
        let name = name::name(&criterion.name).map_err(|why| RubricError::CriterionName { number: n + 1, why })?;
        if kept.iter().any(|other| other.name == name) {
            return Err(RubricError::CriterionTwice { name });
        }
        if !(1..=HUNDRED).contains(&criterion.weight) || !(1..=HUNDRED).contains(&criterion.highest) {
            return Err(RubricError::CriterionBounds { name, max: HUNDRED });
        }
        kept.push(Criterion { name, ..criterion });
    }
    let sum = kept.iter().map(|criterion| criterion.weight).sum();
    if sum == HUNDRED { Ok(kept) } else { Err(RubricError::WeightsSum { sum, whole: HUNDRED }) }
}

/// Σ weight × score ÷ highest, of 100, to a tenth: 82.5 is 825.
///
/// # Errors
/// [`RubricError`] where a criterion has no score, or one above its highest.
pub fn tenths(criteria: &[Criterion], scores: &[u32]) -> Result<u32, RubricError> {
    if scores.len() != criteria.len() {
        return Err(RubricError::ScoresCount { count: criteria.len() });
    }
    let mut sum = 0.0;
    for (criterion, score) in criteria.iter().zip(scores) {
        if *score > criterion.highest {
            let (name, highest) = (criterion.name.clone(), criterion.highest);
            return Err(RubricError::ScoreTooHigh { name, highest });
        }
        sum += f64::from(criterion.weight) * f64::from(*score) / f64::from(criterion.highest);
    }
    Ok((sum * 10.0).round() as u32)
}

/// Average of reviews.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Average {
    /// Number of reviews.
    pub count: u32,
    /// Out of 100. `null`: no reviews.
    pub total: Option<f64>,
    /// Average score per criterion on its own scale, in the criteria's order.
    pub scores: Vec<f64>,
}

/// The average of reviews by one rubric revision; each review is its list of scores.
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
        assert_eq!(tenths(&rubric(), &[4, 7]), Err(RubricError::ScoresCount { count: 3 }));
        let too_high = RubricError::ScoreTooHigh { name: "互动".into(), highest: 10 };
        assert_eq!(tenths(&rubric(), &[4, 11, 5]), Err(too_high));
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
        let one = || "一".to_owned();
        let bounds = || RubricError::CriterionBounds { name: one(), max: 100 };
        let table = [
            (vec![], RubricError::CriteriaCount { max: 20 }),
            (vec![criterion("一", 1, 1); 21], RubricError::CriteriaCount { max: 20 }),
            (vec![criterion(" ", 100, 5)], RubricError::CriterionName { number: 1, why: name::BadName::Empty }),
            (vec![criterion("一", 50, 5), criterion(" 一 ", 50, 5)], RubricError::CriterionTwice { name: one() }),
            (vec![criterion("一", 0, 5), criterion("二", 100, 5)], bounds()),
            (vec![criterion("一", 100, 101)], bounds()),
            (vec![criterion("一", 99, 5)], RubricError::WeightsSum { sum: 99, whole: 100 }),
        ];
        for (criteria, why) in table {
            assert_eq!(checked(criteria), Err(why));
        }
    }
}
