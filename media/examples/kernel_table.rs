//! The table of `kernel_relay` alone, for `tests/bench/paths`: its calls are those of `paths.c`.
//!
//! `kernel_table CALLS` in the box's network namespace; says when they are in, and holds them until its
//! input ends.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measuring tool"
)]

#[path = "../src/kernel/netlink.rs"]
mod netlink;
#[path = "../src/kernel/route.rs"]
mod route;
#[path = "../src/kernel/table.rs"]
mod table;

use std::net::SocketAddrV4;

use self::netlink::Socket;
use self::table::{Path, Table};

fn main() {
    let calls: u16 = std::env::args().nth(1).unwrap().parse().unwrap();
    let mut routes = Socket::open(None).unwrap();
    let mut table = Table::open(46).unwrap();
    let addr = |ip: &str, port: u16| SocketAddrV4::new(ip.parse().unwrap(), port);
    for n in 0..calls {
        let sides = [
            (addr("10.77.1.2", 20_000 + n), addr("10.77.1.1", 40_000 + n)),
            (addr("10.77.2.2", 30_000 + n), addr("10.77.2.1", 50_000 + n)),
        ];
        for (side, [from, to]) in [[0, 1], [1, 0]].into_iter().enumerate() {
            let ((from, at), (to, via)) = (sides[from], sides[to]);
            let ssrc = 1 + u32::from(n) * 2 + side as u32;
            let path = Path { from, at, via, to, payload_type: 0, payload: 160, ssrc };
            let [there, back] = [(to, via), (from, at)].map(|(to, from)| {
                route::route(&mut routes, *to.ip(), *from.ip()).unwrap().unwrap()
            });
            let device = routes.interface(back.interface).unwrap();
            table.attach(back.interface, &device).unwrap();
            table.insert(&path, there).unwrap();
        }
    }
    println!("in");
    let _ = std::io::stdin().read_line(&mut String::new());
    let mut packets = 0;
    table.count(|_, n| packets += n).unwrap();
    println!("{packets} packets in the kernel");
}
