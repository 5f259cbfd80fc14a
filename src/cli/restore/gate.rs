//! Where a restore can be ended from outside: while it waits for more of its input, and makes nothing.

use std::{
    io::{self, Read},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

/// Open, until it is shut for good.
#[derive(Debug, Default)]
pub(super) struct Gate {
    is_shut: AtomicBool,
    inside: Mutex<()>,
}

impl Gate {
    /// Waits until whoever is inside comes out to read. Nobody comes in again.
    pub(super) fn shut(&self) {
        self.is_shut.store(true, Ordering::SeqCst);
        std::mem::forget(self.enter());
    }

    fn enter(&self) -> MutexGuard<'_, ()> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An input whose reader is inside, but while it waits for more.
#[derive(Debug)]
pub(super) struct Gated<'a, R> {
    input: R,
    gate: &'a Gate,
    inside: Option<MutexGuard<'a, ()>>,
}

impl<'a, R> Gated<'a, R> {
    pub(super) fn new(input: R, gate: &'a Gate) -> Self {
        Self { input, gate, inside: Some(gate.enter()) }
    }
}

impl<R: Read> Read for Gated<'_, R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.inside = None;
        // Whoever shuts it might come too late each time, if the input is always there at once.
        while self.gate.is_shut.load(Ordering::SeqCst) {
            thread::park();
        }
        let read = self.input.read(into);
        self.inside = Some(self.gate.enter());
        read
    }
}
