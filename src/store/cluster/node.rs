//! A node: a connection that all reads share, and lanes for writes.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionAddr, IntoConnectionInfo, RedisConnectionInfo, RedisResult,
    Value, aio::MultiplexedConnection, io::tcp::TcpSettings,
};

use super::{
    Options,
    lane::{Lane, Shared},
    link::{Failure, TRY_TIMEOUT},
    script, url,
};

/// How many lanes a node has: while one waits for replicas another gathers.
const LANES: usize = 2;

/// How to connect to nodes.
#[derive(Clone)]
pub(super) struct Connector {
    settings: RedisConnectionInfo,
}

/// How many commands may be on their way on one connection; more wait.
const READS_MAX: usize = 1_024;

/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

impl Connector {
    pub(super) fn new(options: &Options) -> Self {
        let mut settings = RedisConnectionInfo::default().set_lib_name("seenby", env!("CARGO_PKG_VERSION"));
        if let Some(user) = &options.user {
            settings = settings.set_username(user);
        }
        if let Some(password) = &options.password {
            settings = settings.set_password(password);
        }
        Self { settings }
    }

    pub(super) async fn connect(&self, node: &url::Node) -> RedisResult<MultiplexedConnection> {
        let address = ConnectionAddr::Tcp(node.host.clone(), node.port);
        // What a node that cannot be reached was sent must not reach it later, when the call was given up and made anew.
        let tcp = TcpSettings::default()
            .set_nodelay(true)
            .set_user_timeout(TRY_TIMEOUT)
            .set_linger_time(Duration::ZERO);
        let info =
            address.into_connection_info()?.set_redis_settings(self.settings.clone()).set_tcp_settings(tcp);
        let client = Client::open(info)?;
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_TIMEOUT))
            .set_response_timeout(Some(TRY_TIMEOUT))
            .set_concurrency_limit(READS_MAX);
        client.get_multiplexed_async_connection_with_config(&config).await
    }
}

/// A node that is or was a primary.
pub(super) struct Node {
    address: url::Node,
    connector: Connector,
    reads: Mutex<Option<MultiplexedConnection>>,
    lanes: Vec<Lane>,
}

impl Node {
    pub(super) fn new(address: url::Node, connector: Connector, shared: &Arc<Shared>) -> Self {
        let lane = |_| Lane::start(address.clone(), connector.clone(), shared.clone());
        let lanes = (0..LANES).map(lane).collect();
        Self { address, connector, reads: Mutex::new(None), lanes }
    }

    /// Sends what only reads.
    pub(super) async fn read(&self, command: &Cmd) -> Result<Value, Failure> {
        let mut connection = self.connection().await?;
        match connection.send_packed_command(command).await {
            Ok(Value::ServerError(error)) => Err(Failure::from_server(&error)),
            Ok(value) => Ok(value),
            Err(error) => {
                if error.is_unrecoverable_error() || error.is_timeout() {
                    self.disconnect();
                }
                Err(Failure::from_error(&error))
            }
        }
    }

    /// Has a write go with the next ones.
    pub(super) async fn write(&self, slot: u16, key: &str, command: Cmd) -> Result<Value, Failure> {
        // One conversation's writes keep their order.
        self.lanes[usize::from(slot) % self.lanes.len()].write(key, command).await
    }

    /// Gives the node all scripts.
    pub(super) async fn load_scripts(&self) -> Result<(), Failure> {
        for script in script::all() {
            let mut command = redis::cmd("SCRIPT");
            command.arg("LOAD").arg(&script.text);
            self.read(&command).await?;
        }
        Ok(())
    }

    async fn connection(&self) -> Result<MultiplexedConnection, Failure> {
        if let Some(connection) = &*self.held() {
            return Ok(connection.clone());
        }
        let fresh =
            self.connector.connect(&self.address).await.map_err(|error| Failure::from_error(&error))?;
        Ok(self.held().insert(fresh).clone())
    }

    fn disconnect(&self) {
        *self.held() = None;
    }

    fn held(&self) -> std::sync::MutexGuard<'_, Option<MultiplexedConnection>> {
        self.reads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
