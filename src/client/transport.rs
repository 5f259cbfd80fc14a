//! What carries requests: a pool of connections, or one connection that the caller has made.

use std::{error::Error, net::IpAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Request, Response, Uri, body::Incoming, client::conn::http1, header};
use hyper_util::{
    client::legacy::{self, connect::HttpConnector},
    rt::{TokioExecutor, TokioIo, TokioTimer},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::Mutex,
};

/// How long to wait for a connection.
const CONNECT_MAX: Duration = Duration::from_secs(5);
/// How long an idle connection is kept: less than servers and proxies commonly do.
const IDLE_MAX: Duration = Duration::from_secs(20);

/// Clones share the connections.
#[derive(Clone)]
pub(super) enum Transport {
    Pool(legacy::Client<HttpConnector, Full<Bytes>>),
    One(Arc<Mutex<http1::SendRequest<Full<Bytes>>>>),
}

impl Transport {
    /// Makes connections as they are needed, from the address `from` if one is given.
    pub(super) fn pool(from: Option<IpAddr>) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(CONNECT_MAX));
        connector.set_local_address(from);
        let http = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_MAX)
            .build(connector);
        Self::Pool(http)
    }

    /// Takes one connection that is there. It ends with the last clone, and with an answer that is not read to its end.
    pub(super) async fn over<S>(stream: S) -> Result<Self, hyper::Error>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // How it ends is told to whoever waits for an answer.
        tokio::spawn(connection);
        Ok(Self::One(Arc::new(Mutex::new(sender))))
    }

    /// The request out, the head of its answer in. `request` has the whole URL.
    pub(super) async fn request(
        &self,
        mut request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, Box<dyn Error + Send + Sync>> {
        match self {
            Self::Pool(http) => Ok(http.request(request).await?),
            Self::One(sender) => {
                to_origin_form(&mut request)?;
                let mut sender = sender.lock().await;
                sender.ready().await?;
                let answer = sender.send_request(request);
                drop(sender);
                Ok(answer.await?)
            }
        }
    }
}

/// As a server is asked that is no proxy: `GET /path` and the host in a field.
fn to_origin_form(request: &mut Request<Full<Bytes>>) -> Result<(), Box<dyn Error + Send + Sync>> {
    let authority = request.uri().authority().map_or("", |authority| authority.as_str());
    let host = header::HeaderValue::try_from(authority)?;
    request.headers_mut().insert(header::HOST, host);
    if let Some(path) = request.uri().path_and_query().cloned() {
        *request.uri_mut() = Uri::from(path);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_asked_for_a_path_and_told_its_name() {
        let mut request =
            Request::get("http://localhost:7400/proxied/v1/x?y=z").body(Full::new(Bytes::new())).unwrap();
        to_origin_form(&mut request).unwrap();
        assert_eq!(request.uri(), "/proxied/v1/x?y=z");
        assert_eq!(request.headers()[header::HOST], "localhost:7400");
    }
}
