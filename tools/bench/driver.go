package bench

import (
	"fmt"

	"github.com/cilium/ebpf"
)

// driver calls a program under test for packets of many flows.
type driver struct {
	positions *ebpf.Variable
	failed    uint32 // its verdict if it could not call the program
}

// Modes of bpf/driver.bpf.c.
const (
	modeSequence = 0
	modeFlood    = 1

	elephants     = 10 // flood: every elephantEvery-th packet belongs to one of them
	elephantEvery = 10
)

// traffic is how a driver changes its packet.
type traffic struct {
	sequence      *sequence // nil for a flood
	elephantsFrom int       // flood: number of packets before the first elephant
	target        int       // live frames: the interface to redirect to
}

// drive puts a driver before p. Closing p closes the driver.
func (p *program) drive(t traffic) error {
	function := "drive_" + string(HookTC)
	failed := uint32(2) // TC_ACT_SHOT
	if p.spec.Type == ebpf.XDP {
		function, failed = "drive_"+string(HookXDP), 0 // XDP_ABORTED
	}
	coll, err := loadDriverFor(function, t, func(s *ebpf.ProgramSpec) {
		// The kernel lets a program call only one that was loaded like it.
		s.AttachType, s.Flags = p.spec.AttachType, p.spec.Flags
	})
	if err != nil {
		return fmt.Errorf("driver of %s: %w", p.name, err)
	}
	p.onClose(func() error { coll.Close(); return nil })
	if err := coll.Maps["under_test"].Put(uint32(0), p.program); err != nil {
		return fmt.Errorf("driver of %s: %w", p.name, err)
	}
	p.entry = coll.Programs[function]
	p.driven = &driver{positions: coll.Variables["positions"], failed: failed}
	return nil
}

// loadDriverFor loads one program of the driver.
func loadDriverFor(function string, t traffic, change func(*ebpf.ProgramSpec)) (*ebpf.Collection, error) {
	spec, err := loadDriver()
	if err != nil {
		return nil, err
	}
	ps := spec.Programs[function]
	change(ps)
	spec.Programs = map[string]*ebpf.ProgramSpec{function: ps}

	constants := map[string]any{
		"mode": uint32(modeSequence), "elephants_from": uint32(t.elephantsFrom), "target_ifindex": uint32(t.target),
	}
	opts := ebpf.CollectionOptions{}
	if t.sequence == nil {
		constants["mode"] = uint32(modeFlood)
	} else {
		constants["sequence_mask"] = uint32(t.sequence.len - 1)
		spec.Maps["sequence"].MaxEntries = uint32(t.sequence.len)
		opts.MapReplacements = map[string]*ebpf.Map{"sequence": t.sequence.m}
	}
	for name, value := range constants {
		if err := spec.Variables[name].Set(value); err != nil {
			return nil, err
		}
	}
	return ebpf.NewCollectionWithOptions(spec, opts)
}

// position is a CPU's place in its sequence, as in bpf/driver.bpf.c.
type position struct {
	N uint64
	_ [7]uint64
}

const maxCPUs = 256

// seek makes packet n the next one on every CPU.
func (d *driver) seek(n int) error {
	var at [maxCPUs]position
	for i := range at {
		at[i].N = uint64(n)
	}
	if err := d.positions.Set(&at); err != nil {
		return fmt.Errorf("set the driver's position: %w", err)
	}
	return nil
}

// position returns the number of the CPU's next packet.
func (d *driver) position(cpu int) (int, error) {
	var at [maxCPUs]position
	if err := d.positions.Get(&at); err != nil {
		return 0, fmt.Errorf("read the driver's position: %w", err)
	}
	return int(at[cpu].N), nil
}
