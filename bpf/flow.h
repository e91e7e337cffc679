/* SPDX-License-Identifier: MIT */
/* The structures that the programs share with user space. internal/kernel/bpfflow mirrors them.
 * A test compares both by the objects' BTF. */
#pragma once

#include "kernel.h"

/* The kind of a wide key: bits 22 and 23 of its meta. */
enum kind {
	KIND_ETH, /* neither IP nor ARP: l4 is the frame's ethertype */
	KIND_IPV4,
	KIND_IPV6,
	KIND_ARP, /* src and dst are the protocol addresses, l4 is the operation */
};

/* Mirrors flow.Direction. */
enum direction {
	DIR_INGRESS = 1,
	DIR_EGRESS = 2,
};

/* The fields of meta. META_USED is set in each used slot, so its meta is never 0. */
#define META_VLAN_SHIFT 8 /* 12 bits, above the protocol's 8 */
#define META_USED       (1U << 31)

/* union key4 only */
#define META4_IFINDEX_SHIFT 20
#define META4_IFINDEX_MAX   1023 /* flows of other interfaces take wide slots */
#define META4_EGRESS        (1U << 30)

/* union key_wide only */
#define META_DIR_SHIFT  20
#define META_KIND_SHIFT 22

/* l4 is in network order. Depending on the protocol, it holds source port << 16 | destination
 * port, or flow.Key.Sub. */

/* An IPv4 flow. It has two words, so two instructions compare it. */
union key4 {
	struct {
		__u32 meta; /* protocol | VLAN | ifindex | META4_EGRESS | META_USED */
		__be32 l4;
		__be32 saddr, daddr;
	};
	__u64 word[2];
};

/* Any other flow. */
union key_wide {
	struct {
		__u32 meta; /* protocol | VLAN | direction | kind | META_USED */
		__be32 l4;
		__u8 src[16], dst[16]; /* IPv4 is in the first four bytes, the rest is 0 */
		__u32 ifindex;
		__u32 netns; /* inode number; 0 from hooks that are in one namespace */
	};
	__u64 word[6];
};

/* A flow with its socket, from hooks that are in every network namespace. The other hooks do not
 * know the socket, and their smaller keys do not have it. */
union key_socket {
	struct {
		union key_wide flow; /* with netns; ifindex is 0 */
		__u64 cgroup;        /* id in the v2 hierarchy; 0: not known */
		__u64 socket;        /* cookie; 0: not known */
	};
	__u64 word[8];
};

/* The counters of a slot in one epoch. The programs add to two words:
 *   packets | overhead << 32    overhead is FrameBytes - Bytes
 *   bytes | tcp_flags << 48 | resets << 56
 * A frame that is not IP has no Bytes. There, bytes is FrameBytes, because the 32 bits of
 * overhead hold 4 GiB only. A program empties a slot into side.table_full when bit 31 of packets
 * or overhead is set. Until then bytes stays below 2^47: no packet has more than 64 KiB.
 *
 * tcp_flags is the union of byte 13 of the TCP headers (RFC 9293, section 3.1):
 *   CWR 0x80, ECE 0x40, URG 0x20, ACK 0x10, PSH 0x08, RST 0x04, SYN 0x02, FIN 0x01
 * Later fragments have no TCP header and add nothing.
 *
 * resets is the number of segments with RST. From 255 on, they count in side.resets. */
struct counts {
	__u64 packets_overhead;
	__u64 bytes_flags;
};

#define COUNTS_FULL         0x8000000080000000ULL
#define COUNTS_BYTES        0x0000ffffffffffffULL
#define COUNTS_FLAGS_SHIFT  48
#define COUNTS_RESETS_SHIFT 56

struct slot4 {
	union key4 key;
	struct counts counts;
};

struct slot_wide {
	union key_wide key;
	struct counts counts;
};

struct slot_socket {
	union key_socket key;
	struct counts counts;
};

#define BUCKET_SLOTS 8

struct bucket4 {
	struct slot4 slot[BUCKET_SLOTS];
};

struct bucket_wide {
	struct slot_wide slot[BUCKET_SLOTS];
};

struct bucket_socket {
	struct slot_socket slot[BUCKET_SLOTS];
};

/* Mirrors flow.Counters. */
struct sums {
	__u64 packets;
	__u64 bytes;
	__u64 frame_bytes;
};

/* The counters of one CPU in one epoch besides its slots. The overflow is table_full + interrupted
 * + no_shard: packets that are in no flow. */
struct side {
	/* Flows that lost their slot or emptied it. Only this CPU writes the first line. */
	struct sums table_full;
	__u64 inserts;    /* slots taken: user space sees how full the shard is */
	__u64 evictions;  /* flows that lost their slot to another flow */
	__u64 folds;      /* slots emptied before a counter could wrap */
	__u32 handshakes; /* elements of struct handshake in use */
	__u32 skipped;    /* segments for which there was no element */
	__u64 resets;     /* of table_full, and those that slots had no room for */
	/* Any CPU adds to the second line, atomically. Only the first two sides have it. */
	struct sums interrupted; /* the program had interrupted another one (nesting.h) */
	struct sums no_shard;    /* the CPU was offline at the load, and memory is short */
	/* Packets not parsed because every nesting level was busy. bytes is a lower bound. */
	struct {
		__u64 packets;
		__u64 bytes; /* and frame_bytes */
	} lost;
};

/* How the packets counted on an interface in a direction differ from those that its driver counts.
 * It is of one CPU in one epoch. */
struct iface {
	__u32 ifindex;
	__u32 direction;      /* 0: free */
	__u64 merged_packets; /* segments of super-frames, but for the first of each */
	__u64 merged_bytes;   /* what these segments add to the bytes of the frames */
	__u64 full_packets;   /* part of side.table_full */
	__u64 full_bytes;     /* its frame bytes */
};

/* The elements of a CPU and an epoch. The last one sums up what has no element of its own. */
#define IFACES 64

struct ifaces {
	struct iface of[IFACES];
};

/* A TCP segment that may belong to a handshake. User space measures the time from SYN to ACK. */
struct handshake {
	__u64 key[8];    /* of the slot; the rest is 0 */
	__u64 time;      /* bpf_ktime_get_ns(), nanoseconds since boot */
	__u32 tcp_flags; /* byte 13 of the TCP header */
	__u32 words;     /* of key */
};

/* The number of struct handshake for each CPU and epoch. */
#define HANDSHAKES 1024

_Static_assert(sizeof(struct handshake) == 80, "handshake");
_Static_assert(sizeof(struct iface) == 40, "iface");
_Static_assert(sizeof(union key4) == 16, "key4");
_Static_assert(sizeof(union key_wide) == 48, "key_wide");
_Static_assert(sizeof(union key_socket) == 64, "key_socket");
_Static_assert(sizeof(struct slot4) == 32, "slot4: two to a cache line");
_Static_assert(sizeof(struct slot_wide) == 64, "slot_wide: one to a cache line");
_Static_assert(sizeof(struct slot_socket) == 80, "slot_socket");
_Static_assert(sizeof(struct side) == 128, "side: two cache lines");
