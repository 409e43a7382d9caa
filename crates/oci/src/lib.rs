//! OCI types, the [`store`] seam with its implementations, and the verbs that move images.
//!
//! A [`store::Store`] is the content of one repository wherever it lives: in memory, in an image
//! layout on disk, in an archive, in a registry. Every verb is a plan over stores and one executor.
//! Nothing here prints, reads the environment or knows the command line: what happens is told to
//! an [`observe::Observer`].
//!
//! Modules may import only what stands before them:
//! `types · observe · inventory · store · registry · graph · stores · mirror`.

pub mod graph;
pub mod inventory;
pub mod mirror;
pub mod observe;
pub mod registry;
pub mod store;
pub mod stores;
pub mod types;
