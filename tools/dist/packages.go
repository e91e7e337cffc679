package main

import (
	"bytes"
	"embed"
	"fmt"
	"os"
	"path/filepath"

	"github.com/goreleaser/nfpm/v2"
	_ "github.com/goreleaser/nfpm/v2/deb" // registers the format
	nfpmfiles "github.com/goreleaser/nfpm/v2/files"
	_ "github.com/goreleaser/nfpm/v2/rpm" // registers the format
)

//go:embed scripts/*.sh
var scripts embed.FS

// formats are the package formats, with the package that has setcap.
var formats = []struct{ name, setcap string }{
	{"deb", "libcap2-bin"},
	{"rpm", "libcap"},
}

// packages writes a package of each format.
func (s *source) packages(out, arch string, files []file) error {
	work, err := os.MkdirTemp("", "pktstat-package-")
	if err != nil {
		return fmt.Errorf("package: %w", err)
	}
	defer func() { _ = os.RemoveAll(work) }()
	contents, err := s.contents(work, files)
	if err != nil {
		return err
	}
	if err := os.CopyFS(work, scripts); err != nil {
		return fmt.Errorf("package: %w", err)
	}
	for _, f := range formats {
		format, err := nfpm.Get(f.name)
		if err != nil {
			return fmt.Errorf("package: %w", err)
		}
		info := nfpm.WithDefaults(s.info(arch, f.setcap, contents, filepath.Join(work, "scripts")))
		if err := nfpm.PrepareForPackager(info, f.name); err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
		var buf bytes.Buffer
		if err := format.Package(info, &buf); err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
		if err := os.WriteFile(filepath.Join(out, s.name(arch)+"."+f.name), buf.Bytes(), 0o644); err != nil { //nolint:gosec // for everyone
			return fmt.Errorf("%s: %w", f.name, err)
		}
	}
	return nil
}

func (s *source) info(arch, setcap string, contents nfpmfiles.Contents, scripts string) *nfpm.Info {
	return &nfpm.Info{
		Name: program, Arch: arch, Platform: "linux", Version: s.version, VersionSchema: "none", Release: "1",
		Section: "net", Priority: "optional", MTime: s.time,
		Maintainer:  "The pktstat authors <pktstat@users.noreply.github.com>",
		Vendor:      "The pktstat authors",
		Homepage:    "https://github.com/pktstat/pktstat",
		License:     "MIT",
		Description: "who is using the network, how much, and which process it is\nCounts traffic by flow with eBPF, without losing packets, and reads captures.",
		Overridables: nfpm.Overridables{
			Contents: contents, Depends: []string{setcap}, Umask: 0o022,
			Scripts: nfpm.Scripts{
				PostInstall: filepath.Join(scripts, "postinstall.sh"),
				PreRemove:   filepath.Join(scripts, "preremove.sh"),
				PostRemove:  filepath.Join(scripts, "postremove.sh"),
			},
			RPM: nfpm.RPM{BuildHost: "localhost", Summary: "Who is using the network, how much, and which process it is"},
		},
	}
}

// contents writes the files below dir, from where nfpm reads them.
func (s *source) contents(dir string, files []file) (nfpmfiles.Contents, error) {
	var list nfpmfiles.Contents
	for _, f := range files {
		if f.path == "" {
			continue
		}
		name := filepath.Join(dir, "root", f.path)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return nil, fmt.Errorf("package: %w", err)
		}
		if err := os.WriteFile(name, f.data, f.mode); err != nil {
			return nil, fmt.Errorf("package: %w", err)
		}
		list = append(list, &nfpmfiles.Content{
			Source: name, Destination: f.path, Packager: f.only,
			FileInfo: &nfpmfiles.ContentFileInfo{Owner: "root", Group: "root", Mode: f.mode, MTime: s.time},
		})
	}
	return list, nil
}
