// SPDX-License-Identifier: MIT
// Reports to user space which processes hold and use which sockets. No program runs for packets;
// two run for each send and receive. Every cgroup program allows the operation.
#include "process.h"

#define ALLOW 1

/* The PID of the iterator's reader. The reader holds a reference to each file for a moment. If the
 * owner closes the file then, the reader drops the last reference. It is not the owner. */
__u32 reader;

// Lists the sockets of all processes, in every network namespace.
SEC("iter/task_file")
int sockets(struct bpf_iter__task_file *ctx)
{
	struct sock_event e = { .kind = EVENT_HELD, .evidence = BY_HOLDING };
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct sock *sk;

	if (!file || !task)
		return 0;
	sk = sock_of(file);
	if (!sk || !read_sock(&e, sk))
		return 0;
	reader = bpf_get_current_pid_tgid() >> 32;
	e.inode = BPF_CORE_READ(file, f_inode, i_ino);
	e.cookie = BPF_CORE_READ(sk, __sk_common.skc_cookie.counter);
	read_task(&e.owner, task);
	bpf_seq_write(ctx->meta->seq, &e, sizeof(e));
	// The accepted socket of an MPTCP listener has the listener's cookie. Sockets for ICMP
	// report each use.
	if (e.cookie && e.proto != IPPROTO_MPTCP_ && !is_icmp(e.proto) && read_user(&e) &&
	    e.evidence == BY_USE) {
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
	struct owner closer = {};

	e.cookie = bpf_get_socket_cookie(ctx);
	if (!read_sock(&e, (struct sock *)ctx))
		return ALLOW;
	e.inode = read_inode((struct sock *)ctx);
	read_user(&e);
	if (bpf_get_current_pid_tgid() >> 32 != reader && read_current(&closer)) {
		if (!e.evidence)
			e.evidence = BY_RELEASE;
		else if (e.owner.tgid != closer.tgid || e.owner.start != closer.start)
			e.foreign = 1;
		if (!e.foreign)
			e.owner = closer; // it may have executed another program since
	}
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

// The socket has no remote address yet, and maybe no local port. tcp_opened() reports TCP's
// addresses. UDP's are read when the socket is released, or by the iterator.
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

// Reports the addresses of a connection before its release: a refused or reset connection has port
// 0 by then.
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
	// Copy the pointer through memory: the verifier rejects offsets to a typed bpf_sock.
	if (!checked || bpf_probe_read_kernel(&sk, sizeof(sk), &checked) || !read_sock(&e, sk))
		return ALLOW;
	e.cookie = bpf_get_socket_cookie(ctx);
	read_user(&e);
	if (ctx->op != BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB || !e.evidence)
		emit(&e); // else the event of TCP_CONNECT_CB was the same
	return ALLOW;
}

SEC("raw_tp/sched_process_exec")
int executed(void *ctx)
{
	struct sock_event e = { .kind = EVENT_EXECUTED };

	if (read_current(&e.owner))
		emit(&e);
	return 0;
}

// Returns whether the current process is the recorded user of the socket. Nearly every send and
// receive ends here. So it reads the kernel's structures directly, without helpers.
static __always_inline int is_known(__u64 cookie)
{
	struct task_struct *t = bpf_get_current_task_btf();
	struct user *known;

	if (t->flags & PF_KTHREAD)
		return 1; // it owns no socket
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
	e.inode = read_inode(sk);
	news = note_user(e.cookie, BY_USE, &e.owner);
	e.shared = news == 2;
	if (news)
		emit(&e);
	return 0;
}

// Reports that the current process has sent through a socket for ICMP, at most once in
// ICMP_QUIET. Packets of ICMP have no port, so it matters when the process sent.
static __noinline int note_icmp(struct sock *sk, __u64 cookie)
{
	struct sock_event e = { .kind = EVENT_USED, .evidence = BY_USE, .cookie = cookie };
	struct user *known = bpf_map_lookup_elem(&users, &cookie);
	__u64 now = bpf_ktime_get_ns();

	if (known && now - known->told < ICMP_QUIET && is_known(cookie))
		return 0;
	if (!read_sock(&e, sk))
		return 0;
	e.inode = read_inode(sk);
	note_user(cookie, BY_USE, &e.owner);
	known = bpf_map_lookup_elem(&users, &cookie);
	if (known) {
		known->told = now;
		e.shared = known->shared;
	}
	if (e.owner.tgid)
		emit(&e);
	return 0;
}

// Finds the user of an accepted or inherited socket. The tracepoints exist since 6.3.
static __always_inline int moved(struct sock *sk, int bytes, int sends)
{
	__u16 family, proto;
	__u64 cookie;

	if (bytes <= 0 || !sk)
		return 0;
	family = sk->__sk_common.skc_family;
	proto = sk->sk_protocol;
	if ((family != AF_INET && family != AF_INET6) || proto == IPPROTO_MPTCP_)
		return 0;
	cookie = bpf_get_socket_cookie(sk);
	if (unlikely(is_icmp(proto))) {
		// A raw socket receives the replies to every process.
		return sends ? note_icmp(sk, cookie) : 0;
	}
	if (!is_known(cookie))
		note_use(sk, cookie);
	return 0;
}

SEC("tp_btf/sock_send_length")
int sent(__u64 *ctx)
{
	return moved((struct sock *)ctx[0], (int)ctx[1], 1);
}

SEC("tp_btf/sock_recv_length")
int received(__u64 *ctx)
{
	return moved((struct sock *)ctx[0], (int)ctx[1], 0);
}

// Before 6.3, no program sees who uses an inherited socket. There, these programs report each
// process that gets a descriptor of another process's socket.

// These two functions are global: the verifier checks them once, not once for each file.

// Reports that a task has the file, if it is a socket.
__noinline int got(__u64 file_at, __u64 task)
{
	struct sock_event e = { .kind = EVENT_GOT, .evidence = BY_HOLDING };
	struct file *file = (struct file *)file_at;
	struct sock *sk = sock_of(file);

	if (!sk || !read_sock(&e, sk))
		return 0;
	e.inode = BPF_CORE_READ(file, f_inode, i_ino);
	e.cookie = BPF_CORE_READ(sk, __sk_common.skc_cookie.counter);
	read_task(&e.owner, (struct task_struct *)task);
	emit(&e);
	return 0;
}

// Reports the sockets of a task among 64 files, of which a bitmap has the open ones.
__noinline int got_some(__u64 files, __u64 open, __u64 task)
{
	struct file *file;

#pragma clang loop unroll(disable)
	for (int i = 0; i < 64; i++) {
		if (open >> i & 1 &&
		    !bpf_probe_read_kernel(&file, sizeof(file), (struct file **)files + i) && file)
			got((__u64)file, task);
	}
	return 0;
}

// Reports the sockets of a process that has inherited files from another one.
static __always_inline int inherited(struct task_struct___more *t, struct task_struct *from)
{
	struct sock_event more = { .kind = EVENT_FORKED };
	struct fdtable *table = BPF_CORE_READ(t, files, fdt);
	__u32 size = BPF_CORE_READ(table, max_fds);
	struct file **files = BPF_CORE_READ(table, fd);
	unsigned long *words = BPF_CORE_READ(table, open_fds), open;

#pragma clang loop unroll(disable)
	for (__u32 i = 0; i < FILES_LOOKED_AT / 64 && i < size / 64; i++) {
		if (!bpf_probe_read_kernel(&open, sizeof(open), &words[i]) && open)
			got_some((__u64)&files[i * 64], open, (__u64)t);
	}
	if (size > FILES_LOOKED_AT) {
		read_task(&more.owner, from);
		emit(&more);
	}
	return 0;
}

// A child that has the parent's memory waits for its exec: it uses no socket until then.
SEC("raw_tp/sched_process_fork")
int forked(struct bpf_raw_tracepoint_args *ctx)
{
	struct task_struct *parent = (void *)ctx->args[0], *child = (void *)ctx->args[1];
	struct task_struct___more *of_parent = (void *)parent, *of_child = (void *)child;

	if (BPF_CORE_READ(parent, tgid) == BPF_CORE_READ(child, tgid) ||
	    BPF_CORE_READ(of_parent, mm) == BPF_CORE_READ(of_child, mm) ||
	    BPF_CORE_READ(of_parent, files) == BPF_CORE_READ(of_child, files))
		return 0;
	return inherited(of_child, parent);
}

// The kernel has closed the files that are closed on exec.
SEC("raw_tp/sched_process_exec")
int inherited_by_exec(struct bpf_raw_tracepoint_args *ctx)
{
	struct task_struct___more *t = (void *)ctx->args[0];

	return inherited(t, BPF_CORE_READ(t, real_parent));
}

// A process receives a descriptor by SCM_RIGHTS, pidfd_getfd() or a seccomp notification.
SEC("kprobe/security_file_receive")
int file_received(void *ctx)
{
	got(pt_regs_parm1(ctx), bpf_get_current_task());
	return 0;
}

char _license[] SEC("license") = "Dual MIT/GPL";
