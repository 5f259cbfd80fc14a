//! The client itself: one request and its whole answer, or the head of one that goes on.

use std::{error::Error, fmt, net::IpAddr, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{HeaderMap, Method, Request, Response, StatusCode, Uri, body::Incoming, header};
use serde::{Serialize, de::DeserializeOwned};
use tokio::io::{AsyncRead, AsyncWrite};

use super::{BadServerUrl, ClientError, error::Silent, target::Target, transport::Transport};

/// The longest answer that is read: a bulk of 1,000 marks may have 1,000 refusals each, at up to 300 bytes.
const ANSWER_BYTES_MAX: usize = 320 * 1024 * 1024;
/// How long one attempt may take, if nothing else is said. Writes wait for the disk, and for their turn.
const ATTEMPT_DEFAULT: Duration = Duration::from_secs(15);

/// Calls one server. Clones share the connections.
#[derive(Clone)]
pub struct Client {
    transport: Transport,
    server: String,
    authorization: Option<header::HeaderValue>,
    attempt_max: Duration,
}

impl Client {
    /// A client of the server at `server_url`: `http://host:port`, and maybe the path that a proxy has it under.
    pub fn new(server_url: &str) -> Result<Self, BadServerUrl> {
        let bad = |why: &str| BadServerUrl { url: server_url.to_owned(), why: why.to_owned() };
        let uri: Uri = server_url.parse().map_err(|error| bad(&format!("{error}")))?;
        if uri.scheme_str() != Some("http") {
            return Err(bad("it does not begin with http://"));
        }
        if uri.query().is_some() {
            return Err(bad("it has a query"));
        }
        let server = server_url.trim_end_matches('/').to_owned();
        let transport = Transport::pool(None);
        Ok(Self { transport, server, authorization: None, attempt_max: ATTEMPT_DEFAULT })
    }

    /// The same with connections of its own, which come from this address of the machine.
    #[must_use]
    pub fn with_local_address(mut self, address: IpAddr) -> Self {
        self.transport = Transport::pool(Some(address));
        self
    }

    /// The same over the one connection `stream`, which leads to the server already: for who wants to see what goes over
    /// it. It ends with the last clone, and with a [`super::Stream`] that is dropped before its end; then calls fail.
    pub async fn over<S>(&self, stream: S) -> Result<Self, ClientError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let transport = Transport::over(stream).await.map_err(|error| self.silence(error))?;
        Ok(Self { transport, ..self.clone() })
    }

    /// Sends `token` with every call: an API key, or a user's token. One that a header field cannot carry is refused.
    pub fn with_token(mut self, token: &str) -> Result<Self, ClientError> {
        let mut value =
            header::HeaderValue::try_from(format!("Bearer {token}")).map_err(hyper::http::Error::from)?;
        value.set_sensitive(true);
        self.authorization = Some(value);
        Ok(self)
    }

    /// Gives each attempt at most so long; 15 seconds if nothing is said.
    #[must_use]
    pub fn with_attempt_max(mut self, attempt_max: Duration) -> Self {
        self.attempt_max = attempt_max;
        self
    }

    /// Whether the server can take writes: `GET /readyz`.
    pub async fn is_ready(&self) -> Result<bool, ClientError> {
        Ok(self.readiness().await?.status == StatusCode::OK)
    }

    /// The same, with what the server says if it cannot as the error.
    pub async fn ready(&self) -> Result<(), ClientError> {
        let answer = self.readiness().await?;
        if answer.status == StatusCode::OK { Ok(()) } else { Err(answer.into_error()) }
    }

    async fn readiness(&self) -> Result<Answer, ClientError> {
        self.send(self.request(&Method::GET, "/readyz"), Bytes::new()).await
    }

    /// What the server shows of itself, in the text format of its metrics: `GET /metrics`.
    pub async fn metrics(&self) -> Result<String, ClientError> {
        let answer = self.send(self.request(&Method::GET, "/metrics"), Bytes::new()).await?;
        if !answer.status.is_success() {
            return Err(answer.into_error());
        }
        String::from_utf8(answer.body.to_vec()).map_err(|error| answer.unreadable(error.to_string()))
    }

    /// `GET`, for a JSON answer.
    pub(super) async fn get<A: DeserializeOwned>(&self, target: &Target) -> Result<A, ClientError> {
        self.send(self.request(&Method::GET, target.as_str()), Bytes::new()).await?.read()
    }

    /// `method` with a JSON body, for a JSON answer.
    pub(super) async fn give<A: DeserializeOwned>(
        &self,
        method: Method,
        target: &Target,
        body: &impl Serialize,
    ) -> Result<A, ClientError> {
        let body = serde_json::to_vec(body).expect("invariant: the shapes of the wire are all JSON");
        let request = self.request(&method, target.as_str()).header(header::CONTENT_TYPE, "application/json");
        self.send(request, Bytes::from(body)).await?.read()
    }

    /// `method` without a body, for an answer without one.
    pub(super) async fn order(&self, method: Method, target: &Target) -> Result<(), ClientError> {
        let answer = self.send(self.request(&method, target.as_str()), Bytes::new()).await?;
        if answer.status.is_success() { Ok(()) } else { Err(answer.into_error()) }
    }

    pub(super) fn request(&self, method: &Method, path: &str) -> hyper::http::request::Builder {
        let request = Request::builder().method(method).uri(format!("{}{path}", self.server));
        match &self.authorization {
            Some(authorization) => request.header(header::AUTHORIZATION, authorization),
            None => request,
        }
    }

    /// One attempt: the request out, the whole answer in.
    pub(super) async fn send(
        &self,
        request: hyper::http::request::Builder,
        body: Bytes,
    ) -> Result<Answer, ClientError> {
        let attempt = async { self.whole(self.begun(request, body).await?).await };
        self.in_time(attempt).await
    }

    /// One attempt at an answer that goes on: the request out, the head of the answer in.
    pub(super) async fn begin(
        &self,
        request: hyper::http::request::Builder,
    ) -> Result<Response<Incoming>, ClientError> {
        self.in_time(self.begun(request, Bytes::new())).await
    }

    /// The answer that `response` began.
    pub(super) async fn whole(&self, response: Response<Incoming>) -> Result<Answer, ClientError> {
        let (head, body) = response.into_parts();
        let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await;
        let body = body.map_err(|error| self.silence(error))?.to_bytes();
        Ok(Answer { status: head.status, fields: head.headers, body })
    }

    async fn begun(
        &self,
        request: hyper::http::request::Builder,
        body: Bytes,
    ) -> Result<Response<Incoming>, ClientError> {
        let request = request.body(Full::new(body))?;
        self.transport.request(request).await.map_err(|error| self.silence(error))
    }

    async fn in_time<T>(
        &self,
        attempt: impl Future<Output = Result<T, ClientError>>,
    ) -> Result<T, ClientError> {
        match tokio::time::timeout(self.attempt_max, attempt).await {
            Ok(answered) => answered,
            Err(_) => Err(self.silence(Silent(self.attempt_max))),
        }
    }

    pub(super) fn silence(&self, cause: impl Into<Box<dyn Error + Send + Sync>>) -> ClientError {
        ClientError::Unreachable { server: self.server.clone(), cause: cause.into() }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Client").field("server", &self.server).finish_non_exhaustive()
    }
}

/// An answer as it came.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) fields: HeaderMap,
    pub(super) body: Bytes,
}

impl Answer {
    /// The body of a success, or the error that the answer is.
    pub(super) fn read<A: DeserializeOwned>(self) -> Result<A, ClientError> {
        if !self.status.is_success() {
            return Err(self.into_error());
        }
        serde_json::from_slice(&self.body).map_err(|error| self.unreadable(error.to_string()))
    }

    /// A header field as text.
    pub(super) fn field(&self, name: &header::HeaderName) -> Option<&str> {
        self.fields.get(name)?.to_str().ok()
    }

    pub(super) fn into_error(self) -> ClientError {
        match serde_json::from_slice(&self.body) {
            Ok(problem) => {
                ClientError::Problem { status: self.status, problem, retry_after: self.retry_after() }
            }
            Err(error) => self.unreadable(error.to_string()),
        }
    }

    pub(super) fn unreadable(&self, why: String) -> ClientError {
        ClientError::Unreadable { status: self.status, why, retry_after: self.retry_after() }
    }

    /// In seconds; the form with a date, which this server does not use, is left aside.
    fn retry_after(&self) -> Option<Duration> {
        Some(Duration::from_secs(self.field(&header::RETRY_AFTER)?.trim().parse().ok()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Code, RosterVersion};

    fn answer(status: u16, fields: &[(header::HeaderName, &str)], body: &'static str) -> Answer {
        Answer {
            status: StatusCode::from_u16(status).unwrap(),
            fields: fields.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect(),
            body: Bytes::from_static(body.as_bytes()),
        }
    }

    #[test]
    fn a_url_that_names_no_http_server_is_refused() {
        for bad in ["", "127.0.0.1:7400", "https://x", "http://", "ftp://x", "http://x/?y", "http://a b"] {
            assert!(Client::new(bad).is_err(), "{bad}");
        }
        let client = Client::new("http://localhost:7400/receipts/").unwrap();
        let request = client.request(&Method::GET, "/v1/x").body(()).unwrap();
        assert_eq!(request.uri(), "http://localhost:7400/receipts/v1/x");
    }

    #[test]
    fn a_token_that_no_field_can_carry_is_refused() {
        let client = Client::new("http://localhost:7400").unwrap();
        assert!(matches!(client.clone().with_token("a\nb"), Err(ClientError::Unsendable(_))));
        assert!(!format!("{:?}", client.with_token("sb_secret").unwrap()).contains("secret"));
    }

    #[test]
    fn a_problem_keeps_its_code_and_the_wait_it_asks_for() {
        let body =
            r#"{"type":"/problems/overloaded","title":"t","status":503,"detail":"d","code":"overloaded"}"#;
        match answer(503, &[(header::RETRY_AFTER, "3")], body).read::<RosterVersion>() {
            Err(ClientError::Problem { problem, retry_after, .. }) => {
                assert_eq!(problem.code, Code::Overloaded);
                assert_eq!(retry_after, Some(Duration::from_secs(3)));
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_not_of_this_api_is_unreadable() {
        for (status, body) in [(200, "<html>"), (200, "{}"), (502, "<html>"), (404, "{}"), (302, "")] {
            let read = answer(status, &[], body).read::<RosterVersion>();
            assert!(matches!(read, Err(ClientError::Unreadable { .. })), "{status} {body}: {read:?}");
        }
    }
}
