package xdp

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/test/livetest"
	"github.com/pktstat/pktstat/internal/test/testenv"
	"github.com/pktstat/pktstat/internal/test/testnet"
	"github.com/pktstat/pktstat/registry"
)

// TestTaken: pktstat refuses an interface with another XDP program, in every mode, and the error
// names the program.
func TestTaken(t *testing.T) {
	testenv.Privileged(t)
	for _, theirs := range modes {
		for _, ours := range []string{modeAuto, modeNative, modeGeneric} {
			t.Run(theirs+"/"+ours, func(t *testing.T) {
				_, b := testnet.Pair(t, testnet.Link{})
				id := attachForeign(t, b, theirs)
				_, err := livetest.TryOpen(t, "xdp", args(ours), b)
				if err == nil || errors.Is(err, registry.ErrUnsupported) || errors.Is(err, registry.ErrPermission) {
					t.Fatalf("the error is not one of the run: %v", err)
				}
				if want := fmt.Sprintf("attach %s: XDP is taken by the program foreign (id %d)", b.Name, id); !strings.Contains(err.Error(), want) {
					t.Errorf("the error does not say %q: %v", want, err)
				}
				if got := attached(t, b); got != id {
					t.Errorf("the program with the id %d is attached, it was %d", got, id)
				}
			})
		}
	}
}

// TestTwice: the error of a second pktstat names the first.
func TestTwice(t *testing.T) {
	testenv.Privileged(t)
	_, b := testnet.Pair(t, testnet.Link{})
	first := livetest.Open(t, "xdp", nil, b)
	if _, err := livetest.TryOpen(t, "xdp", nil, b); err == nil || !strings.Contains(err.Error(), "taken by the program xdp_ingress ") {
		t.Errorf("the second: %v", err)
	}
	first.Close()
	livetest.Open(t, "xdp", nil, b)
}

// TestLargeMTU: without packets in several parts, the driver of a link with jumbo frames refuses,
// and the error has a remedy.
func TestLargeMTU(t *testing.T) {
	testenv.Privileged(t)
	_, b := testnet.Pair(t, testnet.Link{MTU: 9000})
	table, _ := loadTables(t, false) // as on a kernel before 5.18
	err := b.Do(func() error { return tryAttach(table, modeNative, b.Name) })
	remedy := fmt.Sprintf("reduce the MTU to %d, or use --backend tc or --xdp-mode generic", linearMTU())
	if !errors.Is(err, registry.ErrUnsupported) || !strings.Contains(err.Error(), remedy) {
		t.Errorf("native: %v", err)
	}
	if err := b.Do(func() error { return tryAttach(table, modeGeneric, b.Name) }); err != nil {
		t.Errorf("generic: %v", err)
	}
	// The remedy works.
	_, b = testnet.Pair(t, testnet.Link{MTU: linearMTU()})
	if err := b.Do(func() error { return tryAttach(table, modeNative, b.Name) }); err != nil {
		t.Errorf("native with an MTU of %d: %v", linearMTU(), err)
	}
}

func TestOffload(t *testing.T) {
	testenv.Privileged(t)
	_, b := testnet.Pair(t, testnet.Link{})
	_, err := livetest.TryOpen(t, "xdp", args(modeOffload), b)
	if !errors.Is(err, registry.ErrUnsupported) || !strings.Contains(err.Error(), b.Name+" has no NIC that runs XDP programs") {
		t.Errorf("on veth: %v", err)
	}
	if _, err = livetest.TryOpen(t, "xdp", args(modeOffload), b, loopback(b.Host)); !errors.Is(err, registry.ErrUsage) {
		t.Errorf("on two interfaces: %v", err)
	}
}

// TestProbe: what Probe says of each mode holds on veth.
func TestProbe(t *testing.T) {
	testenv.Privileged(t)
	_, b := testnet.Pair(t, testnet.Link{})
	for _, mode := range []string{modeAuto, modeNative, modeGeneric, modeOffload} {
		c := &config{mode: mode}
		r := c.Probe(t.Context())
		s, err := livetest.TryOpen(t, "xdp", args(mode), b)
		if err == nil {
			s.Close()
		}
		if (r.Verdict == registry.Supported) != (err == nil) {
			t.Errorf("%s: Probe says %v (%v), Open %v", mode, r.Verdict, r.Err, err)
		}
		for _, c := range r.Checks {
			t.Logf("%s: %+v", mode, c)
		}
	}
}

// TestKill: links go with their process.
func TestKill(t *testing.T) {
	testenv.Privileged(t)
	for _, mode := range modes {
		t.Run(mode, func(t *testing.T) {
			_, b := testnet.Pair(t, testnet.Link{})
			kill := hold(t, b, mode)
			if attached(t, b) == 0 {
				t.Fatal("nothing is attached")
			}
			kill()
			if id := attached(t, b); id != 0 {
				t.Errorf("the program with the id %d is left", id)
			}
		})
	}
}

const holdEnv = "PKTSTAT_TEST_HOLD"

// hold opens the backend in a process of its own, and returns a function that kills it.
func hold(t *testing.T, on *testnet.Iface, mode string) (kill func()) {
	t.Helper()
	cmd := on.Command(os.Args[0], "-test.run=^TestHold$")
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s %d %s", holdEnv, mode, on.Index, on.Name))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := on.Start(cmd); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "open\n" {
		t.Fatalf("the process that holds the backend: %q, %v", line, err)
	}
	return func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it was killed
	}
}

// TestHold is the process that hold starts.
func TestHold(t *testing.T) {
	var mode string
	on := &testnet.Iface{}
	if _, err := fmt.Sscan(os.Getenv(holdEnv), &mode, &on.Index, &on.Name); err != nil {
		return // only for other tests, which kill it
	}
	livetest.Open(t, "xdp", args(mode), on)
	fmt.Println("open")
	select {}
}

// attached returns the id of the XDP program of an interface; 0 if there is none.
func attached(t *testing.T, on *testnet.Iface) uint32 {
	t.Helper()
	dev, err := on.Netlink().LinkByIndex(on.Index)
	if err != nil {
		t.Fatal(err)
	}
	if xdp := dev.Attrs().Xdp; xdp != nil {
		return xdp.ProgId
	}
	return 0
}

// attachForeign attaches a program of another owner, and returns its id.
func attachForeign(t *testing.T, on *testnet.Iface, mode string) uint32 {
	t.Helper()
	prog, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Name: "foreign", Type: ebpf.XDP, License: "MIT",
		Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, xdpPass), asm.Return()},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = prog.Close() })
	err = on.Do(func() error {
		l, err := link.AttachXDP(link.XDPOptions{Program: prog, Interface: on.Index, Flags: modeFlags[mode]})
		if err == nil {
			t.Cleanup(func() { _ = l.Close() })
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return attached(t, on)
}

// TestProbeInterface: Open finds what ProbeInterface reports of an interface.
func TestProbeInterface(t *testing.T) {
	testenv.Privileged(t)
	_, small := testnet.Pair(t, testnet.Link{})
	a, large := testnet.Pair(t, testnet.Link{MTU: 9000})
	_, taken := testnet.Pair(t, testnet.Link{})
	other := livetest.Open(t, "xdp", args(modeGeneric), taken)
	defer other.Close()
	for _, on := range []*testnet.Iface{small, large, loopback(a.Host), taken} {
		for _, mode := range []string{modeAuto, modeNative, modeGeneric, modeOffload} {
			var r registry.ProbeResult
			err := on.Do(func() error {
				r = (&config{mode: mode}).ProbeInterface(t.Context(), flow.Interface{Index: uint32(on.Index), Name: on.Name})
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if r.Checks[1].Reason == errNotTold.Error() {
				continue
			}
			s, err := livetest.TryOpen(t, "xdp", args(mode), on)
			if err == nil {
				s.Close()
			}
			if (r.Verdict == registry.Supported) != (err == nil) || r.Verdict == registry.Inconclusive {
				t.Errorf("%s, %s: ProbeInterface says %v (%v), Open %v", on.Name, mode, r.Verdict, r.Err, err)
			}
		}
	}
}
