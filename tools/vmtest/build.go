package vmtest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"time"

	"github.com/pktstat/pktstat/tools/vmtest/initramfs"
	"github.com/pktstat/pktstat/tools/vmtest/protocol"
)

const modulePath = "github.com/pktstat/pktstat"

// etc are the files that programs expect on any system.
var etc = map[string]string{
	"/etc/passwd":   "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
	"/etc/group":    "root:x:0:\nnogroup:x:65534:\n",
	"/etc/hosts":    "127.0.0.1 localhost vmtest\n::1 localhost\n",
	"/etc/hostname": "vmtest\n",
	"/etc/mtab":     "",
}

// buildSystem writes the part of the initramfs that all kernels of an architecture share: the
// guest, the tools and the compiled tests.
func (m *Matrix) buildSystem(ctx context.Context, arch, file string) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // after success, it is closed below
	w := initramfs.NewWriter(f)
	w.CharDevice("/dev/console", 0o600, 5, 1) // standard output of the first process, before /dev is mounted
	w.Dir("/root", 0o700)
	for name, content := range etc {
		w.File(name, 0o644, []byte(content))
	}
	if err := m.addTools(ctx, w, arch); err != nil {
		return err
	}
	bin, err := os.MkdirTemp(filepath.Dir(file), "bin-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(bin) }()
	guest := filepath.Join(bin, "guest")
	if err := m.goBuild(ctx, arch, "build", "-o", guest, modulePath+"/tools/vmtest/cmd/guest"); err != nil {
		return err
	}
	w.Copy("/init", guest)
	w.Copy(path.Join(protocol.Root, "go.mod"), filepath.Join(m.Root, "go.mod"))
	if err := m.addPackages(ctx, w, arch, bin); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	return f.Close()
}

// addPackages adds what the tests need. bin is a directory for building.
func (m *Matrix) addPackages(ctx context.Context, w *initramfs.Writer, arch, bin string) error {
	program := m.Command != ""
	for _, p := range m.Packages {
		if !slices.ContainsFunc(m.Kernels, func(k Kernel) bool { return k.Arch == arch && p.RunsOn(k) }) {
			continue
		}
		program = program || p.Program
		if m.Command != "" || w.Has(path.Join(protocol.Root, p.Dir, testBinary)) {
			continue
		}
		if err := m.addPackage(ctx, w, arch, p, filepath.Join(bin, "test")); err != nil {
			return err
		}
	}
	if !program {
		return nil
	}
	file := filepath.Join(bin, "pktstat")
	if err := m.goBuild(ctx, arch, "build", "-o", file, "./cmd/pktstat"); err != nil {
		return err
	}
	w.Copy(programFile, file)
	return nil
}

const programFile = "/usr/local/bin/pktstat"

// addPackage adds a package's compiled tests and the files that they read.
func (m *Matrix) addPackage(ctx context.Context, w *initramfs.Writer, arch string, p Package, binary string) error {
	if err := m.goBuild(ctx, arch, "test", "-c", "-o", binary, "./"+p.Dir); err != nil {
		return err
	}
	w.Copy(path.Join(protocol.Root, p.Dir, testBinary), binary)
	files := p.Files
	if testdata := path.Join(p.Dir, "testdata"); exists(filepath.Join(m.Root, testdata)) {
		files = append([]string{testdata}, files...)
	}
	for _, f := range files {
		w.CopyTree(path.Join(protocol.Root, f), filepath.Join(m.Root, f))
	}
	return os.Remove(binary) // for a package without tests, go test -c leaves the previous binary
}

const testBinary = "package.test"

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

// goBuild builds a static program for the machines with the go command.
func (m *Matrix) goBuild(ctx context.Context, arch, verb string, args ...string) error {
	cmd := exec.CommandContext(ctx, "go", append([]string{verb, "-trimpath", "-ldflags=-s -w"}, args...)...)
	cmd.Dir = m.Root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go %s %s: %w\n%s", verb, args[len(args)-1], err, bytes.TrimSpace(out))
	}
	return nil
}

const searchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// environment returns the environment of every run. CI=true makes missing requirements fail a test
// instead of skipping it. name is the kernel's name in the matrix.
func environment(name, version string) []string {
	return []string{
		"PATH=" + searchPath + ":" + busyboxDir,
		"HOME=/root", "USER=root", "LANG=C.UTF-8", "TERM=dumb", "CI=true",
		"PKTSTAT_KERNEL=" + version, "PKTSTAT_KERNEL_NAME=" + name, "PKTSTAT_OUT=" + protocol.OutDir, "PKTSTAT_BIN=" + programFile,
	}
}

// plan returns the plan for the machine of a kernel. line is the serial line to the host.
func (m *Matrix) plan(k Kernel, version, line string) protocol.Plan {
	env := append(environment(k.Name, version), m.Env...)
	plan := protocol.Plan{Line: line}
	if m.Command != "" {
		plan.Runs = []protocol.Run{{
			Name: m.Command, Dir: protocol.Root, Args: []string{"/bin/sh", "-c", m.Command},
			Env: env, Timeout: commandTimeout,
		}}
		return plan
	}
	for i, p := range m.Packages {
		if !p.RunsOn(k) || m.Run != "" && slices.ContainsFunc(m.Packages[:i], func(q Package) bool { return q.Dir == p.Dir && q.RunsOn(k) }) {
			continue // the rows of a directory differ only in the filter, which Run overrides
		}
		filter, skip, timeout := p.Run, k.Skip, p.Timeout
		if m.Run != "" {
			filter, skip = m.Run, ""
		}
		if timeout == 0 {
			timeout = defaultTimeout
		}
		plan.Runs = append(plan.Runs, protocol.Run{
			Name: p.Dir, Dir: path.Join(protocol.Root, p.Dir), Env: env,
			Args: append([]string{
				"./" + testBinary, "-test.v=test2json", "-test.run=" + filter, "-test.skip=" + skip, "-test.timeout=" + timeout.String(),
			}, p.Args...),
			Timeout: timeout + graceTime, // the test binary's own limit gives a better message
		})
	}
	return plan
}

const (
	commandTimeout = 10 * time.Minute
	graceTime      = 15 * time.Second
)

// writeInitramfs writes the initramfs of one kernel: the shared part, the modules and the plan.
func writeInitramfs(file, system, modulesDir string, plan protocol.Plan) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	shared, err := os.Open(system)
	if err != nil {
		return err
	}
	defer func() { _ = shared.Close() }()
	if _, err := f.ReadFrom(shared); err != nil {
		return err
	}
	w := initramfs.NewWriter(f)
	if err := addModules(w, modulesDir, modules); err != nil {
		return err
	}
	content, err := json.Marshal(plan)
	if err != nil {
		return err
	}
	w.File(protocol.PlanFile, 0o644, content)
	if err := w.Close(); err != nil {
		return err
	}
	return f.Close()
}
