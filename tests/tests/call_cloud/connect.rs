//! Calls of Connect's external voice transfer: their flow goes on.

use std::time::Duration;

use offhook_pbx::cloud::{CloudError, CloudOrder};
use tokio::time::sleep;

use super::{BOBS, CONTACT, asked_of, customer_with, open, reported};

#[tokio::test(start_paused = true)]
async fn a_call_of_connect_goes_back_to_its_flow_with_attributes() {
    let texts = "attributes = { desk = \"{extension}\", to = \"{target}\", who = \"{caller}\" }\n";
    let (scene, mut cloud) = open(&format!("{texts}{BOBS}")).await;
    for (dialled, target) in [("*8", ""), ("+15557770000", "+15557770000")] {
        let (mut customer, mut bob) = customer_with(&scene, &CONTACT).await;
        bob.refer(&format!("<sip:{dialled}@office.example>"));
        assert_eq!(reported(&mut bob).await, "100 Trying");
        let asked = asked_of(&mut cloud).await;
        let texts = [("desk", "102"), ("to", target), ("who", "+15550007777")];
        let attributes = texts.map(|(name, text)| (name.to_owned(), text.to_owned()));
        let wanted = CloudOrder::Attributes {
            instance: "i-1".into(),
            region: "us-east-1".into(),
            contact: "c-1".into(),
            attributes: attributes.into(),
        };
        assert_eq!(asked.order, wanted);
        assert!(customer.still_up());
        asked.answer(Ok(()));
        customer.ended().await;
        assert_eq!(reported(&mut bob).await, "200 OK");
        bob.ended().await;
    }
    let records = scene.close().await;
    assert_eq!(records[0].destination.as_deref(), Some("cloud:connect"));
    assert_eq!(records[1].destination.as_deref(), Some("cloud:connect +15557770000"));
}

#[tokio::test(start_paused = true)]
async fn attributes_that_cannot_be_written_keep_the_caller_unless_they_need_not_be() {
    let texts = "attributes = { desk = \"{extension}\" }\n";
    let refused = || Err(CloudError::Refused("AccessDeniedException".into()));
    let (scene, mut cloud) = open(&format!("{texts}{BOBS}")).await;
    let (mut customer, mut bob) = customer_with(&scene, &CONTACT).await;
    bob.refer("<sip:*8@office.example>");
    asked_of(&mut cloud).await.answer(refused());
    assert_eq!(reported(&mut bob).await, "100 Trying");
    assert_eq!(reported(&mut bob).await, "403 The cloud does not take the attributes");
    sleep(Duration::from_secs(10)).await;
    assert!(customer.still_up() && bob.still_up());
    customer.hang_up();
    bob.ended().await;
    scene.close().await;

    let (scene, mut cloud) = open(&format!("attributes_required = false\n{texts}{BOBS}")).await;
    let (mut customer, mut bob) = customer_with(&scene, &CONTACT).await;
    bob.refer("<sip:*8@office.example>");
    asked_of(&mut cloud).await.answer(refused());
    customer.ended().await;
    assert_eq!(reported(&mut bob).await, "100 Trying");
    assert_eq!(reported(&mut bob).await, "200 OK");
    bob.ended().await;
    scene.close().await;
}

#[tokio::test(start_paused = true)]
async fn without_attributes_connect_is_only_hung_up_on() {
    let (scene, mut cloud) = open(BOBS).await;
    let (mut customer, mut bob) = customer_with(&scene, &CONTACT).await;
    bob.press("*8#");
    customer.ended().await;
    bob.ended().await;
    assert!(cloud.try_recv().is_err());
    scene.close().await;
}

/// The API writes the attributes of a whole chain of transfers, which its first contact names.
#[tokio::test(start_paused = true)]
async fn attributes_of_a_contact_that_was_transferred_are_those_of_the_first_one() {
    let texts = "attributes = { desk = \"{extension}\" }\n";
    let (scene, mut cloud) = open(&format!("{texts}{BOBS}")).await;
    let headers = [CONTACT[0], CONTACT[1], ("X-Amzn-ConnectInitialContactId", "c-0")];
    let (mut customer, mut bob) = customer_with(&scene, &headers).await;
    bob.refer("<sip:*8@office.example>");
    let asked = asked_of(&mut cloud).await;
    let CloudOrder::Attributes { contact, .. } = &asked.order else { panic!("{asked:?}") };
    assert_eq!(contact, "c-0");
    asked.answer(Ok(()));
    customer.ended().await;
    bob.ended().await;
    let record = scene.close().await.remove(0);
    assert_eq!(record.cloud.contact_id.as_deref(), Some("c-1"));
}
