//! What the server says of itself: whether it lives and can commit, its metrics, its API, its problems.
//!
//! None of these touches the store beyond asking for its vitals.

use std::sync::LazyLock;

use bytes::Bytes;
use hyper::{
    Response,
    header::{CACHE_CONTROL, HeaderValue},
};

use super::{
    answer::{self, Content, Outcome},
    exchange::Exchange,
    openapi,
    problem::Failure,
};
use crate::wire::Code;

/// What a listener of its own for figures has.
pub(super) const FIGURES: [&str; 3] = ["/metrics", "/healthz", "/readyz"];

const PLAIN: &str = "text/plain; charset=utf-8";

/// `GET /healthz`: the process lives.
pub(super) fn lives() -> Response<Content> {
    momentary(answer::text(PLAIN, "ok\n"))
}

/// `GET /readyz`: the server can commit.
pub(super) fn ready(exchange: &Exchange<'_>) -> Outcome {
    if exchange.server.is_draining() {
        return Err(Failure::new(Code::NotReady, "the server is shutting down"));
    }
    if !exchange.ledger().vitals().can_commit {
        return Err(Failure::new(Code::NotReady, "the server cannot write"));
    }
    Ok(momentary(answer::text(PLAIN, "ok\n")))
}

/// `GET /metrics`
pub(super) fn metrics(exchange: &Exchange<'_>) -> Outcome {
    let text = exchange.server.metrics.scrape(&exchange.ledger().vitals(), exchange.now);
    let text = text.map_err(Failure::internal)?;
    Ok(answer::text("application/openmetrics-text; version=1.0.0; charset=utf-8", text))
}

/// `GET /openapi.json`
pub(super) fn openapi() -> Response<Content> {
    static DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| openapi::document().to_string().into());
    answer::text("application/json", DOCUMENT.clone())
}

/// `GET /problems/{code}`
pub(super) fn problem(exchange: &Exchange<'_>) -> Outcome {
    let asked = exchange.segment(0).unwrap_or_default();
    let code = Code::ALL.iter().find(|code| code.as_str() == asked);
    let code = code.ok_or_else(|| Failure::new(Code::NoSuchRoute, "there is no such problem"))?;
    let page = format!("{code} ({})\n\n{}\n\n{}\n", code.status(), code.title(), code.explanation());
    Ok(answer::text(PLAIN, page))
}

/// True at this moment only.
fn momentary(mut response: Response<Content>) -> Response<Content> {
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
