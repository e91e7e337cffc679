/* SPDX-License-Identifier: MIT */
/* The flow table: count_in() adds a packet to its flow. flows.h and slot_socket.h have the slots.
 *
 * There is one shard for each CPU and epoch, in arrays that user space maps. CPUs that were offline
 * at the load have small shards, behind the others. A shard has buckets of eight slots. A flow may
 * be in either of two buckets. No update is atomic: only its CPU writes to a shard, and user space
 * reads the epoch in which no program works. So no count_in() may interrupt another one on its CPU.
 * tc and XDP run with softirqs disabled; other hooks use nesting.h.
 *
 * When both buckets are full, the smallest of their sixteen flows makes room. The program adds its
 * counters to side.table_full. Nothing is dropped: the sum of slots and sides is exactly what was
 * counted. */
#pragma once

#include "packet.h"

/* User space (internal/kernel/bpfflow) sets these before the load. */
const volatile __u32 shards = 1;         /* CPUs 0 to shards - 1 have a shard */
const volatile __u32 small_shards = 0;   /* the number of CPUs after them with a small shard */
const volatile __u32 small_buckets = 64; /* of each kind, per small shard and epoch */
const volatile __u64 hash_key[13] = {};  /* random: a sender must not be able to choose a bucket */

/* The lowest bit is the epoch to count in. User space flips it. Then it waits until every program
 * has ended that may have read the old value. */
struct {
	volatile __u32 active;
	__u32 ipsec; /* IPsec has arrived (ipsec.h). It is here because this line is in the cache. */
	__u32 awaited; /* a handshake has begun: user space clears it when none is pending */
	__u32 pad[29];
} epoch __attribute__((aligned(128)));

/* An array with a part for each [2 * shard + epoch]. User space sets the size before the load. A
 * touched array has a bit for each bucket with a used slot, so an idle shard is read quickly. */
#define SHARDS_OF(T)                               \
	struct {                                   \
		__uint(type, BPF_MAP_TYPE_ARRAY);  \
		__uint(map_flags, BPF_F_MMAPABLE); \
		__uint(max_entries, 2);            \
		__type(key, __u32);                \
		__type(value, T);                  \
	}
SHARDS_OF(struct side) sides SEC(".maps");

/* User space sets the size: HANDSHAKES for each side. */
SHARDS_OF(struct handshake) handshakes SEC(".maps");

static __always_inline __u64 mix(__u64 h)
{
	return (h ^ h >> 32) * (hash_key[12] | 1);
}

/* The functions below serve every kind of slot: words of key, then struct counts. The number of
 * words is a constant wherever they are inlined. The first word of a used slot is not 0. */

static __always_inline struct counts *counts_of(__u64 *slot, int words)
{
	return (struct counts *)(slot + words);
}

#ifndef COUNT_DELAY
#define COUNT_DELAY(value) /* a test defines it: longer updates are interrupted more often */
#endif

static __always_inline void add(struct counts *c, const struct packet *p)
{
	__u64 packets_overhead = c->packets_overhead + (p->packets | (__u64)p->overhead << 32);

	COUNT_DELAY(packets_overhead);
	c->packets_overhead = packets_overhead;
	c->bytes_flags = (c->bytes_flags + p->bytes) | (__u64)p->tcp_flags << COUNTS_FLAGS_SHIFT;
}

static __always_inline int is_ip(const __u64 *key, int words)
{
	return words == 2 || (key[0] >> META_KIND_SHIFT & 3) == KIND_IPV6 ||
	       (key[0] >> META_KIND_SHIFT & 3) == KIND_IPV4;
}

/* Is told of counters that moved to side.table_full. Each kind of slot defines it. */
static __always_inline void folded(__u32 row, const __u64 *slot, int words, __u32 packets,
				   __u64 frame_bytes);

/* Moves the counters of a slot to side.table_full. */
static __always_inline void fold(struct side *side, __u32 row, __u64 *slot, int words)
{
	struct counts *c = counts_of(slot, words);
	__u64 bytes = c->bytes_flags & COUNTS_BYTES;
	__u64 frame_bytes = bytes + (c->packets_overhead >> 32);

	side->table_full.packets += (__u32)c->packets_overhead;
	side->table_full.bytes += is_ip(slot, words) ? bytes : 0;
	side->table_full.frame_bytes += frame_bytes;
	folded(row, slot, words, c->packets_overhead, frame_bytes);
	side->resets += c->bytes_flags >> COUNTS_RESETS_SHIFT;
	c->packets_overhead = 0;
	c->bytes_flags = 0;
}

/* Returns the flow's slot, or a free slot for it, or NULL. No slot becomes free within an epoch. So
 * a flow is never behind a free slot in its bucket, nor in its second bucket while the first has
 * room. The search starts at a slot that the hash chooses: from slot 0, most flows would be found
 * only behind others. */
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

/* Returns the smallest flow of a bucket, or a if a is not larger. Among equals, it returns the
 * first one from start on. */
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

static __always_inline void add_atomically(struct sums *sums, const struct packet *p, int ip)
{
	__sync_fetch_and_add(&sums->packets, p->packets);
	__sync_fetch_and_add(&sums->bytes, ip ? p->bytes : 0);
	__sync_fetch_and_add(&sums->frame_bytes, p->bytes + p->overhead);
}

static __always_inline void count_no_shard(__u32 row, const struct packet *p, int ip)
{
	struct side *side = bpf_map_lookup_elem(&sides, &row);

	if (side) /* always */
		add_atomically(&side->no_shard, p, ip);
}

static __always_inline void count_interrupted(__u32 row, const struct packet *p, int ip)
{
	struct side *side = bpf_map_lookup_elem(&sides, &row);

	if (side) /* always */
		add_atomically(&side->interrupted, p, ip);
}

/* Returns the index of a flow's bucket in a row, which is 2 * shard + epoch. */
static __always_inline __u32 bucket_of(__u32 row, __u32 buckets, __u64 hash)
{
	__u32 h = hash >> 32, small = row - 2 * shards;

	if (likely(row < 2 * shards))
		return row * buckets + (h & (buckets - 1));
	return 2 * shards * buckets + small * small_buckets + (h & (small_buckets - 1));
}

#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_ACK 0x10

/* The flags of a segment that is_rare() must judge. Of an established flow, few segments have one.
 * seen has the flags of earlier segments in this epoch; 0: there were none. */
static __always_inline __u32 rare_flags(__u32 seen)
{
	return TCP_SYN | TCP_RST | (TCP_ACK & ~seen);
}

/* Reports whether a segment has RST or may belong to a handshake: one with SYN, and the first one
 * with ACK of a flow. A flow that begins in an epoch with ACK may be an old one, so it counts only
 * while a handshake is pending. */
static __always_inline int is_rare(__u32 flags, __u32 seen)
{
	return (flags & (TCP_SYN | TCP_RST)) || seen || epoch.awaited;
}

/* Counts a segment with RST. */
static __always_inline void count_reset(__u32 row, struct counts *c)
{
	struct side *side;

	if (c->bytes_flags >> COUNTS_RESETS_SHIFT < 255) {
		c->bytes_flags += 1ULL << COUNTS_RESETS_SHIFT;
		return;
	}
	side = bpf_map_lookup_elem(&sides, &row);
	if (side) /* always */
		side->resets++;
}

/* Keeps a segment for user space. A flood does not take all of the room: half of it is for
 * answers, and of that a half for answers with SYN. An ACK that begins a flow in this epoch gets a
 * quarter. RST matters only while a handshake is pending. */
static __always_inline void keep(__u32 row, const __u64 *key, int words, __u32 flags, __u32 seen)
{
	struct side *side = bpf_map_lookup_elem(&sides, &row);
	__u64 limit = HANDSHAKES;
	struct handshake *h;
	__u32 i;

	if (!side || ((flags & TCP_RST) && !epoch.awaited))
		return;
	if ((flags & (TCP_SYN | TCP_ACK)) == TCP_SYN)
		limit = HANDSHAKES / 2;
	else if (flags & TCP_RST)
		limit = HANDSHAKES / 4 * 3;
	else if (!(flags & TCP_SYN) && !seen)
		limit = HANDSHAKES / 4;
	if (side->handshakes >= limit) {
		side->skipped++;
		return;
	}
	i = row * HANDSHAKES + (__u32)side->handshakes;
	h = bpf_map_lookup_elem(&handshakes, &i);
	if (!h)
		return;
	side->handshakes++;
	take(h->key, key, words);
	h->time = bpf_ktime_get_ns();
	h->tcp_flags = flags;
	h->words = words;
	if ((flags & TCP_SYN) && !epoch.awaited)
		epoch.awaited = 1;
}

/* Returns the row in which it has counted. */
static __always_inline __u32 count_in(void *flows, void *touched, __u32 buckets, const __u64 *key,
				      int words, __u64 hash, const struct packet *p)
{
	__u32 shard = bpf_get_smp_processor_id();
	__u32 row = epoch.active & 1; /* read it only once: user space may flip it */
	__u64 *first, *second, *slot;
	struct counts *c;
	struct side *side;
	__u32 i, seen;

	if (unlikely(shard >= shards && shard - shards >= small_shards)) {
		count_no_shard(row, p, is_ip(key, words));
		return row;
	}
	row += 2 * shard;
	i = bucket_of(row, buckets, hash);
	first = bpf_map_lookup_elem(flows, &i);
	if (!first)
		return row; /* not possible: the arrays hold every shard; also below */
	slot = find(first, hash >> 61, key, words);
	if (likely(slot && slot[0])) {
		if (unlikely(counts_of(slot, words)->packets_overhead & COUNTS_FULL))
			goto full;
		goto found;
	}
	if (!slot) {
		hash = mix(hash);
		i = bucket_of(row, buckets, hash);
		second = bpf_map_lookup_elem(flows, &i);
		if (!second)
			return row;
		slot = find(second, hash >> 61, key, words);
		if (slot && slot[0] && !(counts_of(slot, words)->packets_overhead & COUNTS_FULL))
			goto found;
	}
full:
	side = bpf_map_lookup_elem(&sides, &row);
	if (!side)
		return row;
	if (!slot) {
		/* In a flood, most flows are equally small. A start that the hash chose would
		 * let two large flows evict each other for ever. */
		__u32 start = (__u32)side->evictions++ * 0x9E3779B1U >> 29;

		slot = smaller(NULL, first, start, words);
		slot = smaller(slot, second, start, words);
		fold(side, row, slot, words);
		take(slot, key, words);
	} else if (!slot[0]) {
		take(slot, key, words);
		touch(touched, i);
		side->inserts++;
	} else {
		fold(side, row, slot, words);
		side->folds++;
	}
found:
	c = counts_of(slot, words);
	seen = c->bytes_flags >> COUNTS_FLAGS_SHIFT;
	add(c, p);
	if (unlikely(p->tcp_flags & rare_flags(seen)) && is_rare(p->tcp_flags, seen)) {
		if (p->tcp_flags & TCP_RST)
			count_reset(row, c);
		keep(row, key, words, p->tcp_flags, seen);
	}
	return row;
}

/* Multilinear hashing of 32-bit words (Lemire and Kaser, "Strongly universal string hashing is
 * fast"). Without hash_key, a sender cannot find keys that collide. mix() is a step that is not
 * linear: without it, a scan's flows would take buckets at regular distances. The upper bits of
 * the result are the best ones. */
static __always_inline __u64 hash_words(const __u64 *key, int words)
{
	__u64 h = 0;

#pragma unroll
	for (int w = 0; w < words; w++)
		h += hash_key[2 * w] * (__u32)key[w] + hash_key[2 * w + 1] * (key[w] >> 32);
	return mix(h);
}
