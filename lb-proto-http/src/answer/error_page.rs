//! The built-in error pages. Their texts are matched by tools and tests, so they are HAProxy's.

use std::io::Write;

use super::{Made, finish, start};
use crate::head::Response;

struct Page {
    status: u16,
    reason: &'static str,
    text: &'static str,
    /// The connection is always closed after it.
    close: bool,
}

const fn page(status: u16, reason: &'static str, text: &'static str) -> Page {
    Page { status, reason, text, close: false }
}

const PAGES: &[Page] = &[
    page(200, "OK", "Service ready."),
    Page { close: true, ..page(400, "Bad request", "Your browser sent an invalid request.") },
    page(401, "Unauthorized", "You need a valid user and password to access this content."),
    page(403, "Forbidden", "Request forbidden by administrative rules."),
    page(404, "Not Found", "The resource could not be found."),
    page(
        405,
        "Method Not Allowed",
        "A request was made of a resource using a request method not supported by that resource.",
    ),
    page(407, "Unauthorized", "You need a valid user and password to access this content."),
    Page {
        close: true,
        ..page(408, "Request Time-out", "Your browser didn't send a complete request in time.")
    },
    page(410, "Gone", "The resource is no longer available and will not be available again."),
    page(413, "Payload Too Large", "The request entity exceeds the maximum allowed."),
    page(414, "URI Too Long", "The URI provided was too long for the server to process."),
    page(421, "Misdirected Request", "Request sent to a non-authoritative server."),
    page(422, "Unprocessable Content", "The server cannot process the contained instructions."),
    page(425, "Too Early", "Your browser sent early data."),
    page(429, "Too Many Requests", "You have sent too many requests in a given amount of time."),
    page(431, "Request Header Fields Too Large", "Request Header Fields Too Large."),
    page(500, "Internal Server Error", "An internal server error occurred."),
    page(
        501,
        "Not Implemented",
        "The server does not support the functionality required to fulfill the request.",
    ),
    page(502, "Bad Gateway", "The server returned an invalid or incomplete response."),
    page(503, "Service Unavailable", "No server is available to handle this request."),
    page(504, "Gateway Time-out", "The server didn't respond in time."),
];

fn find(status: u16) -> Option<&'static Page> {
    PAGES.iter().find(|page| page.status == status)
}

fn write_body(page: &Page, out: &mut Vec<u8>) {
    // Writing to a vector cannot fail.
    let _ =
        write!(out, "<html><body><h1>{} {}</h1>\n{}\n</body></html>\n", page.status, page.reason, page.text);
}

/// Makes the built-in page for a status. A status without a page gets a response without body.
pub fn error_page(response: &mut Response, status: u16, body: &mut Vec<u8>) -> Made {
    body.clear();
    start(response, status);
    let Some(page) = find(status) else {
        finish(response, 0);
        return Made::Response;
    };
    response.set_reason(page.reason.as_bytes());
    write_body(page, body);
    finish(response, body.len());
    response.fields.push(b"cache-control", b"no-cache");
    response.flags.close = page.close;
    response.fields.push(b"content-type", b"text/html");
    Made::Response
}

/// The answer to what is not a request, before anything is known of it: written as it is, without rules.
pub fn early_error(status: u16) -> Vec<u8> {
    let mut body = Vec::new();
    let Some(page) = find(status) else { return Vec::new() };
    write_body(page, &mut body);
    let mut out = Vec::with_capacity(body.len() + 160);
    let close = if page.close { "Connection: close\r\n" } else { "" };
    let _ = write!(
        out,
        "HTTP/1.1 {} {}\r\nContent-length: {}\r\nCache-Control: no-cache\r\n{close}Content-Type: text/html\r\n\r\n",
        page.status,
        page.reason,
        body.len(),
    );
    out.extend_from_slice(&body);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::h1::write_response;

    #[test]
    fn an_early_error_has_capitals_and_says_that_it_closes() {
        assert_eq!(
            String::from_utf8(early_error(400)).unwrap(),
            "HTTP/1.1 400 Bad request\r\nContent-length: 90\r\nCache-Control: no-cache\r\n\
             Connection: close\r\nContent-Type: text/html\r\n\r\n\
             <html><body><h1>400 Bad request</h1>\nYour browser sent an invalid request.\n</body></html>\n"
        );
        assert!(early_error(599).is_empty());
    }

    #[test]
    fn a_late_error_is_written_like_any_response() {
        let mut response = Response::default();
        let mut body = Vec::new();
        assert_eq!(error_page(&mut response, 503, &mut body), Made::Response);
        let mut out = Vec::new();
        write_response(&mut out, &response, &[]);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 107\r\ncache-control: no-cache\r\n\
             content-type: text/html\r\n\r\n"
        );
        assert_eq!(body.len(), 107);
    }
}
