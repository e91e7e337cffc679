package retransmit

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"golang.org/x/sys/unix"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/test/livetest"
	"github.com/pktstat/pktstat/internal/test/testenv"
	"github.com/pktstat/pktstat/internal/test/testnet"
)

// TestSYN: a SYN that is not answered is sent again, with no payload. Only the namespace that the
// user means counts. What is idle is forgotten, here and in the kernel.
func TestSYN(t *testing.T) {
	testenv.Privileged(t)
	a, b := testnet.Pair(t, testnet.Link{})
	livetest.Lossy(t, b, 1)
	here, elsewhere := open(t, inode(t, a.Host)), open(t, inode(t, b.Host))
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error)
	go func() {
		done <- a.Do(func() error {
			c, err := new(net.Dialer).DialContext(ctx, "tcp", net.JoinHostPort(b.IPv4.String(), "9"))
			if err == nil {
				_ = c.Close()
			}
			return err
		})
	}()
	var got []flow.Record
	for end := time.Now().Add(30 * time.Second); len(got) == 0; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("no SYN was sent again")
		}
		got = records(t, here)
		if other := records(t, elsewhere); len(other) != 0 {
			t.Errorf("in another namespace: %+v", other)
		}
	}
	stop()
	if err := <-done; err == nil {
		t.Fatal("connected")
	}
	if k := got[0].Key.Key(); k.Src.Addr() != a.IPv4 || k.Dst.Addr() != b.IPv4 || k.Dst.Port() != 9 || k.Dir != flow.Egress || k.Proto != flow.TCP {
		t.Errorf("of %+v", k)
	}
	if h := got[0].Health; h.Retransmits == 0 || h.RetransmitBytes != 0 || !got[0].Counters.IsZero() {
		t.Errorf("counted %+v, %+v", got[0].Counters, h)
	}
	if len(here.known) != 1 {
		t.Errorf("%d connections are known, want 1", len(here.known))
	}
	if err := here.read(time.Now().Add(idleFor+time.Second), func(*connection, resent) {}); err != nil {
		t.Fatal(err)
	}
	var c connection
	err := here.coll.Maps["retransmits"].NextKey(nil, &c)
	if len(here.known) != 0 || !errors.Is(err, ebpf.ErrKeyNotExist) {
		t.Errorf("of what is idle, %d are kept, and by the kernel %+v: %v", len(here.known), c, err)
	}
}

func open(t *testing.T, netns uint32) *Counter {
	t.Helper()
	c := Open(Options{NetNS: netns, Alone: true, Explain: func(err error) error { return err }})
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	if len(c.Notes()) != 0 {
		t.Fatal(c.Notes())
	}
	return c
}

func records(t *testing.T, c *Counter) (all []flow.Record) {
	t.Helper()
	b := flow.NewBatch(flow.BatchHooks{Records: func(rs []flow.Record) error {
		all = append(all, rs...)
		return nil
	}})
	err := c.Rows(b, func(b *flow.Batch) error {
		b.Start = time.Now()
		b.WindowClosed(time.Now())
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Flush(); err != nil {
		t.Fatal(err)
	}
	return all
}

func inode(t *testing.T, h *testnet.Host) uint32 {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Stat("/run/netns/"+h.NetNS(), &st); err != nil {
		t.Fatal(err)
	}
	return uint32(st.Ino)
}

// TestLayout: the structures are the same in C and Go.
func TestLayout(t *testing.T) {
	spec, err := loadRetransmit()
	if err != nil {
		t.Fatal(err)
	}
	var c connection
	var n count
	for _, shared := range []struct {
		in   btf.Type
		size uintptr
		want map[string]uintptr
	}{
		{spec.Maps["retransmits"].Key, unsafe.Sizeof(c), map[string]uintptr{
			"socket": unsafe.Offsetof(c.Socket), "laddr": unsafe.Offsetof(c.LAddr), "raddr": unsafe.Offsetof(c.RAddr), "netns": unsafe.Offsetof(c.NetNS),
			"lport": unsafe.Offsetof(c.LPort), "rport": unsafe.Offsetof(c.RPort), "family": unsafe.Offsetof(c.Family),
		}},
		{spec.Maps["retransmits"].Value, unsafe.Sizeof(n), map[string]uintptr{
			"segments": unsafe.Offsetof(n.Segments), "bytes": unsafe.Offsetof(n.Bytes), "last_event": unsafe.Offsetof(n.LastEvent),
		}},
	} {
		s, ok := btf.UnderlyingType(shared.in).(*btf.Struct)
		if !ok {
			t.Fatalf("the map has %v", shared.in)
		}
		got := map[string]uint32{}
		for _, m := range s.Members {
			got[m.Name] = m.Offset.Bytes()
		}
		for name, want := range shared.want {
			if uintptr(got[name]) != want {
				t.Errorf("%s is at %d in C, at %d in Go", name, got[name], want)
			}
		}
		if uintptr(s.Size) != shared.size {
			t.Errorf("%s: %d bytes in C, %d in Go", s.Name, s.Size, shared.size)
		}
	}
}
