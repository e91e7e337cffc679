/* SPDX-License-Identifier: MIT */
/* The parser turns a frame into a key and counters, by the rules of docs/accounting.md.
 * internal/count/packet is the same parser in Go. testdata/packets and a fuzz test compare them.
 *
 * parse_fast() reads the common kinds of packets directly from their linear part. parse() reads
 * every packet, through load(). Both have the same result. Neither uses a hook's context or a
 * map. */
#pragma once

#include "link.h"

#define TAGS_MAX 2  /* of parse_fast() */
#define ARP_LEN  28 /* ARP for Ethernet and IPv4 */

#define IPV4_LEN            20
#define IPV4_OFFSET         0x1fff
#define IPV6_LEN            40
#define IPV6_PLAIN_MAX      (IPV6_LEN + 0xffff)
#define IPV6_EXTENSIONS_MAX 8
#define IPV6_EXTENSION_MIN  8
#define IPPROTO_HIP         139
#define IPPROTO_SHIM6       140
#define IPPROTO_OSPF        89
#define GRE_ACK             0x00800000 /* in the first four bytes (RFC 2637) */
#define JUMBO_LEN           8      /* a hop-by-hop header with a jumbo payload option (RFC 2675) */
#define BY_FRAGS            0xffff /* GSO_BY_FRAGS, include/linux/skbuff.h: segments of any size */

/* A set of protocols, as two words. After a switch, the verifier would follow every case through
 * the rest of the program. */
#define IN(proto) (1ULL << (proto) % 64)

/* A macro: as an inline function it takes more instructions. */
#define WORD_OF(proto, to_63, from_128_to_191) \
	((proto) < 64 ? (to_63) : (proto) >= 128 && (proto) < 192 ? (from_128_to_191) : 0)
#define MEMBER(proto, to_63, from_128_to_191) \
	(WORD_OF(proto, to_63, from_128_to_191) >> (proto) % 64 & 1)

/* The IPv6 extension headers that the parser walks. */
static __always_inline int is_extension(__u32 proto)
{
	return MEMBER(proto,
		      IN(IPPROTO_HOPOPTS) | IN(IPPROTO_ROUTING) | IN(IPPROTO_FRAGMENT) |
			      IN(IPPROTO_AH) | IN(IPPROTO_DSTOPTS),
		      IN(IPPROTO_MH) | IN(IPPROTO_HIP) | IN(IPPROTO_SHIM6));
}

/* Returns the l4 field of a key, from the first four bytes of the transport header. AH is handled
 * elsewhere: its SPI is in the next four bytes. */
static __always_inline __be32 l4_of(__u32 proto, __be32 first)
{
	if (MEMBER(proto, IN(IPPROTO_TCP) | IN(IPPROTO_UDP) | IN(IPPROTO_DCCP) | IN(IPPROTO_ESP),
		   IN(IPPROTO_SCTP) | IN(IPPROTO_UDPLITE)))
		return first;
	/* ICMP's type and code, or OSPF's version and type, go to the last two bytes. */
	if (MEMBER(proto, IN(IPPROTO_ICMP) | IN(IPPROTO_ICMPV6), 0) || proto == IPPROTO_OSPF)
		return first << 16;
	if (proto == IPPROTO_GRE) /* flags, version and protocol type */
		return first & ~bpf_htonl(GRE_ACK);
	if (proto == IPPROTO_IGMP)
		return first << 24; /* type */
	return 0;
}

static __always_inline __u64 key_head(__u32 proto, __u32 vlan, __u32 direction, __u32 kind,
				      __be32 l4)
{
	return proto | vlan << META_VLAN_SHIFT | direction << META_DIR_SHIFT |
	       kind << META_KIND_SHIFT | META_USED | (__u64)l4 << 32;
}

/* Offsets in the TCP header (RFC 9293, section 3.1). The byte at TCP_OFFSET_AT has the data offset
 * in its upper half. The byte at TCP_FLAGS_AT has CWR, ECE, URG, ACK, PSH, RST, SYN, FIN, from bit
 * 7 down. Bit 0 of the byte before is AE (RFC 9768), which the parser ignores. */
#define TCP_OFFSET_AT 12
#define TCP_FLAGS_AT  13

/* Returns 0 if the packet is none of the common kinds. Then p is not set, and the caller uses
 * parse(). */
static __always_inline int parse_fast(void *data, void *end, const struct frame *f,
				      struct packet *p)
{
	__u32 vlan = f->tagged ? f->tci & VLAN_ID : 0, offset = 0, bytes;
	void *l3 = data;
	__be16 type = f->type;
	__u8 proto;

	if (f->segment_size || (f->raw && f->tagged))
		return 0;
	if (!f->raw) {
		if (data + ETH_HLEN > end)
			return 0;
		type = ((struct ethhdr *)data)->h_proto;
		offset = ETH_HLEN;
		l3 += ETH_HLEN;
#pragma unroll
		for (int i = 0; i < TAGS_MAX; i++) {
			if (likely(!is_tag(type)) || (f->tagged && i))
				break;
			if (l3 + TAG_LEN > end)
				return 0;
			if (!f->tagged && !i)
				vlan = bpf_ntohs(*(__be16 *)l3) & VLAN_ID;
			type = *(__be16 *)(l3 + 2);
			offset += TAG_LEN;
			l3 += TAG_LEN;
		}
	}

	if (type == bpf_htons(ETH_P_IP)) {
		struct iphdr *ip = l3;

		if (l3 + IPV4_LEN + 4 > end || *(__u8 *)l3 != 0x45)
			return 0;
		bytes = bpf_ntohs(ip->tot_len);
		proto = ip->protocol;
		if (bytes < IPV4_LEN + 4 || ip->frag_off & bpf_htons(IPV4_OFFSET) ||
		    proto == IPPROTO_AH)
			return 0;
		p->key.word[0] = key_head(proto, vlan, f->direction, KIND_IPV4,
					  l4_of(proto, *(__be32 *)(l3 + IPV4_LEN)));
		p->key.word[1] = ip->saddr;
		p->key.word[2] = 0;
		p->key.word[3] = ip->daddr;
		p->key.word[4] = 0;
		p->tcp_flags = 0;
		if (proto == IPPROTO_TCP && bytes > IPV4_LEN + TCP_FLAGS_AT) {
			if (l3 + IPV4_LEN + TCP_FLAGS_AT + 1 > end)
				return 0;
			p->tcp_flags = *(__u8 *)(l3 + IPV4_LEN + TCP_FLAGS_AT);
		}
	} else if (type == bpf_htons(ETH_P_IPV6)) {
		struct ipv6hdr *ip = l3;

		if (l3 + IPV6_LEN + 4 > end || *(__u8 *)l3 >> 4 != 6)
			return 0;
		bytes = bpf_ntohs(ip->payload_len) + IPV6_LEN;
		proto = ip->nexthdr;
		if (bytes < IPV6_LEN + 4 || is_extension(proto))
			return 0;
		p->key.word[0] = key_head(proto, vlan, f->direction, KIND_IPV6,
					  l4_of(proto, *(__be32 *)(l3 + IPV6_LEN)));
		__builtin_memcpy(&p->key.word[1], &ip->saddr, 16);
		__builtin_memcpy(&p->key.word[3], &ip->daddr, 16);
		p->tcp_flags = 0;
		if (proto == IPPROTO_TCP && bytes > IPV6_LEN + TCP_FLAGS_AT) {
			if (l3 + IPV6_LEN + TCP_FLAGS_AT + 1 > end)
				return 0;
			p->tcp_flags = *(__u8 *)(l3 + IPV6_LEN + TCP_FLAGS_AT);
		}
	} else {
		return 0;
	}

	if (bytes > f->len - offset)
		return 0; /* the frame is shorter than the IP length */
	p->key.word[5] = f->ifindex;
	p->packets = 1;
	p->bytes = bytes;
	p->overhead = f->raw ? 0 : f->len - bytes + (f->tagged ? TAG_LEN : 0);
	return 1;
}

static __always_inline void parse_arp(void *ctx, struct parser *s)
{
	__u8 arp[ARP_LEN];

	if (load(ctx, s->l3, arp, sizeof(arp)))
		return;
	if (*(__be16 *)(arp + 2) != bpf_htons(ETH_P_IP) || arp[4] != ETH_ALEN || arp[5] != 4)
		return;
	s->kind = KIND_ARP;
	s->sub = bpf_htonl(bpf_ntohs(*(__be16 *)(arp + 6)));
	__builtin_memcpy(s->p.key.src, arp + 14, 4);
	__builtin_memcpy(s->p.key.dst, arp + 24, 4);
}

static __always_inline void parse_ipv4(void *ctx, struct parser *s)
{
	__u32 held = s->f.len - s->l3, bytes, header;
	struct iphdr ip;

	if (load(ctx, s->l3, &ip, sizeof(ip)) || ip.version != 4)
		return;
	header = ip.ihl * 4;
	if (header < IPV4_LEN || header > held)
		return;
	bytes = bpf_ntohs(ip.tot_len);
	if (bytes == 0 || bytes > held)
		bytes = held;
	s->bytes = bytes;
	s->l4 = s->l3 + header;
	if (!(ip.frag_off & bpf_htons(IPV4_OFFSET)) && bytes > header)
		s->there = bytes - header;
	s->kind = KIND_IPV4;
	s->proto = ip.protocol;
	__builtin_memcpy(s->p.key.src, &ip.saddr, 4);
	__builtin_memcpy(s->p.key.dst, &ip.daddr, 4);
}

static __always_inline void ipv6_bytes(void *ctx, struct parser *s, const struct ipv6hdr *ip)
{
	__u32 held = s->f.len - s->l3;
	__u64 bytes = bpf_ntohs(ip->payload_len) + IPV6_LEN;
	struct {
		__u8 next, len, option, option_len;
		__be32 jumbo;
	} h;

	if (bytes == IPV6_LEN) {
		if (ip->nexthdr == IPPROTO_HOPOPTS && !load(ctx, s->l3 + IPV6_LEN, &h, sizeof(h)) &&
		    h.option == IPV6_TLV_JUMBO && h.option_len == 4) {
			bytes += bpf_ntohl(h.jumbo);
			s->jumbo_len = JUMBO_LEN;
		} else if (held > IPV6_PLAIN_MAX) {
			bytes = held; /* a super-frame without a jumbo payload option */
		}
	}
	s->bytes = bytes < held ? bytes : held;
}

static __always_inline void parse_ipv6(void *ctx, struct parser *s)
{
	struct ipv6hdr ip;
	__u32 offset;
	__u8 h[4];

	if (load(ctx, s->l3, &ip, sizeof(ip)) || ip.version != 6)
		return;
	ipv6_bytes(ctx, s, &ip);
	s->kind = KIND_IPV6;
	s->proto = ip.nexthdr;
	s->l4 = s->l3 + IPV6_LEN;
	__builtin_memcpy(s->p.key.src, &ip.saddr, 16);
	__builtin_memcpy(s->p.key.dst, &ip.daddr, 16);
#pragma clang loop unroll(disable)
	for (int i = 0; i < IPV6_EXTENSIONS_MAX; i++) {
		__u32 header, len;

		step_done();
		header = s->proto;
		offset = s->l4 - s->l3;
		if (!is_extension(header))
			break;
		if (offset + IPV6_EXTENSION_MIN > s->bytes || load(ctx, s->l4, h, sizeof(h)))
			return;
		s->proto = h[0];
		if (header == IPPROTO_FRAGMENT)
			len = 8;
		else if (header == IPPROTO_AH)
			len = (h[1] + 2) * 4;
		else
			len = (h[1] + 1) * 8;
		s->l4 += len;
		if (header == IPPROTO_FRAGMENT && (h[2] << 8 | h[3]) >> 3)
			return;
	}
	step_done();
	offset = s->l4 - s->l3;
	if (s->bytes > offset)
		s->there = s->bytes - offset;
}

/* Reads the part of the transport header that is inside the packet. Later fragments have none:
 * their there is 0. The header of a super-frame has the union of its segments' flags. GSO sets CWR
 * only in the first segment, PSH and FIN only in the last one. */
static __always_inline void parse_l4(void *ctx, struct parser *s)
{
	__u32 proto = s->proto, there = s->there;
	__be32 first = 0;
	__u8 h[2];

	s->sub = 0;
	if (proto == IPPROTO_AH) {
		/* In IPv6, AH is an extension header. Here, it would be the ninth. */
		if (there >= 8 && s->kind == KIND_IPV4)
			load(ctx, s->l4 + 4, &s->sub, 4);
		return;
	}
	if (there >= 4)
		load(ctx, s->l4, &first, 4);
	else if (there >= 2 && MEMBER(proto, IN(IPPROTO_ICMP) | IN(IPPROTO_ICMPV6), 0))
		load(ctx, s->l4, &first, 2);
	s->sub = l4_of(proto, first);
	if (proto == IPPROTO_UDP && there >= sizeof(struct udphdr))
		s->l4_len = sizeof(struct udphdr);
	if (proto == IPPROTO_TCP && there > TCP_OFFSET_AT &&
	    !load(ctx, s->l4 + TCP_OFFSET_AT, h, 1))
		s->l4_len = (h[0] >> 4) * 4;
	if (proto == IPPROTO_TCP && there > TCP_FLAGS_AT && !load(ctx, s->l4 + TCP_FLAGS_AT, h, 1))
		s->p.tcp_flags = h[0];
}

/* Replaces the counters of a super-frame by the counters of its segments. */
static __always_inline void add_segments(struct parser *s)
{
	__u32 n = s->f.segments, size = s->f.segment_size, tag = s->f.tagged ? TAG_LEN : 0;
	__u32 headers = s->l3, more, extra;

	if (s->l4)
		headers = s->l4 + s->l4_len - s->jumbo_len;
	if (!n && size && size != BY_FRAGS &&
	    s->f.len > headers) /* a guest or a tun device sent it */
		n = (s->f.len - headers - s->jumbo_len + size - 1) / size;
	if (n <= 1)
		return;
	more = n - 1;
	/* The kernel's sum also has the inner headers of tunnels, which each segment repeats. It
	 * includes the jumbo header, which the segments lack. */
	extra = s->f.extra ? s->f.extra - more * s->jumbo_len : more * headers;
	s->p.packets = n;
	if (s->l4) {
		s->p.bytes += extra - more * s->l3 - s->jumbo_len;
		s->p.overhead += more * (s->l3 + tag);
	} else {
		s->p.bytes += extra + more * tag;
	}
}

/* Parses a frame: sets s->p. The caller has set s->f. */
static __always_inline void parse(void *ctx, struct parser *s)
{
	__u32 tag = s->f.tagged ? TAG_LEN : 0;

	__builtin_memset(&s->p, 0, sizeof(s->p));
	s->kind = KIND_ETH;
	s->proto = 0;
	s->l4 = s->bytes = s->there = s->l4_len = s->jumbo_len = 0;
	parse_link(ctx, s);
	step_done();
	s->sub = bpf_htonl(bpf_ntohs(s->type));

	if (s->type == bpf_htons(ETH_P_IP))
		parse_ipv4(ctx, s);
	else if (s->type == bpf_htons(ETH_P_IPV6))
		parse_ipv6(ctx, s);
	else if (s->type == bpf_htons(ETH_P_ARP))
		parse_arp(ctx, s);
	step_done();

	if (s->l4) {
		parse_l4(ctx, s);
		step_done();
		s->p.bytes = s->bytes;
		s->p.overhead = tag + (s->f.raw ? s->l3 : s->f.len - s->bytes);
	} else {
		s->p.bytes = s->f.len + tag;
	}
	s->p.key.word[0] = key_head(s->proto, s->vlan, s->f.direction, s->kind, s->sub);
	s->p.key.ifindex = s->f.ifindex;
	s->p.packets = 1;
	step_done();
	if (s->f.segment_size)
		add_segments(s);
}
