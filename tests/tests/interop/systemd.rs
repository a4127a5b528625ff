//! What the daemon tells systemd (sd_notify(3)).

use std::os::unix::net::UnixDatagram;
use std::time::{Duration, Instant};

use offhook_tests::appliance::Appliance;
use offhook_tests::baresip::{Baresip, PASSWORD, Setup};
use offhook_tests::net::{Net, PATIENCE};
use offhook_tests::scenario::{SDP, Scenario};
use offhook_tests::sipp::Sipp;

use crate::line;

/// systemd's end of the socket.
struct Manager {
    socket: UnixDatagram,
    told: Vec<String>,
}

impl Manager {
    /// Starts the appliance as systemd does.
    fn start(appliance: &mut Appliance) -> Self {
        let path = appliance.folder().join("notify");
        let socket = UnixDatagram::bind(&path).expect("a socket");
        socket.set_read_timeout(Some(Duration::from_millis(50))).expect("timeout");
        let path = path.to_str().expect("a path").to_owned();
        appliance.launch_with(&[("NOTIFY_SOCKET", &path), ("WATCHDOG_USEC", "400000")]);
        Self { socket, told: Vec::new() }
    }

    /// Waits for a datagram that holds this line; gives it back and forgets those before.
    fn expect(&mut self, line: &str) -> String {
        let limit = Instant::now() + PATIENCE;
        loop {
            if let Some(at) = self.told.iter().position(|t| t.lines().any(|l| l == line)) {
                return self.told.drain(..=at).next_back().expect("it is there");
            }
            assert!(Instant::now() < limit, "no {line}, only {:?}", self.told);
            let mut buffer = [0; 1024];
            if let Ok(length) = self.socket.recv(&mut buffer) {
                self.told.push(String::from_utf8_lossy(&buffer[..length]).into_owned());
            }
        }
    }
}

#[test]
fn systemd_hears_of_start_life_reload_and_of_life_until_the_last_call_has_ended() {
    let net = Net::new();
    let mut appliance = Appliance::prepare(net, &line(net, "extension:101"));
    appliance.add_phone("101", PASSWORD);
    let mut systemd = Manager::start(&mut appliance);
    systemd.expect("READY=1");
    systemd.expect("WATCHDOG=1");
    systemd.expect("WATCHDOG=1");
    appliance.signal("HUP");
    let reloading = systemd.expect("RELOADING=1");
    // Without it, systemd from 253 on takes the reload for a failure.
    assert!(reloading.contains("MONOTONIC_USEC="), "{reloading}");
    systemd.expect("READY=1");

    let desk = Setup::of(&appliance, 3, "101").account(";answermode=auto");
    let mut desk = Baresip::registered(&desk);
    let call = Scenario::new("+15550100999", "+15550100100").invite("", SDP);
    let call = call.answered().ack().expect_bye();
    let call = Sipp::start(&call.xml(), (net.trunk(), 5060), appliance.sip(), &["-rtp_echo"]);
    desk.expect("CALL_ESTABLISHED");
    appliance.signal("TERM");
    let stopping = systemd.expect("STOPPING=1");
    assert!(stopping.contains("EXTEND_TIMEOUT_USEC="), "{stopping}");
    // Three seconds are left to the call: a watchdog of 0.4 s must hear of us all the while.
    for _ in 0..8 {
        systemd.expect("WATCHDOG=1");
    }
    call.finish();
    assert!(appliance.ended(), "{}", appliance.log());
}
