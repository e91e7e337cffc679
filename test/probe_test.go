package test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/pktstat/pktstat/internal/test/testenv"
	"github.com/pktstat/pktstat/internal/test/testnet"
	"github.com/pktstat/pktstat/registry"
)

// unprivileged is the id of a user without privileges.
const unprivileged = 65534

// as makes a command run as another user with some capabilities.
func as(cmd *exec.Cmd, uid uint32, caps ...uintptr) *exec.Cmd {
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Credential: &syscall.Credential{Uid: uid, Gid: uid}, AmbientCaps: caps,
	}
	return cmd
}

// TestAuto: auto's choice depends on the privileges of the process.
func TestAuto(t *testing.T) {
	testenv.Privileged(t)
	a, _ := testnet.Pair(t, testnet.Link{})
	count := func(cmd *exec.Cmd) (code int, stderr string, r autoReport) {
		t.Helper()
		p := launch(t, a.Host, cmd)
		code = p.wait()
		if code == 0 {
			if err := json.Unmarshal([]byte(p.stdout.String()), &r); err != nil {
				t.Fatalf("%v: %q", err, p.stdout.String())
			}
		}
		return code, p.errors(), r
	}
	command := func() *exec.Cmd {
		return exec.CommandContext(t.Context(), pktstat(t), "-i", a.Name, "-t", "100ms", "--output", "json")
	}

	t.Run("root", func(t *testing.T) {
		code, stderr, r := count(command())
		if code != 0 || r.Backend != "tc" || r.Attach != "tcx" && r.Attach != "clsact" {
			t.Fatalf("exit code %d, %+v\n%s", code, r, stderr)
		}
		xdp := slices.IndexFunc(r.Alternatives, func(u alternative) bool { return u.Backend == "xdp" })
		if xdp < 0 || r.Alternatives[xdp].Reason != "egress is not seen" {
			t.Errorf("alternatives %+v", r.Alternatives)
		}
		if !strings.HasSuffix(stderr, "; "+r.Reason+"\n") || strings.Count(stderr, "\n") != 1 {
			t.Errorf("stderr %q", stderr)
		}
		debugging := command()
		debugging.Args = append(debugging.Args, "--debug")
		_, stderr, r = count(debugging)
		for _, u := range r.Alternatives {
			if !strings.Contains(stderr, "backend "+u.Backend+" is not taken: "+u.Reason+"\n") {
				t.Errorf("--debug does not mention %+v:\n%s", u, stderr)
			}
		}
	})
	t.Run("only cap_net_raw", func(t *testing.T) {
		code, stderr, r := count(as(command(), unprivileged, unix.CAP_NET_RAW))
		if _, err := registry.Backends.Lookup("afpacket"); err != nil { // a build without it
			checkRefused(t, code, stderr)
			return
		}
		tc := slices.IndexFunc(r.Alternatives, func(u alternative) bool { return u.Backend == "tc" })
		if code != 0 || r.Backend != "afpacket" || !strings.HasSuffix(r.Reason, "with these permissions") || tc < 0 || !strings.Contains(r.Alternatives[tc].Reason, "cap_bpf") {
			t.Errorf("exit code %d, %+v\n%s", code, r, stderr)
		}
	})
	t.Run("nothing", func(t *testing.T) {
		code, stderr, _ := count(as(command(), unprivileged))
		checkRefused(t, code, stderr)
	})
}

// checkRefused checks the line that names what is missing, and how to grant it.
func checkRefused(t *testing.T, code int, stderr string) {
	t.Helper()
	want := "run it as root, or once: sudo setcap cap_bpf,cap_net_admin,cap_perfmon=+ep " + pktstat(t) + "\n"
	if code != 4 || strings.Count(stderr, "\n") != 1 || !strings.HasSuffix(stderr, want) {
		t.Errorf("exit code %d, stderr %q", code, stderr)
	}
}

// autoReport is the part of a report about the choice of the backend.
type autoReport struct {
	Backend, Attach, Reason string
	Alternatives            []alternative `json:"alternatives"`
}

type alternative struct{ Backend, Reason string }

// probeReport is the JSON of `pktstat probe --json` (pktstat.probe/v1).
type probeReport struct {
	Schema, Remedy string
	Interfaces     []string
	Stacked        []struct {
		Iface string
		On    []string `json:"stacked_on"`
	}
	Auto struct {
		Backend      string
		ExitCode     int           `json:"exit_code"`
		Alternatives []alternative `json:"alternatives"`
	}
	Backends []struct {
		Name, Verdict string
		Checks        []probeCheck
		Interfaces    []struct {
			Name, Verdict string
			Checks        []probeCheck
		}
	}
	Host []struct {
		Name   string
		Checks []probeCheck
	}
}

type probeCheck struct {
	Name, Verdict, Reason, Remedy string
	Needs                         []string
}

// verdicts returns the verdicts of all checks, by name.
func (r *probeReport) verdicts() map[string]string {
	all := map[string]string{}
	add := func(where string, checks []probeCheck) {
		for _, c := range checks {
			all[where+"/"+c.Name] = c.Verdict
		}
	}
	for _, b := range r.Backends {
		all[b.Name] = b.Verdict
		add(b.Name, b.Checks)
		for _, i := range b.Interfaces {
			all[b.Name+" on "+i.Name] = i.Verdict
			add(b.Name+" on "+i.Name, i.Checks)
		}
	}
	for _, g := range r.Host {
		add(g.Name, g.Checks)
	}
	return all
}

// probe runs the probe, which always exits with 0.
func probe(t *testing.T, host *testnet.Host, cmd *exec.Cmd) *probeReport {
	t.Helper()
	p := launch(t, host, cmd)
	if code := p.wait(); code != 0 || p.errors() != "" {
		t.Fatalf("exit code %d: %s", code, p.errors())
	}
	var r probeReport
	if err := json.Unmarshal([]byte(p.stdout.String()), &r); err != nil {
		t.Fatalf("%v: %s", err, p.stdout.String())
	}
	if r.Schema != "pktstat.probe/v1" {
		t.Errorf("schema %q", r.Schema)
	}
	return &r
}

// TestProbe probes with and without privileges. With privileges, it finds out at least as much, and
// the verdicts do not contradict.
func TestProbe(t *testing.T) {
	testenv.Privileged(t)
	a, _ := testnet.Pair(t, testnet.Link{})
	command := func() *exec.Cmd { return exec.CommandContext(t.Context(), pktstat(t), "probe", "--json", "-i", a.Name) }

	root := probe(t, a.Host, command())
	if root.Auto.Backend != "tc" || root.Auto.ExitCode != 0 || root.Remedy != "" || !slices.Equal(root.Interfaces, []string{a.Name}) {
		t.Errorf("%+v, remedy %q", root.Auto, root.Remedy)
	}
	found := root.verdicts()
	for _, name := range []string{
		"tc", "pcap", "tc/programs", "xdp/generic", "tc on " + a.Name, "xdp on " + a.Name, "limits/network namespaces to try in",
		"program types/sched_cls", "capabilities/cap_bpf", "maps/shared with user space", "hooks/raw_tp", "kernel/BTF",
	} {
		if found[name] != "supported" {
			t.Errorf("root: %s: %q", name, found[name])
		}
	}
	// Before Linux 6.3, only attaching shows what a driver supports.
	if v := found["xdp on "+a.Name+"/native"]; v != "supported" && v != "inconclusive" {
		t.Errorf("native XDP on a veth: %q", v)
	}
	if v := found["limits/initial network namespace"]; v != "no" {
		t.Errorf("in a namespace of the test's: the initial network namespace: %q", v)
	}
	if again := probe(t, a.Host, command()).verdicts(); !maps.Equal(found, again) {
		t.Errorf("a second probe has other results:\n%v\n%v", found, again)
	}

	user := probe(t, a.Host, as(command(), unprivileged))
	if user.Auto.Backend != "" || user.Auto.ExitCode != 4 || !strings.Contains(user.Remedy, "sudo setcap cap_") {
		t.Errorf("%+v, remedy %q", user.Auto, user.Remedy)
	}
	for name, verdict := range user.verdicts() {
		was, ok := found[name]
		if !ok {
			t.Errorf("only without privileges: %s", name)
		}
		// A check without permission must not be "no". What works without privileges works for
		// root, too.
		if verdict == "no" && was == "supported" && !strings.HasPrefix(name, "capabilities/") || verdict == "supported" && was == "no" {
			t.Errorf("%s is %s for root, %s for others", name, was, verdict)
		}
	}
	for _, g := range user.Host {
		for _, c := range g.Checks {
			if len(c.Needs) > 0 && !strings.Contains(c.Remedy, "sudo setcap "+strings.Join(c.Needs, ",")+"=+ep ") {
				t.Errorf("%s: needs %q, remedy %q", c.Name, c.Needs, c.Remedy)
			}
		}
	}
}

// TestProbeKilledLeavesNothing: a probe that is killed at any time leaves nothing. It runs as its
// own user, which distinguishes its objects from others.
func TestProbeKilledLeavesNothing(t *testing.T) {
	testenv.Privileged(t)
	uid := uint32(1_000_000 + os.Getpid())
	all := []uintptr{unix.CAP_BPF, unix.CAP_NET_ADMIN, unix.CAP_PERFMON, unix.CAP_NET_RAW, unix.CAP_SYS_ADMIN, unix.CAP_SYS_PTRACE}
	a, _ := testnet.Pair(t, testnet.Link{})
	begin := func() *exec.Cmd {
		cmd := as(exec.CommandContext(t.Context(), pktstat(t), "probe", "--json", "-i", a.Name), uid, all...)
		if err := a.Start(cmd); err != nil {
			t.Fatal(err)
		}
		return cmd
	}
	before := stateOf(t, a)

	// The test can find leftovers: while a probe runs, its programs are visible.
	cmd := begin()
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	seen := false
	for running := true; running; {
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
			running = false
		case <-time.After(10 * time.Millisecond):
			seen = seen || len(programsOf(t, uid)) > 0
		}
	}
	if !seen {
		t.Error("no program of the probe was seen: the test could not find leftovers")
	}

	start := time.Now() // without watching, it is twice as fast
	if err := begin().Wait(); err != nil {
		t.Fatal(err)
	}
	took := time.Since(start)
	killed, times := 0, min(60, max(10, int(time.Minute/took))) // a probe takes long in an emulated machine
	for range times {
		cmd := begin()
		time.Sleep(time.Duration(rand.Int64N(int64(took))))
		if err := cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err != nil {
			killed++
		}
		if after := stateOf(t, a); after != before {
			t.Fatalf("the namespace after the probe:\n%s\nbefore:\n%s", after, before)
		}
	}
	if killed < max(1, times/6) {
		t.Errorf("only %d of %d probes were killed before their end", killed, times)
	}
	t.Logf("%d probes killed within %v", killed, took)
	// It suffices to check programs: they keep maps, and pins and links keep programs.
	for _, id := range programsOf(t, uid) {
		gone(t, id)
	}
	for _, left := range append(processesOf(t, uid), pinsOf(t, uid)...) {
		t.Errorf("left: %s", left)
	}
}

// stateOf describes a network namespace: links with attached programs, queueing disciplines and
// filters.
func stateOf(t *testing.T, on *testnet.Iface) string {
	t.Helper()
	links, err := on.Netlink().LinkList()
	if err != nil {
		t.Fatal(err)
	}
	var state strings.Builder
	for _, l := range links {
		fmt.Fprintf(&state, "%d %s %s flags %v xdp %v\n", l.Attrs().Index, l.Attrs().Name, l.Type(), l.Attrs().Flags, l.Attrs().Xdp)
	}
	qdiscs, err := on.Netlink().QdiscList(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range qdiscs {
		fmt.Fprintf(&state, "%d %s %s\n", q.Attrs().LinkIndex, q.Type(), netlink.HandleStr(q.Attrs().Parent))
	}
	fmt.Fprintln(&state, "programs", attached(t, on))
	return state.String()
}

// programsOf returns the programs that a user has loaded.
func programsOf(t *testing.T, uid uint32) []ebpf.ProgramID {
	t.Helper()
	var ids []ebpf.ProgramID
	for id := ebpf.ProgramID(0); ; {
		next, err := ebpf.ProgramGetNextID(id)
		if errors.Is(err, os.ErrNotExist) {
			return ids
		}
		if err != nil {
			t.Fatal(err)
		}
		id = next
		prog, err := ebpf.NewProgramFromID(id)
		if errors.Is(err, os.ErrNotExist) {
			continue // freed by now
		}
		if err != nil {
			t.Fatal(err)
		}
		info, err := prog.Info()
		if err != nil {
			t.Fatal(err)
		}
		if by, ok := info.CreatedByUID(); ok && by == uid {
			ids = append(ids, id)
		}
		prog.Close()
	}
}

// processesOf returns the processes of a user.
func processesOf(t *testing.T, uid uint32) []string {
	t.Helper()
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(dirs, func(dir string) bool { return !ownedBy(dir, uid) })
}

// pinsOf returns a user's files in the BPF file systems.
func pinsOf(t *testing.T, uid uint32) []string {
	t.Helper()
	table, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		t.Fatal(err)
	}
	var pins []string
	for line := range strings.Lines(string(table)) {
		fields := strings.Fields(line)
		if fields[2] != "bpf" {
			continue
		}
		// Ignore missing files: other processes also create and remove files.
		_ = filepath.WalkDir(fields[1], func(path string, _ os.DirEntry, _ error) error {
			if ownedBy(path, uid) {
				pins = append(pins, path)
			}
			return nil
		})
	}
	return pins
}

func ownedBy(path string, uid uint32) bool {
	var st unix.Stat_t
	return unix.Lstat(path, &st) == nil && st.Uid == uid
}
