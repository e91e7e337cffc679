package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// file is one file of the release.
type file struct {
	tarName string // in the tarball; empty: not there
	path    string // where packages install it; empty: nowhere
	only    string // the format of packages that have it; empty: all
	mode    fs.FileMode
	data    []byte
}

// fromRepo are the files that are taken from the source tree as they are.
var fromRepo = []struct{ source, tarName, path string }{
	{"LICENSE", "LICENSE", "/usr/share/doc/pktstat/copyright"},
	{"README.md", "README.md", "/usr/share/doc/pktstat/README.md"},
	{"CHANGELOG.md", "CHANGELOG.md", "/usr/share/doc/pktstat/CHANGELOG.md"},
	{"testdata/mix.pcap", "testdata/mix.pcap", "/usr/share/doc/pktstat/examples/mix.pcap"},
	{"deploy/systemd/pktstat-web.service", "systemd/pktstat-web.service", "/usr/lib/systemd/system/pktstat-web.service"},
}

// files returns what tarballs and packages have, in the order of the tarball.
func (s *source) files(bin string, deps []dependency) ([]file, error) {
	raw, err := os.ReadFile(bin)
	if err != nil {
		return nil, fmt.Errorf("binary: %w", err)
	}
	list := []file{{tarName: program, path: "/usr/bin/" + program, mode: 0o755, data: raw}}
	for _, f := range fromRepo {
		raw, err := os.ReadFile(filepath.Join(s.repo, f.source))
		if err != nil {
			return nil, fmt.Errorf("file of the release: %w", err)
		}
		list = append(list, file{tarName: f.tarName, path: f.path, mode: 0o644, data: raw})
	}
	return append(list, file{
		tarName: "THIRD_PARTY_LICENCES", path: "/usr/share/doc/pktstat/THIRD_PARTY_LICENCES",
		mode: 0o644, data: thirdParty(deps),
	}), nil
}
