//! What stands for values that a conversation has not.

use core::fmt;
use minijinja::Value;
use minijinja::value::{Object, ObjectRepr};
use std::sync::Arc;

/// Python's `None`, which unlike the one here cannot be walked through by `for`.
#[derive(Debug)]
pub(super) struct Nothing;

impl Nothing {
    /// The test `none`.
    pub(super) fn is(value: &Value) -> bool {
        value.is_none() || value.downcast_object_ref::<Self>().is_some()
    }
}

impl Object for Nothing {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn is_true(self: &Arc<Self>) -> bool {
        false
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("None")
    }
}
