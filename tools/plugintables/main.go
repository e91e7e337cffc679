// Command plugintables writes the parts of documents that list plugins and fields. It takes them
// from the registries and the table of fields, and writes them into the given repository:
//
//   - tables in ARCHITECTURE.md, docs/plugins.md, docs/outputs.md and docs/interfaces.md. Each is
//     between a line with its name, such as "<!-- backends -->", and the line "<!-- end -->".
//   - docs/fields.md
//   - docs/options.md
//   - docs/where.svg
//   - docs/pktstat.report.v1.schema.json
package main

import (
	"bytes"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	_ "github.com/pktstat/pktstat/backends/all"
	"github.com/pktstat/pktstat/flow"
	_ "github.com/pktstat/pktstat/labels/all"
	_ "github.com/pktstat/pktstat/outputs/all"
	"github.com/pktstat/pktstat/registry"
)

//go:generate go run github.com/pktstat/pktstat/tools/plugintables ../..

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: plugintables REPOSITORY")
		os.Exit(2)
	}
	if err := write(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "plugintables:", err)
		os.Exit(1)
	}
}

// document is a file of the repository, with the function that makes its new text from the old one.
type document struct {
	path string
	text func(old []byte) ([]byte, error)
}

var documents = []document{
	{"ARCHITECTURE.md", withTables},
	{"docs/plugins.md", withTables},
	{"docs/outputs.md", withTables},
	{"docs/interfaces.md", withTables},
	{"docs/fields.md", func([]byte) ([]byte, error) { return []byte(fields(flow.Fields.All())), nil }},
	{"docs/options.md", func([]byte) ([]byte, error) { return []byte(options()), nil }},
	{"docs/where.svg", func([]byte) ([]byte, error) { return []byte(where(registry.Backends.All())), nil }},
	{"docs/pktstat.report.v1.schema.json", func([]byte) ([]byte, error) { return schema(flow.Fields.All()) }},
}

func write(root string) error {
	for _, d := range documents {
		path := filepath.Join(root, d.path)
		old, err := os.ReadFile(path)
		if err != nil && !os.IsNotExist(err) {
			return err
		}
		text, err := d.text(old)
		if err != nil {
			return fmt.Errorf("%s: %w", d.path, err)
		}
		if err := os.WriteFile(path, text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// withTables fills the tables of a text.
func withTables(text []byte) ([]byte, error) {
	blocks := 0
	for name, table := range map[string]string{
		"backends": backends(), "packages of backends": packages("backends", summaries(registry.Backends, func(b registry.Backend) string { return b.Summary })),
		"outputs": outputs(), "packages of outputs": packages("outputs", summaries(registry.Outputs, func(o registry.Output) string { return o.Summary })),
		"kinds of interfaces": kinds(),
		"labels":              labels(), "packages of labels": packages("labels", summaries(registry.Labels, func(l registry.Label) string { return l.Summary })),
	} {
		block := regexp.MustCompile(`(?s)(<!-- ` + name + ` -->\n).*?(<!-- end -->\n)`)
		blocks += len(block.FindAll(text, -1))
		text = block.ReplaceAll(text, []byte("${1}"+strings.ReplaceAll(table, "$", "$$")+"${2}"))
	}
	if ends := bytes.Count(text, []byte("<!-- end -->")); blocks == 0 || ends != blocks {
		return nil, fmt.Errorf("found %d tables, and %d lines that end one", blocks, ends)
	}
	return text, nil
}

// summaries iterates over the names and summaries of plugins.
func summaries[T any](r *registry.Registry[T], summary func(T) string) iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for name, p := range r.All() {
			if !yield(name, summary(p)) {
				return
			}
		}
	}
}

func backends() string {
	var b strings.Builder
	b.WriteString("| backend | what it does | abilities |\n|---|---|---|\n")
	for name, p := range registry.Backends.All() {
		fmt.Fprintf(&b, "| [%s](../backends/%s/README.md) | %s | %s |\n", name, name, p.Summary, strings.Join(p.Caps.Strings(), ", "))
	}
	return b.String()
}

func outputs() string {
	var b strings.Builder
	b.WriteString("| output | what it writes |\n|---|---|\n")
	for name, p := range registry.Outputs.All() {
		fmt.Fprintf(&b, "| [%s](../outputs/%s/README.md) | %s |\n", name, name, p.Summary)
	}
	return b.String()
}

func labels() string {
	var b strings.Builder
	b.WriteString("| label | what it knows | fields |\n|---|---|---|\n")
	for name, p := range registry.Labels.All() {
		names := append([]string{}, p.Fills...)
		for i := range p.Fields {
			names = append(names, p.Fields[i].Name)
		}
		fmt.Fprintf(&b, "| [%s](../labels/%s/README.md) | %s | `%s` |\n", name, name, p.Summary, strings.Join(names, "`, `"))
	}
	return b.String()
}

func packages(folder string, all iter.Seq2[string, string]) string {
	var b strings.Builder
	b.WriteString("| package | what it does |\n|---|---|\n")
	for name, summary := range all {
		fmt.Fprintf(&b, "| `%s/%s` | %s |\n", folder, name, summary)
	}
	return b.String()
}
