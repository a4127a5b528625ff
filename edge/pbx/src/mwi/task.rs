//! The task that owns the subscriptions: whom it tells when.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use offhook_sip::message::{Request, StatusCode};
use tokio::sync::mpsc;

use super::{Ask, CONTACT, CountMessages, MessageCounts, MwiConfig};
use crate::changes::Changes;
use crate::keep::Extension;
use crate::metrics::Metrics;
use crate::registrar::{Authenticator, Registrar, RegistrationChange};
use crate::stack::{NewRequest, SipEvent, SipHandle};
use crate::subscriptions::{About, Package, Subscriptions};

/// The package's name (RFC 3842 §3.1).
pub(super) const PACKAGE: &str = "message-summary";
/// Events that may wait.
const MAILBOX: usize = 4_096;
/// How long a mailbox may take to be counted.
const PATIENCE: Duration = Duration::from_secs(30);
/// When a mailbox that could not be counted is counted again.
const RETRY: Duration = Duration::from_secs(10);

pub(super) struct Task {
    pub(super) config: MwiConfig,
    pub(super) sip: SipHandle,
    pub(super) registrar: Registrar,
    count: CountMessages,
    pub(super) subscriptions: Subscriptions,
    mailbox: mpsc::Receiver<SipEvent>,
    counting: HashMap<Box<str>, Counting>,
    counted: mpsc::UnboundedSender<(Box<str>, Option<MessageCounts>)>,
    /// Boxes that hold or held messages: their phones are told even that there are none.
    used: HashSet<Box<str>>,
    /// Whether `used` tells of all that was before the start.
    complete: bool,
}

/// A question to the store under way. Who asks meanwhile gets the next answer: this one may be of
/// before the change.
#[derive(Default)]
struct Counting {
    now: Vec<Whom>,
    next: Vec<Whom>,
    /// The store failed, and is asked again in a while.
    failing: bool,
}

/// Whom to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whom {
    One(u64),
    Subscribers,
    /// Registered phones without a subscription.
    Phones,
    /// Those too, when there is something to tell.
    PhonesIfAny,
}

impl Task {
    pub(super) fn new(
        config: MwiConfig,
        sip: SipHandle,
        auth: Authenticator,
        registrar: Registrar,
        count: CountMessages,
        metrics: Arc<Metrics>,
    ) -> Self {
        let package = Package {
            name: PACKAGE,
            limits: config.limits,
            server: config.server.clone(),
            most: config.max_subscriptions,
            most_each: config.max_per_mailbox,
        };
        let (subscriptions, mailbox) = Subscriptions::new(package, sip.clone(), auth, metrics);
        // Replaced when the task runs.
        let (counted, _) = mpsc::unbounded_channel();
        Self {
            config,
            sip,
            registrar,
            count,
            subscriptions,
            mailbox,
            counting: HashMap::new(),
            counted,
            used: HashSet::new(),
            complete: false,
        }
    }

    fn subscribe(&mut self, new: NewRequest) {
        let aliases = &self.config.aliases;
        let about = |request: &Request, extension: &Extension| {
            let asked = request.uri.user_decoded();
            let own = |user: &str| user == extension.number || aliases.iter().any(|a| a == user);
            // A lamp tells who has messages: nobody sees another's.
            match asked.as_deref().is_none_or(own) {
                true => {
                    Ok(About { topic: extension.number.as_str().into(), contact: CONTACT.into() })
                }
                false => Err(StatusCode::FORBIDDEN),
            }
        };
        let id = self.subscriptions.subscribe(new, about);
        self.want_for(id);
    }

    fn want_for(&mut self, id: Option<u64>) {
        let found = id.and_then(|id| Some((id, self.subscriptions.get(id)?)));
        if let Some((id, subscription)) = found {
            let mailbox = subscription.topic().to_owned();
            self.want(&mailbox, Whom::One(id));
        }
    }

    pub(super) async fn run(mut self, mut inbox: mpsc::Receiver<Ask>, changes: Arc<Changes>) {
        let (counted, mut counts) = mpsc::unbounded_channel();
        self.counted = counted;
        let mut registrations = self.registrar.listen(MAILBOX);
        loop {
            let next = self.subscriptions.deadline();
            let sleep = async {
                match next {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                ask = inbox.recv() => match ask {
                    Some(Ask::Subscribe(new)) => self.subscribe(*new),
                    Some(Ask::Announce(used)) => self.announce(used),
                    Some(Ask::End(done)) => self.subscriptions.end_all(done),
                    None => return,
                },
                boxes = changes.take() => {
                    for mailbox in boxes {
                        self.mailbox_changed(&mailbox);
                    }
                }
                Some(event) = self.mailbox.recv() => {
                    let refreshed = self.subscriptions.event(event);
                    self.want_for(refreshed);
                }
                Some((mailbox, counts)) = counts.recv() => self.tell(&mailbox, counts),
                Some(change) = registrations.recv() => {
                    if let RegistrationChange::Registered { aor, fresh: true } = change {
                        self.phone_came(&aor);
                    }
                }
                () = sleep => {
                    for id in self.subscriptions.expire() {
                        self.want_for(Some(id));
                    }
                }
            }
        }
    }

    fn phone_came(&mut self, aor: &str) {
        if !self.config.unsolicited {
            return;
        }
        if self.used.contains(aor) {
            self.want(aor, Whom::Phones);
        } else if !self.complete {
            self.want(aor, Whom::PhonesIfAny);
        }
    }

    fn mailbox_changed(&mut self, mailbox: &str) {
        self.used.insert(mailbox.into());
        self.want(mailbox, Whom::Subscribers);
        if self.config.unsolicited {
            self.want(mailbox, Whom::Phones);
        }
    }

    fn announce(&mut self, used: Vec<String>) {
        for mailbox in used {
            if self.config.unsolicited {
                // We may have been killed between the last deletion and its NOTIFY.
                self.want(&mailbox, Whom::Phones);
            }
            self.used.insert(mailbox.into());
        }
        self.complete = true;
    }

    /// Asks the store; [`Task::tell`] follows.
    pub(super) fn want(&mut self, mailbox: &str, whom: Whom) {
        if let Some(counting) = self.counting.get_mut(mailbox) {
            let failing = counting.failing;
            if !counting.next.contains(&whom) {
                counting.next.push(whom);
            }
            if let (true, Whom::One(id)) = (failing, whom) {
                self.notify(id, None);
            }
            return;
        }
        let counting = Counting { now: vec![whom], ..Counting::default() };
        self.counting.insert(mailbox.into(), counting);
        self.ask(mailbox, Duration::ZERO);
    }

    fn ask(&self, mailbox: &str, after: Duration) {
        let (count, counted) = (Arc::clone(&self.count), self.counted.clone());
        let mailbox: Box<str> = mailbox.into();
        tokio::spawn(async move {
            if !after.is_zero() {
                tokio::time::sleep(after).await;
            }
            let counting = tokio::spawn(count(mailbox.to_string()));
            // A store that hangs or dies over one question must not stop the lamp for ever.
            let outcome = tokio::time::timeout(PATIENCE, counting).await;
            let _ = counted.send((mailbox, outcome.ok().and_then(Result::ok).flatten()));
        });
    }

    fn tell(&mut self, mailbox: &str, counts: Option<MessageCounts>) {
        let Some(counting) = self.counting.remove(mailbox) else { return };
        for whom in &counting.now {
            match (*whom, counts) {
                // Told already that there is a subscription.
                (Whom::One(_), None) if counting.failing => {}
                (Whom::One(id), counts) => {
                    self.notify(id, counts);
                }
                (Whom::Subscribers, Some(counts)) => {
                    for id in self.subscriptions.to(mailbox) {
                        self.notify(id, Some(counts));
                    }
                }
                (Whom::Phones, Some(counts)) => self.notify_phones(mailbox, counts),
                (Whom::PhonesIfAny, Some(counts)) if counts != MessageCounts::default() => {
                    self.notify_phones(mailbox, counts);
                }
                (Whom::PhonesIfAny, Some(_)) => {}
                // Nothing is known: the lamp stays as it is until the store answers.
                (Whom::Subscribers | Whom::Phones | Whom::PhonesIfAny, None) => {}
            }
        }
        let Counting { now, next: mut again, failing: was_failing } = counting;
        let failing = counts.is_none();
        if failing {
            for whom in &again {
                // RFC 6665 §4.2.1.2: a NOTIFY at once, whatever it can say.
                if let (Whom::One(id), false) = (*whom, was_failing) {
                    self.notify(id, None);
                }
            }
            for whom in now {
                if !again.contains(&whom) {
                    again.push(whom);
                }
            }
        }
        if !again.is_empty() {
            let counting = Counting { now: again, next: Vec::new(), failing };
            self.counting.insert(mailbox.into(), counting);
            self.ask(mailbox, if failing { RETRY } else { Duration::ZERO });
        }
    }
}
