//! The functions of the language, and those that Step Functions adds.

mod arrays;
mod higher;
pub(super) mod matching;
mod numbers;
mod objects;
mod reading;
mod replacing;
mod states;
mod strings;
pub(super) mod text;

pub(super) use strings::splittable;

use super::coding;
use super::error::Result;
use super::evaluate::Evaluation;
use super::own;
use super::syntax::signature::Signature;
use super::value::Value;
use std::collections::HashMap;
use std::sync::LazyLock;

type Run = fn(&mut Evaluation<'_>, &[Value]) -> Result;

/// A function of the language.
pub(super) struct BuiltIn {
    pub(super) name: &'static str,
    /// None for one that looks at its arguments itself.
    pub(super) signature: Option<Signature>,
    /// How many values it is called with by `$map` and its like.
    pub(super) arity: usize,
    pub(super) run: Run,
}

impl std::fmt::Debug for BuiltIn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// Name, signature and arity of each, which are JSONata 2.0.6's; without a signature AWS's.
const TABLE: &[(&str, &str, usize, Run)] = &[
    ("abs", "<n-:n>", 1, numbers::abs),
    ("append", "<xx:a>", 2, arrays::append),
    ("assert", "<bs?:x>", 2, objects::assert),
    ("average", "<a<n>:n>", 1, numbers::average),
    ("base64decode", "<s-:s>", 1, coding::base64_decode),
    ("base64encode", "<s-:s>", 1, strings::base64_encode),
    ("boolean", "<x-:b>", 1, arrays::boolean),
    ("ceil", "<n-:n>", 1, numbers::ceil),
    ("clone", "<(oa)-:o>", 1, objects::clone),
    ("contains", "<s-(sf):b>", 2, matching::contains),
    ("count", "<a:n>", 1, arrays::count),
    ("decodeUrl", "<s-:s>", 1, coding::decode_url),
    ("decodeUrlComponent", "<s-:s>", 1, coding::decode_url_component),
    ("distinct", "<x:x>", 1, arrays::distinct),
    ("each", "<o-f:a>", 2, higher::each),
    ("encodeUrl", "<s-:s>", 1, coding::encode_url),
    ("encodeUrlComponent", "<s-:s>", 1, coding::encode_url_component),
    ("error", "<s?:x>", 1, objects::error),
    (EVAL, "", 2, states::eval),
    ("exists", "<x:b>", 1, arrays::exists),
    ("filter", "<af>", 2, higher::filter),
    ("floor", "<n-:n>", 1, numbers::floor),
    ("formatBase", "<n-n?:s>", 2, own::base::format_base),
    ("formatInteger", "<n-s:s>", 2, own::integer::format_integer),
    ("formatNumber", "<n-so?:s>", 3, own::picture::format_number),
    ("fromMillis", "<n-s?s?:s>", 3, own::date::from_millis),
    ("hash", "", 2, states::hash),
    ("join", "<a<s>s?:s>", 2, strings::join),
    ("keys", "<x-:a<s>>", 1, objects::keys),
    ("length", "<s-:n>", 1, strings::length),
    ("lookup", "<x-s:x>", 2, objects::lookup),
    ("lowercase", "<s-:s>", 1, strings::lowercase),
    ("map", "<af>", 2, higher::map),
    ("match", "<s-f<s:o>n?:a<o>>", 3, matching::matches),
    ("max", "<a<n>:n>", 1, numbers::max),
    ("merge", "<a<o>:o>", 1, objects::merge),
    ("millis", "<:n>", 0, states::millis),
    ("min", "<a<n>:n>", 1, numbers::min),
    ("not", "<x-:b>", 1, arrays::not),
    ("now", "<s?s?:s>", 2, own::date::now),
    ("number", "<(nsb)-:n>", 1, own::number::number),
    ("pad", "<s-ns?:s>", 3, strings::pad),
    ("parse", "", 1, states::parse),
    ("parseInteger", "<s-s:n>", 2, own::integer::parse_integer),
    ("partition", "", 2, states::partition),
    ("power", "<n-n:n>", 2, numbers::power),
    ("random", "", 1, states::random),
    ("range", "", 3, states::range),
    ("reduce", "<afj?:j>", 3, higher::reduce),
    ("replace", "<s-(sf)(sf)n?:s>", 4, replacing::replace),
    ("reverse", "<a:a>", 1, arrays::reverse),
    ("round", "<n-n?:n>", 2, own::round::round),
    ("shuffle", "<a:a>", 1, arrays::shuffle),
    ("sift", "<o-f?:o>", 2, higher::sift),
    ("single", "<af?>", 2, higher::single),
    ("sort", "<af?:a>", 2, arrays::sort),
    ("split", "<s-(sf)n?:a<s>>", 3, matching::split),
    ("spread", "<x-:a<o>>", 1, objects::spread),
    ("sqrt", "<n-:n>", 1, numbers::sqrt),
    ("string", "<x-b?:s>", 1, text::of_value),
    ("substring", "<s-nn?:s>", 3, strings::substring),
    ("substringAfter", "<s-s:s>", 2, strings::after),
    ("substringBefore", "<s-s:s>", 2, strings::before),
    ("sum", "<a<n>:n>", 1, numbers::sum),
    ("toMillis", "<s-s?:n>", 2, own::date::to_millis),
    ("trim", "<s-:s>", 1, strings::trim),
    ("type", "<x:s>", 1, objects::kind),
    ("uppercase", "<s-:s>", 1, strings::uppercase),
    ("uuid", "", 0, states::uuid),
    ("zip", "<a+>", 0, arrays::zip),
];

static BUILT_INS: LazyLock<HashMap<&'static str, BuiltIn>> = LazyLock::new(|| {
    let built_in = |(name, signature, arity, run): &(&'static str, &str, usize, Run)| {
        let signature = (!signature.is_empty()).then(|| Signature::read(signature).ok()).flatten();
        (*name, BuiltIn { name, signature, arity: *arity, run: *run })
    };
    TABLE.iter().map(built_in).collect()
});

/// The function of a name, without the `$`.
pub(super) fn built_in(name: &str) -> Option<&'static BuiltIn> {
    BUILT_INS.get(name)
}

/// The one that Step Functions does not have, and that says so wherever it is called.
pub(super) const EVAL: &str = "eval";

/// The names of all that there are.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    TABLE.iter().map(|(name, ..)| *name).filter(|name| *name != EVAL)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_signature_of_the_table_can_be_read() {
        for (name, signature, ..) in TABLE {
            assert!(signature.is_empty() || Signature::read(signature).is_ok(), "{name}");
        }
        assert_eq!(BUILT_INS.len(), TABLE.len());
    }
}
