//! The servers behind the proxy: HTTP, echo, and a log server that counts.

use std::cell::Cell;
use std::io;
use std::net::Ipv4Addr;
use std::rc::Rc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::task::spawn_local;

use crate::config::Place;

/// Starts all three; the counter holds the log lines that arrived.
pub(crate) async fn start(place: &Place, answer: usize) -> io::Result<Rc<Cell<usize>>> {
    let http = listen(place.http)?;
    let echo = listen(place.echo)?;
    let log = UdpSocket::bind((Ipv4Addr::LOCALHOST, place.log)).await?;
    let response: Rc<[u8]> = response(answer).into();
    spawn_local(async move {
        while let Ok((stream, _)) = http.accept().await {
            let response = Rc::clone(&response);
            spawn_local(async move {
                // A connection ends when its client has enough.
                let _ = serve(stream, &response).await;
            });
        }
    });
    spawn_local(async move {
        while let Ok((mut stream, _)) = echo.accept().await {
            spawn_local(async move {
                let mut buffer = vec![0; 16_384];
                while let Ok(n @ 1..) = stream.read(&mut buffer).await {
                    if stream.write_all(&buffer[..n]).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    let lines = Rc::new(Cell::new(0));
    let counter = Rc::clone(&lines);
    spawn_local(async move {
        let mut buffer = vec![0; 65_536];
        while log.recv(&mut buffer).await.is_ok() {
            counter.set(counter.get() + 1);
        }
    });
    Ok(lines)
}

fn listen(port: u16) -> io::Result<TcpListener> {
    let socket = tokio::net::TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.set_nodelay(true)?;
    socket.bind((Ipv4Addr::LOCALHOST, port).into())?;
    socket.listen(4096)
}

fn response(size: usize) -> Vec<u8> {
    let mut text = format!(
        "HTTP/1.1 200 OK\r\nServer: bench\r\nDate: Sun, 22 Nov 2026 06:41:13 GMT\r\nContent-Type: text/html; \
         charset=utf-8\r\nContent-Length: {size}\r\nCache-Control: private, max-age=0\r\n\r\n"
    )
    .into_bytes();
    text.resize(text.len() + size, b'x');
    text
}

async fn serve(mut stream: TcpStream, response: &[u8]) -> io::Result<()> {
    let mut buffer = vec![0; 16_384];
    let mut filled = 0;
    loop {
        let n = stream.read(&mut buffer[filled..]).await?;
        if n == 0 {
            return Ok(());
        }
        filled += n;
        while let Some(length) = crate::load::message(&buffer[..filled]) {
            // The load never sends more than fits with a body.
            let mut missing = length.saturating_sub(filled);
            while missing > 0 {
                let most = missing.min(buffer.len());
                missing -= stream.read_exact(&mut buffer[..most]).await?;
            }
            let rest = length.min(filled)..filled;
            filled = rest.len();
            buffer.copy_within(rest, 0);
            stream.write_all(response).await?;
        }
    }
}
