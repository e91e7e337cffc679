package cmd

import (
	"io"
	"os"
	"strconv"

	"golang.org/x/term"

	"github.com/pktstat/pktstat/internal/render/charset"
	"github.com/pktstat/pktstat/registry"
)

// fallbackWidth is the width of a terminal that does not report it.
const fallbackWidth = 80

// terminalOf describes the terminal that w is connected to, if it is one. COLUMNS overrides the
// terminal's width. NO_COLOR (no-color.org) and a dumb terminal disable colours. The locale decides
// which characters it shows.
func terminalOf(w io.Writer, getenv func(string) string) registry.Terminal {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return registry.Terminal{}
	}
	t := registry.Terminal{
		IsTTY: true, Width: fallbackWidth,
		Color: getenv("NO_COLOR") == "" && getenv("TERM") != "dumb",
		ASCII: charset.ASCIIOnly(getenv),
	}
	if n, _, err := term.GetSize(int(f.Fd())); err == nil && n > 0 {
		t.Width = n
	}
	if n, err := strconv.Atoi(getenv("COLUMNS")); err == nil && n > 0 {
		t.Width = n
	}
	return t
}
