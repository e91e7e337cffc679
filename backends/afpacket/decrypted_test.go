package afpacket

import (
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/pktstat/pktstat/flow"
)

// TestDecrypted: a packet with the time of an IPsec packet is the decrypted one.
func TestDecrypted(t *testing.T) {
	const ns = unix.TP_STATUS_TS_SOFTWARE
	var (
		esp   = flow.Packed{Family: flow.FamilyIPv4, Proto: flow.ESP, L4: 0x1001}
		inUDP = flow.Packed{Family: flow.FamilyIPv4, Proto: flow.UDP, L4: flow.Ports(40000, 4500)}
		plain = flow.Packed{Family: flow.FamilyIPv4, Proto: flow.TCP, L4: flow.Ports(40000, 443)}
		count atomic.Uint64
		d     = decrypted{packets: &count}
	)
	for i, c := range []struct {
		key    flow.Packed
		nsec   uint32
		status uint32
		again  bool
	}{
		{plain, 1, ns, false},
		{esp, 1, ns, false},
		{plain, 1, ns, true},
		{plain, 1, ns, false}, // another packet of the same time
		{plain, 2, ns, false},
		{inUDP, 3, ns, false},
		{esp, 3, ns, true}, // a tunnel in a tunnel
		{plain, 3, ns, true},
		{esp, 4, 0, false}, // the time at which it reached the socket
		{plain, 4, 0, false},
		{plain, 4, ns, false},
	} {
		r := flow.Record{Key: c.key, Counters: flow.Counters{Packets: 2}}
		if got := d.again(&unix.Tpacket3Hdr{Status: c.status, Sec: 1, Nsec: c.nsec}, &r); got != c.again {
			t.Errorf("packet %d: %t, want %t", i, got, c.again)
		}
	}
	if got := count.Load(); got != 6 {
		t.Errorf("%d packets did not count again, want 6", got)
	}
	for i := range uint32(3 * maxWaiting) {
		d.again(&unix.Tpacket3Hdr{Status: ns, Sec: 2, Nsec: i}, &flow.Record{Key: esp})
	}
	if len(d.waiting) != maxWaiting {
		t.Errorf("%d packets wait, want %d", len(d.waiting), maxWaiting)
	}
}
