//! What was used last is kept, within a number of bytes.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;

/// Values by key, each with the bytes that it takes.
#[derive(Debug)]
pub(crate) struct Lru<K, V> {
    most: usize,
    bytes: usize,
    /// Counts uses; the entry with the smallest number was used longest ago.
    clock: u64,
    entries: HashMap<K, Entry<V>>,
}

#[derive(Debug)]
struct Entry<V> {
    value: V,
    bytes: usize,
    used: u64,
}

impl<K: Hash + Eq + Clone, V: Clone> Lru<K, V> {
    /// Room for so many bytes.
    pub(crate) fn new(most: usize) -> Self {
        Self { most, bytes: 0, clock: 0, entries: HashMap::new() }
    }

    /// The value of a key, which is used now.
    pub(crate) fn get<Q: Hash + Eq + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        self.clock += 1;
        let entry = self.entries.get_mut(key)?;
        entry.used = self.clock;
        Some(entry.value.clone())
    }

    /// Keeps a value in place of an older one of its key. Gives the keys that made room for it; what
    /// is larger than all the room is not kept.
    pub(crate) fn put(&mut self, key: K, value: V, bytes: usize) -> Vec<K> {
        let mut gone = Vec::new();
        self.remove(&key);
        if bytes > self.most {
            return gone;
        }
        while self.bytes + bytes > self.most {
            let oldest = self.entries.iter().min_by_key(|(_, entry)| entry.used);
            let Some(oldest) = oldest.map(|(key, _)| key.clone()) else { break };
            self.remove(&oldest);
            gone.push(oldest);
        }
        self.clock += 1;
        self.bytes += bytes;
        self.entries.insert(key, Entry { value, bytes, used: self.clock });
        gone
    }

    /// Forgets a key.
    pub(crate) fn remove<Q: Hash + Eq + ?Sized>(&mut self, key: &Q)
    where
        K: Borrow<Q>,
    {
        if let Some(entry) = self.entries.remove(key) {
            self.bytes -= entry.bytes;
        }
    }

    /// Bytes held.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Values held.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }
}
