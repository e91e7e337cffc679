package kprobe

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"sync"

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

// offSwitch is one of them, for one hook.
type offSwitch struct {
	file    string
	applies func() bool // whether this kernel's hook depends on it; nil: every kernel's does
}

// isOff reports whether the switch has turned the hook off. A file that it cannot read has not.
func (o *offSwitch) isOff() bool {
	b, err := os.ReadFile(o.file)
	return err == nil && string(bytes.TrimSpace(b)) == "0" && (o.applies == nil || o.applies())
}

// isOn returns an error if a switch of the hook is off.
func (h *hook) isOn() error {
	for _, o := range h.switches {
		if o.isOff() {
			return fmt.Errorf("%w: %s is 0, which turns this hook off", registry.ErrUnsupported, o.file)
		}
	}
	return nil
}

// watch checks whether the hook is switched off.
func (s *source) watch(env registry.BackendEnv) {
	s.keeper = held.New(switchedOff, env.Now, env.Notify, env.Debugf)
	for _, o := range s.hook.switches {
		if o.applies != nil {
			o.applies = sync.OnceValue(o.applies)
		}
		s.keeper.Add(&held.Thing{
			Name: func() string { return o.file },
			Held: func() (bool, error) { return !o.isOff(), nil },
		})
	}
}

// symbols is the list of the kernel's symbols.
const symbols = "/proc/kallsyms"

// kprobesUseFtrace reports whether kprobes at the entry of functions go by ftrace
// (CONFIG_KPROBES_ON_FTRACE). x86 has that; arm64 has breakpoints instead.
func kprobesUseFtrace() bool { return hasSymbol(symbols, "kprobe_ftrace_handler") }

// hasSymbol reports whether a list of symbols has a function. In doubt it has: a hook that
// counts nothing is worse than one that is not taken.
func hasSymbol(file, name string) bool {
	f, err := os.Open(file)
	if err != nil {
		return true
	}
	defer func() { _ = f.Close() }()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		// Address, type, name, and the module in brackets.
		if fields := bytes.Fields(lines.Bytes()); len(fields) >= 3 && string(fields[2]) == name {
			return true
		}
	}
	return lines.Err() != nil
}
