#!/bin/bash
# The study behind docs/decisions/0013: what a relayed packet costs by each way the kernel has. Needs root, gcc,
# iproute2, nft and python3; makes three network namespaces of its own (caller, box, callee) and removes them.
#   tests/bench/paths/paths.sh [CALLS] [PACKETS]
set -e
HERE=$(cd "$(dirname "$0")" && pwd)
CALLS=${1:-200} PACKETS=${2:-40000}
WORK=$(mktemp -d)
down() { for ns in ohp-a ohp-box ohp-b; do ip netns del $ns 2>/dev/null || true; done; }
trap 'down; umount "$WORK/bpf" 2>/dev/null; rm -rf "$WORK"' EXIT
gcc -O2 -Wall -Wno-return-type -o "$WORK/paths" "$HERE/paths.c" -lpthread

up() {
  down
  for ns in ohp-a ohp-box ohp-b; do ip netns add $ns; ip -n $ns link set lo up; done
  ip -n ohp-box link add box-a type veth peer name eth0 netns ohp-a
  ip -n ohp-box link add box-b type veth peer name eth0 netns ohp-b
  ip -n ohp-a addr add 10.77.1.2/24 dev eth0; ip -n ohp-a link set eth0 up; ip -n ohp-a route add default via 10.77.1.1 2>/dev/null || true
  ip -n ohp-b addr add 10.77.2.2/24 dev eth0; ip -n ohp-b link set eth0 up
  ip -n ohp-box addr add 10.77.1.1/24 dev box-a; ip -n ohp-box link set box-a up
  ip -n ohp-box addr add 10.77.2.1/24 dev box-b; ip -n ohp-box link set box-b up
  ip -n ohp-a route replace default via 10.77.1.1; ip -n ohp-b route replace default via 10.77.2.1
  ip netns exec ohp-box sysctl -qw net.ipv4.ip_forward=${1:-0}
}
# The least of five runs: what disturbs only adds.
measure() {
  printf '%-44s ' "$1"
  for _ in 1 2 3 4 5; do "$WORK/paths" "$2" "$CALLS" "$PACKETS" || true; done | sort -n | head -n 1
}

up 1; measure "no relay: one plain hop of routing" forward
up; measure "epoll, receive and send to (the floor)" epoll
up; measure "epoll, connected sockets" connected
up; measure "the same, SO_BUSY_POLL" busypoll
up; measure "the same, MSG_ZEROCOPY" zerocopy
up; measure "io_uring, multishot receive" uring
up; measure "one port a side, recvmmsg and sendmmsg" mmsg

up; measure "eBPF sockmap, socket to socket" sockmap

# nftables NAT with connection tracking: a map in prerouting, a map in postrouting.
up 1
{ cat <<'R'
table ip r {
  map d { typeof ip saddr . udp sport . ip daddr . udp dport : ip daddr . udp dport; }
  map s { typeof ip saddr . udp sport . ip daddr . udp dport : ip saddr . udp sport; }
  chain pre { type nat hook prerouting priority dstnat; dnat to ip saddr . udp sport . ip daddr . udp dport map @d; }
  chain post { type nat hook postrouting priority srcnat; snat to ip saddr . udp sport . ip daddr . udp dport map @s; }
}
R
  for ((i=0;i<CALLS;i++)); do
    echo "add element ip r d { 10.77.1.2 . $((20000+i)) . 10.77.1.1 . $((40000+i)) : 10.77.2.2 . $((30000+i)), 10.77.2.2 . $((30000+i)) . 10.77.2.1 . $((50000+i)) : 10.77.1.2 . $((20000+i)) }"
    echo "add element ip r s { 10.77.1.2 . $((20000+i)) . 10.77.2.2 . $((30000+i)) : 10.77.2.1 . $((50000+i)), 10.77.2.2 . $((30000+i)) . 10.77.1.2 . $((20000+i)) : 10.77.1.1 . $((40000+i)) }"
  done; } > "$WORK/nat.nft"
ip netns exec ohp-box nft -f "$WORK/nat.nft"
measure "nftables NAT, connection tracking" kernel

# eBPF at tc's ingress.
mkdir -p "$WORK/bpf"; mount -t bpf bpf "$WORK/bpf"
up
ip netns exec ohp-box python3 "$HERE/bpf_relay.py" "$CALLS" box-a box-b "$WORK/bpf/relay"
for dev in box-a box-b; do
  ip netns exec ohp-box tc qdisc add dev $dev clsact
  ip netns exec ohp-box tc filter add dev $dev ingress bpf da pinned "$WORK/bpf/relay"
done
measure "eBPF at tc ingress, redirect" kernel

# The map of kernel_relay at the interfaces (KERNEL_TABLE: the example of offhook-media, built before).
KERNEL_TABLE=${KERNEL_TABLE:-${CARGO_TARGET_DIR:-$HERE/../../../target}/release/examples/kernel_table}
if [ -x "$KERNEL_TABLE" ]; then
  up
  mkfifo "$WORK/hold" "$WORK/said"
  ip netns exec ohp-box "$KERNEL_TABLE" "$CALLS" < "$WORK/hold" > "$WORK/said" &
  exec 8> "$WORK/hold" 9< "$WORK/said"
  read -r _ <&9
  measure "nftables map at the interface (kernel_relay)" kernel
  echo >&8; read -r said <&9; echo "    $said"
  exec 8>&- 9<&-
else
  echo "no $KERNEL_TABLE: cargo build --release -p offhook-media --example kernel_table"
fi
