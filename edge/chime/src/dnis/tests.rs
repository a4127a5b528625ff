//! A table of thousands of rows, on a server of the test that answers as DynamoDB does: pages of at
//! most 1 MiB or of `Limit` rows, with the attributes that were asked for. moto takes minutes for it.

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use serde_json::json;

use super::*;
use crate::credentials::{Environment, Source};
use crate::sigv4::Credentials;
use crate::{Aws, AwsConfig, Trust};

/// DynamoDB's own end of a page.
const PAGE: usize = 1 << 20;

#[derive(Clone, Default)]
struct Table {
    rows: Arc<Mutex<Vec<Value>>>,
    asked: Arc<Mutex<Vec<String>>>,
    /// Changes that are made, and whose answers do not come.
    lost: Arc<Mutex<usize>>,
}

impl Table {
    /// Each row is leased, and has attributes of somebody else, a long one too.
    fn of(rows: usize, expires: i64) -> Self {
        let table = Self::default();
        *table.rows.lock().unwrap() = (0..rows)
            .map(|n| {
                let holder = if n % 10 == 0 { "office" } else { "other" };
                let id = format!("{n:08}-5a6b-4c7d-8e9f-0123456789ab");
                json!({
                    "sma_number": {"S": format!("+1800555{n:04}")},
                    "connect_number": {"S": "+12065550100"},
                    "in_use": {"S": "true"}, "transaction_id": {"S": id},
                    "call_timestamp": {"N": "1700000000"}, "lease_owner": {"S": id},
                    "lease_expires": {"N": expires.to_string()}, "lease_holder": {"S": holder},
                    "original_calling_number": {"S": "+12065550142"},
                    "sip_media_application_id": {"S": "6f7a8b9c-1d2e-4f5a-8b9c-0d1e2f3a4b5c"},
                    "contact_id": {"S": id}, "contact_transaction_id": {"S": id},
                    "update_request": {"S": "n".repeat(2_500)},
                    "remark": {"S": "r".repeat(500)}
                })
            })
            .collect();
        table
    }

    fn scan(&self, what: &Value) -> Value {
        let names: Vec<&str> =
            what["ProjectionExpression"].as_str().unwrap().split(',').map(str::trim).collect();
        let limit = what["Limit"].as_u64().map_or(usize::MAX, |n| usize::try_from(n).unwrap());
        let holder = what["ExpressionAttributeValues"].get(":holder");
        let rows = self.rows.lock().unwrap();
        let start = &what["ExclusiveStartKey"]["sma_number"];
        let from = rows.iter().position(|row| row["sma_number"] == *start).map_or(0, |at| at + 1);
        let (mut items, mut octets, mut last) = (Vec::new(), 0, Value::Null);
        for (n, row) in rows.iter().skip(from).enumerate() {
            if n >= limit || octets > PAGE {
                break;
            }
            octets += row.to_string().len();
            last = json!({"sma_number": row["sma_number"]});
            let wanted = holder.is_none_or(|holder| row["lease_holder"] == *holder);
            if wanted {
                let all = row.as_object().unwrap().iter();
                let some = all.filter(|(name, _)| names.contains(&name.as_str()));
                items.push(some.map(|(name, value)| (name.clone(), value.clone())).collect());
            }
        }
        let end = rows.last().is_none_or(|row| row["sma_number"] == last["sma_number"]);
        let mut answer = json!({"Items": Value::Array(items)});
        if !end {
            answer["LastEvaluatedKey"] = last;
        }
        answer
    }

    /// Takes a note, or answers one. `None`: the condition does not hold.
    fn note(&self, what: &Value) -> Option<Value> {
        let mut rows = self.rows.lock().unwrap();
        let number = &what["Key"]["sma_number"];
        let row = rows.iter_mut().find(|row| row["sma_number"] == *number).unwrap();
        let values = &what["ExpressionAttributeValues"];
        let taken = values.get(":taken");
        let holds = match taken {
            Some(taken) => row["update_answer"] == *taken && row["update_request"].is_null(),
            None => row["update_request"] == values[":note"],
        };
        if !holds {
            return None;
        }
        row["update_answer"] = values[":answer"].clone();
        row.as_object_mut().unwrap().remove("update_request");
        Some(json!({"Attributes": row.clone()}))
    }

    fn get(&self, what: &Value) -> Value {
        let rows = self.rows.lock().unwrap();
        let number = &what["Key"]["sma_number"];
        json!({"Item": rows.iter().find(|row| row["sma_number"] == *number).unwrap()})
    }

    /// Gives a row back, or leases it.
    fn update(&self, what: &Value) -> Value {
        let mut rows = self.rows.lock().unwrap();
        let number = &what["Key"]["sma_number"];
        let row = rows.iter_mut().find(|row| row["sma_number"] == *number).unwrap();
        let free = what["UpdateExpression"].as_str().unwrap().contains("in_use = :false");
        let values = &what["ExpressionAttributeValues"];
        row["in_use"] = json!({"S": (!free).to_string()});
        if !free {
            row["transaction_id"] = values[":owner"].clone();
            row["lease_owner"] = values[":owner"].clone();
            row["lease_expires"] = values[":end"].clone();
        }
        json!({"Attributes": row.clone()})
    }

    async fn answer(self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
        let target = request.headers()["x-amz-target"].to_str().unwrap().to_owned();
        let action = target.rsplit('.').next().unwrap().to_owned();
        let body = request.into_body().collect().await.unwrap().to_bytes();
        let what: Value = serde_json::from_slice(&body).unwrap();
        self.asked.lock().unwrap().push(action.clone());
        let answer = match action.as_str() {
            "Scan" => self.scan(&what),
            "UpdateItem" if what["ExpressionAttributeValues"].get(":answer").is_some() => {
                let done = self.note(&what);
                let mut lost = self.lost.lock().unwrap();
                let error = if *lost > 0 {
                    *lost -= 1;
                    Some((500, "InternalServerError"))
                } else {
                    done.is_none().then_some((400, "ConditionalCheckFailedException"))
                };
                if let Some((status, name)) = error {
                    let body = Full::new(Bytes::from(json!({"__type": name}).to_string()));
                    return Ok(Response::builder().status(status).body(body).unwrap());
                }
                done.unwrap()
            }
            "UpdateItem" => self.update(&what),
            "GetItem" => self.get(&what),
            other => panic!("{other} is not asked for here"),
        };
        Ok(Response::new(Full::new(Bytes::from(answer.to_string()))))
    }

    /// Serves it, and gives a pool that asks there.
    async fn pool(&self, now: i64) -> DynamoDbPool {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let table = self.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let table = table.clone();
                let service = service_fn(move |request| table.clone().answer(request));
                let io = hyper_util::rt::TokioIo::new(stream);
                tokio::spawn(
                    hyper::server::conn::http1::Builder::new().serve_connection(io, service),
                );
            }
        });
        let config = AwsConfig {
            region: "us-east-1".to_owned(),
            credentials: Source::Fixed(Credentials::new("AKIATEST", "secret")),
            endpoint: Some(endpoint),
            endpoints: BTreeMap::new(),
        };
        let nothing = Environment::of(HashMap::new());
        let sdk = Sdk::new(Aws::new(config, Trust::system().unwrap(), nothing).unwrap());
        let clock: Clock = Arc::new(move || Timestamp::from_second(now).unwrap());
        let patience = Duration::from_secs(60);
        DynamoDbPool::new(
            sdk,
            DynamoDbConfig { clock: Some(clock), patience, ..DynamoDbConfig::new("pairs") },
        )
    }
}

#[tokio::test]
async fn a_table_of_thousands_of_rows_is_read_in_pages_that_fit() {
    let table = Table::of(3_000, 1_700_000_100);
    let pool = table.pool(1_700_000_000).await;
    assert_eq!(pool.count().await.unwrap(), Count { free: 0, leased: 3_000 });
    let owner = "00002999-5a6b-4c7d-8e9f-0123456789ab";
    assert_eq!(pool.release(owner, None).await.unwrap(), 1);
    let claim = Claim {
        owner: "t1".to_owned(),
        holder: "office".to_owned(),
        application: None,
        original_calling_number: "+12065550142".to_owned(),
        lease: Duration::from_secs(60),
    };
    assert_eq!(pool.claim(claim).await.unwrap().pair.our_number, "+18005552999");
    for row in table.rows.lock().unwrap().iter_mut().step_by(50) {
        row["lease_expires"] = json!({"N": "1699999999"});
    }
    assert_eq!(pool.sweep().await.unwrap().len(), 60);
}

#[tokio::test]
async fn a_note_is_taken_by_him_whose_text_is_there_though_no_answer_told_him() {
    let table = Table::of(1, 1_700_000_100);
    let pool = table.pool(1_700_000_000).await;
    let note = Note {
        pair: Pair::new("+18005550000", "+12065550100"),
        owner: "00000000-5a6b-4c7d-8e9f-0123456789ab".to_owned(),
        text: "n".repeat(2_500),
    };
    // The first answer is lost, then all of them.
    for lost in [1, 3] {
        table.rows.lock().unwrap()[0]["update_request"] = json!({"S": note.text});
        *table.lost.lock().unwrap() = lost;
        assert_eq!(pool.take_note(&note, "mine").await, Ok(true));
        assert_eq!(pool.take_note(&note, "his").await, Ok(false));
    }
    assert_eq!(pool.answer_note(&note, "his", "refused").await, Ok(false));
    assert_eq!(pool.answer_note(&note, "mine", "refused").await, Ok(true));
    assert_eq!(pool.note_left(&lease(&note)).await, Ok(Left::Answered("refused".to_owned())));
}

fn lease(note: &Note) -> Lease {
    Lease {
        pair: note.pair.clone(),
        owner: note.owner.clone(),
        original_calling_number: String::new(),
        application: None,
        contact: None,
        since: Timestamp::UNIX_EPOCH,
        expires: Timestamp::MAX,
    }
}
