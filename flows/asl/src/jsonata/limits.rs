//! What one evaluation may cost.

/// Bytes of an expression's text. A whole definition has 1 MiB at most.
pub(super) const MOST_SOURCE: usize = 64 * 1024;
/// Levels of an expression's parts within one another.
pub(super) const MOST_NESTING: usize = 200;
/// AWS: "A JSONata expression that takes longer than 1 second to evaluate will fail".
pub(super) const MOST_MILLISECONDS: u64 = 1000;
/// Levels of evaluation: of parts within parts, and of calls. AWS allows 100.
pub(super) const MOST_LEVELS: usize = 200;
/// Bytes of one value, a number counted as eight and a character as one: AWS's measured bound.
pub(super) const MOST_WEIGHT: usize = 6_990_256;
/// Items of one sequence: as many numbers as [`MOST_WEIGHT`] holds.
pub(super) const MOST_ITEMS: usize = 873_782;
/// Numbers `$range` makes: AWS's measured bound.
pub(super) const MOST_IN_RANGE: usize = 360_145;
/// Bytes that may be built in one evaluation, what is dropped again included.
pub(super) const MOST_BUILT: usize = 64 * MOST_WEIGHT;
/// Bytes of a text that is split or encoded, and of one that is matched: each part costs many.
pub(super) const MOST_SPLIT: usize = 1024 * 1024;
pub(super) const MOST_MATCHED: usize = 256 * 1024;
/// The widest a component of a date picture may be, which is written as a number.
pub(super) const MOST_WIDTH: usize = 100;
/// Bytes of a time that is read by a picture, and of the picture.
pub(super) const MOST_TIMESTAMP: usize = 1000;
/// Parts of such a picture.
pub(super) const MOST_PARTS: usize = 40;
/// Bytes of a number's picture: each separator in it is compared with all the digits.
pub(super) const MOST_PICTURE: usize = 4096;
/// Bytes of a number that is read by a picture: each character is compared with all separators, each
/// word with all numerals.
pub(super) const MOST_NUMERAL: usize = 64 * 1024;
/// The largest number that is written in Roman numerals, whose thousands are as many letters.
pub(super) const LARGEST_ROMAN: f64 = 1e7;
/// A place in a text is taken as this at most: sums of two such places are numbers.
pub(super) const FARTHEST: f64 = 1e9;
/// AWS's words for too much memory.
pub(super) const MEMORY: &str =
    "Expression evaluation memory limit exceeded: Check for excessive memory usage";
