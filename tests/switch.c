/* The cable and the switch between the hosts of tests/hosts.py: switch DELAY BANDWIDTH PID... (seconds, bit/s).

   PID is any process in the network namespace of a host; the k-th host gets a TUN device named eth0 and, from its
   caller, the address 10.x.y.k. A host hangs on the switch by a full-duplex link of the given bandwidth. A packet waits
   until the sender's link is free, travels for the delay, and waits until the receiver's link is free; its bits pass
   through the switch as they come, so over free links it takes delay + size / bandwidth. It is never early, and it is
   late by as much as the kernel is late to wake us: for that we ask for real-time priority. The end of stdin ends us.

   In C, as 8 hosts that all send at 100 Mbit/s take a quarter of a core even so, most of it in the kernel. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { HOSTS = 254, LARGEST = 65536, PACKETS = 1 << 17 };
/* What Ethernet adds to an IP packet: preamble 8, header 14, checksum 4, gap 12; and its shortest packet. */
enum { AROUND = 38, SHORTEST = 46 };

struct packet {
    struct packet *next;
    int64_t due; /* ns: when its first bit is at the receiver's link, then when its last bit is at the receiver */
    int to, size;
    unsigned char bytes[];
};
struct queue {
    struct packet *first, **last;
    int64_t free; /* ns: when the link has sent everything in this queue */
};

static struct queue up[HOSTS], down[HOSTS];
static struct pollfd ports[HOSTS + 1]; /* the hosts' devices, then stdin */
static int hosts, waiting;
static int64_t delay;
static double bandwidth;

static void fail(const char *what)
{
    fprintf(stderr, "switch: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static int64_t on_the_wire(int size)
{
    return (int64_t)(((size < SHORTEST ? SHORTEST : size) + AROUND) * 8e9 / bandwidth);
}

/* A process may enter one network namespace after the other; a device stays in the one it was made in. */
static int device(const char *pid)
{
    char path[64];
    struct ifreq request = {.ifr_name = "eth0", .ifr_flags = IFF_TUN | IFF_NO_PI};
    snprintf(path, sizeof path, "/proc/%s/ns/net", pid);
    int space = open(path, O_RDONLY | O_CLOEXEC);
    if (space < 0 || setns(space, CLONE_NEWNET) < 0)
        fail(path);
    close(space);
    int tun = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (tun < 0 || ioctl(tun, TUNSETIFF, &request) < 0)
        fail("/dev/net/tun");
    return tun;
}

static void append(struct queue *queue, struct packet *packet)
{
    packet->next = NULL;
    if (!queue->first)
        queue->last = &queue->first;
    *queue->last = packet;
    queue->last = &packet->next;
}

static struct packet *take(struct queue *queue)
{
    struct packet *packet = queue->first;
    queue->first = packet->next;
    return packet;
}

/* The queue whose first packet is due first, or NULL: packets of one queue are due in their order. */
static struct queue *earliest(struct queue *queues)
{
    struct queue *best = NULL;
    for (struct queue *queue = queues; queue < queues + hosts; queue++)
        if (queue->first && (!best || queue->first->due < best->first->due))
            best = queue;
    return best;
}

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* The k-th host has 10.x.y.k; whatever else it says (router solicitations, say) ends here. */
static int receiver(const unsigned char *bytes, int size)
{
    int to = size >= 20 && bytes[0] >> 4 == 4 && bytes[16] == 10 ? bytes[19] - 1 : -1;
    return to < hosts ? to : -1;
}

static void receive(int from)
{
    static unsigned char bytes[LARGEST];
    int size, to;
    while (waiting < PACKETS && (size = read(ports[from].fd, bytes, sizeof bytes)) > 0) {
        if ((to = receiver(bytes, size)) < 0)
            continue;
        struct packet *packet = malloc(sizeof *packet + size);
        if (!packet)
            fail("malloc");
        int64_t start = later(now(), up[from].free);
        up[from].free = start + on_the_wire(size);
        packet->due = start + delay;
        packet->to = to;
        packet->size = size;
        memcpy(packet->bytes, bytes, size);
        append(&up[from], packet);
        waiting++;
    }
}

/* Hand on what is due: in the order in which first bits reach a receiver's link, whoever sent them. */
static void pass(int64_t time)
{
    struct queue *queue;
    while ((queue = earliest(up)) && queue->first->due <= time) {
        struct packet *packet = take(queue);
        struct queue *link = &down[packet->to];
        link->free = packet->due = later(packet->due, link->free) + on_the_wire(packet->size);
        append(link, packet);
    }
    while ((queue = earliest(down)) && queue->first->due <= time) {
        struct packet *packet = take(queue);
        if (write(ports[packet->to].fd, packet->bytes, packet->size) < 0 && errno != EIO) /* EIO: its device is down */
            fail("write");
        free(packet);
        waiting--;
    }
}

static void rest(void)
{
    struct queue *first = earliest(up), *last = earliest(down);
    /* A packet may be moved on to the receiver's link at any time before it can be at the receiver. */
    int64_t due = first ? first->first->due + on_the_wire(first->first->size) : INT64_MAX;
    if (last && last->first->due < due)
        due = last->first->due;
    int64_t left = later(0, due - now());
    struct timespec timeout = {left / 1000000000, left % 1000000000};
    /* With too much under way, the rest waits in the devices' own queues. */
    struct pollfd *from = waiting < PACKETS ? ports : ports + hosts;
    if (ppoll(from, ports + hosts + 1 - from, due == INT64_MAX ? NULL : &timeout, NULL) < 0 && errno != EINTR)
        fail("ppoll");
}

int main(int count, char **words)
{
    struct sched_param priority = {.sched_priority = 10};
    hosts = count - 3;
    if (hosts < 1 || hosts > HOSTS)
        return 2;
    delay = (int64_t)(atof(words[1]) * 1e9);
    bandwidth = atof(words[2]);
    for (int k = 0; k < hosts; k++)
        ports[k] = (struct pollfd){device(words[k + 3]), POLLIN, 0};
    ports[hosts] = (struct pollfd){0, POLLIN, 0};
    /* Both only make it more punctual. */
    if (sched_setscheduler(0, SCHED_FIFO, &priority) < 0 && nice(-20) < 0)
        perror("switch: no priority");
    mlockall(MCL_CURRENT | MCL_FUTURE);
    puts("ready");
    fflush(stdout);
    while (!ports[hosts].revents) {
        for (int k = 0; k < hosts; k++)
            if (ports[k].revents)
                receive(k);
        pass(now());
        rest();
    }
    return 0;
}
