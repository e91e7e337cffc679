package main

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// noUser is a user without a home, groups or files.
const noUser = "65534:65534"

// TestInstall tries the release on clean copies of one Debian.
func TestInstall(t *testing.T) {
	base := bootstrap(t)
	t.Run("package", func(t *testing.T) { testPackage(t, base) })
	t.Run("clone", func(t *testing.T) { testClone(t, base) })
}

// testPackage: the deb works for an ordinary user, runs its service when it is told to, and leaves nothing.
func testPackage(t *testing.T, base *debianRoot) {
	// What a user reads man pages with, and completes with, and the service manager.
	r := base.with(t, "man-db", "bash-completion", "dbus", "systemd", "systemd-sysv")
	debs, err := filepath.Glob(filepath.Join(release(t), "*_linux_"+runtime.GOARCH+".deb"))
	if err != nil || len(debs) != 1 {
		t.Fatalf("packages %v, %v", debs, err)
	}
	raw, err := os.ReadFile(debs[0])
	if err != nil {
		t.Fatal(err)
	}
	// apt reads the package as a user without privileges.
	if err := os.WriteFile(filepath.Join(r.dir, "pktstat.deb"), raw, 0o644); err != nil { //nolint:gosec // see above
		t.Fatal(err)
	}
	before := r.tree()
	r.host("chroot", r.dir, "apt-get", "-qq", "-o", "Acquire::Retries=3", "install", "-y", "/pktstat.deb")

	for _, c := range []struct{ what, user, command, want string }{
		{"the capture", noUser, "pktstat /usr/share/doc/pktstat/examples/mix.pcap --output plain --top 1", "packets=2645"},
		{"a man page", noUser, "man --pager=cat pktstat", "NAME\n"},
		{"the man page of fields", noUser, "man --pager=cat pktstat-fields", "NAME\n"},
		{"completion of a field", noUser, `bash -c '. /usr/share/bash-completion/bash_completion; _completion_loader pktstat
			COMP_LINE="pktstat --by src_" COMP_POINT=17 COMP_WORDS=(pktstat --by src_) COMP_CWORD=2
			f=$(complete -p pktstat); f=${f#*-F }; ${f%% *} pktstat src_ --by; echo "${COMPREPLY[@]}"'`, "src_port"},
		{"completion of other shells", noUser, "find /usr/share/zsh /usr/share/fish -name '*pktstat*' | wc -l", "2\n"},
		{"its capabilities", "0:0", "getcap /usr/bin/pktstat", "/usr/bin/pktstat cap_net_admin,cap_net_raw,cap_perfmon,cap_bpf=ep\n"},
		{"live, as an ordinary user", noUser, "pktstat -i lo -t 500ms --output plain 2>&1", "counting on lo (tc"},
		{"the service is off", "0:0", "systemctl is-enabled pktstat-web.service || true", "disabled\n"},
		// A warning is a line; there is none.
		{"systemd's opinion of the service", "0:0", "systemd-analyze verify pktstat-web.service 2>&1 && echo fine", "fine\n"},
		{"its exposure", "0:0", "systemd-analyze security --offline=true pktstat-web.service", "pktstat-web.service: " + exposure(t) + " "},
	} {
		if got := r.run(c.user, c.command); !strings.Contains(got, c.want) || c.want == "fine\n" && got != c.want {
			t.Errorf("%s: %s", c.what, got)
		}
	}
	t.Run("service", func(t *testing.T) { testService(t, r) })

	r.host("chroot", r.dir, "apt-get", "-qq", "purge", "--autoremove", "-y", "pktstat")
	if after := r.tree(); !slices.Equal(before, after) {
		t.Errorf("the package leaves %v", slices.DeleteFunc(after, func(f string) bool { return slices.Contains(before, f) }))
	}
}
