import type { Command } from 'commander';
import { HoldfastError } from '../kernel/errors/errors.ts';

interface Words {
  /** Such as `volume create`; empty for the program itself. */
  readonly path: string;
  readonly words: readonly string[];
}

/** A completion script for a shell, of the commands and options as they are. Throws `invalid` for another shell. */
export function completionScript(program: Command, shell: string): string {
  const all = collect(program, []);
  if (shell === 'bash') return bash(all);
  if (shell === 'zsh') return `#compdef holdfast\nautoload -U +X bashcompinit && bashcompinit\n${bash(all)}`;
  if (shell === 'fish') return fish(all);
  throw new HoldfastError('invalid', `There is completion for bash, zsh and fish, not for "${shell}".`, {
    field: 'shell',
  });
}

function collect(command: Command, path: readonly string[]): Words[] {
  const options = command.options.filter(({ hidden }) => !hidden).map(({ long }) => long ?? '');
  const words = [...command.commands.map((child) => child.name()), ...options].filter((word) => word !== '');
  return [
    { path: path.join(' '), words },
    ...command.commands.flatMap((child) => collect(child, [...path, child.name()])),
  ];
}

function bash(all: readonly Words[]): string {
  const cases = all.map(({ path, words }) => `    "${path}") words="${words.join(' ')}" ;;`).join('\n');
  return `_holdfast() {
  local current="\${COMP_WORDS[COMP_CWORD]}" path="" words="" word
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$word" in -*) ;; *) path="\${path:+$path }$word" ;; esac
  done
  while :; do
    case "$path" in
${cases}
    esac
    [ -n "$words" ] || [ -z "$path" ] && break
    case "$path" in *" "*) path="\${path% *}" ;; *) path="" ;; esac
  done
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _holdfast holdfast
`;
}

function fish(all: readonly Words[]): string {
  return all
    .map(({ path, words }) => {
      const condition =
        path === ''
          ? '__fish_use_subcommand'
          : path
              .split(' ')
              .map((word) => `__fish_seen_subcommand_from ${word}`)
              .join('; and ');
      // Where no command can follow, a file may.
      const noFiles = words.some((word) => !word.startsWith('-')) ? ' -f' : '';
      return `complete -c holdfast${noFiles} -n '${condition}' -a '${words.join(' ')}'`;
    })
    .join('\n')
    .concat('\n');
}
