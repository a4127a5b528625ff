//! `ListObjects` and `ListObjectsV2`.

use serde_json::{Value, json};

use crate::services::fields::Fields;
use crate::services::sdk::Fault;

use super::{BlobInfo, Inner, failed, no_bucket, seconds};

/// Keys of one answer.
const MOST: i64 = 1000;

/// What a listing found so far.
#[derive(Default)]
struct Listing {
    contents: Vec<(String, BlobInfo)>,
    common: Vec<String>,
    /// The last key or common prefix that was taken.
    last: Option<String>,
    truncated: bool,
}

impl Listing {
    fn count(&self) -> usize {
        self.contents.len() + self.common.len()
    }
}

impl Inner {
    pub(super) async fn list(&self, action: &str, fields: Fields<'_>) -> Result<Value, Fault> {
        let bucket = fields.required("Bucket")?;
        let prefix = fields.text("Prefix")?.unwrap_or("");
        let delimiter = fields.text("Delimiter")?.filter(|text| !text.is_empty());
        let most = fields.integer("MaxKeys", 0, i64::MAX)?.unwrap_or(MOST).min(MOST);
        let most = usize::try_from(most).unwrap_or(0);
        let second = action == "listObjectsV2";
        let token = fields.text(if second { "ContinuationToken" } else { "Marker" })?;
        let start = if second { token.or(fields.text("StartAfter")?) } else { token };
        let (folder, rest) = self.folder(bucket, prefix).ok_or_else(no_bucket)?;
        let mapped = prefix.len() - rest.len();
        let above = &prefix[..mapped];
        let mut after = start.and_then(|start| start.strip_prefix(above)).map(str::to_owned);
        let mut listing = Listing::default();
        'pages: loop {
            let chunk = self.blobs.list(folder.clone(), rest.to_owned(), after.clone(), 1000).await;
            let chunk = chunk.map_err(|why| failed(&why))?.ok_or_else(no_bucket)?;
            let whole = chunk.len() < 1000;
            for (key, info) in chunk {
                after = Some(key.clone());
                let key = format!("{above}{key}");
                if !take(&mut listing, key, info, (prefix, delimiter, start), most) {
                    break 'pages;
                }
            }
            if whole {
                break;
            }
        }
        Ok(answer(&listing, second, (bucket, prefix, delimiter, most)))
    }
}

/// `false`: the answer is full.
fn take(
    listing: &mut Listing,
    key: String,
    info: BlobInfo,
    (prefix, delimiter, start): (&str, Option<&str>, Option<&str>),
    most: usize,
) -> bool {
    let inner = delimiter.and_then(|d| key[prefix.len()..].find(d).map(|at| at + d.len()));
    let common = inner.map(|at| key[..prefix.len() + at].to_owned());
    if let Some(common) = &common {
        // Keys that a common prefix stands for, here or on the page before, are told once.
        let told = listing.common.last() == Some(common) || start == Some(common);
        if told {
            return true;
        }
    }
    if listing.count() >= most {
        listing.truncated = most > 0;
        return false;
    }
    match common {
        Some(common) => {
            listing.last = Some(common.clone());
            listing.common.push(common);
        }
        None => {
            listing.last = Some(key.clone());
            listing.contents.push((key, info));
        }
    }
    true
}

fn answer(
    listing: &Listing,
    second: bool,
    (bucket, prefix, delimiter, most): (&str, &str, Option<&str>, usize),
) -> Value {
    let content = |(key, info): &(String, BlobInfo)| {
        json!({"Key": key, "LastModified": seconds(*info), "Size": info.size,
            "StorageClass": "STANDARD"})
    };
    let mut answer = json!({"IsTruncated": listing.truncated});
    if !listing.contents.is_empty() {
        answer["Contents"] = listing.contents.iter().map(content).collect();
    }
    answer["Name"] = json!(bucket);
    answer["Prefix"] = json!(prefix);
    if let Some(delimiter) = delimiter {
        answer["Delimiter"] = json!(delimiter);
    }
    answer["MaxKeys"] = json!(most);
    if !listing.common.is_empty() {
        answer["CommonPrefixes"] = listing.common.iter().map(|p| json!({"Prefix": p})).collect();
    }
    if second {
        answer["KeyCount"] = json!(listing.count());
    }
    if let Some(last) = listing.last.as_ref().filter(|_| listing.truncated) {
        answer[if second { "NextContinuationToken" } else { "NextMarker" }] = json!(last);
    }
    answer
}
