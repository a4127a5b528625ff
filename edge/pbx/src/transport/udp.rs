//! Datagrams.

use std::io;
use std::net::{SocketAddr, UdpSocket as StdSocket};
use std::time::Duration;

use bytes::Bytes;
use offhook_sip::flow::{Flow, Transport};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use tokio::net::UdpSocket;
use tokio::sync::mpsc;

use super::wire::{Incoming, WireError};

/// Datagrams read in one wake-up before other tasks get their turn.
const BATCH: usize = 64;
/// Asked of the kernel, so that a burst of registrations waits there and is not lost; the kernel
/// gives what `net.core.rmem_max` allows.
const RECEIVE_BUFFER: usize = 4 * 1024 * 1024;
/// Largest datagram there is.
const LARGEST: usize = 65_535;

/// The sending side of a bound socket.
#[derive(Debug)]
pub(super) struct Udp {
    pub(super) bound: SocketAddr,
    socket: StdSocket,
}

/// Binds; the reader belongs to a task of its own, [`read`].
pub(super) fn bind(address: SocketAddr) -> io::Result<(Udp, UdpSocket)> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER);
    socket.set_nonblocking(true)?;
    socket.bind(&SockAddr::from(address))?;
    let socket: StdSocket = socket.into();
    let reader = UdpSocket::from_std(socket.try_clone()?)?;
    Ok((Udp { bound: socket.local_addr()?, socket }, reader))
}

impl Udp {
    /// Straight to the kernel: no readiness to wait for, and a full buffer is a lost datagram.
    pub(super) fn send(&self, remote: SocketAddr, bytes: &Bytes) -> Result<(), WireError> {
        let send = || self.socket.send_to(bytes, remote);
        let sent = match send() {
            // Somebody else does not listen: what a system reports here is about an earlier
            // datagram, and this one has not gone out yet.
            Err(e) if e.kind() == io::ErrorKind::ConnectionRefused => send(),
            sent => sent,
        };
        match sent {
            Ok(_) => Ok(()),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => Err(WireError::Full),
            Err(e) => {
                tracing::debug!(error = %e, %remote, "a datagram was refused");
                Err(WireError::Failed)
            }
        }
    }
}

/// Reads until the stack is gone. No error ends it: what the kernel reports here belongs to a
/// datagram sent earlier.
pub(super) async fn read(socket: UdpSocket, bound: SocketAddr, inbox: mpsc::Sender<Incoming>) {
    let mut buffer = vec![0; LARGEST];
    let mut pause = Duration::ZERO;
    loop {
        if let Err(error) = socket.readable().await {
            tracing::warn!(%error, %bound, "cannot wait for datagrams");
            tokio::time::sleep(Duration::from_secs(1)).await;
            continue;
        }
        for _ in 0..BATCH {
            let (length, remote) = match socket.try_recv_from(&mut buffer) {
                Ok(got) => got,
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => {
                    tracing::debug!(%error, %bound, "receiving failed");
                    pause = Duration::from_millis(10);
                    break;
                }
            };
            let bytes = Bytes::copy_from_slice(buffer.get(..length).unwrap_or_default());
            let flow = Flow { transport: Transport::Udp, local: bound, remote, connection: None };
            if inbox.send(Incoming::Datagram { flow, bytes }).await.is_err() {
                return;
            }
        }
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
            pause = Duration::ZERO;
        }
    }
}
