// Command plugintables writes the tables of backends and outputs in the documents
// it is given, between the lines "<!-- backends -->" and "<!-- outputs -->" and the
// line "<!-- end -->" after each, from the registries.
package main

import (
	"fmt"
	"os"
	"regexp"
	"strings"

	_ "github.com/pktstat/pktstat/backends/all"
	_ "github.com/pktstat/pktstat/outputs/all"
	"github.com/pktstat/pktstat/registry"
)

//go:generate go run github.com/pktstat/pktstat/tools/plugintables ../../README.md

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
	for name, table := range map[string]string{"backends": backends(), "outputs": outputs()} {
		block := regexp.MustCompile(`(?s)(<!-- ` + name + ` -->\n).*?(<!-- end -->\n)`)
		if !block.Match(text) {
			return fmt.Errorf("%s has no block for %s", doc, name)
		}
		text = block.ReplaceAll(text, []byte("${1}"+strings.ReplaceAll(table, "$", "$$")+"${2}"))
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
