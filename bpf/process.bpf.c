// SPDX-License-Identifier: MIT
// Tells user space which processes have and use which sockets. Nothing here runs for
// a packet, and nothing changes what a program may do: every cgroup program allows.
#include "process.h"

#define ALLOW 1

/* Who reads the iterator. It holds each file for a moment, and is the one that releases
 * the socket if that is the moment in which its process closes it. */
__u32 reader;

// All sockets that processes have, in every network namespace.
SEC("iter/task_file")
int sockets(struct bpf_iter__task_file *ctx)
{
	struct sock_event e = { .kind = EVENT_HELD, .evidence = BY_HOLDING };
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct socket *socket;
	struct sock *sk;

	// bpf_sock_from_file is there from 5.11 on only.
	if (!file || !task || BPF_CORE_READ(file, f_inode, i_sb, s_magic) != SOCKFS_MAGIC)
		return 0;
	socket = BPF_CORE_READ(file, private_data);
	sk = BPF_CORE_READ(socket, sk);
	if (!sk || !read_sock(&e, sk))
		return 0;
	reader = bpf_get_current_pid_tgid() >> 32;
	e.inode = BPF_CORE_READ(file, f_inode, i_ino);
	e.cookie = BPF_CORE_READ(sk, __sk_common.skc_cookie.counter);
	read_task(&e.owner, task);
	bpf_seq_write(ctx->meta->seq, &e, sizeof(e));
	// The accepted socket of an MPTCP listener has the listener's cookie.
	if (e.cookie && e.proto != IPPROTO_MPTCP_ && read_user(&e) && e.evidence == BY_USE) {
		e.kind = EVENT_USED;
		bpf_seq_write(ctx->meta->seq, &e, sizeof(e));
	}
	return 0;
}

SEC("cgroup/sock_create")
int sock_create(struct bpf_sock *ctx)
{
	struct owner o = {};

	if (ctx->family == AF_INET || ctx->family == AF_INET6)
		note_user(bpf_get_socket_cookie(ctx), BY_CREATE, &o);
	return ALLOW;
}

SEC("cgroup/sock_release")
int sock_release(struct bpf_sock *ctx)
{
	struct sock_event e = { .kind = EVENT_RELEASED };

	e.cookie = bpf_get_socket_cookie(ctx);
	if (!read_sock(&e, (struct sock *)ctx))
		return ALLOW;
	if (!read_user(&e) && bpf_get_current_pid_tgid() >> 32 != reader && read_current(&e.owner))
		e.evidence = BY_RELEASE;
	emit(&e);
	bpf_map_delete_elem(&users, &e.cookie);
	return ALLOW;
}

static __always_inline int uses(struct bpf_sock_addr *ctx)
{
	struct owner o = {};

	note_user(bpf_get_socket_cookie(ctx), BY_USE, &o);
	return ALLOW;
}

// The remote address is not in the socket yet, and the local port may not be: TCP
// tells below, UDP when it is released or held at the end of an epoch.
SEC("cgroup/connect4")
int connect4(struct bpf_sock_addr *ctx)
{
	return uses(ctx);
}

SEC("cgroup/connect6")
int connect6(struct bpf_sock_addr *ctx)
{
	return uses(ctx);
}

SEC("cgroup/sendmsg4")
int sendmsg4(struct bpf_sock_addr *ctx)
{
	return uses(ctx);
}

SEC("cgroup/sendmsg6")
int sendmsg6(struct bpf_sock_addr *ctx)
{
	return uses(ctx);
}

// The port is 0 when a connection that was refused or reset is released, so its
// addresses have to be told before.
SEC("sockops")
int tcp_opened(struct bpf_sock_ops *ctx)
{
	struct sock_event e = { .kind = EVENT_OPENED };
	struct bpf_sock *checked = ctx->sk;
	struct sock *sk;

	if (ctx->op != BPF_SOCK_OPS_TCP_CONNECT_CB &&
	    ctx->op != BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB &&
	    ctx->op != BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB)
		return ALLOW;
	// The verifier allows no offsets to this pointer, so that it must not know it as one.
	if (!checked || bpf_probe_read_kernel(&sk, sizeof(sk), &checked) || !read_sock(&e, sk))
		return ALLOW;
	e.cookie = bpf_get_socket_cookie(ctx);
	read_user(&e);
	if (ctx->op != BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB || !e.evidence)
		emit(&e); // connecting has told the same already
	return ALLOW;
}

// Whether it is known that the current process uses the socket. Nearly every send and
// receive ends here, so the kernel's structures are read as cheaply as these programs can.
static __always_inline int is_known(__u64 cookie)
{
	struct task_struct *t = bpf_get_current_task_btf();
	struct user *known;

	if (t->flags & PF_KTHREAD)
		return 1; // as good as: it is nobody
	known = bpf_map_lookup_elem(&users, &cookie);
	return known && known->evidence == BY_USE &&
	       (known->shared || (known->owner.tgid == t->tgid &&
				  known->owner.start == t->group_leader->start_boottime));
}

static __noinline int note_use(struct sock *sk, __u64 cookie)
{
	struct sock_event e = { .kind = EVENT_USED, .evidence = BY_USE, .cookie = cookie };
	int news;

	if (!read_sock(&e, sk))
		return 0;
	news = note_user(e.cookie, BY_USE, &e.owner);
	e.shared = news == 2;
	if (news)
		emit(&e);
	return 0;
}

// Who uses a socket that was accepted or inherited. From 6.3 on.
static __always_inline int moved(struct sock *sk, int bytes)
{
	__u16 family;
	__u64 cookie;

	if (bytes <= 0 || !sk)
		return 0;
	family = sk->__sk_common.skc_family;
	if ((family != AF_INET && family != AF_INET6) || sk->sk_protocol == IPPROTO_MPTCP_)
		return 0;
	cookie = bpf_get_socket_cookie(sk);
	if (!is_known(cookie))
		note_use(sk, cookie);
	return 0;
}

SEC("tp_btf/sock_send_length")
int sent(__u64 *ctx)
{
	return moved((struct sock *)ctx[0], (int)ctx[1]);
}

SEC("tp_btf/sock_recv_length")
int received(__u64 *ctx)
{
	return moved((struct sock *)ctx[0], (int)ctx[1]);
}

char _license[] SEC("license") = "Dual MIT/GPL";
