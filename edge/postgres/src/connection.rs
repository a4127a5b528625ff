//! The connection, and how long it may take.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use tokio::sync::Mutex;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Config, NoTls, Row};

use crate::tls::Rustls;

/// How long one statement may take, the making of a connection included.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why the database gave no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DatabaseError {
    /// The address of the configuration is none, or would be spoken to without protection.
    #[error("{0}")]
    Address(String),
    /// It cannot be reached, or broke off.
    #[error("the database cannot be reached: {0}")]
    Unreachable(String),
    /// It refused a statement.
    #[error("the database refused ({code}): {message}")]
    Refused {
        /// `SQLSTATE`.
        code: String,
        /// In its words.
        message: String,
    },
}

impl DatabaseError {
    fn of(error: &tokio_postgres::Error) -> Self {
        match error.as_db_error() {
            Some(told) => Self::Refused {
                code: told.code().code().to_owned(),
                message: told.message().to_owned(),
            },
            None => {
                let cause = std::error::Error::source(error).map(|cause| format!(": {cause}"));
                Self::Unreachable(format!("{error}{}", cause.unwrap_or_default()))
            }
        }
    }

    /// Whether a row of this owner was made meanwhile.
    pub(crate) fn is_unique_violation(&self) -> bool {
        matches!(self, Self::Refused { code, .. } if code == "23505")
    }
}

/// A database. Clones share its connection.
#[derive(Clone)]
pub struct Database {
    config: Arc<Config>,
    tls: Option<Rustls>,
    client: Arc<Mutex<Option<Arc<Client>>>>,
}

impl std::fmt::Debug for Database {
    /// The address may hold a password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Database").field("name", &self.config.get_dbname()).finish_non_exhaustive()
    }
}

impl Database {
    /// By an address, `postgresql://user:password@host/name`; nothing is asked yet. `tls`: whom to
    /// believe. It is always used, except on this machine.
    ///
    /// # Errors
    /// [`DatabaseError::Address`].
    pub fn new(address: &str, tls: Arc<ClientConfig>) -> Result<Self, DatabaseError> {
        let mut config: Config = address.parse().map_err(|error| {
            DatabaseError::Address(format!("no address of a database: {error}"))
        })?;
        config.connect_timeout(PATIENCE).application_name("offhook");
        // `hostaddr` is where it goes, whatever the name says.
        let local = !config.get_hosts().is_empty()
            && config.get_hosts().iter().all(is_local)
            && config.get_hostaddrs().iter().all(IpAddr::is_loopback);
        config.ssl_mode(if local { SslMode::Disable } else { SslMode::Require });
        let tls = (!local).then(|| Rustls::new(tls));
        Ok(Self { config: Arc::new(config), tls, client: Arc::default() })
    }

    /// Runs one statement.
    pub(crate) async fn query(
        &self,
        statement: &str,
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, DatabaseError> {
        self.within(async {
            let client = self.client().await?;
            client.query(statement, values).await.map_err(|error| DatabaseError::of(&error))
        })
        .await
    }

    /// Runs statements that give nothing.
    pub(crate) async fn batch(&self, statements: &str) -> Result<(), DatabaseError> {
        self.within(async {
            let client = self.client().await?;
            client.batch_execute(statements).await.map_err(|error| DatabaseError::of(&error))
        })
        .await
    }

    async fn within<T>(
        &self,
        work: impl Future<Output = Result<T, DatabaseError>>,
    ) -> Result<T, DatabaseError> {
        match tokio::time::timeout(PATIENCE, work).await {
            Ok(outcome) => outcome,
            Err(_) => {
                // Whatever holds it up would hold up the next one, too.
                *self.client.lock().await = None;
                let words = format!("no answer within {} s", PATIENCE.as_secs());
                Err(DatabaseError::Unreachable(words))
            }
        }
    }

    /// The connection; a new one when there is none, or when it broke.
    async fn client(&self) -> Result<Arc<Client>, DatabaseError> {
        let mut held = self.client.lock().await;
        if let Some(client) = held.as_ref().filter(|client| !client.is_closed()) {
            return Ok(Arc::clone(client));
        }
        let failed = |error: tokio_postgres::Error| DatabaseError::of(&error);
        let client = match &self.tls {
            Some(tls) => {
                let (client, connection) =
                    self.config.connect(tls.clone()).await.map_err(failed)?;
                // It ends with its client; who waits for an answer is told of an error.
                tokio::spawn(async move { drop(connection.await) });
                client
            }
            None => {
                let (client, connection) = self.config.connect(NoTls).await.map_err(failed)?;
                tokio::spawn(async move { drop(connection.await) });
                client
            }
        };
        let client = Arc::new(client);
        *held = Some(Arc::clone(&client));
        Ok(client)
    }
}

/// A socket of this machine, or its loopback address.
fn is_local(host: &Host) -> bool {
    match host {
        Host::Tcp(name) => {
            name == "localhost" || name.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
        }
        Host::Unix(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_stays_on_this_machine_goes_without_tls() {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth();
        let tls = Arc::new(tls);
        for (address, local) in [
            ("host=localhost", true),
            ("host=localhost hostaddr=127.0.0.1", true),
            ("host=localhost hostaddr=203.0.113.5", false),
            ("host=localhost,localhost hostaddr=127.0.0.1,203.0.113.5", false),
            ("host=db.example.com hostaddr=127.0.0.1", false),
            ("host=/run/postgresql", true),
        ] {
            let database = Database::new(address, Arc::clone(&tls)).unwrap();
            assert_eq!(database.tls.is_none(), local, "{address}");
        }
    }
}
