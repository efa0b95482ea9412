//! What commands say in words of the configuration: the engine has it read by whoever read the configuration.

use crate::spec::VariableValue;
use std::fmt::Debug;

/// Reads what a command writes in words of the configuration's dialect.
pub trait Dialect: Debug + Send + Sync {
    /// The value of `set var`: an expression in `words`, or a format in the only one.
    ///
    /// # Errors
    /// What is wrong with it, in words for the operator.
    fn value(&self, words: &[String], format: bool) -> Result<VariableValue, String>;
}
