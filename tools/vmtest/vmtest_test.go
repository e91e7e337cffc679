package vmtest

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

const (
	root        = "../.."
	cacheDir    = root + "/.cache/vmtest"
	selftestDir = "tools/vmtest/selftest"
)

// failure returns the run of one part of the self-test's TestFailure.
func failure(name string) Package {
	return Package{Dir: selftestDir, Run: "^TestFailure$/^" + name + "$"}
}

// boot runs packages in a machine with the newest kernel.
func boot(t *testing.T, packages ...Package) Result {
	t.Helper()
	if os.Getenv("PKTSTAT_VMTEST") == "" {
		t.Skip("boots machines, which takes a minute: make test-vm sets PKTSTAT_VMTEST=1")
	}
	newest := Kernels[slices.IndexFunc(Kernels, func(k Kernel) bool { return k.Name == "newest" })]
	var out strings.Builder
	m := Matrix{
		Root: root, CacheDir: cacheDir, Kernels: []Kernel{newest}, Packages: packages,
		Env: []string{"VMTEST_FAILURE=1"}, MemoryMB: 512, Out: &out,
	}
	results, err := m.Test(t.Context())
	t.Logf("%s", &out)
	if (err != nil) != (len(results) == 1 && len(results[0].Problems) > 0) || err != nil && !errors.Is(err, ErrFailed) {
		t.Fatalf("Test returned %v", err)
	}
	return results[0]
}

// TestFailuresAreSeen: a machine reports every kind of failure.
func TestFailuresAreSeen(t *testing.T) {
	hang := failure("hang")
	hang.Timeout = 2 * time.Second
	r := boot(t, failure("none"), failure("stray"), failure("afterstray"), failure("skiplater"), failure("skipnow"),
		failure("skipwhatever"), failure("error"), failure("panic"), failure("kill"), hang, failure("warn"),
		Package{Dir: selftestDir, Run: "^TestNoSuch"}, failure("crash"), failure("none"))
	want := []string{
		"TestFailure/skipnow was skipped for a feature that Linux has since 4.18",
		"TestFailure/skipwhatever was skipped, but not for a feature of a later kernel",
		"exit status 1", "TestFailure failed", "TestFailure/error failed",
		"exit status 2", "TestFailure did not end", "TestFailure/panic failed",
		"signal: killed", "TestFailure did not end", "TestFailure/kill did not end",
		"exit status 2", "TestFailure did not end", "TestFailure/hang did not end",
		"no test ran: does the filter match any?",
		"did not end",
	}
	for i := range want {
		want[i] = selftestDir + ": " + want[i]
	}
	want = append(want, "the machine stopped after 13 of 14 runs")
	// When the kernel crashes, the last line may be incomplete.
	got := slices.DeleteFunc(slices.Clone(r.Problems), func(p string) bool {
		return strings.HasPrefix(p, "kernel: ") || strings.HasSuffix(p, "TestFailure/crash did not end")
	})
	if n := len(got); n > 1 && strings.HasSuffix(got[n-2], "TestFailure did not end") {
		got = slices.Delete(got, n-2, n-1)
	}
	if !slices.Equal(got, want) {
		t.Errorf("problems:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	kernel := strings.Join(r.Problems, "\n")
	for _, text := range []string{"BUG: on purpose", "Kernel panic - not syncing"} {
		if !strings.Contains(kernel, text) {
			t.Errorf("no %q among the problems:\n%s", text, kernel)
		}
	}
	report := filepath.Join(cacheDir, "out", r.Kernel, "sub", "report")
	if content, err := os.ReadFile(report); err != nil || string(content) != "TestFailure/none" {
		t.Errorf("the file that a test sent: %q, %v", content, err)
	}
}

func TestWatchdog(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	d := watchdog{cancel: cancel}
	d.expect("first", time.Hour)
	d.expect("second", time.Millisecond)
	select {
	case <-ctx.Done():
	case <-time.After(10 * time.Second):
		t.Fatal("the watchdog did not end the context")
	}
	if err := context.Cause(ctx); err == nil || err.Error() != "second: no end after 1ms" {
		t.Errorf("cause: %v", err)
	}
	d.stop()
}

func TestEmulationOf(t *testing.T) {
	const bookworm, trixie = "QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18+b3)\nCopyright (c)",
		"QEMU emulator version 10.0.2 (Debian 1:10.0.2+ds-2+deb13u1)\nCopyright (c)"
	for _, c := range []struct {
		arch, version, accel string
		threads              int
	}{
		{AMD64, bookworm, "tcg,thread=single", 1},
		{AMD64, trixie, "tcg,thread=multi", 2},
		{AMD64, "", "tcg,thread=single", 1},
		{ARM64, bookworm, "tcg,thread=multi", 1},
		{ARM64, trixie, "tcg,thread=multi", 1},
		{ARM64, "", "tcg,thread=single", 1},
	} {
		if accel, threads := archs[c.arch].emulationOf(c.version); accel != c.accel || threads != c.threads {
			t.Errorf("%s, %q: %s with %d threads, want %s with %d", c.arch, c.version, accel, threads, c.accel, c.threads)
		}
	}
}

// TestKernels: kernels have different names and a known architecture, and every architecture has
// tests.
func TestKernels(t *testing.T) {
	names := map[string]bool{}
	for _, k := range Kernels {
		if names[k.Name] {
			t.Errorf("two kernels are named %s", k.Name)
		}
		names[k.Name] = true
		if _, err := archOf(k.Arch); err != nil {
			t.Errorf("%s: %v", k.Name, err)
		}
		if !slices.ContainsFunc(Packages, func(p Package) bool { return p.RunsOn(k) }) {
			t.Errorf("%s has no tests", k.Name)
		}
	}
	for _, p := range Packages {
		for _, name := range p.Kernels {
			if !names[name] {
				t.Errorf("%s: no kernel %s", p.Dir, name)
			}
		}
		if !slices.ContainsFunc(Kernels, p.RunsOn) {
			t.Errorf("%s runs on no kernel", p.Dir)
		}
	}
	if _, err := archOf("vax"); err == nil {
		t.Error("archOf knows vax")
	}
}

func TestPlan(t *testing.T) {
	m := Matrix{Packages: []Package{
		{Dir: "all"}, {Dir: "amd", Arch: AMD64}, {Dir: "arm", Arch: ARM64}, {Dir: "one", Kernels: []string{"arm"}},
	}}
	for k, want := range map[Kernel]string{
		{Name: "amd", Arch: AMD64}:   "all amd",
		{Name: "arm", Arch: ARM64}:   "all arm one",
		{Name: "other", Arch: ARM64}: "all arm",
	} {
		plan := m.plan(k, "6.1", "/dev/line")
		var dirs []string
		for _, r := range plan.Runs {
			dirs = append(dirs, r.Name)
		}
		if got := strings.Join(dirs, " "); got != want || plan.Line != "/dev/line" {
			t.Errorf("%s: %s over %s, want %s", k.Name, got, plan.Line, want)
		}
	}
}

// TestPlanSkips: tests that a kernel skips run if the user names them.
func TestPlanSkips(t *testing.T) {
	k := Kernel{Name: "arm", Arch: ARM64, Skip: "^TestSlow$"}
	for run, want := range map[string]string{"": "-test.skip=^TestSlow$", "^TestSlow$": "-test.skip="} {
		m := Matrix{Packages: []Package{{Dir: "all"}}, Run: run}
		if args := m.plan(k, "6.1", "/dev/line").Runs[0].Args; !slices.Contains(args, want) {
			t.Errorf("-run %q: %q, want %s", run, args, want)
		}
	}
}

// TestPlanOnce: a filter that overrides the filters of a directory's rows gives one run.
func TestPlanOnce(t *testing.T) {
	packages := []Package{{Dir: "a", Kernels: []string{"other"}}, {Dir: "a", Run: "X"}, {Dir: "a", Run: "Y"}, {Dir: "b"}}
	for run, want := range map[string][]string{
		"":  {"a -test.run=X", "a -test.run=Y", "b -test.run="},
		"Z": {"a -test.run=Z", "b -test.run=Z"},
	} {
		m := Matrix{Packages: packages, Run: run}
		var got []string
		for _, r := range m.plan(Kernel{Name: "k", Arch: AMD64}, "6.1", "/dev/line").Runs {
			got = append(got, r.Name+" "+r.Args[2])
		}
		if !slices.Equal(got, want) {
			t.Errorf("-run %q: %q, want %q", run, got, want)
		}
	}
}

// TestShare: a machine uses as much of the host as it keeps processors busy, and at most all of it.
func TestShare(t *testing.T) {
	processors := int64(runtime.NumCPU())
	for name, c := range map[string]struct {
		m             *Matrix
		threads       int
		machine, host int64
	}{
		"one thread":   {&Matrix{}, 1, 1, processors},
		"many threads": {&Matrix{}, 1 << 20, processors, processors},
		"chosen":       {&Matrix{Parallel: 3}, 2, 1, 3},
		"watched":      {&Matrix{Parallel: 3, Live: io.Discard}, 2, 1, 1},
	} {
		if machine, host := c.m.share(c.threads); machine != c.machine || host != c.host {
			t.Errorf("%s: %d of %d, want %d of %d", name, machine, host, c.machine, c.host)
		}
	}
}
