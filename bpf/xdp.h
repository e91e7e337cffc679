/* SPDX-License-Identifier: MIT */
/* Packets as struct xdp_md, on ingress only. VLAN tags are in the frame. The hook does not know
 * segments. */
#pragma once

#include "kernel.h"

/* Bytes that the raw programs skip. Only tests set it: BPF_PROG_TEST_RUN requires 14 bytes of
 * input. */
const volatile __u32 raw_offset = 0;

/* The kernel has the helpers for packets in several fragments (5.18). Only the first fragment is
 * between data and data_end. */
const volatile __u32 frags = 0;

#define LINEAR_MAX 0x7fff /* above every header; the verifier wants a bound below 64 KiB */

static __always_inline long load(void *ctx, __u32 offset, void *to, __u32 len)
{
	void *data = (void *)(long)((struct xdp_md *)ctx)->data;
	void *end = (void *)(long)((struct xdp_md *)ctx)->data_end;

	offset += raw_offset;
	if (offset <= LINEAR_MAX && data + offset + len <= end) {
		__builtin_memcpy(to, data + offset, len);
		return 0;
	}
	return frags ? bpf_xdp_load_bytes(ctx, offset, to, len) : -1;
}

#include "scratch.h"
#include "flows.h"

/* Only a helper knows the length of a packet in several fragments. The call costs half as much as
 * all the rest. So only programs with the flag BPF_F_XDP_HAS_FRAGS make it: others never get such
 * packets. */
static __always_inline struct frame xdp_frame(struct xdp_md *ctx, __u32 raw, __u32 parts)
{
	struct frame f = {
		.ifindex = ctx->ingress_ifindex,
		.direction = DIR_INGRESS,
		.raw = raw,
	};

	if (frags && parts)
		f.len = bpf_xdp_get_buff_len(ctx);
	else
		f.len = (void *)(long)ctx->data_end - (void *)(long)ctx->data;
	if (raw)
		f.len -= raw_offset;
	return f;
}

/* Parses into parser(). It is global, so that the verifier checks it only once. */
__noinline int xdp_parse(struct xdp_md *ctx, __u32 raw, __u32 parts)
{
	struct parser *s = parser();

	if (!s)
		return 0;
	s->f = xdp_frame(ctx, raw, parts);
	step_done();
	parse(ctx, s);
	return 0;
}

static __always_inline void xdp_count(struct xdp_md *ctx, __u32 raw, __u32 parts)
{
	struct frame f = xdp_frame(ctx, raw, parts);
	void *data = (void *)(long)ctx->data + (raw ? raw_offset : 0);
	struct packet p;

	if (unlikely(!parse_fast(data, (void *)(long)ctx->data_end, &f, &p))) {
		struct parser *s;

		xdp_parse(ctx, raw, parts);
		s = parser();
		if (!s)
			return; /* not possible: the array has one entry */
		p = s->p;
	}
	count(&p);
}
