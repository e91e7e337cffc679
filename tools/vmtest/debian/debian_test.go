package debian

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"
)

func TestParseTargets(t *testing.T) {
	public := mirrors{"http://deb.debian.org/debian", "http://deb.debian.org/debian-security"}
	for name, c := range map[string]struct {
		lines string
		want  mirrors
	}{
		"nothing": {"", public},
		"a Debian": {`http://mirror.example/debian/ bookworm main
http://mirror.example/debian/ bookworm contrib
http://other.example/debian/ bookworm-updates main
http://mirror.example/debian-security/ bookworm-security main
`, mirrors{"http://mirror.example/debian/", "http://mirror.example/debian-security/"}},
		"other vendors": {`https://docker.example/linux/debian/ bookworm stable
https://pg.example/apt/ bookworm-pgdg main
https://node.example/ nodistro main
`, public},
		"another distribution": {"http://archive.example/ubuntu/ noble main\n", public},
	} {
		if got := parseTargets(c.lines); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
	if got := public.of("bullseye-security"); got != public.security {
		t.Errorf("bullseye-security comes from %s", got)
	}
	if got := public.of("trixie-backports"); got != public.main {
		t.Errorf("trixie-backports comes from %s", got)
	}
}

func TestParseControl(t *testing.T) {
	const record = `Package: linux-image-7.3.4+deb13-cloud-amd64
Version: 7.3.4-1~bpo13+1
Depends: dracut | linux-initramfs-tool, linux-base-7.3.4+deb13-cloud-amd64 (= 7.3.4-1~bpo13+1), kmod
Description: Linux
 Depends: on nothing
`
	want := control{
		"linux-image-7.3.4+deb13-cloud-amd64", "7.3.4-1~bpo13+1",
		[]string{"dracut", "linux-base-7.3.4+deb13-cloud-amd64", "kmod"},
	}
	if got := parseControl([]byte(record)); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// TestFind: each release has its kernel's files in other places.
func TestFind(t *testing.T) {
	for _, files := range [][2]string{
		{"boot/vmlinuz-5.10.0-46-cloud-amd64", "lib/modules/5.10.0-46-cloud-amd64"},
		{"boot/vmlinuz-6.12.107+deb13-cloud-amd64", "usr/lib/modules/6.12.107+deb13-cloud-amd64"},
		{"usr/lib/modules/7.3.4+deb13-cloud-amd64/vmlinuz", "usr/lib/modules/7.3.4+deb13-cloud-amd64"},
	} {
		home := t.TempDir()
		if _, err := find(home, "1"); err == nil {
			t.Error("an empty directory has a kernel")
		}
		create(t, filepath.Join(home, files[0]))
		create(t, filepath.Join(home, files[1], "kernel", "veth.ko"))
		want := &Kernel{
			filepath.Base(files[1]), "1", filepath.Join(home, files[0]), filepath.Join(home, files[1]), home,
		}
		if got, err := find(home, "1"); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("found %+v, %v; want %+v", got, err, want)
		}
		create(t, filepath.Join(home, "boot", "vmlinuz-another"))
		if got, err := find(home, "1"); err == nil {
			t.Errorf("found %+v, although there are two", got)
		}
	}
}

func TestKept(t *testing.T) {
	dir := t.TempDir()
	if home, _, err := kept(dir); err == nil {
		t.Errorf("found %s in an empty cache", home)
	}
	now := time.Now()
	for version, age := range map[string]time.Duration{"1": 3, "2": 1, "3": 2} {
		home := filepath.Join(dir, homePrefix+version)
		create(t, filepath.Join(home, "boot/vmlinuz-"+version))
		if err := os.Chtimes(home, now, now.Add(-age*time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	last := filepath.Join(dir, homePrefix+"2")
	if home, version, err := kept(dir); err != nil || version != "2" || home != last {
		t.Errorf("kept %s in %s, %v; want the last, 2", version, home, err)
	}
	if err := removeOld(dir); err != nil {
		t.Fatal(err)
	}
	if homes, err := filepath.Glob(dir + "/*"); err != nil || len(homes) != 1 || homes[0] != last {
		t.Errorf("left: %q, %v", homes, err)
	}
}

// TestUnpacked: each version is made once, and the previous one stays.
func TestUnpacked(t *testing.T) {
	dir := t.TempDir()
	for i, version := range []string{"1:1", "2", "2", "3"} {
		filled := false
		home, err := unpacked(dir, version, func(tmp string) error {
			filled = true
			create(t, filepath.Join(tmp, "file"))
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(filepath.Join(home, "file")); err != nil || filled != (i != 2) {
			t.Errorf("version %s, number %d: made: %t, %v", version, i, filled, err)
		}
		age := time.Now().Add(time.Duration(i-10) * time.Hour)
		if err := os.Chtimes(home, age, age); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := unpacked(dir, "4", func(string) error { return os.ErrClosed }); !errors.Is(err, os.ErrClosed) {
		t.Errorf("after a failure: %v", err)
	}
	homes, err := homesByAge(dir)
	if err != nil || len(homes) != 2 || filepath.Base(homes[0]) != homePrefix+"2" || filepath.Base(homes[1]) != homePrefix+"3" {
		t.Errorf("left: %q, %v", homes, err)
	}
}

func TestParseURIs(t *testing.T) {
	const lines = `'http://x/pool/libcap2_2.66-4_arm64.deb' libcap2_1%3a2.66-4_arm64.deb 27 SHA256:1
'http://x/pool/dash_0.5.12-2_arm64.deb' dash_0.5.12-2_arm64.deb 90 SHA256:2
`
	want := []control{{name: "libcap2", version: "1:2.66-4"}, {name: "dash", version: "0.5.12-2"}}
	got, err := parseURIs(lines)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v; want %+v", got, err, want)
	}
	if versionOf(got) == versionOf(got[:1]) {
		t.Error("two sets of packages have one name")
	}
	for _, bad := range []string{"", "'http://x/a.deb' a.deb 1 SHA256:1\n", "'http://x/a' a_1%zz_arm64.deb 1 SHA256:1\n"} {
		if got, err := parseURIs(bad); err == nil {
			t.Errorf("%q: %+v", bad, got)
		}
	}
}

func create(t *testing.T, name string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, nil, 0o644); err != nil {
		t.Fatal(err)
	}
}
