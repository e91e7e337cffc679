package bpfflow

import (
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"golang.org/x/sys/unix"

	"github.com/pktstat/pktstat/internal/test/testenv"
)

// TestFlipWaits: a program reads the active epoch, waits, and then counts in that epoch. After a
// flip, no program may count in the old epoch.
func TestFlipWaits(t *testing.T) {
	testenv.Privileged(t)
	const activeAt, countsAt, size = 0, 64, 128
	shared, err := ebpf.NewMap(&ebpf.MapSpec{
		Type: ebpf.Array, KeySize: 4, ValueSize: size, MaxEntries: 1, Flags: unix.BPF_F_MMAPABLE,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer shared.Close()
	mem, err := unix.Mmap(shared.FD(), 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Munmap(mem) }()
	counts := (*[2]uint64)(unsafe.Pointer(&mem[countsAt]))

	const spins = 100_000 // about 0.1 ms
	prog, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Type: ebpf.SchedCLS, License: "MIT",
		Instructions: asm.Instructions{
			asm.LoadMapValue(asm.R6, shared.FD(), activeAt),
			asm.LoadMem(asm.R7, asm.R6, 0, asm.Word),
			asm.And.Imm(asm.R7, 1),
			asm.Mov.Imm(asm.R8, 0),
			asm.Add.Imm(asm.R8, 1).WithSymbol("spin"),
			asm.JLT.Imm(asm.R8, spins, "spin"),
			asm.LSh.Imm(asm.R7, 3),
			asm.LoadMapValue(asm.R6, shared.FD(), countsAt),
			asm.Add.Reg(asm.R6, asm.R7),
			asm.LoadMem(asm.R1, asm.R6, 0, asm.DWord),
			asm.Add.Imm(asm.R1, 1),
			asm.StoreMem(asm.R6, 0, asm.R1, asm.DWord),
			asm.Mov.Imm(asm.R0, 0),
			asm.Return(),
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer prog.Close()

	seq, err := newSequencer((*uint32)(unsafe.Pointer(&mem[activeAt])))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := seq.close(); err != nil {
			t.Error(err)
		}
	}()

	quit, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
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
	}()
	defer func() { close(quit); <-ended }()

	for range 50 {
		old, _, err := seq.flip(time.Now)
		if err != nil {
			t.Fatal(err)
		}
		left := atomic.LoadUint64(&counts[old])
		time.Sleep(2 * time.Millisecond)
		if late := atomic.LoadUint64(&counts[old]) - left; late != 0 {
			t.Fatalf("programs counted %d times in the old epoch after flip had returned", late)
		}
	}
	if counts[0] == 0 || counts[1] == 0 {
		t.Errorf("the epochs have %d and %d counts: the program did not run in both", counts[0], counts[1])
	}
}

// TestFlipTime: flip returns the time of the switch, before the wait. Packets during the wait
// belong to the next window.
func TestFlipTime(t *testing.T) {
	testenv.Privileged(t)
	active := new(uint32)
	seq, err := newSequencer(active)
	if err != nil {
		t.Fatal(err)
	}
	// Without its maps, flip cannot wait.
	if err := seq.close(); err != nil {
		t.Fatal(err)
	}
	want := time.Unix(7, 0)
	_, at, err := seq.flip(func() time.Time {
		if *active != 1 {
			t.Error("programs still count in the old epoch")
		}
		return want
	})
	if err == nil || !at.Equal(want) {
		t.Errorf("flip at %v, want %v; error %v: want one of the wait", at, want, err)
	}
}
