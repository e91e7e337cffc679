package kprobe

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/test/testnet"
)

// lossy drops an eighth of the packets that an interface receives.
func lossy(t *testing.T, i *testnet.Iface) {
	t.Helper()
	const pass, drop = 0, 2 // TC_ACT_OK, TC_ACT_SHOT
	p, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Type: ebpf.SchedCLS, License: "MIT",
		Instructions: asm.Instructions{
			asm.FnGetPrandomU32.Call(),
			asm.Mod.Imm(asm.R0, 8),
			asm.JEq.Imm(asm.R0, 0, "drop"),
			asm.Mov.Imm(asm.R0, pass),
			asm.Return(),
			asm.Mov.Imm(asm.R0, drop).WithSymbol("drop"),
			asm.Return(),
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close() // the filter keeps it
	at := netlink.QdiscAttrs{LinkIndex: i.Index, Parent: netlink.HANDLE_CLSACT, Handle: netlink.MakeHandle(0xffff, 0)}
	if err := i.Netlink().QdiscAdd(&netlink.GenericQdisc{QdiscAttrs: at, QdiscType: "clsact"}); err != nil {
		t.Fatal(err)
	}
	if err := i.Netlink().FilterAdd(&netlink.BpfFilter{
		FilterAttrs: netlink.FilterAttrs{LinkIndex: i.Index, Parent: netlink.HANDLE_MIN_INGRESS, Handle: 1, Protocol: unix.ETH_P_ALL, Priority: 1},
		Fd:          p.FD(), Name: "lossy", DirectAction: true,
	}); err != nil {
		t.Fatal(err)
	}
}

// TestRetransmits: the backend counts as many retransmits as the kernel in RetransSegs. It does
// so for both families, for IPv4 over IPv6 sockets, and for answers to a SYN.
func TestRetransmits(t *testing.T) {
	eachHook(t, func(t *testing.T, s *source) {
		if s.resends == nil {
			t.Fatal(s.why)
		}
		a, b := testnet.Pair(t, testnet.Link{Offloads: true})
		var l net.Listener
		if err := b.Do(func() (err error) {
			l, err = net.Listen("tcp", "[::]:7001")
			return err
		}); err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		go echo(l)
		lossy(t, a)
		lossy(t, b)
		got := map[uint32]uint64{} // by namespace
		families := map[bool]uint64{}
		ends := map[uint32][2]netip.Addr{inode(t, a.Host): {a.IPv4, a.IPv6}, inode(t, b.Host): {b.IPv4, b.IPv6}}
		for round := 0; families[true] == 0 || families[false] == 0; round++ {
			if round == 10 {
				t.Fatalf("IPv4 %d, IPv6 %d after %d rounds", families[true], families[false], round)
			}
			exchanges(t, a, b, 6)
			for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) { // FINs are sent again, too
				s.retransmits(t, func(k flow.Key, n uint64) {
					own, mine := ends[k.NetNS]
					if !mine {
						return
					}
					if k.Proto != flow.TCP || k.Dir != flow.Egress || k.Src.Addr() != own[0] && k.Src.Addr() != own[1] {
						t.Errorf("%d of %+v", n, k)
					}
					got[k.NetNS] += n
					families[k.Src.Addr().Is4()] += n
				})
				wantA, wantB := sentAgain(a), sentAgain(b)
				if got[inode(t, a.Host)] == wantA && got[inode(t, b.Host)] == wantB {
					break
				}
				if time.Now().After(end) {
					t.Fatalf("%v, but the kernel counts %d in %d and %d in %d; missed: %d", got, wantA, inode(t, a.Host), wantB, inode(t, b.Host), s.resends.missed())
				}
			}
		}
		for _, p := range s.resends.probes {
			t.Logf("%s was not called %d times", p.tracepoint, p.missed)
		}
		// A FIN may still be sent again.
		later := flow.NewBatch(flow.BatchHooks{Records: func([]flow.Record) error { return nil }})
		for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
			s.retransmits(t, func(flow.Key, uint64) {})
			later.End = time.Now().Add(idleFor)
			if err := s.resends.forget(later); err != nil {
				t.Fatal(err)
			}
			var c connection
			err := s.resends.coll.Maps["retransmits"].NextKey(nil, &c)
			if len(s.resends.known) == 0 && errors.Is(err, ebpf.ErrKeyNotExist) {
				break
			}
			if time.Now().After(end) {
				t.Fatalf("of what is idle, %d are kept, and by the kernel %+v: %v", len(s.resends.known), c, err)
			}
		}
	})
}

// exchanges makes n connections at once, of both families.
func exchanges(t *testing.T, a, b *testnet.Iface, n int) {
	t.Helper()
	done := make(chan error)
	for i := range n {
		to := b.IPv4
		if i%2 == 1 {
			to = b.IPv6
		}
		go func() { done <- exchange(a, netip.AddrPortFrom(to, 7001)) }()
	}
	for range n {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// sentAgain is the number of segments of RetransSegs that the host could send.
func sentAgain(i *testnet.Iface) uint64 { return i.Retransmits() - i.TCPCounter("TCPRetransFail") }

// retransmits calls f with the retransmits since the last Collect.
func (s *source) retransmits(t *testing.T, f func(flow.Key, uint64)) {
	t.Helper()
	b := flow.NewBatch(flow.BatchHooks{Records: func(rs []flow.Record) error {
		for i := range rs {
			if rs[i].Retransmits > 0 {
				f(rs[i].Key.Key(), rs[i].Retransmits)
			}
		}
		return nil
	}})
	if err := s.Collect(context.Background(), b); err != nil {
		t.Fatal(err)
	}
	if err := b.Flush(); err != nil {
		t.Fatal(err)
	}
}

func echo(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			_, _ = io.Copy(c, c)
		}()
	}
}

// exchange sends some data and reads it back, in spite of losses.
func exchange(from *testnet.Iface, to netip.AddrPort) error {
	var c net.Conn
	if err := from.Do(func() (err error) {
		c, err = net.DialTimeout("tcp", to.String(), 4*time.Minute)
		return err
	}); err != nil {
		return err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(4 * time.Minute)); err != nil {
		return err
	}
	data := make([]byte, 50_000)
	go func() { _, _ = c.Write(data) }()
	_, err := io.ReadFull(c, make([]byte, len(data)))
	return err
}

// TestConnection: the structures are the same in C and Go.
func TestConnection(t *testing.T) {
	spec, err := loadRetransmit()
	if err != nil {
		t.Fatal(err)
	}
	var c connection
	var n retransmitCount
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
			"segments": unsafe.Offsetof(n.Segments), "last_event": unsafe.Offsetof(n.LastEvent),
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
