//! What browsers are told about pages of other origins (CORS, as the Fetch standard has it).
//!
//! Only origins of a list are let in, each echoed by itself. Credentials are in `Authorization`, which a page has to put
//! there; there are no cookies, and none are allowed.

use hyper::{
    HeaderMap, Method, Response,
    header::{
        ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
        ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, ALLOW, HOST,
        HeaderValue, ORIGIN, VARY,
    },
    http::{request::Parts, uri::Authority},
};

/// What a page may read beside the body.
const EXPOSED: &str = "ETag, Retry-After";

/// What a page may send.
const ALLOWED: &str = "Authorization, Content-Type, If-None-Match, Last-Event-ID";

/// For how long a browser need not ask again: what Chromium takes at the most, two hours.
const MAX_AGE_S: &str = "7200";

/// The origins whose pages may call.
#[derive(Debug, Default)]
pub(super) struct Cors(Vec<HeaderValue>);

impl Cors {
    /// For these origins, each as a browser sends it.
    pub(super) fn new(origins: &[String]) -> Self {
        Self(origins.iter().filter_map(|origin| HeaderValue::from_str(origin).ok()).collect())
    }

    /// Whether a page may call by its browser alone, where nobody shows a key: one of the list, or of this server. A browser
    /// sends some requests without asking first, and for them the page need not be able to read the answer.
    pub(super) fn lets_in(&self, head: &Parts) -> bool {
        let Some(origin) = head.headers.get(ORIGIN) else { return true };
        let host = head.uri.authority().map(Authority::as_str);
        let host = host.or_else(|| head.headers.get(HOST)?.to_str().ok());
        let own = origin.to_str().ok().and_then(|origin| origin.split_once("://")).map(|(_, host)| host);
        self.0.contains(origin) || (own.is_some() && own == host)
    }

    /// Tells a browser what it needs to know about the answer to a request.
    pub(super) fn answer<B>(&self, method: &Method, request: &HeaderMap, response: &mut Response<B>) {
        if self.0.is_empty() {
            return;
        }
        let fields = response.headers_mut();
        // Caches must not give the answer for one origin to another.
        if !fields.contains_key(VARY) {
            fields.insert(VARY, HeaderValue::from_static("Origin"));
        }
        let Some(origin) = request.get(ORIGIN).filter(|origin| self.0.contains(origin)) else { return };
        fields.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        if *method == Method::OPTIONS && request.contains_key(ACCESS_CONTROL_REQUEST_METHOD) {
            if let Some(methods) = fields.get(ALLOW).cloned() {
                fields.insert(ACCESS_CONTROL_ALLOW_METHODS, methods);
            }
            fields.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(ALLOWED));
            fields.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(MAX_AGE_S));
        } else {
            fields.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
        }
    }
}
