//! The statistics against lines printed by HAProxy 3.4, see `stats/README.md`.

use lb_core::companion::Table;
use lb_core::health::Status;
use lb_core::spec::{Capability, Mode};
use lb_core::stats::counter::{BackendCounts, FrontendCounts, Level, ListenerCounts, ServerCounts};
use lb_core::stats::info::ProcessInfo;
use lb_core::stats::page::{PageOptions, PageRequest};
use lb_core::stats::render::{self, html::Page};
use lb_core::stats::render::{csv, json, prometheus, typed};
use lb_core::stats::snapshot::{
    BackendSnapshot, CheckReport, FrontendSnapshot, ListenerSnapshot, ProxySnapshot, ServerSnapshot,
};
use lb_core::stats::status::ServerStatus;

const HAPROXY: &str = include_str!("stats/haproxy-3.4.csv");

fn level(cur: u64, max: u64) -> Level {
    Level { cur, max }
}

fn frontend() -> ProxySnapshot {
    let mut fe1 = ProxySnapshot::new("fe1", 2, Capability::Frontend, Mode::Http);
    let mut side = FrontendSnapshot::default();
    side.sessions = level(0, 1);
    side.limit = 9979;
    side.session_rate = level(0, 5);
    side.connection_rate = level(0, 5);
    side.request_rate = level(0, 5);
    side.counts = FrontendCounts {
        connections: 5,
        sessions: 5,
        request_bytes_in: 410,
        request_bytes_out: 410,
        response_bytes_in: 610,
        response_bytes_out: 915,
        requests: 5,
        h1_sessions: 5,
        h1_requests: 5,
        responses: [0, 5, 0, 0, 0, 0],
        ..FrontendCounts::default()
    };
    side.modules.h1 = [0, 0, 5, 5, 395, 1056, 0, 0];
    fe1.frontend = Some(side);
    let mut b1 = ListenerSnapshot::new("b1", 1, "127.0.0.1:18081", "tcpv4");
    b1.sessions = level(0, 1);
    b1.counts = ListenerCounts {
        connections: 5,
        sessions: 5,
        request_bytes_in: 410,
        request_bytes_out: 410,
        response_bytes_in: 610,
        response_bytes_out: 915,
        ..ListenerCounts::default()
    };
    fe1.listeners.push(b1);
    fe1
}

fn raw() -> ProxySnapshot {
    let mut lraw = ProxySnapshot::new("lraw", 3, Capability::Listen, Mode::Tcp);
    let mut side = FrontendSnapshot::default();
    side.sessions = level(0, 1);
    side.limit = 9979;
    side.session_rate = level(0, 1);
    side.connection_rate = level(0, 1);
    side.counts = FrontendCounts {
        connections: 1,
        sessions: 1,
        request_bytes_in: 79,
        request_bytes_out: 79,
        response_bytes_in: 119,
        response_bytes_out: 119,
        other_sessions: 1,
        ..FrontendCounts::default()
    };
    lraw.frontend = Some(side);
    let mut t1 = ServerSnapshot::new("t1", 1, "127.0.0.1:18090");
    t1.sessions = level(0, 1);
    t1.session_rate = level(0, 1);
    t1.last_session = Some(21);
    t1.last_change = 23;
    t1.durations.total = level(4, 4);
    t1.connections.needed = 1;
    t1.counts = ServerCounts {
        sessions: 1,
        balanced: 1,
        connects: 1,
        request_bytes_in: 79,
        request_bytes_out: 79,
        response_bytes_in: 119,
        response_bytes_out: 119,
        ..ServerCounts::default()
    };
    lraw.servers.push(t1);
    let mut side = BackendSnapshot::new("unknown");
    side.sessions = level(0, 1);
    side.limit = 998;
    side.session_rate = level(0, 1);
    (side.weight, side.user_weight, side.active) = (1, 1, 1);
    side.last_session = Some(21);
    side.last_change = 23;
    side.downtime = Some(0);
    side.durations.total = level(4, 4);
    side.counts = BackendCounts {
        sessions: 1,
        balanced: 1,
        connects: 1,
        request_bytes_in: 79,
        request_bytes_out: 79,
        response_bytes_in: 119,
        response_bytes_out: 119,
        ..BackendCounts::default()
    };
    lraw.backend = Some(side);
    lraw
}

fn passed(duration_ms: u64) -> CheckReport {
    let mut check = CheckReport::new(2, 3);
    (check.status, check.code, check.duration_ms, check.health) = (Status::L7Ok, 200, duration_ms, 4);
    check
}

fn refused(rise: u32, fall: u32) -> CheckReport {
    let mut check = CheckReport::new(rise, fall);
    (check.status, check.health) = (Status::L4Connection, 0);
    check.info = "ECONNREFUSED returned by OS (Connection refused)".to_owned();
    check
}

fn server(name: &str, id: u32, port: u16, status: ServerStatus) -> ServerSnapshot {
    let mut server = ServerSnapshot::new(name, id, format!("127.0.0.1:{port}"));
    server.status = status;
    server.last_change = 22;
    server.counts.went_down = 1;
    server
}

fn backend() -> ProxySnapshot {
    let mut be1 = ProxySnapshot::new("be1", 4, Capability::Backend, Mode::Http);
    let mut s1 = server("s1", 1, 18091, ServerStatus::Up);
    (s1.cookie, s1.check, s1.downtime, s1.connections.needed) =
        (Some("c1".to_owned()), Some(passed(2)), 1, 1);
    let mut s2 = server("s2", 2, 18092, ServerStatus::Up);
    (s2.check, s2.connections.needed, s2.last_change) = (Some(passed(2)), 1, 23);
    (s2.weight, s2.user_weight, s2.limit, s2.last_session) = (30, 30, Some(10), Some(21));
    (s2.sessions, s2.session_rate) = (level(0, 1), level(0, 5));
    (s2.durations.response, s2.durations.total) = (level(5, 9), level(6, 9));
    s2.counts = ServerCounts {
        sessions: 5,
        balanced: 5,
        connects: 5,
        requests: 5,
        request_bytes_in: 410,
        request_bytes_out: 410,
        response_bytes_in: 610,
        response_bytes_out: 915,
        responses: [0, 5, 0, 0, 0, 0],
        ..ServerCounts::default()
    };
    let mut s3 = server("s3", 3, 18093, ServerStatus::Down);
    (s3.backup, s3.check, s3.downtime, s3.connections.needed) = (true, Some(refused(2, 3)), 22, 1);
    let mut s5 = server("s5", 5, 18095, ServerStatus::Maint);
    s5.last_change = 23;
    let mut s6 = server("s6", 6, 18096, ServerStatus::Up);
    s6.tracks = Some("be1/s1".to_owned());
    let mut a8 = server("a8", 8, 18098, ServerStatus::DownAgent);
    (a8.check, a8.agent, a8.downtime, a8.connections.needed) =
        (Some(refused(2, 3)), Some(refused(1, 1)), 22, 1);
    be1.servers = vec![s1, s2, s3, s5, s6, a8];
    let mut side = BackendSnapshot::new("roundrobin");
    side.cookie = Some("SRV".to_owned());
    (side.weight, side.user_weight, side.active) = (33, 33, 4);
    (side.sessions, side.session_rate, side.limit) = (level(0, 1), level(0, 5), 998);
    (side.last_session, side.last_change, side.downtime) = (Some(21), 23, Some(0));
    (side.durations.response, side.durations.total) = (level(5, 9), level(6, 9));
    side.counts = BackendCounts {
        sessions: 5,
        balanced: 5,
        connects: 5,
        requests: 5,
        request_bytes_in: 410,
        request_bytes_out: 410,
        response_bytes_in: 610,
        response_bytes_out: 915,
        responses: [0, 5, 0, 0, 0, 0],
        ..BackendCounts::default()
    };
    side.modules.h1 = [0, 0, 168, 168, 11383, 2419, 0, 0];
    be1.backend = Some(side);
    be1
}

#[test]
fn csv_lines_equal_those_of_haproxy() {
    let mut out = String::new();
    csv::header(&mut out);
    for proxy in [frontend(), raw(), backend()] {
        proxy.rows().for_each(|row| csv::row(&mut out, &row));
    }
    for (ours, theirs) in out.lines().zip(HAPROXY.lines()) {
        let cells = |line: &str| line.split(',').map(str::to_owned).collect::<Vec<_>>();
        let names = cells(HAPROXY.lines().next().unwrap_or_default());
        for ((name, ours), theirs) in names.iter().zip(cells(ours)).zip(cells(theirs)) {
            assert_eq!(ours, theirs, "column {name} of {}", &theirs[..theirs.len().min(20)]);
        }
    }
    assert_eq!(out, HAPROXY);
}

#[test]
fn a_check_that_does_not_run_shows_its_counts_alone() {
    let mut be1 = backend();
    let check = be1.servers[0].check.as_mut().unwrap();
    check.paused = true;
    let mut out = String::new();
    csv::header(&mut out);
    be1.rows().for_each(|row| csv::row(&mut out, &row));
    let lines: Vec<Vec<&str>> = out.lines().map(|line| line.split(',').collect()).collect();
    let cell = |name: &str| lines[1][lines[0].iter().position(|column| *column == name).unwrap()];
    assert_eq!((lines[1][1], cell("chkdown")), ("s1", "1"));
    for column in ["check_status", "check_code", "check_duration", "check_desc", "check_rise", "check_health"]
    {
        assert_eq!(cell(column), "", "{column}");
    }
}

#[test]
fn typed_lines_carry_position_tags_and_type() {
    let mut out = String::new();
    for row in backend().rows() {
        typed::row(&mut out, &row, false);
    }
    for line in [
        "S.4.1.0.pxname.1:KNSV:str:be1",
        "S.4.1.17.status.1:SGPV:str:UP",
        "S.4.1.18.weight.1:MaPV:u32:1",
        "S.4.1.19.act.1:SGPV:u32:1",
        "S.4.1.38.check_duration.1:MDPV:u64:2",
        "S.4.1.55.lastsess.1:MAPP:s32:-1",
        "S.4.1.56.last_chk.1:MOPV:str:",
        "S.4.8.57.last_agt.1:MOPV:str:ECONNREFUSED returned by OS (Connection refused)",
        "S.4.1.122.ssl_failed_ocsp_staple.1:MCPV:u64:0",
        "B.4.0.19.act.1:MGPV:u32:4",
        "B.4.0.143.h1_spliced_bytes_out.1:MCPV:u64:0",
    ] {
        assert!(out.lines().any(|found| found == line), "missing {line}");
    }
    assert!(!out.contains(".hanafail."), "empty values are left out");
}

#[test]
fn a_description_may_follow_a_typed_value() {
    let mut out = String::new();
    let proxy = frontend();
    typed::row(&mut out, &proxy.rows().next().expect("there is a frontend"), true);
    assert!(out.starts_with("F.2.0.0.pxname.1:KNSV:str:fe1:\"name of the proxy\"\n"), "{out}");
}

#[test]
fn json_is_an_array_of_arrays() {
    let mut out = String::new();
    let rows: Vec<_> = raw().rows().collect();
    json::rows(&mut out, &rows);
    let first = concat!(
        r#"[[{"objType":"Frontend","proxyId":3,"id":0,"field":{"pos":0,"name":"pxname"},"processNum":1,"#,
        r#""tags":{"origin":"Key","nature":"Name","scope":"Service"},"value":{"type":"str","value":"lraw"}},"#
    );
    assert!(out.starts_with(first), "{out}");
    assert!(out.ends_with("]]\n"));
    assert_eq!(out.matches("},{\"objType\":\"Server\"").count() + 1, rows[1].filled().count());
}

#[test]
fn metric_families_equal_those_of_haproxy() {
    let rows: Vec<_> =
        [frontend(), raw(), backend()].iter().flat_map(|proxy| proxy.rows().collect::<Vec<_>>()).collect();
    let mut out = String::new();
    prometheus::render(&mut out, &info(), &rows, prometheus::Selection::ALL);
    let families: Vec<_> =
        out.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    let expected: Vec<_> = include_str!("stats/haproxy-3.4-metrics.txt").lines().collect();
    assert_eq!(families.iter().zip(&expected).find(|(ours, theirs)| ours != theirs), None);
    assert_eq!(families.len(), expected.len());
    for line in [
        "haproxy_process_node{node=\"n\\\"1\"} 1",
        "haproxy_process_build_info{version=\"1.0\"} 1",
        "haproxy_frontend_status{proxy=\"fe1\",state=\"UP\"} 1",
        "haproxy_frontend_http_responses_total{proxy=\"fe1\",code=\"2xx\"} 5",
        "haproxy_listener_sessions_total{proxy=\"fe1\",listener=\"b1\"} 5",
        "haproxy_backend_total_time_average_seconds{proxy=\"be1\"} 0.006000",
        "haproxy_backend_agg_server_status{proxy=\"be1\",state=\"UP\"} 3",
        "haproxy_backend_agg_check_status{proxy=\"be1\",state=\"L4CON\"} 2",
        "haproxy_server_limit_sessions{proxy=\"be1\",server=\"s1\"} NaN",
        "haproxy_server_status{proxy=\"be1\",server=\"s5\",state=\"MAINT\"} 1",
        "haproxy_server_status{proxy=\"lraw\",server=\"t1\",state=\"UP\"} 1",
        "haproxy_server_check_status{proxy=\"be1\",server=\"s3\",state=\"L4CON\"} 1",
        "haproxy_server_check_code{proxy=\"be1\",server=\"s3\"} 0",
        "haproxy_server_last_session_seconds{proxy=\"be1\",server=\"s1\"} -1",
    ] {
        assert!(out.lines().any(|found| found == line), "missing {line}");
    }
    assert!(!out.contains("http_responses_total{proxy=\"lraw\""), "a TCP proxy has no HTTP counters");
    assert!(!out.contains("server_check_code{proxy=\"lraw\""), "a server without checks has no results");
}

#[test]
fn servers_in_maintenance_can_be_left_out_of_the_metrics() {
    let rows: Vec<_> = backend().rows().collect();
    let mut out = String::new();
    let selection = prometheus::Selection::parse("no-maint&scope=server").expect("the scope exists");
    prometheus::render(&mut out, &info(), &rows, selection);
    assert!(out.contains("server=\"s1\"") && !out.contains("server=\"s5\""));
    assert!(!out.contains("haproxy_process") && !out.contains("haproxy_backend"));
}

fn info() -> ProcessInfo {
    let mut info = ProcessInfo::default();
    (info.product, info.version, info.node, info.pid) = ("lb".into(), "1.0".into(), "n\"1".into(), 42);
    info.description = "d".into();
    info
}

fn page(request: &str, admin: bool, legends: bool) -> String {
    let mut options = PageOptions::default();
    "/stats".clone_into(&mut options.uri);
    options.show_legends = legends;
    options.show_modules = legends;
    options.refresh = Some(std::time::Duration::from_secs(5));
    let mut evil = ProxySnapshot::new("evil", 9, Capability::Backend, Mode::Http);
    evil.description = Some("<script>alert(1)</script>".to_owned());
    let mut server = server("\"><script>", 1, 1, ServerStatus::MaintVia("<img>".to_owned()));
    server.cookie = Some("'><script>".to_owned());
    let mut check = refused(2, 3);
    check.info = "<script>".to_owned();
    server.check = Some(check);
    evil.servers.push(server);
    let proxies = [frontend(), raw(), backend(), evil];
    Page {
        options: &options,
        request: &PageRequest::parse(request),
        info: &info(),
        proxies: &proxies,
        beside: None,
        admin,
    }
    .render()
}

#[test]
fn the_page_shows_every_line_in_its_colour() {
    let page = page("", false, false);
    for part in [
        "<title>Statistics Report for lb</title>",
        "<tr class=\"frontend\">",
        "<tr class=\"socket\">",
        "<tr class=\"active_up\"><td></td><td class=\"mid\" id=\"be1/s1\">",
        "<tr class=\"backup_down\"><td></td><td class=\"mid\" id=\"be1/s3\">",
        "<tr class=\"maintain\"><td></td><td class=\"mid\" id=\"be1/s5\">",
        "<tr class=\"active_no_check\"><td></td><td class=\"mid\" id=\"lraw/t1\">",
        "22s UP",
        "L7OK/200 in 2ms<span>Layer7 check passed</span>",
        "22s DOWN (agent)",
        "<a href=\"#be1/s1\">via be1/s1</a>",
        "30/30",
    ] {
        assert!(page.contains(part), "missing {part}");
    }
    assert!(!page.contains("<form method=\"post\"") && !page.contains("name=\"s\""), "not without admin");
    assert!(!page.contains("127.0.0.1:18091"), "addresses are legends");
}

#[test]
fn rows_have_as_many_cells_as_the_header() {
    for (legends, width) in [(false, 32), (true, 35)] {
        let page = page("", true, legends);
        let rows = page.split("<tr class=\"").skip(1).filter(|row| row.contains("class=\"mid\" id="));
        for row in rows {
            // Tooltips contain tables of their own.
            let mut row = row.split("</tr>\n").next().unwrap_or_default().to_owned();
            while let (Some(start), Some(end)) = (row.find("<table>"), row.find("</table>")) {
                row.replace_range(start..end + 8, "");
            }
            let spans: usize = row
                .split("<td")
                .skip(1)
                .map(|cell| cell.split('>').next().unwrap_or_default())
                .map(|tag| {
                    tag.split("colspan=\"").nth(1).map_or(1, |n| n.trim_end_matches('"').parse().unwrap_or(0))
                })
                .sum();
            assert_eq!(spans, width, "{row}");
        }
    }
}

#[test]
fn every_form_of_the_page_follows_the_request() {
    let (options, info, proxies) = (PageOptions::default(), info(), [frontend(), raw(), backend()]);
    let body = |request: &str| {
        let request = PageRequest::parse(request);
        render::body(&Page {
            options: &options,
            request: &request,
            info: &info,
            proxies: &proxies,
            beside: None,
            admin: false,
        })
    };
    let csv = body(";csv;up?scope=be1");
    let lines: Vec<_> = csv.lines().map(|line| line.split(',').nth(1).unwrap_or_default()).collect();
    assert_eq!(lines, ["svname", "s1", "s2", "s6", "BACKEND"]);
    assert!(body(";typed?scope=lraw").starts_with("F.3.0.0.pxname.1:KNSV:str:lraw\n"));
    assert!(body(";json?scope=nothing").eq("[]\n"));
    assert!(body(";json-schema").contains("\"$schema\""));
    assert!(body("").starts_with("<!DOCTYPE html>"));
}

#[test]
fn whoever_may_act_gets_a_form() {
    let page = page("", true, true);
    for part in [
        "<input type=\"checkbox\" name=\"s\" value=\"s1\">",
        "<select name=\"action\">",
        "<option value=\"maint\">Set state to MAINT</option>",
        "<input type=\"hidden\" name=\"b\" value=\"#4\">",
        "IPv4: 127.0.0.1:18091, id: 1, rid: 0, cookie: &#39;c1&#39;",
        "cap: backend, mode: http, id: 4",
    ] {
        assert!(page.contains(part), "missing {part}");
    }
    assert_eq!(page.matches("<form method=\"post\">").count(), 3, "frontends have no servers");
}

#[test]
fn nothing_from_outside_becomes_markup() {
    let page = page(";st=PART?scope=<script>", true, true);
    assert!(!page.contains("<script") && !page.contains("<img"), "{page}");
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
}

#[test]
fn options_change_what_is_shown_and_where_links_go() {
    let page = page(";up;norefresh;st=DONE?scope=BE1", true, false);
    assert!(
        page.contains("id=\"be1/s1\"") && !page.contains("id=\"be1/s3\"") && !page.contains("id=\"be1/s5\"")
    );
    assert!(!page.contains("id=\"fe1/Frontend\""));
    assert!(page.contains("Action processed successfully."));
    for link in [
        "<a href=\"/stats;norefresh?scope=BE1\">Show all servers</a>",
        "<a href=\"/stats;up?scope=BE1\">Enable refresh</a>",
        "<a href=\"/stats;up;norefresh?scope=BE1\">Refresh now</a>",
        "<a href=\"/stats;csv;norefresh?scope=BE1\">CSV export</a>",
        "<a title=\"Remove this message\" href=\"/stats;up;norefresh?scope=BE1\">[X]</a>",
        "value=\"BE1\"",
    ] {
        assert!(page.contains(link), "missing {link}");
    }
}

#[test]
fn what_runs_beside_the_engine_is_a_section_of_its_own_and_escaped() {
    let table =
        Table::from_text("Things <x>\tname\tstate\t\na\t<script>\tup & \"well\"\t\nb\tother\tdown\t\n");
    let page = |request: &str| {
        let request = PageRequest::parse(request);
        let (options, info) = (PageOptions::default(), info());
        Page {
            options: &options,
            request: &request,
            info: &info,
            proxies: &[],
            beside: Some(&table),
            admin: false,
        }
        .render()
    };
    let shown = page("");
    assert!(
        shown.contains("<span>Things &lt;x&gt;</span>") && shown.contains("<th>name</th><th>state</th>"),
        "{shown}"
    );
    assert!(shown.contains("<tr class=\"active_up\"><td class=\"mid\">&lt;script&gt;</td>"), "{shown}");
    assert!(shown.contains("<tr class=\"active_down\"><td class=\"mid\">other</td>"), "{shown}");
    assert!(!page("?scope=be1").contains("Things"), "whoever asks for certain proxies gets these");
}
