package completion

import (
	"fmt"
	"strings"

	"github.com/pktstat/pktstat/internal/cli/describe"
)

// Bash returns the script for bash. It does not need the package bash-completion.
func Bash(p *describe.Program) string {
	r := strings.NewReplacer(
		"@NAME@", p.Name,
		"@TAKES@", bashTakes(p),
		"@VALUES@", bashValues(p),
		"@OPTIONS@", bashOptions(p),
		"@COMMANDS@", bashCommands(p),
		"@OUTPUTS@", joined(names(p.Outputs)),
		"@KEYS@", bashKeys(p),
		"@KEYNAMES@", bashKeyNames(p),
		"@COMMANDNAMES@", joined(commandNames(p)),
	)
	return r.Replace(bashScript)
}

// bashScript reads the word under the cursor from the line, because bash splits COMP_WORDS at "="
// and ":".
const bashScript = `# Completion of @NAME@ for bash, made by: @NAME@ completion bash

# PREFIX WORD...: offers those that go on with the word under the cursor.
_@NAME@_offer() {
    local prefix=$1 each breaks=${COMP_WORDBREAKS//[^=:]/} cut=
    shift
    # Readline replaces only what comes behind the last of its breaks.
    [[ $breaks ]] && cut=${word%"${word##*[$breaks]}"}
    for each; do
        [[ $prefix$each == "$word"* ]] && each=$prefix$each && COMPREPLY+=("${each#"$cut"}")
    done
}

# SEPARATOR WORD...: offers those that the list at the end of the value does not have yet.
_@NAME@_list() {
    local separator=$1 last=${value##*"$1"} each
    local head=${value%"$last"}
    shift
    compopt -o nospace 2>/dev/null
    for each; do
        [[ $separator$head == *"$separator$each$separator"* ]] || _@NAME@_offer "$before$head" "$each"
    done
}

# Interfaces may have names that a shell takes for more.
_@NAME@_entries() {
    local each name
    for each in "$1"/*; do
        [[ -e $each || -L $each ]] || continue
        printf -v name %q "${each##*/}"
        _@NAME@_offer "$before" "$name"
    done
}

# HEAD PATH
_@NAME@_files() {
    local -a found
    mapfile -t found < <(compgen -f -- "$2")
    compopt -o filenames 2>/dev/null
    _@NAME@_offer "$1" "${found[@]}"
}

_@NAME@_output() {
    local last=${value##*,} output=${value%%[=,]*}
    local head=${value%"$last"}
    if [[ $value != *[=,]* ]]; then
        compopt -o nospace 2>/dev/null
        _@NAME@_offer "$before" @OUTPUTS@
    elif [[ $value != *,* ]]; then
        _@NAME@_files "$before$output=" "${value#*=}"
    elif [[ $last == *=* ]]; then
        before+=$head${last%%=*}= value=${last#*=}
        case $output,${last%%=*} in
@KEYS@        esac
    else
        compopt -o nospace 2>/dev/null
        case $output in
@KEYNAMES@        esac
    fi
}

_@NAME@_value() {
    case $1 in
@VALUES@    esac
}

_@NAME@_takes() {
    case $1 in
        @TAKES@) return 0 ;;
    esac
    return 1
}

_@NAME@() {
    local line=${COMP_LINE:0:COMP_POINT}
    local word=${line##*[[:space:]]} before= value command= i
    local -a words
    COMPREPLY=()
    IFS=$' \t\n' read -ra words <<<"${line%"$word"}"
    for ((i = 1; i < ${#words[@]}; i++)); do
        if _@NAME@_takes "${words[i]}"; then
            ((i++))
        elif [[ ${words[i]} != -* ]]; then
            command=${words[i]}
            break
        fi
    done
    if [[ $word == --*=* ]]; then
        before=${word%%=*}= value=${word#*=}
        _@NAME@_value "${word%%=*}"
    elif ((${#words[@]} > 1)) && _@NAME@_takes "${words[-1]}"; then
        value=$word
        _@NAME@_value "${words[-1]}"
    else
        case $command in
@COMMANDS@            '')
                if [[ $word == -* ]]; then
                    _@NAME@_offer '' @OPTIONS@
                else
                    _@NAME@_offer '' @COMMANDNAMES@
                fi
                ;;
        esac
    fi
}

complete -F _@NAME@ @NAME@
`

// bashTakes returns a pattern of the options that take a value.
func bashTakes(p *describe.Program) string {
	var patterns []string
	for _, o := range every(p) {
		if !o.Fixed() {
			patterns = append(patterns, dashes(&o)...)
		}
	}
	return strings.Join(patterns, "|")
}

func bashValues(p *describe.Program) string {
	var b strings.Builder
	done := map[string]bool{}
	for _, o := range every(p) {
		if action := bashAction(p, &o); action != "" && !done[o.Name] {
			fmt.Fprintf(&b, "        %s) %s ;;\n", strings.Join(dashes(&o), "|"), action)
			done[o.Name] = true
		}
	}
	return b.String()
}

// bashAction returns the command that offers the values of an option; "" for any value.
func bashAction(p *describe.Program, o *describe.Option) string {
	call := func(command string) string { return "_" + p.Name + "_" + command }
	if o.Fixed() {
		return call(`offer "$before" true false`)
	}
	switch v := o.Values; v.Kind {
	case describe.Word:
		return call(`offer "$before" ` + joined(v.Words))
	case describe.Words:
		return call(`list , ` + joined(v.Words))
	case describe.Fields:
		return call(`list + ` + joined(v.Words))
	case describe.Interfaces:
		return call(`entries /sys/class/net`)
	case describe.Namespaces:
		return call(`entries /run/netns`)
	case describe.Files:
		return call(`files "$before" "$value"`)
	case describe.Output:
		return call(`output`)
	case describe.Free:
	}
	return ""
}

func bashOptions(p *describe.Program) string {
	var all []string
	for _, o := range p.Options() {
		all = append(all, dashes(&o)...)
	}
	return strings.Join(all, " ")
}

func bashCommands(p *describe.Program) string {
	var b strings.Builder
	for i := range p.Commands {
		c := &p.Commands[i]
		all := []string{"--help"}
		for j := range c.Options {
			all = append(all, dashes(&c.Options[j])...)
		}
		fmt.Fprintf(&b, "            %s)\n                if [[ $word == -* ]]; then\n                    _%s_offer '' %s\n                else\n                    _%s_offer '' %s\n                fi\n                ;;\n",
			c.Name, p.Name, strings.Join(all, " "), p.Name, joined(c.Words))
	}
	return b.String()
}

func bashKeys(p *describe.Program) string {
	var b strings.Builder
	for _, out := range p.Outputs {
		for i := range out.Options {
			if action := bashAction(p, &out.Options[i]); action != "" {
				fmt.Fprintf(&b, "            %s,%s) %s ;;\n", out.Name, out.Options[i].Name, action)
			}
		}
	}
	return b.String()
}

func bashKeyNames(p *describe.Program) string {
	var b strings.Builder
	for i := range p.Outputs {
		if keys := keyNames(&p.Outputs[i]); keys != nil {
			fmt.Fprintf(&b, "            %s) _%s_offer \"$before$head\" %s ;;\n", p.Outputs[i].Name, p.Name, strings.Join(keys, " "))
		}
	}
	return b.String()
}
