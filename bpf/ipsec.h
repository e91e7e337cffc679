/* SPDX-License-Identifier: MIT */
/* Packets that IPsec shows twice. The kernel decrypts a packet in tunnel mode and hands the inner
 * packet to the same device (gro_cells_receive() in xfrm_input()). It is one packet on the wire.
 *
 * The programs count the outer packet and give its security association a credit. A decrypted
 * packet that finds a credit takes it, and does not count. Without a credit, it counts:
 *   - An xfrm or VTI interface gets decrypted packets only.
 *   - GRO may decrypt a packet before any hook sees it (esp4_gro_receive()).
 *
 * The protocol identifies ESP and AH, the port identifies ESP in UDP (RFC 3948). Two kinds give
 * no credit. The parser walks AH over IPv6. In ESP in TCP (RFC 8229), an SPI may be anywhere in
 * the stream. */
#pragma once

#include "table.h"

#define PORT_ESP_IN_UDP 4500

/* A security association at a device. */
struct sa {
	__u32 ifindex;
	__u32 netns; /* inode number; 0 from hooks that are in one namespace */
	__be32 spi;
};

/* Any host can send packets with an SPI. The LRU evicts credits that no packet takes. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct sa);
	__type(value, __s64);
} credits SEC(".maps");

/* Decrypted packets that took a credit. User space reads it. */
__u64 decrypted __attribute__((aligned(128)));

static __always_inline int is_ipsec(const struct packet *p)
{
	__u8 proto = p->key.meta;

	if (proto == IPPROTO_UDP)
		return (__u16)p->key.l4 == bpf_htons(PORT_ESP_IN_UDP) ||
		       p->key.l4 >> 16 == bpf_htons(PORT_ESP_IN_UDP);
	return proto == IPPROTO_ESP || proto == IPPROTO_AH;
}

static __always_inline int is_in_udp(const struct packet *p)
{
	return (__u8)p->key.meta == IPPROTO_UDP;
}

/* Gives n credits. Later fragments have no SPI, which is never 0. */
static __always_inline void give_credit(const struct sa *sa, __s64 n)
{
	__s64 *credit, none = 0;

	if (!sa->spi)
		return;
	credit = bpf_map_lookup_elem(&credits, sa);
	if (!credit) {
		bpf_map_update_elem(&credits, sa, &none, BPF_NOEXIST);
		credit = bpf_map_lookup_elem(&credits, sa);
	}
	if (credit)
		__sync_fetch_and_add(credit, n);
	epoch.ipsec = 1;
}

/* Takes n credits. Returns 0 if there are fewer. */
static __always_inline int take_credit(const struct sa *sa, __s64 n)
{
	__s64 *credit = bpf_map_lookup_elem(&credits, sa);

	if (!credit || *(volatile __s64 *)credit < n)
		return 0;
	__sync_fetch_and_add(credit, -n);
	__sync_fetch_and_add(&decrypted, n);
	return 1;
}
