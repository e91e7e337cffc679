package testnet

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/test/testenv"
)

// TestKnownTraffic: both ends count exactly what the senders report, and a quiet link carries
// nothing else.
func TestKnownTraffic(t *testing.T) {
	testenv.Privileged(t)
	a, b := Pair(t, Link{})
	for _, v6 := range []bool{false, true} {
		t.Run(fmt.Sprintf("v6=%v", v6), func(t *testing.T) {
			startA, startB := a.Stats(), b.Stats()
			udp := SendUDP(t, a, b, UDP{V6: v6, Payload: 333, Count: 50})
			requests, replies := SendPing(t, a, b, Ping{V6: v6, Payload: 41, Count: 20})
			out, in := udp.Counters, replies.Counters
			out.Add(requests.Counters)
			gotA, gotB := a.Settle().Minus(startA), b.Settle().Minus(startB)
			want := Stats{
				TxPackets: out.Packets, TxBytes: out.FrameBytes, RxPackets: in.Packets, RxBytes: in.FrameBytes,
			}
			if gotA != want {
				t.Errorf("sender counted %+v, want %+v", gotA, want)
			}
			want = Stats{
				RxPackets: out.Packets, RxBytes: out.FrameBytes, TxPackets: in.Packets, TxBytes: in.FrameBytes,
			}
			if gotB != want {
				t.Errorf("receiver counted %+v, want %+v", gotB, want)
			}
		})
	}
}

func TestFlowLengths(t *testing.T) {
	testenv.Privileged(t)
	a, b := Pair(t, Link{})
	u4 := SendUDP(t, a, b, UDP{Payload: 100, Count: 3})
	if want := (flow.Counters{Packets: 3, Bytes: 3 * 128, FrameBytes: 3 * 142}); u4.Counters != want {
		t.Errorf("UDP over IPv4: %+v, want %+v", u4.Counters, want)
	}
	_, r6 := SendPing(t, a, b, Ping{V6: true, Payload: 100, Count: 3})
	if want := (flow.Counters{Packets: 3, Bytes: 3 * 148, FrameBytes: 3 * 162}); r6.Counters != want {
		t.Errorf("echo replies over IPv6: %+v, want %+v", r6.Counters, want)
	}
	if r6.Key.Subtype != 129<<8 || r6.Key.Src.Addr() != b.IPv6 || r6.Key.Dst.Addr() != a.IPv6 {
		t.Errorf("key of the replies: %+v", r6.Key)
	}
}

// TestQuiet: a quiet link stays quiet for longer than every timer of ND, MLD and IGMP.
func TestQuiet(t *testing.T) {
	testenv.Privileged(t)
	a, b := Pair(t, Link{})
	time.Sleep(2500 * time.Millisecond)
	if s := a.Stats(); s != (Stats{}) {
		t.Errorf("%s counted %+v before anything was sent", a, s)
	}
	if s := b.Stats(); s != (Stats{}) {
		t.Errorf("%s counted %+v before anything was sent", b, s)
	}
}

func TestChatty(t *testing.T) {
	testenv.Privileged(t)
	a, b := Pair(t, Link{Chatty: true})
	start := a.Stats()
	udp := SendUDP(t, a, b, UDP{V6: true, Payload: 10, Count: 5})
	SendUDP(t, a, b, UDP{Payload: 10, Count: 5})
	got := a.Stats().Minus(start)
	if got.TxPackets < 2*udp.Packets+2 || got.RxPackets < 2 {
		t.Errorf("no ARP or neighbour discovery beside the datagrams: %+v", got)
	}
}

// TestOffloads: with offloads, a veth pair carries super-frames; without, packets as on a wire.
func TestOffloads(t *testing.T) {
	testenv.Privileged(t)
	const size, mss = 4 << 20, 1448 // with TCP timestamps
	for _, on := range []bool{true, false} {
		t.Run(fmt.Sprintf("offloads=%v", on), func(t *testing.T) {
			a, b := Pair(t, Link{Offloads: on})
			SendTCP(t, a, b, TCP{Request: size, Reply: 1000})
			s := b.Settle()
			if wire := uint64(size / mss); (s.RxPackets < wire) != on {
				t.Errorf("%d packets received where a wire would carry %d", s.RxPackets, wire)
			}
			if s.RxBytes < size || s.RxDropped+s.TxDropped != 0 {
				t.Errorf("counted %+v for %d bytes of payload", s, size)
			}
		})
	}
}

func TestSendFrames(t *testing.T) {
	testenv.Privileged(t)
	a, b := Pair(t, Link{MTU: 9000})
	small, large := a.Ethernet(b.MAC, 0x88b5, make([]byte, 46)), a.Ethernet(b.MAC, 0x88b5, make([]byte, 9000))
	a.SendFrames(10, small, large)
	want := Stats{RxPackets: 20, RxBytes: 10 * (60 + 9014), RxDropped: 20} // no host handles type 0x88b5
	if got := b.Settle(); got != want {
		t.Errorf("received %+v, want %+v", got, want)
	}
	s, err := a.OpenSender()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Send(a.Ethernet(b.MAC, 0x88b5, make([]byte, 9001))); !errors.Is(err, unix.EMSGSIZE) {
		t.Errorf("a frame larger than the MTU: %v, want EMSGSIZE", err)
	}
}

func TestRetransmits(t *testing.T) {
	testenv.Privileged(t)
	a, b := Pair(t, Link{})
	if n := a.Retransmits(); n != 0 {
		t.Errorf("%d retransmits before the first segment", n)
	}
	if err := b.nl.LinkSetDown(b.link); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = a.Do(func() error { // the connection times out
			_, err := net.DialTimeout("tcp", net.JoinHostPort(b.IPv4.String(), "1"), 5*time.Second)
			return err
		})
	}()
	for deadline := time.Now().Add(10 * time.Second); a.Retransmits() == 0; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the host did not retransmit the SYN to a host that is down")
		}
	}
}

func TestInside(t *testing.T) {
	testenv.Privileged(t)
	a, _ := Pair(t, Link{})
	cmd := a.Command("cat", "/proc/self/net/dev")
	var out strings.Builder
	cmd.Stdout = &out
	if err := a.Run(cmd); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), a.Name+":") {
		t.Errorf("no %s among the interfaces that a command inside sees:\n%s", a.Name, &out)
	}
	boom := errors.New("boom")
	if err := a.Do(func() error { return boom }); !errors.Is(err, boom) {
		t.Errorf("Do returned %v", err)
	}
	before, err := netns.Get()
	if err != nil {
		t.Fatal(err)
	}
	defer before.Close()
	if before.Equal(a.ns) {
		t.Error("the test's own thread is in the host")
	}
}

func TestRemovedAtTheEnd(t *testing.T) {
	testenv.Privileged(t)
	var names []string
	t.Run("net", func(t *testing.T) {
		a, b := Pair(t, Link{})
		names = append(names, a.NetNS(), b.NetNS())
		exists(t, a.NetNS(), true)
	})
	for _, n := range names {
		exists(t, n, false)
	}
}

// childEnv makes the test binary build a network, and wait until the test kills it.
const childEnv = "TESTNET_CHILD"

func TestStaleAreRemoved(t *testing.T) {
	testenv.Privileged(t)
	if os.Getenv(childEnv) != "" {
		fmt.Println(NewHost(t).NetNS())
		time.Sleep(time.Minute)
		return
	}
	alive := NewHost(t)
	child := exec.Command(os.Args[0], "-test.run=^TestStaleAreRemoved$")
	child.Env = append(os.Environ(), childEnv+"=1")
	stdout, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	name, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatalf("the child printed no name: %v", err)
	}
	name = strings.TrimSpace(name)
	exists(t, name, true)
	removeStale()
	exists(t, name, true) // its process is alive
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait() // "signal: killed"
	removeStale()
	exists(t, name, false)
	exists(t, alive.NetNS(), true)
}

func exists(t *testing.T, name string, want bool) {
	t.Helper()
	_, err := os.Stat(filepath.Join(nsDir, name))
	if (err == nil) != want {
		t.Errorf("namespace %s exists: %v, want %v (%v)", name, err == nil, want, err)
	}
}

func TestOwnerOf(t *testing.T) {
	for name, want := range map[string]int{
		"pktstat-123-4": 123, "pktstat-123-4x": 0, "pktstat-123": 0, "other-1-2": 0, "pktstat-012-1": 0,
	} {
		pid, ok := ownerOf(name)
		if ok != (want != 0) || ok && pid != want {
			t.Errorf("ownerOf(%q) = %d, %v; want %d", name, pid, ok, want)
		}
	}
}
