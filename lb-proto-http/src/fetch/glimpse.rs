//! The request that the bytes of a connection in TCP mode are.
//!
//! Only rules on contents and routes see such bytes: all of them are there, none was forwarded.

use lb_core::expr::{Direction, Env};

use crate::h1::{Cursor, Limits, parse_request};
use crate::layer::HttpLayer;

/// What was made of the bytes.
enum Seen {
    /// A request, without its body.
    Request(Box<HttpLayer>),
    /// The beginning of one.
    Part,
    /// Something else.
    Other,
}

/// The layer with the request that the buffered bytes begin with.
pub(super) fn request<'a>(env: &Env<'a>) -> Option<&'a HttpLayer> {
    let peek = env.facts.buffer(Direction::Request)?;
    let seen = env.facts.glimpse()?.get_or_init(|| Box::new(parse(peek.bytes)));
    match seen.downcast_ref()? {
        Seen::Request(layer) => Some(layer),
        Seen::Part => {
            if !peek.complete {
                env.mark_unsettled();
            }
            None
        }
        Seen::Other => None,
    }
}

fn parse(bytes: &[u8]) -> Seen {
    let mut layer = Box::<HttpLayer>::default();
    let request = &mut layer.request;
    request.fields.set_buffer(bytes.to_vec());
    match parse_request(request, &mut Cursor::default(), bytes.len(), &Limits::default()) {
        Ok(true) => {
            request.filled = request.body_at;
            layer.has_request = true;
            Seen::Request(layer)
        }
        Ok(false) => Seen::Part,
        Err(_) => Seen::Other,
    }
}
