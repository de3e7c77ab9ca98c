//! **Rim.** The listeners: TLS and plain, each connection bounded in time and number before a byte of it is believed.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{Router, body::Body};
use dashmap::DashMap;
use hyper::{Request, body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto::Builder,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::watch,
    time::timeout,
};
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt;
use tracing::{debug, warn};

use crate::http::ask::Caller;

/// A TLS handshake, or a request's headers, that take longer are not meant to end.
const HEADERS_WITHIN: Duration = Duration::from_secs(10);

/// A school comes from one address: fifty classrooms with four connections each.
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
    /// A place for one more. `None`: this address, or everyone together, has enough.
    fn place(&self, address: IpAddr) -> Option<Place> {
        let place = Place { connections: self.clone(), address };
        let all = self.all.fetch_add(1, Ordering::Relaxed) + 1;
        let of_address = {
            let mut count = self.by_address.entry(address).or_insert(0);
            *count += 1;
            *count
        };
        // A reverse proxy, and every test, comes from the machine itself: it counts its own callers.
        let address_is_full = of_address > CONNECTIONS_PER_ADDRESS_MAX && !address.is_loopback();
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

/// Serves one listener until `stop` turns true.
pub async fn serve(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    router: Router,
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
        let Some(place) = connections.place(address.ip().to_canonical()) else {
            metrics::counter!("tongke_connections_refused_total").increment(1);
            debug!(%address, "Too many connections from {address}");
            continue;
        };
        let (tls, router, stop) = (tls.clone(), router.clone(), stop.clone());
        tokio::spawn(async move {
            let _place = place;
            connection(stream, address, tls, router, stop).await;
        });
    }
}

async fn connection(
    stream: TcpStream,
    address: SocketAddr,
    tls: Option<TlsAcceptor>,
    router: Router,
    stop: watch::Receiver<bool>,
) {
    let _ = stream.set_nodelay(true);
    let caller = Caller { address, tls: tls.is_some() };
    let Some(tls) = tls else { return speak(stream, false, caller, router, stop).await };
    match timeout(HEADERS_WITHIN, tls.accept(stream)).await {
        Ok(Ok(stream)) => {
            let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
            speak(stream, http2, caller, router, stop).await;
        }
        Ok(Err(error)) => debug!(%address, %error, "TLS with {address} failed: {error}"),
        Err(_) => debug!(%address, "TLS with {address} took too long"),
    }
}

async fn speak<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: S,
    http2: bool,
    caller: Caller,
    router: Router,
    mut stop: watch::Receiver<bool>,
) {
    let service = service_fn(move |request: Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(caller);
        router.clone().oneshot(request)
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
    let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stopped(&mut stop) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        debug!(address = %caller.address, %error, "A connection ended early: {error}");
    }
}

/// Resolves when the hub stops, or has stopped already.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_cannot_take_every_place() {
        let connections = Connections::default();
        let school = IpAddr::from([203, 0, 113, 7]);
        let mut places: Vec<_> = (0..CONNECTIONS_PER_ADDRESS_MAX).map(|_| connections.place(school).unwrap()).collect();
        assert!(connections.place(school).is_none());
        assert!(connections.place(IpAddr::from([203, 0, 113, 8])).is_some());
        places.pop();
        assert!(connections.place(school).is_some());
        drop(places);
        assert!(connections.by_address.is_empty());
        assert_eq!(connections.all.load(Ordering::Relaxed), 0);
    }
}
