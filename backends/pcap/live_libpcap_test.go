//go:build libpcap

package pcap

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/test/testenv"
	"github.com/pktstat/pktstat/internal/test/testnet"
	"github.com/pktstat/pktstat/plugintest/sourcetest"
	"github.com/pktstat/pktstat/registry"
)

func liveEnv() registry.BackendEnv {
	return registry.BackendEnv{MaxFlows: 1000, Now: time.Now}
}

func TestLiveConformance(t *testing.T) {
	testenv.Privileged(t)
	a, b := testnet.Pair(t, testnet.Link{})
	traffic := func(tb testing.TB) (sent flow.Counters) {
		for _, v6 := range []bool{false, true} {
			sent.Add(testnet.SendUDP(tb, a, b, testnet.UDP{V6: v6, Payload: 100, Count: 500}).Counters)
			sent.Add(testnet.SendUDP(tb, b, a, testnet.UDP{V6: v6, Payload: 1, Count: 100, SrcPort: 5}).Counters)
		}
		return sent
	}
	for _, device := range []string{b.Name, "any"} {
		t.Run(device, func(t *testing.T) {
			setup := sourcetest.Setup{Args: []string{"-live=" + device}}
			sourcetest.Run(t, sourcetest.Options{
				Backend: "pcap",
				Setup:   func(testing.TB) sourcetest.Setup { return setup },
				Traffic: func(tb testing.TB) { traffic(tb) },
				Want:    traffic(t),
				Enter:   enter(b),
				Failures: []sourcetest.Failure{
					{Name: "missing device", Setup: sourcetest.Setup{Args: []string{"-live=none"}}, Is: unix.ENODEV},
					{Name: "two things", Setup: sourcetest.Setup{Args: []string{"-live=" + device, "-file=x"}}, Is: registry.ErrUsage},
				},
			})
		})
	}
}

func enter(on *testnet.Iface) func(testing.TB, func()) {
	return func(tb testing.TB, f func()) {
		if err := on.Do(func() error { f(); return nil }); err != nil {
			tb.Error(err)
		}
	}
}

// liveTotal collects, and returns the sums of all flows and of lost packets.
func liveTotal(t *testing.T, src registry.Source) (all flow.Counters, lost uint64, dirs map[flow.Direction]uint64) {
	t.Helper()
	dirs = map[flow.Direction]uint64{}
	b := flow.NewBatch(flow.BatchHooks{Records: func(rs []flow.Record) error {
		for i := range rs {
			all.Add(rs[i].Counters)
			dirs[rs[i].Key.Key().Dir] += rs[i].Packets
		}
		return nil
	}})
	if err := src.Collect(context.Background(), b); err != nil {
		t.Fatal(err)
	}
	if err := b.Flush(); err != nil {
		t.Fatal(err)
	}
	all.Add(b.Overflow.Total())
	if b.Lost.Bytes != 0 || b.Lost.FrameBytes != 0 || b.LostBytesUnknown != (b.Lost.Packets > 0) {
		t.Errorf("lost %+v, bytes unknown: %v", b.Lost, b.LostBytesUnknown)
	}
	return all, b.Lost.Packets, dirs
}

func openOn(t *testing.T, on *testnet.Iface, device string) (src registry.Source) {
	t.Helper()
	err := on.Do(func() (err error) {
		src, err = (&config{live: device}).Open(t.Context(), liveEnv())
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := src.Close(); err != nil {
			t.Error(err)
		}
	})
	return src
}

// The sums equal the interface's own counters, with each super-frame as one packet.
func TestLiveEqualsInterface(t *testing.T) {
	testenv.Privileged(t)
	a, b := testnet.Pair(t, testnet.Link{Offloads: true})
	before := b.Settle()
	src, cooked := openOn(t, b, b.Name), openOn(t, b, "any")
	testnet.SendTCP(t, a, b, testnet.TCP{Request: 500_000})
	testnet.SendUDP(t, b, a, testnet.UDP{Payload: 300, Count: 400})
	testnet.SendPing(t, a, b, testnet.Ping{V6: true, Count: 20})
	n := b.Settle().Minus(before)

	got, lost, _ := liveTotal(t, src)
	if got.Packets+lost != n.RxPackets+n.TxPackets || lost == 0 && got.FrameBytes != n.RxBytes+n.TxBytes {
		t.Errorf("counted %+v and lost %d, the interface %+v", got, lost, n)
	}
	if n.RxPackets < 20 || n.TxPackets < 400 {
		t.Errorf("there was no traffic: %+v", n)
	}
	_, _, dirs := liveTotal(t, cooked)
	if dirs[flow.Ingress] != n.RxPackets || dirs[flow.Egress] != n.TxPackets {
		t.Errorf("any: %v by direction, the interface %+v", dirs, n)
	}
	if a := src.(registry.Attached).Attachment(); len(a.Interfaces) != 1 || a.Interfaces[0].Name != b.Name || !a.PacketsInexact {
		t.Errorf("attachment %+v", a)
	}
}

// Only libpcap can open what a firewall rule logs. It starts with unsupported link types, and
// also has IPv6.
func TestLiveNFLog(t *testing.T) {
	testenv.Privileged(t)
	nft := testenv.Tool(t, "nft", "nftables")
	a, b := testnet.Pair(t, testnet.Link{})
	rules := b.Command(nft, "add table inet t; add chain inet t c { type filter hook input priority 0; }; add rule inet t c log group 5")
	rules.Stderr = t.Output()
	if err := b.Run(rules); err != nil {
		t.Fatalf("nft: %v", err)
	}
	src := openOn(t, b, "nflog:5")
	var want flow.Counters
	for _, v6 := range []bool{false, true} {
		want.Add(testnet.SendUDP(t, a, b, testnet.UDP{V6: v6, Payload: 200, Count: 50}).Counters)
	}
	want.FrameBytes = want.Bytes // there is no link header
	var got flow.Counters
	for end := time.Now().Add(time.Minute); got.Packets < want.Packets && time.Now().Before(end); {
		c, lost, _ := liveTotal(t, src)
		if got.Add(c); lost > 0 {
			t.Fatalf("%d lost", lost)
		}
	}
	if got != want {
		t.Errorf("counted %+v, want %+v", got, want)
	}
}

// Packets without room in libpcap's buffer are lost, and the report has their number.
func TestLiveDrops(t *testing.T) {
	testenv.Privileged(t)
	a, b := testnet.Pair(t, testnet.Link{})
	src := openOn(t, b, b.Name).(*live)
	frame := a.Ethernet(testnet.UnusedMAC, 0x0800, ipv4(0, byte(flow.UDP), make([]byte, 1200)))
	const n = 40_000 // of 1 KiB: more than liveBuffer holds
	src.mu.Lock()
	a.SendFrames(n, frame)
	src.mu.Unlock()
	var got flow.Counters
	lost := uint64(0)
	for end := time.Now().Add(time.Minute); got.Packets+lost < n && time.Now().Before(end); {
		c, l, _ := liveTotal(t, src)
		got.Add(c)
		lost += l
	}
	if got.Packets+lost != n || got.Packets == 0 || lost == 0 || got.FrameBytes != got.Packets*uint64(len(frame)) {
		t.Errorf("%+v counted and %d lost of %d", got, lost, n)
	}
	a.SendFrames(10, frame)
	if got, lost, _ := liveTotal(t, src); got.Packets != 10 || lost != 0 {
		t.Errorf("%d counted and %d lost of 10", got.Packets, lost)
	}
}

// If a device goes away, the run ends after the packets that it has brought.
func TestLiveDeviceGone(t *testing.T) {
	testenv.Privileged(t)
	a, b := testnet.Pair(t, testnet.Link{})
	src := openOn(t, b, b.Name)
	frame := a.Ethernet(testnet.UnusedMAC, 0x0800, ipv4(0, byte(flow.UDP), make([]byte, 20)))
	a.SendFrames(5, frame)
	if got, _, _ := liveTotal(t, src); got.Packets != 5 {
		t.Errorf("%d packets of 5", got.Packets)
	}
	link, err := b.Netlink().LinkByIndex(b.Index)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Netlink().LinkDel(link); err != nil {
		t.Fatal(err)
	}
	err = nil
	for end := time.Now().Add(time.Minute); err == nil && time.Now().Before(end); {
		err = src.Collect(context.Background(), flow.NewBatch(flow.BatchHooks{Records: func([]flow.Record) error { return nil }}))
	}
	if err == nil {
		t.Error("a device that has gone is counted on")
	}
	t.Log(err)
}

func TestLivePermission(t *testing.T) {
	testenv.Privileged(t)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		var none [2]unix.CapUserData
		if err := unix.Capset(&head, &none[0]); err != nil {
			t.Error(err)
			return
		}
		c := &config{live: "lo"}
		src, err := c.Open(context.Background(), liveEnv())
		var missing *registry.CapsError
		if src != nil || !errors.As(err, &missing) || missing.Caps[0] != "cap_net_raw" {
			t.Errorf("Open: %v", err)
		}
		if r := c.Probe(context.Background()); r.Verdict != registry.Inconclusive || !errors.Is(r.Err, registry.ErrPermission) {
			t.Errorf("Probe: %+v", r)
		}
	}()
	<-ended
	if r := (&config{live: "lo"}).Probe(t.Context()); r.Verdict != registry.Supported {
		t.Errorf("Probe: %+v", r)
	}
	if r := (&config{live: "none"}).Probe(t.Context()); r.Verdict != registry.No {
		t.Errorf("Probe of a device that is not there: %+v", r)
	}
}
