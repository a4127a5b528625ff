//! What of Java shows in what AWS gives: the numbers of `java.util.Random`, and the order in which
//! `HashMap` and `HashSet` hand out what they hold, for `States.ArrayUnique` and for the computed
//! members of a payload template.
//!
//! Recorded on AWS, for booleans, strings, numbers, null, arrays and names
//! (github.com/gabrielmoreira/tiny-asl-machine, States.ArrayUnique 002 to 011, Map.State 006): a
//! table of 16 buckets that doubles when it is more than three quarters full.

use serde_json::Value;

const FIRST_BUCKETS: usize = 16;

/// What `new Random(seed).nextDouble()` gives (java.util.Random, the algorithm of its documentation).
pub(crate) fn random_double(seed: i64) -> f64 {
    const MULTIPLIER: u64 = 0x5_DEEC_E66D;
    const MASK: u64 = (1 << 48) - 1;
    let mut state = (seed.cast_unsigned() ^ MULTIPLIER) & MASK;
    let mut next = |bits: u32| {
        state = state.wrapping_mul(MULTIPLIER).wrapping_add(0xB) & MASK;
        state >> (48 - bits)
    };
    let (high, low) = (next(26), next(27));
    ((high << 27) + low) as f64 / (1_u64 << 53) as f64
}

/// `items`, none of which is there twice, in the order of their buckets.
pub(crate) fn in_hash_order<T>(items: Vec<T>, hash: impl Fn(&T) -> i32) -> Vec<T> {
    let mut buckets = FIRST_BUCKETS;
    while items.len() > buckets / 4 * 3 {
        buckets *= 2;
    }
    let mut placed: Vec<(usize, T)> = items
        .into_iter()
        .map(|item| {
            let hash = hash(&item).cast_unsigned();
            (((hash ^ (hash >> 16)) as usize) & (buckets - 1), item)
        })
        .collect();
    // What shares a bucket stays as it came.
    placed.sort_by_key(|(bucket, _)| *bucket);
    placed.into_iter().map(|(_, item)| item).collect()
}

/// `Object.hashCode` of what Java reads the value into.
pub(crate) fn of_value(value: &Value) -> i32 {
    match value {
        Value::Null => 0,
        Value::Bool(true) => 1231,
        Value::Bool(false) => 1237,
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => i32::try_from(whole).unwrap_or_else(|_| folded(whole)),
            (None, Some(double)) => folded(double.to_bits().cast_signed()),
            (None, None) => 0,
        },
        Value::String(text) => of_text(text),
        Value::Array(items) => {
            items.iter().fold(1_i32, |sum, item| sum.wrapping_mul(31).wrapping_add(of_value(item)))
        }
        Value::Object(members) => members
            .iter()
            .fold(0_i32, |sum, (name, member)| sum.wrapping_add(of_text(name) ^ of_value(member))),
    }
}

/// `String.hashCode`.
pub(crate) fn of_text(text: &str) -> i32 {
    text.encode_utf16().fold(0_i32, |sum, unit| sum.wrapping_mul(31).wrapping_add(i32::from(unit)))
}

/// The two halves of a long over each other.
fn folded(long: i64) -> i32 {
    (long ^ (long.cast_unsigned() >> 32).cast_signed()) as i32
}
