// Command plugintables writes tables of the registered backends and outputs into the
// documents that it is given. A table goes between a line with its name, such as
// "<!-- backends -->", and the line "<!-- end -->" after it.
package main

import (
	"bytes"
	"fmt"
	"os"
	"regexp"
	"strings"

	_ "github.com/pktstat/pktstat/backends/all"
	_ "github.com/pktstat/pktstat/outputs/all"
	"github.com/pktstat/pktstat/registry"
)

//go:generate go run github.com/pktstat/pktstat/tools/plugintables ../../README.md ../../ARCHITECTURE.md

func main() {
	for _, doc := range os.Args[1:] {
		if err := rewrite(doc); err != nil {
			fmt.Fprintln(os.Stderr, "plugintables:", err)
			os.Exit(1)
		}
	}
}

func rewrite(doc string) error {
	text, err := os.ReadFile(doc)
	if err != nil {
		return err
	}
	tables := map[string]string{
		"backends": backends(), "packages of backends": backendPackages(),
		"outputs": outputs(), "packages of outputs": outputPackages(),
	}
	blocks := 0
	for name, table := range tables {
		block := regexp.MustCompile(`(?s)(<!-- ` + name + ` -->\n).*?(<!-- end -->\n)`)
		blocks += len(block.FindAll(text, -1))
		text = block.ReplaceAll(text, []byte("${1}"+strings.ReplaceAll(table, "$", "$$")+"${2}"))
	}
	if ends := bytes.Count(text, []byte("<!-- end -->")); blocks == 0 || ends != blocks {
		return fmt.Errorf("%s has %d tables, and %d lines that end one", doc, blocks, ends)
	}
	return os.WriteFile(doc, text, 0o644)
}

func backends() string {
	var b strings.Builder
	b.WriteString("| backend | what it does | abilities |\n|---|---|---|\n")
	for name, p := range registry.Backends.All() {
		fmt.Fprintf(&b, "| [%s](backends/%s/README.md) | %s | %s |\n", name, name, p.Summary, strings.Join(p.Caps.Strings(), ", "))
	}
	return b.String()
}

func outputs() string {
	var b strings.Builder
	b.WriteString("| output | what it writes |\n|---|---|\n")
	for name, p := range registry.Outputs.All() {
		fmt.Fprintf(&b, "| [%s](outputs/%s/README.md) | %s |\n", name, name, p.Summary)
	}
	return b.String()
}

const packagesHead = "| package | what it does |\n|---|---|\n"

func backendPackages() string {
	var b strings.Builder
	b.WriteString(packagesHead)
	for name, p := range registry.Backends.All() {
		fmt.Fprintf(&b, "| `backends/%s` | %s |\n", name, p.Summary)
	}
	return b.String()
}

func outputPackages() string {
	var b strings.Builder
	b.WriteString(packagesHead)
	for name, p := range registry.Outputs.All() {
		fmt.Fprintf(&b, "| `outputs/%s` | %s |\n", name, p.Summary)
	}
	return b.String()
}
