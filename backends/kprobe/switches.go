package kprobe

import (
	"bytes"
	"fmt"
	"os"

	"github.com/pktstat/pktstat/internal/kernel/held"
	"github.com/pktstat/pktstat/registry"
)

// Files with which an administrator makes the kernel call no program at a hook. No program
// is told.
const (
	switchFtrace  = "/proc/sys/kernel/ftrace_enabled"
	switchKprobes = "/sys/kernel/debug/kprobes/enabled"
)

// switchedOff are the words for that.
var switchedOff = held.Words{
	Off: "%s was set to 0, which turns this hook off", Again: "on again",
	Missed: "up to %s was not counted", Until: "counted up to %s",
}

// isOff reports whether a switch is off. One that cannot be read is not.
func isOff(file string) bool {
	b, err := os.ReadFile(file)
	return err == nil && string(bytes.TrimSpace(b)) == "0"
}

// isOn is an error if a switch of the hook is off.
func (h *hook) isOn() error {
	for _, file := range h.switches {
		if isOff(file) {
			return fmt.Errorf("%w: %s is 0, which turns this hook off", registry.ErrUnsupported, file)
		}
	}
	return nil
}

// watch looks whether the hook is switched off.
func (s *source) watch(env registry.BackendEnv) {
	s.keeper = held.New(switchedOff, env.Now, env.Notify, env.Debugf)
	for _, file := range s.hook.switches {
		s.keeper.Add(&held.Thing{
			Name: func() string { return file },
			Held: func() (bool, error) { return !isOff(file), nil },
		})
	}
}
