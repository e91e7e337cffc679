/* SPDX-License-Identifier: MIT */
/* Packets that come as struct xdp_md: on their way in only, with all their tags, and
 * without a word about segments. */
#pragma once

#include "kernel.h"

/* Bytes before the packet that the raw programs skip. For tests only: test runs take
 * no less than 14 bytes. */
const volatile __u32 raw_offset = 0;

/* The kernel has the helpers for packets that lie in several parts (5.18), of which only
 * the first one is between data and data_end. */
const volatile __u32 frags = 0;

#define LINEAR_MAX 0x7fff /* beyond any header; the verifier wants a bound below 64 KiB */

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

/* The length of packets in several parts takes a call of a helper, which is half as much
 * as all the rest: only programs that may get such packets, those with the flag
 * BPF_F_XDP_HAS_FRAGS, ask for it. */
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

/* Parses into parser(). Global, so that the verifier looks at it once. */
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

static __always_inline void count_xdp(struct xdp_md *ctx, __u32 raw, __u32 parts)
{
	struct frame f = xdp_frame(ctx, raw, parts);
	void *data = (void *)(long)ctx->data + (raw ? raw_offset : 0);
	struct packet p;

	if (unlikely(!parse_fast(data, (void *)(long)ctx->data_end, &f, &p))) {
		struct parser *s;

		xdp_parse(ctx, raw, parts);
		s = parser();
		if (!s)
			return; /* not possible: an array of one */
		p = s->p;
	}
	count(&p);
}
