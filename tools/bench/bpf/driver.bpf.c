// SPDX-License-Identifier: MIT
/* Makes many flows from one packet: rewrites the source of the packet that BPF_PROG_TEST_RUN passes
 * in, then calls the program under test. Every measurement includes its cost, also the
 * measurement of the empty program. The difference of two does not. */
#include "../../../bpf/kernel.h"
#include <linux/pkt_cls.h>

#define MAX_CPUS 256

enum mode {
	MODE_SEQUENCE, /* the flow's number is in sequence[] */
	MODE_FLOOD,    /* nine new flows, then one of ten elephants */
};

/* Set before the load. */
const volatile __u32 mode = MODE_SEQUENCE;
const volatile __u32 sequence_mask = 0;  /* the length of sequence[] minus one */
const volatile __u32 elephants_from = 0; /* packets before the first of an elephant */
const volatile __u32 target_ifindex = 0; /* of generate_xdp */

/* The position of each CPU in its sequence. Each has a cache line of its own. */
struct position {
	__u64 n;
	__u64 pad[7];
};
struct position positions[MAX_CPUS] __attribute__((aligned(64)));

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} sequence SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
} under_test SEC(".maps");

#define ELEPHANTS      10
#define ELEPHANT_EVERY 10

static __always_inline __u32 flow_number(__u64 n)
{
	if (mode == MODE_SEQUENCE) {
		__u32 i = n & sequence_mask;
		__u32 *flow = bpf_map_lookup_elem(&sequence, &i);

		return flow ? *flow : 0;
	}
	if (n >= elephants_from && n % ELEPHANT_EVERY == ELEPHANT_EVERY - 1)
		return n / ELEPHANT_EVERY % ELEPHANTS;
	return n + ELEPHANTS;
}

/* Gives the packet the source address and port of the next flow. The factor is odd, so different
 * numbers have different addresses. The harness passes only TCP or UDP over IPv4 or IPv6, without
 * tags or options. */
static __always_inline int next_flow(void *data, void *end)
{
	struct position *at = &positions[bpf_get_smp_processor_id() % MAX_CPUS];
	__u32 flow = flow_number(at->n), address = flow * 0x9E3779B1U;
	struct ethhdr *eth = data;
	__be16 *port;

	if (data + ETH_HLEN > end)
		return -1;
	at->n++;
	if (eth->h_proto == bpf_htons(ETH_P_IP)) {
		struct iphdr *ip = data + ETH_HLEN;

		port = (void *)(ip + 1);
		if ((void *)(port + 1) > end)
			return -1;
		ip->saddr = address;
	} else {
		struct ipv6hdr *ip = data + ETH_HLEN;

		port = (void *)(ip + 1);
		if ((void *)(port + 1) > end)
			return -1;
		ip->saddr.in6_u.u6_addr32[3] = address;
	}
	*port = flow ^ flow >> 16;
	return 0;
}

/* A successful tail call does not return. The harness checks for the verdict of a failed one. */

SEC("xdp")
int drive_xdp(struct xdp_md *ctx)
{
	if (next_flow((void *)(long)ctx->data, (void *)(long)ctx->data_end))
		return XDP_ABORTED;
	bpf_tail_call_static(ctx, &under_test, 0);
	return XDP_ABORTED;
}

SEC("tc")
int drive_tc(struct __sk_buff *skb)
{
	if (next_flow((void *)(long)skb->data, (void *)(long)skb->data_end))
		return TC_ACT_SHOT;
	bpf_tail_call_static(skb, &under_test, 0);
	return TC_ACT_SHOT;
}

/* The source of live frames. */
SEC("xdp")
int generate_xdp(struct xdp_md *ctx)
{
	if (next_flow((void *)(long)ctx->data, (void *)(long)ctx->data_end))
		return XDP_ABORTED;
	return bpf_redirect(target_ifindex, 0);
}

char _license[] SEC("license") = "Dual MIT/GPL";
