//! Look-ups in maps.

use std::sync::Arc;

use crate::expr::Env;
use crate::expr::arg::{Arg, ArgType, Args};
use crate::expr::def::{Build, ConvDef, Prepare};
use crate::expr::map::{Output, ViewSpec};
use crate::expr::pattern::{Flags, Method};
use crate::expr::sample::{OwnedSample, Sample};

/// One converter per matching method and output type.
pub(super) static CONVERTERS: &[ConvDef] = &[
    map("map", Method::Str, Output::Str, |a, b| load(a, b, Method::Str, Output::Str)),
    map("map_str", Method::Str, Output::Str, |a, b| load(a, b, Method::Str, Output::Str)),
    map("map_beg", Method::Beg, Output::Str, |a, b| load(a, b, Method::Beg, Output::Str)),
    map("map_sub", Method::Sub, Output::Str, |a, b| load(a, b, Method::Sub, Output::Str)),
    map("map_dir", Method::Dir, Output::Str, |a, b| load(a, b, Method::Dir, Output::Str)),
    map("map_dom", Method::Dom, Output::Str, |a, b| load(a, b, Method::Dom, Output::Str)),
    map("map_end", Method::End, Output::Str, |a, b| load(a, b, Method::End, Output::Str)),
    map("map_reg", Method::Reg, Output::Str, |a, b| load(a, b, Method::Reg, Output::Str)),
    map("map_regm", Method::RegGroups, Output::Str, |a, b| load(a, b, Method::RegGroups, Output::Str)),
    map("map_int", Method::Int, Output::Str, |a, b| load(a, b, Method::Int, Output::Str)),
    map("map_ip", Method::Ip, Output::Str, |a, b| load(a, b, Method::Ip, Output::Str)),
    map("map_str_int", Method::Str, Output::Int, |a, b| load(a, b, Method::Str, Output::Int)),
    map("map_beg_int", Method::Beg, Output::Int, |a, b| load(a, b, Method::Beg, Output::Int)),
    map("map_sub_int", Method::Sub, Output::Int, |a, b| load(a, b, Method::Sub, Output::Int)),
    map("map_dir_int", Method::Dir, Output::Int, |a, b| load(a, b, Method::Dir, Output::Int)),
    map("map_dom_int", Method::Dom, Output::Int, |a, b| load(a, b, Method::Dom, Output::Int)),
    map("map_end_int", Method::End, Output::Int, |a, b| load(a, b, Method::End, Output::Int)),
    map("map_reg_int", Method::Reg, Output::Int, |a, b| load(a, b, Method::Reg, Output::Int)),
    map("map_int_int", Method::Int, Output::Int, |a, b| load(a, b, Method::Int, Output::Int)),
    map("map_ip_int", Method::Ip, Output::Int, |a, b| load(a, b, Method::Ip, Output::Int)),
    map("map_str_ip", Method::Str, Output::Addr, |a, b| load(a, b, Method::Str, Output::Addr)),
    map("map_beg_ip", Method::Beg, Output::Addr, |a, b| load(a, b, Method::Beg, Output::Addr)),
    map("map_sub_ip", Method::Sub, Output::Addr, |a, b| load(a, b, Method::Sub, Output::Addr)),
    map("map_dir_ip", Method::Dir, Output::Addr, |a, b| load(a, b, Method::Dir, Output::Addr)),
    map("map_dom_ip", Method::Dom, Output::Addr, |a, b| load(a, b, Method::Dom, Output::Addr)),
    map("map_end_ip", Method::End, Output::Addr, |a, b| load(a, b, Method::End, Output::Addr)),
    map("map_reg_ip", Method::Reg, Output::Addr, |a, b| load(a, b, Method::Reg, Output::Addr)),
    map("map_int_ip", Method::Int, Output::Addr, |a, b| load(a, b, Method::Int, Output::Addr)),
    map("map_ip_ip", Method::Ip, Output::Addr, |a, b| load(a, b, Method::Ip, Output::Addr)),
    map("map_str_key", Method::Str, Output::Key, |a, b| load(a, b, Method::Str, Output::Key)),
    map("map_beg_key", Method::Beg, Output::Key, |a, b| load(a, b, Method::Beg, Output::Key)),
    map("map_sub_key", Method::Sub, Output::Key, |a, b| load(a, b, Method::Sub, Output::Key)),
    map("map_dir_key", Method::Dir, Output::Key, |a, b| load(a, b, Method::Dir, Output::Key)),
    map("map_dom_key", Method::Dom, Output::Key, |a, b| load(a, b, Method::Dom, Output::Key)),
    map("map_end_key", Method::End, Output::Key, |a, b| load(a, b, Method::End, Output::Key)),
    map("map_reg_key", Method::Reg, Output::Key, |a, b| load(a, b, Method::Reg, Output::Key)),
    map("map_int_key", Method::Int, Output::Key, |a, b| load(a, b, Method::Int, Output::Key)),
    map("map_ip_key", Method::Ip, Output::Key, |a, b| load(a, b, Method::Ip, Output::Key)),
];

const fn map(name: &'static str, method: Method, output: Output, prepare: Prepare) -> ConvDef {
    // The key form takes no default value.
    let args: &'static [ArgType] =
        if matches!(output, Output::Key) { &[ArgType::Str] } else { &[ArgType::Str, ArgType::Str] };
    ConvDef::new(name, method.input(), output.ty(), look_up).args(1, args).prepare(prepare)
}

/// Loads the map named by argument 0 and parses the default value.
fn load(args: &mut Args, build: &mut dyn Build, method: Method, output: Output) -> Result<(), String> {
    let reference = build.patterns(args.str(0).unwrap_or(""), true)?;
    let spec = ViewSpec { method, ignore_case: false, output };
    let view = reference.view(spec, Flags::default())?;
    if let Some(text) = args.str(1) {
        let default = output.parse("", Some(text)).map_err(|_| match output {
            Output::Addr => format!("map: cannot parse default ip <{text}>."),
            _ => format!("failed to parse '{text}' as type 'integer' at position 2"),
        })?;
        args.set(1, Arg::Prepared(Arc::new(default)));
    }
    args.set(0, Arg::Map(view));
    Ok(())
}

fn look_up<'a>(env: &Env<'a>, args: &'a Args, sample: Sample<'a>) -> Option<Sample<'a>> {
    let Some(Arg::Map(view)) = args.get(0) else { return None };
    view.lookup(sample, env.arena)
        .or_else(|| args.prepared::<Option<OwnedSample>>(1)?.as_ref().map(OwnedSample::as_sample))
}
