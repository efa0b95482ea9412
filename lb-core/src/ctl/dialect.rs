//! What commands say in words of the configuration: the engine has it read by whoever read the configuration.

use crate::spec::{ProxySpec, ServerSpec, VariableValue};
use std::fmt::Debug;

/// Reads what a command writes in words of the configuration's dialect.
pub trait Dialect: Debug + Send + Sync {
    /// The value of `set var`: an expression in `words`, or a format in the only one.
    ///
    /// # Errors
    /// What is wrong with it, in words for the operator.
    fn value(&self, words: &[String], format: bool) -> Result<VariableValue, String>;

    /// The server called `name` that `words` describe, its address first, for `backend`. Its number is 0 unless the words
    /// give one.
    ///
    /// # Errors
    /// What is wrong with it, in words for the operator.
    fn server(&self, backend: &ProxySpec, name: &str, words: &[String]) -> Result<ServerSpec, String>;
}
