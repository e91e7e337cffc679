package bpfflow

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"golang.org/x/sys/unix"

	"github.com/pktstat/pktstat/internal/test/testenv"
)

// cpuLine is what a CPU writes in TestOrder, on a cache line of its own.
type cpuLine struct {
	counts [2]uint64 // by epoch: user space reads and clears them
	all    uint64    // user space never clears it
	_      [5]uint64
}

const orderCPUs = 2

// orderMemory is what the program of TestOrder shares with user space.
type orderMemory struct {
	active uint32
	_      [15]uint32
	cpus   [orderCPUs]cpuLine
}

// counted reports whether each of these CPUs has counted so often.
func (m *orderMemory) counted(cpus unix.CPUSet, times uint64) bool {
	for cpu := range m.cpus {
		if cpus.IsSet(cpu) && atomic.LoadUint64(&m.cpus[cpu].all) < times {
			return false
		}
	}
	return true
}

// orderProgram counts with plain loads and stores, as bpf/table.h does. It takes its time
// between the load of a count and its store.
func orderProgram(t *testing.T, shared *ebpf.Map) *ebpf.Program {
	t.Helper()
	var m orderMemory
	const spins = 1000
	lines, allAt := uint32(unsafe.Offsetof(m.cpus)), int16(unsafe.Offsetof(m.cpus[0].all))
	prog, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Type: ebpf.SchedCLS, License: "MIT",
		Instructions: asm.Instructions{
			asm.FnGetSmpProcessorId.Call(),
			asm.Mov.Reg(asm.R6, asm.R0),
			asm.And.Imm(asm.R6, orderCPUs-1),
			asm.LSh.Imm(asm.R6, 6), // the size of a line
			asm.LoadMapValue(asm.R7, shared.FD(), lines),
			asm.Add.Reg(asm.R7, asm.R6), // the CPU's line
			asm.LoadMapValue(asm.R8, shared.FD(), 0),
			asm.LoadMem(asm.R8, asm.R8, 0, asm.Word),
			asm.And.Imm(asm.R8, 1),
			asm.LSh.Imm(asm.R8, 3),
			asm.Mov.Reg(asm.R1, asm.R7),
			asm.Add.Reg(asm.R1, asm.R8),
			asm.LoadMem(asm.R2, asm.R1, 0, asm.DWord),
			asm.Mov.Imm(asm.R3, 0),
			asm.Add.Imm(asm.R3, 1).WithSymbol("spin"),
			asm.JLT.Imm(asm.R3, spins, "spin"),
			asm.Add.Imm(asm.R2, 1),
			asm.StoreMem(asm.R1, 0, asm.R2, asm.DWord),
			asm.LoadMem(asm.R2, asm.R7, allAt, asm.DWord),
			asm.Add.Imm(asm.R2, 1),
			asm.StoreMem(asm.R7, allAt, asm.R2, asm.DWord),
			asm.Mov.Imm(asm.R0, 0),
			asm.Return(),
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = prog.Close() })
	return prog
}

// TestOrder: while two CPUs count, each epoch that was left has all its counts, and is clear
// when they take it again. The accesses are plain, so that needs the order which sequencer
// describes.
func TestOrder(t *testing.T) {
	testenv.Privileged(t)
	var allowed unix.CPUSet
	if err := unix.SchedGetaffinity(0, &allowed); err != nil {
		t.Fatal(err)
	}
	shared, err := ebpf.NewMap(&ebpf.MapSpec{
		Type: ebpf.Array, KeySize: 4, ValueSize: uint32(unsafe.Sizeof(orderMemory{})), MaxEntries: 1, Flags: unix.BPF_F_MMAPABLE,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = shared.Close() }()
	mapped, err := unix.Mmap(shared.FD(), 0, int(unsafe.Sizeof(orderMemory{})), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Munmap(mapped) }()
	mem := (*orderMemory)(unsafe.Pointer(&mapped[0]))
	seq, err := newSequencer(&mem.active)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = seq.close() }()

	prog := orderProgram(t, shared)
	quit := make(chan struct{})
	var runners sync.WaitGroup
	for cpu := range orderCPUs {
		if allowed.IsSet(cpu) {
			runners.Go(func() { runOn(t, cpu, prog, quit) })
		}
	}
	var sums [orderCPUs]uint64
	collect := func() {
		old, _, err := seq.flip(time.Now)
		if err != nil {
			t.Error(err)
		}
		for cpu := range mem.cpus {
			sums[cpu] += mem.cpus[cpu].counts[old]
			mem.cpus[cpu].counts[old] = 0
		}
	}
	const flips, runs = 100, 5000
	for i := 0; !t.Failed() && (i < flips || !mem.counted(allowed, runs)); i++ {
		collect()
	}
	close(quit)
	runners.Wait()
	collect()
	collect()
	for cpu := range mem.cpus {
		if all := mem.cpus[cpu].all; sums[cpu] != all || allowed.IsSet(cpu) && all == 0 {
			t.Errorf("CPU %d counted %d times; the epochs had %d", cpu, all, sums[cpu])
		}
	}
}

// runOn runs a program on one CPU until quit is closed.
func runOn(t *testing.T, cpu int, prog *ebpf.Program, quit <-chan struct{}) {
	runtime.LockOSThread() // and never unlock it: the thread ends with its affinity
	var only unix.CPUSet
	only.Set(cpu)
	if err := unix.SchedSetaffinity(0, &only); err != nil {
		t.Error(err)
		return
	}
	for {
		select {
		case <-quit:
			return
		default:
		}
		if _, err := prog.Run(&ebpf.RunOptions{Data: make([]byte, 64), Repeat: 100}); err != nil {
			t.Error(err)
			return
		}
	}
}
