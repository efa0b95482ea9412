//! Arguments of fetches and converters: declared types and parsed values.

use std::any::Any;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use super::map::View;
use super::regex::Regex;
use super::vars::VarName;

/// What an argument must look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ArgType {
    /// Any text.
    Str,
    /// A signed integer.
    Int,
    /// A duration with an optional unit; milliseconds by default.
    Time,
    /// A size with an optional `k`, `m` or `g`.
    Size,
    /// An IPv4 address.
    Ipv4,
    /// An IPv4 mask: dotted or a bit count.
    Mask4,
    /// An IPv6 mask: an address or a bit count.
    Mask6,
    /// A frontend; the current proxy when empty.
    Frontend,
    /// A backend; the current proxy when empty.
    Backend,
    /// A stick table; the current proxy's when empty.
    Table,
    /// `backend/server`, or a server of the current proxy.
    Server,
    /// A user list.
    Userlist,
    /// A regular expression.
    Regex,
    /// A variable name with its scope.
    Var,
    /// Dotted field numbers, `1.5.2`.
    Fields,
}

impl ArgType {
    /// The name used in messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Str => "string",
            Self::Int => "integer",
            Self::Time => "delay",
            Self::Size => "size",
            Self::Ipv4 => "IPv4 address",
            Self::Mask4 => "IPv4 mask",
            Self::Mask6 => "IPv6 mask",
            Self::Frontend => "frontend",
            Self::Backend => "backend",
            Self::Table => "table",
            Self::Server => "server",
            Self::Userlist => "user list",
            Self::Regex => "regex",
            Self::Var => "variable",
            Self::Fields => "protocol buffers fields number",
        }
    }
}

/// A parsed argument.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Arg {
    /// Text, and names of proxies, tables and user lists.
    Str(Box<str>),
    /// Integers, milliseconds, bytes.
    Int(i64),
    /// An IPv4 address or mask.
    Ipv4(Ipv4Addr),
    /// An IPv6 address or mask.
    Ipv6(Ipv6Addr),
    /// A server.
    Server {
        /// Backend name.
        backend: Box<str>,
        /// Server name.
        server: Box<str>,
    },
    /// A compiled regular expression.
    Regex(Regex),
    /// A variable.
    Var(VarName),
    /// Field numbers.
    Fields(Box<[u64]>),
    /// A map, ready for look-ups.
    Map(Arc<View>),
    /// Anything a `prepare` function computed in advance.
    Prepared(Arc<dyn Any + Send + Sync>),
}

/// The arguments of one fetch or converter call.
#[derive(Clone, Debug, Default)]
pub struct Args(Vec<Arg>);

impl Args {
    /// No arguments.
    pub const EMPTY: Self = Self(Vec::new());

    /// From parsed values.
    pub const fn new(args: Vec<Arg>) -> Self {
        Self(args)
    }

    /// How many were given.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether none was given.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// One argument.
    pub fn get(&self, at: usize) -> Option<&Arg> {
        self.0.get(at)
    }

    /// A text argument.
    pub fn str(&self, at: usize) -> Option<&str> {
        match self.0.get(at)? {
            Arg::Str(s) => Some(s),
            _ => None,
        }
    }

    /// An integer argument.
    pub fn int(&self, at: usize) -> Option<i64> {
        match self.0.get(at)? {
            Arg::Int(n) => Some(*n),
            _ => None,
        }
    }

    /// A variable argument.
    pub fn var(&self, at: usize) -> Option<&VarName> {
        match self.0.get(at)? {
            Arg::Var(name) => Some(name),
            _ => None,
        }
    }

    /// A regular expression argument.
    pub fn regex(&self, at: usize) -> Option<&Regex> {
        match self.0.get(at)? {
            Arg::Regex(regex) => Some(regex),
            _ => None,
        }
    }

    /// A value computed by a `prepare` function.
    pub fn prepared<T: 'static>(&self, at: usize) -> Option<&T> {
        match self.0.get(at)? {
            Arg::Prepared(any) => any.downcast_ref(),
            _ => None,
        }
    }

    /// Replaces argument `at`, or appends when it is the next one; for `prepare` functions.
    pub fn set(&mut self, at: usize, value: Arg) {
        if let Some(slot) = self.0.get_mut(at) {
            *slot = value;
        } else {
            self.0.push(value);
        }
    }

    /// Appends a value; for `prepare` functions.
    pub fn push(&mut self, value: Arg) {
        self.0.push(value);
    }
}
