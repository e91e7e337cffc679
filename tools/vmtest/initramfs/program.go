package initramfs

import (
	"bufio"
	"bytes"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
)

// Program adds a program of the host at the same path, and its shared libraries where the dynamic
// loader looks for them.
func (w *Writer) Program(file string) error {
	libs, err := libraries(file)
	if err != nil {
		return err
	}
	w.Copy(file, file)
	for _, l := range libs {
		if !w.Has(l) {
			w.Copy(l, l)
		}
	}
	return w.err
}

// libraries returns the files that the dynamic loader would load for a program, with the program
// itself. It returns nothing for a static program.
func libraries(file string) ([]string, error) {
	cmd := exec.Command("ldd", file)
	cmd.Env = []string{"LC_ALL=C", "PATH=/usr/bin:/bin"}
	out, err := cmd.CombinedOutput()
	if err != nil {
		if bytes.Contains(out, []byte("not a dynamic executable")) || bytes.Contains(out, []byte("statically linked")) {
			return nil, nil
		}
		return nil, fmt.Errorf("ldd %s: %w: %s", file, err, bytes.TrimSpace(out))
	}
	return parseLdd(file, out)
}

// parseLdd reads lines such as "libc.so.6 => /lib/x/libc.so.6 (0x7f00)" and
// "/lib64/ld-linux-x86-64.so.2 (0x7f00)"; the vDSO has no path.
func parseLdd(file string, out []byte) ([]string, error) {
	var libs []string
	for s := bufio.NewScanner(bytes.NewReader(out)); s.Scan(); {
		name, lib, found := strings.Cut(s.Text(), " => ")
		if !found {
			lib = name
		}
		lib = strings.TrimSpace(lib)
		if lib == "not found" {
			return nil, fmt.Errorf("ldd %s: %s is not found", file, strings.TrimSpace(name))
		}
		lib, _, _ = strings.Cut(lib, " (0x")
		if filepath.IsAbs(lib) {
			libs = append(libs, lib)
		}
	}
	return libs, nil
}
