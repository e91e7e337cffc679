package test

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/pktstat/pktstat/internal/test/linuxversion"
	"github.com/pktstat/pktstat/internal/test/testenv"
	"github.com/pktstat/pktstat/internal/test/testnet"
)

// Interface names with control sequences, and their escaped forms. The kernel allows such names.
const (
	hostileName, harmlessName = "e\x1b[31mv", `e\x1b[31mv`
	hostileC1, harmlessC1     = "c\u009b1mv", `c\u009b1mv`
	hostileAlt                = "alt\u202e\x07name"
)

// inert fails if text contains characters that a terminal would act on.
func inert(t *testing.T, what, text string) {
	t.Helper()
	for _, r := range text {
		if r != '\n' && !strconv.IsPrint(r) {
			t.Errorf("%s has %U: %q", what, r, text)
			return
		}
	}
}

// outcomeOf runs a command inside a host to its end.
func outcomeOf(t *testing.T, host *testnet.Host, cmd *exec.Cmd) (code int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &err
	runErr := host.Run(cmd)
	if exit := (*exec.ExitError)(nil); runErr != nil && !errors.As(runErr, &exit) {
		t.Fatal(runErr)
	}
	return cmd.ProcessState.ExitCode(), out.String(), err.String()
}

// TestHostileInterface: a terminal gets names of interfaces and processes as plain text.
func TestHostileInterface(t *testing.T) {
	testenv.Privileged(t)
	a, b := testnet.Pair(t, testnet.Link{})
	link, err := a.Netlink().LinkByName(a.Name)
	if err != nil {
		t.Fatal(err)
	}
	for _, change := range []func() error{
		func() error { return a.Netlink().LinkSetDown(link) },
		func() error { return a.Netlink().LinkSetName(link, hostileName) },
		func() error { return a.Netlink().LinkAddAltName(link, hostileAlt) },
		func() error { return a.Netlink().LinkSetUp(link) },
	} {
		if err := change(); err != nil {
			t.Fatal(err)
		}
	}
	a.Name = hostileName
	c1 := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: hostileC1}, PeerName: "peer"}
	if err := a.Netlink().LinkAdd(c1); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name, args, want string
	}{
		{"probe", "probe -i " + hostileName + " -i " + hostileC1, harmlessName},
		{"probe of an altname", "probe -i " + hostileAlt, harmlessName},
		{"probe as JSON", "probe --json -i " + hostileC1, "c\\u009b1mv"},
		{"debug", "--debug -t 10ms -i " + hostileAlt, harmlessName},
		{"down", "-t 10ms -i " + hostileC1, harmlessC1 + " is down"},
		{"missing", "-t 10ms -i no" + hostileC1, harmlessC1},
		{"named in vain", "-t 10ms -i nosuch0", harmlessName}, // the message lists the existing interfaces
		{"table", "-t 10ms -i any --output table", harmlessName},
		{"plain", "-t 10ms -i any --output plain", harmlessName},
		{"comm", "-t 10ms -i any --process --output plain", harmlessName},
		{"xdp's refusal", "-t 10ms -b xdp --xdp-mode offload -i " + hostileName, harmlessName},
	} {
		t.Run(tc.name, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), pktstat(t), strings.Split(tc.args, " ")...)
			_, stdout, stderr := outcomeOf(t, a.Host, cmd)
			inert(t, "stdout", stdout)
			inert(t, "stderr", stderr)
			if !strings.Contains(stdout+stderr, tc.want) {
				t.Errorf("no %q in\n%s%s", tc.want, stdout, stderr)
			}
		})
	}
	t.Run("gone", func(t *testing.T) {
		for _, backend := range []string{"tc", "xdp", "afpacket"} {
			p := start(t, a.Host, "-b", backend, "-i", "any", "--output", "plain")
			p.counting()
			pair := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "x" + hostileName, Flags: unix.IFF_UP}, PeerName: "xpeer"}
			if err := a.Netlink().LinkAdd(pair); err != nil {
				t.Fatal(err)
			}
			p.expect("interface x" + harmlessName + " has appeared")
			if err := a.Netlink().LinkDel(pair); err != nil {
				t.Fatal(err)
			}
			p.expect("interface x" + harmlessName + " has gone")
			p.signal(os.Interrupt)
			if code := p.wait(); code != 0 {
				t.Errorf("%s: exit code %d", backend, code)
			}
			inert(t, backend+": stderr", p.errors())
			inert(t, backend+": stdout", p.stdout.String())
		}
	})
	t.Run("process", func(t *testing.T) {
		p := start(t, a.Host, "-i", hostileName, "--process", "--output", "plain")
		p.counting()
		if err := asComm("\x1b[31mev\u009bil", func() { testnet.SendUDP(t, a, b, testnet.UDP{Count: 10, Payload: 50}) }); err != nil {
			t.Fatal(err)
		}
		p.signal(os.Interrupt)
		if code := p.wait(); code != 0 {
			t.Errorf("exit code %d", code)
		}
		if text := p.stdout.String(); !strings.Contains(text, `comm=\x1b[31mev\u009bil`) {
			t.Errorf("no process of that name in\n%s", text)
		}
		inert(t, "stdout", p.stdout.String())
	})
}

// asComm runs f while the process has another name, which is the name of its first thread.
func asComm(name string, f func()) error {
	const file = "/proc/self/comm"
	before, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if err := os.WriteFile(file, []byte(name), 0); err != nil {
		return err
	}
	f()
	return os.WriteFile(file, bytes.TrimSpace(before), 0)
}

// TestRefusedBPF: if BPF is refused, the message has the true reason, and does not blame the limit
// on locked memory.
func TestRefusedBPF(t *testing.T) {
	testenv.Privileged(t)
	a, _ := testnet.Pair(t, testnet.Link{})
	check := func(t *testing.T, what, text string, wants ...string) {
		t.Helper()
		if strings.Contains(text, "MEMLOCK") || strings.Contains(text, "FUNC_PROTO") {
			t.Errorf("%s has a hint for programmers:\n%s", what, text)
		}
		text = strings.Join(strings.Fields(text), " ")
		for _, want := range wants {
			if !strings.Contains(text, want) {
				t.Errorf("%s has no %q:\n%s", what, want, text)
			}
		}
	}
	const userNS = "capabilities of another user namespace (a rootless container) do not count for BPF"
	// rootless makes a command run as root of a new user namespace, like `unshare -Urn`.
	rootless := func(args ...string) *exec.Cmd {
		cmd := exec.CommandContext(t.Context(), pktstat(t), args...)
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET,
			UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
		}
		return cmd
	}
	t.Run("user namespace", func(t *testing.T) {
		if err := rootless("--version").Run(); err != nil {
			t.Skipf("no user namespace: %v", err)
		}
		for _, backend := range []string{"tc", "xdp", "cgroup", "kprobe"} {
			args := []string{"-b", backend, "-t", "10ms"}
			if backend == "tc" || backend == "xdp" {
				args = append(args, "-i", "lo")
			}
			code, _, stderr := outcomeOf(t, a.Host, rootless(args...))
			if code != 4 {
				t.Errorf("%s: exit code %d", backend, code)
			}
			check(t, backend, stderr, userNS, "; run it as root of the machine")
		}
		code, stdout, stderr := outcomeOf(t, a.Host, rootless("-i", "lo", "-t", "10ms", "--process"))
		if code != 0 {
			t.Errorf("auto: exit code %d", code)
		}
		check(t, "auto", stderr+stdout, "(afpacket", userNS)
		_, stdout, _ = outcomeOf(t, a.Host, rootless("probe"))
		check(t, "probe", stdout, "not tc: operation not permitted, as "+userNS)
		if strings.Contains(stdout, "lockdown, a security module") {
			t.Errorf("the probe also gives another reason:\n%s", stdout)
		}
	})
	// Before Linux 5.11, BPF memory counts against RLIMIT_MEMLOCK, whatever the capabilities.
	t.Run("locked memory", func(t *testing.T) {
		kernel, err := linuxversion.Running()
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), testenv.Tool(t, "dash", "dash"), "-c", `ulimit -l 64; exec "$0" "$@"`,
			pktstat(t), "-b", "tc", "-i", a.Name, "-t", "10ms", "--output", "plain")
		code, _, stderr := outcomeOf(t, a.Host, as(cmd, unprivileged, unix.CAP_BPF, unix.CAP_NET_ADMIN, unix.CAP_PERFMON))
		if !kernel.Before(linuxversion.Version{Major: 5, Minor: 11}) {
			if code != 0 {
				t.Errorf("exit code %d: %s", code, stderr)
			}
			return
		}
		if code != 4 {
			t.Errorf("exit code %d", code)
		}
		check(t, "stderr", stderr, "the limit on locked memory is too low (it applies to BPF before Linux 5.11); raise it (ulimit -l unlimited), or run it as root")
	})
	t.Run("capabilities", func(t *testing.T) {
		command := func(args ...string) *exec.Cmd {
			return as(exec.CommandContext(t.Context(), pktstat(t), append([]string{"-i", a.Name, "-t", "10ms"}, args...)...), unprivileged, unix.CAP_NET_RAW)
		}
		_, _, stderr := outcomeOf(t, a.Host, command("-b", "tc"))
		check(t, "tc", stderr, "needs root or cap_bpf,cap_net_admin,cap_perfmon")
		_, stdout, stderr := outcomeOf(t, a.Host, command("--process", "--output", "plain"))
		check(t, "auto", stderr+stdout, "needs root or cap_bpf,cap_net_admin,cap_perfmon")
	})
}

// TestProcessesOfOthers: without permission to see other users' processes, a note names what it
// takes.
func TestProcessesOfOthers(t *testing.T) {
	testenv.Privileged(t)
	a, b := testnet.Pair(t, testnet.Link{})
	const note = "note pktstat cannot see the sockets of other users' processes without root, or cap_sys_ptrace with cap_dac_read_search"
	for _, tc := range []struct {
		name  string
		caps  []uintptr
		known bool
	}{
		{"ordinary user", []uintptr{unix.CAP_NET_RAW}, false},
		{"cap_sys_ptrace alone", []uintptr{unix.CAP_NET_RAW, unix.CAP_SYS_PTRACE}, false},
		{"all that it takes", []uintptr{unix.CAP_NET_RAW, unix.CAP_SYS_PTRACE, unix.CAP_DAC_READ_SEARCH}, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			cmd := as(exec.CommandContext(t.Context(), pktstat(t), "-i", a.Name, "--process", "--output", "plain"), unprivileged, tc.caps...)
			p := launch(t, a.Host, cmd)
			p.counting()
			closeIt := openTalk(t, a, b)
			p.signal(os.Interrupt)
			code := p.wait() // it looks for the socket at the end
			closeIt()
			if code != 0 {
				t.Fatalf("exit code %d: %s", code, p.errors())
			}
			text := p.stdout.String()
			if known := strings.Contains(text, fmt.Sprintf("pid=%d ", os.Getpid())); known != tc.known {
				t.Errorf("this process is in the report: %t\n%s", known, text)
			}
			if said := strings.Contains(text, note); said == tc.known {
				t.Errorf("has the note: %t\n%s", said, text)
			}
		})
	}
}

// openTalk sends from a socket that stays open.
func openTalk(t *testing.T, from, to *testnet.Iface) (closeIt func()) {
	t.Helper()
	var conn net.Conn
	err := from.Do(func() (err error) {
		conn, err = net.Dial("udp4", netip.AddrPortFrom(to.IPv4, 9).String())
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for range 10 {
		_, _ = conn.Write([]byte("twenty bytes of this.")) // the port may be closed
	}
	return func() { _ = conn.Close() }
}

// TestFewDescriptors: with a low limit on open files, pktstat counts, or one line suggests to raise
// the limit.
func TestFewDescriptors(t *testing.T) {
	testenv.Privileged(t)
	a, _ := testnet.Pair(t, testnet.Link{})
	counted := false
	for limit := 10; limit <= 100; limit += 4 {
		cmd := exec.CommandContext(t.Context(), "sh", "-c", fmt.Sprintf(`ulimit -n %d; exec "$0" "$@"`, limit),
			pktstat(t), "-i", a.Name, "-t", "1ms", "--process", "--output", "plain")
		code, stdout, stderr := outcomeOf(t, a.Host, cmd)
		switch {
		case code == 0:
			counted = true
		case counted:
			t.Errorf("%d descriptors: exit code %d, although fewer are enough: %s", limit, code, stderr)
		case code != 1 || strings.Count(stderr, "\n") != 1 || !strings.HasSuffix(stderr, fmt.Sprintf("the limit is %d: raise it (ulimit -n)\n", limit)):
			t.Errorf("%d descriptors: exit code %d, stderr %q", limit, code, stderr)
		}
		if strings.Contains(stdout+stderr, "FUNC_PROTO") || strings.Contains(stdout+stderr, "omitted") {
			t.Errorf("%d descriptors: a verifier log: %s%s", limit, stderr, stdout)
		}
		if limit >= 60 && code != 0 {
			t.Errorf("%d descriptors are not enough", limit)
		}
	}
}

// TestHostileFile: a file name with control sequences.
func TestHostileFile(t *testing.T) {
	dir := t.TempDir()
	good, bad := dir+"/good\x1b[31m\u009b.pcap", dir+"/bad\n\x1b[31m.pcap"
	text, err := os.ReadFile(filepath.Join(root, "testdata", "packets", "ipv4.pcap"))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.WriteFile(good, text, 0o600), os.WriteFile(bad, text[:100], 0o600)); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"--pcap-file", good}, {"--pcap-file", bad}, {"--pcap-file", dir + "/no\x1b[31m"},
		{"--pcap-file", good, "--output", "json=" + dir + "/no\x1b[31m/x"}, {"--pcap-file", good, "--output", "table,\x1b[31m"},
	} {
		stdout, stderr, _ := runOnce(t, args...)
		inert(t, "stdout", stdout)
		inert(t, "stderr", stderr)
		if !strings.Contains(stdout+stderr, `\x1b[31m`) {
			t.Errorf("%q: the name is missing:\n%s%s", args, stdout, stderr)
		}
	}
}
