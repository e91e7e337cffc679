package tc

import (
	"encoding/binary"
	"flag"
	"fmt"
	"math/bits"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"golang.org/x/sys/unix"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/kernel/bpfflow"
	"github.com/pktstat/pktstat/internal/test/testenv"
)

var conservePackets = flag.Int("tc.packets", 1_500_000, "of each of TestConservation's four floods on a CPU")

// TestConservation floods a table that is far too small with new flows, and collects every 50 ms.
// The flows come from every CPU, over IPv4 and IPv6, in both directions. The sum must equal the
// packets and bytes that were sent. A few large flows start in the middle of the flood, and must
// have rows.
func TestConservation(t *testing.T) {
	testenv.Privileged(t)
	packets := *conservePackets
	if testing.Short() {
		packets = 100_000
	}
	table := loadTable(t, bpfflow.Options{MaxFlows: 256})
	floods := []*flood{
		newFlood(t, table, "tc_ingress", udp4(64), packets/2),
		newFlood(t, table, "tc_egress", udp4(60), packets/2),
		newFlood(t, table, "tc_ingress", udp6(100), packets/2),
		newFlood(t, table, "tc_egress", udp6(62), packets/2),
	}

	var senders sync.WaitGroup
	for cpu := range runtime.NumCPU() {
		senders.Go(func() {
			pin(t, cpu)
			// Small steps, so that an epoch sees all four.
			for done := false; !done; {
				done = true
				for _, f := range floods {
					done = f.send(t, cpu, 2000, packets) && done
				}
			}
		})
	}
	over := make(chan struct{})
	go func() { senders.Wait(); close(over) }()

	var sum flow.Counters
	large := map[flow.Key]uint64{}
	collect := func() {
		b := flow.NewBatch(flow.BatchHooks{Records: func(records []flow.Record) error {
			for i := range records {
				sum.Add(records[i].Counters)
				if k := records[i].Key.Key(); isElephant(k) {
					large[k] += records[i].Packets
				}
			}
			return nil
		}})
		if err := table.Collect(b); err != nil {
			t.Error(err)
		}
		if err := b.Flush(); err != nil {
			t.Error(err)
		}
		sum.Add(b.Overflow.Total())
	}
	epochs := 0
	for tick := time.NewTicker(50 * time.Millisecond); ; epochs++ {
		select {
		case <-over:
			collect()
			check(t, floods, sum, large)
			t.Logf("%d epochs", epochs)
			return
		case <-tick.C:
			collect()
		}
	}
}

func check(t *testing.T, floods []*flood, sum flow.Counters, large map[flow.Key]uint64) {
	t.Helper()
	var want flow.Counters
	for _, f := range floods {
		n := f.sent(t)
		l := uint64(len(f.frame))
		want.Add(flow.Counters{Packets: n, Bytes: n * (l - ethernetLen), FrameBytes: n * l})
	}
	if sum != want {
		t.Errorf("counted %+v\nsent    %+v\nmissing %+v", sum, want, want.Minus(sum))
	}
	t.Logf("%d packets", want.Packets)
	if len(large) != len(floods)*elephants {
		t.Errorf("%d large flows found of %d", len(large), len(floods)*elephants)
	}
	for k, n := range large {
		// From the middle of the flood on, each has one packet of a hundred.
		if share := want.Packets / uint64(len(floods)) / 2 / 100; n < share*8/10 {
			t.Errorf("of about %d packets of %v only %d are in its row", share, k, n)
		}
	}
}

// TestOverflow gives one flow more in an epoch than its counters hold. It sends the largest
// possible super-frames, until packets and overhead have exceeded 32 bits.
func TestOverflow(t *testing.T) {
	testenv.Privileged(t)
	table := loadTable(t, bpfflow.Options{MaxFlows: 1})
	frame := udp4(64)
	ctx := skbContext{segments: 65535, segmentSize: 1}
	const runs = 80_000
	for range runs { // one at a time: a signal ends repetitions early, without a report
		if _, err := table.Programs["tc_ingress"].Run(&ebpf.RunOptions{Data: frame, Context: ctx.bytes()}); err != nil {
			t.Fatal(err)
		}
	}
	records, sum := collect(t, table)
	if sum.IsZero() || len(records) == 0 {
		t.Fatalf("%d records and other %+v: want some of the flow's packets in each", len(records), sum)
	}
	for i := range records { // one for each CPU on which it ran
		if records[i].Key != records[0].Key {
			t.Errorf("another flow: %+v", records[i])
		}
		sum.Add(records[i].Counters)
	}
	const segments, headers = 65535, 20 + 8
	bytes := uint64(len(frame) - ethernetLen + (segments-1)*headers)
	want := flow.Counters{
		Packets: runs * segments, Bytes: runs * bytes, FrameBytes: runs * (bytes + segments*ethernetLen),
	}
	if sum != want {
		t.Errorf("counted %+v\nsent    %+v", sum, want)
	}
	if bits.Len64(want.Packets) <= 32 || bits.Len64(want.FrameBytes-want.Bytes) <= 32 {
		t.Fatal("nothing overflows")
	}
}

// TestLateCPU counts on a CPU without a shard, as if it came online after the load.
func TestLateCPU(t *testing.T) {
	testenv.Privileged(t)
	last := runtime.NumCPU() - 1
	if last == 0 {
		testenv.Missing(t, "needs two CPUs")
	}
	table := loadTable(t, bpfflow.Options{MaxFlows: 1, Constants: map[string]any{"shards": uint32(last)}})
	frames := [][]byte{udp4(64), udp6(100), append(make([]byte, 12), 0x88, 0xcc, 1, 2, 3, 4)}
	const runs = 1000
	done := make(chan struct{})
	go func() {
		defer close(done)
		pin(t, last)
		for _, f := range frames {
			for range runs {
				if _, err := table.Programs["tc_egress"].Run(&ebpf.RunOptions{Data: f}); err != nil {
					t.Error(err)
					return
				}
			}
		}
	}()
	<-done
	records, other := collect(t, table)
	want := flow.Counters{Packets: 3 * runs, Bytes: runs * (50 + 86), FrameBytes: runs * (64 + 100 + 18)}
	if len(records) != 0 || other != want {
		t.Errorf("%d records and other %+v, want other %+v", len(records), other, want)
	}
}

// TestWake: a shard that fills wakes the engine.
func TestWake(t *testing.T) {
	testenv.Privileged(t)
	table := loadTable(t, bpfflow.Options{MaxFlows: 256})
	f := newFlood(t, table, "tc_ingress", udp4(60), 1<<30)
	pinned := make(chan struct{})
	go func() {
		defer close(pinned)
		pin(t, 0)
		f.send(t, 0, 100, 1<<30)
	}()
	<-pinned
	select {
	case <-table.Wake():
		t.Error("woken by 100 flows of 512")
	case <-time.After(300 * time.Millisecond):
	}
	again := make(chan struct{})
	go func() {
		defer close(again)
		pin(t, 0)
		f.send(t, 0, 300, 1<<30)
	}()
	<-again
	select {
	case <-table.Wake():
	case <-time.After(5 * time.Second):
		t.Error("not woken by 400 flows of 512")
	}
}

const (
	elephants     = 10
	elephantEvery = 10 // packets
	firstMouse    = 16 // numbers below are elephants'
)

// flood makes a program count many flows. At every repetition of a test run, it gives the packet
// another source address, and calls the program.
type flood struct {
	prog  *ebpf.Program
	calls *ebpf.Map // per CPU: packets made
	frame []byte
}

// newFlood returns a flood of new flows. After the first late packets of a CPU, every tenth
// belongs to one of ten large flows.
func newFlood(t *testing.T, table *bpfflow.Table, program string, frame []byte, late int) *flood {
	t.Helper()
	f := &flood{frame: frame}
	var err error
	f.calls, err = ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.PerCPUArray, KeySize: 4, ValueSize: 8, MaxEntries: 1})
	if err != nil {
		t.Fatal(err)
	}
	target, err := ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.ProgramArray, KeySize: 4, ValueSize: 4, MaxEntries: 1})
	if err != nil {
		t.Fatal(err)
	}
	if err := target.Put(uint32(0), table.Programs[program]); err != nil {
		t.Fatal(err)
	}
	const data, dataEnd = 76, 80 // struct __sk_buff
	source := int16(ethernetLen + 12)
	if binary.BigEndian.Uint16(frame[12:]) == uint16(flow.EtherTypeIPv6) {
		source = ethernetLen + 8 + 12
	}
	f.prog, err = ebpf.NewProgram(&ebpf.ProgramSpec{
		Type: ebpf.SchedCLS, License: "MIT",
		Instructions: asm.Instructions{
			asm.Mov.Reg(asm.R6, asm.R1),
			asm.StoreImm(asm.RFP, -4, 0, asm.Word),
			asm.LoadMapPtr(asm.R1, f.calls.FD()),
			asm.Mov.Reg(asm.R2, asm.RFP),
			asm.Add.Imm(asm.R2, -4),
			asm.FnMapLookupElem.Call(),
			asm.JEq.Imm(asm.R0, 0, "failed"),
			asm.LoadMem(asm.R7, asm.R0, 0, asm.DWord), // number of the packet
			asm.Mov.Reg(asm.R1, asm.R7),
			asm.Add.Imm(asm.R1, 1),
			asm.StoreMem(asm.R0, 0, asm.R1, asm.DWord),
			// Number of the flow.
			asm.Mov.Reg(asm.R8, asm.R7),
			asm.Add.Imm(asm.R8, firstMouse),
			asm.JLT.Imm(asm.R7, int32(late), "rewrite"),
			asm.Mov.Reg(asm.R1, asm.R7),
			asm.Mod.Imm(asm.R1, elephantEvery),
			asm.JNE.Imm(asm.R1, elephantEvery-1, "rewrite"),
			asm.Div.Imm(asm.R7, elephantEvery),
			asm.Mod.Imm(asm.R7, elephants),
			asm.Mov.Reg(asm.R8, asm.R7),
			// Big-endian, so that the test can read the number from the address.
			asm.HostTo(asm.BE, asm.R8, asm.Word).WithSymbol("rewrite"),
			asm.LoadMem(asm.R1, asm.R6, data, asm.Word),
			asm.LoadMem(asm.R2, asm.R6, dataEnd, asm.Word),
			asm.Mov.Reg(asm.R3, asm.R1),
			asm.Add.Imm(asm.R3, int32(source)+4),
			asm.JGT.Reg(asm.R3, asm.R2, "failed"),
			asm.StoreMem(asm.R1, source, asm.R8, asm.Word),
			asm.Mov.Reg(asm.R1, asm.R6),
			asm.LoadMapPtr(asm.R2, target.FD()),
			asm.Mov.Imm(asm.R3, 0),
			asm.FnTailCall.Call(),
			asm.Mov.Imm(asm.R0, 2).WithSymbol("failed"),
			asm.Return(),
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = f.prog.Close()
		_ = f.calls.Close()
		_ = target.Close() // a program array lasts as long as a file descriptor of it
	})
	return f
}

// isElephant recognises the large flows by their source.
func isElephant(k flow.Key) bool {
	b := k.Src.Addr().AsSlice()
	return binary.BigEndian.Uint32(b[len(b)-4:]) < elephants
}

// send makes n packets on this CPU, up to total in all. It reports whether total is reached.
func (f *flood) send(t *testing.T, cpu, n, total int) bool {
	if int(f.count(t)[cpu]) >= total {
		return true
	}
	verdict, err := f.prog.Run(&ebpf.RunOptions{Data: f.frame, Repeat: uint32(n)})
	if err != nil {
		t.Error(err)
		return true
	}
	if int32(verdict) != -1 {
		t.Errorf("verdict %d", int32(verdict))
		return true
	}
	return false
}

func (f *flood) count(t *testing.T) (perCPU []uint64) {
	if err := f.calls.Lookup(uint32(0), &perCPU); err != nil {
		t.Error(err)
	}
	return perCPU
}

func (f *flood) sent(t *testing.T) (sum uint64) {
	for _, n := range f.count(t) {
		sum += n
	}
	return sum
}

// pin ties the goroutine to a CPU for good.
func pin(t *testing.T, cpu int) {
	runtime.LockOSThread()
	var set unix.CPUSet
	set.Set(cpu)
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		t.Error(fmt.Errorf("pin to CPU %d: %w", cpu, err))
	}
}

// udp4 returns a UDP datagram over IPv4 in a frame of n bytes.
func udp4(n int) []byte {
	b := make([]byte, n)
	binary.BigEndian.PutUint16(b[12:], uint16(flow.EtherTypeIPv4))
	ip := b[ethernetLen:]
	ip[0], ip[8], ip[9] = 0x45, 64, byte(flow.UDP)
	binary.BigEndian.PutUint16(ip[2:], uint16(len(ip)))
	copy(ip[12:], []byte{198, 18, 0, 1, 198, 18, 0, 2})
	binary.BigEndian.PutUint32(ip[20:], flow.Ports(40000, 9))
	return b
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
