package bench

import (
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/features"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/kernel/bpfflow"
)

// ours is the program of a backend of this project, loaded as the backend does.
type ours struct {
	label string
	root  string // of a checkout
	parts bool   // XDP: the program for packets of several fragments
}

// The object files of the programs.
var ourObjects = map[Hook]string{HookTC: "backends/tc/tc_bpfel.o", HookXDP: "backends/xdp/xdp_bpfel.o"}

// function returns the name of the program for an Ethernet interface.
func (c ours) function(h Hook) string {
	switch {
	case h == HookTC:
		return "tc_ingress"
	case c.parts:
		return "xdp_ingress_frags"
	}
	return "xdp_ingress"
}

// havePartsHelper reports whether the kernel has the helper of such a program (Linux 5.18).
func havePartsHelper() bool {
	return features.HaveProgramHelper(ebpf.XDP, asm.FnXdpGetBuffLen) == nil
}

func (c ours) name() string { return c.label }

func (c ours) load(o loadOptions) (*program, error) {
	path, function := filepath.Join(c.root, ourObjects[o.hook]), c.function(o.hook)
	spec, err := ebpf.LoadCollectionSpec(path)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	ps, ok := spec.Programs[function]
	if !ok { // an older checkout
		function = strings.Replace(function, "xdp_ingress", "xdp_count", 1)
		ps, ok = spec.Programs[function]
	}
	if !ok {
		return nil, fmt.Errorf("%s has no program %s", path, function)
	}
	spec.Programs = map[string]*ebpf.ProgramSpec{function: ps}
	opts := bpfflow.Options{MaxFlows: o.flows, Now: time.Now}
	if c.parts {
		opts.Constants = map[string]any{"frags": uint32(1)}
	}
	table, err := bpfflow.Load(spec, opts)
	if err != nil {
		return nil, err
	}
	p := &program{
		name: c.label, spec: ps, program: table.Programs[function], entry: table.Programs[function],
		forget: func() error { return forget(table) },
		tally:  func() (tally, error) { return tallyOf(table) },
		read: func() (int, error) {
			t, err := tallyOf(table)
			return len(t.flows), err
		},
		newReporter: func(flows, rows int) reporter { return startEngine(table, flows, rows) },
	}
	p.onClose(table.Close)
	return p, nil
}

// forget empties the tables of both epochs.
func forget(t *bpfflow.Table) error {
	for range 2 {
		if err := t.Collect(flow.NewBatch(flow.BatchHooks{Records: func([]flow.Record) error { return nil }})); err != nil {
			return err
		}
	}
	return nil
}

// tallyOf collects from a table and adds up the records.
func tallyOf(table *bpfflow.Table) (tally, error) {
	var t tally
	b := flow.NewBatch(flow.BatchHooks{Records: func(recs []flow.Record) error {
		for i := range recs {
			t.packets += recs[i].Packets
			t.bytes += recs[i].Bytes
			t.flows = append(t.flows, recs[i].Packets)
		}
		return nil
	}})
	if err := table.Collect(b); err != nil {
		return t, err
	}
	err := b.Flush()
	overflow := b.Overflow.Total()
	t.packets += overflow.Packets
	t.bytes += overflow.Bytes
	return t, err
}
