//! `Failure`: why a request is not answered, as gRPC's codes and TensorFlow Serving's HTTP codes.

use std::fmt;

/// gRPC's codes, as far as a server has use for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// The request cannot be answered, whoever is asked.
    InvalidArgument,
    /// The model has nothing to answer the request with.
    FailedPrecondition,
    /// There is no such model, version or path.
    NotFound,
    /// The request has no token, or not the right one.
    Unauthenticated,
    /// The request is larger than what is read.
    TooLarge,
    /// The request did not arrive in time.
    TooSlow,
    /// More requests are being answered than there may be.
    ResourceExhausted,
    /// The answer would not be ready in time.
    DeadlineExceeded,
    /// Nothing is there yet to answer with.
    Unavailable,
    /// There is no such method.
    Unimplemented,
    /// Our mistake.
    Internal,
}

impl Code {
    /// HTTP's code for it.
    pub fn http(self) -> u16 {
        match self {
            Code::InvalidArgument | Code::FailedPrecondition => 400,
            Code::Unauthenticated => 401,
            Code::NotFound => 404,
            Code::TooSlow => 408,
            Code::TooLarge => 413,
            Code::ResourceExhausted => 429,
            Code::Internal => 500,
            Code::Unimplemented => 501,
            Code::Unavailable => 503,
            Code::DeadlineExceeded => 504,
        }
    }

    /// gRPC's number and name.
    pub fn grpc(self) -> (u8, &'static str) {
        match self {
            Code::InvalidArgument => (3, "INVALID_ARGUMENT"),
            Code::DeadlineExceeded | Code::TooSlow => (4, "DEADLINE_EXCEEDED"),
            Code::NotFound => (5, "NOT_FOUND"),
            Code::TooLarge | Code::ResourceExhausted => (8, "RESOURCE_EXHAUSTED"),
            Code::FailedPrecondition => (9, "FAILED_PRECONDITION"),
            Code::Unimplemented => (12, "UNIMPLEMENTED"),
            Code::Internal => (13, "INTERNAL"),
            Code::Unavailable => (14, "UNAVAILABLE"),
            Code::Unauthenticated => (16, "UNAUTHENTICATED"),
        }
    }
}

/// Why a request is not answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What kind of reason it is.
    pub code: Code,
    /// A sentence for people.
    pub message: String,
}

impl Failure {
    /// A reason.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Failure { code, message: message.into() }
    }

    /// The request is wrong.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(Code::InvalidArgument, message)
    }

    /// `{"error": "…"}`.
    pub fn body(&self) -> Vec<u8> {
        serde_json::json!({ "error": self.message }).to_string().into_bytes()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.grpc().1, self.message)
    }
}

impl From<engine::Error> for Failure {
    /// Of what is checked before it is computed, only a mistake of ours is left.
    fn from(error: engine::Error) -> Self {
        let detail = error.detail().map(|detail| format!(". {detail}")).unwrap_or_default();
        Failure::new(Code::Internal, format!("{}{detail}", error.message()))
    }
}
