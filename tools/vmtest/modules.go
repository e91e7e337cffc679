package vmtest

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"

	"github.com/pktstat/pktstat/tools/vmtest/initramfs"
	"github.com/pktstat/pktstat/tools/vmtest/protocol"
)

// Module is a kernel module to load before the tests.
type Module struct {
	Name, Params string
	IfThere      bool // some kernels have it built in under another name
}

// moduleSet holds the modules of a kernel.
type moduleSet struct {
	files   map[string]string // by normalised name
	builtin map[string]bool
	loaded  map[string]bool
	order   []string // lines of the list of modules
	w       *initramfs.Writer
}

// addModules adds modules and their dependencies to the archive, uncompressed, with the order to
// load them.
func addModules(w *initramfs.Writer, dir string, modules []Module) error {
	s := moduleSet{files: map[string]string{}, builtin: map[string]bool{}, loaded: map[string]bool{}, w: w}
	err := filepath.WalkDir(filepath.Join(dir, "kernel"), func(p string, d fs.DirEntry, err error) error {
		if name, _, ok := strings.Cut(path.Base(p), ".ko"); ok && err == nil && !d.IsDir() {
			s.files[normalise(name)] = p
		}
		return err
	})
	if err != nil {
		return err
	}
	list, err := os.ReadFile(filepath.Join(dir, "modules.builtin"))
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(list)) {
		s.builtin[normalise(strings.TrimSuffix(path.Base(strings.TrimSpace(line)), ".ko"))] = true
	}
	for _, m := range modules {
		if err := s.add(m); err != nil {
			return err
		}
	}
	w.File(protocol.ModuleList, 0o644, []byte(strings.Join(s.order, "")))
	return nil
}

// add adds a module after its dependencies.
func (s *moduleSet) add(m Module) error {
	name := normalise(m.Name)
	if s.loaded[name] || s.builtin[name] {
		return nil
	}
	s.loaded[name] = true
	file, ok := s.files[name]
	if !ok && m.IfThere {
		return nil
	}
	if !ok {
		return fmt.Errorf("module %s: the kernel has none", m.Name)
	}
	ko, err := unpack(file)
	if err != nil {
		return fmt.Errorf("module %s: %w", m.Name, err)
	}
	depends, err := dependsOn(ko)
	if err != nil {
		return fmt.Errorf("module %s: %w", m.Name, err)
	}
	for _, d := range depends {
		if err := s.add(Module{Name: d}); err != nil {
			return fmt.Errorf("module %s: %w", m.Name, err)
		}
	}
	s.w.File(path.Join(protocol.ModulesDir, name+".ko"), 0o644, ko)
	s.order = append(s.order, strings.TrimSpace(name+".ko "+m.Params)+"\n")
	return nil
}

// normalise maps both spellings of a name to one: the kernel treats dashes and underscores alike.
func normalise(name string) string { return strings.ReplaceAll(name, "-", "_") }

// unpack returns a module's uncompressed content.
func unpack(file string) ([]byte, error) {
	unpackers := map[string]string{".xz": "xz", ".zst": "zstd", ".gz": "gzip"}
	program, packed := unpackers[path.Ext(file)]
	if !packed {
		return os.ReadFile(file)
	}
	out, err := exec.Command(program, "-dc", file).Output()
	if err != nil {
		return nil, fmt.Errorf("%s -dc %s: %w", program, file, err)
	}
	return out, nil
}

// dependsOn returns the names of the modules that this one needs.
func dependsOn(ko []byte) ([]string, error) {
	f, err := elf.NewFile(bytes.NewReader(ko))
	if err != nil {
		return nil, err
	}
	section := f.Section(".modinfo")
	if section == nil {
		return nil, errors.New("no .modinfo")
	}
	info, err := section.Data()
	if err != nil {
		return nil, err
	}
	for field := range strings.SplitSeq(string(info), "\x00") {
		if names, ok := strings.CutPrefix(field, "depends="); ok && names != "" {
			return strings.Split(names, ","), nil
		}
	}
	return nil, nil
}
