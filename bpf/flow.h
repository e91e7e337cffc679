/* SPDX-License-Identifier: MIT */
/* The structures that the programs share with user space. internal/kernel/bpfflow
 * mirrors them, and a test compares both by the BTF of the objects. */
#pragma once

#include "kernel.h"

/* What a wide key describes: bits 22 and 23 of its meta. */
enum kind {
	KIND_ETH, /* a frame that is neither IP nor ARP: l4 is its ethertype */
	KIND_IPV4,
	KIND_IPV6,
	KIND_ARP, /* addresses are the protocol addresses, l4 is the operation */
};

/* As flow.Direction in Go. */
enum direction {
	DIR_INGRESS = 1,
	DIR_EGRESS = 2,
};

/* The fields of meta. A used slot has META_USED set, so its meta is never 0. */
#define META_VLAN_SHIFT 8 /* 12 bits, above the protocol's 8 */
#define META_USED       (1U << 31)

/* struct key4 only */
#define META4_IFINDEX_SHIFT 20
#define META4_IFINDEX_MAX   1023 /* flows of other interfaces take wide slots */
#define META4_EGRESS        (1U << 30)

/* struct key_wide only */
#define META_DIR_SHIFT  20
#define META_KIND_SHIFT 22

/* l4 is in network order: source port << 16 | destination port, or flow.Key.Sub,
 * whichever the protocol has. */

/* An IPv4 flow: two words, so that a comparison is two instructions. */
union key4 {
	struct {
		__u32 meta; /* protocol | VLAN | ifindex | META4_EGRESS | META_USED */
		__be32 l4;
		__be32 saddr, daddr;
	};
	__u64 word[2];
};

/* Everything else. */
union key_wide {
	struct {
		__u32 meta; /* protocol | VLAN | direction | kind | META_USED */
		__be32 l4;
		__u8 src[16], dst[16]; /* IPv4 in the first four bytes, the rest 0 */
		__u32 ifindex;
		__u32 netns; /* inode number, from hooks that see all of them; else 0 */
	};
	__u64 word[6];
};

/* A flow of hooks that see every network namespace and know whose a packet is. It takes
 * a slot of its own kind, so that others do not pay for what they cannot know. */
union key_owned {
	struct {
		union key_wide flow; /* with netns, without ifindex */
		__u64 cgroup;        /* id in the v2 hierarchy; 0: not known */
		__u64 socket;        /* cookie; 0: not known */
	};
	__u64 word[8];
};

/* What a slot counts in one epoch. A reader takes it apart; the programs add to
 * it as two words:
 *   packets | overhead << 32    overhead is FrameBytes - Bytes
 *   bytes | flags << 48         TCP flags seen; the upper 8 bits are spare
 * Frames that are not IP have no Bytes: bytes is FrameBytes there, because 32
 * bits hold 4 GiB only. A slot folds into side.other when bit 31 of packets or
 * overhead is set. Until then bytes stays below 2^47: no packet has more than 64 KiB. */
struct counts {
	__u64 packets_overhead;
	__u64 bytes_flags;
};

#define COUNTS_FULL        0x8000000080000000ULL
#define COUNTS_BYTES       0x0000ffffffffffffULL
#define COUNTS_FLAGS_SHIFT 48

struct slot4 {
	union key4 key;
	struct counts counts;
};

struct slot_wide {
	union key_wide key;
	struct counts counts;
};

struct slot_owned {
	union key_owned key;
	struct counts counts;
};

#define BUCKET_SLOTS 8

struct bucket4 {
	struct slot4 slot[BUCKET_SLOTS];
};

struct bucket_wide {
	struct slot_wide slot[BUCKET_SLOTS];
};

struct bucket_owned {
	struct slot_owned slot[BUCKET_SLOTS];
};

/* As flow.Counters in Go. */
struct sums {
	__u64 packets;
	__u64 bytes;
	__u64 frame_bytes;
};

/* What one CPU knows of one epoch besides its slots. */
struct side {
	struct sums other; /* of flows that lost their slots; only this CPU writes it */
	__u64 inserts;     /* slots taken: tells user space how full the shard is */
	__u64 evictions;   /* flows that lost their slot to another one */
	__u64 folds;       /* slots emptied before a counter could overflow */
	__u64 pad[2];
	/* Added to atomically by whoever has no shard: a CPU that came online after
	 * the load, a program that has interrupted another one (bpf/owned.h). On a
	 * cache line of its own. */
	struct sums shared;
	/* Of packets that could not be parsed, for all places for that were taken: their
	 * bytes are a lower bound. Atomic, too. */
	struct sums lost;
	__u64 pad_shared[2];
};

_Static_assert(sizeof(union key4) == 16, "key4");
_Static_assert(sizeof(union key_wide) == 48, "key_wide");
_Static_assert(sizeof(union key_owned) == 64, "key_owned");
_Static_assert(sizeof(struct slot4) == 32, "slot4: two to a cache line");
_Static_assert(sizeof(struct slot_wide) == 64, "slot_wide: one to a cache line");
_Static_assert(sizeof(struct slot_owned) == 80, "slot_owned");
_Static_assert(sizeof(struct side) == 128, "side: two cache lines");
