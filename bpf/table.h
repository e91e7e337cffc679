/* SPDX-License-Identifier: MIT */
/* The flow table: count() adds a packet to its flow.
 *
 * One shard per CPU and epoch, in arrays that user space maps. A shard has buckets of
 * eight slots, and a flow may be in either of two buckets. Nothing is atomic: only
 * its CPU writes to a shard, and user space reads the epoch that no program works on.
 * So a count() must not be interrupted by another one on the same CPU: its callers
 * run with softirqs disabled, as tc and XDP do. Other hooks use owned.h.
 *
 * When both buckets are full, the smallest of their sixteen flows makes room, and its
 * counters go to side.other. Nothing is dropped: slots + other + shared is what was
 * counted, to the byte. */
#pragma once

#include "packet.h"

/* Set by internal/kernel/bpfflow before the load. */
const volatile __u32 shards = 1;    /* CPUs that have a shard: 0 to shards - 1 */
const volatile __u32 buckets4 = 64; /* per shard and epoch, a power of two from 64 on */
const volatile __u32 buckets_wide = 64;
const volatile __u64 hash_key[13] = {}; /* random: nobody may be able to aim at a bucket */

/* The epoch to count in is the lowest bit. User space changes it, and then waits until
 * no program that may have read the old value is running. */
struct {
	volatile __u32 active;
	__u32 pad[31];
} epoch __attribute__((aligned(128)));

/* Arrays of [2 * shard + epoch]: that many times the buckets of a shard. The size is
 * set before the load. */
#define SHARDS_OF(T)                               \
	struct {                                   \
		__uint(type, BPF_MAP_TYPE_ARRAY);  \
		__uint(map_flags, BPF_F_MMAPABLE); \
		__uint(max_entries, 2);            \
		__type(key, __u32);                \
		__type(value, T);                  \
	}
SHARDS_OF(struct bucket4) flows4 SEC(".maps");
SHARDS_OF(struct bucket_wide) flows_wide SEC(".maps");
SHARDS_OF(struct side) sides SEC(".maps");
/* A bit for each bucket that has a used slot, so that an idle shard is read in no time. */
SHARDS_OF(__u64) touched4 SEC(".maps");
SHARDS_OF(__u64) touched_wide SEC(".maps");

static __always_inline __u64 mix(__u64 h)
{
	return (h ^ h >> 32) * (hash_key[12] | 1);
}

/* The functions below serve both kinds of slot: words of key, then struct counts. The
 * number of words is a constant wherever they are inlined. The first word of a used
 * slot is not 0. */

static __always_inline struct counts *counts_of(__u64 *slot, int words)
{
	return (struct counts *)(slot + words);
}

#ifndef COUNT_DELAY
#define COUNT_DELAY(value) /* tests make time for an interruption here */
#endif

static __always_inline void add(struct counts *c, const struct packet *p)
{
	__u64 packets_overhead = c->packets_overhead + (p->packets | (__u64)p->overhead << 32);

	COUNT_DELAY(packets_overhead);
	c->packets_overhead = packets_overhead;
	c->bytes_flags = (c->bytes_flags + p->bytes) | (__u64)p->flags << COUNTS_FLAGS_SHIFT;
}

static __always_inline int is_ip(const __u64 *key, int words)
{
	return words == 2 || (key[0] >> META_KIND_SHIFT & 3) == KIND_IPV6 ||
	       (key[0] >> META_KIND_SHIFT & 3) == KIND_IPV4;
}

/* Moves a slot's counters to other. */
static __always_inline void fold(struct side *side, __u64 *slot, int words)
{
	struct counts *c = counts_of(slot, words);
	__u64 bytes = c->bytes_flags & COUNTS_BYTES;

	side->other.packets += (__u32)c->packets_overhead;
	side->other.bytes += is_ip(slot, words) ? bytes : 0;
	side->other.frame_bytes += bytes + (c->packets_overhead >> 32);
	c->packets_overhead = 0;
	c->bytes_flags = 0;
}

/* Returns the flow's slot, or the free one that it may take, or NULL. No slot becomes
 * free within an epoch: so a flow never lies behind a free slot on its way, nor in its
 * second bucket while the first one has room. The way through the bucket starts at a
 * slot that the hash chooses, for else most would lie behind others. */
static __always_inline __u64 *find(__u64 *bucket, __u32 start, const __u64 *key, int words)
{
#pragma unroll
	for (__u32 i = 0; i < BUCKET_SLOTS; i++) {
		__u64 *slot = bucket + (start + i) % BUCKET_SLOTS * (words + 2);
		__u64 different = 0;

		if (slot[0] != key[0]) {
			if (!slot[0])
				return slot;
			continue;
		}
#pragma unroll
		for (int w = 1; w < words; w++)
			different |= slot[w] ^ key[w];
		if (!different)
			return slot;
	}
	return NULL;
}

/* Returns a or the smallest flow of a bucket; among equals, the first from start. */
static __always_inline __u64 *smaller(__u64 *a, __u64 *bucket, __u32 start, int words)
{
#pragma unroll
	for (__u32 i = 0; i < BUCKET_SLOTS; i++) {
		__u64 *slot = bucket + (start + i) % BUCKET_SLOTS * (words + 2);

		if (!a || (__u32)counts_of(slot, words)->packets_overhead <
				  (__u32)counts_of(a, words)->packets_overhead)
			a = slot;
	}
	return a;
}

static __always_inline void take(__u64 *slot, const __u64 *key, int words)
{
#pragma unroll
	for (int w = 0; w < words; w++)
		slot[w] = key[w];
}

static __always_inline void touch(void *touched, __u32 bucket)
{
	__u32 i = bucket / 64;
	__u64 *word = bpf_map_lookup_elem(touched, &i);

	if (word)
		*word |= 1ULL << bucket % 64;
}

/* For whoever has no shard. */
static __always_inline void count_shared(__u32 row, const struct packet *p, int ip)
{
	struct side *side = bpf_map_lookup_elem(&sides, &row);

	if (!side)
		return; /* not possible: row is 0 or 1 */
	__sync_fetch_and_add(&side->shared.packets, p->packets);
	__sync_fetch_and_add(&side->shared.bytes, ip ? p->bytes : 0);
	__sync_fetch_and_add(&side->shared.frame_bytes, p->bytes + p->overhead);
}

static __always_inline void count_in(void *flows, void *touched, __u32 buckets, const __u64 *key,
				     int words, __u64 hash, const struct packet *p)
{
	__u32 shard = bpf_get_smp_processor_id();
	__u32 row = epoch.active & 1; /* read once: the flip relies on it */
	__u64 *first, *second, *slot;
	struct side *side;
	__u32 i;

	if (unlikely(shard >= shards)) {
		count_shared(row, p, is_ip(key, words));
		return;
	}
	row += 2 * shard;
	i = row * buckets + ((__u32)(hash >> 32) & (buckets - 1));
	first = bpf_map_lookup_elem(flows, &i);
	if (!first)
		return; /* not possible: the arrays hold every shard; so below */
	slot = find(first, hash >> 61, key, words);
	if (likely(slot && slot[0])) {
		if (unlikely(counts_of(slot, words)->packets_overhead & COUNTS_FULL))
			goto full;
		add(counts_of(slot, words), p);
		return;
	}
	if (!slot) {
		hash = mix(hash);
		i = row * buckets + ((__u32)(hash >> 32) & (buckets - 1));
		second = bpf_map_lookup_elem(flows, &i);
		if (!second)
			return;
		slot = find(second, hash >> 61, key, words);
		if (slot && slot[0] && !(counts_of(slot, words)->packets_overhead & COUNTS_FULL)) {
			add(counts_of(slot, words), p);
			return;
		}
	}
full:
	side = bpf_map_lookup_elem(&sides, &row);
	if (!side)
		return;
	if (!slot) {
		/* Most are equal in a flood. Were it for the hash to choose among them, two
		 * large flows could throw each other out for ever. */
		__u32 start = (__u32)side->evictions++ * 0x9E3779B1U >> 29;

		slot = smaller(NULL, first, start, words);
		slot = smaller(slot, second, start, words);
		fold(side, slot, words);
		take(slot, key, words);
	} else if (!slot[0]) {
		take(slot, key, words);
		touch(touched, i);
		side->inserts++;
	} else {
		fold(side, slot, words);
		side->folds++;
	}
	add(counts_of(slot, words), p);
}

/* Multilinear hashing of 32-bit words (Lemire and Kaser, "Strongly universal string
 * hashing is fast"), where nobody can find keys that collide without hash_key; then a step
 * that is not linear, for else the flows of a scan would go through the buckets in
 * regular steps. The upper bits are the good ones. */
static __always_inline __u64 hash_words(const __u64 *key, int words)
{
	__u64 h = 0;

#pragma unroll
	for (int w = 0; w < words; w++)
		h += hash_key[2 * w] * (__u32)key[w] + hash_key[2 * w + 1] * (key[w] >> 32);
	return mix(h);
}

static __always_inline void count4(const union key4 *k, const struct packet *p)
{
	count_in(&flows4, &touched4, buckets4, k->word, 2, hash_words(k->word, 2), p);
}

static __always_inline void count_wide(const struct packet *p)
{
	count_in(&flows_wide, &touched_wide, buckets_wide, p->key.word, 6,
		 hash_words(p->key.word, 6), p);
}

/* Adds a packet to its flow. */
static __always_inline void count(const struct packet *p)
{
	__u32 meta = p->key.word[0], ifindex = p->key.word[5];
	union key4 k;

	if ((meta >> META_KIND_SHIFT & 3) != KIND_IPV4 || ifindex > META4_IFINDEX_MAX) {
		count_wide(p);
		return;
	}
	meta &= META_USED | 0xfffff; /* protocol and VLAN are where they were */
	meta |= ifindex << META4_IFINDEX_SHIFT;
	if ((p->key.word[0] >> META_DIR_SHIFT & 3) == DIR_EGRESS)
		meta |= META4_EGRESS;
	k.word[0] = meta | p->key.word[0] >> 32 << 32;
	k.word[1] = (__u32)p->key.word[1] | p->key.word[3] << 32;
	count4(&k, p);
}
