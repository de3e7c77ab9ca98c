//! Lists as `{items, next}`, paginated: each page starts after the last id of the previous one.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::problem::{ApiError, common::CommonProblem};
use crate::store::db::list::ListQuery;
use school::base::id::OrganisationId;

/// Maximum number of items on a page.
pub const PAGE_MAX: u32 = 200;

/// Number of items on a page where the request has no `limit`.
const PAGE: u32 = 50;

/// Maximum length of a text filter, in characters.
const TEXT_CHARACTERS_MAX: usize = 80;

/// Pagination and filters of a list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Listing {
    /// `next` of the previous page.
    #[param(format = Uuid)]
    after: Option<String>,
    /// Maximum number of items, 1 to 200.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// Only items that belong to this organisation or to one below it.
    organisation_id: Option<OrganisationId>,
    /// Only items whose name contains this.
    #[param(max_length = 80)]
    text: Option<String>,
    /// Include closed items.
    #[serde(default)]
    closed: bool,
}

/// One page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct Listed<T> {
    /// The items of this page.
    pub items: Vec<T>,
    /// Cursor of the next page. `null`: this is the last page.
    pub next: Option<String>,
}

impl Listing {
    /// The query for the store. It reads one item more than the page holds, to detect whether there is a next page.
    ///
    /// # Errors
    /// [`CommonProblem::BadRequest`] where `after` is no id, `limit` is out of range or `text` is too long.
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

/// The page size of a request.
///
/// # Errors
/// [`CommonProblem::BadRequest`] where it is 0 or more than [`PAGE_MAX`].
pub fn limit(asked: Option<u32>) -> Result<u32, ApiError> {
    match asked.unwrap_or(PAGE) {
        limit @ 1..=PAGE_MAX => Ok(limit),
        _ => Err(CommonProblem::bad_request(format!("`limit` lies between 1 and {PAGE_MAX}")).into()),
    }
}

impl<T> Listed<T> {
    /// A page of the rows found. `limit` is the page size plus one.
    pub fn new(mut items: Vec<T>, limit: u32, name: impl Fn(&T) -> String) -> Self {
        let fits = limit.saturating_sub(1) as usize;
        let more = items.len() > fits;
        items.truncate(fits);
        let next = items.last().filter(|_| more).map(name);
        Self { items, next }
    }
}
