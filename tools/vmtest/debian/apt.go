// Package debian gets a Debian release's newest cloud kernel and programs from the archive. The
// host may have another release and architecture.
package debian

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// keyring has the keys of Debian's releases; it is in package debian-archive-keyring.
const keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"

// listsAge is the age at which package lists are refreshed.
const listsAge = 12 * time.Hour

// suite is a suite of the archive, with its own package lists.
type suite struct {
	name string
	arch string // Debian's name of an architecture
	dir  string // absolute; only for this suite and architecture
	uri  string
}

// open prepares the suite's apt configuration. apt reads the host's configuration first, because it
// may name a proxy.
func open(dir, name, arch string, mirrors mirrors) (*suite, error) {
	if _, err := os.Stat(keyring); err != nil {
		return nil, fmt.Errorf("%w: apt-get install debian-archive-keyring", err)
	}
	s := &suite{name: name, arch: arch, dir: dir, uri: mirrors.of(name)}
	for _, d := range []string{"lists/partial", "archives/partial"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			return nil, err
		}
	}
	files := map[string]string{
		"sources.list": fmt.Sprintf("deb [arch=%s signed-by=%s] %s %s main\n", arch, keyring, s.uri, name),
		"apt.conf": fmt.Sprintf(`Dir::Etc::SourceList "%[1]s/sources.list";
Dir::Etc::SourceParts "/dev/null";
Dir::Etc::Preferences "/dev/null";
Dir::Etc::PreferencesParts "/dev/null";
Dir::State "%[1]s";
Dir::State::status "/dev/null";
Dir::Cache "%[1]s";
APT::Architecture "%[2]s";
APT::Architectures "%[2]s";
APT::Sandbox::User "";
APT::Update::Error-Mode "any";
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
Acquire::Languages "none";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled "false";
`, dir, arch),
	}
	for file, content := range files {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(content), 0o644); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// update refreshes the package lists if they are old or force is set.
func (s *suite) update(ctx context.Context, force bool) error {
	stamp := filepath.Join(s.dir, "updated")
	if info, err := os.Stat(stamp); err == nil && !force && time.Since(info.ModTime()) < listsAge {
		return nil
	}
	if _, err := s.apt(ctx, s.dir, "apt-get", "-q", "update"); err != nil {
		return fmt.Errorf("%s from %s: %w", s.name, s.uri, err)
	}
	return os.WriteFile(stamp, nil, 0o644)
}

// control is the record of a package.
type control struct {
	name, version string
	depends       []string // names only, the first of each group of alternatives
}

// show reads the record of a package's newest version.
func (s *suite) show(ctx context.Context, name string) (control, error) {
	out, err := s.apt(ctx, s.dir, "apt-cache", "--no-all-versions", "show", name)
	if err != nil {
		return control{}, fmt.Errorf("package %s in %s: %w", name, s.name, err)
	}
	return parseControl(out), nil
}

func parseControl(record []byte) control {
	var c control
	for line := range strings.Lines(string(record)) {
		field, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		switch field {
		case "Package":
			c.name = value
		case "Version":
			c.version = value
		case "Depends":
			for group := range strings.SplitSeq(value, ",") {
				c.depends = append(c.depends, strings.Fields(group)[0])
			}
		}
	}
	return c
}

// download gets packages, checks them against the signed lists, and unpacks them below dir.
func (s *suite) download(ctx context.Context, dir string, packages ...control) error {
	debs, err := os.MkdirTemp(s.dir, "debs-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(debs) }()
	args := []string{"-q", "download"}
	for _, p := range packages {
		args = append(args, p.name+"="+p.version)
	}
	if _, err := s.apt(ctx, debs, "apt-get", args...); err != nil {
		return fmt.Errorf("download %s: %w", strings.Join(args[2:], " "), err)
	}
	files, err := filepath.Glob(filepath.Join(debs, "*.deb"))
	if err != nil {
		return err
	}
	if len(files) != len(packages) {
		return fmt.Errorf("download %s: got %d files", strings.Join(args[2:], " "), len(files))
	}
	for _, f := range files {
		if out, err := exec.CommandContext(ctx, "dpkg", "-x", f, dir).CombinedOutput(); err != nil {
			return fmt.Errorf("unpack %s: %w: %s", filepath.Base(f), err, bytes.TrimSpace(out))
		}
	}
	return nil
}

// apt runs a command of apt in a directory.
func (s *suite) apt(ctx context.Context, dir, command string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, command, append([]string{"-c", filepath.Join(s.dir, "apt.conf")}, args...)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%s: %w: %s", command, err, bytes.TrimSpace(stderr.Bytes()))
	}
	return stdout.Bytes(), nil
}
