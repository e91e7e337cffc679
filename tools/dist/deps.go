package main

import (
	"context"
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// dependency is a module in the binary.
type dependency struct {
	path, version, sum string
	licence            string // text of its licence files
	spdx               string // SPDX identifier, or NOASSERTION
}

var licenceFile = regexp.MustCompile(`(?i)^(licen[cs]e|copying|notice|unlicense)(\..*|-.*)?$`)

// dependencies returns the modules in a binary, including Go's library, with the licences in their
// sources.
func dependencies(ctx context.Context, repo, bin string) ([]dependency, error) {
	info, err := buildinfo.ReadFile(bin)
	if err != nil {
		return nil, fmt.Errorf("modules of %s: %w", bin, err)
	}
	root, err := output(ctx, repo, nil, "go", "env", "GOROOT")
	if err != nil {
		return nil, err
	}
	dirs, err := moduleDirs(ctx, repo)
	if err != nil {
		return nil, err
	}
	deps := []dependency{{path: "std", version: info.GoVersion}}
	dirs["std"] = root
	for _, m := range info.Deps {
		deps = append(deps, dependency{path: m.Path, version: m.Version, sum: m.Sum})
	}
	for i := range deps {
		d := &deps[i]
		if d.licence, err = readLicences(dirs[d.path]); err != nil {
			return nil, fmt.Errorf("licence of %s: %w", d.path, err)
		}
		d.spdx = identify(d.licence)
	}
	slices.SortFunc(deps, func(a, b dependency) int { return strings.Compare(a.path, b.path) })
	return deps, nil
}

// moduleDirs returns the source folders of all modules.
func moduleDirs(ctx context.Context, repo string) (map[string]string, error) {
	if _, err := output(ctx, repo, nil, "go", "mod", "download"); err != nil {
		return nil, err
	}
	list, err := output(ctx, repo, nil, "go", "list", "-m", "-json", "all")
	if err != nil {
		return nil, err
	}
	dirs := map[string]string{}
	for dec := json.NewDecoder(strings.NewReader(list)); ; {
		var m struct{ Path, Dir string }
		switch err := dec.Decode(&m); {
		case errors.Is(err, io.EOF):
			return dirs, nil
		case err != nil:
			return nil, fmt.Errorf("list of modules: %w", err)
		}
		dirs[m.Path] = m.Dir
	}
}

// readLicences joins the licence files of a module.
func readLicences(dir string) (string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", err
	}
	var text strings.Builder
	for _, e := range entries {
		if e.IsDir() || !licenceFile.MatchString(e.Name()) {
			continue
		}
		raw, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return "", err
		}
		text.Write(raw)
		text.WriteString("\n")
	}
	if text.Len() == 0 {
		return "", errors.New("the module has no licence file")
	}
	return text.String(), nil
}

// phrases identify a licence by a sentence that only it has, the more special ones first.
var phrases = []struct{ spdx, phrase string }{
	{"Apache-2.0", "Apache License"},
	{"MPL-2.0", "Mozilla Public License"},
	{"BSD-3-Clause", "Neither the name of"},
	{"BSD-2-Clause", "Redistribution and use in source and binary forms"},
	{"ISC", "Permission to use, copy, modify, and/or distribute this software"},
	{"ISC", "Permission to use, copy, modify, and distribute this software"},
	{"MIT", "Permission is hereby granted, free of charge"},
	{"Unlicense", "This is free and unencumbered software"},
}

// identify returns the SPDX identifier of a licence's text.
func identify(text string) string {
	words := strings.Join(strings.Fields(text), " ")
	for _, p := range phrases {
		if strings.Contains(words, p.phrase) {
			return p.spdx
		}
	}
	return "NOASSERTION"
}

// thirdParty returns the text of THIRD_PARTY_LICENCES.
func thirdParty(deps []dependency) []byte {
	var b strings.Builder
	b.WriteString("pktstat contains these modules. Each is under the licence that follows its name.\n")
	for _, d := range deps {
		fmt.Fprintf(&b, "\n%s\n%s %s\n%s\n\n%s", strings.Repeat("=", 78), d.path, d.version, strings.Repeat("=", 78), d.licence)
	}
	return []byte(b.String())
}
