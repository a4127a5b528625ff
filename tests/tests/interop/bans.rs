//! Who guesses passwords is locked out for a while.

use std::time::Duration;

use offhook_tests::baresip::{Baresip, REGISTERED, Setup};
use offhook_tests::net::{Net, eventually};
use offhook_tests::scenario::Scenario;
use offhook_tests::sipp::Sipp;

use crate::office;

#[test]
fn a_source_of_wrong_passwords_is_banned_and_can_be_let_in_again() {
    let net = Net::new();
    let config = "[bans]\nnever = []\nfailures = 3\nwindow_seconds = 60\nban_seconds = 300\n";
    let appliance = office(net, config, &["101"]);
    let guess = Scenario::new("101", "101").register("wrong");
    // Whatever becomes of each guess: in the end nobody answers any more.
    let _guesser = Sipp::start(
        &guess.xml(),
        (net.phone(), 5070),
        appliance.sip(),
        &["-m", "8", "-r", "8", "-recv_timeout", "1000"],
    );
    let address = net.phone().to_string();
    eventually("the guesser is banned", || {
        let bans = appliance.json(&["bans", "list"]);
        bans.as_array()?.iter().any(|b| b.to_string().contains(&address)).then_some(())
    });
    let phone = Baresip::start(&Setup::of(&appliance, 3, "101"));
    std::thread::sleep(Duration::from_secs(2));
    assert!(!phone.log().contains(REGISTERED), "a banned source is answered");
    appliance.cli(&["bans", "lift", &address]);
    phone.wait_for(REGISTERED);
    // A neighbour was never shut out.
    Baresip::registered(&Setup::of(&appliance, 4, "101"));
}
