use std::sync::Arc;

use super::*;
use crate::h1::{Cursor, Limits, parse_request, parse_response};

fn request(text: &str) -> Request {
    let mut request = Request::default();
    let text = format!("GET / HTTP/1.1\r\nHost: a\r\n{text}\r\n");
    request.fields.set_buffer(text.clone().into_bytes());
    assert_eq!(parse_request(&mut request, &mut Cursor::default(), text.len(), &Limits::default()), Ok(true));
    request
}

fn response(status: u16, text: &str) -> Response {
    let mut response = Response::default();
    let text = format!("HTTP/1.1 {status} OK\r\n{text}\r\n");
    response.fields.set_buffer(text.clone().into_bytes());
    let done =
        parse_response(&mut response, &mut Cursor::default(), text.len(), Method::Get, &Limits::default());
    assert_eq!(done, Ok(true));
    response
}

fn spec(algorithms: &[CompressionAlgorithm]) -> Compression {
    Compression { algorithms: algorithms.to_vec(), ..Compression::default() }
}

fn chosen(spec: &Compression, accept: &str) -> Option<CompressionAlgorithm> {
    let settings = Settings::new(Some(spec), None).unwrap();
    settings.choose(&mut request(&format!("Accept-Encoding: {accept}\r\n")))
}

#[test]
fn the_weights_of_the_client_choose() {
    use CompressionAlgorithm::{Brotli, Deflate, Gzip, Identity};
    let both = spec(&[Gzip, Deflate]);
    assert_eq!(chosen(&both, "gzip"), Some(Gzip));
    assert_eq!(chosen(&both, "*;q=0, gzip;q=0.750, deflate;q=0.500"), Some(Gzip));
    assert_eq!(chosen(&both, "*;q=0, gzip;q=0.500, deflate;q=0.750"), Some(Deflate));
    assert_eq!(chosen(&both, "deflate, gzip"), Some(Deflate));
    assert_eq!(chosen(&both, "br;q=1.0, *;q=0.1"), Some(Gzip));
    assert_eq!(chosen(&both, "gzip;q=0"), None);
    assert_eq!(chosen(&both, "GZIP ; level=1 ; q=0.001"), Some(Gzip));
    assert_eq!(chosen(&both, "br"), None);
    assert_eq!(chosen(&spec(&[Gzip, Identity]), "br"), Some(Identity));
    assert_eq!(chosen(&spec(&[Brotli, Gzip]), "gzip;q=0.9, br"), Some(Brotli));
}

#[test]
fn offload_hides_what_the_client_accepts() {
    let mut own = spec(&[CompressionAlgorithm::Gzip]);
    own.offload = true;
    let settings = Settings::new(None, Some(&own)).unwrap();
    let mut asked = request("Accept-Encoding: gzip\r\nAccept-Encoding: br\r\n");
    assert!(settings.choose(&mut asked).is_some());
    assert_eq!(asked.fields.find(b"accept-encoding", 0), None);
    // What is not used here may be used by the server.
    let mut asked = request("Accept-Encoding: br\r\n");
    assert!(settings.choose(&mut asked).is_none());
    assert!(asked.fields.find(b"accept-encoding", 0).is_some());
}

#[test]
fn browsers_that_cannot_do_it_are_spared() {
    let own = spec(&[CompressionAlgorithm::Gzip]);
    let settings = Settings::new(Some(&own), None).unwrap();
    let ask = |agent: &str| {
        settings.choose(&mut request(&format!("Accept-Encoding: gzip\r\nUser-Agent: {agent}\r\n"))).is_some()
    };
    assert!(ask("Mozilla/5.0"));
    assert!(!ask("Mozilla/4"));
    assert!(!ask("Mozilla/4.0 (compatible; MSIE 5.5; Windows NT 5.1; a)"));
    assert!(!ask("Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.1)"));
    assert!(ask("Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.1; SV1)"));
    assert!(ask("Mozilla/4.0 (compatible; MSIE 7.0; Windows NT 5.1)"));
}

#[test]
fn only_what_may_be_changed_is_compressed() {
    let mut own = spec(&[CompressionAlgorithm::Gzip]);
    own.types = vec![Arc::from("text/")];
    own.min_size = 10;
    let settings = Settings::new(Some(&own), None).unwrap();
    let asked = request("");
    let does = |status: u16, text: &str| settings.compresses(&asked, &response(status, text));
    let long = "Content-Length: 10\r\nContent-Type: Text/html\r\n";
    assert!(does(200, long) && does(203, long));
    assert!(!does(204, "") && !does(404, long) && !does(206, long));
    assert!(does(200, "Transfer-Encoding: chunked\r\nContent-Type: text/html\r\n"));
    assert!(!does(200, "Content-Type: text/html\r\n"), "ends with the connection");
    assert!(!does(200, "Content-Length: 9\r\nContent-Type: text/html\r\n"));
    assert!(!does(200, "Content-Length: 10\r\nContent-Type: image/png\r\n"));
    assert!(!does(200, "Content-Length: 10\r\n"));
    for bad in [
        "Content-Encoding: br\r\n",
        "Cache-Control: private, no-transform\r\n",
        "ETag: \"x\r\n",
        "ETag: W/x\r\n",
        "ETag: \"1\"\r\nETag: \"2\"\r\n",
    ] {
        assert!(!does(200, &format!("{long}{bad}")), "{bad}");
    }
    assert!(does(200, &format!("{long}ETag: W/\"\"\r\n")));
    let everything = spec(&[CompressionAlgorithm::Gzip]);
    let settings = Settings::new(Some(&everything), None).unwrap();
    assert!(settings.compresses(&asked, &response(200, "Content-Length: 1\r\n")));
    let parts = response(200, "Content-Length: 1\r\nContent-Type: multipart/mixed; boundary=a\r\n");
    assert!(!settings.compresses(&asked, &parts));
}

#[test]
fn the_head_says_what_became_of_the_body() {
    let said = |text: &str| {
        let mut response = response(200, text);
        assert!(announce(&mut response.fields, CompressionAlgorithm::Gzip, true));
        let lines: Vec<String> = response
            .fields
            .iter()
            .map(|(name, value)| {
                format!("{}={}", String::from_utf8_lossy(name), String::from_utf8_lossy(value))
            })
            .collect();
        lines.join("|")
    };
    let tail = "transfer-encoding=chunked|vary=Accept-Encoding|content-encoding=gzip";
    assert_eq!(said("Content-Length: 5\r\n"), tail);
    assert_eq!(
        said("Transfer-Encoding: chunked\r\nVary: Cookie\r\nETag: \"1\"\r\n"),
        "transfer-encoding=chunked|vary=Cookie,Accept-Encoding|etag=W/\"1\"|content-encoding=gzip"
    );
    assert_eq!(
        said("Transfer-Encoding: chunked\r\nVary: a, accept-encoding\r\n"),
        "transfer-encoding=chunked|vary=a, accept-encoding|content-encoding=gzip"
    );
}

#[cfg(feature = "compression")]
mod codings {
    use std::io::Read;

    use super::super::*;

    fn decoded(algorithm: CompressionAlgorithm, bytes: &[u8]) -> Vec<u8> {
        let mut data = Vec::new();
        match algorithm {
            CompressionAlgorithm::Gzip => flate2::read::GzDecoder::new(bytes).read_to_end(&mut data),
            CompressionAlgorithm::Deflate => flate2::read::ZlibDecoder::new(bytes).read_to_end(&mut data),
            CompressionAlgorithm::RawDeflate => {
                flate2::read::DeflateDecoder::new(bytes).read_to_end(&mut data)
            }
            CompressionAlgorithm::Brotli => brotli::Decompressor::new(bytes, 4096).read_to_end(&mut data),
            CompressionAlgorithm::Zstd => {
                zstd::stream::read::Decoder::new(bytes).unwrap().read_to_end(&mut data)
            }
            CompressionAlgorithm::Identity => {
                data.extend_from_slice(bytes);
                Ok(data.len())
            }
        }
        .unwrap();
        data
    }

    #[test]
    fn every_coding_gives_the_data_back() {
        let noise: Vec<u8> = (0u32..200_000).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        let text = b"all work and no play makes a dull body. ".repeat(5_000);
        for algorithm in [
            CompressionAlgorithm::Identity,
            CompressionAlgorithm::Gzip,
            CompressionAlgorithm::Deflate,
            CompressionAlgorithm::RawDeflate,
            CompressionAlgorithm::Brotli,
            CompressionAlgorithm::Zstd,
        ] {
            for (data, step) in [(&noise[..], 7_000), (&text[..], 50_000), (b"x", 1), (b"", 1)] {
                let mut encoder = Encoder::new(algorithm, 1).unwrap();
                let mut out = Vec::new();
                for part in data.chunks(step) {
                    let before = out.len();
                    encoder.encode(part, &mut out);
                    assert!(out.len() > before, "nothing waits in the encoder");
                }
                encoder.finish(&mut out);
                assert_eq!(decoded(algorithm, &out), data, "{algorithm:?}");
            }
        }
    }
}
