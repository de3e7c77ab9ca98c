//! Byte range requests, limited to one range per response (RFC 9110 §14).

use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, header};

use super::problem::{ApiError, common::CommonProblem};

/// A non-empty byte range of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByteRange {
    /// Offset of the first byte.
    pub from: u64,
    /// Length in bytes.
    pub length: u64,
}

/// The requested range of a file. `None`: the whole file, also for other units than bytes, an unreadable `Range`, or an
/// `If-Range` that names another ETag.
///
/// Of several ranges only the first is answered: players and resumed downloads need no more, and a request for
/// thousands of ranges is an attack.
///
/// # Errors
/// [`CommonProblem::RangeNotSatisfiable`] where the range starts at or after the end of the file.
pub fn asked(headers: &HeaderMap, tag: &str, size_bytes: u64) -> Result<Option<ByteRange>, ApiError> {
    let same = headers.get(header::IF_RANGE).is_none_or(|known| known.as_bytes() == tag.as_bytes());
    match headers.get(header::RANGE).and_then(|range| range.to_str().ok()).filter(|_| same) {
        Some(text) => read(text, size_bytes),
        None => Ok(None),
    }
}

/// Parses `bytes=a-b`, `bytes=a-` or `bytes=-n`.
fn read(text: &str, size_bytes: u64) -> Result<Option<ByteRange>, ApiError> {
    let Some(text) = text.strip_prefix("bytes=") else { return Ok(None) };
    let first = text.split(',').next().unwrap_or_default();
    let Some((first, last)) = first.split_once('-') else { return Ok(None) };
    let number = |text: &str| text.trim().parse::<u64>().ok();
    let (first, last) = match (number(first), number(last)) {
        (Some(first), Some(last)) if first <= last => (first, last),
        (Some(first), None) if last.trim().is_empty() => (first, u64::MAX),
        (None, Some(length)) if first.trim().is_empty() && length > 0 => (size_bytes.saturating_sub(length), u64::MAX),
        _ => return Ok(None),
    };
    if first >= size_bytes {
        return Err(CommonProblem::RangeNotSatisfiable { size_bytes }.into());
    }
    Ok(Some(ByteRange { from: first, length: last.min(size_bytes - 1) - first + 1 }))
}

/// Sets the status and headers of a response that holds `range` of a file.
pub fn mark<B>(response: &mut Response<B>, range: Option<ByteRange>, size_bytes: u64) {
    let headers = response.headers_mut();
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(range.map_or(size_bytes, |range| range.length)));
    if let Some(ByteRange { from, length }) = range {
        let value = format!("bytes {from}-{}/{size_bytes}", from + length - 1);
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(header::CONTENT_RANGE, value);
        }
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_range_is_understood_and_nothing_overflows() {
        let table = [
            ("bytes=0-9", Some((0, 10))),
            ("bytes=90-", Some((90, 10))),
            ("bytes=90-1000", Some((90, 10))),
            ("bytes=-10", Some((90, 10))),
            ("bytes=-1000", Some((0, 100))),
            ("bytes=0-18446744073709551615", Some((0, 100))),
            ("bytes=9-0", None),
            ("bytes=0-1,2-3", Some((0, 2))),
            ("bytes=5-9,0-99,7-8", Some((5, 5))),
            ("bytes=-0", None),
            ("bytes=18446744073709551616-", None),
            ("pages=1-2", None),
            ("bytes=", None),
            ("bytes=,", None),
        ];
        for (text, expected) in table {
            let expected = expected.map(|(from, length)| ByteRange { from, length });
            assert_eq!(read(text, 100).unwrap(), expected, "{text}");
        }
        assert!(read("bytes=100-", 100).is_err());
        assert!(read("bytes=9223372036854775808-9223372036854775809", 100).is_err());
        assert!(read("bytes=0-", 0).is_err());
    }

    #[test]
    fn a_range_of_another_file_is_not_answered_with_one_of_this() {
        let mut headers = HeaderMap::new();
        headers.insert(header::RANGE, HeaderValue::from_static("bytes=5-"));
        assert_eq!(asked(&headers, "\"a\"", 10).unwrap(), Some(ByteRange { from: 5, length: 5 }));
        headers.insert(header::IF_RANGE, HeaderValue::from_static("\"a\""));
        assert_eq!(asked(&headers, "\"a\"", 10).unwrap(), Some(ByteRange { from: 5, length: 5 }));
        assert_eq!(asked(&headers, "\"b\"", 10).unwrap(), None);
    }
}
