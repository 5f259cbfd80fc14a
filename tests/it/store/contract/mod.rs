//! What every engine does. Each test runs on the model and on the embedded engine.

/// Runs each test of a file on each engine.
macro_rules! contract {
    ($($test:ident)*) => {
        mod model {
            $(#[tokio::test]
            async fn $test() {
                super::$test(&seenby::store::model::ModelStore::default()).await;
            })*
        }

        mod embedded {
            use seenby::store::embedded::{EmbeddedStore, Options};

            $(#[tokio::test]
            async fn $test() {
                let directory = tempfile::tempdir().unwrap();
                let store = EmbeddedStore::open(directory.path(), Options::default()).unwrap();
                super::$test(&store).await;
            })*
        }
    };
}

mod changes;
mod clock;
mod exports;
mod marks;
mod messages;
mod rosters;
mod users;
