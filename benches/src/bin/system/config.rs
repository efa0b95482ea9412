//! The configuration both programs are started with, unchanged.

use crate::cases::{Case, Kind};
use std::fmt::Write;
use std::io;
use std::net::{TcpListener, UdpSocket};
use std::path::PathBuf;

/// Ports and files of one run.
pub(crate) struct Place {
    /// Where clients connect to.
    pub(crate) front: u16,
    /// Where the HTTP server listens.
    pub(crate) http: u16,
    /// Where the echo server listens.
    pub(crate) echo: u16,
    /// Where log lines go.
    pub(crate) log: u16,
    dir: PathBuf,
}

const HEAD: &str = "\
global
    nbthread 1
    maxconn 9500
defaults
    mode http
    timeout connect 5s
    timeout client 300s
    timeout server 300s
    timeout http-request 30s
    timeout http-keep-alive 300s
";

const RULES: &str = "\
    log 127.0.0.1:{log} local0 info
    option httplog
    option forwardfor
    http-request set-header X-Forwarded-Proto http
    http-request set-header X-Request-Host %[req.hdr(host),lower]
    http-response set-header Strict-Transport-Security \"max-age=31536000\"
    acl is_api1   path_beg /api/v1/
    acl is_api2   path_beg /api/v2/
    acl is_static path_end .css .js .png .jpg .gif .ico .svg
    acl is_img    path_beg /img/ /images/
    acl is_admin  path_beg /admin
    acl int_net   src 10.0.0.0/8 172.16.0.0/12 192.168.0.0/16
    acl host_api  hdr(host) -i api.example.com api.example.org
    acl host_adm  hdr_beg(host) -i admin.
    acl is_bot    hdr_sub(user-agent) -i googlebot bingbot
    acl is_post   method POST
    use_backend other if is_api1 || is_api2
    use_backend other if host_api
    use_backend other if is_static
    use_backend other if is_img
    use_backend other if is_admin int_net
    use_backend other if host_adm int_net
    use_backend other if is_post is_bot
";

impl Place {
    /// Chooses ports and writes the configuration.
    pub(crate) fn new(case: &Case) -> io::Result<Self> {
        // All are open at once, so that they differ.
        let sockets = [0; 3].map(|_| TcpListener::bind("127.0.0.1:0"));
        let mut ports = [0; 3];
        for (port, socket) in ports.iter_mut().zip(sockets) {
            *port = socket?.local_addr()?.port();
        }
        let log = UdpSocket::bind("127.0.0.1:0")?.local_addr()?.port();
        let dir = std::env::temp_dir().join(format!("lb-system-{}", std::process::id()));
        std::fs::create_dir_all(&dir)?;
        let place = Self { front: ports[0], http: ports[1], echo: ports[2], log, dir };
        std::fs::write(place.file(), place.text(case))?;
        if let Kind::Tls(tls) = case.kind {
            std::fs::write(place.certificate(), tls.certificate)?;
        }
        Ok(place)
    }

    /// The configuration file.
    pub(crate) fn file(&self) -> PathBuf {
        self.dir.join("haproxy.cfg")
    }

    fn certificate(&self) -> PathBuf {
        self.dir.join("certificate.pem")
    }

    fn text(&self, case: &Case) -> String {
        let mut text = HEAD.to_owned();
        let tcp = matches!(case.kind, Kind::Ping | Kind::Bulk);
        let mode = if tcp { "    mode tcp\n" } else { "" };
        // Writing to a string cannot fail.
        let secure = if let Kind::Tls(_) = case.kind {
            format!(" ssl crt {}", self.certificate().display())
        } else {
            String::new()
        };
        let _ = write!(text, "frontend front\n    bind 127.0.0.1:{}{secure}\n{mode}", self.front);
        match case.kind {
            Kind::Real => text.push_str(&RULES.replace("{log}", &self.log.to_string())),
            Kind::Start => {
                for at in 0..1000 {
                    let _ =
                        writeln!(text, "    use_backend be{at} if {{ hdr(host) -i www{at}.example.com }}");
                }
            }
            _ => {}
        }
        let port = if case.kind == Kind::Ping { self.echo } else { self.http };
        let _ = write!(text, "    default_backend servers\nbackend servers\n{mode}");
        match case.kind {
            Kind::Choose { servers, algorithm } => {
                let _ = write!(
                    text,
                    "    balance {algorithm}\n    http-reuse never\n    option http-server-close\n"
                );
                for at in 0..servers {
                    let _ = writeln!(text, "    server s{at} 127.0.0.1:{port} weight {}", 1 + at % 10);
                }
            }
            Kind::CloseReuse => {
                let _ = write!(text, "    http-reuse always\n    server s1 127.0.0.1:{port}\n");
            }
            Kind::Real => {
                let _ = write!(
                    text,
                    "    cookie SRV insert indirect nocache\n    server s1 127.0.0.1:{port} cookie a\n"
                );
                let _ = write!(text, "backend other\n    server s1 127.0.0.1:{port}\n");
            }
            _ => {
                let _ = writeln!(text, "    server s1 127.0.0.1:{port}");
            }
        }
        if case.kind == Kind::Start {
            for at in 0..1000 {
                let _ = writeln!(text, "backend be{at}\n    balance roundrobin");
                for server in 1..=20 {
                    let (high, low) = (at / 250, at % 250);
                    let _ = writeln!(text, "    server s{server} 10.{high}.{low}.{server}:80 weight 10");
                }
            }
        }
        text
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // What stays is in the directory for temporary files.
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}
