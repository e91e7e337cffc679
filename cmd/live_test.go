package cmd

import (
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/pktstat/pktstat/internal/test/testenv"
	"github.com/pktstat/pktstat/internal/test/testnet"
	"github.com/pktstat/pktstat/internal/test/testtty"
)

// The tests in this file count live traffic with the real binary, in network namespaces. The
// backends' tests check the numbers.

// lldp returns a frame that no host answers.
func lldp(from *testnet.Iface) []byte {
	return from.Ethernet([]byte{1, 0x80, 0xc2, 0, 0, 0xe}, 0x88cc, make([]byte, 46))
}

func TestLive(t *testing.T) {
	testenv.Privileged(t)
	a, b := testnet.Pair(t, testnet.Link{})
	cmd := pktstat(t, "-i", a.Name, "-t", "0", "-j")
	r := launch(t, cmd, func() error { return a.Start(cmd) })
	line := r.line()
	if !regexp.MustCompile(`^counting on ` + a.Name + ` \(tc, (tcx|clsact)\); chosen by auto: `).MatchString(line) {
		t.Fatalf("stderr: %q", line)
	}
	a.SendFrames(7, lldp(a))
	b.SendFrames(5, lldp(b))
	r.signal(syscall.SIGINT)
	if code, lines := r.end(); code != 0 || lines != nil {
		t.Errorf("exit code %d, stderr %q", code, lines)
	}
	if n := packets(t, r.stdout.Bytes()); n != 12 {
		t.Errorf("%d packets, want 12: %s", n, r.stdout.String())
	}
}

// TestLiveInterfaces: pktstat counts on the right interfaces and reports them.
func TestLiveInterfaces(t *testing.T) {
	testenv.Privileged(t)
	a, _ := testnet.Pair(t, testnet.Link{})
	count := func(args ...string) (code int, lines []string) {
		t.Helper()
		cmd := pktstat(t, append(args, "-t", "100ms", "-b", "tc")...)
		r := launch(t, cmd, func() error { return a.Start(cmd) })
		return r.end()
	}
	if code, lines := count(); code != 1 || len(lines) != 1 || !strings.Contains(lines[0], "there is no default route and no eth0") {
		t.Errorf("no default route: exit code %d, %q", code, lines)
	}
	link, err := a.Netlink().LinkByName(a.Name)
	if err != nil {
		t.Fatal(err)
	}
	everywhere := &net.IPNet{IP: net.IPv4zero, Mask: net.CIDRMask(0, 32)}
	route := &netlink.Route{LinkIndex: link.Attrs().Index, Dst: everywhere, Scope: unix.RT_SCOPE_LINK}
	if err := a.Netlink().RouteAdd(route); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{nil, {"-i", "veth*"}, {"-i", "any", "-i", "!lo"}} {
		if code, lines := count(args...); code != 0 || len(lines) != 1 || !strings.HasPrefix(lines[0], "counting on "+a.Name+" (tc, ") {
			t.Errorf("%q: exit code %d, %q", args, code, lines)
		}
	}
	if code, lines := count("-i", "any"); code != 0 || len(lines) != 1 || !strings.HasPrefix(lines[0], "counting on lo, "+a.Name+" (tc, ") {
		t.Errorf("any: exit code %d, %q", code, lines)
	}
	if code, lines := count("-i", "nosuch*"); code != 0 || len(lines) != 2 ||
		lines[0] != `no interface matches "nosuch*": waiting for one` || !strings.HasPrefix(lines[1], "counting on no interface yet (tc") {
		t.Errorf("a pattern that nothing matches: exit code %d, %q", code, lines)
	}
	if err := a.Netlink().LinkSetDown(link); err != nil {
		t.Fatal(err)
	}
	if code, lines := count("-i", a.Name); code != 0 || len(lines) != 2 || !strings.HasPrefix(lines[0], "interface "+a.Name+" is down: ") {
		t.Errorf("down: exit code %d, %q", code, lines)
	}
}

// TestRemedy: the capabilities that pktstat suggests suffice.
func TestRemedy(t *testing.T) {
	testenv.Privileged(t)
	nobody := syscall.Credential{Uid: 65534, Gid: 65534}
	cmd := pktstat(t, "-i", "lo", "-t", "100ms")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &nobody}
	refused := finish(t, cmd)
	m := regexp.MustCompile(`; run it as root, or once: sudo setcap ([a-z_,]+)=\+ep `).FindStringSubmatch(refused.stderr)
	if refused.code != 4 || m == nil {
		t.Fatalf("exit code %d, stderr %q", refused.code, refused.stderr)
	}
	number := map[string]uintptr{
		"cap_bpf": unix.CAP_BPF, "cap_perfmon": unix.CAP_PERFMON,
		"cap_net_admin": unix.CAP_NET_ADMIN, "cap_net_raw": unix.CAP_NET_RAW,
	}
	var given []uintptr
	for _, name := range strings.Split(m[1], ",") {
		n, ok := number[name]
		if !ok {
			t.Fatalf("capability %q in %q", name, refused.stderr)
		}
		given = append(given, n)
	}
	cmd = pktstat(t, "-i", "lo", "-t", "100ms")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &nobody, AmbientCaps: given}
	if got := finish(t, cmd); got.code != 0 {
		t.Errorf("with %s: exit code %d, stderr %q", m[1], got.code, got.stderr)
	}
}

// TestLiveProgress: on a terminal, a long count shows progress, and finally erases it.
func TestLiveProgress(t *testing.T) {
	testenv.Privileged(t)
	a, b := testnet.Pair(t, testnet.Link{})
	controller, terminal := testtty.Open(t, 91, 24)
	file := filepath.Join(t.TempDir(), "run.json")
	cmd := pktstat(t, "-i", a.Name, "-t", "3s", "-r", "500ms", "--output", "json="+file)
	cmd.Stderr = terminal
	if err := a.Start(cmd); err != nil {
		t.Fatal(err)
	}
	if err := terminal.Close(); err != nil {
		t.Fatal(err)
	}
	var written buffer
	read := make(chan error, 1)
	go func() {
		_, err := io.Copy(&written, controller)
		read <- err
	}()
	for end := time.Now().Add(patience); !strings.Contains(written.String(), "counting on "); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("on the terminal: %q", written.String())
		}
	}
	b.SendFrames(3, lldp(b))
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	// A terminal returns EIO when no process has its other end open.
	if err := <-read; !errors.Is(err, unix.EIO) {
		t.Fatal(err)
	}
	screen := []byte(written.String())
	line := regexp.MustCompile(`\r\x1b\[K[123]s  [1-3] packets  [0-9]+ packets/s  1 flows`)
	if n := len(line.FindAll(screen, -1)); n < 2 || n > 15 || !strings.HasSuffix(string(screen), "\r\x1b[K") {
		t.Errorf("%d lines of progress on the terminal: %q", n, screen)
	}
	report, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if n := packets(t, report); n != 3 {
		t.Errorf("%d packets", n)
	}
}
