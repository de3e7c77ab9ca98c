//! Logs, and Prometheus metrics on a separate listener.

use std::io::IsTerminal;

use axum::{Router, extract::State, http::header, response::IntoResponse, routing::get};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use recorder::MirrorStatus;
use sfu::stats::HubStats;
use tracing_subscriber::{EnvFilter, fmt, prelude::*};

use crate::{app::App, config::LogFormat, router::probes};

/// Starts logging to standard error. `RUST_LOG` sets the filter; `info` by default.
pub fn begin_log(format: LogFormat) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(DEFAULT_FILTER));
    let registry = tracing_subscriber::registry().with(filter);
    // A second call, as in tests, has no effect.
    let _ = match format {
        LogFormat::Text => {
            let colours = std::io::stderr().is_terminal();
            registry.with(fmt::layer().with_writer(std::io::stderr).with_target(false).with_ansi(colours)).try_init()
        }
        LogFormat::Json => registry.with(fmt::layer().json().with_writer(std::io::stderr)).try_init(),
    };
}

/// Starts metrics. `None`: they were started already in this process.
#[must_use]
pub fn begin_metrics() -> Option<PrometheusHandle> {
    PrometheusBuilder::new().install_recorder().ok()
}

/// Routes of the operations listener: `/metrics` and the probes, none of which is public.
pub fn router(app: App, figures: Option<PrometheusHandle>) -> Router {
    let metrics = move |State(app): State<App>| {
        let figures = figures.clone();
        async move {
            note(&app.hub.stats());
            let (lessons, sockets) = app.registry.counts();
            metrics::gauge!("tongke_lessons_in_progress").set(lessons as f64);
            metrics::gauge!("tongke_sockets").set(sockets as f64);
            if let Some(mirror) = app.recordings.mirror() {
                note_mirror(&mirror.status());
            }
            let (kept, degraded, paused) = app.registry.recordings();
            metrics::gauge!("tongke_recordings_kept").set((kept + degraded) as f64);
            metrics::gauge!("tongke_recordings_lean").set(degraded as f64);
            metrics::gauge!("tongke_recordings_paused").set(paused as f64);
            let disk = app.recordings.disk();
            metrics::gauge!("tongke_disk_free_bytes").set(disk.free_bytes as f64);
            // 0: ok, 4: paused.
            metrics::gauge!("tongke_disk_level").set(f64::from(disk.level as u8));
            let text = figures.as_ref().map(PrometheusHandle::render).unwrap_or_default();
            ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response()
        }
    };
    Router::new().route("/metrics", get(metrics)).merge(probes()).with_state(app)
}

/// Publishes the hub's statistics as metrics.
fn note(stats: &HubStats) {
    metrics::gauge!("tongke_rooms").set(stats.rooms as f64);
    metrics::gauge!("tongke_publishers").set(stats.peers.values().filter(|peer| peer.publishes).count() as f64);
    metrics::gauge!("tongke_viewers").set(stats.peers.values().filter(|peer| !peer.publishes).count() as f64);
    metrics::counter!("tongke_packets_in_total").absolute(stats.packets_in);
    metrics::counter!("tongke_packets_out_total").absolute(stats.packets_out);
    metrics::counter!("tongke_bytes_in_total").absolute(stats.bytes_in);
    metrics::counter!("tongke_bytes_out_total").absolute(stats.bytes_out);
    for (reason, count) in &stats.keyframes_asked {
        metrics::counter!("tongke_keyframes_asked_total", "reason" => *reason).absolute(*count);
    }
    metrics::counter!("tongke_panics_total").absolute(stats.panics);
    for (reason, count) in &stats.dropped {
        metrics::counter!("tongke_packets_dropped_total", "reason" => *reason).absolute(*count);
    }
}

/// Publishes how far the bucket is behind.
fn note_mirror(status: &MirrorStatus) {
    metrics::gauge!("tongke_mirror_waiting_objects").set(status.lag.objects as f64);
    metrics::gauge!("tongke_mirror_waiting_bytes").set(status.lag.bytes as f64);
    metrics::gauge!("tongke_mirror_oldest_seconds").set(status.lag.oldest.as_secs_f64());
    metrics::gauge!("tongke_mirror_failures_in_a_row").set(f64::from(status.failures));
    metrics::gauge!("tongke_mirror_alarms").set(status.alarms.len() as f64);
    metrics::counter!("tongke_mirror_objects_total").absolute(status.sent);
    metrics::counter!("tongke_mirror_bytes_total").absolute(status.sent_bytes);
}

/// The DTLS crate warns of every extension in a browser's ClientHello that it does not use.
const DEFAULT_FILTER: &str = "info,rtc_dtls=error";
