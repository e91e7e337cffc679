package cgroup

import (
	"context"
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"github.com/pktstat/pktstat/internal/kernel/bpfflow"
	"github.com/pktstat/pktstat/internal/kernel/bpfprobe"
	"github.com/pktstat/pktstat/registry"
)

// Probe opens the groups and loads the programs with a small table. It attaches them to a file
// that is not a group: the kernel's error shows whether it could attach.
func (c *config) Probe(context.Context) registry.ProbeResult {
	var r registry.ProbeResult
	for _, step := range []struct {
		name, since string
		try         func() error
	}{
		{"BTF", "5.2", bpfprobe.NeedBTF},
		{"control groups", "4.5", func() error {
			gs, err := openGroups(c.paths)
			gs.close()
			return err
		}},
		{"cgroup_skb", "5.10", func() error {
			t, err := load(bpfflow.Options{MaxFlows: 1})
			if err != nil {
				return err
			}
			return errors.Join(tryAttach(t), t.Close())
		}},
	} {
		err := step.try()
		check := bpfprobe.Check(step.name, step.since, err, needs...)
		if errors.Is(err, registry.ErrUsage) {
			check.Verdict = registry.No
			err = errors.Join(registry.ErrUnsupported, err)
		}
		r.Checks = append(r.Checks, check)
		if check.Verdict != registry.Supported {
			r.Verdict, r.Err = check.Verdict, explain(err)
			break
		}
	}
	return r
}

func tryAttach(t *bpfflow.Table) error {
	prog := t.Programs["cgroup_ingress"]
	l, err := link.AttachRawLink(link.RawLinkOptions{Target: prog.FD(), Program: prog, Attach: ebpf.AttachCGroupInetIngress})
	switch {
	case err == nil:
		return errors.Join(errors.New("attached to what is no control group"), l.Close())
	case errors.Is(err, unix.EBADF):
		return nil
	}
	return fmt.Errorf("attach: %w", err)
}
