package caps

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/pktstat/pktstat/internal/test/testenv"
	"github.com/pktstat/pktstat/registry"
)

// without runs f on a thread that has only the capabilities in keep.
func without(t *testing.T, f func() error, keep ...Capability) {
	t.Helper()
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		var data [2]unix.CapUserData
		for _, c := range keep {
			data[c/32].Effective |= 1 << (c % 32)
			data[c/32].Permitted |= 1 << (c % 32)
		}
		head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		if err := unix.Capset(&head, &data[0]); err != nil {
			done <- err
			return
		}
		done <- f()
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

func TestMissing(t *testing.T) {
	testenv.Privileged(t)
	for _, tc := range []struct {
		keep, want []Capability
	}{
		{nil, []Capability{BPF, NetAdmin}},
		{[]Capability{NetAdmin}, []Capability{BPF}},
		{[]Capability{SysAdmin}, []Capability{NetAdmin}},
		{[]Capability{BPF, NetAdmin}, nil},
	} {
		without(t, func() error {
			got, err := Missing(BPF, NetAdmin)
			if err == nil && !slices.Equal(got, tc.want) {
				err = fmt.Errorf("with %v, missing are %v, want %v", tc.keep, got, tc.want)
			}
			return err
		}, tc.keep...)
	}
}

func TestExplain(t *testing.T) {
	testenv.Privileged(t)
	refused := fmt.Errorf("map create: %w", unix.EPERM)
	without(t, func() error {
		err := Explain(refused, BPF, NetAdmin)
		if !errors.Is(err, registry.ErrPermission) || !errors.Is(err, unix.EPERM) {
			return fmt.Errorf("%v is not an ErrPermission with its cause", err)
		}
		if want := "needs root or cap_bpf,cap_net_admin: operation not permitted"; err.Error() != want {
			return fmt.Errorf("got %q, want %q", err, want)
		}
		return nil
	}, NetAdmin)
	without(t, func() error {
		if err := Explain(refused, BPF, NetAdmin); err != refused {
			return fmt.Errorf("with all capabilities: %v, want the error unchanged", err)
		}
		return nil
	}, BPF, NetAdmin)
	if err := Explain(unix.ENOENT, BPF); err != unix.ENOENT {
		t.Errorf("another error became %v", err)
	}
}
