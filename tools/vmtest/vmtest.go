// Package vmtest runs the project's tests on other kernels than the host's. It boots Debian's cloud
// kernels in QEMU, from the oldest supported one to the newest. QEMU emulates, so it needs neither
// KVM nor root.
//
// Each machine has one initramfs and nothing else. It holds the compiled tests, with their
// testdata at the same place in the tree, the kernel's modules, and programs such as ip and tc.
// The programs are the host's or, for another architecture, Debian's. A first process (cmd/guest)
// runs the tests. The kernel's messages come over one serial line, the tests' output over another.
//
// A run fails for a failed test, for a test that did not end, and for trouble in the kernel's log.
// It also fails for a test that was skipped although the kernel is new enough (testenv.Feature).
package vmtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"github.com/pktstat/pktstat/internal/test/linuxversion"
)

// Matrix is what to run, and where.
type Matrix struct {
	Root     string // of the repository
	CacheDir string // keeps kernels, logs, and files that tests send
	Kernels  []Kernel
	Packages []Package
	Run      string   // overrides the packages' filters
	Command  string   // for the shell, instead of the packages
	Env      []string // for the tests, NAME=VALUE
	Accel    string   // QEMU's -accel; empty: emulation
	Parallel int      // limit of machines at a time; 0: by the host's processors
	MemoryMB int
	Refresh  bool      // look for newer kernels even if the lists are fresh
	Out      io.Writer // for progress and failures
	Live     io.Writer // gets all output of the tests at once, if not nil; then machines run one at a time

	mu sync.Mutex // protects Out
}

// Result is the result of one kernel's machine.
type Result struct {
	Kernel   string           `json:"kernel"` // its name in the matrix
	Arch     string           `json:"arch"`
	Version  string           `json:"version"` // major and minor
	Release  string           `json:"release"`
	Boot     float64          `json:"boot_s"`  // until the first test could start
	Seconds  float64          `json:"total_s"` // of the whole machine
	Packages []*PackageResult `json:"packages"`
	Problems []string         `json:"problems"`
}

// ErrFailed is returned if a test of the matrix failed.
var ErrFailed = errors.New("vmtest: failed")

// Test runs the matrix. It returns the results of all machines that ran, also with an error.
func (m *Matrix) Test(ctx context.Context) ([]Result, error) {
	work, err := os.MkdirTemp("", "vmtest-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(work) }()
	systems, err := m.buildSystems(ctx, work)
	if err != nil {
		return nil, err
	}
	all, err := m.testAll(ctx, systems)
	var results []Result
	failed := false
	for _, r := range all {
		if r != nil {
			results = append(results, *r)
			failed = failed || len(r.Problems) > 0
		}
	}
	switch {
	case err != nil:
		return results, err
	case m.Run != "" && testCount(results) == 0:
		return results, fmt.Errorf("no package has a test that matches %q", m.Run)
	case failed:
		return results, ErrFailed
	}
	return results, nil
}

// system is the part that all machines of an architecture share.
type system struct {
	arch
	file    string // written by buildSystem
	accel   string
	threads int // number of processors of the host that a machine uses
}

// buildSystems makes the systems of the kernels' architectures, by name.
func (m *Matrix) buildSystems(ctx context.Context, dir string) (map[string]*system, error) {
	all := map[string]*system{}
	for _, k := range m.Kernels {
		if all[k.Arch] != nil {
			continue
		}
		a, err := archOf(k.Arch)
		if err != nil {
			return nil, fmt.Errorf("kernel %s: %w", k.Name, err)
		}
		s := &system{arch: a, file: filepath.Join(dir, k.Arch+".cpio")}
		if s.accel, s.threads, err = a.emulation(ctx); err != nil {
			return nil, err
		}
		if m.Accel != "" {
			s.accel, s.threads = m.Accel, processors
		}
		if err := m.buildSystem(ctx, k.Arch, s.file); err != nil {
			return nil, fmt.Errorf("%s: %w", k.Arch, err)
		}
		all[k.Arch] = s
	}
	return all, nil
}

// testAll runs the machines, as many at a time as the host has processors for. The largest come
// first, because a large machine waits while processors are idle.
func (m *Matrix) testAll(ctx context.Context, systems map[string]*system) ([]*Result, error) {
	all := make([]*Result, len(m.Kernels))
	order := make([]int, len(m.Kernels))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return systems[m.Kernels[b].Arch].threads - systems[m.Kernels[a].Arch].threads
	})
	_, host := m.share(1)
	room := semaphore.NewWeighted(host)
	group, groupCtx := errgroup.WithContext(ctx)
	for _, i := range order {
		k := m.Kernels[i]
		share, _ := m.share(systems[k.Arch].threads)
		if err := room.Acquire(groupCtx, share); err != nil {
			break // the group returns the reason
		}
		group.Go(func() (err error) {
			defer room.Release(share)
			all[i], err = m.testOn(groupCtx, k, systems[k.Arch])
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return all, err
	}
	return all, ctx.Err()
}

// share returns how much of the host a machine uses that keeps this number of processors busy, and
// how much the host has.
func (m *Matrix) share(threads int) (machine, host int64) {
	switch {
	case m.Live != nil:
		return 1, 1
	case m.Parallel > 0:
		return 1, int64(m.Parallel)
	default:
		n := runtime.NumCPU()
		return int64(min(threads, n)), int64(n)
	}
}

// testOn runs all packages on one kernel. The result has all failures inside the machine. An error
// means that the machine could not run.
func (m *Matrix) testOn(ctx context.Context, k Kernel, sys *system) (*Result, error) {
	kernel, err := m.debianCache().Kernel(ctx, k.Suite, k.Arch)
	if err != nil {
		return nil, err
	}
	v, err := linuxversion.Parse(kernel.Release)
	if err != nil {
		return nil, err
	}
	r := &Result{Kernel: k.Name, Arch: k.Arch, Version: v.String(), Release: kernel.Release}
	start := time.Now()
	plan := m.plan(k, r.Version, sys.testsDevice)
	outDir := filepath.Join(m.CacheDir, "out", k.Name)
	if err := os.RemoveAll(outDir); err != nil {
		return nil, err
	}
	file := sys.file + "-" + k.Name
	defer func() { _ = os.Remove(file) }()
	if err := writeInitramfs(file, sys.file, kernel.Modules, plan); err != nil {
		return nil, fmt.Errorf("%s: %w", kernel.Release, err)
	}
	logs, err := m.openLogs(k.Name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = logs.Close() }()

	bootCtx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	dog := watchdog{cancel: cancel}
	defer dog.stop()
	s := session{
		plan: plan, isTest: m.Command == "", live: m.Live, outDir: outDir,
		onNext: dog.expect,
		onEnd:  func(p *PackageResult) { m.report(k.Arch, v, p) },
	}
	computer := machine{arch: sys.arch, image: kernel.Image, initramfs: file, accel: sys.accel, memoryMB: m.MemoryMB}
	runErr := computer.run(bootCtx, logs.console, func(line io.Reader) error { return s.read(io.TeeReader(line, logs.tests)) })
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	r.Boot, r.Packages, r.Seconds = s.boot, s.results, time.Since(start).Seconds()
	r.Problems = s.problems(kernel.Release, v, m.mayBeEmpty())
	if runErr != nil {
		r.Problems = append(r.Problems, runErr.Error())
	}
	r.Problems = append(r.Problems, logs.trouble()...)
	m.conclude(r, logs)
	return r, nil
}

// problems returns why a machine has not passed.
func (s *session) problems(release string, v linuxversion.Version, mayBeEmpty bool) []string {
	var found []string
	if s.release != "" && s.release != release {
		found = append(found, fmt.Sprintf("kernel %s runs instead of %s", s.release, release))
	}
	for _, p := range s.results {
		for _, text := range p.problems(v, mayBeEmpty) {
			found = append(found, p.Package+": "+text)
		}
	}
	switch {
	case s.release == "":
		found = append(found, "the machine did not come up")
	case !s.done:
		found = append(found, fmt.Sprintf("the machine stopped after %d of %d runs", len(s.results), len(s.plan.Runs)))
	}
	return found
}

// mayBeEmpty reports whether a run without a test may pass.
func (m *Matrix) mayBeEmpty() bool { return m.Run != "" || m.Command != "" }

func testCount(results []Result) (n int) {
	for _, r := range results {
		for _, p := range r.Packages {
			n += len(p.Tests)
		}
	}
	return n
}
