// Package retransmit counts the TCP segments that sockets send again, at the kernel's tracepoints.
// Backends add the counts to the rows of the connections.
package retransmit

import (
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/cilium/ebpf/rlimit"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/kernel/bpfprobe"
)

// Options are the arguments of [Open].
type Options struct {
	// NetNS is the inode number of the only network namespace whose connections count. The keys
	// of its records have no network namespace. 0: all connections count.
	NetNS uint32
	// Sockets: the records of sent packets have their sockets. So [Counter.Rows] finds them also
	// where NAT has changed their addresses.
	Sockets bool
	// Alone: retransmits get a record of their own, without packets, if none of this window has the
	// connection's packets. It has the socket and its addresses.
	Alone bool
	// Sent reports whether an interface shows sent packets at the key's direction; nil: if that
	// is egress. It may be called during [Counter.Rows] only.
	Sent func(*flow.Packed) bool
	// Explain adds the kind of an error.
	Explain func(error) error
}

// Counter counts segments by connection. Its methods are not safe for concurrent use, except
// Notes.
type Counter struct {
	coll   *ebpf.Collection
	probes []*probe
	known  map[connection]counted // at the last look

	keys   []connection
	values []count
	rows   rows

	why   error // why nothing counts; nil: it counts
	notes atomic.Pointer[[]string]
}

// probe is a program at a tracepoint.
type probe struct {
	tracepoint string
	program    *ebpf.Program
	link       link.Link
	missed     uint64 // events that the kernel has not called it for
}

// Open attaches to TCP's tracepoints. Where the kernel does not permit that, the counter counts
// nothing, and its notes have the reason: the packets count without it.
func Open(o Options) *Counter {
	c := &Counter{known: map[connection]counted{}, keys: make([]connection, 256), values: make([]count, 256)}
	c.rows = rows{oneNetNS: o.NetNS != 0, sockets: o.Sockets, alone: o.Alone, sent: o.Sent}
	if c.rows.sent == nil {
		c.rows.sent = func(k *flow.Packed) bool { return k.Dir == flow.Egress }
	}
	if err := c.open(o.NetNS); err != nil {
		c.why = o.Explain(errors.Join(err, c.Close()))
	}
	c.note()
	return c
}

func (c *Counter) open(netns uint32) error {
	if err := bpfprobe.NeedBTF(); err != nil {
		return err
	}
	_ = rlimit.RemoveMemlock() // before 5.11, maps count for it; they may fit without it
	spec, err := loadRetransmit()
	if err != nil {
		return err
	}
	if err := spec.Variables["only_netns"].Set(netns); err != nil {
		return fmt.Errorf("set the network namespace: %w", err)
	}
	// The kernel does not call a program while it interrupts itself. Then it calls the second
	// one.
	for _, name := range []string{"segments_tried", "segments_sent"} {
		spec.Programs[name+second] = spec.Programs[name].Copy()
	}
	if c.coll, err = ebpf.NewCollection(spec); err != nil {
		return err
	}
	// A tracepoint that does not report failed sends (before 6.16) refuses this one.
	segments := "segments_tried"
	if c.attach("tcp_retransmit_skb", segments) != nil {
		segments = "segments_sent"
		if err := c.attach("tcp_retransmit_skb", segments); err != nil {
			return err
		}
	}
	return errors.Join(c.attach("tcp_retransmit_skb", segments+second), c.attach("tcp_retransmit_synack", "synacks_sent"))
}

const second = "_second"

func (c *Counter) attach(tracepoint, program string) error {
	p := c.coll.Programs[program]
	l, err := link.AttachRawTracepoint(link.RawTracepointOptions{Name: tracepoint, Program: p})
	if err != nil {
		return fmt.Errorf("attach to %s: %w", tracepoint, err)
	}
	c.probes = append(c.probes, &probe{tracepoint: tracepoint, program: p, link: l})
	return nil
}

// Notes are remarks on the counts until the last look. It works after Close, and concurrently with
// every other method.
func (c *Counter) Notes() []string { return *c.notes.Load() }

// note makes the notes.
func (c *Counter) note() {
	var notes []string
	if c.why != nil {
		notes = append(notes, fmt.Sprintf("retransmits are not known: %v", c.why))
	} else {
		var dropped uint64
		if err := c.coll.Variables["retransmits_dropped"].Get(&dropped); err == nil && dropped > 0 {
			notes = append(notes, fmt.Sprintf("%d retransmitted segments are in the retransmits of no row: they belong to more connections than pktstat keeps", dropped))
		}
		if n := c.missed(); n > 0 {
			notes = append(notes, fmt.Sprintf("the kernel skipped the counting of up to %d retransmits, because one interrupted another: retransmits may be too low", n))
		}
	}
	c.notes.Store(&notes)
}

// missed is an upper bound of the events that no program has seen.
func (c *Counter) missed() (n uint64) {
	least := map[string]uint64{}
	for _, p := range c.probes {
		if m, other := least[p.tracepoint]; !other || p.missed < m {
			least[p.tracepoint] = p.missed
		}
	}
	for _, m := range least {
		n += m
	}
	return n
}

// Close detaches. It may be called twice.
func (c *Counter) Close() error {
	var errs []error
	for _, p := range c.probes {
		errs = append(errs, p.link.Close())
	}
	c.probes = nil
	if c.coll != nil {
		c.coll.Close()
		c.coll = nil
	}
	return errors.Join(errs...)
}
