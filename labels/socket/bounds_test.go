package socket

import (
	"context"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/test/testenv"
	"github.com/pktstat/pktstat/internal/test/testnet"
	"github.com/pktstat/pktstat/registry"
)

// list makes the label list all sockets in the next refreshes, because it is asked for many.
func (o *opened) list() {
	o.many(2000)
}

// many asks for n sockets that do not exist.
func (o *opened) many(n int) {
	o.Labeler.(registry.Windowed).Window(context.Background())
	rows := make([]*flow.Row, n)
	for i := range rows {
		rows[i] = &flow.Row{Key: flow.Key{
			Proto: flow.TCP, Dir: flow.Egress, Src: netip.MustParseAddrPort("192.0.2.1:1"), Dst: netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 51, 100, 1}), uint16(1+i)),
		}}
	}
	o.Rows(rows)
	for _, r := range rows {
		if got := values(r); len(got) != 0 {
			o.tb.Fatalf("%v: %v", r.Key, got)
		}
	}
}

// TestList: the values are the same if the label lists all sockets.
func TestList(t *testing.T) {
	testenv.Privileged(t)
	h := testnet.NewHost(t)
	o := open(t, h, registry.CapLive|registry.CapInterfaces)
	for _, c := range []connection{connectIPv4(t, h), connectIPv6(t, h)} {
		o.list()
		o.wait(flow.Row{Key: key(c.client)}, func() map[string]string {
			if !o.Labeler.(*labeler).spaces.home.listed {
				return map[string]string{"listed": "false"}
			}
			return alive(t, c.client)()
		})
		o.list()
	}
}

// TestBounds: a note counts the rows for which there was no time or room.
func TestBounds(t *testing.T) {
	testenv.Privileged(t)
	h := testnet.NewHost(t)
	c := connectIPv4(t, h)
	for _, arg := range []string{"-budget=0s", "-max=0", "-max=1"} {
		o := open(t, h, registry.CapLive|registry.CapInterfaces, arg)
		if arg == "-max=1" {
			o.list()
		}
		if o.row(flow.Row{Key: key(c.client)}); arg != "-max=1" && !o.hasNote("rows have no values") {
			t.Errorf("%s: notes %q", arg, o.notes())
		}
		o.many(2000)
		if !o.hasNote("rows have no values") {
			t.Errorf("%s: notes %q", arg, o.notes())
		}
		if err := o.Close(); err != nil {
			t.Error(err)
		}
		for range 2 {
			o.many(2000)
		}
		if len(o.said) != 1 || !strings.Contains(o.said[0], "rows have no values") {
			t.Errorf("%s: the user was told %q", arg, o.said)
		}
	}
}

// TestForgotten: a note tells how many closed sockets were forgotten.
func TestForgotten(t *testing.T) {
	testenv.Privileged(t)
	h := testnet.NewHost(t)
	o := open(t, h, registry.CapLive|registry.CapInterfaces, "-max-closed=1")
	for range 2 {
		c := connectIPv4(t, h)
		c.close()
	}
	for end := time.Now().Add(20 * time.Second); !o.hasNote("--socket-max-closed 1"); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("notes %q", o.notes())
		}
	}
}

// TestIdle: without rows that can have values, nothing listens.
func TestIdle(t *testing.T) {
	testenv.Privileged(t)
	o := open(t, testnet.NewHost(t), registry.CapLive|registry.CapInterfaces)
	l := o.Labeler.(*labeler)
	if l.idle || l.listener == nil {
		t.Errorf("idle %v, listener %v", l.idle, l.listener)
	}
	c := config{closed: 10}
	idle, err := c.Open(t.Context(), registry.LabelEnv{Dims: flow.DimSrc | flow.DimProto, Backend: registry.CapLive})
	if err != nil {
		t.Fatal(err)
	}
	l = idle.(*labeler)
	if l.Rows([]*flow.Row{{}}); !l.idle || l.listener != nil || len(l.spaces.other) != 0 {
		t.Errorf("idle %v, listener %v, %d namespaces", l.idle, l.listener, len(l.spaces.other))
	}
	if err := idle.Close(); err != nil {
		t.Error(err)
	}
}

// TestOthersClosed: closed sockets of other namespaces take room only from a backend that sees them.
func TestOthersClosed(t *testing.T) {
	testenv.Privileged(t)
	for _, b := range backends {
		h, other := testnet.NewHost(t), testnet.NewHost(t)
		o := open(t, h, b.caps)
		l := o.Labeler.(*labeler)
		l.mu.Lock()
		elsewhere := &space{inode: inodeIn(t, other), path: "/run/netns/" + other.NetNS()}
		if err := l.spaces.number(elsewhere); err != nil {
			t.Fatal(err)
		}
		l.mu.Unlock()
		connectIPv4(t, other).close()
		c := connectIPv4(t, h)
		c.close()
		o.wait(flow.Row{Key: c.sent}, func() map[string]string { // the kernel reports in order
			if got := o.row(flow.Row{Key: c.sent}); len(got) > 0 {
				return got
			}
			return map[string]string{"socket_state": "closed"}
		})
		l.closed.mu.Lock()
		n := 0
		for _, e := range l.closed.entries {
			if e.space == elsewhere.id {
				n++
			}
		}
		l.closed.mu.Unlock()
		if sees := !b.caps.Has(registry.CapInterfaces); (n > 0) != sees {
			t.Errorf("%s: %d closed sockets of the other namespace", b.name, n)
		}
	}
}
