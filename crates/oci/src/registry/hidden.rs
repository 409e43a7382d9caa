//! Hosts that hide from strangers what is private: a bare request is answered with 403 or 404 rather
//! than asked who sends it. Where there are credentials for such a host, it is asked once what it
//! wants.

use std::sync::atomic::AtomicU32;

use http::Method;

use super::answer::Answer;
use super::auth::Scopes;
use super::call::{Call, Insist, Lent, Payload, Read};
use super::course::Course;
use super::failure::ERROR_BODY;
use super::identity::Identity;
use super::kind::Kind;
use super::limits::Lane;
use super::proof::Proof;
use super::wire::Wire;

impl Wire {
    /// Whether a call that was sent bare, and found nothing, is to be sent again as somebody. No
    /// request is sent where there are no credentials, nor where the host is known to be open.
    pub(super) async fn introduced(
        &self,
        call: &Call,
        who: &Identity<'_>,
        proof: &Proof,
        answer: &mut Answer,
    ) -> bool {
        let hides = matches!(answer.status.as_u16(), 403 | 404) && !answer.foreign;
        // That a blob is not there yet is what most hear who write it, and writing asks by itself.
        let reads = call.method == Method::GET || call.method == Method::HEAD;
        let asks = reads && !matches!(call.kind, Kind::BlobHead | Kind::Base);
        if !hides || !asks || *proof != Proof::None {
            return false;
        }
        if !who.authority.may_have_more(who.scopes).await {
            return false;
        }
        // It needs room of its own.
        call.permit.keep(answer.permit.take());
        let ask = async {
            let base = base(call, who);
            if let Ok(answer) = self.send_once(&base, &Proof::None).await
                && answer.status == http::StatusCode::UNAUTHORIZED
                && !answer.foreign
            {
                who.authority.challenged(&answer.headers, &Scopes::none(), &Proof::None);
            }
        };
        who.authority.introduce(ask).await
    }
}

/// A question for nothing in particular, with the headers that the operator set.
fn base(call: &Call, who: &Identity<'_>) -> Call {
    let own = call.headers.iter().filter(|(_, value)| value.is_sensitive());
    Call {
        kind: Kind::Base,
        method: Method::GET,
        url: who.authority.base().clone(),
        headers: own.map(|(name, value)| (name.clone(), value.clone())).collect(),
        payload: Payload::None,
        lane: Lane::Small,
        place: call.place.clone(),
        read: Read::Whole(ERROR_BODY),
        hasty: true,
        insist: Insist::default(),
        permit: Lent::default(),
        course: Course::default(),
        cuts: AtomicU32::new(0),
    }
}
