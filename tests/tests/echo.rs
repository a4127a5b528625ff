//! The echo test over real media threads. In real time, since audio has no other.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use offhook_tests::sim::agent::{Agent, AgentConfig, Dial};
use offhook_tests::sim::media::{eventually, pcmu};
use offhook_tests::sim::net::{SimNet, Weather};
use offhook_tests::sim::office::{SimOffice, fresh_ports};
use offhook_tests::sim::sdp;
use tokio::net::UdpSocket;

const OFFICE: SocketAddr = at(1);

const fn at(host: u8) -> SocketAddr {
    SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::new(127, 4, 0, host), 5060))
}

fn config() -> String {
    let ports = fresh_ports();
    format!(
        r#"
[[listen]]
transport = "udp"
address = "{OFFICE}"
[media]
ports = "{ports}"
address = "127.0.0.1"
[[extension]]
number = "101"
password = "secret-101"
[[number]]
match = "*43"
to = "echo"
"#
    )
}

/// 20 ms of PCMU that tells packets apart.
fn packet(n: u16) -> Vec<u8> {
    pcmu(n, n.to_be_bytes().repeat(80))
}

#[tokio::test]
async fn the_echo_test_sends_back_what_the_caller_says() {
    let net = SimNet::start(4, Weather::CALM);
    let config = config();
    let office = SimOffice::open(&net, &config);
    let ann = Agent::start(&net, AgentConfig::phone(at(13), "101", "secret-101", OFFICE));
    let mut out = ann.dial(Dial::to("*43"));
    let answer = out.answered().await;
    let to = sdp::audio_address(&answer.body).unwrap();
    let socket = UdpSocket::bind((at(13).ip(), 40_000)).await.unwrap();
    let mut said = Vec::new();
    eventually("what was said comes back", async || {
        said.push(packet(said.len() as u16));
        socket.send_to(said.last().unwrap(), &to).await.unwrap();
        let mut back = [0; 400];
        while let Ok(length) = socket.try_recv(&mut back) {
            // The last one may still be on its way.
            if said.iter().any(|said| back.get(12..length) == said.get(12..)) {
                return true;
            }
        }
        false
    })
    .await;
    out.hang_up();
    eventually("nothing is left", async || {
        office.calls.tasks() == 0 && office.engine.open_ports() == 0
    })
    .await;
    net.close();
}
