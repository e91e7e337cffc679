package xdp

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"golang.org/x/sys/unix"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/kernel/bpfflow"
	"github.com/pktstat/pktstat/registry"
)

// loadOffload loads a program into a NIC.
func loadOffload(spec *ebpf.CollectionSpec, ifaces []flow.Interface, o bpfflow.Options) (*bpfflow.Table, error) {
	if len(ifaces) != 1 {
		return nil, fmt.Errorf("%w: --xdp-mode offload loads the program into one NIC: name one interface", registry.ErrUsage)
	}
	iface := ifaces[0]
	if err := haveOffload(iface); err != nil {
		return nil, err
	}
	name := programName(false, false)
	prog := spec.Programs[name]
	prog.Ifindex = iface.Index
	spec.Programs = map[string]*ebpf.ProgramSpec{name: prog}
	t, err := bpfflow.Load(spec, o)
	if err != nil && !errors.Is(err, unix.EPERM) && !errors.Is(err, unix.ENOMEM) {
		return nil, fmt.Errorf("%w: the NIC of %s runs XDP programs, but not this one, whose tables are in the memory of the machine: use --xdp-mode native: %w",
			registry.ErrUnsupported, iface.Name, err)
	}
	return t, err
}

// haveOffload loads a program that does nothing into the NIC of an interface.
func haveOffload(iface flow.Interface) error {
	prog, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Type: ebpf.XDP, Ifindex: iface.Index, License: "MIT",
		Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, xdpPass), asm.Return()},
	})
	switch {
	case err == nil:
		return prog.Close()
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
		return err
	}
	return fmt.Errorf("%w: %s has no NIC that runs XDP programs: use --xdp-mode native: %w", registry.ErrUnsupported, iface.Name, err)
}
