//! Asking name servers, for a rule that runs and for servers.

use super::accept::is_shortage;
use super::connect::datagram;
use super::random;
use crate::dns::{Failure, Family, Found, Lookup, Name, NameServer, Output, Resolvers};
use crate::rule::resolve::Resolve;
use std::future::poll_fn;
use std::io;
use std::net::IpAddr;
use std::task::Poll;
use std::time::Instant;
use tokio::io::ReadBuf;
use tokio::net::UdpSocket;

/// An address of `name` as a rule asks for it; `None` if nobody knows one. Takes as long as the section of the name
/// servers allows at most. Cancel safe.
pub async fn resolve(rule: &Resolve, name: &[u8]) -> Option<IpAddr> {
    let (resolvers, name) = (&*rule.resolvers, Name::new(name)?);
    if let Some(known) = resolvers.known(Instant::now(), &name, rule.prefer) {
        return Some(known);
    }
    let _permit = resolvers.permit()?;
    let found = ask(resolvers, name.clone(), rule.prefer).await.ok()?.ok()?;
    let found = found.addresses.first().copied()?;
    resolvers.remember(Instant::now(), name, rule.prefer, found);
    Some(found)
}

/// What the name servers of a section know of `name`, with this family preferred; an error if this machine had no sockets
/// left to ask all of them, and the others were silent. Cancel safe.
pub(super) async fn ask(
    resolvers: &Resolvers,
    name: Name,
    prefer: Family,
) -> io::Result<Result<Found, Failure>> {
    let spec = resolvers.spec();
    // Each hears of one server only, on a port the system chooses: nobody can guess where an answer is waited for.
    let mut shortage = None;
    let open = |server: &NameServer| match datagram(&server.addr.into(), None, None) {
        Ok(socket) => Some(socket),
        Err(error) => {
            if is_shortage(&error) {
                shortage = Some(error);
            }
            None
        }
    };
    let sockets: Vec<Option<UdpSocket>> = spec.servers.iter().map(open).collect();
    let mut buffer = vec![0; usize::from(spec.payload)];
    let mut lookup = Lookup::new(resolvers, name, prefer, Instant::now(), random());
    loop {
        while let Some(output) = lookup.poll_output() {
            let question = match output {
                Output::Done(found) => return excuse(found, shortage),
                Output::Ask(question) => question,
            };
            for (server, socket) in sockets.iter().enumerate() {
                let sent = match socket {
                    Some(socket) => socket.send(&question).await,
                    None => Err(io::ErrorKind::NotConnected.into()),
                };
                if sent.is_err() {
                    lookup.handle_refusal(Instant::now(), server);
                }
            }
        }
        let Some(deadline) = lookup.poll_timeout() else { return Ok(Err(Failure::Other)) };
        let received = tokio::time::timeout_at(deadline.into(), receive(&sockets, &mut buffer)).await;
        let now = Instant::now();
        match received {
            Ok((server, Ok(length))) => {
                lookup.handle_input(now, server, &buffer[..length]);
                refusals(&sockets, &mut lookup, now);
            }
            Ok((server, Err(_))) => lookup.handle_refusal(now, server),
            Err(_) => lookup.handle_timeout(now),
        }
    }
}

/// Silence is not that of the name servers if some could not be asked for want of sockets.
fn excuse(found: Result<Found, Failure>, shortage: Option<io::Error>) -> io::Result<Result<Found, Failure>> {
    match shortage {
        Some(error) if found == Err(Failure::Silence) => Err(error),
        _ => Ok(found),
    }
}

/// Takes notice of servers that are not there: the event loop tells of answers only.
fn refusals(sockets: &[Option<UdpSocket>], lookup: &mut Lookup<'_>, now: Instant) {
    for (server, socket) in sockets.iter().enumerate() {
        if socket.as_ref().is_some_and(|socket| !matches!(socket.take_error(), Ok(None))) {
            lookup.handle_refusal(now, server);
        }
    }
}

/// The next datagram, or what went wrong, with the number of its server.
async fn receive(sockets: &[Option<UdpSocket>], buffer: &mut [u8]) -> (usize, io::Result<usize>) {
    poll_fn(|cx| {
        for (server, socket) in sockets.iter().enumerate() {
            let Some(socket) = socket else { continue };
            let mut space = ReadBuf::new(buffer);
            if let Poll::Ready(done) = socket.poll_recv(cx, &mut space) {
                return Poll::Ready((server, done.map(|()| space.filled().len())));
            }
        }
        Poll::Pending
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::ResolverSpec;
    use crate::expr::{NoBuild, Registry, VarName, parse};
    use std::net::SocketAddr;
    use std::sync::Arc;

    /// A rule that asks `servers`.
    fn rule(servers: Vec<SocketAddr>) -> Resolve {
        let mut spec = ResolverSpec::new("r");
        spec.servers = servers.into_iter().map(Into::into).collect();
        Resolve {
            variable: VarName::parse("txn.ip").unwrap(),
            resolvers: Arc::new(Resolvers::new(spec)),
            prefer: Family::V4,
            name: parse::parse("str(a.example)", &Registry::builtin(), &mut NoBuild).unwrap(),
        }
    }

    #[tokio::test]
    async fn a_name_server_is_asked_once_for_a_while() {
        let server = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let nobody = UdpSocket::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let rule = rule(vec![nobody, server.local_addr().unwrap()]);
        let asked = tokio::spawn(async move {
            let mut buf = [0; 512];
            let (length, peer) = server.recv_from(&mut buf).await.unwrap();
            let question = &buf[..length];
            let mut answer = question[..length - 11].to_vec();
            answer[2..4].copy_from_slice(&[0x81, 0x80]);
            answer[6..12].copy_from_slice(&[0, 1, 0, 0, 0, 0]);
            answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 7]);
            server.send_to(&answer, peer).await.unwrap();
        });
        let wanted: IpAddr = "192.0.2.7".parse().unwrap();
        assert_eq!(resolve(&rule, b"a.example").await, Some(wanted));
        asked.await.unwrap();
        assert_eq!(resolve(&rule, b"A.example").await, Some(wanted), "nobody is there to answer any more");
    }

    #[test]
    fn silence_for_want_of_sockets_is_not_that_of_the_name_servers() {
        let shortage = || Some(io::Error::from_raw_os_error(libc::EMFILE));
        assert!(excuse(Err(Failure::Silence), shortage()).is_err());
        assert_eq!(
            excuse(Err(Failure::NoName), shortage()).unwrap(),
            Err(Failure::NoName),
            "another one told"
        );
        assert_eq!(excuse(Err(Failure::Silence), None).unwrap(), Err(Failure::Silence));
    }

    #[tokio::test]
    async fn without_anybody_to_ask_nothing_is_found() {
        let nobody = UdpSocket::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        assert_eq!(resolve(&rule(vec![nobody]), b"a.example").await, None);
        assert_eq!(resolve(&rule(Vec::new()), b"a.example").await, None);
        assert_eq!(resolve(&rule(Vec::new()), b"no..name").await, None);
    }
}
