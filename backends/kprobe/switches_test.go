package kprobe

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/test/testenv"
	"github.com/pktstat/pktstat/internal/test/testnet"
	"github.com/pktstat/pktstat/registry"
)

// TestSwitchedOff: while a hook is switched off nothing counts, and a note reports that. The
// switches belong to the whole machine.
func TestSwitchedOff(t *testing.T) {
	testenv.Machine(t)
	eachHook(t, func(t *testing.T, s *source) {
		a, b := testnet.Pair(t, testnet.Link{})
		counted := func(payload int) bool {
			sent := testnet.SendUDP(t, a, b, testnet.UDP{Payload: payload, Count: 20})
			var got flow.Counters
			s.collect(t, func(k flow.Key, c flow.Counters) {
				if k.Src == sent.Key.Src && k.Dst == sent.Key.Dst && k.Dir == flow.Egress {
					got.Add(c)
				}
			}, a.Host)
			return !got.IsZero()
		}
		noted := func(text string) bool {
			return slices.ContainsFunc(s.Attachment().Notes, func(n string) bool { return strings.Contains(n, text) })
		}
		for _, file := range []string{switchFtrace, switchKprobes} {
			if err := os.WriteFile(file, []byte("0"), 0); err != nil {
				t.Logf("it cannot be switched off: %v", err)
				continue
			}
			on := func() {
				if err := os.WriteFile(file, []byte("1"), 0); err != nil {
					t.Error(err)
				}
			}
			t.Cleanup(on)
			off := !counted(30)
			says := fmt.Sprintf("%s was set to 0, which turns this hook off: counted up to ", file)
			if noted(says) != off {
				t.Errorf("%s: nothing is counted: %v; notes %q", file, off, s.Attachment().Notes)
			}
			if err := s.hook.isOn(); errors.Is(err, registry.ErrUnsupported) != off {
				t.Errorf("%s: nothing is counted: %v; to open the hook now gives %v", file, off, err)
			}
			t.Logf("%s turns %s off: %v", file, s.hook.name, off)
			on()
			if !counted(31) {
				t.Errorf("%s: nothing is counted after it was switched on again", file)
			}
			if off && !noted(file+" was set to 0, which turns this hook off: on again, up to ") {
				t.Errorf("notes %q", s.Attachment().Notes)
			}
		}
	})
}

func TestHasSymbol(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	list := write("list", "0000000000000000 T kprobe_handler\n0000000000000000 t used_by_module\t[module]\n")
	for name, want := range map[string]bool{"kprobe_handler": true, "used_by_module": true, "kprobe": false, "T": false, "[module]": false} {
		if got := hasSymbol(list, name); got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
	for what, file := range map[string]string{
		"no list": filepath.Join(dir, "none"), "a directory": dir, "too long a line": write("long", strings.Repeat("x", 1<<20)),
	} {
		if !hasSymbol(file, "f") {
			t.Errorf("%s: the function is not there", what)
		}
	}
}
