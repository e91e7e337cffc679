package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestUpToDate: the committed documents match the output of make generate.
func TestUpToDate(t *testing.T) {
	for _, d := range documents {
		old, err := os.ReadFile(filepath.Join("..", "..", d.path))
		if err != nil {
			t.Error(err)
			continue
		}
		text, err := d.text(old)
		if err != nil {
			t.Error(err)
		}
		if !bytes.Equal(text, old) {
			t.Errorf("%s is out of date: run make generate", d.path)
		}
	}
}

func TestReadmeWithoutBlocks(t *testing.T) {
	if _, err := withTables([]byte("# a README\n")); err == nil || !strings.Contains(err.Error(), "found 0 tables") {
		t.Errorf("error %v", err)
	}
}
