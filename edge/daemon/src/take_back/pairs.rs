//! `flow:take-back`: a caller is bridged to Connect by a leased pair of numbers and taken back when
//! Connect asks for it. The box itself is the application that AWS's sample has in a Lambda function.

use std::sync::Arc;
use std::time::Duration;

use offhook_chime::Trust;
use offhook_chime::dnis::{DynamoDbConfig, DynamoDbPool};
use offhook_chime::sdk::Sdk;
use offhook_chime::take_back::{Direct, Exhausted, Pass, Rules, Target};
use offhook_config::{Config, Dnis, Keeper, PassBy};
use offhook_dnis::{DnisPool, Pair, system_clock};
use offhook_postgres::{Database, PostgresPool};
use offhook_sma::action::AudioSource;
use offhook_store::{SqlitePool, Store};

use super::call::Running;

/// The name in `to = "flow:take-back"`.
pub const FLOW: &str = "take-back";
/// Between two looks for leases that ended; no longer between two attempts to reach a pool that
/// others keep.
pub const PAUSE: Duration = Duration::from_secs(60);

/// What callers hear who wait for a pair: five seconds of it, again and again.
const MUSIC: &str = "waiting-music";

/// The pool of the configuration. One that others keep is asked for the first time here.
///
/// # Errors
/// In words.
pub async fn open(
    dnis: &Dnis,
    store: &Store,
    sdk: impl FnOnce() -> Result<Sdk, String>,
    trust: impl FnOnce() -> Result<Trust, String>,
) -> Result<Arc<dyn DnisPool>, String> {
    let words = |error: &dyn std::fmt::Display| error.to_string();
    let pairs = Pair::matrix(&dnis.our_numbers, &dnis.connect_numbers);
    let pool: Arc<dyn DnisPool> = match &dnis.keeper {
        Keeper::Here => {
            let pool = SqlitePool::new(store.clone(), system_clock());
            pool.reset(pairs).await.map_err(|error| words(&error))?;
            return Ok(Arc::new(pool));
        }
        Keeper::DynamoDb(table) => Arc::new(DynamoDbPool::new(sdk()?, DynamoDbConfig::new(table))),
        Keeper::Postgres(address) => {
            let database = Database::new(address.expose(), trust()?.client_config());
            let database = database.map_err(|error| words(&error))?;
            Arc::new(PostgresPool::open(database, None).await.map_err(|error| words(&error))?)
        }
    };
    // Calls that a restart has ended.
    pool.release_holder(&dnis.name).await.map_err(|error| words(&error))?;
    pool.add(pairs).await.map_err(|error| words(&error))?;
    Ok(pool)
}

/// The pause before the next attempt to open the pool, after this one: a second, and twice as long
/// each time.
#[must_use]
pub fn next_pause(last: Option<Duration>) -> Duration {
    last.map_or(Duration::from_secs(1), |last| PAUSE.min(last * 2))
}

/// Gives back what calls have left leased, until the process ends, and looks whether there are pairs
/// again.
pub async fn look_after(pool: Arc<dyn DnisPool>, running: &Running) {
    loop {
        tokio::time::sleep(PAUSE).await;
        match pool.sweep().await {
            Ok(ended) => {
                for lease in ended {
                    let call = lease.owner;
                    tracing::warn!(call, "a pair of numbers was left leased; it is free");
                }
            }
            Err(error) => tracing::warn!(%error, "leases that ended are not given back"),
        }
        running.look_again().await;
    }
}

/// What the operator decides about such calls.
#[must_use]
pub fn rules(config: &Config) -> Rules {
    let (dnis, take_back) = (&config.dnis, &config.take_back);
    let usual = Rules::default();
    let music = || AudioSource::Builtin { name: MUSIC.to_owned() };
    let otherwise = dnis.otherwise.clone();
    Rules {
        holder: dnis.name.clone(),
        ringing_lease: dnis.ringing_lease,
        lease: dnis.lease,
        default_target: otherwise.map(|number| Target { number, arn: None }),
        extensions: true,
        words_while_ringing: true,
        show_caller: true,
        // The voice of the house.
        voice: Default::default(),
        exhausted: Exhausted {
            wait: dnis.wait,
            music: dnis.wait_music.then(music),
            ..usual.exhausted
        },
        direct: take_back.connect.as_ref().map(|number| Direct {
            pass: match take_back.pass {
                PassBy::Header => Pass::Header(take_back.header.clone()),
                PassBy::UserToUser => Pass::UserToUser,
            },
            target: Target { number: number.clone(), arn: None },
            trunk: Some(take_back.trunk.clone()),
            pairs_behind: !dnis.our_numbers.is_empty(),
        }),
        ..usual
    }
}
