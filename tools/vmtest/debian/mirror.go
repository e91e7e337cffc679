package debian

import (
	"context"
	"os/exec"
	"strings"
)

// mirrors are the archive's addresses.
type mirrors struct{ main, security string }

// of returns the address of the suite.
func (m mirrors) of(suite string) string {
	if strings.HasSuffix(suite, "-security") {
		return m.security
	}
	return m.main
}

// hostMirrors returns the mirrors of the host's own packages, if it is a Debian. Else it returns
// the archive's public addresses.
func hostMirrors(ctx context.Context) mirrors {
	out, err := exec.CommandContext(ctx, "apt-get", "indextargets",
		"--format", "$(REPO_URI) $(RELEASE) $(COMPONENT)", "Created-By: Packages").Output()
	if err != nil {
		out = nil // not a Debian, so use the defaults
	}
	return parseTargets(string(out))
}

// parseTargets picks the mirrors from lines of address, suite and component. Other vendors'
// repositories have other suites or components.
func parseTargets(lines string) mirrors {
	m := mirrors{"http://deb.debian.org/debian", "http://deb.debian.org/debian-security"}
	releases := map[string]bool{"bullseye": true, "bookworm": true, "trixie": true, "forky": true, "sid": true,
		"oldoldstable": true, "oldstable": true, "stable": true, "testing": true, "unstable": true}
	var haveMain, haveSecurity bool
	for line := range strings.Lines(lines) {
		f := strings.Fields(line)
		if len(f) != 3 || f[2] != "main" {
			continue
		}
		base, security := strings.CutSuffix(f[1], "-security")
		switch {
		case !releases[base]:
		case security && !haveSecurity:
			m.security, haveSecurity = f[0], true
		case !security && !haveMain:
			m.main, haveMain = f[0], true
		}
	}
	return m
}
