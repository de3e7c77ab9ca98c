//! The `tongke` binary: reads the configuration, starts the parts in order, and stops them in order.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::PathBuf,
    process::ExitCode,
    sync::Arc,
};

use anyhow::Context;
use clap::{Parser, Subcommand, ValueEnum};
use school::{
    account::system_scope,
    base::id::LessonId,
    organisation::{Holder, Role},
};
use sfu::HubConfig;
use signaling::cli::recordings::{self, Hub};
use signaling::{
    app::App,
    cli::{backup, document},
    clock::Clock,
    config::{Config, ConfigArgs},
    error_chain::chain,
    http::account::set_up::SET_UP_LINK_VALID,
    jobs::reports,
    listener::{self, Connections, certificate},
    router, sample,
    secret::{sha256_hex, unguessable},
    store::{AuditRow, audit::chain::Retired, report::chain::RetiredAttendance},
    telemetry,
};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    sync::watch,
    task::JoinSet,
    time::{Duration, timeout},
};
use tokio_rustls::TlsAcceptor;
use tracing::{info, warn};

/// 同课: one teacher's lesson, live in many classrooms, and replayed.
#[derive(Parser)]
#[command(name = "tongke", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the hub
    Serve(ConfigSource),
    /// Check the configuration for `serve`, and print it
    CheckConfig(ConfigSource),
    /// Write the OpenAPI document of /api/v1
    Openapi,
    /// Verify that stored data was not altered
    Verify {
        #[command(subcommand)]
        what: Verified,
    },
    /// List the recordings, or export or repair one
    Recordings(recordings::Recordings),
    /// Write tables and keys into an empty folder, also while the hub runs. Copy DIR/recordings separately
    Backup {
        #[command(flatten)]
        hub: Hub,
        /// The backup's folder
        #[arg(long, value_name = "DIR")]
        to: PathBuf,
    },
    /// Restore a backup into an empty data folder and an empty database
    Restore {
        #[command(flatten)]
        hub: Hub,
        /// The backup's folder
        #[arg(long, value_name = "DIR")]
        from: PathBuf,
    },
    /// Make a one-time link to set a password: for the last administrator, who forgot theirs
    SetUpLink {
        #[command(flatten)]
        hub: Hub,
        /// Sign-in name of the person
        #[arg(long, value_name = "NAME")]
        sign_in_name: String,
        /// Reset the second factor too, for a lost phone
        #[arg(long)]
        drop_second_factor: bool,
        /// Base URL of the hub
        #[arg(long, default_value = "https://localhost:8443", value_name = "URL")]
        base_url: String,
    },
    /// Make a new one-time link for everyone with this role, for lost ones
    SignInLink {
        #[command(flatten)]
        hub: Hub,
        /// Role of the people
        #[arg(long, value_enum)]
        role: LinkRole,
        /// Base URL of the hub
        #[arg(long, default_value = "https://localhost:8443", value_name = "URL")]
        base_url: String,
    },
}

#[derive(Subcommand)]
enum Verified {
    /// Every audit row, by the hash chain
    Audit(Hub),
    /// A recording's journal, by its hash chain and against the database, and every file in it. The hub may be running
    Recording(recordings::Verify),
    /// Every attendance row, against the audit
    Attendance {
        #[command(flatten)]
        hub: Hub,
        /// Of one lesson only
        #[arg(long, value_name = "ID")]
        lesson: Option<LessonId>,
    },
}

#[derive(clap::Args)]
struct ConfigSource {
    /// A TOML file with the same names as the flags
    #[arg(long, env = "TONGKE_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    said: ConfigArgs,
}

#[derive(Clone, Copy, ValueEnum)]
#[value(rename_all = "snake_case")]
enum LinkRole {
    LeadTeacher,
    Classroom,
    BureauOfficer,
}

/// `EX_USAGE` of sysexits.h: the configuration is invalid.
const EXIT_USAGE: u8 = 64;

/// Grace period for connections in use when the hub stops.
const CONNECTIONS_END_WITHIN: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) if !error.use_stderr() => {
            let _ = error.print(); // --help and --version
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(EXIT_USAGE);
        }
    };
    match cli.command {
        Command::Serve(told) => match configured(told) {
            Ok(config) => run(serve(config)),
            Err(code) => code,
        },
        Command::CheckConfig(told) => match configured(told) {
            Ok(config) => {
                println!("{config:#?}");
                ExitCode::SUCCESS
            }
            Err(code) => code,
        },
        Command::Openapi => match document::document().to_pretty_json() {
            Ok(document) => {
                println!("{document}");
                ExitCode::SUCCESS
            }
            Err(_) => ExitCode::FAILURE,
        },
        Command::Verify { what: Verified::Audit(hub) } => run(verify_audit(hub)),
        Command::Verify { what: Verified::Recording(asked) } => run(asked.run()),
        Command::Verify { what: Verified::Attendance { hub, lesson } } => run(verify_attendance(hub, lesson)),
        Command::Recordings(asked) => run(asked.run()),
        Command::Backup { hub, to } => run(back_up(hub, to)),
        Command::Restore { hub, from } => run(restore(hub, from)),
        Command::SetUpLink { hub, sign_in_name, drop_second_factor, base_url } => {
            run(set_up_link(hub, sign_in_name, drop_second_factor, base_url))
        }
        Command::SignInLink { hub, role, base_url } => run(sign_in_link(hub, role, base_url)),
    }
}

fn configured(source: ConfigSource) -> Result<Config, ExitCode> {
    source.said.or_file(source.config.as_deref()).and_then(ConfigArgs::check).map_err(|error| {
        eprintln!("tongke: {error}");
        ExitCode::from(EXIT_USAGE)
    })
}

fn run(work: impl Future<Output = anyhow::Result<()>>) -> ExitCode {
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("tongke: cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    let done = runtime.block_on(work);
    // Remaining background tasks have nothing left to do.
    runtime.shutdown_timeout(Duration::from_millis(200));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tongke: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(config: Config) -> anyhow::Result<()> {
    telemetry::begin_log(config.log);
    let figures = telemetry::begin_metrics();
    let clock = Clock::system();
    signaling::data_dir::folder(&config.data)?;
    let _ours = signaling::data_dir::alone(&config.data)?;
    let certificate = match &config.certificate {
        Some(files) => certificate::given(files)?,
        None => certificate::own(&config.data, &config.announce, clock.wall())?,
    };
    let chosen =
        if config.listen.port() == 0 { Some(listener::listen_for_both(config.listen.ip()).await?) } else { None };
    let hub = HubConfig {
        listen: chosen.as_ref().map_or(Ok(config.listen), TcpListener::local_addr)?,
        announce: config.announce.clone(),
        tcp: true,
        workers: config.workers,
        max_seats: config.max_seats,
    };
    let (ca_pem, s3) = (certificate.ca_pem.clone(), config.s3.as_ref());
    let app = App::open_mirrored(&config.data, &config.database, hub, clock, ca_pem, s3).await?;

    // One port number for both: media on UDP, pages on TCP.
    let https = match chosen {
        Some(https) => https,
        None => listen(config.listen).await?,
    };
    let http = match config.http {
        Some(address) => Some(listen(address).await?),
        None => None,
    };
    let operations = listen(config.metrics).await?;
    let metrics = operations.local_addr()?;
    let (https_at, http_at) = (https.local_addr()?, http.as_ref().map(TcpListener::local_addr).transpose()?);
    let base_url = base_url(&config, https_at, http_at);
    greet(https_at.port(), &certificate, &base_url);
    // Before the first request is answered: when the hub is ready, the sample is there.
    if config.sample {
        match sample::prepare(&app, &config.data, &base_url).await {
            Ok((sample, prepared)) => {
                introduce(&sample, prepared);
                if let Err(error) = sample::timetable(&app).await {
                    warn!(error = chain(&error), "No timetable in the sample: {error}");
                }
            }
            Err(error) => warn!(error = chain(&error), "No sample: {error}"),
        }
    }

    if let Some(secret) = app.first_start.begin(&app.store, &app.clock).await? {
        println!("第一次启动：请在 15 分钟内打开 {base_url}/set-up#{secret} ，建立最上级机构和三名管理员。");
        println!("First start: open the link above within 15 minutes. There is no default password.");
    }

    let (stop, stopped) = watch::channel(false);
    let connections = Connections::default();
    let mut listeners = JoinSet::new();
    let public = router::router(app.clone());
    let media = Some(app.hub.clone());
    let proxies: Arc<[IpAddr]> = config.trusted_proxies.into();
    let tls = TlsAcceptor::from(certificate.tls.clone());
    listeners.spawn(listener::serve(
        https,
        Some(tls),
        proxies.clone(),
        public.clone(),
        media.clone(),
        connections.clone(),
        stopped.clone(),
    ));
    if let Some(http) = http {
        listeners.spawn(listener::serve(
            http,
            None,
            proxies.clone(),
            public,
            media,
            connections.clone(),
            stopped.clone(),
        ));
    }
    let figures = telemetry::router(app.clone(), figures);
    listeners.spawn(listener::serve(operations, None, proxies, figures, None, connections, stopped));
    let beat = tokio::spawn(app.clone().beat());
    tokio::spawn(app.clone().retire_audit(config.audit_retained));
    tokio::spawn(reports::run(app.clone()));
    tokio::spawn(app.clone().archive_store());
    info!(https = %https_at, http = http_at.map(tracing::field::display), %metrics, "Ready at {base_url}");

    wait_for_the_end().await?;
    info!("Stopping");
    stop.send_replace(true);
    app.shut_down().await;
    let _ = beat.await;
    let _ = timeout(CONNECTIONS_END_WITHIN, async { while listeners.join_next().await.is_some() {} }).await;
    info!("Stopped");
    Ok(())
}

async fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    listener::listen(address).await.with_context(|| format!("cannot open TCP port {address}"))
}

async fn wait_for_the_end() -> anyhow::Result<()> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

/// Base URL for browsers: of the plain listener if there is one, since it needs no trusted certificate.
fn base_url(config: &Config, https: SocketAddr, http: Option<SocketAddr>) -> String {
    let host = |address: SocketAddr| match address.ip() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) | IpAddr::V6(Ipv6Addr::UNSPECIFIED) => None,
        _ => Some(address),
    };
    if let Some(http) = http {
        let http = host(http).unwrap_or(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), http.port()));
        return format!("http://{http}");
    }
    if let Some(address) = config.announce.first() {
        return format!("https://{}", SocketAddr::new(*address, https.port()));
    }
    host(https).map_or_else(|| format!("https://localhost:{}", https.port()), |https| format!("https://{https}"))
}

fn greet(port: u16, certificate: &certificate::Certificate, base_url: &str) {
    println!("同课 Tongke  {base_url}");
    if certificate.ca_pem.is_some() {
        let machine = certificate::machine_address().map_or_else(|| "localhost".into(), |address| address.to_string());
        println!("  CA SHA-256  {}", certificate.fingerprint);
        println!("  教室电脑先打开 https://{machine}:{port}/ca.crt ，核对上面的指纹，再导入为受信任的根证书。");
        println!(
            "  On a classroom PC open https://{machine}:{port}/ca.crt, compare the fingerprint, import it as a trusted root."
        );
    }
}

fn introduce(sample: &sample::Sample, prepared: sample::Prepared) {
    println!(
        "{}",
        match prepared {
            sample::Prepared::County =>
                "示例县已建好，有一节课现在开放。 A sample county is ready, with one lesson open now.",
            sample::Prepared::Links =>
                "数据没有改动，令牌和链接是新的。 The data is untouched; tokens and links are new.",
            sample::Prepared::Lesson =>
                "上一节示例课已结束，新开了一节。 The last sample lesson had ended; a new one is open.",
        }
    );
    let links = &sample.sign_in_links;
    println!("  1 张老师 Teacher       {}", links.teacher);
    for (n, link) in links.classrooms.iter().enumerate() {
        println!("  2 教室 Classroom {}     {link}", n + 1);
    }
    println!("  3 巡课 Bureau officer  {}", links.bureau_officer);
    if let Some(link) = &links.scheduler {
        println!("  4 排课 Scheduler       {link}");
    }
    println!("  来宾 Guests            {}", sample.guest_watch_url);
    println!("打开 1，允许摄像头和麦克风，按“开始上课”。 Open 1, allow camera and microphone, press start.");
    println!("每个教室链接用一个浏览器身份打开（无痕窗口也可以）。 Open each 2 in a browser profile of its own.");
    println!("按“下课”，再从课表打开回放。 End the lesson, then open its replay from the list.");
}

async fn verify_audit(hub: Hub) -> anyhow::Result<()> {
    let store = hub.store().await?;
    let verified = store.verify_audit().await?;
    store.close().await;
    let whole = verified.map_err(|touched| anyhow::anyhow!("{touched}"))?;
    println!("{} rows, none touched. SHA-256 of the last: {}", whole.rows, whole.sha256);
    if let Some(Retired { rows, tombstone }) = whole.retired {
        println!("Rows 1 to {rows} were taken out after their time: row {tombstone} says so.");
    }
    Ok(())
}

async fn verify_attendance(hub: Hub, lesson: Option<LessonId>) -> anyhow::Result<()> {
    let store = hub.store().await?;
    let verified = store.verify_attendance(&system_scope::console(), lesson).await?;
    store.close().await;
    let whole = verified.map_err(|edited| anyhow::anyhow!("{edited}"))?;
    println!(
        "{} lessons, {} attendance rows and {} head counts, none edited.",
        whole.lessons, whole.rows, whole.head_counts
    );
    if whole.unattested > 0 {
        println!(
            "Of {} lessons the audit's lines were taken out after their time: their rows fit together.",
            whole.unattested
        );
    }
    if whole.without_samples > 0 {
        println!(
            "Of {} lessons the samples were deleted by policy: their figures are as before.",
            whole.without_samples
        );
    }
    for RetiredAttendance { lesson_id, at, rule } in &whole.retired {
        println!(
            "The attendance of lesson {lesson_id} was deleted on {} ({rule}).",
            school::base::zone::school_day(*at)
        );
    }
    println!("They are as the audit says. Whether the audit was touched: tongke verify audit.");
    Ok(())
}

async fn back_up(hub: Hub, to: PathBuf) -> anyhow::Result<()> {
    let store = hub.store().await?;
    let row = AuditRow::by_system(Clock::system().wall(), "back_up", "hub".into());
    store.audit(&row).await?;
    let lines = backup::back_up(&store, &hub.data, &to).await?;
    store.close().await;
    println!("{lines} lines in {}. Recordings are not in it: copy {}/recordings.", to.display(), hub.data.display());
    Ok(())
}

async fn restore(hub: Hub, from: PathBuf) -> anyhow::Result<()> {
    let database = hub.database.as_deref().map(str::parse).transpose()?;
    let lines = backup::restore(&from, &hub.data, database).await?;
    println!("{lines} lines restored into {}.", hub.data.display());
    Ok(())
}

async fn set_up_link(hub: Hub, sign_in_name: String, drop: bool, base_url: String) -> anyhow::Result<()> {
    let store = hub.store().await?;
    let credentials = store.credentials_of_name(&sign_in_name).await?;
    let person_id = credentials.with_context(|| format!("nobody signs in as {sign_in_name}"))?.person_id;
    let (console, now) = (system_scope::console(), Clock::system().wall());
    let row = |act| AuditRow::by_system(now, act, format!("person:{person_id}"));
    if drop {
        store.drop_second_factor(&console, person_id, row("drop_second_factor")).await?;
    }
    let secret = unguessable();
    let until = now.plus(SET_UP_LINK_VALID);
    store.insert_set_up_link(&console, person_id, &sha256_hex(&secret), until, row("make_set_up_link")).await?;
    println!("{}/enter#{secret}", base_url.trim_end_matches('/'));
    store.close().await;
    Ok(())
}

async fn sign_in_link(hub: Hub, role: LinkRole, base_url: String) -> anyhow::Result<()> {
    let store = hub.store().await?;
    let console = system_scope::console();
    let holders: Vec<(Holder, String)> = match role {
        LinkRole::Classroom => store
            .classrooms_with_school(&console)
            .await?
            .into_iter()
            .map(|(id, name)| (Holder::Classroom(id), name))
            .collect(),
        LinkRole::LeadTeacher | LinkRole::BureauOfficer => {
            let role = if matches!(role, LinkRole::LeadTeacher) { Role::LeadTeacher } else { Role::Patrol };
            store
                .people_who_are(&console, role)
                .await?
                .into_iter()
                .map(|(id, name)| (Holder::Person(id), name))
                .collect()
        }
    };
    anyhow::ensure!(!holders.is_empty(), "nobody has this role yet");
    for (holder, name) in holders {
        let link = sample::sign_in_link(&store, base_url.trim_end_matches('/'), holder, Clock::system().wall()).await?;
        println!("{name}  {link}");
    }
    store.close().await;
    Ok(())
}
