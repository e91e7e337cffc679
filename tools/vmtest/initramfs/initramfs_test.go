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

// What busybox unpacks is what was packed.
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
		t.Error("Has does not know what is there")
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
		t.Errorf("a library that is not found: %q", got)
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
		t.Error("a program that is not there: no error")
	}
}
