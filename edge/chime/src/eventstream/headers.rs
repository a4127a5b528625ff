//! Headers of a message: a name, a type, a value.

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};

use super::FrameError;

/// Octets of a value that is text or octets: the specification's limit.
const MOST_VALUE: usize = 0x7fff;
/// Headers of one message; AWS's have fewer than ten.
const MOST_HEADERS: usize = 64;

/// A header's value; the number is its type on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// 0 and 1.
    Bool(bool),
    /// 2.
    Byte(i8),
    /// 3.
    Short(i16),
    /// 4.
    Integer(i32),
    /// 5.
    Long(i64),
    /// 6.
    Bytes(Bytes),
    /// 7.
    Text(String),
    /// 8: milliseconds since 1970.
    Timestamp(i64),
    /// 9.
    Uuid([u8; 16]),
}

pub(super) fn write(name: &str, value: &Value, out: &mut BytesMut) -> Result<(), FrameError> {
    let length = u8::try_from(name.len()).ok().filter(|length| *length > 0);
    out.put_u8(length.ok_or(FrameError::Headers)?);
    out.put_slice(name.as_bytes());
    match value {
        Value::Bool(value) => out.put_u8(u8::from(!value)),
        Value::Byte(value) => {
            out.put_u8(2);
            out.put_i8(*value);
        }
        Value::Short(value) => {
            out.put_u8(3);
            out.put_i16(*value);
        }
        Value::Integer(value) => {
            out.put_u8(4);
            out.put_i32(*value);
        }
        Value::Long(value) => {
            out.put_u8(5);
            out.put_i64(*value);
        }
        Value::Bytes(value) => long(6, value, out)?,
        Value::Text(value) => long(7, value.as_bytes(), out)?,
        Value::Timestamp(value) => {
            out.put_u8(8);
            out.put_i64(*value);
        }
        Value::Uuid(value) => {
            out.put_u8(9);
            out.put_slice(value);
        }
    }
    Ok(())
}

fn long(kind: u8, value: &[u8], out: &mut BytesMut) -> Result<(), FrameError> {
    let length = u16::try_from(value.len()).ok().filter(|_| value.len() <= MOST_VALUE);
    out.put_u8(kind);
    out.put_u16(length.ok_or(FrameError::TooLong(value.len()))?);
    out.put_slice(value);
    Ok(())
}

/// All of them, [`MOST_HEADERS`] at the most; a name may stand once.
pub(super) fn read(mut octets: Bytes) -> Result<Vec<(String, Value)>, FrameError> {
    let mut headers: Vec<(String, Value)> = Vec::new();
    while octets.has_remaining() {
        if headers.len() >= MOST_HEADERS {
            return Err(FrameError::Headers);
        }
        let length = usize::from(octets.get_u8());
        let name = text(take(&mut octets, length)?)?;
        let value = value(&mut octets)?;
        if name.is_empty() || headers.iter().any(|(known, _)| *known == name) {
            return Err(FrameError::Headers);
        }
        headers.push((name, value));
    }
    Ok(headers)
}

fn value(octets: &mut Bytes) -> Result<Value, FrameError> {
    let mut fixed = |length| take(octets, length);
    Ok(match fixed(1)?.get_u8() {
        0 => Value::Bool(true),
        1 => Value::Bool(false),
        2 => Value::Byte(fixed(1)?.get_i8()),
        3 => Value::Short(fixed(2)?.get_i16()),
        4 => Value::Integer(fixed(4)?.get_i32()),
        5 => Value::Long(fixed(8)?.get_i64()),
        kind @ (6 | 7) => {
            let length = usize::from(fixed(2)?.get_u16());
            let value = fixed(length)?;
            if kind == 6 { Value::Bytes(value) } else { Value::Text(text(value)?) }
        }
        8 => Value::Timestamp(fixed(8)?.get_i64()),
        9 => {
            let mut id = [0; 16];
            fixed(16)?.copy_to_slice(&mut id);
            Value::Uuid(id)
        }
        _ => return Err(FrameError::Headers),
    })
}

fn take(octets: &mut Bytes, length: usize) -> Result<Bytes, FrameError> {
    if octets.len() < length {
        return Err(FrameError::Headers);
    }
    Ok(octets.split_to(length))
}

fn text(octets: Bytes) -> Result<String, FrameError> {
    String::from_utf8(octets.to_vec()).map_err(|_| FrameError::Headers)
}
