// SPDX-License-Identifier: MIT
/* A minimal counter of application bytes by process and connection. It runs where processes send,
 * not where packets are. So it misses packets, headers, retransmits, acknowledgements and forwarded
 * traffic. */
#include "../../../bpf/kernel.h"

struct connection {
	__u32 pid;
	__u16 lport, rport;
	__u8 laddr[16], raddr[16];
};
struct sum {
	__u64 calls, bytes;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 65536);
	__type(key, struct connection);
	__type(value, struct sum);
} sums SEC(".maps");

static __always_inline int sent(struct sock *sk, __u64 bytes)
{
	struct connection c = { .pid = bpf_get_current_pid_tgid() >> 32 };
	struct sum first = { 1, bytes }, *s;

	c.lport = BPF_CORE_READ(sk, __sk_common.skc_num);
	c.rport = BPF_CORE_READ(sk, __sk_common.skc_dport);
	if (BPF_CORE_READ(sk, __sk_common.skc_family) == AF_INET) {
		*(__be32 *)c.laddr = BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr);
		*(__be32 *)c.raddr = BPF_CORE_READ(sk, __sk_common.skc_daddr);
	} else {
		BPF_CORE_READ_INTO(&c.laddr, sk, __sk_common.skc_v6_rcv_saddr);
		BPF_CORE_READ_INTO(&c.raddr, sk, __sk_common.skc_v6_daddr);
	}
	s = bpf_map_lookup_elem(&sums, &c);
	if (!s) {
		bpf_map_update_elem(&sums, &c, &first, BPF_ANY);
		return 0;
	}
	__sync_fetch_and_add(&s->calls, 1);
	__sync_fetch_and_add(&s->bytes, bytes);
	return 0;
}

SEC("fentry/tcp_sendmsg")
int fentry_tcp_sendmsg(__u64 *ctx)
{
	return sent((struct sock *)ctx[0], ctx[2]);
}

SEC("kprobe/tcp_sendmsg")
int kprobe_tcp_sendmsg(void *ctx)
{
	return sent((struct sock *)pt_regs_parm1(ctx), pt_regs_parm3(ctx));
}

/* The nearest tracepoint, since 6.3. It runs after each send of every protocol. */
SEC("raw_tp/sock_send_length")
int tracepoint_sock_send_length(struct bpf_raw_tracepoint_args *ctx)
{
	int n = ctx->args[1];

	return n > 0 ? sent((void *)ctx->args[0], n) : 0;
}

char _license[] SEC("license") = "Dual MIT/GPL";
