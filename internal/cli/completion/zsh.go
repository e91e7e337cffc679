package completion

import (
	"fmt"
	"strings"

	"github.com/pktstat/pktstat/internal/cli/describe"
)

const zshScript = `#compdef @NAME@
# Completion of @NAME@ for zsh, made by: @NAME@ completion zsh

# SEPARATOR WORD...: those that the list under the cursor does not have yet.
_@NAME@_list() {
  local separator=$1 expl
  shift
  local -a have words
  compset -P "*$separator" && have=(${(ps:$separator:)IPREFIX##*=})
  words=(${@:|have})
  _wanted values expl value compadd -q -S $separator -a words
}

_@NAME@_entries() {
  local expl
  local -a entries
  entries=($1/*(N:t))
  _wanted entries expl $2 compadd -a entries
}

_@NAME@_output() {
  local expl output=${PREFIX%%[=,]*}
  local -a keys
  if compset -P '*,'; then
    case $output in
@KEYS@    esac
    _wanted keys expl key compadd -S '' -a keys
  elif compset -P '*='; then
    _files
  else
    _wanted outputs expl output compadd -S '' @OUTPUTS@
  fi
}

_@NAME@() {
  local curcontext=$curcontext state state_descr line ret=1
  typeset -A opt_args
  _arguments -C -s -S \
@OPTIONS@    '1: :->command' '*:: :->arguments' && ret=0
  case $state in
    command)
      local -a commands
      commands=(
@COMMANDS@      )
      _describe -t commands command commands && ret=0
      ;;
    arguments)
      case $words[1] in
@ARGUMENTS@      esac
      ;;
  esac
  return ret
}

if [[ $funcstack[1] == _@NAME@ ]]; then
  _@NAME@ "$@"
else
  compdef _@NAME@ @NAME@
fi
`

// Zsh returns the script for zsh. The user puts it into a folder of $fpath, or sources it.
func Zsh(p *describe.Program) string {
	var options, commands, arguments, keys strings.Builder
	for _, o := range p.Options() {
		options.WriteString("    " + zshOption(p, &o) + " \\\n")
	}
	for i := range p.Commands {
		c := &p.Commands[i]
		fmt.Fprintf(&commands, "        %s\n", quoted(c.Name+":"+gist(c.Summary)))
		fmt.Fprintf(&arguments, "        %s) _arguments -s -S '(- *)--help[print help]'", c.Name)
		for j := range c.Options {
			arguments.WriteString(" " + zshOption(p, &c.Options[j]))
		}
		if len(c.Words) > 0 {
			fmt.Fprintf(&arguments, " '1:%s:(%s)'", strings.Trim(c.Args, "[]"), joined(c.Words))
		}
		arguments.WriteString(" && ret=0 ;;\n")
	}
	for i := range p.Outputs {
		if all := keyNames(&p.Outputs[i]); all != nil {
			fmt.Fprintf(&keys, "      %s) keys=(%s) ;;\n", p.Outputs[i].Name, strings.Join(all, " "))
		}
	}
	return strings.NewReplacer("@OPTIONS@", options.String(), "@COMMANDS@", commands.String(), "@ARGUMENTS@", arguments.String(),
		"@KEYS@", keys.String(), "@OUTPUTS@", joined(names(p.Outputs)), "@NAME@", p.Name).Replace(zshScript)
}

// zshOption returns the specification of an option for _arguments.
func zshOption(p *describe.Program, o *describe.Option) string {
	all := dashes(o)
	lead := "(" + strings.Join(all, " ") + ")"
	if o.Repeatable {
		lead = "*"
	}
	text := strings.NewReplacer("[", "(", "]", ")", ":", " ").Replace(gist(o.Usage))
	tail := "[" + text + "]"
	if !o.Fixed() {
		tail += ":" + o.Arg + ":" + strings.ReplaceAll(zshAction(o.Values), "@NAME@", p.Name)
		for i, name := range all {
			if len(name) > len("-x") {
				all[i] += "="
			} else {
				all[i] += "+"
			}
		}
	}
	specs := make([]string, len(all))
	for i, name := range all {
		specs[i] = quoted(lead + name + tail)
	}
	return strings.Join(specs, " ")
}

func zshAction(v describe.Values) string {
	switch v.Kind {
	case describe.Word:
		return "(" + joined(v.Words) + ")"
	case describe.Words:
		return " _@NAME@_list , " + joined(v.Words)
	case describe.Fields:
		return " _@NAME@_list + " + joined(v.Words)
	case describe.Interfaces:
		return " _@NAME@_entries /sys/class/net interface"
	case describe.Namespaces:
		return " _@NAME@_entries /run/netns namespace"
	case describe.Files:
		return "_files"
	case describe.Output:
		return " _@NAME@_output"
	case describe.Free:
	}
	return " "
}
