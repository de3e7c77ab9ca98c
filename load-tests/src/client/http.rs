//! As much HTTP/1.1 as WHIP and WHEP ask of a client on a plain listener: POST and DELETE, blocking.
//!
//! A rim: it opens TCP connections.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpStream, ToSocketAddrs},
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};

/// An answered offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// The SDP answer.
    pub sdp: String,
    /// Where DELETE ends it.
    pub location: String,
}

/// Posts an offer with a Bearer token (RFC 9725 §4.2).
///
/// # Errors
/// The server cannot be reached, or answers anything but 201; the error holds its status and problem.
pub fn post_offer(url: &str, token: &str, offer: &str) -> Result<Session> {
    let response = request(
        "POST",
        url,
        &[("Authorization", &format!("Bearer {token}")), ("Content-Type", "application/sdp")],
        offer,
    )?;
    ensure!(response.status == 201, "POST {url}: {} {}", response.status, response.body.trim());
    let location = response.location.with_context(|| format!("POST {url}: 201 without Location"))?;
    let location = if location.starts_with('/') { format!("{}{location}", origin(url)?) } else { location };
    Ok(Session { sdp: response.body, location })
}

/// Ends a session (RFC 9725 §4.2).
///
/// # Errors
/// The server cannot be reached, or answers anything but success.
pub fn delete(url: &str) -> Result<()> {
    let response = request("DELETE", url, &[], "")?;
    ensure!((200..300).contains(&response.status), "DELETE {url}: {}", response.status);
    Ok(())
}

struct Response {
    status: u16,
    location: Option<String>,
    body: String,
}

fn request(method: &str, url: &str, headers: &[(&str, &str)], body: &str) -> Result<Response> {
    let (authority, path) = parts(url)?;
    let authority_with_port = if authority.contains(':') { authority.to_owned() } else { format!("{authority}:80") };
    let address =
        authority_with_port.to_socket_addrs()?.next().with_context(|| format!("no address for {authority}"))?;
    let stream = TcpStream::connect_timeout(&address, PATIENCE).with_context(|| format!("cannot reach {authority}"))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str(&format!("Content-Length: {}\r\n\r\n{body}", body.len()));
    (&stream).write_all(head.as_bytes())?;
    read(&mut BufReader::new(stream)).with_context(|| format!("{method} {url}"))
}

fn read(stream: &mut impl BufRead) -> Result<Response> {
    let mut line = String::new();
    stream.read_line(&mut line)?;
    let status = line.split(' ').nth(1).and_then(|word| word.parse().ok()).context("no HTTP answer")?;
    let (mut location, mut length, mut chunked) = (None, None, false);
    loop {
        line.clear();
        stream.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        let value = value.trim();
        match name.to_ascii_lowercase().as_str() {
            "location" => location = Some(value.to_owned()),
            "content-length" => length = value.parse::<u64>().ok(),
            "transfer-encoding" => chunked = value.eq_ignore_ascii_case("chunked"),
            _ => {}
        }
    }
    let mut body = Vec::new();
    if chunked {
        loop {
            line.clear();
            stream.read_line(&mut line)?;
            let size = u64::from_str_radix(line.trim(), 16).context("a chunk without its size")?;
            ensure!(body.len() as u64 + size <= BODY_BYTES_MAX, "the answer is too long");
            if size == 0 {
                break;
            }
            stream.by_ref().take(size).read_to_end(&mut body)?;
            line.clear();
            stream.read_line(&mut line)?;
        }
    } else {
        stream.by_ref().take(length.unwrap_or(BODY_BYTES_MAX).min(BODY_BYTES_MAX)).read_to_end(&mut body)?;
    }
    Ok(Response { status, location, body: String::from_utf8(body)? })
}

fn parts(url: &str) -> Result<(&str, &str)> {
    let Some(rest) = url.strip_prefix("http://") else {
        bail!("{url}: only http:// is spoken here; start the server with --http")
    };
    Ok(rest.split_at(rest.find('/').unwrap_or(rest.len())))
        .map(|(authority, path)| (authority, if path.is_empty() { "/" } else { path }))
}

fn origin(url: &str) -> Result<String> {
    Ok(format!("http://{}", parts(url)?.0))
}

/// A server that answers later than this is down.
const PATIENCE: Duration = Duration::from_secs(20);
const BODY_BYTES_MAX: u64 = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_whole_however_they_are_framed() {
        let plain = "HTTP/1.1 201 Created\r\nlocation: /sessions/x\r\nContent-Length: 3\r\n\r\nv=0 and what follows";
        let response = read(&mut plain.as_bytes()).unwrap();
        assert_eq!(
            (response.status, response.location.as_deref(), response.body.as_str()),
            (201, Some("/sessions/x"), "v=0")
        );
        let chunked = "HTTP/1.1 400 Bad\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n";
        assert_eq!(read(&mut chunked.as_bytes()).unwrap().body, "abc");
        assert!(read(&mut "".as_bytes()).is_err());
    }

    #[test]
    fn addresses_are_taken_apart() {
        assert_eq!(parts("http://127.0.0.1:80/whip/1?track=board").unwrap(), ("127.0.0.1:80", "/whip/1?track=board"));
        assert_eq!(parts("http://school").unwrap(), ("school", "/"));
        assert!(parts("https://school/").is_err());
    }
}
