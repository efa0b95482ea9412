//! Exchanges that end well.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener};
use std::time::{Duration, Instant};

use lb_core::balance::{Algorithm, ServerId};
use lb_core::pool::AdminState;
use lb_proto_http::spec::{ConnectionMode, Reuse};

use super::harness::*;

#[test]
fn requests_of_one_connection_are_answered_one_after_the_other() {
    let origin = hello();
    let proxy = proxy(&[origin.addr], |_, _| {});
    let mut client = proxy.client();
    for _ in 0..3 {
        assert_eq!(exchange(&mut client, GET), HELLO);
    }
    assert_eq!(origin.requests.lock().unwrap()[0], "GET / HTTP/1.1\r\nhost: h\r\n\r\n");
    assert_eq!(*origin.connections.lock().unwrap(), 1);
    assert_eq!(proxy.line(), "web web/s1 200 54 - - ---- 1/1/0/0/0 0/0 \"GET / HTTP/1.1\"");
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let origin = origin(|_, request| {
        let path = request.split(' ').nth(1).unwrap().to_owned();
        format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{path}", path.len()).into_bytes()
    });
    let proxy = proxy(&[origin.addr], |_, _| {});
    let mut client = proxy.client();
    client
        .write_all(
            b"GET /1 HTTP/1.1\r\n\r\nPOST /2 HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcGET /3 HTTP/1.1\r\n\r\n",
        )
        .unwrap();
    for path in ["/1", "/2", "/3"] {
        assert!(response(&mut client).ends_with(path));
    }
}

#[test]
fn the_first_request_of_a_connection_gets_a_server_connection_of_its_own() {
    let origin = hello();
    let proxy = proxy(&[origin.addr], |_, _| {});
    for _ in 0..3 {
        assert_eq!(exchange(&mut proxy.client(), GET), HELLO);
    }
    assert_eq!(*origin.connections.lock().unwrap(), 3);
}

#[test]
fn server_connections_are_shared_when_asked_for() {
    let origin = hello();
    let proxy = proxy(&[origin.addr], |_, http| http.reuse = Reuse::Always);
    for _ in 0..3 {
        assert_eq!(exchange(&mut proxy.client(), GET), HELLO);
    }
    assert_eq!(*origin.connections.lock().unwrap(), 1);
}

/// Text in which no two places look alike for long.
fn long_text(len: usize) -> String {
    (0..len / 8).map(|at| format!("{at:07}\n")).collect()
}

#[test]
fn a_long_body_passes_whole_and_the_connections_go_on_behind_it() {
    let body = long_text(3_000_000);
    let sent = body.clone();
    let origin = origin(move |number, _| match number {
        0 => format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{sent}", sent.len()).into_bytes(),
        _ => b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello".to_vec(),
    });
    let proxy = proxy(&[origin.addr], |_, _| {});
    let mut client = proxy.client();
    assert!(exchange(&mut client, GET).ends_with(&body));
    let upload = format!("POST / HTTP/1.1\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    assert_eq!(exchange(&mut client, &format!("{upload}{GET}")), HELLO);
    assert_eq!(response(&mut client), HELLO, "what came behind the body is a request");
    assert!(origin.requests.lock().unwrap()[1].ends_with(&body));
    assert_eq!(*origin.connections.lock().unwrap(), 1);
    let line = proxy.line();
    assert!(line.starts_with(&format!("web web/s1 200 {}", body.len() + 55)), "{line}");
}

#[test]
fn a_long_body_that_comes_in_small_pieces_passes_whole() {
    let body = long_text(400_000);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let text = body.clone();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut rest = Vec::new();
        read_request(&mut stream, &mut rest).unwrap();
        stream.set_nodelay(true).unwrap();
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", text.len());
        stream.write_all(head.as_bytes()).unwrap();
        for piece in text.as_bytes().chunks(3000) {
            stream.write_all(piece).unwrap();
        }
        // Half of what the second response announces.
        read_request(&mut stream, &mut rest).unwrap();
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(&text.as_bytes()[..200_000]).unwrap();
    });
    let proxy = proxy(&[addr], |_, _| {});
    let mut client = proxy.client();
    assert!(exchange(&mut client, GET).ends_with(&body));
    client.write_all(GET.as_bytes()).unwrap();
    let mut all = Vec::new();
    client.read_to_end(&mut all).unwrap();
    assert!(all.ends_with(&body.as_bytes()[..200_000]));
    assert!(proxy.line().contains(" ---- "));
    assert!(proxy.line().contains(" SD-- "));
}

#[test]
fn bodies_pass_in_both_directions_whatever_their_size_and_framing() {
    let origin = origin(|_, request| {
        let length = request.split("\r\n\r\n").nth(1).unwrap().len();
        let body = "r".repeat(3_000_000);
        let text =
            format!("HTTP/1.1 200 OK\r\nX-Len: {length}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        text.into_bytes()
    });
    let proxy = proxy(&[origin.addr], |_, _| {});
    for size in [10, 5000, 100_000, 2_000_000] {
        let mut client = proxy.client();
        let body = "x".repeat(size);
        client
            .write_all(format!("POST / HTTP/1.1\r\nContent-Length: {size}\r\n\r\n{body}").as_bytes())
            .unwrap();
        let answer = response(&mut client);
        assert!(answer.contains(&format!("x-len: {size}\r\n")), "{}", &answer[..100]);
        assert!(answer.ends_with("rrrr") && answer.len() > 3_000_000);
    }
}

#[test]
fn chunks_are_forwarded_without_their_extensions() {
    let origin = origin(|_, _| {
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;ext\r\nabc\r\n2\r\nde\r\n0\r\n\r\n".to_vec()
    });
    let proxy = proxy(&[origin.addr], |_, _| {});
    let answer = proxy.all("GET / HTTP/1.1\r\nConnection: close\r\n\r\n");
    assert_eq!(
        answer,
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    );
    let answer = proxy.all("GET / HTTP/1.0\r\n\r\n");
    assert_eq!(
        answer,
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n\
         3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    );
    let answer = proxy.all(
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n4;x\r\nwiki\r\n0\r\n\r\n",
    );
    assert!(answer.starts_with("HTTP/1.1 200"));
    let seen = origin.requests.lock().unwrap();
    assert!(seen[2].ends_with("transfer-encoding: chunked\r\n\r\n4\r\nwiki\r\n0\r\n\r\n"), "{}", seen[2]);
}

#[test]
fn a_response_without_length_ends_with_its_connection() {
    let origin = origin(|_, _| b"HTTP/1.0 200 OK\r\n\r\nuntil the end<close>".to_vec());
    let proxy = proxy(&[origin.addr], |_, _| {});
    assert_eq!(proxy.all(GET), "HTTP/1.0 200 OK\r\n\r\nuntil the end");
}

#[test]
fn responses_to_head_have_no_body_and_keep_the_connection() {
    let origin = origin(|number, _| {
        if number == 0 {
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n".to_vec()
        } else {
            b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n".to_vec()
        }
    });
    let proxy = proxy(&[origin.addr], |_, _| {});
    let mut client = proxy.client();
    client.write_all(b"HEAD / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert_eq!(
        answer,
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nHTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\
         connection: close\r\n\r\n"
    );
}

#[test]
fn interim_responses_reach_the_client() {
    let origin = origin(|_, _| {
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
            .to_vec()
    });
    let proxy = proxy(&[origin.addr], |_, _| {});
    let answer = proxy.all("GET / HTTP/1.1\r\nConnection: close\r\n\r\n");
    assert_eq!(
        answer,
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: a\r\n\r\n\
         HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    );
}

#[test]
fn old_clients_are_told_what_becomes_of_the_connection() {
    let origin = hello();
    let proxy = proxy(&[origin.addr], |_, _| {});
    let mut client = proxy.client();
    let answer = exchange(&mut client, "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    assert_eq!(answer, "HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: keep-alive\r\n\r\nhello");
    assert_eq!(origin.requests.lock().unwrap()[0], "GET / HTTP/1.0\r\nconnection: keep-alive\r\n\r\n");
}

#[test]
fn the_modes_close_their_side() {
    let origin = hello();
    let close = proxy(&[origin.addr], |_, http| http.connection = ConnectionMode::Close);
    assert!(close.all(GET).contains("connection: close\r\n"));
    let server_close = proxy(&[origin.addr], |_, http| http.connection = ConnectionMode::ServerClose);
    let mut client = server_close.client();
    assert_eq!(exchange(&mut client, GET), HELLO);
    assert_eq!(exchange(&mut client, GET), HELLO);
    let seen = origin.requests.lock().unwrap();
    assert!(seen.iter().all(|request| request.contains("connection: close\r\n")), "{seen:?}");
}

#[test]
fn an_upgrade_becomes_a_tunnel() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut rest = Vec::new();
        let request = read_request(&mut stream, &mut rest).unwrap();
        assert!(request.contains("connection: Upgrade\r\n") && request.contains("upgrade: test\r\n"));
        stream
            .write_all(
                b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: test\r\n\r\nearly",
            )
            .unwrap();
        let mut buf = [0; 64];
        while let Ok(n) = stream.read(&mut buf) {
            if n == 0 || stream.write_all(&buf[..n]).is_err() {
                return;
            }
        }
    });
    let proxy = proxy(&[addr], |_, _| {});
    let mut client = proxy.client();
    client.write_all(b"GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: test\r\n\r\nping").unwrap();
    let mut first = [0];
    client.read_exact(&mut first).unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert!(
        answer.starts_with("TTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: test\r\n\r\n")
    );
    assert!(answer.ends_with("earlyping"), "{answer}");
}

#[test]
fn what_a_tunnel_sent_last_arrives_at_a_server_that_reads_late() {
    const SENT: usize = 4 << 20;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let (over, may_read) = std::sync::mpsc::channel::<()>();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        read_request(&mut stream, &mut Vec::new()).unwrap();
        let head = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: test\r\n\r\n";
        stream.write_all(head).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut received = vec![0; SENT / 2];
        stream.read_exact(&mut received).unwrap();
        may_read.recv().unwrap();
        stream.read_to_end(&mut Vec::new()).map(|rest| rest + SENT / 2)
    });
    let proxy = proxy(&[addr], |_, _| {});
    let mut client = proxy.client();
    client.write_all(b"GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: test\r\n\r\n").unwrap();
    client.write_all(&vec![b'x'; SENT]).unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    // The exchange is over when its line is there.
    assert!(proxy.line().contains(" 101 "));
    over.send(()).unwrap();
    assert_eq!(server.join().unwrap().unwrap(), SENT);
}

#[test]
fn timers_of_a_line_are_those_of_its_request() {
    let origin = hello();
    let proxy = proxy(&[origin.addr], |_, _| {});
    exchange(&mut proxy.client(), GET);
    let line = proxy.raw_line();
    let timers = line.split(' ').find(|word| word.matches('/').count() == 4).unwrap();
    assert!(
        timers.split('/').all(|timer| timer.parse::<i64>().is_ok_and(|ms| (0..5000).contains(&ms))),
        "{line}"
    );
}

#[test]
fn a_private_connection_serves_its_client_only() {
    let origin = hello();
    let proxy = proxy(&[origin.addr], |_, http| http.reuse = Reuse::Never);
    let (mut first, mut second) = (proxy.client(), proxy.client());
    for _ in 0..2 {
        assert_eq!(exchange(&mut first, GET), HELLO);
        assert_eq!(exchange(&mut second, GET), HELLO);
    }
    assert_eq!(*origin.connections.lock().unwrap(), 2);
    drop(first);
    assert_eq!(exchange(&mut proxy.client(), GET), HELLO);
    assert_eq!(*origin.connections.lock().unwrap(), 3);
}

#[test]
fn an_authenticated_connection_stays_with_its_client() {
    for (status, challenge) in [
        ("401", "WWW-Authenticate: NTLM"),
        ("401", "WWW-Authenticate: Basic realm=r, negotiate YWJj"),
        ("407", "Proxy-Authenticate: Negotiate"),
    ] {
        let origin = origin(move |_, _| {
            format!("HTTP/1.1 {status} No\r\n{challenge}\r\nContent-Length: 0\r\n\r\n").into_bytes()
        });
        let proxy = proxy(&[origin.addr], |_, http| http.reuse = Reuse::Always);
        let mut first = proxy.client();
        for _ in 0..2 {
            assert!(exchange(&mut first, GET).contains(status));
        }
        assert_eq!(*origin.connections.lock().unwrap(), 1);
        assert!(exchange(&mut proxy.client(), GET).contains(status));
        assert_eq!(*origin.connections.lock().unwrap(), 2);
    }
}

#[test]
fn a_connection_that_a_client_leaves_behind_is_reset() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        read_request(&mut stream, &mut Vec::new()).unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello").unwrap();
        stream.read(&mut [0]).unwrap_err().kind()
    });
    let proxy = proxy(&[addr], |_, http| http.reuse = Reuse::Never);
    assert_eq!(exchange(&mut proxy.client(), GET), HELLO);
    assert_eq!(server.join().unwrap(), std::io::ErrorKind::ConnectionReset);
}

#[test]
fn idle_connections_to_a_server_in_maintenance_are_closed() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        read_request(&mut stream, &mut Vec::new()).unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello").unwrap();
        stream.read(&mut [0]).unwrap_err().kind()
    });
    let proxy = proxy(&[addr], |spec, http| {
        spec.pool.servers[0].pool_purge_delay = Duration::from_secs(3600);
        http.reuse = Reuse::Always;
    });
    let mut client = proxy.client();
    assert_eq!(exchange(&mut client, GET), HELLO);
    let generation = proxy.server.generation();
    let backend = &generation.plan.proxies()[0];
    let order = backend.pool.set_state(ServerId(0), AdminState::Maint, Instant::now());
    generation.report(backend, order.unwrap());
    assert_eq!(server.join().unwrap(), std::io::ErrorKind::ConnectionReset);
}

#[test]
fn idle_connections_are_counted_and_without_a_delay_none_are_kept() {
    for (delay, idle, connections) in [(5, [[1, 0], [0, 1]], 1), (0, [[0, 0], [0, 0]], 2)] {
        let origin = hello();
        let proxy = proxy(&[origin.addr], |spec, http| {
            spec.pool.servers[0].pool_purge_delay = Duration::from_secs(delay);
            http.reuse = Reuse::Always;
            with_counters(http);
        });
        for expected in idle {
            assert_eq!(exchange(&mut proxy.client(), GET), HELLO);
            assert_eq!(proxy.counts("s1", ["idle_conn_cur", "safe_conn_cur"]), expected);
        }
        assert_eq!(*origin.connections.lock().unwrap(), connections);
    }
}

#[test]
fn a_server_that_is_not_told_of_the_end_of_its_connection_gets_another_one_all_the_same() {
    let origin = hello();
    let proxy = proxy(&[origin.addr], |_, http| {
        (http.connection, http.pretend_keepalive) = (ConnectionMode::ServerClose, true);
        http.reuse = Reuse::Always;
    });
    let mut client = proxy.client();
    for _ in 0..3 {
        assert_eq!(exchange(&mut client, GET), HELLO);
    }
    assert_eq!(*origin.connections.lock().unwrap(), 3);
    assert!(origin.requests.lock().unwrap().iter().all(|request| !request.contains("connection:")));
}

#[test]
fn a_client_stays_with_its_last_server_when_that_is_preferred_and_a_connection_is_its_own() {
    for (reuse, expected) in [(Reuse::Never, [0, 4]), (Reuse::Always, [2, 2])] {
        let origins = [hello(), hello()];
        let proxy = proxy(&[origins[0].addr, origins[1].addr], |_, http| {
            (http.prefer_last_server, http.reuse) = (true, reuse);
        });
        let mut client = proxy.client();
        for _ in 0..4 {
            assert_eq!(exchange(&mut client, GET), HELLO);
        }
        let mut counts = origins.map(|origin| origin.requests.lock().unwrap().len());
        counts.sort_unstable();
        assert_eq!(counts, expected);
    }
}

const WEBSOCKET: &str = "GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

#[test]
fn a_websocket_answer_needs_its_key() {
    for (accept, status) in [("", "502"), ("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n", "101")] {
        let origin = origin(move |_, _| {
            let start = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket";
            format!("{start}\r\n{accept}\r\n<close>").into_bytes()
        });
        let proxy = proxy(&[origin.addr], |_, _| {});
        let answer = exchange(&mut proxy.client(), WEBSOCKET);
        assert_eq!(answer.split(' ').nth(1), Some(status), "{answer}");
    }
}

#[test]
fn a_client_that_only_asks_for_a_tunnel_has_not_left() {
    let origin = origin(|_, _| b"HTTP/1.1 200 OK\r\n\r\nhello<close>".to_vec());
    let proxy = proxy(&[origin.addr], |_, _| {});
    let mut client = proxy.client();
    client.write_all(b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "HTTP/1.1 200 OK\r\n\r\nhello");
    assert!(proxy.line().contains(" 200 "));
}

#[test]
fn a_parameter_in_the_body_of_a_post_chooses_the_server() {
    let named = |name: &'static str| {
        origin(move |_, _| format!("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n{name}").into_bytes())
    };
    let origins = ["a", "b", "c"].map(named);
    let proxy = proxy(&origins.each_ref().map(|origin| origin.addr), |spec, _| {
        spec.pool.algorithm = Algorithm::UrlParam { name: "u".into(), check_post: true };
    });
    let ask = |head: &str, body: &str| {
        let mut client = proxy.client();
        client.write_all(head.as_bytes()).unwrap();
        client.write_all(body.as_bytes()).unwrap();
        response(&mut client).pop().unwrap()
    };
    for value in ["1", "2", "3", "alpha"] {
        let expected = ask(&format!("GET /?u={value} HTTP/1.1\r\nHost: a\r\n\r\n"), "");
        let body = format!("x=0&u={value}");
        let head = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", body.len());
        let chunk = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
        let chunked = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
        for found in [ask(&head, &body), ask(chunked, &chunk), ask(&head, &body)] {
            assert_eq!(found, expected, "{value}");
        }
    }
}
