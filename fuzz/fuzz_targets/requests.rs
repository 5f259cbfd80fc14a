//! Every call of the API, from the head that hyper has read to the answer, over the model store.

#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use seenby::{
    domain::{Limits, Pace, Retention},
    http::{HttpLimits, Server, fuzzing::requests},
    process::{clock::Clock, metrics::Metrics},
    receipts::Ledger,
    store::model::ModelStore,
};

fuzz_target!(|bytes: &[u8]| {
    let store = Arc::new(ModelStore::default());
    let ledger = Ledger::new(store, Retention::default(), Pace::default(), Limits::default());
    let clock = Clock::manual(1_800_000_000_000);
    requests(&Server::new(ledger, clock, HttpLimits::default(), Arc::new(Metrics::new())), bytes);
});
