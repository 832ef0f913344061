//! The wire walker by hand-written bytes, and against another protobuf decoder.
