package attach_test

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"github.com/pktstat/pktstat/internal/netif/attach"
	"github.com/pktstat/pktstat/internal/test/livetest"
	"github.com/pktstat/pktstat/internal/test/testenv"
	"github.com/pktstat/pktstat/internal/test/testnet"
)

// TestFollow counts on patterns. The interfaces are in another network namespace than the test.
func TestFollow(t *testing.T) {
	testenv.Privileged(t)
	for _, b := range backends {
		t.Run(b.name+b.option, func(t *testing.T) {
			h := testnet.NewHost(t)
			testenv.Feature(t, b.name+" "+b.option, b.since, func() error {
				a, _ := testnet.Connect(t, h, h, testnet.Link{})
				s, err := livetest.TryOpen(t, b.name, []string{b.option}, a)
				if err == nil {
					s.Close()
				}
				return err
			})
			match := func(t *testing.T, h *testnet.Host, specs ...string) *livetest.Source {
				return livetest.OpenMatching(t, b.name, []string{b.option}, h, specs...)
			}
			t.Run("pattern", func(t *testing.T) { testPattern(t, match) })
			t.Run("any", func(t *testing.T) { testAny(t, match) })
			t.Run("refused", func(t *testing.T) { testRefusedOnce(t, match) })
			t.Run("churn", func(t *testing.T) { testChurn(t, match) })
			t.Run("gone is not taken off", func(t *testing.T) { testGone(t, match) })
			t.Run("overflow", func(t *testing.T) { testOverflow(t, match) })
		})
	}
}

type matcher func(t *testing.T, h *testnet.Host, specs ...string) *livetest.Source

func testPattern(t *testing.T, match matcher) {
	h := host{t, testnet.NewHost(t)}
	s := match(t, h.Host, "f*", "!fx*", "!*-peer")
	if a := s.Attachment(); a.Interfaces != nil {
		t.Fatalf("counting on %+v", a.Interfaces)
	}
	f0 := h.veth("f0")
	s.WaitSaid("interface f0 has appeared: counting on it")
	h.send("f0", 5)

	h.veth("fx0")
	other := h.veth("o0")
	f1 := h.veth("f1")
	s.WaitSaid("interface f1 has appeared") // the earlier ones have been handled
	h.send("f1", 3)
	h.send("fx0", 7)
	h.send("o0", 7)
	want := map[int]uint64{f0: 5, f1: 3}
	check(t, s, want)

	// Renamed interfaces.
	h.rename("f1", "o1")
	s.WaitSaid("interface f1 is now named o1, which --iface does not match: counting on it ended")
	h.send("o1", 11)
	h.rename("o0", "f2")
	s.WaitSaid("interface f2 has appeared")
	h.send("f2", 2)
	h.rename("f2", "f3")
	s.WaitSaid("interface f2 is now named f3")
	h.send("f3", 2)
	h.rename("o1", "f1")
	h.veth("f4")
	s.WaitSaid("interface f4 has appeared") // f1 has been handled again
	h.send("f1", 1)
	check(t, s, map[int]uint64{other: 4, f1: 1})

	// Deleted interfaces, and the packets until then.
	h.send("f0", 6)
	h.del("f0")
	s.WaitSaid("interface f0 has gone: counting on it ended")
	h.send("f3", 1)
	elsewhere := host{t, testnet.NewHost(t)}
	h.move("f3", elsewhere)
	s.WaitSaid("interface f3 has gone")
	elsewhere.up("f3")
	h.send("f3", 9)
	again := h.veth("f0")
	h.veth("f5")
	s.WaitSaid("interface f5 has appeared")
	h.send("f0", 8)
	check(t, s, map[int]uint64{f0: 6, other: 1, again: 8})

	var names []string
	for _, i := range s.Attachment().Interfaces {
		names = append(names, i.Name)
	}
	if want := "f0 f1 f3 f4 f0 f5"; strings.Join(names, " ") != want {
		t.Errorf("the report names %q, want %s", names, want)
	}
	if said := s.Said(); slices.ContainsFunc(said, func(l string) bool { return strings.Contains(l, "fx0") }) {
		t.Errorf("messages %q", said)
	}
}

// testAny: "any" matches interfaces that are up.
func testAny(t *testing.T, match matcher) {
	h := host{t, testnet.NewHost(t)}
	h.veth("x0")
	h.veth("v0")
	s := match(t, h.Host, "any", "!lo", "!x*", "!*-peer")
	names := func() (names string) {
		for _, i := range s.Attachment().Interfaces {
			names += i.Name + " "
		}
		return names
	}
	if got := names(); got != "v0 " {
		t.Fatalf("counting on %s", got)
	}
	h.do(func() error {
		v := netlink.NewVeth(netlink.LinkAttrs{Name: "w0"})
		v.PeerName = "w0-peer"
		return netlink.LinkAdd(v)
	})
	index := h.veth("w1")
	s.WaitSaid("interface w1 has appeared")
	if got := names(); got != "v0 w1 " {
		t.Errorf("counting on %s", got)
	}
	h.up("w0-peer")
	h.up("w0")
	s.WaitSaid("interface w0 has appeared")
	// An interface that goes down stays attached, even under a new name.
	h.do(func() error { return netlink.LinkSetDown(h.link("w1")) })
	h.do(func() error { return netlink.LinkSetName(h.link("w1"), "w2") })
	s.WaitSaid("interface w1 is now named w2")
	h.up("w2")
	h.do(func() error { return netlink.LinkSetDown(h.link("w1-peer")) }) // Linux before 6.2 renames only interfaces that are down
	h.do(func() error { return netlink.LinkSetName(h.link("w1-peer"), "w2-peer") })
	h.up("w2-peer")
	h.send("w2", 3)
	check(t, s, map[int]uint64{index: 3})
}

// testRefusedOnce: the source skips an interface that it cannot attach to, and notifies the user
// once.
func testRefusedOnce(t *testing.T, match matcher) {
	h := host{t, testnet.NewHost(t)}
	h.unknown("x0")
	s := match(t, h.Host, "w*", "!*-peer")
	h.do(func() error { return netlink.LinkSetName(h.link("x0"), "w0") })
	s.WaitSaid("interface w0 is not counted: not supported: interface w0: link type ")
	h.up("w0")
	index := h.veth("w1")
	s.WaitSaid("interface w1 has appeared")
	h.send("w1", 2)
	check(t, s, map[int]uint64{index: 2})
	n := 0
	for _, line := range s.Said() {
		if strings.Contains(line, "w0") {
			n++
		}
	}
	if n != 1 {
		t.Errorf("messages %q", s.Said())
	}

	s.Close()

	// Such an interface does not stop Open either.
	again := match(t, h.Host, "w*", "!*-peer")
	again.WaitSaid("not counted: not supported: interface w0: link type ")
	if a := again.Attachment(); len(a.Interfaces) != 1 || a.Interfaces[0].Name != "w1" {
		t.Errorf("counting on %+v", a.Interfaces)
	}
}

// testOverflow: the source recovers from lost messages.
func testOverflow(t *testing.T, match matcher) {
	h := host{t, testnet.NewHost(t)}
	kept := h.veth("w0")
	h.veth("w1")
	s := match(t, h.Host, "w*", "!*-peer")
	hear, err := attach.Deafen(s.Registered())
	if err != nil {
		t.Fatal(err)
	}
	const others = 20
	for i := range others {
		h.veth(fmt.Sprintf("x%d", i))
	}
	h.del("w1")
	late := h.veth("w2")
	hear()
	s.WaitSaid("interface w1 has gone")
	s.WaitSaid("interface w2 has appeared")
	h.send("w0", 3)
	h.send("w2", 4)
	check(t, s, map[int]uint64{kept: 3, late: 4})
}

// testChurn: vanished interfaces leave no goroutine behind.
func testChurn(t *testing.T, match matcher) {
	h := host{t, testnet.NewHost(t)}
	s := match(t, h.Host, "c*", "!*-peer")
	running := runtime.NumGoroutine
	before, want := running(), map[int]uint64{}
	for i := range 10 {
		name := fmt.Sprintf("c%d", i)
		index := h.veth(name)
		s.WaitSaid("interface " + name + " has appeared: counting on it")
		h.send(name, i+1)
		want[index] = uint64(i + 1)
		if i%2 == 0 {
			h.del(name)
			s.WaitSaid("interface " + name + " has gone")
		}
	}
	check(t, s, want)
	for i := 1; i < 10; i += 2 {
		h.del(fmt.Sprintf("c%d", i))
		s.WaitSaid(fmt.Sprintf("interface c%d has gone", i))
	}
	for end := time.Now().Add(20 * time.Second); running() > before; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d goroutines more than before", running()-before)
		}
	}
}

// testGone: the source checks attachments after an interface has vanished, before it gets the
// message. It must not blame another program.
func testGone(t *testing.T, match matcher) {
	h, elsewhere := host{t, testnet.NewHost(t)}, host{t, testnet.NewHost(t)}
	s := match(t, h.Host, "g*", "!*-peer")
	for i := range 10 {
		name := fmt.Sprintf("g%d", i)
		h.veth(name)
		s.WaitSaid("interface " + name + " has appeared: counting on it")
		if i%2 == 0 {
			h.del(name)
		} else {
			h.move(name, elsewhere)
		}
		s.Records()
		s.WaitSaid("interface " + name + " has gone")
	}
	if said := s.Said(); len(said) != 2*10 {
		t.Errorf("messages %q", said)
	}
	if s.HasNote("another program") {
		t.Errorf("notes %q", s.Attachment().Notes)
	}
}

// check collects and compares the packets of each interface with those sent.
func check(t *testing.T, s *livetest.Source, want map[int]uint64) {
	t.Helper()
	records := s.Records()
	got := map[int]uint64{}
	for _, r := range records {
		if n := counted(records, int(r.Key.Ifindex)); n > 0 {
			got[int(r.Key.Ifindex)] = n
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("counted %v, want %v", got, want)
	}
}

// host is the namespace in which the test changes interfaces.
type host struct {
	t *testing.T
	*testnet.Host
}

func (h host) do(f func() error) {
	h.t.Helper()
	if err := h.Do(f); err != nil {
		h.t.Fatal(err)
	}
}

// link must be called in the host's namespace.
func (h host) link(name string) netlink.Link {
	l, err := netlink.LinkByName(name)
	if err != nil {
		return &netlink.GenericLink{LinkAttrs: netlink.LinkAttrs{Name: name}} // using it fails
	}
	return l
}

// veth creates the pair NAME and NAME-peer, and returns the index of the first.
func (h host) veth(name string) (index int) {
	h.t.Helper()
	h.do(func() error {
		v := netlink.NewVeth(netlink.LinkAttrs{Name: name})
		v.PeerName = name + "-peer"
		if err := netlink.LinkAdd(v); err != nil {
			return err
		}
		index = h.link(name).Attrs().Index
		return nil
	})
	h.up(name)
	h.up(name + "-peer")
	return index
}

func (h host) up(name string) {
	h.t.Helper()
	h.do(func() error { return netlink.LinkSetUp(h.link(name)) })
}

// rename renames a pair. Linux before 6.2 needs it to be down.
func (h host) rename(from, to string) {
	h.t.Helper()
	for _, suffix := range []string{"", "-peer"} {
		h.do(func() error { return netlink.LinkSetDown(h.link(from + suffix)) })
		h.do(func() error { return netlink.LinkSetName(h.link(from+suffix), to+suffix) })
		h.up(to + suffix)
	}
}

func (h host) del(name string) {
	h.t.Helper()
	h.do(func() error { return netlink.LinkDel(h.link(name)) })
}

func (h host) move(name string, to host) {
	h.t.Helper()
	h.do(func() error {
		ns, err := netns.GetFromName(to.NetNS())
		if err != nil {
			return err
		}
		defer ns.Close()
		return netlink.LinkSetNsFd(h.link(name), int(ns))
	})
}

// send sends frames from the peer to an interface.
func (h host) send(name string, n int) {
	h.t.Helper()
	h.do(func() error { return sendFrames(name+"-peer", n) })
}

// unknown creates an interface of a link type that pktstat cannot read.
func (h host) unknown(name string) {
	h.t.Helper()
	tun := &netlink.Tuntap{
		LinkAttrs: netlink.LinkAttrs{Name: name}, Mode: netlink.TUNTAP_MODE_TUN,
		Flags: netlink.TUNTAP_NO_PI | netlink.TUNTAP_ONE_QUEUE, Queues: 1,
	}
	if err := h.Do(func() error { return netlink.LinkAdd(tun) }); err != nil {
		testenv.Missing(h.t, fmt.Sprintf("no tun device: %v", err))
	}
	h.t.Cleanup(func() { _ = tun.Fds[0].Close() })
	if err := unix.IoctlSetInt(int(tun.Fds[0].Fd()), unix.TUNSETLINK, unix.ARPHRD_IEEE80211); err != nil {
		h.t.Fatal(err)
	}
}
