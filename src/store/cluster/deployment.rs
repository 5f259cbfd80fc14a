//! What holds for all conversations of a deployment: the format of its keys, the secret of `ETag`s, the next generation, and
//! whether it is being restored to. All of it in one hash.

use std::ops::Range;

use redis::Value;

use super::{
    engine::ClusterStore,
    link::Link,
    reply::{bytes, number},
    script,
};
use crate::{domain::Timestamp, store::StoreError};

/// How many generations are taken at a time: a second's worth, as they follow the clock in microseconds. So even if a
/// failover forgets that some were taken, they are not given twice.
const RESERVED: u64 = 1_000_000;

impl ClusterStore {
    /// The secret that `ETag`s are made with, the same for every process; `fresh` from now on if there is none.
    pub async fn etag_key(&self, fresh: [u8; 16]) -> Result<[u8; 16], StoreError> {
        let kept = self.set_once("etag", &fresh).await?;
        Link::expect(&kept, |kept| bytes(kept)?.try_into().ok())
    }

    /// The secret that `ETag`s are made with, if there is one.
    pub async fn kept_etag_key(&self) -> Result<Option<[u8; 16]>, StoreError> {
        let Some(kept) = self.field("etag").await? else { return Ok(None) };
        Link::expect(&kept, |kept| bytes(kept)?.try_into().ok()).map(Some)
    }

    /// What a field of the deployment holds; `value` from now on if it held nothing.
    pub(super) async fn set_once(&self, field: &str, value: &[u8]) -> Result<Value, StoreError> {
        // A server starts also while there are too few replicas for a write.
        if let Some(held) = self.field(field).await? {
            return Ok(held);
        }
        let key = self.link.keys.deployment();
        let mut set = redis::cmd("HSETNX");
        set.arg(&key).arg(field).arg(value);
        self.link.write(&key, set).await?;
        Ok(self.field(field).await?.unwrap_or(Value::Nil))
    }

    pub(super) async fn field(&self, field: &str) -> Result<Option<Value>, StoreError> {
        let key = self.link.keys.deployment();
        let mut get = redis::cmd("HGET");
        get.arg(&key).arg(field);
        Ok(Some(self.link.read(&key, get).await?).filter(|value| *value != Value::Nil))
    }

    pub(super) async fn set(&self, field: &str, value: &[u8]) -> Result<(), StoreError> {
        let key = self.link.keys.deployment();
        let mut set = redis::cmd("HSET");
        set.arg(&key).arg(field).arg(value);
        self.link.write(&key, set).await.map(drop)
    }

    pub(super) async fn unset(&self, field: &str) -> Result<(), StoreError> {
        let key = self.link.keys.deployment();
        let mut unset = redis::cmd("HDEL");
        unset.arg(&key).arg(field);
        self.link.write(&key, unset).await.map(drop)
    }

    /// `count` generations that no message ever had.
    pub(super) async fn generations(&self, count: u64, now: Timestamp) -> Result<Range<u64>, StoreError> {
        let mut left = self.generations.lock().await;
        if left.end - left.start < count {
            let reserved = count.max(RESERVED);
            let first = self.reserve(reserved, now.unix_ms.saturating_mul(1_000)).await?;
            *left = first..first + reserved;
        }
        let given = left.start..left.start + count;
        left.start = given.end;
        Ok(given)
    }

    /// Takes `count` generations that nobody was given, all at least `least`; the first of them.
    pub(super) async fn reserve(&self, count: u64, least: u64) -> Result<u64, StoreError> {
        let key = self.link.keys.deployment();
        let mut command = script::GENERATIONS.on(&key);
        command.arg(least).arg(count);
        let answer = self.link.write(&key, command).await?;
        Link::expect(&answer, number)
    }
}
