//! Sending over real sockets, to the server of this crate.
#![cfg(feature = "tokio")]

use std::net::SocketAddr;
use std::time::Duration;

use lb_proto_smtp::client::{DeliveryError, Manner};
use lb_proto_smtp::mail::Mail;
use lb_proto_smtp::proxy::{SendError, Sink, send_mail};

const ANY_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

fn mail(id: u32) -> Mail {
    let mut mail = Mail::keepalived("a@b", &["c@d".to_owned()], "s", "text", Duration::ZERO);
    mail.headers.push(("Message-ID", format!("<{id}@test>")));
    mail
}

#[tokio::test]
async fn mails_are_sent_and_remembered_by_their_identifiers() {
    let sink = Sink::new("sink");
    let (addr, task) = sink.listen(ANY_PORT).await.expect("a free port");
    for id in 0..3 {
        send_mail(addr, &mail(id), Manner::default()).await.expect("the sink takes everything");
    }
    assert_eq!(sink.taken(), 3);
    assert_eq!(sink.drain_ids(), ["<0@test>", "<1@test>", "<2@test>"]);
    assert!(sink.drain_ids().is_empty());
    task.abort();
}

#[tokio::test]
async fn a_relay_that_is_not_there_is_a_connection_failure() {
    let listener = tokio::net::TcpListener::bind(ANY_PORT).await.expect("a free port");
    let addr = listener.local_addr().expect("bound");
    drop(listener);
    let outcome = send_mail(addr, &mail(0), Manner::default()).await;
    assert!(matches!(outcome, Err(SendError::Connection(_))), "{outcome:?}");
}

#[tokio::test]
async fn a_silent_relay_is_given_up() {
    let listener = tokio::net::TcpListener::bind(ANY_PORT).await.expect("a free port");
    let addr = listener.local_addr().expect("bound");
    let mut manner = Manner::default();
    manner.patience = Duration::from_millis(200);
    let outcome = send_mail(addr, &mail(0), manner).await;
    assert!(matches!(outcome, Err(SendError::Delivery(DeliveryError::Timeout(_)))), "{outcome:?}");
}
