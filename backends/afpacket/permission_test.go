package afpacket

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/pktstat/pktstat/internal/test/livetest"
	"github.com/pktstat/pktstat/internal/test/testenv"
	"github.com/pktstat/pktstat/internal/test/testnet"
	"github.com/pktstat/pktstat/registry"
)

// TestPermission: Open and Probe name the missing capability, and it is enough.
func TestPermission(t *testing.T) {
	testenv.Privileged(t)
	const hint = "needs root or cap_net_raw"
	env := livetest.Setup(nil, &testnet.Iface{Name: "lo", Index: 1}).Env
	for _, keep := range [][]uint{nil, {unix.CAP_NET_ADMIN, unix.CAP_BPF}, {unix.CAP_NET_RAW}} {
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			if err := keepOnly(keep...); err != nil {
				t.Error(err)
				return
			}
			s, err := (&config{}).Open(context.Background(), env)
			if err == nil {
				defer s.Close()
			}
			r := (&config{}).Probe(context.Background())
			if len(keep) > 0 && keep[0] == unix.CAP_NET_RAW {
				if err != nil || r.Err != nil || r.Verdict != registry.Supported {
					t.Errorf("with cap_net_raw: %v; Probe says %v: %v", err, r.Verdict, r.Err)
				}
				return
			}
			for what, err := range map[string]error{"Open": err, "Probe": r.Err} {
				if !errors.Is(err, registry.ErrPermission) || !strings.Contains(err.Error(), hint) {
					t.Errorf("%s with %v: %v, want an ErrPermission that says %q", what, keep, err, hint)
				}
			}
			if r.Verdict != registry.Inconclusive {
				t.Errorf("Probe with %v says %v", keep, r.Verdict)
			}
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
