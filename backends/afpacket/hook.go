package afpacket

import (
	"errors"
	"fmt"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/pktstat/pktstat/internal/netif/attach"
)

// method is the name in the report.
const method = "tpacket_v3"

// hook opens rings.
type hook struct {
	layout  func(interfaces int) layout
	counter *counter
	planned int          // interfaces at the start
	open    atomic.Int32 // now
	snapLen int
	debugf  func(string, ...any)
}

var _ attach.Hook = (*hook)(nil)

// Attach implements [attach.Hook].
func (h *hook) Attach(p *attach.Port) (a attach.Attached, err error) {
	a.Method = method
	rings, err := h.openRings(p)
	if err != nil {
		return a, err
	}
	var readers []*reader
	for _, r := range rings {
		rd, err := startReader(r, p, h.counter)
		if err != nil {
			return a, errors.Join(err, stopAll(readers), closeAll(rings[len(readers):]))
		}
		readers = append(readers, rd)
	}
	// From here on, packets arrive.
	filter := take(h.snapLen, p.Raw)
	for _, r := range rings {
		if err := r.setFilter(filter); err != nil {
			return a, errors.Join(err, stopAll(readers))
		}
	}
	h.debugf("%s: %d rings of %d blocks of %d KiB", p.Name, len(rings), rings[0].blocks, rings[0].blockSize>>10)
	h.counter.add(readers)
	h.open.Add(1)
	a.Detach = func() error {
		h.open.Add(-1)
		return h.counter.stop(readers)
	}
	return a, nil
}

// Close implements [attach.Hook].
func (h *hook) Close() error { return nil }

// openRings opens the rings of an interface, which share its packets. They take no packets yet.
func (h *hook) openRings(p *attach.Port) ([]*ring, error) {
	l := h.layout(max(h.planned, int(h.open.Load())+1))
	if p.Loopback {
		l = l.single() // only a single socket can leave out outgoing packets
	}
	rings, err := openGroup(l, p)
	if l.rings > 1 && errors.Is(err, unix.EINVAL) {
		// Before Linux 6.10, an interface that is down can have no group.
		h.debugf("%s: one ring instead of %d: %v", p.Name, l.rings, err)
		rings, err = openGroup(l.single(), p)
	}
	return rings, err
}

// single returns a layout of one ring with the memory of all.
func (l layout) single() layout {
	l.blocks *= l.rings
	l.rings = 1
	return l
}

func openGroup(l layout, p *attach.Port) (rings []*ring, err error) {
	defer func() {
		if err != nil {
			err = errors.Join(err, closeAll(rings))
			rings = nil
		}
	}()
	group := newGroup
	for range l.rings {
		r, err := openRing(l)
		if err != nil {
			return rings, err
		}
		rings = append(rings, r)
		if p.Loopback {
			// Since Linux 4.20. Before, each packet is in the ring twice.
			_ = unix.SetsockoptInt(r.fd, unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1)
		}
		if err := r.bind(p.Index); err != nil {
			return rings, err
		}
		if l.rings > 1 {
			if group, err = r.join(group); err != nil {
				return rings, err
			}
		}
	}
	return rings, nil
}

// newGroup asks for a new group. The number of the first one after the machine has started is 0.
const newGroup = -1

// join puts the ring into a group, whose rings share packets by flow. The hash is the same for both
// directions (__skb_get_hash_symmetric), so one reader sees a connection in its order. If a ring
// is full, the kernel takes another one. join returns the group.
func (r *ring) join(group int) (int, error) {
	mode := unix.PACKET_FANOUT_HASH | unix.PACKET_FANOUT_FLAG_ROLLOVER
	if group == newGroup {
		mode |= unix.PACKET_FANOUT_FLAG_UNIQUEID // since Linux 4.12
		group = 0                                // asks for a new id
	}
	if err := r.setInt("PACKET_FANOUT", unix.PACKET_FANOUT, mode<<16|group); err != nil {
		return 0, err
	}
	joined, err := unix.GetsockoptInt(r.fd, unix.SOL_PACKET, unix.PACKET_FANOUT)
	if err != nil {
		return 0, fmt.Errorf("packet socket: read PACKET_FANOUT: %w", err)
	}
	return joined & 0xffff, nil
}

func closeAll(rings []*ring) error {
	var errs []error
	for _, r := range rings {
		errs = append(errs, r.close())
	}
	return errors.Join(errs...)
}

func stopAll(readers []*reader) error {
	var errs []error
	for _, r := range readers {
		errs = append(errs, r.stop())
	}
	return errors.Join(errs...)
}
