package test

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/test/testenv"
	"github.com/pktstat/pktstat/internal/test/testnet"
	"github.com/pktstat/pktstat/registry"
)

// TestLiveUntilTimeout runs the binary on an interface until its timeout. The JSON report has every
// packet and every byte.
func TestLiveUntilTimeout(t *testing.T) {
	testenv.Privileged(t)
	// A busy machine needs longer for the traffic.
	for timeout := 3 * time.Second; !liveUntil(t, timeout); timeout *= 3 {
		if timeout > time.Minute {
			t.Fatal("the traffic takes too long")
		}
	}
}

// liveUntil returns false and checks nothing if the timeout came before the end of the traffic.
func liveUntil(t *testing.T, timeout time.Duration) (ok bool) {
	a, b := testnet.Pair(t, testnet.Link{})
	file := filepath.Join(t.TempDir(), "report.json")
	p := start(t, a.Host, "-i", a.Name, "-t", timeout.String(), "--output", "json="+file)
	begun := time.Now()
	if line := p.counting(); !strings.Contains(line, a.Name) || !strings.Contains(line, "tc") {
		t.Errorf("%q names neither the interface nor the backend", line)
	}
	sent := sendEveryday(t, a, b)
	crossed := a.Settle()
	_, err := os.Stat(file)
	inTime := time.Since(begun) < timeout
	if code := p.wait(); code != 0 {
		t.Fatalf("exit code %d:\n%s", code, p.errors())
	}
	if !inTime {
		return false
	}
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the report existed before the end: %v", err)
	}
	r := readReport(t, file)
	checkCrossed(t, registry.CapIngress|registry.CapEgress, r.byDirection("ingress"), r.byDirection("egress"), crossed)
	checkFlows(t, r.byPassage(), sent.known)
	if !r.Final || r.FlowCount != len(r.Flows) || !slices.Equal(r.Interfaces, []string{a.Name}) {
		t.Errorf("final %v, flow_count %d with %d flows, interfaces %v", r.Final, r.FlowCount, len(r.Flows), r.Interfaces)
	}
	if want := timeout.Seconds(); r.Duration < want-0.1 || r.Duration > want+5 {
		t.Errorf("a run of %v took %v s", timeout, r.Duration)
	}
	return true
}

// TestSignalEndsWithTheFinalReport: Ctrl-C, or TERM of a service manager, during a run.
func TestSignalEndsWithTheFinalReport(t *testing.T) {
	testenv.Privileged(t)
	signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP) // else children inherit an ignored SIGHUP, under nohup
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		t.Run(sig.String(), func(t *testing.T) {
			a, b := testnet.Pair(t, testnet.Link{})
			p := start(t, a.Host, "-i", a.Name, "-t", "0", "--output", "json")
			p.counting()
			sent := testnet.SendUDP(t, b, a, testnet.UDP{Payload: 10, Count: 100})
			sent.Key.Dir = flow.Ingress
			p.signal(sig)
			if code := p.wait(); code != 0 {
				t.Fatalf("exit code %d:\n%s", code, p.errors())
			}
			r := parseReport(t, []byte(p.stdout.String()))
			checkFlows(t, r.byPassage(), []testnet.Flow{sent})
			if ids := attached(t, a); len(ids) != 0 {
				t.Errorf("programs %v are still attached", ids)
			}
		})
	}
}

// TestUnderIPNetnsExec: `ip netns exec` mounts another /sys, without BPF and cgroup file systems.
// pktstat must not look there.
func TestUnderIPNetnsExec(t *testing.T) {
	testenv.Privileged(t)
	ip := testenv.Tool(t, "ip", "iproute2")
	a, b := testnet.Pair(t, testnet.Link{})
	p := launch(t, nil, exec.CommandContext(t.Context(), ip, "netns", "exec", a.NetNS(),
		pktstat(t), "-i", a.Name, "-t", "0", "--output", "json"))
	p.counting()
	sent := testnet.SendUDP(t, a, b, testnet.UDP{Payload: 10, Count: 10})
	sent.Key.Dir = flow.Egress
	p.signal(syscall.SIGINT)
	if code := p.wait(); code != 0 {
		t.Fatalf("exit code %d:\n%s", code, p.errors())
	}
	checkFlows(t, parseReport(t, []byte(p.stdout.String())).byPassage(), []testnet.Flow{sent})
}

// TestKilledLeavesNothing: a killed process leaves nothing attached, or the next start removes it.
func TestKilledLeavesNothing(t *testing.T) {
	testenv.Privileged(t)
	a, b := testnet.Pair(t, testnet.Link{})
	p := start(t, a.Host, "-i", a.Name, "-t", "0", "--output", "json")
	p.counting()
	killed := attached(t, a)
	if len(killed) == 0 {
		t.Fatal("nothing is attached while counting")
	}
	p.signal(syscall.SIGKILL)
	if code := p.wait(); code != -1 {
		t.Fatalf("exit code %d after SIGKILL", code)
	}
	if p.stdout.Len() != 0 {
		t.Errorf("a killed run wrote %q", p.stdout.String())
	}
	again := start(t, a.Host, "-i", a.Name, "-t", "0", "--output", "json")
	again.counting()
	sent := testnet.SendUDP(t, a, b, testnet.UDP{Payload: 10, Count: 10})
	sent.Key.Dir = flow.Egress
	again.signal(syscall.SIGINT)
	if code := again.wait(); code != 0 {
		t.Fatalf("exit code %d:\n%s", code, again.errors())
	}
	r := parseReport(t, []byte(again.stdout.String()))
	checkFlows(t, r.byPassage(), []testnet.Flow{sent})
	if ids := attached(t, a); len(ids) != 0 {
		t.Errorf("programs %v are attached after the next run", ids)
	}
	for _, id := range killed {
		gone(t, id)
	}
}

// attached returns the programs on the interface: TCX, clsact and XDP.
func attached(t *testing.T, on *testnet.Iface) []ebpf.ProgramID {
	t.Helper()
	var ids []ebpf.ProgramID
	err := on.Do(func() error {
		for _, hook := range []ebpf.AttachType{ebpf.AttachTCXIngress, ebpf.AttachTCXEgress} {
			r, err := link.QueryPrograms(link.QueryOptions{Target: on.Index, Attach: hook})
			// A kernel without TCX reports EINVAL.
			if err != nil && !errors.Is(err, ebpf.ErrNotSupported) && !errors.Is(err, unix.EINVAL) {
				return err
			}
			if r != nil {
				for _, p := range r.Programs {
					ids = append(ids, p.ID)
				}
			}
		}
		l, err := on.Netlink().LinkByIndex(on.Index)
		if err != nil {
			return err
		}
		if xdp := l.Attrs().Xdp; xdp != nil && xdp.Attached {
			ids = append(ids, ebpf.ProgramID(xdp.ProgId))
		}
		for _, parent := range []uint32{netlink.HANDLE_MIN_INGRESS, netlink.HANDLE_MIN_EGRESS} {
			filters, err := on.Netlink().FilterList(l, parent)
			if err != nil {
				return err
			}
			for _, f := range filters {
				if f, ok := f.(*netlink.BpfFilter); ok {
					ids = append(ids, ebpf.ProgramID(f.Id))
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatalf("programs on %s: %v", on, err)
	}
	return ids
}

// gone waits until the kernel has freed a program, which takes a grace period.
func gone(t *testing.T, id ebpf.ProgramID) {
	t.Helper()
	bpfObjects{{"prog", uint32(id)}: true}.gone(t)
}
