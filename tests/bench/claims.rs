//! A thousand calls contend for pairs of numbers, on each backend: claims a second, and releases
//! that failed.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use offhook_chime::credentials::{Environment, Source};
use offhook_chime::dnis::{DynamoDbConfig, DynamoDbPool};
use offhook_chime::sdk::Sdk;
use offhook_chime::sigv4::Credentials;
use offhook_chime::{Aws, AwsConfig, Trust};
use offhook_dnis::{Claim, DnisError, DnisPool, Pair, system_clock};
use offhook_postgres::{Database, PostgresPool};
use offhook_store::{Options, SqlitePool, Store};
use serde_json::json;
use tokio::sync::{Notify, Semaphore};

use super::figures::Figure;
use super::moto::Moto;
use super::postgres::Server;
use super::{Outcome, say};

/// Pairs that they contend for.
const PAIRS: usize = 100;
const LEASE: Duration = Duration::from_secs(3_600);

/// All backends that are there.
pub(crate) fn figures(
    folder: &Path,
    contenders: usize,
    moto: Option<&Path>,
) -> Outcome<Vec<Figure>> {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let mut figures = Vec::new();
        std::fs::create_dir_all(folder)?;
        let store = Store::open(folder.join("claims.db"), &Options::default())?;
        let pool = Arc::new(SqlitePool::new(store, system_clock()));
        figures.extend(contend("SQLite", pool, contenders, contenders).await?);
        if Path::new("/usr/lib/postgresql").is_dir() {
            let server = Server::start();
            let database =
                Database::new(&server.database("claims"), Trust::system()?.client_config())?;
            let pool = Arc::new(PostgresPool::open(database, None).await?);
            figures.extend(contend("PostgreSQL", pool, contenders, contenders).await?);
        } else {
            say("PostgreSQL is not installed, so its claims are not measured");
        }
        if let Some(python) = moto {
            let server = Moto::start(python);
            let pool = Arc::new(table(&server.url()).await?);
            // moto answers one request after the other; real callers would not come all at once.
            figures.extend(contend("DynamoDB (moto)", pool, contenders, 32).await?);
        }
        Ok(figures)
    })
}

async fn table(url: &str) -> Outcome<DynamoDbPool> {
    let config = AwsConfig {
        region: "us-east-1".to_owned(),
        credentials: Source::Fixed(Credentials::new("AKIABENCH", "secret")),
        endpoint: Some(url.to_owned()),
        endpoints: Default::default(),
    };
    let aws = Aws::new(config, Trust::system()?, Environment::of(Default::default()))?;
    let sdk = Sdk::new(aws);
    let text = |name: &str| json!({"AttributeName": name, "AttributeType": "S"});
    let key = |name: &str, kind: &str| json!({"AttributeName": name, "KeyType": kind});
    let what = json!({
        "TableName": "claims", "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [text("sma_number"), text("connect_number")],
        "KeySchema": [key("sma_number", "HASH"), key("connect_number", "RANGE")]
    });
    sdk.call("dynamodb", "createTable", &what).await.map_err(|error| error.to_string())?;
    let patience = Duration::from_secs(120);
    Ok(DynamoDbPool::new(sdk, DynamoDbConfig { patience, ..DynamoDbConfig::new("claims") }))
}

/// Each claims a pair, holds it for a moment and gives it back; `at_once` of them ask at a time.
async fn contend(
    backend: &str,
    pool: Arc<impl DnisPool + 'static>,
    contenders: usize,
    at_once: usize,
) -> Outcome<[Figure; 2]> {
    let pair = |n| Pair::new(format!("+1800555{n:04}"), "+12065550100");
    pool.add((0..PAIRS).map(pair).collect()).await?;
    let (failed, door) = (Arc::new(AtomicUsize::new(0)), Arc::new(Semaphore::new(at_once)));
    let free = Arc::new(Notify::new());
    let begin = Instant::now();
    let crowd: Vec<_> = (0..contenders)
        .map(|n| {
            let (pool, failed) = (Arc::clone(&pool), Arc::clone(&failed));
            let (door, free) = (Arc::clone(&door), Arc::clone(&free));
            tokio::spawn(async move {
                let owner = format!("transaction-{n}");
                let lease = loop {
                    let waiting = free.notified();
                    tokio::pin!(waiting);
                    waiting.as_mut().enable();
                    let inside = door.acquire().await;
                    let claimed = pool.claim(claim_of(&owner)).await;
                    drop(inside);
                    match claimed {
                        Ok(lease) => break lease,
                        Err(DnisError::Exhausted { .. }) => waiting.await,
                        Err(error) => return Err(error.to_string()),
                    }
                };
                let inside = door.acquire().await;
                let released = pool.release(&owner, Some(&lease.pair)).await;
                drop(inside);
                if released != Ok(1) {
                    failed.fetch_add(1, Ordering::Relaxed);
                }
                free.notify_one();
                Ok(())
            })
        })
        .collect();
    for contender in crowd {
        contender.await??;
    }
    let rate = contenders as f64 / begin.elapsed().as_secs_f64();
    let left = pool.count().await?.leased + failed.load(Ordering::Relaxed);
    let name = |what: &str| format!("take-back: {what}, {contenders} contenders, {backend}");
    Ok([
        Figure::plain(name("claims a second"), rate, "1/s", None),
        Figure::plain(name("failed releases"), left as f64, "", Some(0.0)),
    ])
}

fn claim_of(owner: &str) -> Claim {
    Claim {
        owner: owner.to_owned(),
        holder: "bench".to_owned(),
        application: None,
        original_calling_number: "+12065550142".to_owned(),
        lease: LEASE,
    }
}
