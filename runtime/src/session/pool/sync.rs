//! What the threads of a pool share is made of these: the standard library's, or loom's, which
//! tries every order in which threads can run and every value that an atomic can have.

#[cfg(not(loom))]
pub(super) use core::{
    hint,
    sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering, fence},
};
#[cfg(loom)]
pub(super) use loom::{
    cell::UnsafeCell,
    hint,
    sync::Arc,
    sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering, fence},
    thread::{self, JoinHandle},
};
#[cfg(not(loom))]
pub(super) use std::{
    sync::Arc,
    thread::{self, JoinHandle},
};

/// The standard library's cell, accessed as loom's is.
#[cfg(not(loom))]
pub(super) struct UnsafeCell<T>(core::cell::UnsafeCell<T>);

#[cfg(not(loom))]
impl<T> UnsafeCell<T> {
    pub(super) fn new(value: T) -> Self {
        Self(core::cell::UnsafeCell::new(value))
    }

    /// Hands `access` a pointer to read through.
    pub(super) fn with<R>(&self, access: impl FnOnce(*const T) -> R) -> R {
        access(self.0.get())
    }

    /// Hands `access` a pointer to write through.
    pub(super) fn with_mut<R>(&self, access: impl FnOnce(*mut T) -> R) -> R {
        access(self.0.get())
    }
}
