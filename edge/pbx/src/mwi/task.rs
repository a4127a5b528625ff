//! The task that owns the subscriptions: whom it tells when.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use offhook_sip::ids::Ids;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::subscriptions::Subscription;
use super::{Ask, CountMessages, MessageCounts, MwiConfig};
use crate::changes::Changes;
use crate::metrics::Metrics;
use crate::registrar::{Authenticator, Registrar, RegistrationChange};
use crate::stack::{DialogKey, Owner, SipEvent, SipHandle};

/// Events that may wait.
const MAILBOX: usize = 4_096;
/// How long a mailbox may take to be counted.
const PATIENCE: Duration = Duration::from_secs(30);
/// When a mailbox that could not be counted is counted again.
const RETRY: Duration = Duration::from_secs(10);

pub(super) struct Task {
    pub(super) config: MwiConfig,
    pub(super) sip: SipHandle,
    pub(super) auth: Authenticator,
    pub(super) registrar: Registrar,
    count: CountMessages,
    pub(super) metrics: Arc<Metrics>,
    pub(super) ids: Ids,
    pub(super) owner: Owner,
    mailbox: mpsc::Receiver<SipEvent>,
    pub(super) subscriptions: HashMap<u64, Subscription>,
    pub(super) by_dialog: HashMap<DialogKey, u64>,
    pub(super) by_mailbox: HashMap<Box<str>, Vec<u64>>,
    pub(super) expiry: BTreeSet<(Instant, u64)>,
    /// Which subscription a NOTIFY under way belongs to.
    pub(super) tokens: HashMap<u64, u64>,
    pub(super) last: u64,
    counting: HashMap<Box<str>, Counting>,
    counted: mpsc::UnboundedSender<(Box<str>, Option<MessageCounts>)>,
    /// Boxes that hold or held messages: their phones are told even that there are none.
    used: HashSet<Box<str>>,
    /// Whether `used` tells of all that was before the start.
    complete: bool,
    /// Last NOTIFYs whose answers are still to come, and who waits for them.
    pub(super) farewells: HashSet<u64>,
    pub(super) done: Option<oneshot::Sender<()>>,
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
        let (owner, mailbox) = Owner::channel(MAILBOX);
        // Replaced when the task runs.
        let (counted, _) = mpsc::unbounded_channel();
        Self {
            config,
            sip,
            auth,
            registrar,
            count,
            metrics,
            ids: Ids::from_os(),
            owner,
            mailbox,
            subscriptions: HashMap::new(),
            by_dialog: HashMap::new(),
            by_mailbox: HashMap::new(),
            expiry: BTreeSet::new(),
            tokens: HashMap::new(),
            last: 0,
            counting: HashMap::new(),
            counted,
            used: HashSet::new(),
            complete: false,
            farewells: HashSet::new(),
            done: None,
        }
    }

    pub(super) async fn run(mut self, mut inbox: mpsc::Receiver<Ask>, changes: Arc<Changes>) {
        let (counted, mut counts) = mpsc::unbounded_channel();
        self.counted = counted;
        let mut registrations = self.registrar.listen(MAILBOX);
        loop {
            let next = self.expiry.first().map(|(at, _)| *at);
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
                    Some(Ask::End(done)) => self.end_all(done),
                    None => return,
                },
                boxes = changes.take() => {
                    for mailbox in boxes {
                        self.mailbox_changed(&mailbox);
                    }
                }
                Some(event) = self.mailbox.recv() => self.event(event),
                Some((mailbox, counts)) = counts.recv() => self.tell(&mailbox, counts),
                Some(change) = registrations.recv() => {
                    if let RegistrationChange::Registered { aor, fresh: true } = change {
                        self.phone_came(&aor);
                    }
                }
                () = sleep => self.expire(),
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
                    let ids = self.by_mailbox.get(mailbox).cloned().unwrap_or_default();
                    for id in ids {
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

    fn event(&mut self, event: SipEvent) {
        match event {
            SipEvent::Request { tx, request, flow } => self.in_dialog(tx, &request, flow),
            SipEvent::Response { token, response, .. } if response.status.is_final() => {
                self.notify_answered(token, Some(&response));
            }
            SipEvent::Failed { token, .. } => self.notify_answered(token, None),
            SipEvent::Response { .. } | SipEvent::Ack { .. } | SipEvent::Cancel { .. } => {}
        }
    }
}
