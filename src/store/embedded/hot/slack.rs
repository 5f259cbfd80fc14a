//! How tables that are always in memory grow.

/// How much more to reserve, exactly, for `more` entries to fit: nothing if there is room, else an eighth of the
/// whole. Doubling would leave a quarter of the memory unused on average; this copies an entry eight times over its
/// life in place of once.
pub(in crate::store::embedded) fn slack(len: usize, capacity: usize, more: usize) -> usize {
    if capacity - len < more { more.max(len / 8) } else { 0 }
}
