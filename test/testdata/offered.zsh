# FOLDER LINE...: prints what zsh offers for each line, and then a line "=". It uses the script
# _pktstat in the folder. zsh completes only on a terminal, so a second zsh runs on one.
zmodload zsh/zpty
out=$1/offered
: > $out
zpty z zsh -f -i
zpty -w z "cd ${(q)1}; fpath=(${(q)1} \$fpath); OUT=${(q)out}"
zpty -w z 'autoload -Uz compinit; compinit -D -u
LISTMAX=10000
compadd() {
  if [[ ${@[1,(i)(-|--)]} == *-(O|A|D)* ]]; then builtin compadd "$@"; return; fi
  local -a offered; builtin compadd -O offered "$@"; print -rl -- $offered >> $OUT
  builtin compadd "$@"
}
finish() { print -r -- "=" >> $OUT; BUFFER= }
zle -N finish; bindkey "^T" finish; bindkey "^I" complete-word
print ready >> $OUT'
until grep -q '^ready' $out; do zpty -r -t z _; sleep .02; done
shift
for line; do
  : > $out
  zpty -w -n z "$line"$'\t\x14'
  until grep -q '^=' $out; do zpty -r -t z _; sleep .02; done
  cat $out
done
zpty -d z
