//! Has the pace that clients are told follow the load.
//!
//! Owns what of it is logged and shown. How load is measured is in `process/load`, what follows from it in `domain/pace`.

use std::{sync::Arc, time::Duration};

use tokio::task::JoinHandle;

use crate::{
    domain::Stretch,
    process::{
        load::{Load, Meter},
        metrics::Metrics,
    },
    receipts::Ledger,
};

/// Has the pace follow the load, a second at a time.
pub(super) fn spawn(ledger: Ledger, stretch: Stretch, metrics: Arc<Metrics>) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut meter = Meter::begin(&ledger.vitals());
        let mut pacing = Pacing::begin(ledger.clone(), stretch, metrics);
        loop {
            let (load, took) = meter.look(|| ledger.vitals()).await;
            pacing.look(load, took);
        }
    })
}

/// From a load to the pace that clients are told.
struct Pacing {
    ledger: Ledger,
    stretch: Stretch,
    metrics: Arc<Metrics>,
    /// The longest pace since it was the base, which the log has.
    told_ms: u64,
}

impl Pacing {
    fn begin(ledger: Ledger, stretch: Stretch, metrics: Arc<Metrics>) -> Self {
        let base = Duration::from_millis(stretch.every_ms());
        metrics.paced_from(base);
        metrics.paced(base, &Load::default());
        Self { ledger, told_ms: stretch.every_ms(), stretch, metrics }
    }

    /// This load was there for so long.
    fn look(&mut self, load: Load, took: Duration) {
        let every_ms = self.stretch.look(load.most(), took);
        self.ledger.set_pace(every_ms);
        self.metrics.paced(Duration::from_millis(every_ms), &load);
        let Load { processor, waiting, commit } = load;
        if every_ms > self.told_ms {
            // Of each part of the load, 1 is as much as there should be.
            tracing::info!(
                every_ms,
                processor,
                waiting,
                commit,
                "under load, pulls are asked to come more rarely"
            );
            self.told_ms = every_ms;
        } else if !self.stretch.is_stretched() && self.told_ms > every_ms {
            tracing::info!(every_ms, "pulls are asked to come as often as before");
            self.told_ms = every_ms;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::{
            Audience, ConversationId, Limits, MessageId, MessageIdRef, Pace, Registration, Retention,
            Timestamp, UserId, Viewer,
        },
        store::model::ModelStore,
    };

    /// What clients are told that pull a message which can still change.
    async fn told(ledger: &Ledger) -> u64 {
        let pulls = vec![(ConversationId::new("c").unwrap(), vec![MessageIdRef::new("m").unwrap()])];
        let screen = ledger.pull(pulls, &Viewer::App, Timestamp { unix_ms: 1 }).await.unwrap();
        screen.poll.unwrap().every_ms
    }

    #[tokio::test]
    async fn pulls_are_told_the_pace_that_the_load_makes() {
        let store = Arc::new(ModelStore::default());
        let ledger = Ledger::new(store, Retention::default(), Pace::default(), Limits::default());
        let sent = Registration {
            message: MessageId::new("m").unwrap(),
            sender: UserId::new("alice").unwrap(),
            audience: Audience::Users(vec![UserId::new("bob").unwrap()]),
            expires_in_s: None,
            expires_at: crate::domain::ExpiresAt { unix_s: 9 },
            order: None,
        };
        let (c, now) = (ConversationId::new("c").unwrap(), Timestamp { unix_ms: 1 });
        ledger.register(c, sent, now).await.unwrap();
        let mut pacing = Pacing::begin(ledger.clone(), Stretch::new(2_000, 10_000), Arc::default());
        assert_eq!(told(&ledger).await, 2_000);
        let much = Load { processor: 1.25, ..Load::default() };
        (0..10).for_each(|_| pacing.look(much, Duration::from_secs(2)));
        assert!(told(&ledger).await > 2_000);
        (0..100).for_each(|_| pacing.look(Load::default(), Duration::from_secs(2)));
        assert_eq!(told(&ledger).await, 2_000);
    }
}
