//! `seenby serve`: puts the floors together, serves until a signal comes, and takes them down again.
//!
//! Owns the order of things: configuration, logs, listener, store, ready line; then drain, close, exit code.

mod control;
mod opening;
mod pacing;
mod upkeep;

use std::{error::Error, io, path::Path, process::ExitCode, sync::Arc, time::Duration};

use tokio::{net, runtime, sync::oneshot, task::JoinHandle};

use self::opening::Opened;
use super::{EXIT_USAGE, complain, hand_over, print_line};
use crate::{
    access::{KeyFileError, Keyring, TokenLimits},
    domain::Limits,
    http::{self, HttpLimits, Server},
    process::{
        clock::Clock,
        config::{self, Config, ListenAddress},
        listen::{self, Bound, ListenError, Listener, SocketFile},
        metrics::Metrics,
        open_files, shutdown, systemd, telemetry,
    },
    receipts::Ledger,
    store::embedded,
};

const EXAMPLES: &str = "\
Examples:
  seenby serve
  seenby serve --demo
  seenby serve --data /var/lib/seenby --listen 127.0.0.1:7400 --retention 30d
  seenby serve --listen unix:/run/seenby/socket --log warn --log-format text
  seenby serve --listen 0.0.0.0:7400 --api-keys api.keys --token-keys tokens.jwks
  seenby serve --api-keys api.keys --metrics-listen 127.0.0.1:7401
  seenby serve --store valkey://10.0.0.1:7000,10.0.0.2:7000 --min-replicas 1
  SEENBY_POLL_EVERY=5s seenby serve --config /etc/seenby/config.toml
  seenby serve --print-default-config > config.toml
  seenby serve --config config.toml --check-config

Layers:
  Every flag is also a key in the file that --config names (--poll-every: poll_every)
  and a variable (SEENBY_POLL_EVERY). A flag is stronger than a variable, a variable
  than the file, the file than the default. What is no setting is refused by name.
  --check-config reads all of it, the files of keys too, and looks whether the data directory
  could be used, also while a server does; it says what is wrong (exit code 64) or that all is
  well (0), changes nothing, and ends; --print-config prints what came out and where each value
  came from, as a file for --config.

Access:
  Without --api-keys and --token-keys whoever can connect can do everything, so it listens
  on loopback addresses and socket files only. With either, callers show who they are:
  `Authorization: Bearer` and an API key (the chat's back end: all calls) or a user token (a
  user's client: marks, pulls and streams of its own). `seenby keys new` makes API keys, `seenby token
  sign` tokens to try out. At SIGHUP both files are read again, and no request is dropped;
  what systemd hands over as a credential stays as it is until a restart.

Start and end:
  The first line on standard output says that it can answer, and where:
  `seenby listening on http://127.0.0.1:7400`. Logs go to standard error.
  At SIGTERM or SIGINT it takes no more connections, answers the requests under way, ends
  streams (without an event `end`: they may be resumed elsewhere), closes the store and ends. A second signal ends it at once; what was answered is
  kept even so.

Exit codes:
  0        stopped by a signal; every request under way was answered
  1        could not start (address in use, data directory in use by another server,
           store damaged), or stopped with requests unanswered after drain_timeout,
           or could not close the store
  64       bad flags, variables or configuration; the message names the key and
           where it came from
  134      ended itself: the disk hung for longer than commit_timeout, or a fault of its
           own (SIGABRT); start it anew, what was answered is kept
  130, 143 ended at once by a second signal (SIGINT, SIGTERM)";

/// What `serve` takes. None of the settings' flags has a default here: defaults are below all layers.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag")]
pub(super) struct Args {
    #[command(flatten)]
    flags: config::Flags,
    /// Read the configuration and the files of keys, look at the data directory, say whether a server could start with
    /// them, and end
    #[arg(long, conflicts_with = "print_config")]
    check_config: bool,
    /// Print every setting, its value and where that came from, and end
    #[arg(long)]
    print_config: bool,
    /// Print the settings with their defaults, as a file for --config, and end
    #[arg(long, hide = true)]
    print_default_config: bool,
    /// Print the API's description, as it is served at /openapi.json, and end
    #[arg(long, hide = true)]
    print_openapi: bool,
}

/// Serves until a signal comes.
pub(super) fn run(args: Args) -> ExitCode {
    if args.print_default_config {
        return hand_over(config::example().trim_end());
    }
    if args.print_openapi {
        return hand_over(&http::openapi_json());
    }
    let config = match Config::load(args.flags, std::env::vars_os()) {
        Ok(config) => config,
        Err(error) => {
            complain(&error);
            return ExitCode::from(EXIT_USAGE);
        }
    };
    if args.print_config {
        return hand_over(config.effective().trim_end());
    }
    let figures = config.metrics_listen.as_ref().map(|_| Server::FIGURES_CONNECTIONS);
    if let Err(error) = open_files::allow_beside(config.connections_max, figures) {
        complain(&error);
        return ExitCode::from(EXIT_USAGE);
    }
    let keys = match open_keys(&config) {
        Ok(keys) => Arc::new(keys),
        Err(error) => {
            complain(&error);
            return ExitCode::from(EXIT_USAGE);
        }
    };
    if args.check_config {
        return check_store(&config);
    }
    // Still the only thread, as taking over a listener wants it.
    let bound = match listen::inherited(config.has_access_control())
        .and_then(|inherited| inherited.map_or_else(|| listen::bind(&config.listen), Ok))
    {
        Ok(bound) => bound,
        Err(error) => {
            complain(&error);
            let usage = matches!(error, ListenError::Open(_) | ListenError::Inherited(_));
            return ExitCode::from(if usage { EXIT_USAGE } else { 1 });
        }
    };
    let figures = match config.metrics_listen.as_ref().map(listen::bind).transpose() {
        Ok(figures) => figures,
        Err(error) => {
            complain(&error);
            return ExitCode::FAILURE;
        }
    };
    telemetry::start(&config.log, config.log_format);
    shutdown::abort_on_panic(&[embedded::BASE_THREAD]);
    match serve(&config, keys, bound, figures) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            complain(error.as_ref());
            ExitCode::FAILURE
        }
    }
}

/// Says whether a server could start on its store, without doing it.
fn check_store(config: &Config) -> ExitCode {
    match opening::check(config) {
        Ok(()) => hand_over("the configuration is good"),
        Err(error) => {
            complain(error.as_ref());
            ExitCode::from(EXIT_USAGE)
        }
    }
}

/// What a runtime's last tasks may take that nobody waits for.
const STRAGGLERS_TIMEOUT: Duration = Duration::from_secs(1);

/// A file of keys that cannot be used is bad configuration: told with the key that names it.
#[derive(Debug, thiserror::Error)]
#[error("{chosen}")]
struct BadKeys {
    chosen: String,
    source: KeyFileError,
}

/// Reads the files of keys.
fn open_keys(config: &Config) -> Result<Keyring, BadKeys> {
    let limits = TokenLimits {
        bytes_max: config.token_bytes_max.count,
        leeway: config.token_leeway,
        ttl_max: config.token_ttl_max,
    };
    Keyring::open(config.api_keys.clone(), config.token_keys.clone(), limits).map_err(|source| {
        let chosen = config.set().find(|chosen| Path::new(&chosen.text) == source.path);
        BadKeys { chosen: chosen.map(ToString::to_string).unwrap_or_default(), source }
    })
}

/// Reads them again. Requests go on meanwhile, with the keys of before if the new ones are of no use.
fn reload_keys(keys: &Keyring) {
    systemd::reloading();
    match keys.reload() {
        Ok(()) if keys.is_closed() => tracing::info!("the files of keys were read again"),
        Ok(()) => tracing::info!("there are no files of keys to read again"),
        Err(error) => tracing::error!("the keys of before stay in force: {error}"),
    }
    systemd::ready();
}

fn serve(
    config: &Config,
    keys: Arc<Keyring>,
    bound: Bound,
    figures: Option<Bound>,
) -> Result<bool, Box<dyn Error>> {
    let runtime = runtime::Builder::new_multi_thread().enable_all().build()?;
    let served = runtime.block_on(serve_until_stopped(config, keys, bound, figures));
    runtime.shutdown_timeout(STRAGGLERS_TIMEOUT);
    served
}

/// True if every request was answered and the store is closed.
async fn serve_until_stopped(
    config: &Config,
    keys: Arc<Keyring>,
    bound: Bound,
    figures: Option<Bound>,
) -> Result<bool, Box<dyn Error>> {
    let stop = shutdown::requested()?;
    let reloaded = keys.clone();
    shutdown::at_hangup(move || reload_keys(&reloaded))?;
    say_how_it_is_configured(config, &bound);
    let Opened { store, etag_key, data } = opening::open(config).await?;
    let ledger =
        Ledger::new(store, config.retention(), config.pace(), Limits::default()).with_etag_key(etag_key);
    let Bound { listener, address, file } = bound;
    let listener = accepting(listener)?;
    let sweep = upkeep::spawn_sweep(ledger.clone(), Clock::System, config.sweep_every);
    let metrics = Arc::new(Metrics::new());
    let pace = pacing::spawn(ledger.clone(), config.stretch(), metrics.clone());
    let control = data.as_deref().map(|data| control::start(data, ledger.clone(), metrics.clone()));
    let look = upkeep::spawn_look(metrics.clone(), data);
    let server = Server::new(ledger.clone(), Clock::System, http_limits(config), metrics)
        .with_access(keys, config.visibility)
        .with_origins(&config.cors_origin.0)
        .with_demo(config.demo);
    let figures = figures.map(|bound| Figures::serve(bound, &server)).transpose()?;

    // Connections wait in the listener's queue already.
    print_line(&format!("seenby listening on {address}"));
    if config.demo {
        say_where_the_demo_is(&address);
    }
    systemd::ready();
    let alive = systemd::alive_every().map(|every| upkeep::spawn_alive(ledger.clone(), Clock::System, every));
    let stop = async {
        stop.await;
        systemd::stopping();
    };
    let drained = http::serve(listener, Arc::new(server), stop, config.drain_timeout).await;
    let answered = drained.connections_cut == 0;
    if !answered {
        let cut = drained.connections_cut;
        tracing::warn!(connections = cut, waited = ?config.drain_timeout, "stopping with requests unanswered");
    }
    drop((file, control));
    sweep.abort();
    pace.abort();
    look.abort();
    if let Some(alive) = alive {
        alive.abort();
    }
    let closed = ledger.close().await;
    if let Some(figures) = figures {
        figures.end().await;
    }
    closed?;
    tracing::info!("stopped");
    Ok(answered)
}

fn accepting(listener: Listener) -> io::Result<http::Listener> {
    Ok(match listener {
        Listener::Tcp(listener) => http::Listener::Tcp(net::TcpListener::from_std(listener)?),
        Listener::Unix(listener) => http::Listener::Unix(net::UnixListener::from_std(listener)?),
    })
}

/// The listener for figures alone. It goes last, so that whoever watches the server sees it go.
struct Figures {
    stop: oneshot::Sender<()>,
    served: JoinHandle<http::Drained>,
    _file: Option<SocketFile>,
}

impl Figures {
    /// Serves the figures of `server` there.
    fn serve(bound: Bound, server: &Server) -> io::Result<Self> {
        let Bound { listener, address, file } = bound;
        tracing::info!("figures are at {address}, /metrics");
        let (stop, stopped) = oneshot::channel();
        let stopped = async {
            let _ = stopped.await;
        };
        let figures = Arc::new(server.figures());
        // Nobody who only looks holds up the end.
        let served = http::serve(accepting(listener)?, figures, stopped, Duration::ZERO);
        Ok(Self { stop, served: tokio::spawn(served), _file: file })
    }

    async fn end(self) {
        let _ = self.stop.send(());
        let _ = self.served.await;
    }
}

fn say_how_it_is_configured(config: &Config, bound: &Bound) {
    for setting in config.set() {
        tracing::info!("{setting}");
    }
    tracing::info!(version = env!("BUILT_VERSION"), store = %opening::place(config), listen = %bound.address, "starting");
    if !config.has_access_control() {
        tracing::warn!("there is no access control: whoever can connect can read and change everything");
    }
}

fn say_where_the_demo_is(address: &ListenAddress) {
    match address {
        ListenAddress::Tcp(_) => tracing::info!("the demo is at {address}/demo"),
        // No browser opens a socket file: whoever puts a proxy before it knows where that is.
        ListenAddress::Unix(_) => tracing::info!("the demo is at /demo, behind {address}"),
    }
}

fn http_limits(config: &Config) -> HttpLimits {
    HttpLimits {
        head_bytes_max: config.head_bytes_max.count,
        body_bytes_max: config.body_bytes_max.count,
        user_body_bytes_max: config.user_body_bytes_max.count,
        bodies_bytes_max: config.bodies_bytes_max.count,
        connections_max: config.connections_max,
        connections_per_address_max: config.connections_per_address_max,
        connections_per_s_max: config.connections_per_s_max,
        http2_streams_max: config.http2_streams_max,
        streams_max: config.streams_max,
        user_streams_max: config.user_streams_max,
        stream_every: config.stream_every,
        stream_for: config.stream_for,
        stream_keep_alive: config.stream_keep_alive,
        app_requests_per_s: config.app_requests_per_s,
        user_requests_per_s: config.user_requests_per_s,
        head_timeout: config.head_timeout,
        body_timeout: config.body_timeout,
        answer_timeout: config.answer_timeout,
        idle_timeout: config.idle_timeout,
        ..HttpLimits::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_of_the_settings_are_those_of_the_wire() {
        let config = Config::load(config::Flags::default(), []).unwrap();
        assert_eq!(http_limits(&config), HttpLimits::default());
        let keys = open_keys(&config).unwrap();
        assert!(!keys.is_closed() && format!("{keys:?}").contains(&format!("{:?}", TokenLimits::default())));
    }
}
