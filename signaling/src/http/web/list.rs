//! Lists: `{items, next}`, a page at a time, each beginning behind the last id of the one before.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::problem::{ApiError, common::CommonProblem};
use crate::store::db::list::ListQuery;
use school::base::id::OrganisationId;

/// Things on one page at most.
pub const PAGE_MAX: u32 = 200;

/// Things on one page where nobody says how many.
const PAGE: u32 = 50;

/// Nobody types more of a name.
const TEXT_CHARACTERS_MAX: usize = 80;

/// Which part of a list is asked for.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Listing {
    /// `next` of the page before.
    #[param(format = Uuid)]
    after: Option<String>,
    /// At most so many, 1 to 200.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// Only what belongs to this organisation or to one below it.
    organisation_id: Option<OrganisationId>,
    /// Only what has this in its name.
    #[param(max_length = 80)]
    text: Option<String>,
    /// What is closed as well.
    #[serde(default)]
    closed: bool,
}

/// One page.
#[derive(Debug, Serialize, ToSchema)]
pub struct Listed<T> {
    /// The things.
    pub items: Vec<T>,
    /// Where the next page begins. `null`: this is the last.
    pub next: Option<String>,
}

impl Listing {
    /// For the store: one more than asked, to see whether there is more.
    ///
    /// # Errors
    /// [`CommonProblem::BadRequest`] where it makes no sense.
    pub fn ask(self) -> Result<ListQuery, ApiError> {
        let limit = limit(self.limit)?;
        if let Some(after) = &self.after {
            Uuid::try_parse(after).map_err(|_| CommonProblem::bad_request("`after` is no id"))?;
        }
        if self.text.as_deref().is_some_and(|text| text.chars().count() > TEXT_CHARACTERS_MAX || text.contains('\0')) {
            return Err(
                CommonProblem::bad_request(format!("`text` has at most {TEXT_CHARACTERS_MAX} characters")).into()
            );
        }
        Ok(ListQuery {
            after: self.after,
            limit: limit + 1,
            organisation_id: self.organisation_id,
            parent_id: None,
            text: self.text,
            closed: self.closed,
        })
    }
}

/// How many are asked for.
///
/// # Errors
/// [`CommonProblem::BadRequest`] where it is none or too many.
pub fn limit(asked: Option<u32>) -> Result<u32, ApiError> {
    match asked.unwrap_or(PAGE) {
        limit @ 1..=PAGE_MAX => Ok(limit),
        _ => Err(CommonProblem::bad_request(format!("`limit` lies between 1 and {PAGE_MAX}")).into()),
    }
}

impl<T> Listed<T> {
    /// A page of what was found: `limit` is one more than fits.
    pub fn new(mut items: Vec<T>, limit: u32, name: impl Fn(&T) -> String) -> Self {
        let fits = limit.saturating_sub(1) as usize;
        let more = items.len() > fits;
        items.truncate(fits);
        let next = items.last().filter(|_| more).map(name);
        Self { items, next }
    }
}
