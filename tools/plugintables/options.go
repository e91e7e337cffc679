package main

import (
	"github.com/pktstat/pktstat/cmd"
	"github.com/pktstat/pktstat/internal/cli/manual"
	"github.com/pktstat/pktstat/registry"
)

const optionsHead = `# Options

<!-- Made by tools/plugintables from the options of cmd and of the plugins: run make generate. -->

` + "`pktstat --help` has the options used most, `pktstat --help all` has every one, `pktstat man` prints a man page, and `pktstat completion bash`" + `
(or zsh, fish) prints a script for the shell. A key is for a [configuration](configuration.md), and a variable for the environment.
A binary with other plugins has other options.
`

// options returns docs/options.md.
func options() string {
	app := cmd.App{
		Getenv:   func(string) string { return "" },
		Backends: registry.Backends, Outputs: registry.Outputs, Labels: registry.Labels,
	}
	return optionsHead + manual.Tables(app.Describe())
}
