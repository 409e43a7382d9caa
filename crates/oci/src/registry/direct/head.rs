//! The head of an answer, and how long the body behind it is (RFC 9112, sections 4 to 6).

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};

use super::Fault;

/// The most bytes that a head may have.
pub(super) const MOST: usize = 64 * 1024;
/// The most headers that it may have.
const HEADERS: usize = 100;

/// The head of an answer.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) length: Length,
    /// Whether the connection can be used again behind the body.
    pub(super) lasting: bool,
}

/// How long a body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Length {
    /// So many bytes.
    Known(u64),
    /// In chunks, of which the last one is empty.
    Chunked,
    /// As long as the connection.
    ToTheEnd,
}

/// What there is of a head.
#[derive(Debug)]
pub(super) enum Parsed {
    /// All of it, and how many bytes it had.
    Whole(Head, usize),
    /// Not all of it.
    Part,
}

impl Head {
    /// Reads the head of the answer to a question with `method` at the front of `bytes`.
    pub(super) fn parse(bytes: &[u8], method: &Method) -> Result<Parsed, Fault> {
        let mut found = [httparse::EMPTY_HEADER; HEADERS];
        let mut answer = httparse::Response::new(&mut found);
        let length = match answer.parse(bytes) {
            Ok(httparse::Status::Complete(length)) => length,
            Ok(httparse::Status::Partial) => return Ok(Parsed::Part),
            Err(httparse::Error::Version) => return Err(Fault::Foreign),
            Err(_) => return Err(Fault::garbage("its answer is no HTTP")),
        };
        let code = answer.code.unwrap_or_default();
        let status = StatusCode::from_u16(code).map_err(|_| Fault::garbage("a status is none"))?;
        // A copy of just the head, which all values share: they may be kept for long.
        let own = Bytes::copy_from_slice(&bytes[..length]);
        let start = bytes.as_ptr().addr();
        let mut headers = HeaderMap::with_capacity(answer.headers.len());
        for found in answer.headers.iter() {
            let at = found.value.as_ptr().addr().saturating_sub(start);
            let value = own.get(at..at + found.value.len()).map(|value| own.slice_ref(value));
            let value = value.and_then(|value| HeaderValue::from_maybe_shared(value).ok());
            let (Ok(name), Some(value)) = (HeaderName::from_bytes(found.name.as_bytes()), value)
            else {
                return Err(Fault::garbage("a header of its answer is none"));
            };
            headers.append(name, value);
        }
        let newest = answer.version == Some(1);
        let (body, framed) = body(&headers, status, method)?;
        let lasting = newest && framed && !says_close(&headers);
        Ok(Parsed::Whole(Head { status, headers, length: body, lasting }, length))
    }
}

/// How long the body is, and whether that is said clearly enough to go on behind it.
fn body(headers: &HeaderMap, status: StatusCode, method: &Method) -> Result<(Length, bool), Fault> {
    let bare = method == Method::HEAD || status.is_informational();
    if bare || matches!(status.as_u16(), 204 | 304) {
        return Ok((Length::Known(0), true));
    }
    let lengths = headers.get_all(header::CONTENT_LENGTH);
    if headers.contains_key(header::TRANSFER_ENCODING) {
        let codings = tokens(headers, &header::TRANSFER_ENCODING);
        let mut codings = codings.filter(|coding| !coding.is_empty());
        let chunked = codings.next().is_some_and(|coding| coding.eq_ignore_ascii_case("chunked"));
        if !chunked || codings.next().is_some() {
            return Err(Fault::garbage("its answer has a transfer coding that is not known"));
        }
        // With a length as well, somebody in between may see another end than we do.
        return Ok((Length::Chunked, lengths.iter().next().is_none()));
    }
    let mut known = None;
    for value in lengths {
        let digits = value.to_str().ok().filter(|text| text.bytes().all(|b| b.is_ascii_digit()));
        let length: Option<u64> = digits.and_then(|text| text.parse().ok());
        if length.is_none() || known.is_some_and(|known| Some(known) != length) {
            return Err(Fault::garbage("the length of its answer is unclear"));
        }
        known = length;
    }
    Ok(known.map_or((Length::ToTheEnd, false), |length| (Length::Known(length), true)))
}

fn says_close(headers: &HeaderMap) -> bool {
    tokens(headers, &header::CONNECTION).any(|word| word.eq_ignore_ascii_case("close"))
}

/// The words of a header that is a list.
fn tokens<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let values = headers.get_all(name).into_iter();
    // What is no text is no word that is known.
    values.flat_map(|value| value.to_str().unwrap_or("?").split(',').map(str::trim))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn length(lines: &str) -> Result<(Length, bool), ()> {
        let text = format!("HTTP/1.1 200 OK\r\n{lines}\r\n");
        match Head::parse(text.as_bytes(), &Method::GET) {
            Ok(Parsed::Whole(head, all)) => {
                assert_eq!(all, text.len());
                Ok((head.length, head.lasting))
            }
            Ok(Parsed::Part) => panic!("{lines}"),
            Err(_) => Err(()),
        }
    }

    #[test]
    fn where_a_body_ends() {
        assert_eq!(length("Content-Length: 5\r\n"), Ok((Length::Known(5), true)));
        assert_eq!(
            length("Content-Length: 5\r\nContent-Length: 5\r\n"),
            Ok((Length::Known(5), true))
        );
        assert_eq!(length("Transfer-Encoding: chunked\r\n"), Ok((Length::Chunked, true)));
        assert_eq!(length(""), Ok((Length::ToTheEnd, false)));
        let both = "Transfer-Encoding: Chunked\r\nContent-Length: 5\r\n";
        assert_eq!(length(both), Ok((Length::Chunked, false)), "not used again");
        let close = "Connection: keep-alive, Close\r\nContent-Length: 5\r\n";
        assert_eq!(length(close), Ok((Length::Known(5), false)));
        for unclear in [
            "Content-Length: 5\r\nContent-Length: 6\r\n",
            "Content-Length: +5\r\n",
            "Content-Length: \r\n",
            "Content-Length: 99999999999999999999\r\n",
            "Transfer-Encoding: gzip, chunked\r\n",
            "Transfer-Encoding: identity\r\n",
            "A header: 1\r\n",
            " folded: 1\r\n",
        ] {
            assert_eq!(length(unclear), Err(()), "{unclear}");
        }
    }

    #[test]
    fn answers_without_a_body() {
        for (status, method) in [(200, Method::HEAD), (304, Method::GET), (204, Method::GET)] {
            let text = format!("HTTP/1.1 {status} x\r\nContent-Length: 5\r\n\r\n");
            let Ok(Parsed::Whole(head, _)) = Head::parse(text.as_bytes(), &method) else {
                panic!("{text}")
            };
            assert_eq!((head.length, head.lasting), (Length::Known(0), true));
            assert_eq!(head.headers[header::CONTENT_LENGTH], "5");
        }
    }

    #[test]
    fn what_is_no_answer() {
        let parse = |text: &str| Head::parse(text.as_bytes(), &Method::GET);
        assert!(matches!(parse("HTTP/1.1 200 OK\r\nContent-"), Ok(Parsed::Part)));
        assert!(matches!(parse("\u{15}\u{3}\u{1}"), Err(Fault::Foreign)));
        let many = format!("HTTP/1.1 200 OK\r\n{}", "A: b\r\n".repeat(HEADERS + 1));
        assert!(matches!(parse(&many), Err(Fault::Broken(_))));
    }
}
