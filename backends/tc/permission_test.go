package tc

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/pktstat/pktstat/internal/test/livetest"
	"github.com/pktstat/pktstat/internal/test/testenv"
	"github.com/pktstat/pktstat/internal/test/testnet"
	"github.com/pktstat/pktstat/registry"
)

// TestPermission: Open and Probe name the missing capabilities.
func TestPermission(t *testing.T) {
	testenv.Privileged(t)
	const hint = "cap_bpf,cap_net_admin,cap_perfmon"
	check := func(what string, err error) {
		if !errors.Is(err, registry.ErrPermission) || !strings.Contains(err.Error(), hint) {
			t.Errorf("%s: %v, want an ErrPermission that names %s", what, err, hint)
		}
	}
	lo := &testnet.Iface{Name: "lo", Index: 1}
	for _, keep := range [][]uint{nil, {unix.CAP_NET_ADMIN}, {unix.CAP_BPF}, {unix.CAP_BPF, unix.CAP_NET_ADMIN}} {
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			if err := keepOnly(keep...); err != nil {
				t.Error(err)
				return
			}
			s, err := (&config{method: methodAuto}).Open(context.Background(), livetest.Setup(nil, lo).Env)
			if err == nil {
				_ = s.Close()
			}
			check("Open", err)
			r := (&config{method: methodAuto}).Probe(context.Background())
			// Without permission, the result is inconclusive.
			if r.Verdict != registry.Inconclusive || !slices.Equal(r.Checks[0].Caps, strings.Split(hint, ",")) {
				t.Errorf("Probe says %v, %+v", r.Verdict, r.Checks)
			}
			check("Probe", r.Err)
		}()
		<-ended
	}
}

// keepOnly gives up all capabilities of the thread but some. The thread ends with the
// goroutine.
func keepOnly(capabilities ...uint) error {
	runtime.LockOSThread()
	var data [2]unix.CapUserData
	for _, c := range capabilities {
		data[c/32].Effective |= 1 << (c % 32)
		data[c/32].Permitted |= 1 << (c % 32)
	}
	head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	return unix.Capset(&head, &data[0])
}
