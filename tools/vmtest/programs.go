package vmtest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/pktstat/pktstat/tools/vmtest/debian"
	"github.com/pktstat/pktstat/tools/vmtest/initramfs"
)

// tool is a program that the tests call.
type tool struct{ name, debianPackage string }

var tools = []tool{
	{"ip", "iproute2"},
	{"tc", "iproute2"},
	{"ethtool", "ethtool"},
	{"bpftool", "bpftool"},
	{"tcpdump", "tcpdump"},
	{"dash", "dash"},
	{busybox, "busybox-static"},
}

// busybox replaces missing tools, from a directory at the end of PATH.
const (
	busybox    = "busybox"
	busyboxDir = "/busybox"
)

// toolSuite has the tools for machines of another architecture. It is the release on which the
// tests are developed.
const toolSuite = "bookworm"

// programs finds the tools of an architecture and adds them to an archive, at the path that find
// returns.
type programs interface {
	find(t tool) (string, error)
	add(w *initramfs.Writer, file string) error
}

// programsOf returns the host's programs for machines of its architecture, else Debian's.
func (m *Matrix) programsOf(ctx context.Context, arch string) (programs, error) {
	if arch == runtime.GOARCH {
		return hostPrograms{}, nil
	}
	var packages []string
	for _, t := range tools {
		packages = append(packages, t.debianPackage)
	}
	root, err := m.debianCache().System(ctx, toolSuite, arch, packages)
	return unpackedPrograms{root}, err
}

func (m *Matrix) debianCache() *debian.Cache {
	return &debian.Cache{Dir: filepath.Join(m.CacheDir, "kernels"), Refresh: m.Refresh, Logf: m.logf}
}

type hostPrograms struct{}

func (hostPrograms) find(t tool) (string, error) {
	file, err := exec.LookPath(t.name)
	if err != nil {
		return "", fmt.Errorf("the tests call %s: apt-get install %s", t.name, t.debianPackage)
	}
	return file, nil
}

func (hostPrograms) add(w *initramfs.Writer, file string) error { return w.Program(file) }

// unpackedPrograms are below a directory that becomes the machine's root.
type unpackedPrograms struct{ root string }

func (p unpackedPrograms) find(t tool) (string, error) {
	for _, dir := range filepath.SplitList(searchPath) {
		file := path.Join(dir, t.name)
		if _, err := os.Lstat(filepath.Join(p.root, file)); err == nil { // on the host, a link would lead elsewhere
			return file, nil
		}
	}
	return "", fmt.Errorf("the tests call %s: Debian's package %s in %s has none", t.name, t.debianPackage, p.root)
}

func (p unpackedPrograms) add(w *initramfs.Writer, file string) error {
	return w.ProgramBelow(p.root, file)
}

// addTools adds the programs of an architecture.
func (m *Matrix) addTools(ctx context.Context, w *initramfs.Writer, arch string) error {
	from, err := m.programsOf(ctx, arch)
	if err != nil {
		return err
	}
	for _, t := range tools {
		file, err := from.find(t)
		if err != nil {
			return err
		}
		if err := from.add(w, file); err != nil {
			return err
		}
		switch t.name {
		case "dash":
			w.Symlink("/bin/sh", file)
		case busybox:
			err = addApplets(ctx, w, file)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// addApplets adds a link to busybox for each of its applets. It asks the host's busybox for their
// names, because it can run that one.
func addApplets(ctx context.Context, w *initramfs.Writer, file string) error {
	host, err := hostPrograms{}.find(tool{busybox, "busybox-static"})
	if err != nil {
		return err
	}
	applets, err := exec.CommandContext(ctx, host, "--list").Output()
	if err != nil {
		return fmt.Errorf("%s --list: %w", host, err)
	}
	for _, a := range strings.Fields(string(applets)) {
		w.Symlink(path.Join(busyboxDir, a), file)
	}
	return nil
}
