#!/usr/bin/env python3
"""Loads an eBPF relay by hand (bpf(2), no library) for the study: looks a packet up by its addresses, ports and SSRC,
rewrites them with sequence number and timestamp, counts, and redirects it to the other interface.

  bpf_relay.py CALLS INTERFACE INTERFACE PIN    in the box's network namespace; pins the program for tc"""
import ctypes, os, socket, struct, sys

PIN = sys.argv[4]
CALLS, IFACES = int(sys.argv[1]), sys.argv[2:4]
libc = ctypes.CDLL(None, use_errno=True)


def bpf(cmd, attr):
    buf = ctypes.create_string_buffer(attr, max(len(attr), 144))
    fd = libc.syscall(321, cmd, buf, len(buf))
    if fd < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return fd


KEY, VALUE = 16, 40
def create_map():
    return bpf(0, struct.pack("IIII", 1, KEY, VALUE, 8192))

code = []
labels, jumps = {}, []
def i(op, dst=0, src=0, off=0, imm=0): code.append([op, dst, src, off, imm])
def mov(d, s): i(0xbf, d, s)
def movi(d, n): i(0xb7, d, 0, 0, n)
def addi(d, n): i(0x07, d, 0, 0, n)
SIZE = {1: 0x10, 2: 0x08, 4: 0x00, 8: 0x18}
def load(n, d, s, off): i(0x61 | SIZE[n], d, s, off)
def store(n, d, off, s): i(0x63 | SIZE[n], d, s, off)
def jump(op, d, imm, to, src=0): jumps.append((len(code), to)); i(op, d, src, 0, imm)
def call(n): i(0x85, 0, 0, 0, n)

def program(map_fd):
    mov(6, 1)
    load(4, 2, 6, 76); load(4, 3, 6, 80)            # data, data_end
    mov(4, 2); addi(4, 54); jump(0x2d, 4, 0, "out", 3)
    load(2, 4, 2, 12); jump(0x55, 4, socket.htons(0x0800), "out")
    load(1, 4, 2, 14); jump(0x55, 4, 0x45, "out")
    load(1, 4, 2, 23); jump(0x55, 4, 17, "out")
    for at, off in ((26, -16), (30, -12), (34, -8), (50, -4)):
        load(4, 4, 2, at); store(4, 10, off, 4)     # the key: addresses, ports, SSRC
    i(0x18, 1, 1, 0, map_fd); i(0, 0, 0, 0, 0)
    mov(2, 10); addi(2, -16); call(1)
    jump(0x15, 0, 0, "out"); mov(7, 0)
    movi(1, 1); i(0xdb, 7, 1, 32, 0)                # one more packet
    for at, off in ((26, 0), (30, 4)):              # the checksum of IP follows the addresses
        mov(1, 6); movi(2, 24)
        load(4, 3, 10, -16 + off); load(4, 4, 7, off)
        movi(5, 4); call(10)
    load(4, 2, 6, 76); load(4, 3, 6, 80)
    mov(4, 2); addi(4, 54); jump(0x2d, 4, 0, "out", 3)
    for at, off in ((26, 0), (30, 4), (34, 8), (50, 12)):
        load(4, 4, 7, off); store(4, 2, at, 4)
    movi(4, 0); store(2, 2, 40, 4)                  # UDP over IPv4 may go without a checksum
    load(2, 4, 2, 44); i(0xdc, 4, 0, 0, 16); load(4, 5, 7, 16); i(0x0f, 4, 5); i(0xdc, 4, 0, 0, 16); store(2, 2, 44, 4)
    load(4, 4, 2, 46); i(0xdc, 4, 0, 0, 32); load(4, 5, 7, 20); i(0x0f, 4, 5); i(0xdc, 4, 0, 0, 32); store(4, 2, 46, 4)
    load(4, 1, 7, 24); movi(2, 0); movi(3, 0); movi(4, 0); call(152)   # bpf_redirect_neigh
    i(0x95)
    labels["out"] = len(code); movi(0, 0); i(0x95)
    for at, to in jumps: code[at][3] = labels[to] - at - 1
    return b"".join(struct.pack("<BBhi", op, (src << 4) | dst, off, imm) for op, dst, src, off, imm in code)

fd = create_map()
insns = program(fd)
log = ctypes.create_string_buffer(1 << 16)
ibuf, lic = ctypes.create_string_buffer(insns), ctypes.create_string_buffer(b"GPL")
attr = struct.pack("IIQQIIQII", 3, len(insns) // 8, ctypes.addressof(ibuf), ctypes.addressof(lic), 1, len(log), ctypes.addressof(log), 0, 0)
try:
    prog = bpf(5, attr)
except OSError as e:
    sys.exit(f"the kernel refuses the program: {e}\n{log.value.decode()[-1500:]}")
ip = socket.inet_aton
index = [socket.if_nametoindex(n) for n in IFACES]
for n in range(CALLS):
    for side in (0, 1):
        peer, box = ((ip("10.77.1.2"), 20000 + n), (ip("10.77.1.1"), 40000 + n)), ((ip("10.77.2.2"), 30000 + n), (ip("10.77.2.1"), 50000 + n))
        a, b = (peer, box) if side == 0 else (box, peer)
        key = a[0][0] + a[1][0] + struct.pack("!HHI", a[0][1], a[1][1], 1 + n * 2 + side)
        value = b[1][0] + b[0][0] + struct.pack("!HHI", b[1][1], b[0][1], 77) + struct.pack("IIIIQ", 5, 1600, index[1 - side], 0, 0)
        k, v = ctypes.create_string_buffer(key, KEY), ctypes.create_string_buffer(value, VALUE)
        bpf(2, struct.pack("IIQQQ", fd, 0, ctypes.addressof(k), ctypes.addressof(v), 0))
path = ctypes.create_string_buffer(PIN.encode())
bpf(6, struct.pack("QII", ctypes.addressof(path), prog, 0))
