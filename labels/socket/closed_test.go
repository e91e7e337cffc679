package socket

import (
	"testing"

	"github.com/pktstat/pktstat/internal/kernel/sockdiag"
)

// TestClosed: the newest sockets stay, and a namespace does not get the sockets of one that had its
// id before.
func TestClosed(t *testing.T) {
	c := newClosed(2)
	end := func(port uint16) sockdiag.Ends { return sockdiag.Ends{LocalPort: port} }
	cwnd := func(port uint16, space int32, age uint32) uint32 {
		info, _ := c.find(space, age, end(port))
		return info.Cwnd
	}
	c.add(7, end(1), sockdiag.Info{Cwnd: 10})
	c.add(7, end(2), sockdiag.Info{Cwnd: 20})
	c.add(7, end(1), sockdiag.Info{Cwnd: 11})
	if cwnd(1, 7, 0) != 11 || cwnd(2, 7, 0) != 20 || c.overwritten() != 0 {
		t.Errorf("%d, %d, %d forgotten", cwnd(1, 7, 0), cwnd(2, 7, 0), c.overwritten())
	}
	for port := uint16(3); port < 6; port++ {
		c.add(7, end(port), sockdiag.Info{Cwnd: uint32(port)})
	}
	if cwnd(3, 7, 0) != 0 || cwnd(4, 7, 0) != 4 || cwnd(5, 7, 0) != 5 || c.overwritten() != 3 || len(c.at) != 2 {
		t.Errorf("%d, %d, %d, %d forgotten", cwnd(3, 7, 0), cwnd(4, 7, 0), cwnd(5, 7, 0), c.overwritten())
	}
	if age := c.begin(7); cwnd(5, 7, age) != 0 {
		t.Error("a new namespace has the sockets of an old one")
	} else if c.add(7, end(5), sockdiag.Info{Cwnd: 50}); cwnd(5, 7, age) != 50 || cwnd(5, 8, 0) != 0 {
		t.Errorf("in a new namespace: %d", cwnd(5, 7, age))
	}
	none := newClosed(0)
	if none.add(7, end(1), sockdiag.Info{}); len(none.at) != 0 {
		t.Error("a limit of 0 keeps a socket")
	}
}

// BenchmarkRemember measures the memory of all closed sockets that a run remembers by default.
func BenchmarkRemember(b *testing.B) {
	for b.Loop() {
		before := heap()
		c := newClosed(1 << 16)
		for i := range 1 << 16 {
			c.add(sockdiag.Home, sockdiag.Ends{LocalPort: uint16(i), Device: 1}, sockdiag.Info{Cwnd: 10})
		}
		b.ReportMetric((heap()-before)/(1<<20), "MiB-kept")
		if c.overwritten() != 0 {
			b.Fatal("a socket was forgotten")
		}
	}
}
