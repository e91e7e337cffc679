/* SPDX-License-Identifier: MIT */
/* The state of the parser, and its first step: from the link header to layer 3. */
#pragma once

#include "packet.h"

/* The metadata of a frame that a hook has. */
struct frame {
	__u32 len; /* bytes on the wire, without those before load()'s offset 0 */
	__u32 ifindex;
	__be16 type; /* the ethertype of a raw frame; 0: the first four bits decide */
	__u16 tci;   /* of the tag that the kernel keeps outside of the frame */
	__u8 tagged; /* there is such a tag */
	__u8 raw;    /* no link header: load() starts at layer 3 */
	__u8 direction;
	__u8 tags_only; /* the parser skips only tags before layer 3 */

	/* Of a super-frame: several segments that GSO or GRO keeps in one packet. */
	__u16 segment_size; /* payload of a segment; 0: this is no super-frame */
	__u16 segments;     /* 0: not known */
	__u32 extra;        /* bytes of headers that the segments repeat; 0: not known */
};

/* Copies bytes of the packet. It fails if the packet does not have all of them. Each hook's header
 * defines it and then includes this file. */
static __always_inline long load(void *ctx, __u32 offset, void *to, __u32 len);

#define TYPE_LLC    ETH_P_802_2 /* for 802.3 frames, which have a length instead of a type */
#define TYPE_RUNT   0xffff      /* for frames that are too short for a type */
#define VLAN_ID     0x0fff
#define HEADERS_MAX 8 /* between the link header and layer 3 */
#define TAG_LEN     4
#define LABEL_LEN   4 /* MPLS */

/* Ethertypes that linux/if_ether.h lacks. */
#define TYPE_OLD_QINQ 0x9100
#define TYPE_CMD      0x8909 /* Cisco metadata */
#define TYPE_PBB      0x88e7 /* 802.1ah */
#define TYPE_NSH      0x894f
#define TYPE_ARISTA   0xd28b
#define TYPE_VNTAG    0x8926 /* the forerunner of 802.1BR */
#define TYPE_ETAG     0x893f /* 802.1BR */
#define TYPE_FABRIC   0x8903 /* Cisco FabricPath */

#define PPPOE_MASK  0xffff0000 /* version, type, code */
#define PPP_SHORT   0x0100     /* the protocol has one byte (RFC 1661, 6.5) */
#define ARISTA_MASK 0xfffffeff /* the bit is TAI or UTC */
#define NSH_MASK    0xc03f0f00 /* version, length, MD type */

#define LABEL_BOTTOM    (1 << 8)
#define LABEL_TRAIL_MAX 64 /* bytes after an IP packet behind labels */

/* A header, as its type and its first four bytes describe it. */
struct encap {
	__u32 len;  /* 0: its form is not known */
	__u16 next; /* type of the payload; 0: in its last two bytes */
};

/* The state of parse(). It is in a map instead of the stack. The verifier does not track the
 * content of maps. So the paths through one step do not multiply with the paths through the next. */
struct parser {
	struct frame f;
	struct packet p;
	__be16 type; /* of the data at l3 */
	__u16 vlan;
	__u8 has_vlan; /* vlan is set */
	struct encap encap;
	__u32 l3;     /* offset in the frame */
	__u32 l4;     /* offset of the first header that was not walked; 0: not IP */
	__u32 bytes;  /* of layer 3 */
	__u32 there;  /* bytes from l4 on; 0 in later fragments and after cut chains of headers */
	__u32 l4_len; /* of TCP and UDP headers */
	__u32 jumbo_len; /* of the header that super-frames have and their segments lack */
	__be32 sub;      /* the key's l4 field */
	__u8 kind;
	__u8 proto;
};

/* After this, the compiler reads the parser's fields from memory again. */
#define step_done() asm volatile("" ::: "memory")

static __always_inline int is_tag(__be16 type)
{
	return type == bpf_htons(ETH_P_8021Q) || type == bpf_htons(ETH_P_8021AD);
}

static __always_inline int is_label(__be16 type)
{
	return type == bpf_htons(ETH_P_MPLS_UC) || type == bpf_htons(ETH_P_MPLS_MC);
}

static __always_inline void nsh_encap(__u8 next_protocol, struct encap *e)
{
	e->len = 24;
	if (next_protocol == 1)
		e->next = ETH_P_IP;
	else if (next_protocol == 2)
		e->next = ETH_P_IPV6;
	else if (next_protocol == 3)
		e->len += ETH_HLEN;
	else if (next_protocol == 5)
		e->next = ETH_P_MPLS_UC;
	else
		e->len = 0;
}

/* Sets the length and the next type of a header that is neither a tag nor a label. */
static __always_inline void encap_of(__be16 type, __u32 start, struct encap *e)
{
	e->len = 0;
	e->next = 0;
	if (type == bpf_htons(ETH_P_PPP_SES) && (start & PPPOE_MASK) == 0x11000000)
		e->len = 8;
	else if (type == bpf_htons(TYPE_ETAG))
		e->len = 8;
	else if (type == bpf_htons(TYPE_CMD) && start == 0x01010001)
		e->len = 8;
	else if (type == bpf_htons(TYPE_PBB))
		e->len = 18;
	else if (type == bpf_htons(TYPE_VNTAG))
		e->len = 6;
	else if (type == bpf_htons(TYPE_FABRIC))
		e->len = 2 + ETH_HLEN;
	else if (type == bpf_htons(TYPE_ARISTA) && (start & ARISTA_MASK) == 0x00010010)
		e->len = 14;
	else if (type == bpf_htons(TYPE_ARISTA) && (start & ARISTA_MASK) == 0x00010020)
		e->len = 12;
	else if (type == bpf_htons(TYPE_NSH) && (start & NSH_MASK) == 0x00060100)
		nsh_encap(start & 0xff, e);
}

/* Returns the ethertype for a PPP protocol number, or 0 for PPP's own protocols. */
static __always_inline __u16 type_of_ppp(__u16 proto)
{
	if (proto == 0x0021)
		return ETH_P_IP;
	if (proto == 0x0057)
		return ETH_P_IPV6;
	if (proto == 0x0281)
		return ETH_P_MPLS_UC;
	if (proto == 0x0283)
		return ETH_P_MPLS_MC;
	return 0;
}

/* Returns the ethertype of the payload of an MPLS stack, or 0 if it may not be IP. The payload has
 * held bytes on the wire. A pseudowire without a control word starts with a MAC address. The first
 * four bits of that may be 4 or 6 (RFC 8469). */
static __always_inline __u16 type_after_labels(void *ctx, __u32 offset, __u32 held)
{
	__u32 bytes, header;
	__u16 type = ETH_P_IP;
	struct iphdr ip;
	__u8 last;

	if (load(ctx, offset, &ip, sizeof(ip)))
		return 0;
	header = ip.ihl * 4;
	bytes = bpf_ntohs(ip.tot_len);
	if (ip.version == 6) {
		type = ETH_P_IPV6;
		header = sizeof(struct ipv6hdr);
		bytes = bpf_ntohs(ip.id) + header; /* where IPv6 has its payload length */
		if (load(ctx, offset + header - 1, &last, sizeof(last)))
			return 0;
	} else if (ip.version != 4 || header < sizeof(ip)) {
		return 0;
	}
	if (bytes < header || bytes > held || held - bytes > LABEL_TRAIL_MAX)
		return 0;
	return type;
}

static __always_inline void parse_tag(struct parser *s, __be32 tag)
{
	if (!s->has_vlan)
		s->vlan = bpf_ntohl(tag) >> 16 & VLAN_ID;
	s->has_vlan = 1;
	s->type = bpf_htons(bpf_ntohl(tag) & 0xffff);
	s->l3 += TAG_LEN;
}

/* Skips the header at l3. Returns 0 if there is none, or if its form is not known. Then the frame
 * keeps this type. */
static __always_inline int parse_header(void *ctx, struct parser *s)
{
	__be16 type = s->type, last;
	__be32 start;
	__u16 next;
	__u32 end;

	if (type == bpf_htons(ETH_P_IP) || type == bpf_htons(ETH_P_IPV6) ||
	    type == bpf_htons(ETH_P_ARP) || (s->f.tags_only && !is_tag(type)) ||
	    load(ctx, s->l3, &start, sizeof(start)))
		return 0;
	if (is_tag(type) || type == bpf_htons(TYPE_OLD_QINQ)) {
		parse_tag(s, start);
		return 1;
	}
	if (is_label(type)) {
		s->l3 += LABEL_LEN;
		if (!(bpf_ntohl(start) & LABEL_BOTTOM))
			return 1;
		next = type_after_labels(ctx, s->l3, s->f.len - s->l3);
		if (next)
			s->type = bpf_htons(next);
		return 0;
	}
	encap_of(type, bpf_ntohl(start), &s->encap);
	step_done();
	end = s->l3 + s->encap.len;
	if (!s->encap.len || load(ctx, end - sizeof(last), &last, sizeof(last)))
		return 0;
	next = s->encap.next;
	if (type == bpf_htons(ETH_P_PPP_SES)) {
		next = bpf_ntohs(last);
		if (next & PPP_SHORT) {
			next >>= 8;
			end--;
		}
		next = type_of_ppp(next);
		if (!next)
			return 0;
	}
	s->type = next ? bpf_htons(next) : last;
	s->l3 = end;
	return 1;
}

static __always_inline void parse_link(void *ctx, struct parser *s)
{
	__u8 first;

	s->type = s->f.type;
	s->has_vlan = s->f.tagged;
	s->vlan = s->f.tagged ? s->f.tci & VLAN_ID : 0;
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
#pragma clang loop unroll(disable)
	for (int i = 0; i < HEADERS_MAX; i++) {
		if ((s->f.tagged && i == HEADERS_MAX - 1) || !parse_header(ctx, s))
			break;
		step_done();
	}
	if (bpf_ntohs(s->type) < ETH_P_802_3_MIN)
		s->type = bpf_htons(TYPE_LLC);
}
