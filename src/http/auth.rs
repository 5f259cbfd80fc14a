//! Who may make which call: the table of routes, applied to a caller.
//!
//! Without access control every caller is an app. What a user may *see* is not decided here: what is not theirs to see
//! does not exist for them, and that is the store's to say.

use std::sync::Arc;

use hyper::{
    HeaderMap,
    header::{AUTHORIZATION, HeaderValue},
};

use super::{problem::Failure, route::Access};
use crate::{
    access::{Caller, Keyring},
    domain::{Role, Timestamp, Viewer, Visibility},
    wire::Code,
};

/// Who sends a request.
pub(super) fn caller(
    keys: &Keyring,
    headers: &HeaderMap,
    now: impl FnOnce() -> Timestamp,
) -> Result<Caller, Failure> {
    if !keys.is_closed() {
        return Ok(Caller::Anybody);
    }
    let mut fields = headers.get_all(AUTHORIZATION).iter();
    let (Some(field), None) = (fields.next(), fields.next()) else {
        return Err(unauthenticated("send 'Authorization: Bearer' once, with an API key or a user token"));
    };
    let credential = field.to_str().ok().and_then(bearer);
    let credential = credential.ok_or_else(|| {
        unauthenticated("'Authorization' is not of the form 'Bearer' and an API key or a user token")
    })?;
    keys.caller(credential, now()).map_err(|rejection| unauthenticated(rejection.to_string()))
}

/// A caller, and what it showed: for those who are served for long.
#[derive(Debug)]
pub(super) struct Shown {
    keys: Arc<Keyring>,
    caller: Caller,
    credential: HeaderMap,
}

impl Shown {
    /// What the sender of a request showed, who is `caller` by it.
    pub(super) fn new(keys: Arc<Keyring>, caller: Caller, headers: &HeaderMap) -> Self {
        // A copy: a field's value keeps all that was read with it.
        let copy = |field: &HeaderValue| HeaderValue::from_bytes(field.as_bytes()).ok();
        let fields = headers.get_all(AUTHORIZATION).iter().filter_map(copy);
        Self { keys, caller, credential: fields.map(|field| (AUTHORIZATION, field)).collect() }
    }

    /// Whether it would be let in now as the same: a token ends, and keys are replaced.
    pub(super) fn is_good(&self, now: Timestamp) -> bool {
        caller(&self.keys, &self.credential, || now).is_ok_and(|caller| caller == self.caller)
    }
}

fn unauthenticated(detail: impl Into<std::borrow::Cow<'static, str>>) -> Failure {
    Failure::new(Code::Unauthenticated, detail).challenges()
}

/// The credential of the scheme `Bearer` (RFC 6750, section 2.1), whose name is in any case.
fn bearer(field: &str) -> Option<&str> {
    let (scheme, credential) = field.split_once(' ')?;
    let credential = credential.trim_matches(' ');
    (scheme.eq_ignore_ascii_case("bearer") && !credential.is_empty()).then_some(credential)
}

/// Refuses a call that is not the caller's to make. `named` is the user in the path, where there is one.
pub(super) fn permit(access: Access, caller: &Caller, named: Option<&str>) -> Result<(), Failure> {
    let Caller::User(user) = caller else { return Ok(()) };
    match access {
        Access::Open | Access::User => Ok(()),
        Access::Yourself if named == Some(user.as_str()) => Ok(()),
        Access::Yourself => Err(not_yourself()),
        Access::App => Err(Failure::new(Code::NotAllowed, Code::NotAllowed.explanation())),
    }
}

/// Somebody else is named where only the caller may be.
pub(super) fn not_yourself() -> Failure {
    Failure::new(Code::NotYourself, Code::NotYourself.explanation())
}

/// In whose name a caller marks.
pub(super) fn role(caller: &Caller) -> Role {
    match caller {
        Caller::Anybody | Caller::App(_) => Role::App,
        Caller::User(_) => Role::User,
    }
}

/// What a caller may see.
pub(super) fn viewer(caller: &Caller, sees: Visibility) -> Viewer {
    match caller {
        Caller::Anybody | Caller::App(_) => Viewer::App,
        Caller::User(user) => Viewer::User { user: user.clone(), sees },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_stands_behind_its_scheme() {
        assert_eq!(bearer("Bearer abc"), Some("abc"));
        assert_eq!(bearer("bEARER   abc "), Some("abc"));
        for bad in ["", "Bearer", "Bearer ", "Basic abc", "abc", "Bearer\tabc", " Bearer abc"] {
            assert_eq!(bearer(bad), None, "{bad:?}");
        }
    }
}
