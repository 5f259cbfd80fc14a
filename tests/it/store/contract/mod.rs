//! What every engine does. Each test runs on the model, on the embedded engine and on the cluster.

/// Runs each test of a file on each engine; with `of one instant:` before them on those that can export one.
macro_rules! contract {
    (of one instant: $($test:ident)*) => {
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
    ($($test:ident)*) => {
        contract! { of one instant: $($test)* }

        mod with_tools {
            $(#[tokio::test(flavor = "multi_thread")]
            #[ignore = "needs Valkey; tests/run runs it"]
            async fn $test() {
                super::$test(&crate::cluster::fresh_store().await).await;
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
