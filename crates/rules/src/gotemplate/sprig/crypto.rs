//! Keys, certificates and passwords: known by name, so that the refusal says why.

use crate::gotemplate::functions::{Args, Env, Function, Ty, variadic};
use crate::gotemplate::value::Out;

const fn refused(name: &'static str) -> Function {
    variadic(name, &[], Ty::Any, refuse)
}

pub(super) static FUNCTIONS: &[Function] = &[
    refused("bcrypt"),
    refused("htpasswd"),
    refused("genPrivateKey"),
    refused("derivePassword"),
    refused("buildCustomCert"),
    refused("genCA"),
    refused("genCAWithKey"),
    refused("genSelfSignedCert"),
    refused("genSelfSignedCertWithKey"),
    refused("genSignedCert"),
    refused("genSignedCertWithKey"),
    refused("encryptAES"),
    refused("decryptAES"),
];

fn refuse(_: &Env<'_>, _: Args<'_>) -> Out {
    Err("functions that make or use keys, certificates and passwords are not available in rules"
        .into())
}
