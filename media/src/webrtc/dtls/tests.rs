use super::*;

#[test]
fn nothing_makes_a_handshake_panic() {
    let now = Instant::now();
    let identity = Identity::fresh().unwrap();
    for active in [false, true] {
        let mut hello = Vec::new();
        let mut other = Handshake::new(now, &identity, identity.fingerprint().clone(), !active);
        other.handle_timeout(now, &mut |packet| hello.push(packet.to_vec()));
        for seed in 0..150u32 {
            let mut handshake =
                Handshake::new(now, &identity, identity.fingerprint().clone(), active);
            handshake.handle_timeout(now, &mut |_| {});
            let mut packet = hello.first().cloned().unwrap_or_else(|| vec![22; 60]);
            let change = (seed as usize * 7) % packet.len();
            packet[change] ^= (seed % 255 + 1) as u8;
            packet.truncate(packet.len() - (seed as usize % 13));
            handshake.receive(now, &packet, &mut |_| {});
        }
    }
}
