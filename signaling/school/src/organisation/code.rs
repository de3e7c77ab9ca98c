//! 行政区划代码 and 学校(机构)标识码: their format, and their agreement with the parent's code.

use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    base::{time::UnixMs, words::words},
    organisation::OrganisationKind,
};

words!(
    /// Kind of code.
    Scheme {
        /// 行政区划代码 (GB/T 2260): 6 digits, 12 with township and village.
        Region = "region",
        /// 学校(机构)标识码: 10 digits.
        School = "school",
        /// A local id of a teaching point, under its parent's code: `2161000917-01`.
        Local = "local",
    }
);

/// A code and the period in which it is in use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct CodeInUse {
    /// The code.
    pub code: String,
    /// Its kind.
    pub scheme: Scheme,
    /// Start of use.
    #[serde(rename = "from_ms")]
    pub from: UnixMs,
    /// End of use. `None`: in use.
    #[serde(rename = "until_ms")]
    pub until: Option<UnixMs>,
}

/// Why a code is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error, Serialize, ToSchema)]
#[serde(tag = "reason", rename_all = "kebab-case")]
pub enum BadCode {
    /// A bureau has a region code of 6 or 12 digits.
    #[error("a region code (行政区划代码) has 6 or 12 digits")]
    NotARegionCode,
    /// The first two digits are no province: 01 to 09 are unused, 11 is the first.
    #[error("the first two digits of the region code are no province")]
    NoSuchProvince,
    /// Wrong level: a province ends in 0000, a city in 00, a county in neither.
    #[error("the region code is of another level: a province ends in 0000, a city in 00, a county in neither")]
    OtherLevel,
    /// A school has a school code of 10 digits.
    #[error("a school code (学校标识码) has 10 digits, two of the type of school and two of the province first")]
    NotASchoolCode,
    /// The region differs from the parent's.
    #[error("the code is of another region than the parent's")]
    OtherRegion,
    /// A teaching point without a code of its own is numbered below its school's code.
    #[error("a teaching point without a code has its school's code, a hyphen and two digits, as 2161000917-01")]
    NotALocalId,
}

/// First two digits of a school code, the type: nursery, primary, junior, senior, vocational, special, others.
const SCHOOL_TYPES: std::ops::RangeInclusive<u8> = 11..=59;

/// GB/T 2260 range of provinces, autonomous regions, municipalities and special regions.
const PROVINCES: std::ops::RangeInclusive<u8> = 11..=82;

impl Scheme {
    /// The scheme of a checked code.
    #[must_use]
    pub fn of(kind: OrganisationKind, code: &str) -> Self {
        match kind {
            OrganisationKind::Province | OrganisationKind::City | OrganisationKind::County => Self::Region,
            OrganisationKind::TeachingPoint if code.contains('-') => Self::Local,
            OrganisationKind::CentreSchool | OrganisationKind::School | OrganisationKind::TeachingPoint => Self::School,
        }
    }
}

/// Checks the code of an organisation of this kind below a parent with code `parent`.
///
/// # Errors
/// [`BadCode`]: the first violation found.
pub fn check(kind: OrganisationKind, code: &str, parent: Option<&str>) -> Result<(), BadCode> {
    match kind {
        OrganisationKind::Province | OrganisationKind::City | OrganisationKind::County => region(kind, code, parent),
        OrganisationKind::TeachingPoint if code.contains('-') => {
            let (school, number) = code.split_once('-').ok_or(BadCode::NotALocalId)?;
            let below = parent.is_none_or(|parent| parent == school);
            if below && is_school(school) && number.len() == 2 && digits(number) {
                Ok(())
            } else {
                Err(BadCode::NotALocalId)
            }
        }
        OrganisationKind::CentreSchool | OrganisationKind::School | OrganisationKind::TeachingPoint => {
            if !is_school(code) {
                return Err(BadCode::NotASchoolCode);
            }
            // Province: digits 3 and 4 of the school's code; digits 1 and 2 of a region code, 3 and 4 of a school code.
            let province = parent.and_then(|parent| parent.get(if is_school(parent) { 2..4 } else { 0..2 }));
            if province.is_none_or(|province| province == &code[2..4]) { Ok(()) } else { Err(BadCode::OtherRegion) }
        }
    }
}

fn region(kind: OrganisationKind, code: &str, parent: Option<&str>) -> Result<(), BadCode> {
    if !(matches!(code.len(), 6 | 12) && digits(code)) {
        return Err(BadCode::NotARegionCode);
    }
    if !PROVINCES.contains(&two(&code[..2])) {
        return Err(BadCode::NoSuchProvince);
    }
    let fits = match kind {
        OrganisationKind::Province => &code[2..6] == "0000",
        OrganisationKind::City => &code[2..4] != "00" && &code[4..6] == "00",
        _ => &code[4..6] != "00",
    };
    if !fits {
        return Err(BadCode::OtherLevel);
    }
    // Each level keeps the digits of its parent.
    let above = parent.map_or("", |parent| {
        let kept = if parent.get(2..6) == Some("0000") { 2 } else { 4 };
        parent.get(..kept).unwrap_or_default()
    });
    if code.starts_with(above) { Ok(()) } else { Err(BadCode::OtherRegion) }
}

fn is_school(code: &str) -> bool {
    code.len() == 10 && digits(code) && SCHOOL_TYPES.contains(&two(&code[..2])) && PROVINCES.contains(&two(&code[2..4]))
}

fn digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

fn two(digits: &str) -> u8 {
    digits.parse().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_fit_their_kind_and_their_parent() {
        use BadCode as B;
        use OrganisationKind as K;
        let table = [
            (K::Province, "610000", None, Ok(())),
            (K::City, "610900", Some("610000"), Ok(())),
            (K::County, "610902", Some("610900"), Ok(())),
            (K::County, "110101", Some("110000"), Ok(())),
            (K::County, "610902001007", None, Ok(())),
            (K::County, "61090", None, Err(B::NotARegionCode)),
            (K::County, "61090２", None, Err(B::NotARegionCode)),
            (K::County, "010902", None, Err(B::NoSuchProvince)),
            (K::County, "610900", None, Err(B::OtherLevel)),
            (K::City, "610902", None, Err(B::OtherLevel)),
            (K::Province, "610100", None, Err(B::OtherLevel)),
            (K::County, "610102", Some("610900"), Err(B::OtherRegion)),
            (K::County, "510902", Some("610000"), Err(B::OtherRegion)),
            (K::School, "2161000917", Some("610902"), Ok(())),
            (K::School, "2161000917", Some("3161000001"), Ok(())),
            (K::School, "2151000917", Some("610902"), Err(B::OtherRegion)),
            (K::CentreSchool, "216100091", None, Err(B::NotASchoolCode)),
            (K::CentreSchool, "0161000917", None, Err(B::NotASchoolCode)),
            (K::TeachingPoint, "2161000917-01", Some("2161000917"), Ok(())),
            (K::TeachingPoint, "2161000917-1", Some("2161000917"), Err(B::NotALocalId)),
            (K::TeachingPoint, "2161000918-01", Some("2161000917"), Err(B::NotALocalId)),
            (K::TeachingPoint, "2161000919", Some("2161000917"), Ok(())),
            (K::TeachingPoint, "汉滨", None, Err(B::NotASchoolCode)),
        ];
        for (kind, code, parent, expected) in table {
            assert_eq!(check(kind, code, parent), expected, "{kind:?} {code} below {parent:?}");
        }
    }
}
