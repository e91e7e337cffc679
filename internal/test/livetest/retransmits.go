package livetest

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/test/testnet"
)

// Lossy drops one in n of the packets that an interface receives, by chance. What finds neighbours
// (ARP, ICMPv6) passes: the kernel asks only three times.
func Lossy(tb testing.TB, i *testnet.Iface, n int32) {
	tb.Helper()
	const pass, drop = -1, 2 // TC_ACT_UNSPEC, for the filters of others, and TC_ACT_SHOT
	const protocol = 16      // its offset in struct __sk_buff
	network := func(v uint16) int32 { return int32(v>>8 | v<<8&0xff00) }
	p, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Type: ebpf.SchedCLS, License: "MIT",
		Instructions: asm.Instructions{
			asm.Mov.Reg(asm.R6, asm.R1),
			asm.LoadMem(asm.R7, asm.R6, protocol, asm.Word),
			asm.JEq.Imm(asm.R7, network(unix.ETH_P_IP), "dice"),
			asm.JNE.Imm(asm.R7, network(unix.ETH_P_IPV6), "pass"),
			asm.Mov.Imm(asm.R2, 6), // the next header
			asm.Mov.Reg(asm.R3, asm.R10),
			asm.Add.Imm(asm.R3, -8),
			asm.Mov.Imm(asm.R4, 1),
			asm.Mov.Imm(asm.R5, 1), // BPF_HDR_START_NET
			asm.FnSkbLoadBytesRelative.Call(),
			asm.JNE.Imm(asm.R0, 0, "pass"),
			asm.LoadMem(asm.R1, asm.R10, -8, asm.Byte),
			asm.JNE.Imm(asm.R1, unix.IPPROTO_TCP, "pass"),
			asm.FnGetPrandomU32.Call().WithSymbol("dice"),
			asm.Mod.Imm(asm.R0, n),
			asm.JEq.Imm(asm.R0, 0, "drop"),
			asm.Mov.Imm(asm.R0, pass).WithSymbol("pass"),
			asm.Return(),
			asm.Mov.Imm(asm.R0, drop).WithSymbol("drop"),
			asm.Return(),
		},
	})
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = p.Close() }() // the filter keeps it
	at := netlink.QdiscAttrs{LinkIndex: i.Index, Parent: netlink.HANDLE_CLSACT, Handle: netlink.MakeHandle(0xffff, 0)}
	if err := i.Netlink().QdiscAdd(&netlink.GenericQdisc{QdiscAttrs: at, QdiscType: "clsact"}); err != nil {
		tb.Fatal(err)
	}
	if err := i.Netlink().FilterAdd(&netlink.BpfFilter{
		FilterAttrs: netlink.FilterAttrs{LinkIndex: i.Index, Parent: netlink.HANDLE_MIN_INGRESS, Handle: 1, Protocol: unix.ETH_P_ALL, Priority: 1},
		Fd:          p.FD(), Name: "lossy", DirectAction: true,
	}); err != nil {
		tb.Fatal(err)
	}
}

// Retransmits compares the retransmits that backends count with what TCP_INFO has at both ends of
// connections. Something between the two ends must be lossy. The backends count both ends.
type Retransmits struct {
	A, B *testnet.Iface
	// Collect calls f with the records since its last call.
	Collect func(f func([]flow.Record))
	// Places returns where the retransmits of an end count: keys with interface, VLAN, direction
	// and network namespace.
	Places func(end *testnet.Iface) []flow.Key
	// Notes returns the notes of the backends. None may be about retransmits.
	Notes func() []string

	sums map[flow.Key]flow.Record // without TCP flags and sockets
	all  map[bool]flow.Health     // of IPv4, and of IPv6
}

// retransmitPort is the port of the servers.
const retransmitPort = 7001

// Check makes connections until segments of both families were sent again. Their number and their
// bytes must equal TCP_INFO at each place, and every row with retransmits must have packets.
func (r *Retransmits) Check(t *testing.T) {
	t.Helper()
	r.sums, r.all = map[flow.Key]flow.Record{}, map[bool]flow.Health{}
	var l net.Listener
	if err := r.B.Do(func() (err error) {
		l, err = net.Listen("tcp", fmt.Sprintf("[::]:%d", retransmitPort))
		return err
	}); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	accepted := make(chan net.Conn, 100)
	go echo(l, accepted)
	// On 6.18, the kernel rarely leaves out an event while other tests attach to the tracepoints and
	// detach.
	const attempts = 3
	for round, less := 0, 0; r.all[false].RetransmitBytes == 0 || r.all[true].RetransmitBytes == 0; round++ {
		if round == 10 {
			t.Fatalf("sent again: %+v in %d rounds", r.all, round)
		}
		different := r.round(t, 6, accepted)
		if different == "" {
			continue
		}
		if less++; less == attempts {
			t.Fatalf("in %d rounds: %snotes: %q", less, different, r.Notes())
		}
		t.Log(different)
	}
	if notes := r.Notes(); strings.Contains(strings.Join(notes, "\n"), "retransmit") {
		t.Errorf("notes %q", notes)
	}
	t.Logf("sent again: IPv4 %+v, IPv6 %+v", r.all[false], r.all[true])
}

// round makes n connections of both families. It returns the rows that lack retransmits.
func (r *Retransmits) round(t *testing.T, n int, accepted <-chan net.Conn) string {
	t.Helper()
	failed := r.failed()
	conns, errs := make(chan net.Conn, n), make(chan error, n)
	for i := range n {
		to := []netip.Addr{r.B.IPv4, r.B.IPv6}[i%2]
		go func() {
			c, err := exchange(r.A, netip.AddrPortFrom(to, retransmitPort))
			conns <- c
			errs <- err
		}()
	}
	var of [2][]net.Conn // A's, then B's
	for range n {
		c, err := <-conns, <-errs
		if err != nil {
			t.Fatal(err)
		}
		of[0], of[1] = append(of[0], c), append(of[1], <-accepted)
	}
	want := map[flow.Key]flow.Health{}
	for i, end := range []*testnet.Iface{r.A, r.B} {
		for _, c := range of[i] {
			t.Cleanup(func() { _ = c.Close() })
			r.want(t, end, c, want)
		}
	}
	if now := r.failed(); now != failed {
		t.Logf("%d segments could not be sent: TCP_INFO has them, too", now-failed)
		return ""
	}
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		r.Collect(func(rs []flow.Record) { r.add(t, rs) })
		lacking, wrong := r.difference(want)
		if wrong != "" {
			t.Fatalf("%snotes: %q", wrong, r.Notes())
		}
		if lacking == "" {
			break
		}
		if time.Now().After(end) {
			return lacking
		}
	}
	for k, h := range want {
		sum := r.all[k.Src.Addr().Is6()]
		sum.Add(h)
		r.all[k.Src.Addr().Is6()] = sum
	}
	return ""
}

// failed is the number of segments that the hosts could not send again.
func (r *Retransmits) failed() uint64 {
	return r.A.TCPCounter("TCPRetransFail") + r.B.TCPCounter("TCPRetransFail")
}

// want waits until the other end of c has everything, and sets what c has sent again.
func (r *Retransmits) want(t *testing.T, end *testnet.Iface, c net.Conn, want map[flow.Key]flow.Health) {
	t.Helper()
	info := testnet.Acknowledged(t, c)
	for _, k := range r.Places(end) {
		k.Src, k.Dst, k.Proto = testnet.Unmapped(c.LocalAddr()), testnet.Unmapped(c.RemoteAddr()), flow.TCP
		want[k] = flow.Health{Retransmits: uint64(info.Total_retrans), RetransmitBytes: info.Bytes_retrans}
	}
}

func (r *Retransmits) add(t *testing.T, rs []flow.Record) {
	for i := range rs {
		if rs[i].Key.Proto != flow.TCP {
			continue
		}
		if rs[i].Retransmits != 0 && rs[i].RetransmitsBy != flow.RetransmitsKernel {
			t.Errorf("%+v: retransmits by %q", rs[i].Key.Key(), rs[i].RetransmitsBy)
		}
		sum := r.sums[rs[i].Key.Key()]
		sum.Health.Add(rs[i].Health)
		sum.Counters.Add(rs[i].Counters)
		r.sums[rs[i].Key.Key()] = sum
	}
}

// difference lists the rows of connections that lack retransmits, and the rows that have too many.
func (r *Retransmits) difference(want map[flow.Key]flow.Health) (lacking, wrong string) {
	of := map[[2]netip.AddrPort]bool{}
	for k, h := range want {
		of[[2]netip.AddrPort{k.Src, k.Dst}] = true
		got := r.sums[k]
		text := fmt.Sprintf("%+v: %d packets, sent again %+v, want %+v\n", k, got.Packets, got.Health, h)
		switch {
		case got.Retransmits > h.Retransmits || got.RetransmitBytes > h.RetransmitBytes:
			wrong += text
		case got.Retransmits != h.Retransmits || got.RetransmitBytes != h.RetransmitBytes || got.Packets == 0:
			lacking += text
		}
	}
	for k, got := range r.sums {
		if _, wanted := want[k]; !wanted && of[[2]netip.AddrPort{k.Src, k.Dst}] && got.Retransmits != 0 {
			wrong += fmt.Sprintf("%+v: sent again %+v, want no retransmits in this row\n", k, got.Health)
		}
	}
	return lacking, wrong
}

// echo returns what it gets, and hands on each connection.
func echo(l net.Listener, accepted chan<- net.Conn) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		accepted <- c
		go func() { _, _ = io.Copy(c, c) }()
	}
}

// exchange sends some data and reads it back, in spite of losses. The connection stays open.
func exchange(from *testnet.Iface, to netip.AddrPort) (net.Conn, error) {
	var c net.Conn
	if err := from.Do(func() (err error) {
		c, err = net.DialTimeout("tcp", to.String(), 4*time.Minute)
		return err
	}); err != nil {
		return nil, err
	}
	if err := c.SetDeadline(time.Now().Add(4 * time.Minute)); err != nil {
		return nil, err
	}
	data := make([]byte, 50_000)
	go func() { _, _ = c.Write(data) }()
	_, err := io.ReadFull(c, make([]byte, len(data)))
	return c, err
}
