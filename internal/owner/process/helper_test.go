package process_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/pktstat/pktstat/internal/test/testnet"
)

// A helper is this test binary, which a test runs again in a role. The test attributes its traffic.
// It reads orders, one a line, and answers each with a line.

const roleEnv = "PKTSTAT_TEST_ROLE"

func TestMain(m *testing.M) {
	if spec := os.Getenv(roleEnv); spec != "" {
		if err := play(spec); err != nil {
			fmt.Println("error", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// role is what a helper does.
type role struct {
	Name     string // also the name of the process
	Local    netip.AddrPort
	Remote   netip.AddrPort
	N        int
	Size     int
	MPTCP    bool
	Children int
	Device   string // sockets are bound to it
	Zone     uint32 // the interface index of link-local addresses
	Connect  bool
	How      string
}

func play(spec string) error {
	var r role
	if err := json.Unmarshal([]byte(spec), &r); err != nil {
		return err
	}
	if err := os.WriteFile("/proc/self/comm", []byte(r.Name), 0); err != nil {
		return err
	}
	kind, _, _ := strings.Cut(r.Name, ".")
	f, ok := roles[kind]
	if !ok {
		return fmt.Errorf("no role %q", kind)
	}
	return f(r, &orders{in: bufio.NewScanner(os.Stdin)})
}

// orders are what the test writes to the helper.
type orders struct{ in *bufio.Scanner }

// done answers the last order.
func (o *orders) done(args ...any) { fmt.Println(append([]any{"ok"}, args...)...) }

// wait waits for the next order. It returns false at the end of the input.
func (o *orders) wait() bool { return o.in.Scan() }

// helper is a running process.
type helper struct {
	tb    testing.TB
	cmd   *exec.Cmd
	in    io.WriteCloser
	out   *bufio.Scanner
	ended bool
	role  role
}

// start starts a helper in a host and waits for its first answer. A server answers when it listens,
// a client when it is done.
func start(tb testing.TB, h *testnet.Host, r role, files ...*os.File) *helper {
	tb.Helper()
	p := launch(tb, h, r, files...)
	p.answer()
	return p
}

// launch starts a helper.
func launch(tb testing.TB, h *testnet.Host, r role, files ...*os.File) *helper {
	tb.Helper()
	spec, err := json.Marshal(r)
	if err != nil {
		tb.Fatal(err)
	}
	exe, err := os.Executable()
	if err != nil {
		tb.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), roleEnv+"="+string(spec))
	cmd.ExtraFiles = files
	cmd.Stderr = os.Stderr
	p := &helper{tb: tb, cmd: cmd, role: r}
	if p.in, err = cmd.StdinPipe(); err != nil {
		tb.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	p.out = bufio.NewScanner(stdout)
	if err := h.Start(cmd); err != nil {
		tb.Fatalf("start %s: %v", r.Name, err)
	}
	tb.Cleanup(p.end)
	return p
}

func (p *helper) pid() uint32 { return uint32(p.cmd.Process.Pid) }

// answer waits for the helper's answer and returns it without the "ok".
func (p *helper) answer() string {
	p.tb.Helper()
	for p.out.Scan() {
		if s, ok := strings.CutPrefix(p.out.Text(), "ok"); ok {
			return strings.TrimSpace(s)
		}
		p.tb.Fatalf("%s: %s", p.role.Name, p.out.Text())
	}
	p.tb.Fatalf("%s ended", p.role.Name)
	return ""
}

// order sends an order and returns the answer.
func (p *helper) order() string {
	p.tb.Helper()
	if _, err := io.WriteString(p.in, "go\n"); err != nil {
		p.tb.Fatalf("%s: %v", p.role.Name, err)
	}
	return p.answer()
}

// end lets the helper end by itself, and waits for it.
func (p *helper) end() {
	if p.ended {
		return
	}
	p.ended = true
	_ = p.in.Close()
	kill := time.AfterFunc(10*time.Second, func() { _ = p.cmd.Process.Kill() })
	defer kill.Stop()
	if err := p.cmd.Wait(); err != nil {
		p.tb.Errorf("%s: %v", p.role.Name, err)
	}
}

// address gives an interface another address, in a subnet of 24 bits, and sets it up.
func address(tb testing.TB, h *testnet.Host, iface string, a netip.Addr) {
	tb.Helper()
	link, err := h.Netlink().LinkByName(iface)
	if err != nil {
		tb.Fatal(err)
	}
	to := &netlink.Addr{IPNet: &net.IPNet{IP: a.AsSlice(), Mask: net.CIDRMask(24, 32)}}
	if err := h.Netlink().AddrAdd(link, to); err != nil {
		tb.Fatalf("add %v to %s: %v", a, iface, err)
	}
	if err := h.Netlink().LinkSetUp(link); err != nil {
		tb.Fatal(err)
	}
}
