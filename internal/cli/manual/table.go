package manual

import (
	"fmt"
	"strings"

	"github.com/pktstat/pktstat/internal/cli/describe"
)

// Tables returns the options by heading, as Markdown tables.
func Tables(p *describe.Program) string {
	var b strings.Builder
	for _, g := range p.Groups {
		if len(g.Options) == 0 {
			continue
		}
		fmt.Fprintf(&b, "\n## %s\n\n", g.Title)
		b.WriteString("| option | default | key and variable | what it does |\n|---|---|---|---|\n")
		for i := range g.Options {
			o := &g.Options[i]
			name := "`" + strings.TrimSpace(describe.Dashed(o.Name)+" "+o.Arg) + "`"
			if o.Short != "" {
				name = "`" + describe.Dashed(o.Short) + "`, " + name
			}
			key := ""
			if o.Key() {
				key = "`" + o.Name + "`, `" + describe.Variable(p.Name, o.Name) + "`"
			}
			row(&b, name, o.Default, key, o.Usage)
		}
	}
	for _, out := range p.Outputs {
		if len(out.Options) == 0 {
			continue
		}
		fmt.Fprintf(&b, "\n## Keys of `--output %s`\n\n", out.Name)
		b.WriteString("| key | default | what it does |\n|---|---|---|\n")
		for i := range out.Options {
			k := &out.Options[i]
			name := k.Name
			if k.Arg != "" {
				name += "=" + k.Arg
			}
			row(&b, "`"+name+"`", k.Default, k.Usage)
		}
	}
	return b.String()
}

func row(b *strings.Builder, cells ...string) {
	for _, c := range cells {
		b.WriteString("| " + strings.ReplaceAll(c, "|", `\|`) + " ")
	}
	b.WriteString("|\n")
}
