package xdp

import (
	"encoding/binary"
	"errors"
	"flag"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"golang.org/x/sys/unix"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/test/livetest"
	"github.com/pktstat/pktstat/internal/test/testenv"
	"github.com/pktstat/pktstat/internal/test/testnet"
)

// TestConservation sends frames of many more flows than the table holds, from every CPU, and
// collects every 50 ms. The link has a queue for each CPU. The counts must equal the packets and
// bytes that the interface has received.
func TestConservation(t *testing.T) {
	testenv.Privileged(t)
	for _, mode := range modes {
		t.Run(mode, func(t *testing.T) {
			a, b := testnet.Pair(t, testnet.Link{Queues: runtime.NumCPU()})
			s := livetest.Open(t, "xdp", args(mode), b)
			before := b.Settle()
			send, uncounted := sendFrames, uint64(0)
			switch {
			case mode == modeNative && haveFrags() == nil: // 5.18 has both
				send = generate
			case mode == modeNative:
				uncounted = ethernetLen // of packets that arrive as an skb (testnet.Stats)
			}
			var senders sync.WaitGroup
			for cpu := range runtime.NumCPU() {
				senders.Go(func() {
					err := a.Do(func() error { return pinned(cpu, func() error { return send(a, cpu) }) })
					if err != nil {
						t.Errorf("CPU %d: %v", cpu, err)
					}
				})
			}
			over := make(chan struct{})
			go func() { senders.Wait(); close(over) }()

			var flows, other flow.Counters
			collect := func() {
				o, lost := s.Collect(func(rs []flow.Record) {
					for i := range rs {
						flows.Add(rs[i].Counters)
					}
				})
				other.Add(o)
				other.Add(lost)
			}
			tooMany := uint64(2 * 2 * 2 * livetest.MaxFlows * runtime.NumCPU()) // twice the slots for IPv4 and the rest
			epochs, full := 0, false
			for tick := time.NewTicker(50 * time.Millisecond); ; epochs++ {
				select {
				case <-over:
				case <-tick.C:
					// The first epoch lasts until the table is full.
					if full = full || b.Stats().Minus(before).RxPackets > tooMany; full {
						collect()
					}
					continue
				}
				break
			}
			wire := b.Settle().Minus(before)
			collect()
			sum := flows
			sum.Add(other)
			frames := wire.RxBytes + uncounted*wire.RxPackets
			want := flow.Counters{Packets: wire.RxPackets, Bytes: frames - ethernetLen*wire.RxPackets, FrameBytes: frames}
			if sum != want {
				t.Errorf("counted  %+v\nreceived %+v\nmissing  %+v", sum, want, want.Minus(sum))
			}
			if flows.IsZero() || other.IsZero() {
				t.Errorf("of flows %+v, of others %+v: the table was not too small", flows, other)
			}
			t.Logf("%d packets, %d of them not in a flow, %d epochs", sum.Packets, other.Packets, epochs)
		})
	}
}

var floodPackets = flag.Int("xdp.packets", 200_000, "of each kind that TestConservation sends from a CPU at once")

// sendFrames sends through a packet socket. The receiver may drop some: a link to an
// interface with XDP has a queue.
func sendFrames(a *testnet.Iface, cpu int) error {
	s, err := a.OpenSender()
	if err != nil {
		return err
	}
	defer s.Close()
	for n := range uint32(*floodPackets / 2) {
		for _, f := range [][]byte{udp4(64), udp6(100)} {
			binary.BigEndian.PutUint32(f[sourceAt(f):], n<<8|uint32(cpu))
			if err := s.Send(f); err != nil && !errors.Is(err, unix.ENOBUFS) {
				return err
			}
		}
	}
	return nil
}

// generate sends from driver to driver, as fast as possible: the receiver may drop some.
func generate(a *testnet.Iface, _ int) error {
	const liveFrames = 1 << 1 // BPF_F_TEST_XDP_LIVE_FRAMES
	for range 5 {
		for _, f := range [][]byte{udp4(64), udp6(100)} {
			prog, err := newGenerator(a.Index, sourceAt(f))
			if err != nil {
				return err
			}
			_, err = prog.Run(&ebpf.RunOptions{Data: f, Repeat: uint32(*floodPackets), Flags: liveFrames})
			if err := errors.Join(err, prog.Close()); err != nil {
				return err
			}
		}
	}
	return nil
}

// newGenerator returns a program that gives each packet a random source, and sends it
// out of an interface.
func newGenerator(index int, source int16) (*ebpf.Program, error) {
	return ebpf.NewProgram(&ebpf.ProgramSpec{
		Type: ebpf.XDP, License: "MIT",
		Instructions: asm.Instructions{
			asm.Mov.Reg(asm.R6, asm.R1),
			asm.FnGetPrandomU32.Call(),
			asm.LoadMem(asm.R1, asm.R6, 0, asm.Word), // data and data_end of struct xdp_md
			asm.LoadMem(asm.R2, asm.R6, 4, asm.Word),
			asm.Mov.Reg(asm.R3, asm.R1),
			asm.Add.Imm(asm.R3, int32(source)+4),
			asm.JGT.Reg(asm.R3, asm.R2, "short"),
			asm.StoreMem(asm.R1, source, asm.R0, asm.Word),
			asm.Mov.Imm(asm.R1, int32(index)),
			asm.Mov.Imm(asm.R2, 0),
			asm.FnRedirect.Call(),
			asm.Return(),
			asm.Mov.Imm(asm.R0, 0).WithSymbol("short"), // XDP_ABORTED
			asm.Return(),
		},
	})
}

// sourceAt is the offset of the last four bytes of the source address.
func sourceAt(frame []byte) int16 {
	if binary.BigEndian.Uint16(frame[12:]) == uint16(flow.EtherTypeIPv6) {
		return ethernetLen + 8 + 12
	}
	return ethernetLen + 12
}

// pinned runs f on one CPU; the goroutine is tied to its thread.
func pinned(cpu int, f func() error) error {
	var all, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		return err
	}
	one.Set(cpu)
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		return err
	}
	return errors.Join(f(), unix.SchedSetaffinity(0, &all))
}

// udp6 returns a UDP datagram over IPv6 in a frame of n bytes.
func udp6(n int) []byte {
	b := make([]byte, n)
	binary.BigEndian.PutUint16(b[12:], uint16(flow.EtherTypeIPv6))
	ip := b[ethernetLen:]
	ip[0], ip[6], ip[7] = 0x60, byte(flow.UDP), 64
	binary.BigEndian.PutUint16(ip[4:], uint16(len(ip)-40))
	ip[8], ip[24], ip[39] = 0xfd, 0xfd, 2
	binary.BigEndian.PutUint32(ip[40:], flow.Ports(40000, 9))
	return b
}
