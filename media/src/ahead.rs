//! Memory that is fetched before it is needed.

use std::slice::from_ref;

use prefetch_index::prefetch_index;

/// Bytes that a processor fetches at once.
const LINE: usize = 64;

/// Has the processor fetch so many bytes from the beginning of this value on, and waits for nothing.
/// Does nothing where the processor has no instruction for it.
#[inline(always)]
pub(crate) fn fetch<T>(first: &T, bytes: usize) {
    const { assert!(LINE.is_multiple_of(size_of::<T>())) };
    // Addresses beyond the value are none that anything is read from.
    let fetch = |byte: usize| prefetch_index(from_ref(first), byte / size_of::<T>());
    for line in 0..bytes.div_ceil(LINE) {
        fetch(line * LINE);
    }
    // A value that begins within a line ends in one more.
    fetch(bytes.saturating_sub(1));
}
