package kprobe

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"

	"github.com/pktstat/pktstat/internal/kernel/bpfflow"
	"github.com/pktstat/pktstat/internal/kernel/bpfprobe"
	"github.com/pktstat/pktstat/internal/kernel/retransmit"
	"github.com/pktstat/pktstat/registry"
)

// hookAuto takes the first of hooks that works.
const hookAuto = "auto"

// hook is a way in which the kernel calls programs. The names of its programs begin with its
// name.
type hook struct {
	name, since string
	attach      func(function string, p *ebpf.Program) (link.Link, error)
	inexact     bool        // it can miss packets silently
	switches    []offSwitch // by which a user turns it off
	notes       []string
}

// hooks, the best first. The kernel counts what fentry misses. Many kernels skip kprobes silently
// when they interrupt one another.
var hooks = []hook{
	{
		name: "fentry", since: bpfprobe.FEntrySince(), switches: []offSwitch{{file: switchFtrace}},
		attach: func(_ string, p *ebpf.Program) (link.Link, error) {
			return link.AttachTracing(link.TracingOptions{Program: p})
		},
	},
	{
		name: "kprobe", since: "4.17", inexact: true,
		attach:   attachKprobe,
		switches: []offSwitch{{file: switchFtrace, applies: kprobesUseFtrace}, {file: switchKprobes}},
		notes:    []string{"a packet that interrupts the counting of another one can be missed, and older kernels do not report it"},
	},
	{
		name: "tracepoint", since: "4.17",
		attach: func(function string, p *ebpf.Program) (link.Link, error) {
			return link.AttachRawTracepoint(link.RawTracepointOptions{Name: function, Program: p})
		},
		notes: []string{"counted at devices, so what packet sockets send counts, too"},
	},
}

// open opens a source at the hook of that name. For auto, it tries the next hook after any error
// except missing capabilities.
func open(ctx context.Context, name string, o bpfflow.Options) (*source, error) {
	if err := bpfprobe.NeedBTF(); err != nil {
		return nil, err
	}
	var last error
	for i := range hooks {
		h := &hooks[i]
		if name != hookAuto && name != h.name {
			continue
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		s, err := h.open(o)
		if err == nil {
			return s, nil
		}
		err = explain(err)
		if name != hookAuto || errors.Is(err, registry.ErrPermission) {
			return nil, err
		}
		if o.Debugf != nil {
			o.Debugf("%v", err)
		}
		last = err
	}
	return nil, last
}

// open loads the programs of a hook and attaches them.
func (h *hook) open(o bpfflow.Options) (_ *source, err error) {
	s := &source{hook: h}
	defer func() {
		if err != nil {
			err = fmt.Errorf("%s: %w", h.name, errors.Join(err, s.Close()))
		}
	}()
	if err := h.isOn(); err != nil {
		return nil, err
	}
	spec, err := loadKprobe()
	if err != nil {
		return nil, err
	}
	for name := range spec.Programs {
		if !strings.HasPrefix(name, h.name+"_") {
			delete(spec.Programs, name)
		}
	}
	o.NoFrames = true
	if s.table, err = bpfflow.Load(spec, o); err != nil {
		return nil, err
	}
	for name, p := range s.table.Programs {
		function := spec.Programs[name].AttachTo
		l, err := h.attach(function, p)
		if err != nil {
			return nil, fmt.Errorf("attach to %s: %w", function, err)
		}
		s.probes = append(s.probes, &attached{program: p, link: l})
	}
	s.resends = retransmit.Open(retransmit.Options{Sockets: true, Alone: true, Explain: explain})
	return s, nil
}

// attachKprobe attaches by the kernel's perf PMU. Without a PMU, package link would use tracefs,
// whose probes outlive a process that is killed.
func attachKprobe(function string, p *ebpf.Program) (link.Link, error) {
	const sources = "/sys/bus/event_source/devices"
	if _, err := os.Stat(sources); err != nil {
		return nil, fmt.Errorf("not tried, as sysfs is not mounted on /sys: %w", err)
	}
	if _, err := os.Stat(sources + "/kprobe"); err != nil {
		return nil, fmt.Errorf("%w: the kernel has no kprobes (CONFIG_KPROBE_EVENTS)", registry.ErrUnsupported)
	}
	return link.Kprobe(function, p, nil)
}
