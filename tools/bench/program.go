package bench

import (
	"errors"
	"fmt"
	"math/bits"

	"github.com/cilium/ebpf"
)

// contender is a program to measure, not yet loaded.
type contender interface {
	name() string
	load(loadOptions) (*program, error)
}

// loadOptions is what to load a contender for.
type loadOptions struct {
	hook  Hook
	flows int  // number of flows for the tables
	fit   bool // also enlarge peers' tables
}

// program is a loaded contender.
type program struct {
	name    string
	spec    *ebpf.ProgramSpec
	program *ebpf.Program

	// entry is the program to run: the program itself, or the driver before it.
	entry  *ebpf.Program
	driven *driver

	// forget empties its tables; nil if it has none.
	forget func() error
	// tally reads its counters, and may empty its tables; nil if it cannot.
	tally func() (tally, error)
	// read reads all flows into user space, and returns their number. newReporter returns a
	// reporter with at most rows rows (0: all). Both are nil if the program has no tables to read.
	read        func() (int, error)
	newReporter func(flows, rows int) reporter

	closers []func() error
}

// tally is the sum of a program's counters.
type tally struct {
	packets, bytes uint64   // of flows, and of what is in no flow
	flows          []uint64 // packets of each flow
}

func (p *program) close() error {
	var err error
	for _, c := range p.closers {
		err = errors.Join(err, c())
	}
	p.closers = nil
	return err
}

// clear empties its tables.
func (p *program) clear() error {
	if p.forget == nil {
		return nil
	}
	return p.forget()
}

func (p *program) onClose(f func() error) { p.closers = append(p.closers, f) }

// loadAll loads contenders. The caller must close them, also after an error.
func loadAll(all []contender, o loadOptions) (programs, error) {
	var ps programs
	for _, c := range all {
		p, err := c.load(o)
		if err != nil {
			return ps, fmt.Errorf("load %s at %s: %w", c.name(), o.hook, err)
		}
		ps = append(ps, p)
	}
	return ps, nil
}

type programs []*program

func (ps programs) close() error {
	var err error
	for _, p := range ps {
		err = errors.Join(err, p.close())
	}
	return err
}

// empty is the program that does nothing.
type empty struct{}

func (empty) name() string { return Empty }

func (empty) load(o loadOptions) (*program, error) {
	spec, err := loadEmpty()
	if err != nil {
		return nil, err
	}
	return loadFrom(Empty, spec, "empty_"+string(o.hook))
}

// floor is the program that does the least that any table must do.
type floor struct{}

func (floor) name() string { return Floor }

func (floor) load(o loadOptions) (*program, error) {
	load := loadFloorTC
	if o.hook == HookXDP {
		load = loadFloorXDP
	}
	spec, err := load()
	if err != nil {
		return nil, err
	}
	slots := uint32(1) << bits.Len32(uint32(2*o.flows-1)) // at most half full, like the flow table
	spec.Maps["floor4"].MaxEntries = slots
	spec.Maps["floor_wide"].MaxEntries = slots
	if err := spec.Variables["floor_mask"].Set(slots - 1); err != nil {
		return nil, err
	}
	return loadFrom(Floor, spec, "floor_"+string(o.hook))
}

// loadFrom loads one program of a collection, with all its maps.
func loadFrom(name string, spec *ebpf.CollectionSpec, function string) (*program, error) {
	ps, ok := spec.Programs[function]
	if !ok {
		return nil, fmt.Errorf("no program %s", function)
	}
	spec.Programs = map[string]*ebpf.ProgramSpec{function: ps}
	coll, err := ebpf.NewCollection(spec)
	if err != nil {
		return nil, err
	}
	p := &program{name: name, spec: ps, program: coll.Programs[function], entry: coll.Programs[function]}
	p.onClose(func() error { coll.Close(); return nil })
	return p, nil
}
