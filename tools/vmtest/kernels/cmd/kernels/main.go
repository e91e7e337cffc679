// Command kernels reads the records that the machines of tools/vmtest have sent, and updates the
// committed records and docs/kernels.md. `make kernels` calls it.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"github.com/pktstat/pktstat/tools/vmtest"
	"github.com/pktstat/pktstat/tools/vmtest/kernels"
)

func main() {
	sent := flag.String("sent", ".cache/vmtest/out", "`directory` with what the machines have sent; empty: only write the document")
	records := flag.String("records", "tools/vmtest/kernels/testdata", "`directory` of the records")
	document := flag.String("document", "docs/kernels.md", "`file` to write")
	flag.Parse()
	if err := update(*sent, *records, *document); err != nil {
		fmt.Fprintln(os.Stderr, "kernels:", err)
		os.Exit(1)
	}
}

func update(sent, records, document string) error {
	for _, k := range vmtest.Kernels {
		if sent == "" {
			break
		}
		r, err := kernels.Read(filepath.Join(sent, k.Name, "probes", kernels.File(k.Name)))
		if err != nil {
			return err
		}
		if err := r.Write(filepath.Join(records, kernels.File(k.Name))); err != nil {
			return err
		}
	}
	all, err := kernels.Load(records)
	if err != nil {
		return err
	}
	return os.WriteFile(document, []byte(kernels.Table(vmtest.Kernels, all)), 0o644)
}
