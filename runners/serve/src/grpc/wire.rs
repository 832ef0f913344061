//! Calls with one message each way, as gRPC sends them over HTTP/2: the length before a message, and the
//! status behind it.

use std::time::Duration;

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::Response;
use http_body_util::{BodyExt, Full};
use percent_encoding::{AsciiSet, CONTROLS, percent_encode};
use prost::bytes::{BufMut, Bytes, BytesMut};

use crate::failure::{Code, Failure};

const TYPE: HeaderValue = HeaderValue::from_static("application/grpc");
const STATUS: HeaderName = HeaderName::from_static("grpc-status");
const MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
/// What messages that are compressed may be compressed by: nothing.
const ENCODING: HeaderName = HeaderName::from_static("grpc-accept-encoding");
/// A flag and a length.
const HEAD: usize = 5;
/// How long whoever calls waits for an answer.
const TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");
/// What a status's message cannot hold as it is.
const SPECIAL: &AsciiSet = &CONTROLS.add(b'%');

/// The message of a body.
pub(crate) fn message(mut body: Bytes) -> Result<Bytes, Failure> {
    let Some((&[flag, a, b, c, d], rest)) = body.split_first_chunk::<HEAD>() else {
        return Err(Failure::invalid("the body is no message: it is cut off"));
    };
    if flag != 0 {
        let what = "the message is compressed, which is not understood; send it as it is";
        return Err(Failure::new(Code::Unimplemented, what));
    }
    let length = u32::from_be_bytes([a, b, c, d]);
    if rest.len() != length as usize {
        let what = format!("the message has {length} bytes, and {} are there", rest.len());
        return Err(Failure::invalid(what));
    }
    Ok(body.split_off(HEAD))
}

/// How long whoever calls waits for an answer, if it is said: up to eight digits and a unit.
pub(crate) fn timeout(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(TIMEOUT)?.to_str().ok()?;
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let number = number.parse::<u32>().ok().filter(|n| *n < 100_000_000)?;
    Some(match unit {
        "H" => Duration::from_hours(number.into()),
        "M" => Duration::from_mins(number.into()),
        "S" => Duration::from_secs(number.into()),
        "m" => Duration::from_millis(number.into()),
        "u" => Duration::from_micros(number.into()),
        "n" => Duration::from_nanos(number.into()),
        _ => return None,
    })
}

/// A message and that all is well, or a status alone.
pub(crate) fn response(answer: Result<Vec<u8>, &Failure>) -> Response {
    let mut response = match answer {
        Ok(message) => {
            let mut body = BytesMut::with_capacity(HEAD + message.len());
            body.put_u8(0);
            // There is no answer of 4 GiB: columns end at 2 GiB of values.
            body.put_u32(message.len() as u32);
            body.put_slice(&message);
            let trailers = HeaderMap::from_iter([(STATUS, HeaderValue::from_static("0"))]);
            let body = Full::new(body.freeze()).with_trailers(async { Some(Ok(trailers)) });
            Response::new(Body::new(body))
        }
        Err(failure) => {
            let mut response = Response::new(Body::empty());
            let (number, _) = failure.code.grpc();
            let text = percent_encode(failure.message.as_bytes(), SPECIAL).to_string();
            response.headers_mut().insert(STATUS, u16::from(number).into());
            response.headers_mut().insert(ENCODING, HeaderValue::from_static("identity"));
            if let Ok(text) = HeaderValue::from_maybe_shared(Bytes::from(text)) {
                response.headers_mut().insert(MESSAGE, text);
            }
            response
        }
    };
    response.headers_mut().insert(CONTENT_TYPE, TYPE);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_that_a_client_waits_is_read() {
        let check = |text: &'static str, expected: Option<Duration>| {
            let headers = HeaderMap::from_iter([(TIMEOUT, HeaderValue::from_static(text))]);
            assert_eq!(timeout(&headers), expected, "{text}");
        };
        check("1S", Some(Duration::from_secs(1)));
        check("250m", Some(Duration::from_millis(250)));
        check("0n", Some(Duration::ZERO));
        check("99999999H", Some(Duration::from_hours(99_999_999)));
        for text in ["", "S", "1", "1s", "-1S", "1.5S", "100000000S", "S1", "1 S"] {
            check(text, None);
        }
        assert_eq!(timeout(&HeaderMap::new()), None);
    }
}
