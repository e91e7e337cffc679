/* SPDX-License-Identifier: MIT */
/* Packets as the kernel's own struct sk_buff, from layer 3 on. bpf_probe_read_kernel() is the only
 * way to read them. */
#pragma once

#include "kernel.h"

/* The context of load(). */
struct view {
	void *l3;
	__u32 linear; /* bytes from l3 on that are contiguous */
	__u32 len;    /* of the packet, from l3 on */
};

static __always_inline long load(void *ctx, __u32 offset, void *to, __u32 len)
{
	struct view *v = ctx;

	if (offset + len > v->linear)
		return -1;
	return bpf_probe_read_kernel(to, len, v->l3 + offset);
}

#include "slot_socket.h"
#include "ipsec.h"

/* One for each nesting level of a CPU. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, MAX_NEST_LEVEL);
	__type(key, __u32);
	__type(value, struct view);
} views SEC(".maps");

/* On ingress, the packet starts at data: the offset of its network header may not be set yet. On
 * egress, it starts at its network header. */
static __always_inline struct view kernel_view(struct sk_buff *skb, __u32 direction)
{
	void *data = BPF_CORE_READ(skb, data), *head = BPF_CORE_READ(skb, head);
	__u32 len = BPF_CORE_READ(skb, len), before = 0;
	struct view v = { .l3 = data };

	if (direction == DIR_EGRESS) {
		v.l3 = head + BPF_CORE_READ(skb, network_header);
		before = v.l3 - data;
	}
	v.len = len - before;
	v.linear = v.len - BPF_CORE_READ(skb, data_len);
	return v;
}

static __always_inline struct frame kernel_frame(struct sk_buff *skb, const struct view *v,
						 __u32 direction)
{
	struct skb_shared_info *shared = (void *)BPF_CORE_READ(skb, head) + BPF_CORE_READ(skb, end);
	struct frame f = {
		.len = v->len,
		.direction = direction,
		.raw = 1,
		/* The kernel hands up the payload of other headers as another packet. */
		.tags_only = 1,
		.type = BPF_CORE_READ(skb, protocol),
		.segment_size = BPF_CORE_READ(shared, gso_size),
	};

	if (f.segment_size)
		f.segments = BPF_CORE_READ(shared, gso_segs);
	return f;
}

/* parse_fast() reads at most an IPv6 header and TCP up to its flags. */
#define START (IPV6_LEN + TCP_FLAGS_AT + 1)

/* Copies the start in one call. If the packet is shorter, the copy ends with other memory of the
 * kernel. parse_fast() does not read that part: the header's length ends before it. */
static __always_inline int kernel_parse_fast(const struct view *v, const struct frame *f,
					     struct packet *p)
{
	__u8 start[START + 2] __attribute__((aligned(8)));

	if (v->linear < START && v->linear != v->len)
		return 0;
	if (bpf_probe_read_kernel(start, START, v->l3))
		return 0;
	return parse_fast(start, start + START, f, p);
}

/* Parses views[level] into parser(level), whose frame is set. It is global, so that the verifier
 * checks it only once. */
__noinline int kernel_parse(__u32 level)
{
	struct view *v = bpf_map_lookup_elem(&views, &level);
	struct parser *s = parser(level);

	if (v && s)
		parse(v, s);
	return 0;
}

/* Returns the cookie of the sending socket. It is 0 if the kernel has generated no cookie yet, or
 * if the packet is forwarded. On ingress, the socket lookup has not happened yet. */
static __always_inline __u64 kernel_cookie(struct sk_buff *skb, __u32 direction)
{
	struct sock *sk;

	if (direction != DIR_EGRESS)
		return 0;
	sk = BPF_CORE_READ(skb, sk);
	return sk ? BPF_CORE_READ(sk, __sk_common.skc_cookie.counter) : 0;
}

/* Returns the SPI of an arriving packet of IPsec; 0 if it has none. */
static __always_inline __be32 kernel_spi(const struct view *view, const struct frame *f,
					 const struct packet *p, __u32 level)
{
	struct view *v = bpf_map_lookup_elem(&views, &level);
	struct parser *s = parser(level);
	__be32 spi;

	if (!is_in_udp(p))
		return p->key.l4;
	if (!v || !s)
		return 0;
	*v = *view;
	s->f = *f;
	step_done();
	kernel_parse(level);
	s = parser(level);
	if (!s || s->there < sizeof(struct udphdr) + sizeof(spi) ||
	    load(v, s->l4 + sizeof(struct udphdr), &spi, sizeof(spi)))
		return 0;
	return spi;
}

/* Returns the path of a decrypted packet; NULL if it is none. */
static __always_inline struct sec_path *sec_path_of(struct sk_buff *skb)
{
	__u32 id;
	struct skb_ext *ext;
	__u8 offset = 0;

	if (!bpf_core_field_exists(skb->active_extensions) ||
	    !bpf_core_enum_value_exists(enum skb_ext_id, SKB_EXT_SEC_PATH))
		return NULL;
	id = bpf_core_enum_value(enum skb_ext_id, SKB_EXT_SEC_PATH);
	if (!(BPF_CORE_READ(skb, active_extensions) & 1 << id))
		return NULL;
	ext = BPF_CORE_READ(skb, extensions);
	bpf_probe_read_kernel(&offset, 1, (void *)ext + bpf_core_field_offset(ext->offset) + id);
	return (void *)ext + offset * 8;
}

/* Returns whether the packet has counted before it was decrypted. */
static __always_inline int kernel_is_decrypted(struct sk_buff *skb, struct sa *sa, __u32 packets)
{
	struct sec_path *path = sec_path_of(skb);
	int len;

	if (!path)
		return 0;
	len = BPF_CORE_READ(path, len);
#pragma unroll
	for (int i = XFRM_MAX_DEPTH - 1; i >= 0; i--) {
		if (i >= len)
			continue;
		sa->spi = BPF_CORE_READ(path, xvec[i], id.spi);
		if (take_credit(sa, packets))
			return 1;
	}
	return 0;
}

/* Returns whether to count an arriving packet. */
static __always_inline int kernel_is_first(struct sk_buff *skb, const struct view *v,
					   const struct frame *f, const struct packet *p,
					   __u32 level)
{
	struct sa sa = { .netns = p->key.netns };

	if (likely(!epoch.ipsec) && likely(!is_ipsec(p)))
		return 1;
	sa.ifindex = BPF_CORE_READ(skb, dev, ifindex);
	if (is_ipsec(p)) {
		sa.spi = kernel_spi(v, f, p, level);
		give_credit(&sa, p->packets);
	}
	return !kernel_is_decrypted(skb, &sa, p->packets);
}

static __always_inline int kernel_count(struct sk_buff *skb, __u32 direction)
{
	struct view view = kernel_view(skb, direction);
	struct frame f = kernel_frame(skb, &view, direction);
	struct nesting *n = nesting();
	struct packet p;
	__u32 level;

	if (!n)
		return 0; /* not possible: each CPU has an entry */
	level = get_nest_level(n);
	if (unlikely(!kernel_parse_fast(&view, &f, &p))) {
		struct view *v = bpf_map_lookup_elem(&views, &level);
		struct parser *s = parser(level);

		if (!v || !s) {
			count_lost(f.segments ?: 1, f.len);
			goto out;
		}
		*v = view;
		s->f = f;
		step_done();
		kernel_parse(level);
		s = parser(level);
		if (!s)
			goto out; /* not possible: it was there */
		p = s->p;
	}
	if (likely(is_ip(p.key.word, 6))) {
		p.key.meta &= ~(VLAN_ID << META_VLAN_SHIFT); /* the IP layer has no VLANs */
		p.key.netns = BPF_CORE_READ(skb, dev, nd_net.net, ns.inum);
		if (direction != DIR_INGRESS || kernel_is_first(skb, &view, &f, &p, level))
			count_socket(&p, 0, kernel_cookie(skb, direction), level);
	} else if (f.type == bpf_htons(ETH_P_IP) || f.type == bpf_htons(ETH_P_IPV6)) {
		count_lost(f.segments ?: 1, f.len); /* its header is not in the linear part */
	}
out:
	put_nest_level(n, level);
	return 0;
}
