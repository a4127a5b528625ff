//! `$round`.

use super::js::number_text;
use crate::jsonata::error::Result;
use crate::jsonata::evaluate::Evaluation;
use crate::jsonata::value::Value;

/// `$round(number, precision)`: half to even. The point is moved in the number's text, as 2.0.6 moves
/// it: what is no number then is `NaN`.
pub(in super::super) fn round(_: &mut Evaluation<'_>, given: &[Value]) -> Result {
    let [Value::Number(number), precision] = given else { return Ok(Value::Undefined) };
    let precision = precision.as_f64().filter(|precision| !precision.is_nan()).unwrap_or(0.0);
    Ok(Value::Number(rounded(*number, precision)))
}

fn rounded(number: f64, precision: f64) -> f64 {
    let number = if precision == 0.0 { number } else { moved(number, precision) };
    let below = number.floor();
    let mut nearest = if number - below >= 0.5 { below + 1.0 } else { below };
    if (nearest - number).abs() == 0.5 && (nearest % 2.0).abs() == 1.0 {
        nearest -= 1.0;
    }
    let nearest = if precision == 0.0 { nearest } else { moved(nearest, -precision) };
    // There is no negative nought in JSON.
    if nearest == 0.0 { 0.0 } else { nearest }
}

/// The point moved `by` places to the right.
fn moved(number: f64, by: f64) -> f64 {
    let text = number_text(number);
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent = exponent.parse::<f64>().unwrap_or(0.0) + by;
    format!("{digits}e{}", number_text(exponent)).parse().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::rounded;

    #[test]
    fn numbers_are_rounded_to_the_even_neighbour_in_decimal_whatever_their_size() {
        for (number, precision, expected) in [
            (1e21, 2.0, 1e21),
            (-1.5e22, 3.0, -1.5e22),
            (1e21, -2.0, 1e21),
            (1.005, 2.0, 1.0),
            (2.5, 0.0, 2.0),
            (3.5, 0.0, 4.0),
            (-2.5, 0.0, -2.0),
            (0.125, 2.0, 0.12),
            (1.5e-7, 7.0, 2e-7),
            (123.456, -2.0, 100.0),
            (150.0, -2.0, 200.0),
            (123.456, -400.0, 0.0),
            (-0.2, 0.0, 0.0),
            (0.499_999_999_999_999_94, 0.0, 0.0),
        ] {
            let found = rounded(number, precision);
            assert_eq!(found.to_bits(), f64::to_bits(expected), "{number} {precision}: {found}");
        }
        assert!(rounded(123.456, 400.0).is_nan() && rounded(1.25, 1.5).is_nan());
        assert!(rounded(f64::INFINITY, 1.0).is_nan());
    }
}
