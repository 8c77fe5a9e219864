//! A machine as it is now.

use crate::{Board, Cores, Identity, Memory, Power, Root, Threads, Zone};
use serde::Serialize;

/// Threads are shed from this far below the point where clocks are lowered: a core without a heat
/// sink gains about a degree a second, and each second sheds a thread.
const SHEDS_BEFORE_CELSIUS: f64 = 3.0;
/// A limit below this is taken for a mistake: an idle board in a warm room may exceed it.
const ROOM_CELSIUS: f64 = 45.0;

/// What a machine says of itself.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Machine {
    /// What it calls itself.
    pub identity: Identity,
    /// Its cores.
    pub cores: Cores,
    /// Its memory.
    pub memory: Memory,
    /// Bytes of a page, where known.
    pub page_bytes: Option<usize>,
    /// Its thermometers.
    pub zones: Vec<Zone>,
    /// What its firmware says of power and clock; `None` for boards whose firmware says nothing.
    pub power: Option<Power>,
}

impl Machine {
    /// Reads the files below a root. Takes bounded time and memory, whatever they hold.
    pub fn read(root: &Root, page_bytes: Option<usize>) -> Self {
        Self {
            identity: Identity::read(root),
            cores: Cores::read(root),
            memory: Memory::read(root),
            page_bytes,
            zones: Zone::read_all(root),
            power: Power::read(root),
        }
    }

    /// Threads to use: the board's, but no more than there are fast cores; without a board's word
    /// as many as those. `None` where the system does not tell its cores.
    pub fn threads(&self, board: &Board) -> Option<Threads> {
        let fast = u32::try_from(self.cores.fast().cpus.len()).ok().filter(|&fast| fast > 0)?;
        Some(board.threads.unwrap_or(Threads { decode: fast, prefill: fast }).at_most(fast))
    }

    /// From where clocks are lowered: what the board's file says, else the trip points.
    pub fn slows_celsius(&self, board: &Board) -> Option<f64> {
        let told = board.thermal.map(|thermal| f64::from(thermal.slows_celsius));
        told.or_else(|| Zone::slows(&self.zones))
    }

    /// From where a running model takes fewer threads: what the board's file says, else shortly
    /// before clocks are lowered. `None` where neither is known, or it is what a warm room could be.
    pub fn sheds_celsius(&self, board: &Board) -> Option<f64> {
        let told = board.thermal.and_then(|thermal| thermal.sheds_celsius).map(f64::from);
        let before = || Some(self.slows_celsius(board)? - SHEDS_BEFORE_CELSIUS);
        told.or_else(before).filter(|&celsius| celsius >= ROOM_CELSIUS)
    }
}
