package main

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// The parts of SPDX 2.3 for a list of modules.
type (
	spdxDocument struct {
		Version       string             `json:"spdxVersion"`
		License       string             `json:"dataLicense"`
		ID            string             `json:"SPDXID"`
		Name          string             `json:"name"`
		Namespace     string             `json:"documentNamespace"`
		Creation      spdxCreation       `json:"creationInfo"`
		Packages      []spdxPackage      `json:"packages"`
		Relationships []spdxRelationship `json:"relationships"`
	}
	spdxCreation struct {
		Created  string   `json:"created"`
		Creators []string `json:"creators"`
	}
	spdxPackage struct {
		ID        string         `json:"SPDXID"`
		Name      string         `json:"name"`
		Version   string         `json:"versionInfo"`
		Location  string         `json:"downloadLocation"`
		Analyzed  bool           `json:"filesAnalyzed"`
		Concluded string         `json:"licenseConcluded"`
		Declared  string         `json:"licenseDeclared"`
		Copyright string         `json:"copyrightText"`
		Checksums []spdxChecksum `json:"checksums,omitempty"`
		Refs      []spdxRef      `json:"externalRefs"`
	}
	spdxChecksum struct {
		Algorithm string `json:"algorithm"`
		Value     string `json:"checksumValue"`
	}
	spdxRef struct {
		Category string `json:"referenceCategory"`
		Type     string `json:"referenceType"`
		Locator  string `json:"referenceLocator"`
	}
	spdxRelationship struct {
		Element string `json:"spdxElementId"`
		Type    string `json:"relationshipType"`
		Related string `json:"relatedSpdxElement"`
	}
)

// spdx writes the list of a binary's modules.
func (s *source) spdx(out, arch string, deps []dependency) error {
	self := dependency{path: "github.com/pktstat/pktstat", version: "v" + s.version, spdx: "MIT"}
	doc := spdxDocument{
		Version: "SPDX-2.3", License: "CC0-1.0", ID: "SPDXRef-DOCUMENT",
		Name:      s.name(arch),
		Namespace: "https://" + self.path + "/sbom/" + s.name(arch) + "-" + s.commit,
		Creation:  spdxCreation{Created: s.time.Format("2006-01-02T15:04:05Z"), Creators: []string{"Tool: pktstat-dist"}},
		Packages:  []spdxPackage{spdxOf(0, self)},
		Relationships: []spdxRelationship{{
			Element: "SPDXRef-DOCUMENT", Type: "DESCRIBES", Related: "SPDXRef-Package-0",
		}},
	}
	for i, d := range deps {
		p := spdxOf(i+1, d)
		doc.Packages = append(doc.Packages, p)
		doc.Relationships = append(doc.Relationships, spdxRelationship{"SPDXRef-Package-0", "DEPENDS_ON", p.ID})
	}
	raw, err := json.MarshalIndent(doc, "", " ")
	if err != nil {
		return fmt.Errorf("SPDX list: %w", err)
	}
	return os.WriteFile(filepath.Join(out, s.name(arch)+".spdx.json"), append(raw, '\n'), 0o644)
}

func spdxOf(i int, d dependency) spdxPackage {
	p := spdxPackage{
		ID: fmt.Sprintf("SPDXRef-Package-%d", i), Name: d.path, Version: d.version,
		Location: "NOASSERTION", Concluded: d.spdx, Declared: d.spdx, Copyright: "NOASSERTION",
		Refs: []spdxRef{{"PACKAGE-MANAGER", "purl", "pkg:golang/" + d.path + "@" + d.version}},
	}
	// The h1 hash in go.sum is the SHA-256 of a list of the module's files.
	if sum, ok := strings.CutPrefix(d.sum, "h1:"); ok {
		if raw, err := base64.StdEncoding.DecodeString(sum); err == nil {
			p.Checksums = []spdxChecksum{{"SHA256", hex.EncodeToString(raw)}}
		}
	}
	return p
}
