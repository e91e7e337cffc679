package cgroup

import (
	"encoding/binary"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/kernel/bpfflow"
	"github.com/pktstat/pktstat/internal/test/preempt"
	"github.com/pktstat/pktstat/internal/test/testenv"
	"github.com/pktstat/pktstat/internal/test/testnet"
)

// TestPreemption sends on a CPU on which packets arrive all the time, by interrupts from another
// CPU. So programs interrupt each other in the middle of updates, which a pause makes long. A
// Collect every 20 ms must return every packet and byte that was sent. Without the levels of
// bpf/nesting.h, it does not.
func TestPreemption(t *testing.T) {
	testenv.Privileged(t)
	if runtime.NumCPU() < 2 {
		testenv.Missing(t, "needs two CPUs")
	}
	for _, c := range []struct {
		programs string
		exact    bool
	}{{"guarded", true}, {"careless", false}} {
		t.Run(c.programs, func(t *testing.T) {
			var seen, got, other flow.Counters
			for range 5 { // losing an update takes some luck
				var flows flow.Counters
				seen, flows, other = interrupted(t, c.programs)
				got = flows
				got.Add(other)
				if c.exact || seen != got {
					break
				}
			}
			t.Logf("%d packets, of which %d were counted to no flow, as they had interrupted another one; missing: %+v",
				seen.Packets, other.Packets, seen.Minus(got))
			switch {
			case c.exact && other.IsZero():
				t.Error("nothing was interrupted: this tests nothing")
			case c.exact != (seen == got):
				t.Errorf("seen %+v, counted %+v", seen, got)
			}
		})
	}
}

// interrupted runs the traffic until it has interrupted often. It returns what the programs have
// seen and counted.
func interrupted(t *testing.T, programs string) (seen, flows, other flow.Counters) {
	a, b := testnet.Pair(t, testnet.Link{})
	spec, err := preempt.LoadPreempt()
	if err != nil {
		t.Fatal(err)
	}
	table, err := bpfflow.Load(spec, bpfflow.Options{MaxFlows: 1000, NoFrames: true, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	defer table.Close()
	group, err := openDir(unix.AT_FDCWD, testGroup, testGroup)
	if err != nil {
		t.Fatal(err)
	}
	defer group.Close()

	// Packets to b interrupt CPU 0, wherever they were sent.
	cmd := b.Command(testenv.Tool(t, "ip", "iproute2"), "netns", "exec", b.NetNS(), "sh", "-c",
		"echo 1 > /sys/class/net/"+b.Name+"/queues/rx-0/rps_cpus")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("steer packets: %v: %s", err, out)
	}
	for dir, at := range map[string]ebpf.AttachType{"ingress": ebpf.AttachCGroupInetIngress, "egress": ebpf.AttachCGroupInetEgress} {
		l, err := link.AttachRawLink(link.RawLinkOptions{
			Target: int(group.Fd()), Program: table.Programs[programs+"_"+dir], Attach: at,
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
	}

	var stop atomic.Bool
	var senders sync.WaitGroup
	defer senders.Wait()
	defer stop.Store(true)
	var sink *net.UDPConn
	err = b.Do(func() (err error) {
		sink, err = net.ListenUDP("udp4", &net.UDPAddr{IP: b.IPv4.AsSlice(), Port: 9})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	defer sink.Close()
	for range 2 { // tasks, on the interrupted CPU
		senders.Go(func() { send(t, b, a, 0, &stop) })
	}
	senders.Go(func() { flood(t, a, b, &stop) })

	collect := func() {
		batch := flow.NewBatch(flow.BatchHooks{Records: func(rs []flow.Record) error {
			for i := range rs {
				flows.Add(rs[i].Counters)
			}
			return nil
		}})
		if err := table.Collect(batch); err != nil {
			t.Error(err)
		}
		if err := batch.Flush(); err != nil {
			t.Error(err)
		}
		other.Add(batch.Overflow.Total())
		if full := batch.Overflow[flow.OverflowTableFull]; programs == "guarded" && !full.IsZero() {
			t.Errorf("for a few flows the table was full: %+v", full)
		}
		other.Add(batch.Lost)
	}
	const often = 500
	for begin := time.Now(); time.Since(begin) < 20*time.Second; {
		time.Sleep(20 * time.Millisecond)
		collect()
		if programs == "guarded" && other.Packets > often || programs != "guarded" && time.Since(begin) > 3*time.Second {
			break
		}
	}
	stop.Store(true)
	senders.Wait()
	for quiet := false; !quiet; { // packets under way
		before := seen
		time.Sleep(100 * time.Millisecond)
		if err := table.Variables["seen"].Get(&seen); err != nil {
			t.Fatal(err)
		}
		quiet = seen == before
	}
	collect()
	collect()
	return seen, flows, other
}

// send sends datagrams from a CPU to a closed port.
func send(t *testing.T, from, to *testnet.Iface, cpu int, stop *atomic.Bool) {
	err := from.Do(func() error {
		unpin, err := pin(cpu)
		if err != nil {
			return err
		}
		defer unpin()
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		for !stop.Load() {
			err := unix.Sendto(fd, make([]byte, 32), 0, &unix.SockaddrInet4{Addr: to.IPv4.As4(), Port: 7})
			if err != nil && err != unix.ECONNREFUSED && err != unix.ENOBUFS && err != unix.EINTR {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// flood sends frames from the other CPU to the sink.
func flood(t *testing.T, from, to *testnet.Iface, stop *atomic.Bool) {
	frame := from.Ethernet(to.MAC, 0x0800, udp4(from.IPv4.As4(), to.IPv4.As4(), 50))
	s, err := from.OpenSender()
	if err != nil {
		t.Error(err)
		return
	}
	defer s.Close()
	unpin, err := pin(1)
	if err != nil {
		t.Error(err)
		return
	}
	defer unpin()
	for !stop.Load() {
		_ = s.Send(frame) // a packet without room is not seen either
	}
}

// udp4 returns a datagram to port 9.
func udp4(src, dst [4]byte, length int) []byte {
	p := make([]byte, length)
	p[0], p[8], p[9] = 0x45, 64, 17
	binary.BigEndian.PutUint16(p[2:], uint16(length))
	copy(p[12:], src[:])
	copy(p[16:], dst[:])
	var sum uint32
	for i := 0; i < 20; i += 2 {
		sum += uint32(binary.BigEndian.Uint16(p[i:]))
	}
	sum = sum>>16 + sum&0xffff
	binary.BigEndian.PutUint16(p[10:], ^uint16(sum+sum>>16))
	binary.BigEndian.PutUint16(p[20:], 1)
	binary.BigEndian.PutUint16(p[22:], 9)
	binary.BigEndian.PutUint16(p[24:], uint16(length-20))
	return p
}

// pin keeps the goroutine on a CPU.
func pin(cpu int) (unpin func(), err error) {
	runtime.LockOSThread()
	var before, one unix.CPUSet
	one.Set(cpu)
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		return nil, err
	}
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		return nil, err
	}
	return func() {
		_ = unix.SchedSetaffinity(0, &before) // it was so before
		runtime.UnlockOSThread()
	}, nil
}
