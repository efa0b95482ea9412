//! What commands to a running program say in words of the configuration.

use lb_core::expr::parse::parse_words;
use lb_core::expr::{NoBuild, Phases, Registry};
use lb_core::log::{Style, Template};
use lb_core::spec::VariableValue;

/// The value of `set var`: an expression that takes all of `words`, or a format in the only one.
///
/// # Errors
/// What is wrong with it, in the words of HAProxy's control socket.
pub fn variable(words: &[String], format: bool, registry: &Registry) -> Result<VariableValue, String> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let first = words.first().copied().unwrap_or_default();
    if format {
        let template = Template::parse(first, Style::Plain, Phases::CLI, registry, &mut NoBuild);
        return template.map(VariableValue::Format).map_err(|error| error.to_string());
    }
    let (program, used) = parse_words(&words, registry, &mut NoBuild).map_err(|error| error.to_string())?;
    if let Some(extra) = words.get(used) {
        return Err(format!("unexpected argument '{extra}'"));
    }
    if !program.needs().phases().intersects(Phases::CLI) {
        let text = program.text();
        return Err(format!("'{text}' extracts information that is not available here"));
    }
    Ok(VariableValue::Expression(program))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str, format: bool) -> Result<VariableValue, String> {
        let words: Vec<_> = text.split(' ').map(str::to_owned).collect();
        variable(&words, format, &Registry::builtin())
    }

    #[test]
    fn values_are_expressions_or_formats() {
        assert!(matches!(value("int(4) add(1)", false), Ok(VariableValue::Expression(_))));
        assert!(matches!(value("%[int(4)]-x", true), Ok(VariableValue::Format(_))));
        assert_eq!(value("nosuch", false).unwrap_err(), "unknown fetch method 'nosuch'");
        assert_eq!(value("int(4) nosuch", false).unwrap_err(), "unexpected argument 'nosuch'");
        assert!(value("src", false).unwrap_err().contains("not available here"));
        assert!(value("%[src]", true).is_err());
    }
}
