//! Pages of a sorted list, and the `Link` to the next (RFC 8288).

use http::HeaderValue;
use url::form_urlencoded;

use super::error::Failure;
use super::query::Query;

/// A page, and where the next begins.
pub(super) struct Page<T> {
    pub(super) items: Vec<T>,
    pub(super) next: Option<HeaderValue>,
}

/// The page of `items`, sorted by `key`, that `query` asks for with `n` and `last`. `path` is the
/// endpoint's; `kept` are further parameters that the next page needs.
pub(super) fn page<T>(
    items: Vec<T>,
    key: impl Fn(&T) -> &str,
    query: &Query,
    most: usize,
    path: &str,
    kept: &[(&str, &str)],
) -> Result<Page<T>, Failure> {
    let asked = query.get("n").map(str::parse::<usize>).transpose();
    let asked = asked.map_err(|_| invalid("n must be a number"))?;
    let size = asked.unwrap_or(most).min(most);
    let last = query.get("last").filter(|last| !last.is_empty());
    let mut left = items.into_iter().filter(|item| last.is_none_or(|last| key(item) > last));
    let items: Vec<T> = left.by_ref().take(size).collect();
    let next = match items.last() {
        Some(last) if left.next().is_some() => {
            let query = form_urlencoded::Serializer::new(String::new())
                .append_pair("n", &size.to_string())
                .append_pair("last", key(last))
                .extend_pairs(kept)
                .finish();
            let link = format!("<{path}?{query}>; rel=\"next\"");
            Some(HeaderValue::try_from(link).map_err(|_| invalid("the query cannot be repeated"))?)
        }
        _ => None,
    };
    Ok(Page { items, next })
}

fn invalid(message: &str) -> Failure {
    Failure::new(http::StatusCode::BAD_REQUEST, "PAGINATION_NUMBER_INVALID", message)
}
