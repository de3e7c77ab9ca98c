//! **Rim.** The listeners: TLS and plain, each connection bounded in time and number before a byte of it is believed.

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

/// A TLS handshake, or a request's headers, that take longer are not meant to end.
const HEADERS_WITHIN: Duration = Duration::from_secs(10);

/// A media connection (ICE-TCP) begins with a whole check, and browsers send it at once.
const CHECK_WITHIN: Duration = Duration::from_secs(5);

/// A browser that is left open may keep its connection for this long between two requests.
const IDLE_FOR: Duration = Duration::from_secs(60);

/// A school comes from one address: fifty classrooms with four connections each. A reverse proxy bounds its own callers.
const CONNECTIONS_PER_ADDRESS_MAX: usize = 200;

/// Beyond this the machine has better things to do with its memory.
const CONNECTIONS_MAX: usize = 10_000;

/// Streams of one HTTP/2 connection.
const STREAMS_MAX: u32 = 100;

/// Connections open now, by network address, over all listeners.
#[derive(Clone, Debug, Default)]
pub struct Connections {
    by_address: Arc<DashMap<IpAddr, usize>>,
    all: Arc<AtomicUsize>,
}

/// One connection's place. Dropping it makes room.
struct Place {
    connections: Connections,
    address: IpAddr,
}

impl Connections {
    /// A place for one more. `None`: this address, or everyone together, has enough. Who comes from the machine itself,
    /// or is one of our `proxies`, is many: only everyone together bounds them.
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
/// As the system says.
pub async fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    TcpListener::bind(address).await
}

/// How many port numbers of the system's choice are tried.
const PORTS_TRIED_MAX: usize = 32;

/// Opens a port number of the system's choice that is free on UDP too, where media go.
///
/// # Errors
/// Where a port cannot be opened, or none of [`PORTS_TRIED_MAX`] is free on both.
pub async fn listen_for_both(ip: IpAddr) -> io::Result<TcpListener> {
    for _ in 0..PORTS_TRIED_MAX {
        let tcp = listen(SocketAddr::new(ip, 0)).await?;
        if UdpSocket::bind(tcp.local_addr()?).await.is_ok() {
            return Ok(tcp);
        }
    }
    Err(io::Error::new(io::ErrorKind::AddrInUse, "no port number is free on TCP and on UDP"))
}

/// Serves one listener until `stop` turns true. `media` takes the connections that carry media; `None`: none do here.
/// `proxies` are believed whom they speak for, and that it was encrypted.
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
                // Out of file descriptors, as a rule: some will be closed in a moment.
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

/// What a connection begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Beginning {
    /// A TLS handshake or an HTTP request. Whatever else it is, those who read them refuse it.
    Request,
    /// The length of a frame that may hold a connectivity check (RFC 4571).
    Check,
    /// It said nothing in time, or has gone.
    Nothing,
}

impl Beginning {
    /// Looks at the first byte without taking it.
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

/// Does a stream begin with a framed binding request (RFC 8489 §5)? Nothing of it is authenticated yet.
fn is_check(head: [u8; CHECK_HEAD_BYTES]) -> bool {
    let [length_high, length_low, kind_high, kind_low, body_high, body_low, cookie @ ..] = head;
    let length = u16::from_be_bytes([length_high, length_low]);
    let body = u16::from_be_bytes([body_high, body_low]);
    [kind_high, kind_low] == [0, 1] && cookie == STUN_COOKIE && length == body.saturating_add(STUN_HEADER_BYTES)
}

/// Gives a connection that begins with a check to the hub, which knows whether it is authentic.
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

/// A frame's length, and a STUN message's type, length and magic cookie.
const CHECK_HEAD_BYTES: usize = 10;
const STUN_HEADER_BYTES: u16 = 20;
const STUN_COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];

/// Who is here, and the place they take. An upgraded connection takes the place along.
#[derive(Clone)]
struct Visit {
    caller: Caller,
    proxies: Arc<[IpAddr]>,
    place: HeldPlace,
}

/// What one connection has asked so far.
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
                // What comes behind an upgrade is not looked at any more.
                answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            answer
        }
    });
    // Which HTTP it is was settled by TLS. Waiting for a first byte to tell has no time limit in hyper.
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

/// Resolves where no request has begun in time: hyper counts from a request's first byte only.
async fn says_nothing(asked: &Requested) {
    tokio::time::sleep(HEADERS_WITHIN).await;
    if asked.begun.load(Ordering::Relaxed) > 0 {
        std::future::pending::<()>().await;
    }
}

/// Resolves where nothing was asked for [`IDLE_FOR`].
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

/// Resolves when the hub stops, or has stopped already.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

pub mod certificate;
#[cfg(test)]
mod tests;
