//! **Rim.** The listeners, TLS and plain: every connection is limited in time and number before it is read.

mod strict;

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    http::{HeaderValue, StatusCode, header},
};
use dashmap::DashMap;
use hyper::{Request, body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto::Builder,
};
use sfu::{Arrival, Hub};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite},
    net::{TcpListener, TcpStream, UdpSocket},
    sync::watch,
    time::{Instant, timeout, timeout_at},
};
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt;
use tracing::{debug, warn};

use self::strict::Strict;
use crate::http::web::extract::{Caller, HeldPlace};

/// Timeout of a TLS handshake, and of a request's headers.
const HEADERS_WITHIN: Duration = Duration::from_secs(10);

/// Timeout of the first bytes. A media connection (ICE-TCP) begins with a whole check, which browsers send at once.
const CHECK_WITHIN: Duration = Duration::from_secs(5);

/// Idle timeout between two requests of a connection.
const IDLE_FOR: Duration = Duration::from_secs(60);

/// A school has one address: fifty classrooms with four connections each. A reverse proxy limits its own callers.
const CONNECTIONS_PER_ADDRESS_MAX: usize = 200;

/// Connections of all addresses together, to limit memory.
const CONNECTIONS_MAX: usize = 10_000;

/// Streams of one HTTP/2 connection.
const STREAMS_MAX: u32 = 100;

/// Open connections by network address, over all listeners.
#[derive(Clone, Debug, Default)]
pub struct Connections {
    by_address: Arc<DashMap<IpAddr, usize>>,
    all: Arc<AtomicUsize>,
}

/// A connection's slot. Dropping it releases it.
struct Place {
    connections: Connections,
    address: IpAddr,
}

impl Connections {
    /// Takes a slot. `None`: the limit of this address, or of all together, is reached. Loopback and our `proxies`
    /// stand for many callers: only the limit of all together applies to them.
    fn place(&self, address: IpAddr, proxies: &[IpAddr]) -> Option<Place> {
        let place = Place { connections: self.clone(), address };
        let all = self.all.fetch_add(1, Ordering::Relaxed) + 1;
        let of_address = {
            let mut count = self.by_address.entry(address).or_insert(0);
            *count += 1;
            *count
        };
        let is_many = address.is_loopback() || proxies.contains(&address);
        let address_is_full = of_address > CONNECTIONS_PER_ADDRESS_MAX && !is_many;
        (all <= CONNECTIONS_MAX && !address_is_full).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.connections.all.fetch_sub(1, Ordering::Relaxed);
        self.connections.by_address.remove_if_mut(&self.address, |_, count| {
            *count -= 1;
            *count == 0
        });
    }
}

/// Opens a port for HTTP or HTTPS.
///
/// # Errors
/// Those of the system.
pub async fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    TcpListener::bind(address).await
}

/// System-assigned ports that are tried.
const PORTS_TRIED_MAX: usize = 32;

/// Opens a system-assigned port that is free on UDP too, which media use.
///
/// # Errors
/// If a port cannot be opened, or none of those tried is free on both.
pub async fn listen_for_both(ip: IpAddr) -> io::Result<TcpListener> {
    for _ in 0..PORTS_TRIED_MAX {
        let tcp = listen(SocketAddr::new(ip, 0)).await?;
        if UdpSocket::bind(tcp.local_addr()?).await.is_ok() {
            return Ok(tcp);
        }
    }
    Err(io::Error::new(io::ErrorKind::AddrInUse, "no port number is free on TCP and on UDP"))
}

/// Serves one listener until `stop` turns true. `media` takes media connections; `None`: this listener has none.
/// `proxies` are trusted for the client's address, and for whether it used TLS.
pub async fn serve(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    proxies: Arc<[IpAddr]>,
    router: Router,
    media: Option<Hub>,
    connections: Connections,
    mut stop: watch::Receiver<bool>,
) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stopped(&mut stop) => return,
        };
        let (stream, address) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Usually out of file descriptors: some will be closed soon.
                warn!(%error, "A connection could not be accepted: {error}");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let Some(place) = connections.place(address.ip().to_canonical(), &proxies) else {
            metrics::counter!("tongke_connections_refused_total").increment(1);
            debug!(%address, "Too many connections from {address}");
            continue;
        };
        let (tls, router, media, mut stop) = (tls.clone(), router.clone(), media.clone(), stop.clone());
        let proxies = proxies.clone();
        let opened = Instant::now();
        tokio::spawn(async move {
            let _ = stream.set_nodelay(true);
            if let Some(media) = media {
                let begun = tokio::select! {
                    begun = Beginning::of(&stream, opened) => begun,
                    () = stopped(&mut stop) => return,
                };
                match begun {
                    Beginning::Request => {}
                    Beginning::Check => return hand_over(stream, address, opened, place, &media).await,
                    Beginning::Nothing => return debug!(%address, "A connection from {address} said nothing"),
                }
            }
            let caller = Caller { address, tls: tls.is_some(), plain_before: false };
            let visit = Visit { caller, proxies, place: HeldPlace::new(place) };
            connection(stream, visit, tls, router, stop).await;
        });
    }
}

/// How a connection begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Beginning {
    /// A TLS handshake or an HTTP request. Anything else is refused by their parsers.
    Request,
    /// The length of a frame that may hold a connectivity check (RFC 4571).
    Check,
    /// No data in time, or closed.
    Nothing,
}

impl Beginning {
    /// Peeks at the first byte.
    async fn of(stream: &TcpStream, opened: Instant) -> Self {
        let mut first = [0];
        match timeout_at(opened + HEADERS_WITHIN, stream.peek(&mut first)).await {
            Ok(Ok(1)) => Self::by(first[0]),
            _ => Self::Nothing,
        }
    }

    /// 22 begins TLS, a capital letter HTTP. A check is shorter than 768 bytes, so its length begins with 0, 1 or 2.
    fn by(first: u8) -> Self {
        if first <= 2 { Self::Check } else { Self::Request }
    }
}

/// Whether a stream begins with a framed binding request (RFC 8489 §5). It is not authenticated yet.
fn is_check(head: [u8; CHECK_HEAD_BYTES]) -> bool {
    let [length_high, length_low, kind_high, kind_low, body_high, body_low, cookie @ ..] = head;
    let length = u16::from_be_bytes([length_high, length_low]);
    let body = u16::from_be_bytes([body_high, body_low]);
    [kind_high, kind_low] == [0, 1] && cookie == STUN_COOKIE && length == body.saturating_add(STUN_HEADER_BYTES)
}

/// Hands a connection that begins with a check to the hub, which authenticates it.
async fn hand_over(mut stream: TcpStream, from: SocketAddr, opened: Instant, place: Place, media: &Hub) {
    let mut head = [0; CHECK_HEAD_BYTES];
    let read = timeout_at(opened + CHECK_WITHIN, stream.read_exact(&mut head)).await;
    if !matches!(read, Ok(Ok(_))) || !is_check(head) {
        metrics::counter!("tongke_media_connections_refused_total").increment(1);
        return debug!(address = %from, "A connection from {from} is neither a request nor media");
    }
    match stream.into_std() {
        Ok(stream) => {
            let opened = opened.into_std();
            media.bring_stream(Arrival { stream, from, opened, read: head.to_vec(), place: Box::new(place) });
        }
        Err(error) => warn!(%error, "A media connection from {from} could not be handed over: {error}"),
    }
}

/// Length of a frame, and a STUN message's type, length and magic cookie.
const CHECK_HEAD_BYTES: usize = 10;
const STUN_HEADER_BYTES: u16 = 20;
const STUN_COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];

/// The client's address and its slot. An upgraded connection keeps the slot.
#[derive(Clone)]
struct Visit {
    caller: Caller,
    proxies: Arc<[IpAddr]>,
    place: HeldPlace,
}

/// Request state of one connection.
#[derive(Default)]
struct Requested {
    begun: AtomicUsize,
    in_flight: AtomicUsize,
}

async fn connection(
    stream: TcpStream,
    visit: Visit,
    tls: Option<TlsAcceptor>,
    router: Router,
    stop: watch::Receiver<bool>,
) {
    let address = visit.caller.address;
    let Some(tls) = tls else { return speak(stream, false, visit, router, stop).await };
    match timeout(HEADERS_WITHIN, tls.accept(stream)).await {
        Ok(Ok(stream)) => {
            let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
            speak(stream, http2, visit, router, stop).await;
        }
        Ok(Err(error)) => debug!(%address, %error, "TLS with {address} failed: {error}"),
        Err(_) => debug!(%address, "TLS with {address} took too long"),
    }
}

async fn speak<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: S,
    http2: bool,
    visit: Visit,
    router: Router,
    mut stop: watch::Receiver<bool>,
) {
    let caller = visit.caller;
    let asked = Arc::new(Requested::default());
    let counted = asked.clone();
    let service = service_fn(move |request: Request<Incoming>| {
        let mut request = request.map(Body::new);
        let caller = visit.caller.told_by(request.headers(), &visit.proxies);
        request.extensions_mut().insert(caller);
        request.extensions_mut().insert(visit.place.clone());
        let (router, asked) = (router.clone(), counted.clone());
        let wants_upgrade = !http2 && request.headers().contains_key(header::UPGRADE);
        async move {
            asked.begun.fetch_add(1, Ordering::Relaxed);
            asked.in_flight.fetch_add(1, Ordering::Relaxed);
            let mut answer = router.oneshot(request).await;
            asked.in_flight.fetch_sub(1, Ordering::Relaxed);
            if let Ok(answer) = &mut answer
                && wants_upgrade
                && answer.status() != StatusCode::SWITCHING_PROTOCOLS
            {
                // Data after an upgrade is not inspected.
                answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            answer
        }
    });
    // TLS has negotiated the HTTP version. Hyper has no timeout on a first byte to detect it.
    let builder = Builder::new(TokioExecutor::new());
    let mut builder = if http2 { builder.http2_only() } else { builder.http1_only() };
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEADERS_WITHIN).max_headers(64);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .keep_alive_interval(Duration::from_secs(20))
        .keep_alive_timeout(HEADERS_WITHIN);
    let stream = if http2 { Strict::http2(stream) } else { Strict::http1(stream) };
    let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = says_nothing(&asked) => return debug!(address = %caller.address, "A connection said nothing"),
        () = idles(&asked) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
        () = stopped(&mut stop) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        debug!(address = %caller.address, %error, "A connection ended early: {error}");
    }
}

/// Resolves if no request begins in time: hyper counts from a request's first byte only.
async fn says_nothing(asked: &Requested) {
    tokio::time::sleep(HEADERS_WITHIN).await;
    if asked.begun.load(Ordering::Relaxed) > 0 {
        std::future::pending::<()>().await;
    }
}

/// Resolves after [`IDLE_FOR`] without a request.
async fn idles(asked: &Requested) {
    let mut before = 0;
    loop {
        tokio::time::sleep(IDLE_FOR).await;
        let begun = asked.begun.load(Ordering::Relaxed);
        if begun == before && asked.in_flight.load(Ordering::Relaxed) == 0 {
            return;
        }
        before = begun;
    }
}

/// Resolves when the hub stops, or at once if it has stopped.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

pub mod certificate;
#[cfg(test)]
mod tests;
