package completion

import (
	"fmt"
	"strings"

	"github.com/pktstat/pktstat/internal/cli/describe"
)

const fishScript = `# Completion of @NAME@ for fish, made by: @NAME@ completion fish

# The value under the cursor, without the option in front of it.
function __@NAME@_value
    string replace -r -- '^--[^=]*=' '' (commandline -ct)
end

# SEPARATOR WORD...: those that the list under the cursor does not have yet.
function __@NAME@_list
    set -l have (string split -- $argv[1] (__@NAME@_value))
    set -l head
    test (count $have) -gt 1; and set head (string join -- $argv[1] $have[1..-2])$argv[1]
    for word in $argv[2..-1]
        contains -- $word $have[1..-2]; or echo "$head$word"
    end
end

function __@NAME@_entries
    for each in $argv[1]/*
        string replace -r -- '.*/' '' $each
    end
end

function __@NAME@_output
    set -l value (__@NAME@_value)
    set -l head (string replace -r -- '[^,]*$' '' $value)
    switch $value
        case '*,*'
            switch $value
@KEYS@            end
        case '*=*'
            set -l path (string replace -r -- '^[^=]*=' '' $value)
            for each in $path*
                test -d $each; and set each $each/
                echo (string replace -r -- '=.*' '=' $value)$each
            end
        case '*'
            printf '%s\n' @OUTPUTS@
    end
end

function __@NAME@_command
    not __fish_seen_subcommand_from @COMMANDNAMES@
end

complete -c @NAME@ -f
@LINES@`

// Fish returns the script for fish.
func Fish(p *describe.Program) string {
	var lines strings.Builder
	top := "-n __" + p.Name + "_command"
	for _, o := range p.Options() {
		fishOption(&lines, p, top, &o)
	}
	for i := range p.Commands {
		c := &p.Commands[i]
		fmt.Fprintf(&lines, "complete -c %s %s -a %s -d %s\n", p.Name, top, c.Name, fishQuoted(gist(c.Summary)))
		within := fmt.Sprintf("-n '__fish_seen_subcommand_from %s'", c.Name)
		for j := range c.Options {
			fishOption(&lines, p, within, &c.Options[j])
		}
		if len(c.Words) > 0 {
			fmt.Fprintf(&lines, "complete -c %s %s -a %s\n", p.Name, within, fishQuoted(joined(c.Words)))
		}
	}
	return strings.NewReplacer("@LINES@", strings.ReplaceAll(lines.String(), "@NAME@", p.Name), "@NAME@", p.Name, "@KEYS@", fishKeys(p),
		"@OUTPUTS@", joined(names(p.Outputs)), "@COMMANDNAMES@", joined(commandNames(p))).Replace(fishScript)
}

func fishOption(b *strings.Builder, p *describe.Program, when string, o *describe.Option) {
	fmt.Fprintf(b, "complete -c %s %s", p.Name, when)
	for _, n := range []string{o.Name, o.Short} {
		switch len(n) {
		case 0:
		case 1:
			fmt.Fprintf(b, " -s %s", n)
		default:
			fmt.Fprintf(b, " -l %s", n)
		}
	}
	switch action := fishAction(o.Values); {
	case o.Fixed():
	case o.Values.Kind == describe.Files:
		b.WriteString(" -r -F")
	case action != "":
		b.WriteString(" -x -a " + fishQuoted(action))
	default:
		b.WriteString(" -x")
	}
	fmt.Fprintf(b, " -d %s\n", fishQuoted(gist(o.Usage)))
}

func fishAction(v describe.Values) string {
	switch v.Kind {
	case describe.Word:
		return joined(v.Words)
	case describe.Words:
		return "(__@NAME@_list , " + joined(v.Words) + ")"
	case describe.Fields:
		return "(__@NAME@_list + " + joined(v.Words) + ")"
	case describe.Interfaces:
		return "(__@NAME@_entries /sys/class/net)"
	case describe.Namespaces:
		return "(__@NAME@_entries /run/netns)"
	case describe.Output:
		return "(__@NAME@_output)"
	case describe.Files, describe.Free:
	}
	return ""
}

// fishKeys returns the keys of each output.
func fishKeys(p *describe.Program) string {
	var b strings.Builder
	for i := range p.Outputs {
		if keys := keyNames(&p.Outputs[i]); keys != nil {
			out := p.Outputs[i].Name
			fmt.Fprintf(&b, "                case '%s,*' '%s=*'\n                    printf \"$head%%s\\n\" %s\n", out, out, strings.Join(keys, " "))
		}
	}
	return b.String()
}

// fishQuoted quotes text as one word, for fish.
func fishQuoted(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}
