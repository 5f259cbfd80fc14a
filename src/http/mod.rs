//! The wire: the one place, beside `client`, that knows HTTP.
