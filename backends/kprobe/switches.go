package kprobe

import (
	"bytes"
	"fmt"
	"os"

	"github.com/pktstat/pktstat/internal/kernel/held"
	"github.com/pktstat/pktstat/registry"
)

// Files by which an administrator turns hooks off. The kernel does not notify the programs.
const (
	switchFtrace  = "/proc/sys/kernel/ftrace_enabled"
	switchKprobes = "/sys/kernel/debug/kprobes/enabled"
)

// switchedOff are the words for that in messages.
var switchedOff = held.Words{
	Off: "%s was set to 0, which turns this hook off", Again: "on again",
	Missed: "up to %s was not counted", Until: "counted up to %s",
}

// isOff reports whether a switch is off. A file that it cannot read is not off.
func isOff(file string) bool {
	b, err := os.ReadFile(file)
	return err == nil && string(bytes.TrimSpace(b)) == "0"
}

// isOn returns an error if a switch of the hook is off.
func (h *hook) isOn() error {
	for _, file := range h.switches {
		if isOff(file) {
			return fmt.Errorf("%w: %s is 0, which turns this hook off", registry.ErrUnsupported, file)
		}
	}
	return nil
}

// watch checks whether the hook is switched off.
func (s *source) watch(env registry.BackendEnv) {
	s.keeper = held.New(switchedOff, env.Now, env.Notify, env.Debugf)
	for _, file := range s.hook.switches {
		s.keeper.Add(&held.Thing{
			Name: func() string { return file },
			Held: func() (bool, error) { return !isOff(file), nil },
		})
	}
}
