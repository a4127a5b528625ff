//! `$formatBase`.

use super::{coded, js};
use crate::jsonata::error::Result;
use crate::jsonata::evaluate::Evaluation;
use crate::jsonata::value::Value;

/// From here on a double has no digit left for each power of two.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// `$formatBase(number, radix)`: both rounded half to even; radix 2 to 36 (D3100), 10 if left out.
pub(in super::super) fn format_base(run: &mut Evaluation<'_>, given: &[Value]) -> Result {
    let [Value::Number(number), radix] = given else { return Ok(Value::Undefined) };
    let radix = match radix {
        Value::Number(radix) => radix.round_ties_even(),
        _ => 10.0,
    };
    if !(2.0..=36.0).contains(&radix) {
        let words = format!(
            "The radix of the formatBase function must be between 2 and 36.  It was given {}",
            js::number_text(radix)
        );
        return Err(coded("D3100", &words));
    }
    let text = written(number.round_ties_even(), radix);
    run.text(text)
}

/// A whole number. Digits that a double cannot tell are noughts, as V8 writes them.
fn written(number: f64, radix: f64) -> String {
    if radix == 10.0 || !number.is_finite() {
        return js::number_text(number);
    }
    let mut digits = Vec::new();
    let mut rest = number.abs();
    while rest / radix >= EXACT {
        rest /= radix;
        digits.push('0');
    }
    loop {
        let digit = rest % radix;
        digits.push(char::from_digit(digit as u32, 36).unwrap_or('0'));
        rest = (rest - digit) / radix;
        if rest <= 0.0 {
            break;
        }
    }
    if number < 0.0 {
        digits.push('-');
    }
    digits.iter().rev().collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn numbers_larger_than_a_double_can_tell_end_in_noughts() {
        let written = super::written;
        assert_eq!(written(1e21, 10.0), "1e+21");
        assert_eq!(written(1e21, 3.0), "100010202110111202020110202012022200000000000");
        assert_eq!(written(-255.0, 16.0), "-ff");
        assert_eq!(written(0.0, 2.0), "0");
        assert_eq!(written(1e308, 2.0).len(), 1024);
    }
}
