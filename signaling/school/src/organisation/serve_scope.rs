//! 辐射范围: which schools a broadcasting school may serve.

use crate::{
    base::{id::OrganisationId, words::words},
    organisation::OrganisationKind,
};

words!(
    /// How far a program reaches from the broadcasting school.
    ServeLevel {
        /// Its own centre school and the points below it.
        CentreSchool = "centre_school",
        /// Its county.
        County = "county",
        /// Its city.
        City = "city",
        /// Its province.
        Province = "province",
    }
);

/// An organisation with its ancestors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lineage {
    /// The organisation itself, then its ancestors up to the root.
    pub nearest_first: Vec<(OrganisationId, OrganisationKind)>,
}

impl Lineage {
    /// The nearest organisation of this level. `None`: there is none.
    #[must_use]
    pub fn at(&self, level: ServeLevel) -> Option<OrganisationId> {
        let kind = match level {
            ServeLevel::CentreSchool => OrganisationKind::CentreSchool,
            ServeLevel::County => OrganisationKind::County,
            ServeLevel::City => OrganisationKind::City,
            ServeLevel::Province => OrganisationKind::Province,
        };
        self.nearest_first.iter().find(|(_, its_kind)| *its_kind == kind).map(|(id, _)| *id)
    }

    /// Whether `organisation_id` is the organisation itself or one of its ancestors.
    #[must_use]
    pub fn belongs_to(&self, organisation_id: OrganisationId) -> bool {
        self.nearest_first.iter().any(|(id, _)| *id == organisation_id)
    }
}

/// The schools that may be served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServeScope {
    /// Everything below the broadcasting school's own county, city or province.
    Level(ServeLevel),
    /// These organisations and everything below them.
    Listed(Vec<OrganisationId>),
}

impl ServeScope {
    /// Whether a broadcasting school may serve a receiving one.
    #[must_use]
    pub fn reaches(&self, broadcasting: &Lineage, receiving: &Lineage) -> bool {
        match self {
            // Without a bureau of that level, as in a stand-alone county, the root is used.
            Self::Level(level) => match broadcasting.at(*level).or_else(|| top(broadcasting)) {
                Some(bureau) => receiving.belongs_to(bureau),
                None => false,
            },
            Self::Listed(listed) => listed.iter().any(|id| receiving.belongs_to(*id)),
        }
    }
}

fn top(lineage: &Lineage) -> Option<OrganisationId> {
    lineage.nearest_first.last().map(|(id, _)| *id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_school_serves_as_far_as_its_scope_reaches() {
        use OrganisationKind::{CentreSchool, City, County, Province, School, TeachingPoint};
        let fresh = OrganisationId::fresh;
        let (province, city, county, other_county) =
            ((fresh(), Province), (fresh(), City), (fresh(), County), (fresh(), County));
        let centre = (fresh(), CentreSchool);
        let lineage = |nearest_first: &[_]| Lineage { nearest_first: nearest_first.to_vec() };
        let teaching = lineage(&[centre, county, city, province]);
        let own_point = lineage(&[(fresh(), TeachingPoint), centre, county, city, province]);
        let neighbour = lineage(&[(fresh(), School), county, city, province]);
        let abroad = lineage(&[(fresh(), School), other_county, city, province]);
        let elsewhere = lineage(&[(fresh(), School), (fresh(), County), (fresh(), Province)]);
        let everyone = [own_point, neighbour, abroad, elsewhere];
        let table = [
            (ServeScope::Level(ServeLevel::CentreSchool), [true, false, false, false]),
            (ServeScope::Level(ServeLevel::County), [true, true, false, false]),
            (ServeScope::Level(ServeLevel::City), [true, true, true, false]),
            (ServeScope::Level(ServeLevel::Province), [true, true, true, false]),
            (ServeScope::Listed(vec![other_county.0]), [false, false, true, false]),
            (ServeScope::Listed(vec![]), [false; 4]),
        ];
        for (scope, expected) in table {
            assert_eq!(everyone.each_ref().map(|receiving| scope.reaches(&teaching, receiving)), expected, "{scope:?}");
        }
    }
}
