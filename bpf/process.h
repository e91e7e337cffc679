/* SPDX-License-Identifier: MIT */
/* The processes that hold and use sockets. internal/owner/process mirrors the structures. A test
 * compares both by the object's BTF. */
#pragma once

#include "kernel.h"

/* Kernel structures that only these programs read. */

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct sock_common___more {
	unsigned char skc_ipv6only : 1;
	int skc_bound_dev_if;
};

struct sock___more {
	struct sock_common___more __sk_common;
	struct socket *sk_socket;
};

struct socket_alloc {
	struct socket socket;
	struct inode vfs_inode;
};

struct fdtable {
	unsigned int max_fds;
	struct file **fd;
	unsigned long *open_fds;
};

struct files_struct {
	struct fdtable *fdt;
};

struct mm_struct;

struct task_struct___more {
	struct task_struct *real_parent;
	struct mm_struct *mm;
	struct files_struct *files;
};

#pragma clang attribute pop

struct owner {
	__u64 start;  /* of the process: ns since boot */
	__u64 cgroup; /* v2 id */
	__u32 tgid;
	__u32 uid;     /* real */
	char comm[16]; /* of the thread-group leader */
};
_Static_assert(sizeof(struct owner) == 40, "shared with Go");

/* How a program knows the owner of a socket. A higher number is better evidence. */
enum evidence {
	BY_NOTHING,
	BY_RELEASE, /* the owner closed the socket */
	BY_CREATE,  /* the owner called socket() */
	BY_HOLDING, /* the owner has a descriptor of the socket */
	BY_USE,     /* the owner connected, sent or received */
};

enum event_kind {
	EVENT_HELD, /* the iterator found the socket */
	EVENT_USED,
	EVENT_OPENED, /* a TCP connection has its addresses */
	EVENT_RELEASED,
	EVENT_GOT,      /* a process has got a descriptor that another one had */
	EVENT_EXECUTED, /* the process runs another program; there is no socket */
	EVENT_FORKED,   /* another process has got too many files to look at; there is no socket */
};

/* An event of a socket. With EVENT_HELD, the iterator reports that the socket exists. */
struct sock_event {
	__u64 cookie; /* 0: the kernel has generated none yet */
	struct owner owner;
	__u32 netns; /* inode number */
	__u16 lport, rport;
	__u16 proto;
	__u16 family;
	__u8 laddr[16], raddr[16]; /* IPv4 is in the first four bytes, the rest is 0 */
	__u64 inode;               /* of the socket's file; 0: not known */
	__u32 dev;                 /* index of the interface that the socket is bound to */
	__u8 kind, evidence, state;
	__u8 shared;  /* several processes have used the socket */
	__u8 foreign; /* with EVENT_RELEASED: another process than the owner closed it */
	__u8 v6only;  /* an IPv6 socket that takes no IPv4 */
	__u8 pad[6];
};
_Static_assert(sizeof(struct sock_event) == 120, "shared with Go");

/* The last process that used a socket. Before the first use, the process that created it. */
struct user {
	struct owner owner;
	__u64 told; /* ns since boot of the last event; only of sockets for ICMP */
	__u32 evidence;
	__u32 shared;
};
_Static_assert(sizeof(struct user) == 56, "shared with Go");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1); /* set before load */
	__type(key, __u64);     /* cookie */
	__type(value, struct user);
} users SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096); /* set before load */
} events SEC(".maps");

#define FILES_LOOKED_AT 4096
#define ICMP_QUIET      10000000 /* ns */

const volatile __u64 wake_at = 2048; /* unread bytes in events at which the reader is woken */

__u64 events_dropped; /* the ring was full */
__u64 users_dropped;  /* the hash was full */

/* These put types that no map has into the object's BTF, for the test of the layout. */
struct sock_event *btf_sock_event;
enum evidence *btf_evidence;
enum event_kind *btf_event_kind;

static __always_inline void read_task(struct owner *o, struct task_struct *t)
{
	struct task_struct *leader = BPF_CORE_READ(t, group_leader);

	o->start = BPF_CORE_READ(leader, start_boottime);
	o->tgid = BPF_CORE_READ(t, tgid);
	o->uid = BPF_CORE_READ(t, cred, uid.val);
	o->cgroup = BPF_CORE_READ(t, cgroups, dfl_cgrp, kn, id);
	bpf_probe_read_kernel_str(o->comm, sizeof(o->comm), &leader->comm);
}

/* Reads the calling process. Returns 0 for a kernel thread, which owns no socket: on 5.10, io_uring
 * works in kernel threads. */
static __always_inline int read_current(struct owner *o)
{
	struct task_struct *t = (void *)bpf_get_current_task();

	if (BPF_CORE_READ(t, flags) & PF_KTHREAD)
		return 0;
	read_task(o, t);
	return 1;
}

/* Reads every field but owner, cookie and kind. Returns 0 if the socket has no IP addresses. */
static __always_inline int read_sock(struct sock_event *e, struct sock *sk)
{
	struct sock___more *more = (void *)sk;

	e->family = BPF_CORE_READ(sk, __sk_common.skc_family);
	if (e->family != AF_INET && e->family != AF_INET6)
		return 0;
	e->proto = BPF_CORE_READ(sk, sk_protocol);
	e->state = BPF_CORE_READ(sk, __sk_common.skc_state);
	e->netns = BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
	e->lport = BPF_CORE_READ(sk, __sk_common.skc_num);
	e->rport = bpf_ntohs(BPF_CORE_READ(sk, __sk_common.skc_dport));
	e->dev = BPF_CORE_READ(more, __sk_common.skc_bound_dev_if);
	e->v6only = BPF_CORE_READ_BITFIELD_PROBED(more, __sk_common.skc_ipv6only);
	if (e->family == AF_INET) {
		*(__be32 *)e->laddr = BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr);
		*(__be32 *)e->raddr = BPF_CORE_READ(sk, __sk_common.skc_daddr);
	} else if (bpf_core_field_exists(sk->__sk_common.skc_v6_daddr)) {
		BPF_CORE_READ_INTO(&e->laddr, sk, __sk_common.skc_v6_rcv_saddr);
		BPF_CORE_READ_INTO(&e->raddr, sk, __sk_common.skc_v6_daddr);
	}
	return 1;
}

/* Returns the socket of a file, or NULL. The helper bpf_sock_from_file() exists only since 5.11. */
static __always_inline struct sock *sock_of(struct file *file)
{
	struct socket *socket;

	if (BPF_CORE_READ(file, f_inode, i_sb, s_magic) != SOCKFS_MAGIC)
		return NULL;
	socket = BPF_CORE_READ(file, private_data);
	return BPF_CORE_READ(socket, sk);
}

/* Returns the inode number of the socket's file, or 0 if the socket has none. */
static __always_inline __u64 read_inode(struct sock *sk)
{
	struct sock___more *more = (void *)sk;
	struct socket_alloc *socket = (void *)BPF_CORE_READ(more, sk_socket);

	return socket ? BPF_CORE_READ(socket, vfs_inode.i_ino) : 0;
}

static __always_inline int is_icmp(__u16 proto)
{
	return proto == IPPROTO_ICMP || proto == IPPROTO_ICMPV6;
}

/* Sends an event to user space, which reads the ring once a second. The program wakes it up only
 * when the ring is filling. */
static __always_inline void emit(struct sock_event *e)
{
	__u64 flags = BPF_RB_NO_WAKEUP;

	if (bpf_ringbuf_query(&events, BPF_RB_AVAIL_DATA) >= wake_at)
		flags = BPF_RB_FORCE_WAKEUP;
	if (bpf_ringbuf_output(&events, e, sizeof(*e), flags))
		__sync_fetch_and_add(&events_dropped, 1);
}

/* Records that the current process created or used a socket. Returns 0 if that was known, 1 if the
 * process is new, and 2 if another process has used the socket before. */
static __always_inline int note_user(__u64 cookie, __u32 evidence, struct owner *o)
{
	struct user u = { .evidence = evidence }, *known;

	if (!read_current(&u.owner))
		return 0;
	*o = u.owner;
	known = bpf_map_lookup_elem(&users, &cookie);
	if (known && known->evidence == BY_USE) {
		if (known->shared ||
		    (known->owner.tgid == u.owner.tgid && known->owner.start == u.owner.start))
			return 0;
		u.shared = 1; /* later users are not reported */
	}
	if (bpf_map_update_elem(&users, &cookie, &u, BPF_ANY))
		__sync_fetch_and_add(&users_dropped, 1);
	return u.shared ? 2 : 1;
}

/* Sets the owner of an event to the recorded user of the socket. Returns 0 if there is none. */
static __always_inline int read_user(struct sock_event *e)
{
	struct user *u = bpf_map_lookup_elem(&users, &e->cookie);

	if (!u)
		return 0;
	e->owner = u->owner;
	e->evidence = u->evidence;
	e->shared = u->shared;
	return 1;
}
