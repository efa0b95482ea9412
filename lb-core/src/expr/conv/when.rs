//! Values that are wanted only under some condition.

use std::sync::Arc;

use crate::expr::Env;
use crate::expr::arg::{Arg, ArgType, Args};
use crate::expr::def::{Build, ConvDef};
use crate::expr::sample::{Sample, SampleType};
use crate::log::{Cause, Record};
use crate::rule::cond::{Acl, Answer};

/// Converters that pass or drop their input.
pub(super) static CONVERTERS: &[ConvDef] = &[
    ConvDef::new("when", SampleType::Any, SampleType::Same, when)
        .args(1, &[ArgType::Str, ArgType::Str])
        .prepare(prepare),
    ConvDef::new("x509_v_err_str", SampleType::Int, SampleType::Str, |env, _, sample| {
        let code = sample.to_int()?;
        match usize::try_from(code)
            .ok()
            .and_then(|code| VERIFY_ERRORS.get(code))
            .filter(|name| !name.is_empty())
        {
            Some(name) => {
                env.arena.build(|out| out.extend([b"X509_V_", name.as_bytes()].concat())).map(Sample::Str)
            }
            None => sample.to_str(env.arena).map(Sample::Str),
        }
    }),
];

enum Condition {
    Error,
    Normal,
    Forwarded,
    ToApplet,
    Processed,
    Stopping,
    Acl(Arc<Acl>),
}

fn prepare(args: &mut Args, build: &mut dyn Build) -> Result<(), String> {
    let text = args.str(0).unwrap_or("");
    let (name, negated) = text.strip_prefix('!').map_or((text, false), |name| (name, true));
    let condition = match name {
        "error" => Condition::Error,
        "normal" => Condition::Normal,
        "forwarded" => Condition::Forwarded,
        "toapplet" => Condition::ToApplet,
        "processed" => Condition::Processed,
        "stopping" => Condition::Stopping,
        "acl" => {
            let acl = args.str(1).unwrap_or("");
            Condition::Acl(build.acl(acl).ok_or_else(|| format!("ACL '{acl}' not found"))?)
        }
        other => {
            return Err(format!(
                "expects a supported keyword among {{error,forwarded,normal,processed,stopping,toapplet,acl}} \
                 but got '{other}'"
            ));
        }
    };
    args.set(0, Arg::Prepared(Arc::new((condition, negated))));
    Ok(())
}

fn when<'a>(env: &Env<'a>, args: &Args, sample: Sample<'a>) -> Option<Sample<'a>> {
    let (condition, negated) = args.prepared::<(Condition, bool)>(0)?;
    let record = || env.facts.record();
    // An applet answers in place of a server: something has a name but no address.
    let forwarded = |record: &Record<'_>| record.server_addr.is_some();
    let applet = |record: &Record<'_>| record.server.is_some() && record.server_addr.is_none();
    let holds = match condition {
        Condition::Error => record().is_some_and(|record| failed(&record)),
        Condition::Normal => !record().is_some_and(|record| failed(&record)),
        Condition::Forwarded => record().is_some_and(|record| forwarded(&record)),
        Condition::ToApplet => record().is_some_and(|record| applet(&record)),
        Condition::Processed => record().is_some_and(|record| forwarded(&record) || applet(&record)),
        Condition::Stopping => env.facts.engine().is_stopping(),
        Condition::Acl(acl) => acl.eval(env) == Answer::Yes,
    };
    (holds != *negated).then_some(sample)
}

/// The same rules as `option dontlog-normal`.
fn failed(record: &Record<'_>) -> bool {
    let cause = record.termination.cause;
    record.redispatched
        || !record.termination.is_normal()
        || (cause == Cause::Normal && record.retries > 0)
        || (record.http_mode && record.status >= 500)
}

/// Names of OpenSSL's verification results by number, without their common prefix.
const VERIFY_ERRORS: [&str; 38] = [
    "OK",
    "ERR_UNSPECIFIED",
    "ERR_UNABLE_TO_GET_ISSUER_CERT",
    "ERR_UNABLE_TO_GET_CRL",
    "ERR_UNABLE_TO_DECRYPT_CERT_SIGNATURE",
    "ERR_UNABLE_TO_DECRYPT_CRL_SIGNATURE",
    "ERR_UNABLE_TO_DECODE_ISSUER_PUBLIC_KEY",
    "ERR_CERT_SIGNATURE_FAILURE",
    "ERR_CRL_SIGNATURE_FAILURE",
    "ERR_CERT_NOT_YET_VALID",
    "ERR_CERT_HAS_EXPIRED",
    "ERR_CRL_NOT_YET_VALID",
    "ERR_CRL_HAS_EXPIRED",
    "ERR_ERROR_IN_CERT_NOT_BEFORE_FIELD",
    "ERR_ERROR_IN_CERT_NOT_AFTER_FIELD",
    "ERR_ERROR_IN_CRL_LAST_UPDATE_FIELD",
    "ERR_ERROR_IN_CRL_NEXT_UPDATE_FIELD",
    "ERR_OUT_OF_MEM",
    "ERR_DEPTH_ZERO_SELF_SIGNED_CERT",
    "ERR_SELF_SIGNED_CERT_IN_CHAIN",
    "ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
    "ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE",
    "ERR_CERT_CHAIN_TOO_LONG",
    "ERR_CERT_REVOKED",
    "",
    "ERR_PATH_LENGTH_EXCEEDED",
    "ERR_INVALID_PURPOSE",
    "ERR_CERT_UNTRUSTED",
    "ERR_CERT_REJECTED",
    "ERR_SUBJECT_ISSUER_MISMATCH",
    "ERR_AKID_SKID_MISMATCH",
    "ERR_AKID_ISSUER_SERIAL_MISMATCH",
    "ERR_KEYUSAGE_NO_CERTSIGN",
    "ERR_UNABLE_TO_GET_CRL_ISSUER",
    "ERR_UNHANDLED_CRITICAL_EXTENSION",
    "ERR_KEYUSAGE_NO_CRL_SIGN",
    "ERR_UNHANDLED_CRITICAL_CRL_EXTENSION",
    "ERR_INVALID_NON_CA",
];
