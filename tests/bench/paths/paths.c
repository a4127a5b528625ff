/* Ways to relay a call's packets, each under the same load: what a packet costs from the caller's send
 * to the callee's receive, all of it on one CPU, so that work in the kernel is counted with the rest.
 *
 *   paths WAY [calls] [packets]      run by paths.sh, which makes the network namespaces
 *
 * WAY: "kernel" (nothing here relays: routes, rules or programs in the namespace do), "epoll", "connected",
 * "busypoll", "zerocopy", "sockmap" (an eBPF program hands a packet from socket to socket), "mmsg" (one shared port, recvmmsg and sendmmsg), "uring" (multishot receive). */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <stddef.h>
#include <linux/io_uring.h>
#include <netinet/udp.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define A "10.77.1.2"
#define BOX_A "10.77.1.1"
#define B "10.77.2.2"
#define BOX_B "10.77.2.1"
#define A_PORT 20000
#define B_PORT 30000
#define BOX_A_PORT 40000
#define BOX_B_PORT 50000
#define BURST 4

static int calls = 200, packets = 200000;
static const char *way;
static int box_a[4096], box_b[4096];

static void die(const char *what) { perror(what); exit(1); }

static void enter(const char *ns) {
    char path[64];
    snprintf(path, sizeof path, "/run/netns/%s", ns);
    int fd = open(path, O_RDONLY);
    if (fd < 0 || setns(fd, 0)) die(path);
    close(fd);
}

static struct sockaddr_in at(const char *ip, int port) {
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
    inet_pton(AF_INET, ip, &a.sin_addr);
    return a;
}

static int udp(const char *ip, int port, int flags) {
    int s = socket(AF_INET, SOCK_DGRAM | flags, 0), size = 4 << 20;
    struct timeval limit = {.tv_usec = 200000};
    struct sockaddr_in a = at(ip, port);
    if (s < 0 || bind(s, (void *)&a, sizeof a)) die("bind");
    setsockopt(s, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    return s;
}

static double cpu(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}

static double wall(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}

static void *relay_epoll(void *unused) {
    int poller = epoll_create1(0), zero = !strcmp(way, "zerocopy"), on = 1, us = 50;
    int connected = strcmp(way, "epoll") != 0;
    (void)unused;
    for (int i = 0; i < calls; i++)
        for (int side = 0; side < 2; side++) {
            int s = side ? box_b[i] : box_a[i];
            struct epoll_event e = {.events = EPOLLIN, .data.u64 = i * 2 + side};
            struct sockaddr_in peer = side ? at(B, B_PORT + i) : at(A, A_PORT + i);
            if (connected && connect(s, (void *)&peer, sizeof peer)) die("connect");
            if (zero && setsockopt(s, SOL_SOCKET, SO_ZEROCOPY, &on, sizeof on)) die("SO_ZEROCOPY");
            if (!strcmp(way, "busypoll") && setsockopt(s, SOL_SOCKET, SO_BUSY_POLL, &us, sizeof us)) die("SO_BUSY_POLL");
            epoll_ctl(poller, EPOLL_CTL_ADD, s, &e);
        }
    for (;;) {
        struct epoll_event events[128];
        int n = epoll_wait(poller, events, 128, -1);
        for (int k = 0; k < n; k++) {
            int i = events[k].data.u64 / 2, side = events[k].data.u64 % 2;
            int from = side ? box_b[i] : box_a[i], to = side ? box_a[i] : box_b[i];
            if (events[k].events & EPOLLERR) { /* a completion of a zero-copy send */
                char c[128], d[64];
                struct iovec v = {d, sizeof d};
                struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = c, .msg_controllen = sizeof c};
                while (recvmsg(from, &m, MSG_ERRQUEUE) >= 0) m.msg_controllen = sizeof c;
            }
            char buffer[2048];
            if (connected) {
                ssize_t len = recv(from, buffer, sizeof buffer, 0);
                if (len > 0) send(to, buffer, len, zero ? MSG_ZEROCOPY : 0);
            } else {
                struct sockaddr_in source, peer = side ? at(A, A_PORT + i) : at(B, B_PORT + i);
                socklen_t size = sizeof source;
                ssize_t len = recvfrom(from, buffer, sizeof buffer, 0, (void *)&source, &size);
                if (len > 0) sendto(to, buffer, len, 0, (void *)&peer, sizeof peer);
            }
        }
    }
}

/* One port a side for all calls; who a packet is for follows from where it came from. */
static void *relay_mmsg(void *unused) {
    int poller = epoll_create1(0);
    static struct mmsghdr in[64];
    static struct iovec v[64];
    static struct sockaddr_in from[64];
    static char data[64][2048];
    (void)unused;
    for (int side = 0; side < 2; side++) {
        struct epoll_event e = {.events = EPOLLIN, .data.u64 = side};
        epoll_ctl(poller, EPOLL_CTL_ADD, side ? box_b[0] : box_a[0], &e);
    }
    for (;;) {
        struct epoll_event events[2];
        int n = epoll_wait(poller, events, 2, -1);
        for (int k = 0; k < n; k++) {
            int side = events[k].data.u64;
            for (int j = 0; j < 64; j++) {
                v[j] = (struct iovec){data[j], 2048};
                in[j].msg_hdr = (struct msghdr){.msg_name = &from[j], .msg_namelen = sizeof from[j], .msg_iov = &v[j], .msg_iovlen = 1};
            }
            int got = recvmmsg(side ? box_b[0] : box_a[0], in, 64, 0, NULL);
            for (int j = 0; j < got; j++) {
                int i = ntohs(from[j].sin_port) - (side ? B_PORT : A_PORT);
                from[j] = side ? at(A, A_PORT + i) : at(B, B_PORT + i);
                v[j].iov_len = in[j].msg_len;
            }
            if (got > 0) sendmmsg(side ? box_a[0] : box_b[0], in, got, 0);
        }
    }
}

static int ring;
static unsigned *sq_tail, *sq_mask, *sq_array, *cq_head, *cq_tail, *cq_mask;
static struct io_uring_sqe *sqes;
static struct io_uring_cqe *cqes;
static unsigned queued;

static struct io_uring_sqe *next_sqe(void) {
    unsigned tail = *sq_tail, i = tail & *sq_mask;
    struct io_uring_sqe *e = &sqes[i];
    memset(e, 0, sizeof *e);
    sq_array[i] = i;
    atomic_store_explicit((_Atomic unsigned *)sq_tail, tail + 1, memory_order_release);
    queued++;
    return e;
}

static void arm(int n) {
    struct io_uring_sqe *e = next_sqe();
    e->opcode = IORING_OP_RECV;
    e->fd = n % 2 ? box_b[n / 2] : box_a[n / 2];
    e->ioprio = IORING_RECV_MULTISHOT;
    e->flags = IOSQE_BUFFER_SELECT;
    e->buf_group = 1;
    e->user_data = n;
}

static char pool[1024][2048];

static void give(int buffer, int count) {
    struct io_uring_sqe *e = next_sqe();
    e->opcode = IORING_OP_PROVIDE_BUFFERS;
    e->fd = count;
    e->addr = (uintptr_t)pool[buffer];
    e->len = 2048;
    e->off = buffer;
    e->buf_group = 1;
    e->user_data = ~0ull;
    if (count == 1) e->flags = IOSQE_CQE_SKIP_SUCCESS;
}

static void *relay_uring(void *unused) {
    struct io_uring_params p = {.flags = IORING_SETUP_CQSIZE | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN, .cq_entries = 8192};
    (void)unused;
    ring = syscall(SYS_io_uring_setup, 4096, &p);
    if (ring < 0) die("io_uring_setup");
    char *sq = mmap(0, p.sq_off.array + p.sq_entries * 4, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQ_RING);
    char *cq = mmap(0, p.cq_off.cqes + p.cq_entries * sizeof *cqes, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_CQ_RING);
    sqes = mmap(0, p.sq_entries * sizeof *sqes, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQES);
    sq_tail = (void *)(sq + p.sq_off.tail), sq_mask = (void *)(sq + p.sq_off.ring_mask), sq_array = (void *)(sq + p.sq_off.array);
    cq_head = (void *)(cq + p.cq_off.head), cq_tail = (void *)(cq + p.cq_off.tail), cq_mask = (void *)(cq + p.cq_off.ring_mask);
    cqes = (void *)(cq + p.cq_off.cqes);
    for (int i = 0; i < calls; i++) {
        struct sockaddr_in a = at(A, A_PORT + i), b = at(B, B_PORT + i);
        if (connect(box_a[i], (void *)&a, sizeof a) || connect(box_b[i], (void *)&b, sizeof b)) die("connect");
    }
    give(0, 1024);
    for (int n = 0; n < calls * 2; n++) arm(n);
    for (;;) {
        if (syscall(SYS_io_uring_enter, ring, queued, 1, IORING_ENTER_GETEVENTS, NULL, 0) < 0 && errno != EINTR) die("io_uring_enter");
        queued = 0;
        unsigned head = *cq_head, tail = atomic_load_explicit((_Atomic unsigned *)cq_tail, memory_order_acquire);
        for (; head != tail; head++) {
            struct io_uring_cqe *c = &cqes[head & *cq_mask];
            if (c->user_data == ~0ull) continue;
            if (c->user_data >> 32) { /* a send is done: its buffer is free again */
                give((c->user_data >> 32) - 1, 1);
                continue;
            }
            int n = c->user_data;
            if (c->flags & IORING_CQE_F_BUFFER) {
                unsigned buffer = c->flags >> IORING_CQE_BUFFER_SHIFT;
                struct io_uring_sqe *e = next_sqe();
                e->opcode = IORING_OP_SEND;
                e->fd = n % 2 ? box_a[n / 2] : box_b[n / 2];
                e->addr = (uintptr_t)pool[buffer];
                e->len = c->res;
                e->user_data = (uint64_t)(buffer + 1) << 32;
            }
            if (!(c->flags & IORING_CQE_F_MORE)) arm(n);
        }
        atomic_store_explicit((_Atomic unsigned *)cq_head, head, memory_order_release);
    }
}

static int bpf(int cmd, union bpf_attr *attr) { return syscall(SYS_bpf, cmd, attr, sizeof *attr); }

/* Every socket is in a map; what comes to one is sent by the other one of its call. */
static void relay_sockmap(void) {
    union bpf_attr m = {.map_type = BPF_MAP_TYPE_SOCKMAP, .key_size = 4, .value_size = 4, .max_entries = 8192};
    int map = bpf(BPF_MAP_CREATE, &m);
    if (map < 0) die("sockmap");
    struct bpf_insn code[] = {
        {BPF_ALU64 | BPF_MOV | BPF_X, 6, 1, 0, 0},
        {BPF_LDX | BPF_MEM | BPF_W, 3, 1, offsetof(struct __sk_buff, local_port), 0},
        {BPF_JMP | BPF_JGE | BPF_K, 3, 0, 4, BOX_B_PORT},
        {BPF_ALU64 | BPF_SUB | BPF_K, 3, 0, 0, BOX_A_PORT}, {BPF_ALU64 | BPF_LSH | BPF_K, 3, 0, 0, 1},
        {BPF_ALU64 | BPF_ADD | BPF_K, 3, 0, 0, 1}, {BPF_JMP | BPF_JA, 0, 0, 2, 0},
        {BPF_ALU64 | BPF_SUB | BPF_K, 3, 0, 0, BOX_B_PORT}, {BPF_ALU64 | BPF_LSH | BPF_K, 3, 0, 0, 1},
        {BPF_ALU64 | BPF_MOV | BPF_X, 1, 6, 0, 0},
        {BPF_LD | BPF_IMM | BPF_DW, 2, BPF_PSEUDO_MAP_FD, 0, map}, {0, 0, 0, 0, 0},
        {BPF_ALU64 | BPF_MOV | BPF_K, 4, 0, 0, 0},
        {BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_sk_redirect_map}, {BPF_JMP | BPF_EXIT, 0, 0, 0, 0}};
    static char log[65536];
    union bpf_attr p = {.prog_type = BPF_PROG_TYPE_SK_SKB, .insn_cnt = sizeof code / sizeof *code, .insns = (uintptr_t)code,
                        .license = (uintptr_t)"GPL", .log_buf = (uintptr_t)log, .log_size = sizeof log, .log_level = 1};
    int prog = bpf(BPF_PROG_LOAD, &p);
    if (prog < 0) fprintf(stderr, "%s", log), die("sk_skb program");
    union bpf_attr t = {.target_fd = map, .attach_bpf_fd = prog, .attach_type = BPF_SK_SKB_VERDICT};
    if (bpf(BPF_PROG_ATTACH, &t)) die("attach");
    for (int i = 0; i < calls * 2; i++) {
        int s = i % 2 ? box_b[i / 2] : box_a[i / 2];
        struct sockaddr_in peer = i % 2 ? at(B, B_PORT + i / 2) : at(A, A_PORT + i / 2);
        if (connect(s, (void *)&peer, sizeof peer)) die("connect");
        union bpf_attr u = {.map_fd = map, .key = (uintptr_t)&i, .value = (uintptr_t)&s};
        if (bpf(BPF_MAP_UPDATE_ELEM, &u)) die("a socket into the map");
    }
}

static int compare(const void *a, const void *b) {
    double d = *(const double *)a - *(const double *)b;
    return d < 0 ? -1 : d > 0;
}

int main(int argc, char **argv) {
    static int a[4096], b[4096];
    way = argc > 1 ? argv[1] : "epoll";
    if (argc > 2) calls = atoi(argv[2]);
    if (argc > 3) packets = atoi(argv[3]);
    if (calls < BURST || calls > 4096) return 1;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(sysconf(_SC_NPROCESSORS_ONLN) - 1, &one);
    sched_setaffinity(0, sizeof one, &one);
    int kernel = !strcmp(way, "kernel") || !strcmp(way, "forward"), shared = !strcmp(way, "mmsg");
    enter("ohp-box");
    /* Where rules of the kernel relay, the ports are bound all the same: a daemon would have them. */
    for (int i = 0; i < (shared ? 1 : calls) && strcmp(way, "forward"); i++) box_a[i] = udp(BOX_A, BOX_A_PORT + i, SOCK_NONBLOCK), box_b[i] = udp(BOX_B, BOX_B_PORT + i, SOCK_NONBLOCK);
    pthread_t relay;
    void *(*work)(void *) = shared ? relay_mmsg : !strcmp(way, "uring") ? relay_uring : relay_epoll;
    if (!strcmp(way, "sockmap")) relay_sockmap();
    else if (!kernel) pthread_create(&relay, NULL, work, NULL);
    enter("ohp-a");
    for (int i = 0; i < calls; i++) a[i] = udp(A, A_PORT + i, 0);
    enter("ohp-b");
    for (int i = 0; i < calls; i++) b[i] = udp(B, B_PORT + i, 0);
    usleep(100000);
    unsigned char packet[172] = {0x80, 0};
    char buffer[2048];
    double *latency = calloc(packets, sizeof *latency), sent_at[BURST], c0 = 0;
    int lost = 0, got = 0, warm = packets / 10;
    for (int n = 0; n < packets + warm; n += BURST) {
        if (n >= warm && c0 == 0) c0 = cpu();
        for (int k = 0; k < BURST; k++) {
            int i = (n / BURST * BURST + k) % calls, up = n / calls % 2;
            struct sockaddr_in to = !strcmp(way, "forward") ? (up ? at(A, A_PORT + i) : at(B, B_PORT + i))
                : up ? at(BOX_B, BOX_B_PORT + (shared ? 0 : i)) : at(BOX_A, BOX_A_PORT + (shared ? 0 : i));
            packet[3] = 1 + n / calls % 63; /* never a multiple of 64, which kernel_relay gives to the process */
            *(uint32_t *)(packet + 8) = htonl(1 + i * 2 + up);
            sent_at[k] = wall();
            sendto(up ? b[i] : a[i], packet, sizeof packet, 0, (void *)&to, sizeof to);
        }
        for (int k = 0; k < BURST; k++) {
            int i = (n / BURST * BURST + k) % calls, up = n / calls % 2;
            if (recv(up ? a[i] : b[i], buffer, sizeof buffer, 0) < 0) lost++;
            else if (n >= warm && got < packets) latency[got++] = wall() - sent_at[k];
            if (lost > 50) { printf("%-10s nothing arrives\n", way); return 1; }
        }
    }
    double used = cpu() - c0;
    qsort(latency, got, sizeof *latency, compare);
    printf("%.3f us a packet, latency p50 %.1f p99 %.1f us, %d lost\n", used / packets, latency[got / 2], latency[got * 99 / 100], lost);
    return 0;
}
