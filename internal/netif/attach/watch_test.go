package attach_test

import (
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	_ "github.com/pktstat/pktstat/backends/afpacket"
	_ "github.com/pktstat/pktstat/backends/tc"
	_ "github.com/pktstat/pktstat/backends/xdp"
	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/test/livetest"
	"github.com/pktstat/pktstat/internal/test/testenv"
	"github.com/pktstat/pktstat/internal/test/testnet"
)

// backends are the backends that use this package, with their options and first kernel.
var backends = []struct{ name, option, since string }{
	{"tc", "-attach=tcx", "6.6"},
	{"tc", "-attach=clsact", "4.5"},
	{"xdp", "-mode=native", "5.9"},
	{"xdp", "-mode=generic", "5.9"},
	{"afpacket", "-rings=1", "4.6"},
	{"afpacket", "-rings=2", "4.12"},
}

type opener func(t *testing.T, on *testnet.Iface) *livetest.Source

const insideEnv = "PKTSTAT_TEST_INSIDE"

// TestWatch makes typical changes to an interface. It runs again in a process with all threads in
// a network namespace.
func TestWatch(t *testing.T) {
	testenv.Privileged(t)
	if os.Getenv(insideEnv) == "" {
		h := testnet.NewHost(t)
		cmd := h.Command(os.Args[0], "-test.run=^TestWatch$", "-test.v")
		cmd.Env = append(os.Environ(), insideEnv+"=1")
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
		if err := h.Start(cmd); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("inside: %v", err)
		}
		return
	}
	for _, b := range backends {
		t.Run(b.name+b.option, func(t *testing.T) {
			testenv.Feature(t, b.name+" "+b.option, b.since, func() error {
				on := &testnet.Iface{Name: "f0", Index: newVeth(t, "f0")}
				defer deleteLink(t, "f0")
				s, err := livetest.TryOpen(t, b.name, []string{b.option}, on)
				if err == nil {
					s.Close()
				}
				return err
			})
			open := func(t *testing.T, on *testnet.Iface) *livetest.Source {
				return livetest.Open(t, b.name, []string{b.option}, on)
			}
			t.Run("rename, delete, return", func(t *testing.T) { testReturn(t, open) })
			t.Run("down, up, MTU", func(t *testing.T) { testDownUp(t, open) })
			t.Run("move and return", func(t *testing.T) { testMove(t, open) })
			t.Run("return as another kind", func(t *testing.T) { testRefused(t, open) })
		})
	}
}

func testReturn(t *testing.T, open opener) {
	first := newVeth(t, "w0")
	s := open(t, &testnet.Iface{Name: "w0", Index: first})
	defer s.Close()

	send(t, "w0-peer", 5)
	rename(t, "w0", "w0renamed")
	s.WaitSaid("interface w0 is now named w0renamed")
	if a := s.Attachment(); len(a.Interfaces) != 1 || a.Interfaces[0].Name != "w0renamed" {
		t.Errorf("after the new name: %+v", a)
	}
	send(t, "w0-peer", 3)
	deleteLink(t, "w0renamed")
	s.WaitSaid("interface w0renamed has gone")
	if got := counted(s.Records(), first); got != 8 {
		t.Errorf("%d packets are counted of 8 before the interface went", got)
	}

	// The source ignores another interface, but attaches to one with the user's name.
	newVeth(t, "x0")
	defer deleteLink(t, "x0")
	second := newVeth(t, "w0")
	s.WaitSaid("interface w0 has returned: counting on it again")
	send(t, "w0-peer", 4)
	send(t, "x0-peer", 9)
	if got := counted(s.Records(), second); got != 4 {
		t.Errorf("%d packets are counted of 4 after the interface returned", got)
	}
	a := s.Attachment()
	if len(a.Interfaces) != 2 || a.Interfaces[0].Index != uint32(first) || a.Interfaces[1].Index != uint32(second) {
		t.Errorf("after the return: %+v", a)
	}
	deleteLink(t, "w0")
	s.WaitSaid("interface w0 has gone")
}

// testDownUp: the source survives changes that keep its programs attached.
func testDownUp(t *testing.T, open opener) {
	index := newVeth(t, "w0")
	s := open(t, &testnet.Iface{Name: "w0", Index: index})
	defer s.Close()
	send(t, "w0-peer", 2)
	if err := netlink.LinkSetDown(byName(t, "w0")); err != nil {
		t.Fatal(err)
	}
	setUp(t, "w0")
	send(t, "w0-peer", 3)
	for _, mtu := range []int{1280, 1500} {
		for _, name := range []string{"w0", "w0-peer"} {
			if err := netlink.LinkSetMTU(byName(t, name), mtu); err != nil {
				t.Fatal(err)
			}
		}
		send(t, "w0-peer", 4)
	}
	if got := counted(s.Records(), index); got != 2+3+4+4 {
		t.Errorf("%d packets are counted of 13", got)
	}
	if said := s.Said(); len(said) > 0 {
		t.Errorf("messages %q", said)
	}
	deleteLink(t, "w0")
}

// testMove: the source detaches from an interface that moves to another network namespace. The
// interface returns with the same index.
func testMove(t *testing.T, open opener) {
	index := newVeth(t, "w0")
	s := open(t, &testnet.Iface{Name: "w0", Index: index})
	defer s.Close()
	send(t, "w0-peer", 2)

	elsewhere := testnet.NewHost(t)
	moveTo(t, "w0", elsewhere)
	s.WaitSaid("interface w0 has gone")
	there := detached(t, elsewhere, "w0")
	if err := elsewhere.Netlink().LinkSetUp(there); err != nil {
		t.Fatal(err)
	}
	send(t, "w0-peer", 7)
	home, err := netns.Get()
	if err != nil {
		t.Fatal(err)
	}
	defer home.Close()
	if err := elsewhere.Netlink().LinkSetNsFd(there, int(home)); err != nil {
		t.Fatal(err)
	}
	s.WaitSaid("interface w0 has returned: counting on it again")
	if now := byName(t, "w0").Attrs().Index; now != index {
		t.Fatalf("the index was %d and is %d: the test needs the same index", index, now)
	}
	setUp(t, "w0")
	send(t, "w0-peer", 4)
	if got := counted(s.Records(), index); got != 6 {
		t.Errorf("%d packets are counted of 2 before and 4 after", got)
	}
	if a := s.Attachment(); len(a.Interfaces) != 1 {
		t.Errorf("after the return: %+v", a)
	}
	deleteLink(t, "w0")
}

// testRefused: a returning interface that the source cannot attach to causes one message. The
// source attaches to the next one.
func testRefused(t *testing.T, open opener) {
	s := open(t, &testnet.Iface{Name: "w0", Index: newVeth(t, "w0")})
	defer s.Close()
	deleteLink(t, "w0")
	s.WaitSaid("interface w0 has gone")

	newUnknown(t, "x0")
	rename(t, "x0", "w0")
	s.WaitSaid("interface w0 has returned, but is not counted: not supported: interface w0: link type ")
	deleteLink(t, "w0")
	index := newVeth(t, "w0")
	s.WaitSaid("interface w0 has returned: counting on it again")
	send(t, "w0-peer", 3)
	if got := counted(s.Records(), index); got != 3 {
		t.Errorf("%d packets are counted of 3", got)
	}
	deleteLink(t, "w0")
}

// counted returns the packets of send.
func counted(records []flow.Record, index int) (n uint64) {
	for _, r := range records {
		if r.Key.EtherType == testType && r.Key.Ifindex == uint32(index) && r.Key.Dir == flow.Ingress {
			n += r.Packets
		}
	}
	return n
}

const testType = 0x88b5 // for local experiments (IEEE 802)

// newVeth creates a pair. The name of the other end is NAME-peer.
func newVeth(t *testing.T, name string) (index int) {
	t.Helper()
	v := netlink.NewVeth(netlink.LinkAttrs{Name: name})
	v.PeerName = name + "-peer"
	if err := netlink.LinkAdd(v); err != nil {
		t.Fatal(err)
	}
	setUp(t, name)
	setUp(t, v.PeerName)
	return byName(t, name).Attrs().Index
}

// newUnknown creates an interface of a link type that pktstat cannot read.
func newUnknown(t *testing.T, name string) {
	t.Helper()
	tun := &netlink.Tuntap{
		LinkAttrs: netlink.LinkAttrs{Name: name}, Mode: netlink.TUNTAP_MODE_TUN,
		Flags: netlink.TUNTAP_NO_PI | netlink.TUNTAP_ONE_QUEUE, Queues: 1,
	}
	if err := netlink.LinkAdd(tun); err != nil {
		testenv.Missing(t, fmt.Sprintf("no tun device: %v", err))
	}
	t.Cleanup(func() { _ = tun.Fds[0].Close() })
	if err := unix.IoctlSetInt(int(tun.Fds[0].Fd()), unix.TUNSETLINK, unix.ARPHRD_IEEE80211); err != nil {
		t.Fatal(err)
	}
}

// detached waits until an interface has no XDP program, because the kernel frees links later.
func detached(t *testing.T, h *testnet.Host, name string) netlink.Link {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(time.Millisecond) {
		l, err := h.Netlink().LinkByName(name)
		if err != nil {
			t.Fatal(err)
		}
		xdp := l.Attrs().Xdp
		if xdp == nil || !xdp.Attached {
			return l
		}
		if time.Now().After(end) {
			t.Fatalf("there is still a program on %s: %+v", name, xdp)
		}
	}
}

func byName(t *testing.T, name string) netlink.Link {
	t.Helper()
	l, err := netlink.LinkByName(name)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func setUp(t *testing.T, name string) {
	t.Helper()
	if err := netlink.LinkSetUp(byName(t, name)); err != nil {
		t.Fatal(err)
	}
}

func rename(t *testing.T, from, to string) {
	t.Helper()
	l := byName(t, from)
	err := netlink.LinkSetName(l, to)
	if errors.Is(err, unix.EBUSY) { // Linux before 6.2 renames only interfaces that are down (bd039b5ea2a9)
		err = errors.Join(netlink.LinkSetDown(l), netlink.LinkSetName(l, to), netlink.LinkSetUp(l))
	}
	if err != nil {
		t.Fatal(err)
	}
}

func deleteLink(t *testing.T, name string) {
	t.Helper()
	if err := netlink.LinkDel(byName(t, name)); err != nil {
		t.Fatal(err)
	}
}

func moveTo(t *testing.T, name string, h *testnet.Host) {
	t.Helper()
	ns, err := netns.GetFromName(h.NetNS())
	if err != nil {
		t.Fatal(err)
	}
	defer ns.Close()
	if err := netlink.LinkSetNsFd(byName(t, name), int(ns)); err != nil {
		t.Fatal(err)
	}
}

// send sends n frames out of an interface. An interface that just got its carrier drops frames
// until the kernel's link watch has run.
func send(t *testing.T, name string, n int) {
	t.Helper()
	if err := sendFrames(name, n); err != nil {
		t.Fatal(err)
	}
}

func sendFrames(name string, n int) error {
	l, err := netlink.LinkByName(name)
	for end := time.Now().Add(10 * time.Second); err == nil && l.Attrs().OperState != netlink.OperUp; l, err = netlink.LinkByName(name) {
		if time.Now().After(end) {
			return fmt.Errorf("interface %s is not up", name)
		}
		time.Sleep(time.Millisecond)
	}
	if err != nil {
		return err
	}
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	frame := make([]byte, 60)
	frame[12], frame[13] = testType>>8, testType&0xff
	for range n {
		if err := unix.Sendto(fd, frame, 0, &unix.SockaddrLinklayer{Ifindex: l.Attrs().Index}); err != nil {
			return err
		}
	}
	return nil
}
