//! JavaScript's numbers as text: pictures are written and read with them.

/// ECMA-262, `Number::toString` of radix 10: shortest digits, with an exponent from 1e21 and below
/// 1e-6.
pub(in crate::jsonata) fn number_text(number: f64) -> String {
    if number.is_nan() {
        return "NaN".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    if number == 0.0 {
        return "0".to_owned();
    }
    let size = number.abs();
    if (1e-6..1e21).contains(&size) {
        return format!("{number}");
    }
    let text = format!("{number:e}");
    match text.split_once('e') {
        Some((digits, exponent)) if !exponent.starts_with('-') => format!("{digits}e+{exponent}"),
        _ => text,
    }
}

/// ECMA-262, `parseInt` without a radix: blanks, a sign, and as many digits as there are; with `0x`
/// before them they are hexadecimal. `NaN` without any.
pub(super) fn parse_int(text: &str) -> f64 {
    let text = text.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
    let (sign, text) = match text.strip_prefix('-') {
        Some(rest) => (-1.0, rest),
        None => (1.0, text.strip_prefix('+').unwrap_or(text)),
    };
    let hexadecimal = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
    let (radix, text) = hexadecimal.map_or((10, text), |digits| (16, digits));
    let end = text.find(|c: char| !c.is_digit(radix)).unwrap_or(text.len());
    let digits = text.get(..end).unwrap_or_default();
    if digits.is_empty() {
        return f64::NAN;
    }
    if radix == 10 {
        return sign * digits.parse::<f64>().unwrap_or(f64::NAN);
    }
    let value = |sum: f64, digit: char| sum * 16.0 + f64::from(digit.to_digit(16).unwrap_or(0));
    sign * digits.chars().fold(0.0, value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_javascript_writes_them() {
        let written =
            [0.0, -0.0, 1e20, 1e21, 1.5e300, -2.5e-7, 0.000_001, f64::NAN].map(number_text);
        let meant =
            ["0", "0", "100000000000000000000", "1e+21", "1.5e+300", "-2.5e-7", "0.000001", "NaN"];
        assert_eq!(written, meant);
    }

    #[test]
    fn whole_numbers_are_read_up_to_what_is_no_digit() {
        assert_eq!(["12px", "\t-7", "+0x1F", "0"].map(parse_int), [12.0, -7.0, 31.0, 0.0]);
        assert!(["", "px", "-", "0x"].map(parse_int).iter().all(|number| number.is_nan()));
    }
}
