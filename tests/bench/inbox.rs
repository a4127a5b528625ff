//! Takes packets off a socket with the time at which the kernel put them there: what the load itself
//! waits for its core is no delay of whom it measures.

use std::io::{self, IoSliceMut};
use std::net::{SocketAddr, SocketAddrV4, UdpSocket};
use std::os::fd::AsRawFd as _;
use std::time::{Duration, SystemTime};

use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, MultiHeaders, SockaddrIn, recvmmsg, setsockopt, sockopt,
};

/// Packets taken at once.
const AT_ONCE: usize = 32;
/// Room for a packet; longer ones are cut and are not the load's.
const LONGEST: usize = 256;

/// Room for packets and their times.
pub(crate) struct Inbox {
    headers: MultiHeaders<SockaddrIn>,
    packets: Vec<[u8; LONGEST]>,
}

/// A packet that came: its bytes, its sender, the wall clock's time since 1970 at its arrival.
pub(crate) struct Arrived<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) from: SocketAddr,
    pub(crate) at: Duration,
}

impl Inbox {
    pub(crate) fn new() -> Self {
        let room = nix::cmsg_space!(nix::sys::time::TimeSpec);
        Self {
            headers: MultiHeaders::preallocate(AT_ONCE, Some(room)),
            packets: vec![[0; LONGEST]; AT_ONCE],
        }
    }

    /// Takes what the socket has, up to a batch, without waiting. Gives how many there were.
    pub(crate) fn take(
        &mut self,
        socket: &UdpSocket,
        mut each: impl FnMut(Arrived<'_>),
    ) -> io::Result<usize> {
        let mut rooms: Vec<_> = self.packets.iter_mut().map(|p| [IoSliceMut::new(p)]).collect();
        let flags = MsgFlags::MSG_DONTWAIT;
        let fd = socket.as_raw_fd();
        let taken = match recvmmsg(fd, &mut self.headers, rooms.iter_mut(), flags, None) {
            Ok(taken) => taken,
            Err(nix::Error::EAGAIN | nix::Error::EINTR) => return Ok(0),
            Err(error) => return Err(error.into()),
        };
        let mut count = 0;
        for message in taken {
            count += 1;
            let at = message.cmsgs()?.find_map(|part| match part {
                ControlMessageOwned::ScmTimestampns(at) => Some(Duration::from(at)),
                _ => None,
            });
            let (Some(at), Some(from)) = (at, message.address) else { continue };
            let from = SocketAddr::V4(SocketAddrV4::from(from));
            for bytes in message.iovs() {
                each(Arrived { bytes, from, at });
            }
        }
        Ok(count)
    }
}

/// Lets the kernel note when packets come.
pub(crate) fn note_times(socket: &UdpSocket) -> io::Result<()> {
    Ok(setsockopt(socket, sockopt::ReceiveTimestampns, &true)?)
}

/// The clock that the kernel notes times with, since 1970.
pub(crate) fn wall_clock() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}
