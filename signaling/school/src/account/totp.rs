//! Second factor: time-based codes (RFC 6238) with SHA-1, 30 s and six digits, the defaults of authenticator apps.

use aws_lc_rs::hmac;

use crate::base::time::UnixMs;

/// Length of a time step, in milliseconds.
const STEP_MS: i64 = 30_000;

/// Accepted steps before and after the current one: phones' clocks differ by up to half a minute.
const STEPS_AROUND: i64 = 1;

/// Bytes of a secret (RFC 4226 §4 recommends 160 bits).
pub const SECRET_BYTES: usize = 20;

/// The step of `code` if it is accepted now and newer than `last_step`: no code is accepted twice. `None`: refused.
#[must_use]
pub fn step_of(secret: &[u8], code: &str, now: UnixMs, last_step: i64) -> Option<i64> {
    let code: String = code.chars().filter(|c| !c.is_whitespace()).collect();
    if code.len() != 6 {
        return None;
    }
    let here = now.0.div_euclid(STEP_MS);
    let steps = (here - STEPS_AROUND).max(last_step + 1)..=here + STEPS_AROUND;
    // All steps are compared, so that the time taken does not reveal the match.
    steps.fold(None, |found, step| if self::code(secret, step) == code { Some(step) } else { found })
}

/// The code of a step (RFC 4226 §5.3).
#[must_use]
pub fn code(secret: &[u8], step: i64) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret);
    let tag = hmac::sign(&key, &step.to_be_bytes());
    let bytes = tag.as_ref();
    let at = usize::from(bytes[bytes.len() - 1] & 0x0f);
    let number = u32::from_be_bytes([bytes[at] & 0x7f, bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    format!("{:06}", number % 1_000_000)
}

/// The step at a given time.
#[must_use]
pub fn step_at(now: UnixMs) -> i64 {
    now.0.div_euclid(STEP_MS)
}

/// RFC 4648 base32 without padding, the format authenticator apps read.
#[must_use]
pub fn base32(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let (mut text, mut held, mut bits) = (String::new(), 0_u32, 0);
    for byte in bytes {
        held = (held << 8) | u32::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            text.push(char::from(LETTERS[(held >> bits & 31) as usize]));
        }
    }
    if bits > 0 {
        text.push(char::from(LETTERS[(held << (5 - bits) & 31) as usize]));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_those_of_the_standard() {
        // RFC 6238 appendix B, the last six of its eight digits.
        let secret = b"12345678901234567890";
        let table = [(59, "287082"), (1_111_111_109, "081804"), (1_234_567_890, "005924"), (20_000_000_000, "353130")];
        for (second, expected) in table {
            let now = UnixMs(second * 1_000);
            assert_eq!(code(secret, step_at(now)), expected);
            assert_eq!(step_of(secret, expected, now, -1), Some(second / 30));
        }
        assert_eq!(base32(secret), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
        assert_eq!((base32(b""), base32(b"fo")), (String::new(), "MZXQ".to_owned()));
    }

    #[test]
    fn a_code_is_taken_once_and_only_near_its_time() {
        let secret = b"12345678901234567890";
        let now = UnixMs(1_111_111_109_000);
        let here = step_at(now);
        let at = |step| code(secret, step);
        assert_eq!(step_of(secret, &at(here), now, here - 1), Some(here));
        assert_eq!(step_of(secret, &at(here), now, here), None, "a second time");
        assert_eq!(step_of(secret, &at(here - 1), now, here), None, "an older one after a newer one");
        assert_eq!(step_of(secret, &at(here + 1), now, -1), Some(here + 1));
        assert_eq!(step_of(secret, &at(here + 2), now, -1), None);
        assert_eq!(step_of(secret, &at(here - 2), now, -1), None);
        for nonsense in ["", "12345", "1234567", "abcdef", "０８１８０４"] {
            assert_eq!(step_of(secret, nonsense, now, -1), None);
        }
    }
}
