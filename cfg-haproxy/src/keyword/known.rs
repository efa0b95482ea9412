//! What becomes of the sample fetches and converters that the registry has: of those not named here, what the manual says.

use super::Status;
use super::Status::{NoEffect, NoValue, Partial};

/// Names, a `*` at one end standing for anything, and what becomes of them; the first that fits counts.
type Entry = (&'static str, Status);

const UNTOLD: Status = NoValue("the TLS library does not tell it");
const LOGGED: Status = Partial("in TCP mode only in logs");
const GLITCHES: Status = Partial("glitches are not counted: always 0");
const NO_ERROR: Status = Partial("always 0: a chain that fails ends the handshake");
const STANDS: Status = Partial("0 on connections that stand");
const HTTP_MODE: Status = Partial("in HTTP mode only");

const FETCHES: &[Entry] = &[
    ("fc_nb_streams bc_nb_streams fc_settings_streams_limit bc_settings_streams_limit", HTTP_MODE),
    ("fc_glitches bc_glitches", GLITCHES),
    ("fs.id bs.id fs.rst_code bs.rst_code", NoValue("streams have no numbers, HTTP/1")),
    ("fs.aborted bs.aborted", NoValue("use `txn.sess_term_state`")),
    ("last_entity waiting_entity", NoValue("use `last_rule_file` and `last_rule_line`")),
    ("ssl_fc_session_id ssl_bc_session_id ssl_fc_unique_id ssl_bc_unique_id", UNTOLD),
    ("ssl_fc_client_random ssl_bc_client_random ssl_fc_server_random ssl_bc_server_random", UNTOLD),
    ("ssl_fc_err_str ssl_bc_err_str", NoValue("use `fc_err_str` in `error-log-format`")),
    ("ssl_bc_sni", NoValue("the name sent to the server is not kept")),
    ("ssl_f_*", NoValue("the TLS library does not tell which certificate it presented")),
    ("ssl_fc_npn ssl_bc_npn", NoValue("NPN is gone from TLS; use `ssl_fc_alpn`")),
    ("*_glitch_cnt *_glitch_rate", GLITCHES),
    ("ssl_fc_err ssl_bc_err", STANDS),
    ("ssl_c_verify ssl_c_err ssl_c_ca_err ssl_c_ca_err_depth", NO_ERROR),
    ("cur_* fc_http_major bc_http_major bc_reused", HTTP_MODE),
    ("accept_date request_date bytes_in bytes_out req.bytes_in res.bytes_in", LOGGED),
    ("fc.timer.* bc.timer.* req.timer.* res.timer.* txn.timer.*", LOGGED),
    ("txn.conn_retries txn.redispatched txn.sess_term_state bc_be_queue bc_srv_queue", LOGGED),
];

const CONVERTERS: &[Entry] = &[
    ("debug", NoEffect("its output is not written; the value passes unchanged")),
    ("digest", Partial("SHA-1, SHA-2, SHA-512/256 and SHA3 only")),
    ("hmac", Partial("SHA-1 and SHA-2 only")),
    ("aes_gcm_enc aes_gcm_dec", Partial("nonces of 96 bits only")),
    (
        "jwt_decrypt_cert jwt_verify_cert",
        Partial("not by certificates in directories or in one file for each kind of key"),
    ),
    ("jwt_verify", Partial("a variable may hold a secret, not the path of a key")),
    ("x509_v_err_str", Partial("codes up to 37")),
    ("*_glitch_cnt *_glitch_rate", GLITCHES),
];

/// What becomes of a sample fetch of the registry.
pub fn fetch_status(name: &str) -> Status {
    status(FETCHES, name)
}

/// What becomes of a converter of the registry.
pub fn converter_status(name: &str) -> Status {
    status(CONVERTERS, name)
}

fn status(entries: &[Entry], name: &str) -> Status {
    let entry = entries.iter().find(|(names, _)| names.split(' ').any(|pattern| fits(pattern, name)));
    entry.map_or(Status::Full, |(_, status)| *status)
}

fn fits(pattern: &str, name: &str) -> bool {
    match (pattern.strip_suffix('*'), pattern.strip_prefix('*')) {
        (Some(start), _) => name.starts_with(start),
        (_, Some(end)) => name.ends_with(end),
        _ => pattern == name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lb_core::expr::Registry;

    #[test]
    fn every_name_is_that_of_a_word_that_exists() {
        let mut registry = Registry::builtin();
        lb_proto_http::fetch::register(&mut registry);
        let fetches: Vec<&str> = registry.fetches().map(|def| def.name).collect();
        let converters: Vec<&str> = registry.converters().map(|def| def.name).collect();
        for (entries, known) in [(FETCHES, fetches), (CONVERTERS, converters)] {
            for pattern in entries.iter().flat_map(|(names, _)| names.split(' ')) {
                assert!(known.iter().any(|name| fits(pattern, name)), "{pattern}");
            }
        }
    }

    #[test]
    fn the_first_entry_that_fits_counts() {
        assert!(matches!(fetch_status("ssl_bc_sni"), NoValue(_)));
        assert_eq!(fetch_status("ssl_bc_cipher"), Status::Full);
        assert_eq!(fetch_status("sc0_glitch_rate"), GLITCHES);
        assert_eq!(fetch_status("src"), Status::Full);
        assert_eq!(converter_status("lower"), Status::Full);
    }
}
