//! Names that people type: of schools, rooms, persons.

use std::ops::RangeInclusive;

use serde::Serialize;
use utoipa::ToSchema;

/// A name is shown in a table's cell and on a seat.
pub const CHARACTERS_MAX: usize = 80;

/// What is wrong with a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error, Serialize, ToSchema)]
#[serde(tag = "reason", rename_all = "kebab-case")]
pub enum BadName {
    /// Nothing is left of it.
    #[error("it is empty")]
    Empty,
    /// Too long.
    #[error("it has more than {max} characters")]
    TooLong {
        /// Characters that it may have.
        max: usize,
    },
    /// A control character, or one that turns the direction of what stands beside it.
    #[error("it has control characters, or such as turn the direction of text")]
    Unprintable,
}

/// The name without spaces around it.
///
/// # Errors
/// [`BadName`].
pub fn name(typed: &str) -> Result<String, BadName> {
    let name = typed.trim();
    if name.is_empty() {
        return Err(BadName::Empty);
    }
    if name.chars().count() > CHARACTERS_MAX {
        return Err(BadName::TooLong { max: CHARACTERS_MAX });
    }
    if name.chars().any(|c| c.is_control() || turns_direction(c)) {
        Err(BadName::Unprintable)
    } else {
        Ok(name.to_owned())
    }
}

/// Marks, embeddings, overrides and isolates of UAX #9, line and paragraph separators, and the byte order mark.
fn turns_direction(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{61c}' | '\u{feff}')
}

/// Characters of a name to sign in by.
const SIGN_IN_NAME: RangeInclusive<usize> = 3..=32;

/// What is wrong with a name to sign in by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error, Serialize, ToSchema)]
#[serde(tag = "reason", rename_all = "kebab-case")]
pub enum BadSignInName {
    /// It is not what anybody can type anywhere.
    #[error(
        "a sign-in name has {min} to {max} small letters, digits, dots, hyphens and underscores, and begins with a \
         letter or a digit"
    )]
    NotASignInName {
        /// Characters that it has at least.
        min: usize,
        /// Characters that it has at most.
        max: usize,
    },
}

/// The sign-in name in lower case.
///
/// # Errors
/// [`BadSignInName`].
pub fn sign_in_name(typed: &str) -> Result<String, BadSignInName> {
    let name = typed.trim().to_ascii_lowercase();
    let fits = SIGN_IN_NAME.contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b))
        && name.as_bytes()[0].is_ascii_alphanumeric();
    let (min, max) = (*SIGN_IN_NAME.start(), *SIGN_IN_NAME.end());
    if fits { Ok(name) } else { Err(BadSignInName::NotASignInName { min, max }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_what_can_be_read() {
        assert_eq!(name("  汉滨区 小学 "), Ok("汉滨区 小学".to_owned()));
        assert_eq!(name("<img src=x onerror=alert(1)>"), Ok("<img src=x onerror=alert(1)>".to_owned()));
        assert_eq!(name(&"😀".repeat(80)).map(|name| name.chars().count()), Ok(80));
        for (bad, why) in [
            ("", BadName::Empty),
            (" \t ", BadName::Empty),
            ("a\0b", BadName::Unprintable),
            ("a\u{1b}[31m", BadName::Unprintable),
            ("a\r\nb", BadName::Unprintable),
            ("a\u{202e}b", BadName::Unprintable),
        ] {
            assert_eq!(name(bad), Err(why), "{bad:?}");
        }
        assert_eq!(name(&"字".repeat(81)), Err(BadName::TooLong { max: 80 }));
    }

    #[test]
    fn a_sign_in_name_is_typed_on_any_keyboard() {
        assert_eq!(sign_in_name(" Zhang.Wei "), Ok("zhang.wei".to_owned()));
        for bad in ["", "ab", "张老师", ".abc", "a b c", &"a".repeat(33), "abc\0"] {
            let why = BadSignInName::NotASignInName { min: 3, max: 32 };
            assert_eq!(sign_in_name(bad), Err(why), "{bad:?}");
        }
    }
}
