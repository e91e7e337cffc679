package kprobe

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"

	"github.com/pktstat/pktstat/flow"
)

// retransmits counts retransmitted TCP segments by connection.
type retransmits struct {
	coll   *ebpf.Collection
	probes []*retransmitProbe
	known  map[connection]counted // at the last Collect

	keys   []connection
	values []retransmitCount
}

// retransmitProbe is a program at a tracepoint.
type retransmitProbe struct {
	attached
	tracepoint string
}

// counted is the last count of a connection.
type counted struct {
	segments uint64
	at       time.Time // of the last change
}

// An idle entry makes room for others, but not at once. A program may have looked the entry up,
// and be interrupted before it counts. Its count would be lost.
const (
	idleFor     = 30 * time.Second
	idleForFull = 2 * time.Second // if the map is more than half full
)

// retransmitCount is struct retransmits of bpf/retransmit.h; TestConnection compares them.
type retransmitCount struct{ Segments, LastEvent uint64 }

// connection is struct connection of bpf/retransmit.h; TestConnection compares them.
type connection struct {
	Socket       uint64
	LAddr, RAddr [16]byte
	NetNS        uint32
	LPort, RPort uint16
	Family       uint32
	_            uint32
}

// openRetransmits attaches to TCP's tracepoints.
func openRetransmits() (_ *retransmits, err error) {
	r := &retransmits{known: map[connection]counted{}, keys: make([]connection, 256), values: make([]retransmitCount, 256)}
	defer func() {
		if err != nil {
			err = fmt.Errorf("retransmitted segments: %w", errors.Join(err, r.close()))
		}
	}()
	spec, err := loadRetransmit()
	if err != nil {
		return nil, err
	}
	// The kernel does not call a program while it interrupts itself. Then it calls the second
	// one.
	for _, name := range []string{"segments_tried", "segments_sent"} {
		spec.Programs[name+second] = spec.Programs[name].Copy()
	}
	if r.coll, err = ebpf.NewCollection(spec); err != nil {
		return nil, err
	}
	// A tracepoint that does not report failed sends (before 6.16) refuses this one.
	segments := "segments_tried"
	if r.attach("tcp_retransmit_skb", segments) != nil {
		segments = "segments_sent"
		if err := r.attach("tcp_retransmit_skb", segments); err != nil {
			return nil, err
		}
	}
	return r, errors.Join(r.attach("tcp_retransmit_skb", segments+second), r.attach("tcp_retransmit_synack", "synacks_sent"))
}

const second = "_second"

func (r *retransmits) attach(tracepoint, program string) error {
	p := r.coll.Programs[program]
	l, err := link.AttachRawTracepoint(link.RawTracepointOptions{Name: tracepoint, Program: p})
	if err != nil {
		return fmt.Errorf("attach to %s: %w", tracepoint, err)
	}
	r.probes = append(r.probes, &retransmitProbe{attached: attached{program: p, link: l}, tracepoint: tracepoint})
	return nil
}

// collect adds a record for each connection with retransmits since the last call, to a closed
// window.
func (r *retransmits) collect(b *flow.Batch) error {
	var cursor ebpf.MapBatchCursor
	seen := make(map[connection]counted, len(r.known))
	for {
		n, err := r.coll.Maps["retransmits"].BatchLookup(&cursor, r.keys, r.values, nil)
		for i, c := range r.keys[:n] {
			now := counted{r.values[i].Segments, b.End}
			before, known := r.known[c]
			if news := now.segments - before.segments; news > 0 {
				b.Add(c.record(b, news))
			} else if known {
				now.at = before.at
			}
			seen[c] = now
		}
		if errors.Is(err, ebpf.ErrKeyNotExist) {
			break
		}
		if err != nil {
			return fmt.Errorf("retransmitted segments: %w", err)
		}
	}
	r.known = seen
	for _, p := range r.probes {
		if _, err := p.newlyMissed(); err != nil {
			return err
		}
	}
	return r.forget(b)
}

// forget deletes idle entries.
func (r *retransmits) forget(b *flow.Batch) error {
	after := idleFor
	if len(r.known) > int(r.coll.Maps["retransmits"].MaxEntries())/2 {
		after = idleForFull
	}
	for c, before := range r.known {
		if b.End.Sub(before.at) < after {
			continue
		}
		now := retransmitCount{Segments: before.segments}
		err := r.coll.Maps["retransmits"].LookupAndDelete(&c, &now)
		if errors.Is(err, ebpf.ErrNotSupported) { // before 5.14
			err = r.coll.Maps["retransmits"].Delete(&c)
		}
		if err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
			return fmt.Errorf("retransmitted segments: %w", err)
		}
		if now.Segments > before.segments { // changed since
			b.Add(c.record(b, now.Segments-before.segments))
		}
		delete(r.known, c)
	}
	return nil
}

// record is the flow of the packets that the connection sends.
func (c *connection) record(b *flow.Batch, segments uint64) flow.Record {
	addr := func(a [16]byte, port uint16) netip.AddrPort {
		ip := netip.AddrFrom16(a)
		if c.Family == afInet {
			ip = netip.AddrFrom4([4]byte(a[:4]))
		}
		return netip.AddrPortFrom(ip.Unmap(), port)
	}
	first, last := b.Window()
	return flow.Record{
		Key: flow.Pack(flow.Key{
			Src: addr(c.LAddr, c.LPort), Dst: addr(c.RAddr, c.RPort), Proto: flow.TCP, Dir: flow.Egress, NetNS: c.NetNS,
		}),
		First: first, Last: last,
		Socket: c.Socket, Health: flow.Health{Retransmits: segments}, RetransmitsBy: flow.RetransmitsKernel,
	}
}

const afInet = 2

// notes are remarks on the column.
func (r *retransmits) notes() []string {
	var notes []string
	var dropped uint64
	if err := r.coll.Variables["retransmits_dropped"].Get(&dropped); err == nil && dropped > 0 {
		notes = append(notes, fmt.Sprintf("%d retransmitted segments are in the retransmits of no row: they belong to more connections than pktstat keeps", dropped))
	}
	if n := r.missed(); n > 0 {
		notes = append(notes, fmt.Sprintf("the kernel skipped the counting of up to %d retransmits, because one interrupted another: retransmits may be too low", n))
	}
	return notes
}

// missed is an upper bound of the events that no program has seen.
func (r *retransmits) missed() (n uint64) {
	least := map[string]uint64{}
	for _, p := range r.probes {
		if m, other := least[p.tracepoint]; !other || p.missed < m {
			least[p.tracepoint] = p.missed
		}
	}
	for _, m := range least {
		n += m
	}
	return n
}

func (r *retransmits) close() error {
	var errs []error
	for _, p := range r.probes {
		errs = append(errs, p.link.Close())
	}
	r.probes = nil
	if r.coll != nil {
		r.coll.Close()
		r.coll = nil
	}
	return errors.Join(errs...)
}
