//! Addresses, proxies and counters of the stream (manual 7.3.3).

use std::net::{IpAddr, SocketAddr};

use crate::expr::arg::{Arg, ArgType, Args};
use crate::expr::def::{Build, FetchDef, FetchFn, Needs};
use crate::expr::sample::{Sample, SampleType};
use crate::expr::{BackendFact, Env, FrontendFact, Side, StreamFact};
use crate::log::Record;

const L4C: Needs = Needs::L4_CLIENT;
const L4S: Needs = Needs::L4_SERVER;
const L5C: Needs = Needs::L5_CLIENT;
const L5S: Needs = Needs::L5_SERVER;

/// Fetches on the stream and its two connections.
pub(super) static FETCHES: &[FetchDef] = &[
    addr("src", L4C, |env, _| ip(env.facts.src())),
    addr("dst", L4C, |env, _| ip(env.facts.dst())),
    addr("fc_src", L4C, |env, _| ip(env.facts.client_src())),
    addr("fc_dst", L4C, |env, _| ip(env.facts.client_dst())),
    addr("bc_src", L4S, |env, _| ip(env.facts.server_src())),
    addr("bc_dst", L4S, |env, _| ip(env.facts.server_dst())),
    int("src_port", L4C, |env, _| port(env.facts.src())),
    int("dst_port", L4C, |env, _| port(env.facts.dst())),
    int("fc_src_port", L4C, |env, _| port(env.facts.client_src())),
    int("fc_dst_port", L4C, |env, _| port(env.facts.client_dst())),
    int("bc_src_port", L4S, |env, _| port(env.facts.server_src())),
    int("bc_dst_port", L4S, |env, _| port(env.facts.server_dst())),
    flag("src_is_local", L4C, |env, _| env.facts.stream(StreamFact::SourceIsLocal)),
    flag("dst_is_local", L4C, |env, _| env.facts.stream(StreamFact::DestinationIsLocal)),
    flag("fc_src_is_local", L4C, |env, _| env.facts.stream(StreamFact::SourceIsLocal)),
    flag("fc_dst_is_local", L4C, |env, _| env.facts.stream(StreamFact::DestinationIsLocal)),
    int("dst_conn", Needs::LISTENER, |env, _| env.facts.stream(StreamFact::ListenerConnections)),
    int("so_id", Needs::LISTENER, |env, _| id(env.facts.listener()?.id)),
    text("so_name", Needs::LISTENER, |env, _| name(env.facts.listener()?.name)),
    int("fe_id", Needs::FRONTEND, |env, _| id(env.facts.frontend()?.id)),
    text("fe_name", Needs::FRONTEND, |env, _| name(env.facts.frontend()?.name)),
    text("fe_defbe", Needs::FRONTEND, |env, _| env.facts.stream(StreamFact::DefaultBackend)),
    int("fe_client_timeout", Needs::FRONTEND, |env, _| {
        let frontend = env.facts.frontend()?.name;
        env.facts.engine().frontend(frontend, FrontendFact::ClientTimeout).map(Sample::Int)
    }),
    int("be_id", Needs::BACKEND, |env, _| id(env.facts.backend()?.id)),
    text("be_name", Needs::BACKEND, |env, _| name(env.facts.backend()?.name)),
    int("be_server_timeout", Needs::BACKEND, |env, _| timeout(env, BackendFact::ServerTimeout)),
    int("be_tunnel_timeout", Needs::BACKEND, |env, _| timeout(env, BackendFact::TunnelTimeout)),
    int("be_connect_timeout", Needs::BACKEND, |env, _| timeout(env, BackendFact::ConnectTimeout)),
    int("cur_client_timeout", Needs::FRONTEND, |env, _| env.facts.stream(StreamFact::ClientTimeout)),
    int("cur_server_timeout", Needs::BACKEND, |env, _| env.facts.stream(StreamFact::ServerTimeout)),
    int("cur_tunnel_timeout", Needs::BACKEND, |env, _| env.facts.stream(StreamFact::TunnelTimeout)),
    int("cur_connect_timeout", Needs::BACKEND, |env, _| env.facts.stream(StreamFact::ConnectTimeout)),
    int("cur_queue_timeout", Needs::BACKEND, |env, _| env.facts.stream(StreamFact::QueueTimeout)),
    int("cur_tarpit_timeout", Needs::FRONTEND, |env, _| env.facts.stream(StreamFact::TarpitTimeout)),
    int("srv_id", Needs::SERVER, |env, _| id(env.facts.server()?.id)),
    text("srv_name", Needs::SERVER, |env, _| name(env.facts.server()?.name)),
    int("fc_err", L4C, |env, _| env.facts.stream(StreamFact::ConnectionError(Side::Client))),
    text("fc_err_str", L4C, |env, _| env.facts.stream(StreamFact::ConnectionErrorText(Side::Client))),
    text("fc_err_name", L4C, |env, _| env.facts.stream(StreamFact::ConnectionErrorName(Side::Client))),
    int("bc_err", L4S, |env, _| env.facts.stream(StreamFact::ConnectionError(Side::Server))),
    text("bc_err_str", L4S, |env, _| env.facts.stream(StreamFact::ConnectionErrorText(Side::Server))),
    text("bc_err_name", L4S, |env, _| env.facts.stream(StreamFact::ConnectionErrorName(Side::Server))),
    int("fc_http_major", L4C, |env, _| env.facts.stream(StreamFact::HttpMajor(Side::Client))),
    int("bc_http_major", L4S, |env, _| env.facts.stream(StreamFact::HttpMajor(Side::Server))),
    int("fc_nb_streams", L5C, |env, _| env.facts.stream(StreamFact::Streams(Side::Client))),
    int("bc_nb_streams", L5S, |env, _| env.facts.stream(StreamFact::Streams(Side::Server))),
    int("fc_settings_streams_limit", L5C, |env, _| env.facts.stream(StreamFact::StreamLimit(Side::Client))),
    int("bc_settings_streams_limit", L5S, |env, _| env.facts.stream(StreamFact::StreamLimit(Side::Server))),
    int("fc_glitches", L4C, |env, _| env.facts.stream(StreamFact::Glitches(Side::Client))),
    int("bc_glitches", L4S, |env, _| env.facts.stream(StreamFact::Glitches(Side::Server))),
    flag("bc_reused", L4S, |env, _| env.facts.stream(StreamFact::Reused)),
    int("fs.id", L5C, |env, _| env.facts.stream(StreamFact::StreamId(Side::Client))),
    int("bs.id", L5S, |env, _| env.facts.stream(StreamFact::StreamId(Side::Server))),
    flag("fs.aborted", L5C, |env, _| env.facts.stream(StreamFact::Aborted(Side::Client))),
    flag("bs.aborted", L5S, |env, _| env.facts.stream(StreamFact::Aborted(Side::Server))),
    int("fs.rst_code", L5C, |env, _| env.facts.stream(StreamFact::ResetCode(Side::Client))),
    int("bs.rst_code", L5S, |env, _| env.facts.stream(StreamFact::ResetCode(Side::Server))),
    flag("fc_rcvd_proxy", L4C, |env, _| env.facts.stream(StreamFact::ReceivedProxy)),
    text("fc_pp_authority", L4C, |env, _| env.facts.stream(StreamFact::ProxyAuthority)),
    text("fc_pp_unique_id", L4C, |env, _| env.facts.stream(StreamFact::ProxyUniqueId)),
    text("fc_pp_tlv", L4C, |env, args| {
        env.facts.stream(StreamFact::ProxyTlv(u8::try_from(args.int(0)?).ok()?))
    })
    .args(1, &[ArgType::Str])
    .prepare(prepare_tlv),
    int("fc_rtt", L4C, |env, args| rtt(env, args, StreamFact::RoundTrip(Side::Client)))
        .args(0, &[ArgType::Str])
        .prepare(prepare_rtt),
    int("fc_rttvar", L4C, |env, args| rtt(env, args, StreamFact::RoundTripVariance(Side::Client)))
        .args(0, &[ArgType::Str])
        .prepare(prepare_rtt),
    int("bc_rtt", L4S, |env, args| rtt(env, args, StreamFact::RoundTrip(Side::Server)))
        .args(0, &[ArgType::Str])
        .prepare(prepare_rtt),
    int("bc_rttvar", L4S, |env, args| rtt(env, args, StreamFact::RoundTripVariance(Side::Server)))
        .args(0, &[ArgType::Str])
        .prepare(prepare_rtt),
    int("fc_retrans", L4C, |env, _| env.facts.stream(StreamFact::Retransmits)),
    int("fc_lost", L4C, |env, _| env.facts.stream(StreamFact::Lost)),
    int("fc_unacked", L4C, |env, _| env.facts.stream(StreamFact::Unacked)),
    int("fc_sacked", L4C, |env, _| env.facts.stream(StreamFact::Sacked)),
    int("fc_reordering", L4C, |env, _| env.facts.stream(StreamFact::Reordering)),
    int("accept_date", L4C, |env, args| {
        let record = env.facts.record()?;
        Some(Sample::Int(record.accept_date.as_micros() as i64 / args.int(0).unwrap_or(1_000_000)))
    })
    .args(0, &[ArgType::Str])
    .prepare(prepare_divisor),
    int("request_date", Needs::HTTP_REQUEST_KEPT, |env, args| {
        let record = env.facts.record()?;
        Some(Sample::Int(record.request_date.as_micros() as i64 / args.int(0).unwrap_or(1_000_000)))
    })
    .args(0, &[ArgType::Str])
    .prepare(prepare_divisor),
    int("fc.timer.handshake", L4C, |env, _| timer(env, |r| r.timers.handshake)),
    int("fc.timer.total", Needs::STREAM_TOTALS, |env, _| timer(env, |r| r.timers.total)),
    int("bc.timer.connect", L4S, |env, _| timer(env, |r| r.timers.connect)),
    int("req.timer.idle", L4C, |env, _| timer(env, |r| r.timers.idle)),
    int("req.timer.hdr", L4C, |env, _| timer(env, |r| r.timers.request)),
    int("req.timer.tq", L4C, |env, _| timer(env, |r| r.timers.until_request())),
    int("req.timer.queue", L4C, |env, _| timer(env, |r| r.timers.queue)),
    int("res.timer.hdr", Needs::HTTP_RESPONSE_KEPT, |env, _| timer(env, |r| r.timers.response)),
    int("res.timer.data", Needs::RESPONSE_TOTALS, |env, _| timer(env, |r| r.timers.data)),
    int("txn.timer.total", Needs::STREAM_TOTALS, |env, _| timer(env, |r| r.timers.active)),
    int("txn.timer.user", Needs::STREAM_TOTALS, |env, _| timer(env, |r| r.timers.user)),
    int("txn.status", Needs::HTTP_RESPONSE_KEPT, |env, _| timer(env, |r| r.status.into())),
    int("txn.conn_retries", L4S, |env, _| timer(env, |r| r.retries.into())),
    flag("txn.redispatched", L4S, |env, _| Some(Sample::Bool(env.facts.record()?.redispatched))),
    int("txn.id32", Needs::INTERNAL, |env, _| timer(env, |r| r.counter.into())),
    text("txn.sess_term_state", Needs::INTERNAL, |env, _| {
        env.arena.copy(&env.facts.record()?.termination.short()).map(Sample::Str)
    }),
    int("bytes_in", Needs::REQUEST_TOTALS, |env, _| timer(env, |r| r.bytes_uploaded as i64)),
    int("bytes_out", Needs::RESPONSE_TOTALS, |env, _| timer(env, |r| r.bytes_read as i64)),
    int("req.bytes_in", Needs::REQUEST_TOTALS, |env, _| timer(env, |r| r.bytes_uploaded as i64)),
    int("res.bytes_in", Needs::RESPONSE_TOTALS, |env, _| timer(env, |r| r.bytes_read as i64)),
    int("bc_be_queue", L4S, |env, _| timer(env, |r| r.backend_queue.into())),
    int("bc_srv_queue", L4S, |env, _| timer(env, |r| r.server_queue.into())),
    text("unique-id", L4C, |env, _| env.facts.unique_id().map(Sample::Str)),
];

const fn addr(name: &'static str, needs: Needs, eval: FetchFn) -> FetchDef {
    FetchDef::new(name, SampleType::Addr, needs, eval)
}

const fn int(name: &'static str, needs: Needs, eval: FetchFn) -> FetchDef {
    FetchDef::new(name, SampleType::Int, needs, eval)
}

const fn text(name: &'static str, needs: Needs, eval: FetchFn) -> FetchDef {
    FetchDef::new(name, SampleType::Str, needs, eval)
}

const fn flag(name: &'static str, needs: Needs, eval: FetchFn) -> FetchDef {
    FetchDef::new(name, SampleType::Bool, needs, eval)
}

fn ip<'a>(address: Option<SocketAddr>) -> Option<Sample<'a>> {
    Some(match address?.ip() {
        IpAddr::V4(addr) => Sample::Ipv4(addr),
        IpAddr::V6(addr) => Sample::Ipv6(addr),
    })
}

/// A port that an address has; a PROXY header may tell addresses without.
fn port<'a>(address: Option<SocketAddr>) -> Option<Sample<'a>> {
    address.map(|address| address.port()).filter(|&port| port != 0).map(|port| Sample::Int(port.into()))
}

fn id<'a>(id: u32) -> Option<Sample<'a>> {
    Some(Sample::Int(id.into()))
}

fn name(name: &str) -> Option<Sample<'_>> {
    (!name.is_empty()).then_some(Sample::Str(name.as_bytes()))
}

fn timer<'a>(env: &Env<'a>, read: fn(&Record<'_>) -> i64) -> Option<Sample<'a>> {
    env.facts.record().map(|record| Sample::Int(read(&record)))
}

fn timeout<'a>(env: &Env<'a>, fact: BackendFact) -> Option<Sample<'a>> {
    env.facts.engine().backend(env.facts.backend()?.name, fact).map(Sample::Int)
}

/// Round trip times arrive in microseconds; argument 0 holds what to divide by.
fn rtt<'a>(env: &Env<'a>, args: &Args, fact: StreamFact) -> Option<Sample<'a>> {
    let micros = env.facts.stream(fact)?.to_int()?;
    Some(Sample::Int(micros / args.int(0).unwrap_or(1000)))
}

/// Replaces a unit by the number of microseconds in it.
fn micros_per(unit: &str) -> Result<i64, String> {
    match unit {
        "" | "s" => Ok(1_000_000),
        "ms" => Ok(1000),
        "us" => Ok(1),
        other => Err(format!("expects 's', 'ms' or 'us', got '{other}'")),
    }
}

fn prepare_divisor(args: &mut Args, _: &mut dyn Build) -> Result<(), String> {
    if let Some(unit) = args.str(0) {
        let divisor = micros_per(unit)?;
        args.set(0, Arg::Int(divisor));
    }
    Ok(())
}

fn prepare_rtt(args: &mut Args, _: &mut dyn Build) -> Result<(), String> {
    let divisor = match args.str(0) {
        None | Some("" | "ms") => 1000,
        Some("us") => 1,
        Some(other) => return Err(format!("expects 'ms' or 'us', got '{other}'")),
    };
    args.set(0, Arg::Int(divisor));
    Ok(())
}

/// TLV types of the PROXY protocol by name or number.
fn prepare_tlv(args: &mut Args, _: &mut dyn Build) -> Result<(), String> {
    let text = args.str(0).unwrap_or_default();
    let kind = match text {
        "ALPN" => 0x01,
        "AUTHORITY" => 0x02,
        "CRC32" => 0x03,
        "NOOP" => 0x04,
        "UNIQUE_ID" => 0x05,
        "SSL" => 0x20,
        "SSL_VERSION" => 0x21,
        "SSL_CN" => 0x22,
        "SSL_CIPHER" => 0x23,
        "SSL_SIG_ALG" => 0x24,
        "SSL_KEY_ALG" => 0x25,
        "NETNS" => 0x30,
        other => {
            let number = other
                .strip_prefix("0x")
                .map_or_else(|| other.parse().ok(), |hex| i64::from_str_radix(hex, 16).ok());
            number
                .filter(|number| (0..=255).contains(number))
                .ok_or_else(|| format!("'{other}' is not a TLV type between 0 and 255"))?
        }
    };
    args.set(0, Arg::Int(kind));
    Ok(())
}
