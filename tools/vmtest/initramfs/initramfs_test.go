package initramfs

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pktstat/pktstat/internal/test/testenv"
)

// TestUnpack: busybox unpacks what the writer packed.
func TestUnpack(t *testing.T) {
	busybox := testenv.Tool(t, "busybox", "busybox-static")
	tree := t.TempDir()
	write(t, filepath.Join(tree, "f"), "in the tree", 0o644)
	write(t, filepath.Join(tree, "sub", "dir", "g"), "", 0o755)

	var archive bytes.Buffer
	w := NewWriter(&archive)
	w.Dir("/secret", 0o700)
	w.File("/etc/deep/file", 0o640, []byte("odd"))
	w.Symlink("/bin/sh", "/usr/bin/dash")
	w.Copy("/copy", filepath.Join(tree, "sub", "dir", "g"))
	w.CopyTree("/tree", tree)
	w.CopyTree("/one", filepath.Join(tree, "f"))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if !w.Has("/etc/deep") || !w.Has("/tree/sub/dir/g") || w.Has("/none") {
		t.Error("Has returned false for a file in the archive")
	}

	dir := t.TempDir()
	cmd := exec.Command(busybox, "cpio", "-idm")
	cmd.Dir, cmd.Stdin = dir, &archive
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("cpio: %v: %s", err, out)
	}
	for name, want := range map[string]struct {
		mode    fs.FileMode
		content string
	}{
		"secret":         {fs.ModeDir | 0o700, ""},
		"etc/deep/file":  {0o640, "odd"},
		"copy":           {0o755, ""},
		"tree/f":         {0o644, "in the tree"},
		"tree/sub/dir/g": {0o755, ""},
		"one":            {0o644, "in the tree"},
	} {
		name = filepath.Join(dir, name)
		info, err := os.Lstat(name)
		if err != nil {
			t.Error(err)
			continue
		}
		if info.Mode() != want.mode {
			t.Errorf("%s has mode %s, want %s", name, info.Mode(), want.mode)
		}
		if info.IsDir() {
			continue
		}
		if content, err := os.ReadFile(name); err != nil || string(content) != want.content {
			t.Errorf("%s contains %q, %v", name, content, err)
		}
	}
	if target, err := os.Readlink(filepath.Join(dir, "bin", "sh")); err != nil || target != "/usr/bin/dash" {
		t.Errorf("link to %q, %v", target, err)
	}
}

func write(t *testing.T, name, content string, perm fs.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(content), perm); err != nil {
		t.Fatal(err)
	}
}

func TestErrorsStick(t *testing.T) {
	for name, do := range map[string]func(*Writer){
		"relative":  func(w *Writer) { w.File("etc", 0, nil) },
		"missing":   func(w *Writer) { w.Copy("/x", "/nonexistent") },
		"no file":   func(w *Writer) { w.Copy("/x", "/") },
		"no tree":   func(w *Writer) { w.CopyTree("/x", "/nonexistent") },
		"too large": func(w *Writer) { w.entry("/x", typeRegular, 1<<32, 0, 0, strings.NewReader("")) },
		"changed":   func(w *Writer) { w.entry("/x", typeRegular, 5, 0, 0, strings.NewReader("1234")) },
	} {
		w := NewWriter(&bytes.Buffer{})
		do(w)
		w.File("/fine", 0o644, nil)
		if err := w.Close(); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestParseLdd(t *testing.T) {
	const output = `	linux-vdso.so.1 (0x00007ffd2b5f9000)
	libcap.so.2 => /lib/x86_64-linux-gnu/libcap.so.2 (0x00007f5c1f9c7000)
	libc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f5c1f7e6000)
	/lib64/ld-linux-x86-64.so.2 (0x00007f5c1f9e5000)
`
	want := []string{
		"/lib/x86_64-linux-gnu/libcap.so.2", "/lib/x86_64-linux-gnu/libc.so.6", "/lib64/ld-linux-x86-64.so.2",
	}
	if got, err := parseLdd("x", []byte(output)); err != nil || !slices.Equal(got, want) {
		t.Errorf("libraries %q, %v", got, err)
	}
	if got, err := parseLdd("x", []byte("\tlibnone.so.1 => not found\n")); err == nil {
		t.Errorf("no error for a missing library: %q", got)
	}
}

func TestProgram(t *testing.T) {
	var archive bytes.Buffer
	w := NewWriter(&archive)
	if err := w.Program(testenv.Tool(t, "ip", "iproute2")); err != nil {
		t.Fatal(err)
	}
	if n := len(w.seen); n < 6 {
		t.Errorf("only %d files and directories", n)
	}
	if err := w.Program("/nonexistent"); err == nil {
		t.Error("no error for a missing program")
	}
}

// TestProgramBelow: a program of an unpacked system gets that system's libraries. The host serves
// as the unpacked system.
func TestProgramBelow(t *testing.T) {
	ip, err := filepath.EvalSymlinks(testenv.Tool(t, "ip", "iproute2"))
	if err != nil {
		t.Fatal(err)
	}
	above, below := NewWriter(&bytes.Buffer{}), NewWriter(&bytes.Buffer{})
	if err := above.Program(ip); err != nil {
		t.Fatal(err)
	}
	if err := below.ProgramBelow("/", ip); err != nil {
		t.Fatal(err)
	}
	names := func(w *Writer) (all []string) {
		for name := range w.seen {
			all = append(all, filepath.Base(name))
		}
		slices.Sort(all)
		return slices.Compact(all)
	}
	for _, name := range names(above) {
		if strings.Contains(name, ".so") && !slices.Contains(names(below), name) {
			t.Errorf("%s is missing: found %q", name, names(below))
		}
	}
}

func TestProgramBelowNothing(t *testing.T) {
	root := t.TempDir()
	if err := NewWriter(&bytes.Buffer{}).ProgramBelow(root, "/bin/ip"); err == nil {
		t.Error("no error for a missing program")
	}
	ip := testenv.Tool(t, "ip", "iproute2")
	content, err := os.ReadFile(ip)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(root, "bin", "ip"), string(content), 0o755)
	if err := NewWriter(&bytes.Buffer{}).ProgramBelow(root, "/bin/ip"); err == nil {
		t.Error("no error for missing libraries")
	}
	for name, target := range map[string]string{"loop": "loop", "out": "/nonexistent"} {
		if err := os.Symlink(target, filepath.Join(root, name)); err != nil {
			t.Fatal(err)
		}
		if err := NewWriter(&bytes.Buffer{}).ProgramBelow(root, "/"+name); err == nil {
			t.Errorf("a link to %s: no error", target)
		}
	}
	write(t, filepath.Join(root, "script"), "#!/bin/sh\n", 0o755)
	if err := NewWriter(&bytes.Buffer{}).ProgramBelow(root, "/script"); err == nil {
		t.Error("no error for a file that is not a program")
	}
}

// TestFollow: a link in the unpacked system leads to its own file, never to the host's.
func TestFollow(t *testing.T) {
	root := t.TempDir()
	write(t, filepath.Join(root, "bin", "ip"), "x", 0o755)
	write(t, filepath.Join(root, "sbin", "other"), "x", 0o755)
	for name, target := range map[string]string{"sbin/ip": "/bin/ip", "sbin/near": "../bin/ip", "far": "/sbin/ip"} {
		if err := os.Symlink(target, filepath.Join(root, name)); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"/bin/ip", "/sbin/ip", "/sbin/near", "/far"} {
		if got, err := follow(root, name); err != nil || got != filepath.Join(root, "bin", "ip") {
			t.Errorf("%s leads to %s, %v", name, got, err)
		}
	}
}
