//! Sending one mail.

use std::io;
use std::time::{Duration, Instant};

use thiserror::Error;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, ToSocketAddrs};
use tokio::time::timeout;

use crate::client::{Delivered, Delivery, DeliveryError, Manner};
use crate::mail::Mail;

/// How long an orderly goodbye may take once the outcome is known.
const GOODBYE: Duration = Duration::from_secs(1);

/// Why a mail was not sent.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SendError {
    /// The relay was not reached, or the connection broke.
    #[error("connection to the relay failed")]
    Connection(#[source] io::Error),
    /// The relay did not take it.
    #[error(transparent)]
    Delivery(#[from] DeliveryError),
}

/// Sends a mail through the relay at `addr`, which may be a name. Connecting may take as long as an answer.
///
/// Not cancel safe: dropping the future leaves open whether the relay took the mail.
pub async fn send_mail(
    addr: impl ToSocketAddrs,
    mail: &Mail,
    manner: Manner,
) -> Result<Delivered, SendError> {
    let connected = timeout(manner.patience, TcpStream::connect(addr)).await;
    let connected = connected.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
    let mut stream = connected.map_err(SendError::Connection)?;
    let delivery = Delivery::new(mail, manner, Instant::now());
    converse(&mut stream, delivery).await
}

async fn converse(stream: &mut TcpStream, mut delivery: Delivery) -> Result<Delivered, SendError> {
    let mut buffer = [0; 2048];
    loop {
        while let Some(bytes) = delivery.poll_output() {
            let patience =
                delivery.poll_timeout().map_or(GOODBYE, |due| due.saturating_duration_since(Instant::now()));
            match timeout(patience, stream.write_all(&bytes)).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) if delivery.outcome().is_some() => break,
                Ok(Err(error)) => return Err(SendError::Connection(error)),
                Err(_) => delivery.handle_timeout(Instant::now()),
            }
        }
        if let Some(outcome) = delivery.outcome() {
            return outcome.clone().map_err(SendError::Delivery);
        }
        let due = delivery.poll_timeout().unwrap_or_else(Instant::now);
        match tokio::time::timeout_at(due.into(), stream.read(&mut buffer)).await {
            Ok(Ok(0)) => delivery.handle_end(),
            Ok(Ok(length)) => delivery.handle_input(Instant::now(), &buffer[..length]),
            Ok(Err(error)) => return Err(SendError::Connection(error)),
            Err(_) => delivery.handle_timeout(Instant::now()),
        }
    }
}
