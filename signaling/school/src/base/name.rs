//! Names typed by people: of schools, rooms, persons, and to sign in.

use std::ops::RangeInclusive;

use serde::Serialize;
use utoipa::ToSchema;

/// Longest name: it must fit a table cell and a seat.
pub const CHARACTERS_MAX: usize = 80;

/// Why a name is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error, Serialize, ToSchema)]
#[serde(tag = "reason", rename_all = "kebab-case")]
pub enum BadName {
    /// Empty after trimming.
    #[error("it is empty")]
    Empty,
    /// Too long.
    #[error("it has more than {max} characters")]
    TooLong {
        /// Maximum number of characters.
        max: usize,
    },
    /// Contains a control character, or one that changes the direction of text.
    #[error("it has control characters, or such as turn the direction of text")]
    Unprintable,
}

/// The name, trimmed.
///
/// # Errors
/// [`BadName`] where it is empty, too long, or has such characters.
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

/// Directional marks, embeddings, overrides and isolates of UAX #9, line and paragraph separators, and the BOM.
fn turns_direction(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{61c}' | '\u{feff}')
}

/// Allowed lengths of a sign-in name, in characters.
const SIGN_IN_NAME: RangeInclusive<usize> = 3..=32;

/// Why a sign-in name is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error, Serialize, ToSchema)]
#[serde(tag = "reason", rename_all = "kebab-case")]
pub enum BadSignInName {
    /// Not typeable on every keyboard, or of the wrong length.
    #[error(
        "a sign-in name has {min} to {max} small letters, digits, dots, hyphens and underscores, and begins with a \
         letter or a digit"
    )]
    NotASignInName {
        /// Minimum number of characters.
        min: usize,
        /// Maximum number of characters.
        max: usize,
    },
}

/// The sign-in name in lower case.
///
/// # Errors
/// [`BadSignInName`] where its length or a character is not allowed.
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
