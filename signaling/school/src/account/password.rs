//! Password rules and the lockout after failed sign-ins.

use std::time::Duration;

use serde::Serialize;
use utoipa::ToSchema;

/// Longest accepted password in bytes; bounds the cost of hashing.
pub const BYTES_MAX: usize = 1_024;

/// Fewest characters; shorter passwords can be brute-forced within hours.
pub const CHARACTERS_MIN: usize = 10;

/// Fewest character kinds out of capitals, small letters, digits and symbols.
const KINDS_MIN: usize = 3;

/// Number of previous passwords that cannot be reused.
pub const HISTORY: usize = 5;

/// A password expires after this time.
pub const VALID: Duration = Duration::from_secs(90 * 24 * 3600);

/// Consecutive failures that lock a sign-in name.
pub const FAILURES_MAX: i64 = 5;

/// Duration of a lock.
pub const LOCK: Duration = Duration::from_secs(15 * 60);

/// Why a new password is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error, Serialize, ToSchema)]
#[serde(tag = "reason", rename_all = "kebab-case")]
pub enum WeakPassword {
    /// Fewer than [`CHARACTERS_MIN`].
    #[error("it has fewer than {min} characters")]
    TooShort {
        /// Required number of characters.
        min: usize,
    },
    /// Longer than [`BYTES_MAX`].
    #[error("it has more than {max} characters")]
    TooLong {
        /// Maximum number of characters.
        max: usize,
    },
    /// Characters outside ASCII: other keyboards encode them differently, which would lock the person out.
    #[error("it has others than ASCII letters, digits and symbols")]
    Untypable,
    /// Too few kinds: capitals, small letters, digits, symbols.
    #[error("of capitals, small letters, digits and symbols it has fewer than {min} kinds")]
    TooFewKinds {
        /// Required number of kinds.
        min: usize,
    },
    /// Contains a common password or the sign-in name.
    #[error("it holds the sign-in name or a common password")]
    CommonPassword,
    /// One of the previous passwords: see [`HISTORY`].
    #[error("it is one of the last {last} passwords")]
    UsedBefore {
        /// Number of previous passwords that are refused.
        last: usize,
    },
}

/// Common passwords that guessing starts with.
const COMMON: [&str; 16] = [
    "password", "passw0rd", "123456", "654321", "111111", "000000", "888888", "abc123", "qwerty", "1qaz", "admin",
    "letmein", "iloveyou", "woaini", "tongke", "jiaoyu",
];

/// Checks a new password, except against its history: only hashes of that are stored.
///
/// # Errors
/// [`WeakPassword`]: the first violation found.
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
