//! The demo: a page that shows in a browser what the server does. All its files are in the binary.
//!
//! Owns their names, their types, and what a browser lets them do. To the API the page is a client like any other: nothing
//! here knows a call, and the page is in neither the table of routes nor the description made of it. It is there only if
//! the server was told so. How a request comes here and an answer leaves is in `exchange`.

use hyper::{
    Method, Response,
    header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderValue, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS},
};

use super::{
    answer::{self, Content},
    route::Found,
};

/// A file of the page.
#[derive(Debug)]
pub(super) struct File {
    path: &'static str,
    content_type: &'static str,
    bytes: &'static [u8],
}

const fn file(path: &'static str, content_type: &'static str, bytes: &'static [u8]) -> File {
    File { path, content_type, bytes }
}

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

/// All files, by their whole paths. What is put into `page/` gets a row, and so does what is taken from elsewhere.
static FILES: &[File] = &[
    file("/demo", HTML, include_bytes!("page/index.html")),
    // The same, as somebody may type it: the page names its files by their whole paths.
    file("/demo/", HTML, include_bytes!("page/index.html")),
    file("/demo/dom.js", SCRIPT, include_bytes!("page/dom.js")),
    file("/demo/format.js", SCRIPT, include_bytes!("page/format.js")),
    file("/demo/group.js", SCRIPT, include_bytes!("page/group.js")),
    file("/demo/habits.js", SCRIPT, include_bytes!("page/habits.js")),
    file("/demo/icon.svg", SVG, include_bytes!("page/icon.svg")),
    file("/demo/looks.js", SCRIPT, include_bytes!("page/looks.js")),
    file("/demo/message.js", SCRIPT, include_bytes!("page/message.js")),
    file("/demo/meter.js", SCRIPT, include_bytes!("page/meter.js")),
    file("/demo/page.css", CSS, include_bytes!("page/page.css")),
    file("/demo/page.js", SCRIPT, include_bytes!("page/page.js")),
    file("/demo/people.js", SCRIPT, include_bytes!("page/people.js")),
    file("/demo/phone.css", CSS, include_bytes!("page/phone.css")),
    file("/demo/phone.js", SCRIPT, include_bytes!("page/phone.js")),
    file("/demo/push.js", SCRIPT, include_bytes!("page/push.js")),
    file("/demo/radio.js", SCRIPT, include_bytes!("page/radio.js")),
    file("/demo/readers.js", SCRIPT, include_bytes!("page/readers.js")),
    file("/demo/receipts-dialog.css", CSS, include_bytes!("page/receipts-dialog.css")),
    file("/demo/receipts-dialog.js", SCRIPT, include_bytes!("page/receipts-dialog.js")),
    file("/demo/ring.js", SCRIPT, include_bytes!("page/ring.js")),
    file("/demo/strategies.js", SCRIPT, include_bytes!("page/strategies.js")),
    file("/demo/switches.css", CSS, include_bytes!("page/switches.css")),
    file("/demo/talk.js", SCRIPT, include_bytes!("page/talk.js")),
    file("/demo/timeline.js", SCRIPT, include_bytes!("page/timeline.js")),
    file("/demo/wire.css", CSS, include_bytes!("page/wire.css")),
    file("/demo/wire.js", SCRIPT, include_bytes!("page/wire.js")),
    // The SDK as it is published, which the page is there to show.
    file("/demo/sdk/client.js", SCRIPT, include_bytes!("../../../sdk/js/dist/client.js")),
    file("/demo/sdk/connection.js", SCRIPT, include_bytes!("../../../sdk/js/dist/connection.js")),
    file("/demo/sdk/conversation.js", SCRIPT, include_bytes!("../../../sdk/js/dist/conversation.js")),
    file("/demo/sdk/environment.js", SCRIPT, include_bytes!("../../../sdk/js/dist/environment.js")),
    file("/demo/sdk/error.js", SCRIPT, include_bytes!("../../../sdk/js/dist/error.js")),
    file("/demo/sdk/id.js", SCRIPT, include_bytes!("../../../sdk/js/dist/id.js")),
    file("/demo/sdk/index.js", SCRIPT, include_bytes!("../../../sdk/js/dist/index.js")),
    file("/demo/sdk/lists.js", SCRIPT, include_bytes!("../../../sdk/js/dist/lists.js")),
    file("/demo/sdk/marks.js", SCRIPT, include_bytes!("../../../sdk/js/dist/marks.js")),
    file("/demo/sdk/screen.js", SCRIPT, include_bytes!("../../../sdk/js/dist/screen.js")),
    file("/demo/sdk/source.js", SCRIPT, include_bytes!("../../../sdk/js/dist/source.js")),
    file("/demo/sdk/stream.js", SCRIPT, include_bytes!("../../../sdk/js/dist/stream.js")),
    file("/demo/sdk/time.js", SCRIPT, include_bytes!("../../../sdk/js/dist/time.js")),
    file("/demo/sdk/up-to.js", SCRIPT, include_bytes!("../../../sdk/js/dist/up-to.js")),
];

/// What all files are counted under.
pub(super) const ROUTE: &str = "/demo";

/// The value of `Allow`.
const METHODS: &str = "GET, HEAD, OPTIONS";

/// The page loads and calls what this server has, and nothing else; it is in no other page.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
    connect-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Looks up a file. `HEAD` is `GET`; whether `OPTIONS` is a success is for the caller to say.
pub(super) fn find<'p>(method: &Method, path: &'p str) -> Found<'p> {
    match FILES.iter().find(|file| file.path == path) {
        Some(file) if matches!(*method, Method::GET | Method::HEAD) => Found::File(file),
        Some(_) => Found::Methods(ROUTE, METHODS.to_owned()),
        None => Found::Nothing,
    }
}

/// The file, for a browser. A query is for the page's scripts.
pub(super) fn answer(file: &File) -> Response<Content> {
    let mut response = answer::text(file.content_type, file.bytes);
    let fields = response.headers_mut();
    for (name, value) in [
        // Another binary may answer with another file.
        (CACHE_CONTROL, "no-store"),
        (CONTENT_SECURITY_POLICY, POLICY),
        (REFERRER_POLICY, "no-referrer"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ] {
        fields.insert(name, HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn every_file_of_the_page_has_its_row() {
        let page = concat!(env!("CARGO_MANIFEST_DIR"), "/src/http/demo/page");
        let names =
            fs::read_dir(page).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let names: Vec<_> = names.collect();
        assert!(names.iter().any(|name| name == "index.html"));
        for name in names {
            let path = if name == "index.html" { "/demo".to_owned() } else { format!("/demo/{name}") };
            let row = FILES.iter().find(|file| file.path == path);
            let row = row.unwrap_or_else(|| panic!("page/{name} has no row for {path}"));
            assert!(row.bytes == fs::read(format!("{page}/{name}")).unwrap(), "{path} is another file");
            let content_type = match name.rsplit_once('.').unwrap().1 {
                "html" => HTML,
                "css" => CSS,
                "js" => SCRIPT,
                "svg" => SVG,
                other => panic!("nothing is known of {other}"),
            };
            assert_eq!(row.content_type, content_type, "{path}");
        }
    }

    #[test]
    fn every_row_has_a_path_of_its_own_below_the_demo() {
        for (at, file) in FILES.iter().enumerate() {
            assert!(file.path == ROUTE || file.path.starts_with("/demo/"), "{}", file.path);
            assert!(FILES[..at].iter().all(|other| other.path != file.path), "{} is there twice", file.path);
        }
    }
}
