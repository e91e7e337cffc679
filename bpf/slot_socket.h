/* SPDX-License-Identifier: MIT */
/* The slots of hooks that are in every network namespace and know the packet's socket:
 * count_socket() adds a packet to its flow. */
#pragma once

#include "nesting.h"
#include "table.h"

/* User space sets these before the load. */
const volatile __u32 buckets_socket = 64; /* per shard and epoch, a power of two from 64 on */
const volatile __u64 hash_socket[4] = {}; /* random, as hash_key */

SHARDS_OF(struct bucket_socket) flows_socket SEC(".maps");
SHARDS_OF(__u64) touched_socket SEC(".maps");

/* No driver counts what these hooks count. */
static __always_inline void folded(__u32 row, const __u64 *slot, int words, __u32 packets,
				   __u64 frame_bytes)
{
}

/* Adds a packet to its flow. The key's ifindex is 0. */
static __always_inline void count_socket(const struct packet *p, __u64 cgroup, __u64 socket,
					 __u32 level)
{
	union key_socket k = { .flow = p->key };
	__u64 hash = hash_socket[0] * (__u32)cgroup + hash_socket[1] * (cgroup >> 32) +
		     hash_socket[2] * (__u32)socket + hash_socket[3] * (socket >> 32);

	k.cgroup = cgroup;
	k.socket = socket;
	if (likely(level == 0))
		count_in(&flows_socket, &touched_socket, buckets_socket, k.word, 8,
			 mix(hash_words(k.word, 6) + hash), p);
	else
		count_interrupted(epoch.active & 1, p, is_ip(k.word, 8));
}
