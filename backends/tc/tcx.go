package tc

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/kernel/held"
	"github.com/pktstat/pktstat/internal/netif/attach"
)

// tcx attaches by links (since 6.6). They vanish with the process or the interface.
type tcx struct{ position position }

var _ attacher = tcx{}

func (tcx) method() string { return methodTCX }

func (t tcx) attach(p *attach.Port, dir flow.Direction, prog *ebpf.Program) (held.Attached, string, error) {
	hook := tcxHook(dir)
	anchor, note := link.Head(), ""
	if t.position == last {
		anchor = link.Tail()
		others, err := link.QueryPrograms(link.QueryOptions{Target: int(p.Index), Attach: hook})
		if err != nil {
			return held.Attached{}, "", fmt.Errorf("look for other programs: %w", err)
		}
		if len(others.Programs) > 0 {
			note = othersFirst(p, dir, "another tc program comes")
		}
	}
	l, err := link.AttachTCX(link.TCXOptions{Interface: int(p.Index), Program: prog, Attach: hook, Anchor: anchor})
	now, err := held.ByLink(l, err)
	return now, note, err
}

func (tcx) close() error { return nil }

func tcxHook(dir flow.Direction) ebpf.AttachType {
	if dir == flow.Egress {
		return ebpf.AttachTCXEgress
	}
	return ebpf.AttachTCXIngress
}

// haveTCX attaches a program to an interface that does not exist. The error of a kernel with TCX
// differs, and nothing changes.
func haveTCX() error {
	prog, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Type: ebpf.SchedCLS, License: "MIT",
		Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, 0), asm.Return()},
	})
	if err != nil {
		return fmt.Errorf("load a program for tc: %w", err)
	}
	defer func() { _ = prog.Close() }()
	l, err := link.AttachTCX(link.TCXOptions{Interface: 1<<31 - 1, Program: prog, Attach: ebpf.AttachTCXIngress})
	switch {
	case err == nil:
		return errors.Join(errors.New("attached to an interface that cannot be"), l.Close())
	case errors.Is(err, unix.ENODEV):
		return nil
	}
	return err
}
