//! Names by which proxies and servers are known across reloads.
//!
//! A reload matches the old and the new configuration by name, so a name is an identity and not a mere label. Names are
//! reference-counted: a clone costs one counter and never copies text.

use std::borrow::Borrow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Eq, PartialOrd, Ord)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Makes a name of `text`; any text is accepted, what a dialect allows is the dialect's business.
            pub fn new(text: impl AsRef<str>) -> Self {
                Self(Arc::from(text.as_ref()))
            }

            /// The name's text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl PartialEq for $name {
            /// Names that were cloned from each other need not be read.
            #[inline]
            fn eq(&self, other: &Self) -> bool {
                Arc::ptr_eq(&self.0, &other.0) || self.0 == other.0
            }
        }

        impl Hash for $name {
            fn hash<H: Hasher>(&self, state: &mut H) {
                self.as_str().hash(state);
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self::new(text)
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        #[cfg(feature = "serde")]
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }
    };
}

name! {
    /// The name of a proxy (frontend, backend or listen section).
    ProxyName
}

name! {
    /// The name of a server inside its proxy.
    ServerName
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    #[test]
    fn names_are_the_same_when_their_texts_are() {
        let name = ServerName::new("www");
        assert!(name == name.clone() && name == ServerName::new("www"));
        assert!(name != ServerName::new("ww") && name != ServerName::new("ftp"));
    }

    #[test]
    fn a_map_keyed_by_names_is_searched_by_text() {
        let map = HashMap::from([(ProxyName::new("www"), 1)]);
        assert_eq!(map.get("www"), Some(&1));
        assert_eq!(map.get("ww"), None);
    }

    #[test]
    fn names_print_as_their_text() {
        assert_eq!(ServerName::from("s1").to_string(), "s1");
    }
}
