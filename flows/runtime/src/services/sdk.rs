//! How AWS's SDK and Step Functions word results and errors.
//!
//! An optimized integration (SDK for Java 1) adds the transport's metadata to a result and names
//! an error `DynamoDB.ResourceNotFoundException`; an SDK integration (SDK for Java 2) gives the
//! bare result and names it `DynamoDb.ResourceNotFoundException`. Recorded on AWS for DynamoDB,
//! SQS, S3, SNS and EventBridge.

use serde_json::{Map, Value, json};

use super::{Integration, Request, ServiceError};

/// A service's own error, before it is known which integration asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The exception's name in the API: `ConflictException`.
    pub code: &'static str,
    /// Whether the service's model has it. One that it has not takes the service's name.
    pub modelled: bool,
    /// HTTP status.
    pub status: u16,
    /// In words.
    pub message: String,
}

impl Fault {
    /// An exception of the service's model, with HTTP status 400.
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, modelled: true, status: 400, message: message.into() }
    }

    /// The same with another HTTP status.
    pub fn with_status(self, status: u16) -> Self {
        Self { status, ..self }
    }
}

/// What a service is called in errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServiceName {
    /// Before the dot in an optimized integration: `DynamoDB`.
    pub optimized: &'static str,
    /// `Service:` in the cause of an optimized integration: `AmazonDynamoDBv2`.
    pub client: &'static str,
    /// The exception of an optimized integration that the model has no name for.
    pub optimized_base: &'static str,
    /// Before the dot, and as `Service:`, in an SDK integration: `DynamoDb`.
    pub sdk: &'static str,
}

/// A name without hyphens that is the same for the same request and never for two: AWS's request
/// id has the form of a UUID.
pub fn request_id(request: &Request) -> String {
    let mut seed = request.idempotency.as_bytes().to_vec();
    if seed.is_empty() {
        seed.extend_from_slice(&rand::random::<u128>().to_be_bytes());
    }
    uuid_of(&[b"request", &seed])
}

/// A UUID (RFC 9562, version 8) made of what is given.
pub fn uuid_of(parts: &[&[u8]]) -> String {
    use sha2::{Digest as _, Sha256};
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let digest = hash.finalize();
    let mut bytes = [0; 16];
    bytes.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
    bytes[6] = (bytes[6] & 0x0F) | 0x80;
    bytes[8] = (bytes[8] & 0x3F) | 0x80;
    let hex: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

/// A random UUID (RFC 9562, version 4).
pub fn uuid() -> String {
    let bits = rand::random::<u128>() & !(0xF << 76) & !(0x3 << 62) | (0x4 << 76) | (0x2 << 62);
    let hex = format!("{bits:032x}");
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

/// A fault as `Catch` sees it.
pub fn error(name: ServiceName, request: &Request, fault: &Fault) -> ServiceError {
    let Fault { code, modelled, status, message } = fault;
    let id = request_id(request);
    match request.integration {
        Integration::Optimized => {
            let base = if *modelled { exception(code) } else { name.optimized_base.to_owned() };
            ServiceError::new(
                format!("{}.{base}", name.optimized),
                format!(
                    "{message} (Service: {}; Status Code: {status}; Error Code: {code}; Request ID: {id}; Proxy: null)",
                    name.client
                ),
            )
        }
        // The SDK counts its attempts (recorded of AWS in November 2025, not yet in January).
        Integration::Sdk => {
            let base = if *modelled { exception(code) } else { exception(name.sdk) };
            ServiceError::new(
                format!("{}.{base}", name.sdk),
                format!(
                    "{message} (Service: {}, Status Code: {status}, Request ID: {id}) (SDK Attempt Count: 1)",
                    name.sdk
                ),
            )
        }
    }
}

/// The class that the SDK for Java makes of a code: `NoSuchKey` is `NoSuchKeyException`.
fn exception(code: &str) -> String {
    let code = code.strip_suffix("Error").unwrap_or(code);
    if code.ends_with("Exception") { code.to_owned() } else { format!("{code}Exception") }
}

/// The result of an optimized integration whose SDK class carries the transport's metadata
/// (DynamoDB, SQS and SNS do, EventBridge does not).
pub fn with_metadata(request: &Request, result: Value, extra: &[(&str, String)]) -> Value {
    let Value::Object(mut members) = result else { return result };
    if request.integration == Integration::Sdk {
        return Value::Object(members);
    }
    let id = request_id(request);
    let length = Value::Object(members.clone()).to_string().len().to_string();
    let date = request.now.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    let mut headers: Vec<(&str, String)> = extra.to_vec();
    headers.extend([
        ("x-amzn-RequestId", id.clone()),
        ("Content-Length", length),
        ("Date", date),
        ("Content-Type", "application/x-amz-json-1.0".to_owned()),
    ]);
    let one: Map<String, Value> =
        headers.iter().map(|(k, v)| ((*k).to_owned(), json!(v))).collect();
    let all: Map<String, Value> =
        headers.iter().map(|(k, v)| ((*k).to_owned(), json!([v]))).collect();
    members.insert(
        "SdkHttpMetadata".to_owned(),
        json!({"AllHttpHeaders": all, "HttpHeaders": one, "HttpStatusCode": 200}),
    );
    members.insert("SdkResponseMetadata".to_owned(), json!({"RequestId": id}));
    Value::Object(members)
}

/// The checksum that DynamoDB sends of its body (IEEE 802.3 CRC-32).
pub fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 };
        }
    }
    !crc
}
