//! `seenby healthcheck`: whether a server can take writes, told by the exit code.
//!
//! For container engines, in whose images there is nothing else to ask with. Knows where to ask; what an answer means is
//! the client's.

use std::{
    error::Error,
    fmt, io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    path::PathBuf,
    process::ExitCode,
    time::Duration,
};

use tokio::{net::UnixStream, runtime};

use super::{EXIT_USAGE, complain, print_line, told};
use crate::{
    client::{BadServerUrl, Client, ClientError},
    process::config::{Config, ConfigError, Flags, ListenAddress},
};

const NOTES: &str = "\
Examples:
  seenby healthcheck
  seenby healthcheck --server http://127.0.0.1:7401 --timeout 2s
  seenby healthcheck --server unix:/run/seenby/socket

It asks for /readyz. Without --server it asks where `seenby serve` listens that is started with
the same variables: where SEENBY_LISTEN says, or the file that SEENBY_CONFIG names, or at
http://127.0.0.1:7400. So beside a server in a container it needs no flags. 0.0.0.0 and [::] are
asked on this machine.

Exit codes:
  0   the server can take writes
  1   it cannot, or there was no answer in time; standard error says which
  64  bad flags or variables, or a server on whatever port was free";

/// What `healthcheck` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = NOTES)]
pub(super) struct Args {
    /// The server to ask: http://host:port, or unix:PATH for a socket file
    #[arg(long, value_name = "URL", value_parser = server)]
    server: Option<Server>,

    /// How long it may take
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = humantime::parse_duration)]
    timeout: Duration,
}

/// Where to ask.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Server {
    Http(String),
    Socket(PathBuf),
}

impl fmt::Display for Server {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http(url) => out.write_str(url),
            Self::Socket(path) => write!(out, "unix:{}", path.display()),
        }
    }
}

fn server(text: &str) -> Result<Server, BadServerUrl> {
    match text.strip_prefix("unix:") {
        Some(path) if !path.is_empty() => Ok(Server::Socket(path.into())),
        _ => Client::new(text).map(|_| Server::Http(text.to_owned())),
    }
}

/// Why there is nowhere to ask.
#[derive(Debug, thiserror::Error)]
enum Nowhere {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("a server at {0} listens on whatever port is free; say with --server which")]
    AnyPort(ListenAddress),
}

/// The server that was started with the same variables.
fn beside() -> Result<Server, Nowhere> {
    reached_at(Config::load(Flags::default(), std::env::vars_os())?.listen)
}

/// Where a server is asked that listens at `listen`.
fn reached_at(listen: ListenAddress) -> Result<Server, Nowhere> {
    match listen {
        ListenAddress::Unix(path) => Ok(Server::Socket(path)),
        ListenAddress::Tcp(address) if address.port() == 0 => Err(Nowhere::AnyPort(listen)),
        ListenAddress::Tcp(mut address) => {
            address.set_ip(match address.ip() {
                IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
                IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
                ip => ip,
            });
            Ok(Server::Http(format!("http://{address}")))
        }
    }
}

/// Why a server counts as not ready.
#[derive(Debug, thiserror::Error)]
enum NotReady {
    #[error("no connection")]
    Unconnected(#[from] io::Error),
    #[error(transparent)]
    Url(#[from] BadServerUrl),
    #[error(transparent)]
    Said(#[from] ClientError),
}

async fn ask(server: &Server, timeout: Duration) -> Result<(), NotReady> {
    let client = match server {
        Server::Http(url) => Client::new(url)?.with_attempt_max(timeout),
        Server::Socket(path) => {
            let stream = UnixStream::connect(path).await?;
            Client::new("http://localhost")?.with_attempt_max(timeout).over(stream).await?
        }
    };
    Ok(client.ready().await?)
}

/// Asks once.
pub(super) fn run(args: Args) -> ExitCode {
    let server = match args.server.map_or_else(beside, Ok) {
        Ok(server) => server,
        Err(error) => {
            complain(&error);
            return ExitCode::from(EXIT_USAGE);
        }
    };
    match asked(&server, args.timeout) {
        Ok(()) => {
            print_line(&format!("{server} is ready"));
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("seenby: {server} is not ready: {}", told(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}

fn asked(server: &Server, timeout: Duration) -> Result<(), Box<dyn Error>> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    let answer = runtime.block_on(ask(server, timeout));
    // A name that is still being looked up is nobody's business any more.
    runtime.shutdown_background();
    Ok(answer?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reached(listen: &str) -> Result<Server, Nowhere> {
        reached_at(match listen.strip_prefix("unix:") {
            Some(path) => ListenAddress::Unix(path.into()),
            None => ListenAddress::Tcp(listen.parse().unwrap()),
        })
    }

    #[test]
    fn a_server_is_asked_where_this_machine_reaches_it() {
        for (listen, server) in [
            ("127.0.0.1:7400", "http://127.0.0.1:7400"),
            ("192.0.2.1:80", "http://192.0.2.1:80"),
            ("0.0.0.0:7400", "http://127.0.0.1:7400"),
            ("[::]:7400", "http://[::1]:7400"),
            ("unix:/run/seenby/socket", "unix:/run/seenby/socket"),
        ] {
            assert_eq!(reached(listen).unwrap().to_string(), server);
        }
        assert!(reached("127.0.0.1:0").unwrap_err().to_string().contains("--server"));
    }

    #[test]
    fn what_names_no_server_is_refused() {
        for bad in ["", "unix:", "127.0.0.1:7400", "https://127.0.0.1", "/run/seenby/socket"] {
            assert!(server(bad).is_err(), "{bad}");
        }
        assert_eq!(server("unix:a").unwrap(), Server::Socket("a".into()));
    }
}
