//! The floor: hyper, answering every request with one constant.
//!
//! The constant is an answer that seenby gave, so that as many bytes go over the wire each way: what is left between the
//! two is what seenby does to make it.

use std::{convert::Infallible, error::Error};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{
    Request, Response, StatusCode,
    body::Incoming,
    header::{HeaderName, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

/// The hidden argument that makes this binary the bare server; the answer follows it.
pub(crate) const FLAG: &str = "--bare-server";

/// Serves until it is killed.
pub(crate) fn serve(answer: &str) -> Result<(), Box<dyn Error>> {
    let answer = parse(answer).ok_or("not an answer")?;
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        println!("bare server listening on http://{}", listener.local_addr()?);
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let answer = answer.clone();
            let service = service_fn(move |request: Request<Incoming>| {
                let answer = answer.clone();
                async move {
                    // The body is read as any server has to, and not looked at.
                    let _ = request.into_body().collect().await;
                    Ok::<_, Infallible>(answer)
                }
            });
            // A connection that breaks is the generator's to report.
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    })
}

/// The answer as hyper takes it: what hyper adds by itself is left out.
fn parse(answer: &str) -> Option<Response<Full<Bytes>>> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let mut lines = head.lines();
    let mut response = Response::new(Full::new(Bytes::copy_from_slice(body.as_bytes())));
    *response.status_mut() = StatusCode::from_bytes(lines.next()?.as_bytes().get(9..12)?).ok()?;
    for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
        if name != "date" && name != "content-length" {
            let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
            response.headers_mut().append(name, HeaderValue::from_str(value).ok()?);
        }
    }
    Some(response)
}
