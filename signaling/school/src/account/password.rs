//! What a password must be, and how often somebody may be wrong about it.

use std::time::Duration;

/// More than this is not typed in earnest, and not worth hashing.
pub const BYTES_MAX: usize = 1_024;

/// Fewer characters are tried out in a night.
pub const CHARACTERS_MIN: usize = 10;

/// So many of the last passwords are not taken again.
pub const HISTORY: usize = 5;

/// A password is good for so long.
pub const VALID: Duration = Duration::from_secs(90 * 24 * 3600);

/// So many failures in a row lock a name.
pub const FAILURES_MAX: i64 = 5;

/// For so long.
pub const LOCK: Duration = Duration::from_secs(15 * 60);

/// What is wrong with a new password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WeakPassword {
    /// Too short.
    #[error("至少 10 个字符")]
    Short,
    /// Longer than [`BYTES_MAX`].
    #[error("最多 1024 个字符")]
    Long,
    /// Other keyboards write other characters the same way, and then nobody gets in.
    #[error("只能用英文字母、数字和英文符号")]
    Untypable,
    /// Of fewer than three kinds.
    #[error("大写字母、小写字母、数字、符号四种里至少要有三种")]
    Uniform,
    /// It holds a word that everybody tries first, or the name.
    #[error("不能含有登录名或常见的弱密码")]
    Common,
    /// One of the last five.
    #[error("不能与最近 5 次的密码相同")]
    UsedBefore,
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
        return Err(WeakPassword::Long);
    }
    if !password.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        return Err(WeakPassword::Untypable);
    }
    if password.len() < CHARACTERS_MIN {
        return Err(WeakPassword::Short);
    }
    let has = |of: fn(&u8) -> bool| usize::from(password.bytes().any(|byte| of(&byte)));
    let symbols = |byte: &u8| !byte.is_ascii_alphanumeric();
    let kinds = has(u8::is_ascii_uppercase) + has(u8::is_ascii_lowercase) + has(u8::is_ascii_digit) + has(symbols);
    if kinds < 3 {
        return Err(WeakPassword::Uniform);
    }
    let lower = password.to_ascii_lowercase();
    let named = !sign_in_name.is_empty() && lower.contains(sign_in_name);
    if named || COMMON.iter().any(|common| lower.contains(common)) { Err(WeakPassword::Common) } else { Ok(()) }
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
            ("Short-1", Err(W::Short)),
            ("alllowercase", Err(W::Uniform)),
            ("lowercase12345", Err(W::Uniform)),
            ("Password-2026", Err(W::Common)),
            ("Zhangwei-2026", Err(W::Common)),
            ("密码密码密码密码Aa1", Err(W::Untypable)),
            ("Abcdefgh-1\0", Err(W::Untypable)),
            ("Abcdefgh-1\u{301}", Err(W::Untypable)),
        ];
        for (password, expected) in table {
            assert_eq!(check(password, "zhangwei"), expected, "{password:?}");
        }
        assert_eq!(check(&"Aa1-".repeat(300_000), "x"), Err(W::Long));
    }
}
