//! What the relay of `mode tcp` costs over loopback: 1 KiB there and back, and 1 MiB in one direction. Client, relay and
//! server share one thread, so the figures hold their system calls, too; what matters is how they change.

#![allow(missing_docs, reason = "criterion's macros generate public items without documentation")]

use std::net::SocketAddr;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use lb_core::rt::{Relay, RelayLimits, Stream, Timers};
use lb_core::spec::Timeouts;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A connected pair of sockets.
async fn pair() -> (TcpStream, TcpStream) {
    let any: SocketAddr = ([127, 0, 0, 1], 0).into();
    let listener = TcpListener::bind(any).await.expect("a free port");
    let addr = listener.local_addr().expect("it is bound");
    let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
    let (near, far) = tokio::join!(socket.connect(addr), listener.accept());
    let (near, (far, _)) = (near.expect("it listens"), far.expect("it connects"));
    for end in [&near, &far] {
        end.set_nodelay(true).expect("it is a socket");
    }
    (near, far)
}

/// A client and a server with a relay between them.
async fn relayed() -> (TcpStream, TcpStream) {
    let (client, front) = pair().await;
    let (back, server) = pair().await;
    tokio::spawn(async move {
        let timers = Timers::new();
        let timer = timers.timer();
        let limits = RelayLimits::new(&Timeouts::default(), &Timeouts::default(), 16_384);
        let (mut front, mut back) = (Stream::Tcp(front.into()), Stream::Tcp(back.into()));
        Relay::new(limits).run(&mut front, &mut back, &timer).await
    });
    (client, server)
}

fn relay(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let mut group = criterion.benchmark_group("relay");
    let (mut client, mut server) = runtime.block_on(relayed());
    group.bench_function("ping-1k", |bencher| {
        let mut there = [7u8; 1024];
        let mut back = [0u8; 1024];
        bencher.iter(|| {
            runtime.block_on(async {
                client.write_all(&there).await.expect("the relay runs");
                server.read_exact(&mut back).await.expect("the relay runs");
                server.write_all(&back).await.expect("the relay runs");
                client.read_exact(&mut there).await.expect("the relay runs");
            });
        });
    });
    group.throughput(Throughput::Bytes(1 << 20));
    group.bench_function("bulk-1m", |bencher| {
        let data = vec![7u8; 1 << 20];
        let mut sink = vec![0u8; 1 << 20];
        bencher.iter(|| {
            runtime.block_on(async {
                let (sent, read) = tokio::join!(server.write_all(&data), client.read_exact(&mut sink));
                sent.expect("the relay runs");
                read.expect("the relay runs");
            });
        });
    });
    group.finish();
}

criterion_group!(benches, relay);
criterion_main!(benches);
