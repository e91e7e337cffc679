/* SPDX-License-Identifier: MIT */
/* The parser: from a frame to its flow and its counters, after docs/accounting.md.
 * internal/count/packet is the same in Go; testdata/packets and a fuzz test hold both to it.
 *
 * parse_fast() takes the common shapes directly from the linear part of the packet.
 * parse() takes everything, through load(). What both take comes out the same. Neither
 * knows a hook or a map. */
#pragma once

#include "packet.h"

/* What a hook knows about a frame besides its bytes. */
struct frame {
	__u32 len; /* on the wire, of what load() reads */
	__u32 ifindex;
	__be16 type; /* of a raw frame: its ethertype; 0: told by the first four bits */
	__u16 tci;   /* of a tag that the kernel holds outside of the frame */
	__u8 tagged; /* there is one */
	__u8 raw;    /* no link header: load() starts at layer 3 */
	__u8 direction;

	/* Of a super-frame (GSO, GRO). */
	__u16 segment_size; /* payload of a segment; 0: this is none */
	__u16 segments;     /* 0: not known */
	__u32 extra;        /* the headers that its segments repeat; 0: not known */
};

/* The hook defines load before it includes this file. It copies bytes from the packet,
 * and fails unless all of them are there. */
static __always_inline long load(void *ctx, __u32 offset, void *to, __u32 len);

#define TYPE_LLC  ETH_P_802_2 /* 802.3 frames: their type is a length */
#define TYPE_RUNT 0xffff      /* too short to have a type */
#define TAG_LEN   4
#define TAGS_MAX  2
#define VLAN_ID   0x0fff
#define ARP_LEN   28 /* with Ethernet and IPv4 addresses */

#define IPV4_LEN            20
#define IPV4_OFFSET         0x1fff
#define IPV6_LEN            40
#define IPV6_PLAIN_MAX      (IPV6_LEN + 0xffff)
#define IPV6_EXTENSIONS_MAX 8
#define IPV6_EXTENSION_MIN  8
#define IPPROTO_HIP         139
#define IPPROTO_SHIM6       140
#define JUMBO_LEN           8      /* a hop-by-hop header with a jumbo payload option (RFC 2675) */
#define BY_FRAGS            0xffff /* GSO_BY_FRAGS, include/linux/skbuff.h: segments of any size */

static __always_inline int is_tag(__be16 type)
{
	return type == bpf_htons(ETH_P_8021Q) || type == bpf_htons(ETH_P_8021AD);
}

/* A set of protocols: two words instead of a switch, because after a switch the verifier
 * follows every case through the rest of the program. */
#define IN(proto) (1ULL << (proto) % 64)

/* A macro: as an inline function it takes more instructions. */
#define WORD_OF(proto, to_63, from_128_to_191) \
	((proto) < 64 ? (to_63) : (proto) >= 128 && (proto) < 192 ? (from_128_to_191) : 0)
#define MEMBER(proto, to_63, from_128_to_191) \
	(WORD_OF(proto, to_63, from_128_to_191) >> (proto) % 64 & 1)

/* IPv6 extension headers that are walked. */
static __always_inline int is_extension(__u32 proto)
{
	return MEMBER(proto,
		      IN(IPPROTO_HOPOPTS) | IN(IPPROTO_ROUTING) | IN(IPPROTO_FRAGMENT) |
			      IN(IPPROTO_AH) | IN(IPPROTO_DSTOPTS),
		      IN(IPPROTO_MH) | IN(IPPROTO_HIP) | IN(IPPROTO_SHIM6));
}

/* The l4 field of a key, from the first four bytes of the transport header. AH is not
 * among them: its SPI is in the next four. */
static __always_inline __be32 l4_of(__u32 proto, __be32 first)
{
	if (MEMBER(proto, IN(IPPROTO_TCP) | IN(IPPROTO_UDP) | IN(IPPROTO_DCCP) | IN(IPPROTO_ESP),
		   IN(IPPROTO_SCTP) | IN(IPPROTO_UDPLITE)))
		return first;
	if (MEMBER(proto, IN(IPPROTO_ICMP) | IN(IPPROTO_ICMPV6), 0))
		return first << 16; /* type and code to the last two bytes */
	if (proto == IPPROTO_GRE)
		return first & bpf_htonl(0xffff); /* protocol type */
	return 0;
}

static __always_inline __u64 key_head(__u32 proto, __u32 vlan, __u32 direction, __u32 kind,
				      __be32 l4)
{
	return proto | vlan << META_VLAN_SHIFT | direction << META_DIR_SHIFT |
	       kind << META_KIND_SHIFT | META_USED | (__u64)l4 << 32;
}

/* TCP flags of the 14 bytes of a transport header. */
#define TCP_OFFSET_AT 12
#define TCP_FLAGS_AT  13

/* Returns 0 if p is not set: then parse() is to be asked. */
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
		return 0; /* there is less than the header says */
	p->key.word[5] = f->ifindex;
	p->packets = 1;
	p->bytes = bytes;
	p->overhead = f->raw ? 0 : f->len - bytes + (f->tagged ? TAG_LEN : 0);
	return 1;
}

/* What parse() works on. It lies in a map and not on the stack: the verifier does not
 * know what is in a map, so that the paths through one step do not multiply with those
 * through the next. */
struct parser {
	struct frame f;
	struct packet p;
	__be16 type; /* of what starts at l3 */
	__u16 vlan;
	__u32 l3;     /* offsets into the frame */
	__u32 l4;     /* where the headers end that were walked; 0: not IP */
	__u32 bytes;  /* of layer 3 */
	__u32 there;  /* bytes of the packet from l4 on; 0 in later fragments, after cut chains */
	__u32 l4_len; /* of TCP and UDP headers */
	__u32 jumbo_len; /* of the header that super-frames have and their segments do not */
	__be32 sub;      /* the key's l4 field */
	__u8 kind;
	__u8 proto;
};

/* After this, what a parser holds is read anew. */
#define step_done() asm volatile("" ::: "memory")

static __always_inline void parse_link(void *ctx, struct parser *s)
{
	__u32 tags = s->f.tagged ? 1 : 0;
	__be16 tag[2]; /* its TCI, the type of what follows */
	__u8 first;

	s->type = s->f.type;
	s->vlan = tags ? s->f.tci & VLAN_ID : 0;
	s->l3 = 0;
	if (!s->f.raw) {
		if (s->f.len < ETH_HLEN || load(ctx, 2 * ETH_ALEN, &s->type, sizeof(s->type))) {
			s->type = bpf_htons(TYPE_RUNT);
			return;
		}
		s->l3 = ETH_HLEN;
	} else if (!s->type) {
		s->type = bpf_htons(TYPE_RUNT);
		if (load(ctx, 0, &first, sizeof(first)))
			return;
		if (first >> 4 == 4)
			s->type = bpf_htons(ETH_P_IP);
		else if (first >> 4 == 6)
			s->type = bpf_htons(ETH_P_IPV6);
	}
	step_done();
	for (int i = 0; i < TAGS_MAX; i++) {
		if (tags >= TAGS_MAX || !is_tag(s->type) || load(ctx, s->l3, tag, sizeof(tag)))
			break;
		if (!tags++)
			s->vlan = bpf_ntohs(tag[0]) & VLAN_ID;
		s->type = tag[1];
		s->l3 += TAG_LEN;
		step_done();
	}
	if (bpf_ntohs(s->type) < ETH_P_802_3_MIN)
		s->type = bpf_htons(TYPE_LLC);
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
			bytes = held; /* GSO above 64 KiB without a jumbo payload option */
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

/* Reads the transport header as far as it lies inside the packet. */
static __always_inline void parse_l4(void *ctx, struct parser *s)
{
	__u32 proto = s->proto, there = s->there;
	__be32 first = 0;
	__u8 h[2];

	s->sub = 0;
	if (proto == IPPROTO_AH) {
		/* In IPv6, this is the ninth extension header. */
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

/* Turns the counters of a super-frame into those of its segments. */
static __always_inline void add_segments(struct parser *s)
{
	__u32 n = s->f.segments, size = s->f.segment_size, tag = s->f.tagged ? TAG_LEN : 0;
	__u32 headers = s->l3, more, extra;

	if (s->l4)
		headers = s->l4 + s->l4_len - s->jumbo_len;
	if (!n && size && size != BY_FRAGS && s->f.len > headers) /* from a guest or a tun device */
		n = (s->f.len - headers - s->jumbo_len + size - 1) / size;
	if (n <= 1)
		return;
	more = n - 1;
	/* The kernel's sum covers tunnels, whose inner headers are repeated too. It has the
	 * jumbo header in it, which the segments have not. */
	extra = s->f.extra ? s->f.extra - more * s->jumbo_len : more * headers;
	s->p.packets = n;
	if (s->l4) {
		s->p.bytes += extra - more * s->l3 - s->jumbo_len;
		s->p.overhead += more * (s->l3 + tag);
	} else {
		s->p.bytes += extra + more * tag;
	}
}

/* Makes s->p of s->f. */
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
