//! What a call asks of the cloud that has its caller's own leg, done with the keys of `[aws]`.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use futures_util::future::BoxFuture;
use offhook_chime::take_back::{DeliverError, Desk, Refusal};
use offhook_dnis::{Lookup, Pair};
use offhook_pbx::cloud::{Cloud, CloudCall, CloudError, CloudOrder};

use crate::applications::Applications;

/// AWS, for calls.
pub struct Home(Weak<Applications>);

impl Home {
    /// With the keys and the pairs that these have.
    #[must_use]
    pub fn new(applications: &Arc<Applications>) -> Self {
        Self(Arc::downgrade(applications))
    }
}

impl Cloud for Home {
    fn ask(&self, order: CloudOrder) -> BoxFuture<'static, Result<(), CloudError>> {
        let applications = self.0.upgrade();
        Box::pin(async move {
            let applications = applications
                .ok_or_else(|| CloudError::Unavailable("the appliance goes".to_owned()))?;
            match order {
                CloudOrder::Update { call, target } => {
                    let (application, transaction) = named(&applications, call).await?;
                    let arguments = BTreeMap::from([("TransferTarget".to_owned(), target)]);
                    let desk = desk(&applications)?;
                    desk.update(&application, &transaction, &arguments).await.map_err(failed)
                }
                CloudOrder::Attributes { instance, region, contact, attributes } => {
                    let ours = applications.region();
                    // The key is for what the configuration names, whatever a header says.
                    if region != ours {
                        return Err(CloudError::Refused(format!(
                            "the instance {instance} is in {region}; [aws] region is {ours}"
                        )));
                    }
                    let desk = desk(&applications)?;
                    desk.attributes(&instance, &contact, &attributes).await.map_err(failed)
                }
            }
        })
    }
}

fn desk(applications: &Applications) -> Result<Desk, CloudError> {
    applications.sdk().map(Desk::new).map_err(CloudError::Refused)
}

/// Application and transaction of a call.
async fn named(
    applications: &Applications,
    call: CloudCall,
) -> Result<(String, String), CloudError> {
    let (ours, theirs, usual) = match call {
        CloudCall::Named { application, transaction } => return Ok((application, transaction)),
        CloudCall::Pair { ours, theirs, application } => (ours, theirs, application),
    };
    let pool = applications.pairs().ok_or(CloudError::NotThere)?;
    let lookup = Lookup { pair: Pair::new(ours, theirs), contact: None, owner: None };
    let lease = pool.lookup(lookup).await;
    let lease = lease.map_err(|error| CloudError::Unavailable(error.to_string()))?;
    let lease = lease.ok_or(CloudError::NotThere)?;
    let application = lease.application.or(usual).ok_or_else(|| {
        let words = "the lease names no SIP media application; [cloud] sip_media_application_id";
        CloudError::Refused(words.to_owned())
    })?;
    Ok((application, lease.owner))
}

fn failed(error: DeliverError) -> CloudError {
    let DeliverError { refusal, words } = error;
    match refusal {
        Refusal::Ended => CloudError::Gone(words),
        Refusal::Refused => CloudError::Refused(words),
        Refusal::Unavailable => CloudError::Unavailable(words),
    }
}
