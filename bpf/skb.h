/* SPDX-License-Identifier: MIT */
/* Packets as struct __sk_buff, at tc. */
#pragma once

#include "kernel.h"

/* Bytes that the raw programs skip. Only tests set it: BPF_PROG_TEST_RUN requires an Ethernet
 * header in its input. */
const volatile __u32 raw_offset = 0;

static __always_inline long load(void *ctx, __u32 offset, void *to, __u32 len)
{
	return bpf_skb_load_bytes(ctx, raw_offset + offset, to, len);
}

#include "scratch.h"
#include "flows.h"
#include "ipsec.h"

/* The kernel has IPsec (CONFIG_XFRM), and so the helper. User space sets it before the load. */
const volatile __u32 xfrm = 0;

static __always_inline struct frame skb_frame(struct __sk_buff *skb, __u32 direction, __u32 raw)
{
	struct frame f = {
		.len = skb->len,
		.ifindex = skb->ifindex,
		.tagged = skb->vlan_present,
		.direction = direction,
		.raw = raw,
		.segment_size = skb->gso_size,
	};

	if (f.tagged)
		f.tci = skb->vlan_tci;
	if (raw) {
		f.len -= raw_offset;
		/* Smaller numbers are no ethertypes. Packet sockets leave ETH_P_ALL there. */
		if (bpf_ntohs(skb->protocol) >= ETH_P_802_3_MIN)
			f.type = skb->protocol;
	}
	if (f.segment_size) {
		f.segments = skb->gso_segs;
		/* Only on egress, qdisc_pkt_len_init() has added the headers of the segments. */
		if (direction == DIR_EGRESS && skb->wire_len > skb->len)
			f.extra = skb->wire_len - skb->len;
	}
	return f;
}

/* Returns whether an arriving packet starts at layer 3 although its interface has link headers.
 * That happens where generic XDP copied the packet (skb_pp_cow_data(), seen on 6.18). The copy
 * lacks the length of the link header, so tc cannot go back to it. skb->protocol is the type in
 * the header. If the packet has its header, both are equal. */
static __always_inline int is_headless(struct __sk_buff *skb, __u32 direction, __u32 raw)
{
	__be16 type, protocol = skb->protocol;

	if (raw || direction != DIR_INGRESS || bpf_ntohs(protocol) < ETH_P_802_3_MIN)
		return 0;
	return !load(skb, 2 * ETH_ALEN, &type, sizeof(type)) && type != protocol;
}

/* Returns whether an arriving packet has an Ethernet header before it although its interface has
 * none. That is how IPsec tunnels (xfrm, vti) hand on what they have decrypted: the header of the
 * encrypted packet is moved there (skb_mac_header_rebuild()). The packet itself is where the
 * network header is: 14 bytes on, and not at the start. No byte of the sender decides this. */
static __always_inline int is_headed(struct __sk_buff *skb, __u32 direction, __u32 raw)
{
	__u8 at[IPV4_LEN], network[IPV4_LEN];
	__be16 type;

	if (!raw || direction != DIR_INGRESS || load(skb, 2 * ETH_ALEN, &type, sizeof(type)) ||
	    type != skb->protocol)
		return 0;
	return !bpf_skb_load_bytes_relative(skb, 0, network, sizeof(network), BPF_HDR_START_NET) &&
	       !load(skb, ETH_HLEN, at, sizeof(at)) && !__builtin_memcmp(at, network, sizeof(at)) &&
	       !load(skb, 0, at, sizeof(at)) && __builtin_memcmp(at, network, sizeof(at));
}

/* Subtracts link headers that do not belong to the packet. */
static __always_inline void drop_header(struct parser *s)
{
	s->p.overhead = 0;
	if (!s->l4)
		s->p.bytes -= s->p.packets * ETH_HLEN;
}

/* Adds the link headers that a headless packet had, and the padding of a short one. */
static __always_inline void add_header(struct parser *s)
{
	__u32 n = s->p.packets;

	if (!s->l4) {
		s->p.bytes += n * ETH_HLEN;
		return;
	}
	s->p.overhead += n * ETH_HLEN;
	if (n == 1)
		s->p.overhead += s->f.len - s->bytes - s->l3;
}

/* Parses into parser(). It is global, so that the verifier checks it only once. */
__noinline int skb_parse(struct __sk_buff *skb, __u32 direction, __u32 raw)
{
	struct parser *s = parser();

	if (!s)
		return 0;
	s->f = skb_frame(skb, direction, raw);
	if (is_headless(skb, direction, raw)) {
		s->f.raw = 1;
		s->f.type = skb->protocol;
	} else if (is_headed(skb, direction, raw)) {
		s->f.raw = 0;
	}
	step_done();
	parse(skb, s);
	step_done();
	if (s->f.raw && !raw)
		add_header(s);
	else if (!s->f.raw && raw)
		drop_header(s);
	return 0;
}

/* Returns the SPI of an arriving packet of IPsec; 0 if it has none. */
static __always_inline __be32 skb_spi(struct __sk_buff *skb, const struct packet *p, __u32 raw)
{
	struct parser *s;
	__be32 spi;

	if (!is_in_udp(p))
		return p->key.l4;
	skb_parse(skb, DIR_INGRESS, raw);
	s = parser();
	if (!s || s->there < sizeof(struct udphdr) + sizeof(spi) ||
	    load(skb, s->l4 + sizeof(struct udphdr), &spi, sizeof(spi)))
		return 0;
	return spi;
}

/* Returns whether the packet has counted before it was decrypted. */
__noinline int skb_is_decrypted(struct __sk_buff *skb, __u32 packets)
{
	struct sa sa = { .ifindex = skb->ifindex };
	struct bpf_xfrm_state state;

	if (!xfrm)
		return 0; /* kernels before 6.8 verify this function also if nothing calls it */
	if (likely(bpf_skb_get_xfrm_state(skb, 0, &state, sizeof(state), 0)))
		return 0;
#pragma unroll
	for (int i = XFRM_MAX_DEPTH - 1; i >= 0; i--) {
		if (bpf_skb_get_xfrm_state(skb, i, &state, sizeof(state), 0))
			continue;
		sa.spi = state.spi;
		if (take_credit(&sa, packets))
			return 1;
	}
	return 0;
}

/* Returns whether to count an arriving packet. */
static __always_inline int skb_is_first(struct __sk_buff *skb, const struct packet *p, __u32 raw)
{
	if (!xfrm)
		return 1;
	if (unlikely(is_ipsec(p))) {
		struct sa sa = { .ifindex = skb->ifindex, .spi = skb_spi(skb, p, raw) };

		give_credit(&sa, p->packets);
	}
	return likely(!epoch.ipsec) || !skb_is_decrypted(skb, p->packets);
}

/* Returns the length of the frame that is in parser(), as the driver sees it. */
static __always_inline __u32 frame_len(const struct parser *s, __u32 raw)
{
	__u32 len = s->f.len + (s->f.tagged ? TAG_LEN : 0);

	if (s->f.raw && !raw)
		len += ETH_HLEN; /* add_header() */
	else if (!s->f.raw && raw)
		len -= ETH_HLEN; /* drop_header() */
	return len;
}

/* Counts a packet of any kind. It is global, so that the verifier checks it only once. */
__noinline int skb_count_any(struct __sk_buff *skb, __u32 direction, __u32 raw)
{
	struct parser *s;
	__u32 row;

	skb_parse(skb, direction, raw);
	s = parser();
	if (!s)
		return 0; /* not possible: the array has one entry */
	if (direction == DIR_INGRESS && !skb_is_first(skb, &s->p, raw))
		return 0;
	row = count(&s->p);
	if (s->p.packets > 1)
		merged(row, &s->p, frame_len(s, raw));
	return 0;
}

static __always_inline void skb_count(struct __sk_buff *skb, __u32 direction, __u32 raw)
{
	struct frame f = skb_frame(skb, direction, raw);
	void *data = (void *)(long)skb->data + (raw ? raw_offset : 0);
	struct packet p;

	if (is_headed(skb, direction, raw) ||
	    unlikely(!parse_fast(data, (void *)(long)skb->data_end, &f, &p)))
		skb_count_any(skb, direction, raw);
	else if (direction != DIR_INGRESS || skb_is_first(skb, &p, raw))
		count(&p);
}
