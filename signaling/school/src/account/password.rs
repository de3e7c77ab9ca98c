//! What a password must be, and how often somebody may be wrong about it.

use std::time::Duration;

use serde::Serialize;
use utoipa::ToSchema;

/// More than this is not typed in earnest, and not worth hashing.
pub const BYTES_MAX: usize = 1_024;

/// Fewer characters are tried out in a night.
pub const CHARACTERS_MIN: usize = 10;

/// Of capitals, small letters, digits and symbols so many kinds are in it.
const KINDS_MIN: usize = 3;

/// So many of the last passwords are not taken again.
pub const HISTORY: usize = 5;

/// A password is good for so long.
pub const VALID: Duration = Duration::from_secs(90 * 24 * 3600);

/// So many failures in a row lock a name.
pub const FAILURES_MAX: i64 = 5;

/// For so long.
pub const LOCK: Duration = Duration::from_secs(15 * 60);

/// What is wrong with a new password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error, Serialize, ToSchema)]
#[serde(tag = "reason", rename_all = "kebab-case")]
pub enum WeakPassword {
    /// Fewer than [`CHARACTERS_MIN`].
    #[error("it has fewer than {min} characters")]
    TooShort {
        /// Characters that it must have.
        min: usize,
    },
    /// Longer than [`BYTES_MAX`].
    #[error("it has more than {max} characters")]
    TooLong {
        /// Characters that it may have.
        max: usize,
    },
    /// Other keyboards write other characters the same way, and then nobody gets in.
    #[error("it has others than ASCII letters, digits and symbols")]
    Untypable,
    /// Of too few kinds: capitals, small letters, digits, symbols.
    #[error("of capitals, small letters, digits and symbols it has fewer than {min} kinds")]
    TooFewKinds {
        /// Kinds that it must have.
        min: usize,
    },
    /// It holds a word that everybody tries first, or the name.
    #[error("it holds the sign-in name or a common password")]
    CommonPassword,
    /// One of the last ones: see [`HISTORY`].
    #[error("it is one of the last {last} passwords")]
    UsedBefore {
        /// So many of the last ones are not taken again.
        last: usize,
    },
}

/// What guessers begin with.
const COMMON: [&str; 16] = [
    "password", "passw0rd", "123456", "654321", "111111", "000000", "888888", "abc123", "qwerty", "1qaz", "admin",
    "letmein", "iloveyou", "woaini", "tongke", "jiaoyu",
];

/// Checks a new password but for its history, of which only hashes are kept.
///
/// # Errors
/// [`WeakPassword`], the first that is found.
pub fn check(password: &str, sign_in_name: &str) -> Result<(), WeakPassword> {
    if password.len() > BYTES_MAX {
        return Err(WeakPassword::TooLong { max: BYTES_MAX });
    }
    if !password.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        return Err(WeakPassword::Untypable);
    }
    if password.len() < CHARACTERS_MIN {
        return Err(WeakPassword::TooShort { min: CHARACTERS_MIN });
    }
    let has = |of: fn(&u8) -> bool| usize::from(password.bytes().any(|byte| of(&byte)));
    let symbols = |byte: &u8| !byte.is_ascii_alphanumeric();
    let kinds = has(u8::is_ascii_uppercase) + has(u8::is_ascii_lowercase) + has(u8::is_ascii_digit) + has(symbols);
    if kinds < KINDS_MIN {
        return Err(WeakPassword::TooFewKinds { min: KINDS_MIN });
    }
    let lower = password.to_ascii_lowercase();
    let named = !sign_in_name.is_empty() && lower.contains(sign_in_name);
    if named || COMMON.iter().any(|common| lower.contains(common)) { Err(WeakPassword::CommonPassword) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_long_mixed_and_not_the_first_that_is_tried() {
        use WeakPassword as W;
        let table = [
            ("Shan-Lu-2026x", Ok(())),
            ("correct horse 7", Ok(())),
            ("Short-1", Err(W::TooShort { min: 10 })),
            ("alllowercase", Err(W::TooFewKinds { min: 3 })),
            ("lowercase12345", Err(W::TooFewKinds { min: 3 })),
            ("Password-2026", Err(W::CommonPassword)),
            ("Zhangwei-2026", Err(W::CommonPassword)),
            ("密码密码密码密码Aa1", Err(W::Untypable)),
            ("Abcdefgh-1\0", Err(W::Untypable)),
            ("Abcdefgh-1\u{301}", Err(W::Untypable)),
        ];
        for (password, expected) in table {
            assert_eq!(check(password, "zhangwei"), expected, "{password:?}");
        }
        assert_eq!(check(&"Aa1-".repeat(300_000), "x"), Err(W::TooLong { max: 1_024 }));
    }
}
