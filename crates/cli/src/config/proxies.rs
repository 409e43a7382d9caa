//! The variables that name proxies, as they are shown. The HTTP client reads them itself.

use super::show::masked;
use super::{Environment, Origin, Setting};

/// In the order of precedence; of two spellings the first that there is counts.
const VARIABLES: [[&str; 2]; 4] = [
    ["HTTPS_PROXY", "https_proxy"],
    ["HTTP_PROXY", "http_proxy"],
    ["ALL_PROXY", "all_proxy"],
    ["NO_PROXY", "no_proxy"],
];

/// What is set of them, without passwords.
pub(super) fn find(environment: &Environment) -> Vec<Setting<String>> {
    let set = VARIABLES.iter().filter_map(|names| environment.first(names));
    set.map(|(name, value)| Setting { value: shown(value), origin: Origin::Variable(name) })
        .collect()
}

/// A proxy may be named without its scheme.
fn shown(value: &str) -> String {
    match value.split_once("://") {
        Some(_) => masked(value),
        None => masked(&format!("http://{value}")).trim_start_matches("http://").to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn passwords_are_not_shown() {
        let variables = [
            ("https_proxy", "http://me:secret@proxy.lan:3128"),
            ("HTTP_PROXY", "me:secret@proxy.lan:3128"),
            ("NO_PROXY", ".lan,10.0.0.0/8"),
        ];
        let found = find(&Environment::for_tests(Path::new("/nonexistent"), &variables));
        let found: Vec<_> =
            found.iter().map(|found| format!("{}={}", found.origin, found.value)).collect();
        let expected = [
            "https_proxy=http://***@proxy.lan:3128",
            "HTTP_PROXY=***@proxy.lan:3128",
            "NO_PROXY=.lan,10.0.0.0/8",
        ];
        assert_eq!(found, expected);
    }
}
