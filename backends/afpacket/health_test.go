package afpacket

import (
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/test/livetest"
	"github.com/pktstat/pktstat/internal/test/testenv"
	"github.com/pktstat/pktstat/internal/test/testnet"
)

// drops drops a tenth of what an interface receives, behind packet sockets.
func drops(t *testing.T, i *testnet.Iface) {
	t.Helper()
	const pass, drop = 0, 2 // TC_ACT_OK, TC_ACT_SHOT
	p, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Type: ebpf.SchedCLS, License: "MIT",
		Instructions: asm.Instructions{
			asm.FnGetPrandomU32.Call(),
			asm.Mod.Imm(asm.R0, 10),
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
		Fd:          p.FD(), Name: "drops", DirectAction: true,
	}); err != nil {
		t.Fatal(err)
	}
}

// TestRetransmits: what a socket says that it sent again (TCP_INFO) is what the packets say, in
// segments and bytes, in super-frames and without.
func TestRetransmits(t *testing.T) {
	for name, offloads := range map[string]bool{"frames": false, "super-frames": true} {
		t.Run(name, func(t *testing.T) {
			testenv.Privileged(t)
			a, b := testnet.Pair(t, testnet.Link{Offloads: offloads})
			drops(t, b)
			s := livetest.Open(t, "afpacket", []string{"--rings", "2"}, a)
			var l net.Listener
			if err := b.Do(func() (err error) {
				l, err = net.Listen("tcp", "0.0.0.0:7002")
				return err
			}); err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			go func() {
				for {
					c, err := l.Accept()
					if err != nil {
						return
					}
					go func() {
						_, _ = io.Copy(io.Discard, c)
						_ = c.Close()
					}()
				}
			}()
			var want flow.Health
			ports := map[uint16]bool{}
			for range 4 {
				port, h := upload(t, a, netip.AddrPortFrom(b.IPv4, 7002))
				ports[port] = true
				want.Add(h)
			}
			var got flow.Health
			for _, r := range s.Records() {
				if k := r.Key.Key(); k.Dir == flow.Egress && ports[k.Src.Port()] {
					got.Add(r.Health)
				}
			}
			if want.Retransmits == 0 || got != want {
				t.Errorf("%+v, the sockets say %+v", got, want)
			}
		})
	}
}

// upload sends data, and returns what the socket has sent again when all of it is acknowledged. It
// leaves the connection open: a FIN could be sent again later.
func upload(t *testing.T, from *testnet.Iface, to netip.AddrPort) (port uint16, h flow.Health) {
	t.Helper()
	var conn net.Conn
	if err := from.Do(func() (err error) {
		conn, err = net.Dial("tcp", to.String())
		return err
	}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	for range 40 {
		if _, err := conn.Write(make([]byte, 20_000)); err != nil {
			t.Fatal(err)
		}
	}
	raw, err := conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(60 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		var info *unix.TCPInfo
		var ierr error
		if err := raw.Control(func(fd uintptr) { info, ierr = unix.GetsockoptTCPInfo(int(fd), unix.SOL_TCP, unix.TCP_INFO) }); err != nil || ierr != nil {
			t.Fatal(err, ierr)
		}
		if info.Notsent_bytes == 0 && info.Unacked == 0 {
			return conn.LocalAddr().(*net.TCPAddr).AddrPort().Port(), flow.Health{Retransmits: uint64(info.Total_retrans), RetransmitBytes: info.Bytes_retrans}
		}
		if time.Now().After(end) {
			t.Fatalf("%d segments are not acknowledged", info.Unacked)
		}
	}
}

// TestConnect: a port without a listener refuses, and its RST counts. What nothing answers fails
// later.
func TestConnect(t *testing.T) {
	testenv.Privileged(t)
	a, b := testnet.Pair(t, testnet.Link{})
	s := livetest.Open(t, "afpacket", nil, a)
	if err := a.Do(func() error {
		_, err := net.Dial("tcp", netip.AddrPortFrom(b.IPv4, 7003).String())
		return err
	}); err == nil {
		t.Fatal("connected")
	}
	var resets, failed uint64
	for _, r := range s.Records() {
		resets += r.Resets
		failed += r.ConnectFailed
		if k := r.Key.Key(); r.ConnectFailed > 0 && (k.Dir != flow.Egress || k.Dst.Port() != 7003) || r.Resets > 0 && k.Dir != flow.Ingress {
			t.Errorf("%+v: %+v", k, r.Health)
		}
	}
	if resets != 1 || failed != 1 {
		t.Errorf("%d resets, %d failed", resets, failed)
	}
}
