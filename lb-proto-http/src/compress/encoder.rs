//! The codings themselves, as streams: everything that was given in can be read by the receiver at once.

use std::io::Write as _;

use brotli::CompressorWriter;
use flate2::{Compress, FlushCompress, Status};

use super::CompressionAlgorithm;

/// Room that is made for output at a time.
const STEP: usize = 16_384;
/// Size of brotli's window as a power of two: bounds the memory of one stream to less than a megabyte.
const WINDOW: u32 = 18;

/// One body being compressed.
pub struct Encoder(Kind);

enum Kind {
    Identity,
    Deflate(Compress),
    Brotli(Box<CompressorWriter<Vec<u8>>>),
    // None once the end was written.
    Zstd(Option<zstd::stream::write::Encoder<'static, Vec<u8>>>),
}

impl std::fmt::Debug for Encoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Encoder")
    }
}

impl Encoder {
    /// An encoder, if this build has the algorithm.
    pub fn new(algorithm: CompressionAlgorithm, level: u32) -> Option<Self> {
        let depth = flate2::Compression::new(level);
        Some(Self(match algorithm {
            CompressionAlgorithm::Identity => Kind::Identity,
            CompressionAlgorithm::Gzip => Kind::Deflate(Compress::new_gzip(depth, 15)),
            CompressionAlgorithm::Deflate => Kind::Deflate(Compress::new(depth, true)),
            CompressionAlgorithm::RawDeflate => Kind::Deflate(Compress::new(depth, false)),
            CompressionAlgorithm::Brotli => {
                Kind::Brotli(Box::new(CompressorWriter::new(Vec::new(), STEP, level.min(9), WINDOW)))
            }
            CompressionAlgorithm::Zstd => {
                let level = i32::try_from(level).unwrap_or(1);
                let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), level).ok()?;
                // Memory is bounded, and every receiver must understand windows of this size (RFC 9659).
                encoder.window_log(WINDOW).ok()?;
                Kind::Zstd(Some(encoder))
            }
        }))
    }

    /// Takes data and appends what the receiver needs to read all of it.
    pub fn encode(&mut self, data: &[u8], out: &mut Vec<u8>) {
        match &mut self.0 {
            Kind::Identity => out.extend_from_slice(data),
            Kind::Deflate(stream) => {
                deflate(stream, data, FlushCompress::None, out);
                deflate(stream, b"", FlushCompress::Sync, out);
            }
            // Writing to memory does not fail.
            Kind::Brotli(stream) => {
                let _ = stream.write_all(data);
                let _ = stream.flush();
                out.append(stream.get_mut());
            }
            Kind::Zstd(stream) => {
                let Some(stream) = stream else { return };
                let _ = stream.write_all(data);
                let _ = stream.flush();
                out.append(stream.get_mut());
            }
        }
    }

    /// Appends what ends the body. Nothing may be encoded afterwards.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        match &mut self.0 {
            Kind::Identity => {}
            Kind::Deflate(stream) => deflate(stream, b"", FlushCompress::Finish, out),
            Kind::Brotli(stream) => {
                // A new writer takes the place of the one that is closed by taking it apart.
                let empty = CompressorWriter::new(Vec::new(), 1, 0, WINDOW);
                out.append(&mut std::mem::replace(&mut **stream, empty).into_inner());
            }
            Kind::Zstd(stream) => {
                if let Some(rest) = stream.take().and_then(|stream| stream.finish().ok()) {
                    out.extend_from_slice(&rest);
                }
            }
        }
    }
}

/// Gives `data` to the stream until it is used up and everything that `flush` asks for is in `out`.
fn deflate(stream: &mut Compress, mut data: &[u8], flush: FlushCompress, out: &mut Vec<u8>) {
    loop {
        out.reserve(STEP.min(data.len() + 256));
        let (read, written) = (stream.total_in(), stream.total_out());
        let room = out.capacity() - out.len();
        let Ok(status) = stream.compress_vec(data, out, flush) else { return };
        data = &data[(stream.total_in() - read) as usize..];
        let full = stream.total_out() - written == room as u64;
        if status == Status::StreamEnd || (data.is_empty() && !full) {
            return;
        }
    }
}
