package afpacket

import (
	"flag"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/netif/attach"
	"github.com/pktstat/pktstat/internal/test/livetest"
	"github.com/pktstat/pktstat/internal/test/testenv"
	"github.com/pktstat/pktstat/internal/test/testnet"
)

// attachRings opens rings that are smaller than the options allow.
func attachRings(t *testing.T, on *testnet.Iface, l layout) (*counter, attach.Attached) {
	t.Helper()
	c := newCounter(livetest.MaxFlows, time.Now)
	h := &hook{counter: c, layout: func(int) layout { return l }, debugf: t.Logf}
	var a attach.Attached
	err := on.Do(func() (err error) {
		a, err = h.Attach(&attach.Port{Interface: flow.Interface{Index: uint32(on.Index), Name: on.Name}})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	detach := sync.OnceValue(a.Detach)
	a.Detach = detach
	t.Cleanup(func() {
		if err := detach(); err != nil {
			t.Error(err)
		}
	})
	return c, a
}

// counts collects.
func counts(t *testing.T, c *counter) (counted flow.Counters, lost uint64) {
	t.Helper()
	b := flow.NewBatch(flow.BatchHooks{Records: func(rs []flow.Record) error {
		for i := range rs {
			counted.Add(rs[i].Counters)
		}
		return nil
	}})
	if err := c.Collect(b); err != nil {
		t.Fatal(err)
	}
	if err := b.Flush(); err != nil {
		t.Fatal(err)
	}
	counted.Add(b.Overflow.Total())
	if b.Lost.Bytes != 0 || b.Lost.FrameBytes != 0 || b.LostBytesUnknown != (b.Lost.Packets > 0) {
		t.Errorf("lost %+v, bytes unknown: %v", b.Lost, b.LostBytesUnknown)
	}
	return counted, b.Lost.Packets
}

// TestOverload sends more than a ring holds while no reader runs.
func TestOverload(t *testing.T) {
	testenv.Privileged(t)
	a, b := testnet.Pair(t, testnet.Link{})
	c, _ := attachRings(t, b, layout{rings: 1, blocks: 2, blockSize: minBlock})
	frame := a.Ethernet(testnet.UnusedMAC, 0x0800, udp4(46))
	const n = 5000
	for round := range 3 {
		c.readers[0].mu.Lock()
		a.SendFrames(n, frame)
		c.readers[0].mu.Unlock()
		counted, lost := counts(t, c)
		if counted.Packets+lost != n || counted.Packets == 0 || lost == 0 {
			t.Errorf("round %d: %d counted and %d lost of %d", round, counted.Packets, lost, n)
		}
		if counted.FrameBytes != counted.Packets*uint64(len(frame)) {
			t.Errorf("round %d: %+v", round, counted)
		}
	}
	// And then it goes on.
	a.SendFrames(10, frame)
	if counted, lost := counts(t, c); counted.Packets != 10 || lost != 0 {
		t.Errorf("%d counted and %d lost of 10", counted.Packets, lost)
	}
}

var floodPackets = flag.Int("afpacket.packets", 30_000, "that TestConservation sends from a CPU, three times")

// TestConservation floods rings from every CPU during Collect. Each packet is counted or lost,
// once.
func TestConservation(t *testing.T) {
	testenv.Privileged(t)
	for _, rings := range []int{1, 2, 4} {
		a, b := testnet.Pair(t, testnet.Link{})
		c, attached := attachRings(t, b, layout{rings: rings, blocks: 2, blockSize: minBlock})
		var senders sync.WaitGroup
		for cpu := range runtime.NumCPU() {
			senders.Go(func() { flood(t, a, cpu, *floodPackets) })
		}
		over := make(chan struct{})
		go func() { senders.Wait(); close(over) }()
		var counted flow.Counters
		var lost uint64
		take := func() {
			n, l := counts(t, c)
			counted.Add(n)
			lost += l
		}
		for running := true; running; {
			select {
			case <-over:
				running = false
			default:
			}
			take()
		}
		// Detaching counts the packets in the rings.
		flood(t, a, 0, 100)
		if err := b.Do(attached.Detach); err != nil {
			t.Fatal(err)
		}
		take()
		want := uint64(runtime.NumCPU()**floodPackets + 100)
		if counted.Packets+lost != want || counted.Packets == 0 {
			t.Errorf("%d rings: %d counted and %d lost of %d", rings, counted.Packets, lost, want)
		}
		if counted.FrameBytes != counted.Packets*60 {
			t.Errorf("%d rings: %+v", rings, counted)
		}
		t.Logf("%d rings: %d counted and %d lost", rings, counted.Packets, lost)
	}
}

// flood sends frames from a CPU.
func flood(t *testing.T, from *testnet.Iface, cpu, n int) {
	done := make(chan struct{})
	go func() { // the thread ends with the goroutine
		defer close(done)
		runtime.LockOSThread()
		var set unix.CPUSet
		set.Set(cpu)
		if err := unix.SchedSetaffinity(0, &set); err != nil {
			t.Error(err)
		}
		s, err := from.OpenSender()
		if err != nil {
			t.Error(err)
			return
		}
		defer s.Close()
		frame := from.Ethernet(testnet.UnusedMAC, 0x0800, udp4(46))
		for range n {
			if err := s.Send(frame); err != nil {
				t.Error(err)
				return
			}
		}
	}()
	<-done
}

// TestFanout: each flow has its ring, from whichever CPU, and a full ring leaves packets to another
// one.
func TestFanout(t *testing.T) {
	testenv.Privileged(t)
	if runtime.NumCPU() < 2 {
		testenv.Missing(t, "needs two CPUs")
	}
	a, b := testnet.Pair(t, testnet.Link{})
	c, _ := attachRings(t, b, layout{rings: 2, blocks: 4, blockSize: minBlock})
	const n = 100
	flood(t, a, 0, n)
	flood(t, a, 1, n)
	if counted, lost := counts(t, c); counted.Packets != 2*n || lost != 0 {
		t.Errorf("%d counted and %d lost of %d", counted.Packets, lost, 2*n)
	}
	var read []uint64
	for _, r := range c.readers {
		read = append(read, r.read.Load())
	}
	slices.Sort(read)
	if read[0] != 0 || read[1] != 2*n {
		t.Errorf("read by ring: %d, want all by one of them", read)
	}
	full, other := c.readers[0], c.readers[1]
	if full.read.Load() == 0 {
		full, other = other, full
	}

	const many = 5000
	full.mu.Lock()
	flood(t, a, 0, many)
	full.mu.Unlock()
	counted, lost := counts(t, c)
	if counted.Packets+lost != many {
		t.Errorf("%d counted and %d lost of %d", counted.Packets, lost, many)
	}
	if other.read.Load() == 0 {
		t.Error("the ring beside a full one has got nothing")
	}
}

// TestDown: a reader does not poll all the time while the interface is down.
func TestDown(t *testing.T) {
	testenv.Privileged(t)
	a, b := testnet.Pair(t, testnet.Link{})
	c, _ := attachRings(t, b, layout{rings: 1, blocks: 2, blockSize: minBlock})
	link, err := b.Netlink().LinkByIndex(b.Index)
	if err != nil {
		t.Fatal(err)
	}
	frame := a.Ethernet(testnet.UnusedMAC, 0x0800, udp4(46))
	a.SendFrames(3, frame)
	waits := c.readers[0].waits.Load()
	if err := b.Netlink().LinkSetDown(link); err != nil {
		t.Fatal(err)
	}
	time.Sleep(300 * time.Millisecond)
	if n := c.readers[0].waits.Load() - waits; n > 50 {
		t.Errorf("it has waited %d times in vain", n)
	}
	if counted, lost := counts(t, c); counted.Packets != 3 || lost != 0 {
		t.Errorf("down: %d counted and %d lost of 3", counted.Packets, lost)
	}
	if err := b.Netlink().LinkSetUp(link); err != nil {
		t.Fatal(err)
	}
	got := uint64(0)
	for end := time.Now().Add(10 * time.Second); got == 0 && time.Now().Before(end); {
		if s, err := a.OpenSender(); err == nil {
			_ = s.Send(frame) // lost as long as there is no carrier
			_ = s.Close()
		}
		counted, _ := counts(t, c)
		got += counted.Packets
	}
	if got == 0 {
		t.Error("nothing is counted after the interface has come up again")
	}
}
