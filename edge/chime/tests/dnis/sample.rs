//! What the functions of AWS's sample do at the table, done with boto3 as they do it.

use std::process::Command;

use offhook_dnis::{Count, DnisPool as _, Lookup, Pair};
use serde_json::{Value, json};

use crate::suite::{Hands, claim_of, pairs};
use crate::{Tables, python};

const OLD: &str = r#"
import json, sys, boto3
from boto3.dynamodb.conditions import Key
url, table, what, given = sys.argv[1:5]
given = json.loads(given)
table = boto3.resource(
    "dynamodb", endpoint_url=url, region_name="us-east-1",
    aws_access_key_id="AKIATEST", aws_secret_access_key="secret").Table(table)
key = {k: given[k] for k in ("sma_number", "connect_number") if k in given}
if what == "claim":
    free = table.query(IndexName="in_use", Limit=1,
                       KeyConditionExpression=Key("in_use").eq("false"))["Items"]
    if not free:
        print("null"); sys.exit()
    row = free[0]
    key = {k: row[k] for k in ("sma_number", "connect_number")}
    table.update_item(
        Key=key,
        UpdateExpression="SET transaction_id = :t, call_timestamp = :n, in_use = :u, "
                         "original_calling_number = :o",
        ConditionExpression="attribute_not_exists(in_use) OR in_use = :f",
        ExpressionAttributeValues={":t": given["transaction"], ":n": given["now"],
                                   ":u": "true", ":f": "false", ":o": "+12065550199"})
    print(json.dumps(key))
elif what == "release":
    table.update_item(Key=key, UpdateExpression="SET in_use = :f",
                      ExpressionAttributeValues={":f": "false"})
    print("null")
elif what == "get":
    found = table.query(Limit=1, ScanIndexForward=False,
        KeyConditionExpression=Key("sma_number").eq(key["sma_number"])
                               & Key("connect_number").eq(key["connect_number"]))["Items"]
    print(json.dumps({k: str(v) for k, v in found[0].items()}))
"#;

fn old(tables: &Tables, table: &str, what: &str, given: &Value) -> Value {
    let output = Command::new(python::with_moto())
        .args(["-c", OLD, &tables.url(), table, what, &given.to_string()])
        .output()
        .expect("python runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn pair(value: &Value) -> Pair {
    let text = |name: &str| value[name].as_str().unwrap().to_owned();
    Pair::new(text("sma_number"), text("connect_number"))
}

fn key(pair: &Pair) -> Value {
    json!({"sma_number": pair.our_number, "connect_number": pair.connect_number})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn functions_of_the_sample_and_ours_share_a_table() {
    let tables = Tables::start();
    tables.table("shared").await;
    let hands = Hands::new();
    let pool = tables.pool_of("shared", hands.clock());
    pool.add(pairs(2)).await.unwrap();
    let now = hands.clock()().as_second();
    let claims =
        |who: &str| old(&tables, "shared", "claim", &json!({"transaction": who, "now": now}));

    // Theirs is respected by ours, and found.
    let theirs = pair(&claims("old-1"));
    let ours = pool.claim(claim_of("new-1")).await.unwrap();
    assert_ne!(ours.pair, theirs);
    pool.claim(claim_of("new-2")).await.unwrap_err();
    let at = |pair: &Pair| Lookup { pair: pair.clone(), contact: None, owner: None };
    let found = pool.lookup(at(&theirs)).await.unwrap().unwrap();
    assert_eq!(
        (found.owner.as_str(), found.original_calling_number.as_str()),
        ("old-1", "+12065550199")
    );

    // Ours is respected by theirs, and found.
    assert_eq!(claims("old-2"), Value::Null);
    let row = old(&tables, "shared", "get", &key(&ours.pair));
    assert_eq!(row["transaction_id"], "new-1");
    assert_eq!(row["original_calling_number"], "+12065550142");

    // They give back without a look; what is left behind of ours is not taken for the next
    // claim of theirs.
    old(&tables, "shared", "release", &key(&ours.pair));
    assert_eq!(pool.lookup(at(&ours.pair)).await.unwrap(), None);
    assert_eq!(pair(&claims("old-3")), ours.pair);
    hands.forward(101);
    assert_eq!(pool.lookup(at(&ours.pair)).await.unwrap().unwrap().owner, "old-3");
    assert_eq!(pool.release("new-1", Some(&ours.pair)).await.unwrap(), 0);

    // A claim of theirs that leaked is swept at its age.
    assert_eq!(pool.sweep().await.unwrap(), []);
    hands.forward(2 * 3_600);
    let mut owners: Vec<String> =
        pool.sweep().await.unwrap().into_iter().map(|lease| lease.owner).collect();
    owners.sort();
    assert_eq!(owners, ["old-1", "old-3"]);
    assert_eq!(pool.count().await.unwrap(), Count { free: 2, leased: 0 });
    assert_ne!(claims("old-4"), Value::Null);
}
