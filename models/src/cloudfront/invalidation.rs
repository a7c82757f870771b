//! Invalidations: every cache of a distribution forgets some paths, each at its own instant.
//!
//! Copies are not looked for: each knows how many invalidations had come to its cache before it, and one that is found later is held
//! against those since.

use std::sync::Arc;

use super::settings::Invalidation;
use crate::request::Request;

/// The invalidations that have come to one cache, in order.
#[derive(Debug, Default)]
pub(super) struct Applied {
    invalidations: Vec<Arc<Invalidation>>,
}

impl Applied {
    #[inline]
    pub(super) fn count(&self) -> u32 {
        self.invalidations.len() as u32
    }

    pub(super) fn add(&mut self, invalidation: &Arc<Invalidation>) {
        self.invalidations.push(Arc::clone(invalidation));
    }

    /// Whether one of those after the first `epoch` is of what a request asks for.
    #[cold]
    pub(super) fn has_since(&self, epoch: u32, request: &Request) -> bool {
        self.invalidations[epoch as usize..].iter().any(|it| it.is_of(request))
    }
}

impl Invalidation {
    /// All variants of an object are dropped, whatever headers or cookies they were kept for (CloudFront developer guide, "Invalidating
    /// files").
    fn is_of(&self, request: &Request) -> bool {
        self.has_path.get(request.path.index()).copied().unwrap_or(false)
            && self.objects.as_ref().is_none_or(|objects| objects.contains(&request.object))
    }
}
