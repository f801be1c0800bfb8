// What makes a shell complete commands and flags: from the one table, so it is never behind it.
import { COMMAND_NAMES, COMMANDS } from './args.ts';

const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];
export const isShell = (word: string): word is Shell => SHELLS.some(shell => shell === word);

const flagsOf = (name: (typeof COMMAND_NAMES)[number]): string =>
  COMMANDS[name].flags.map(flag => `--${flag}`).join(' ');

export function completion(shell: Shell): string {
  if (shell === 'fish') {
    return [
      'complete -c kubectl-devshelf -f',
      ...COMMAND_NAMES.map(
        name =>
          `complete -c kubectl-devshelf -n "not __fish_seen_subcommand_from ${COMMAND_NAMES.join(' ')}" -a ${name}`,
      ),
      ...COMMAND_NAMES.flatMap(name =>
        COMMANDS[name].flags.map(
          flag => `complete -c kubectl-devshelf -n "__fish_seen_subcommand_from ${name}" -l ${flag}`,
        ),
      ),
      '',
    ].join('\n');
  }
  const cases = COMMAND_NAMES.map(name => `    ${name}) words="${flagsOf(name)}" ;;`);
  const zsh = shell === 'zsh' ? ['autoload -U +X bashcompinit && bashcompinit'] : [];
  return [
    ...zsh,
    '_kubectl_devshelf() {',
    `  local words="${COMMAND_NAMES.join(' ')}"`,
    `  case "${'$'}{COMP_WORDS[1]}" in`,
    ...cases,
    '  esac',
    `  [ "$COMP_CWORD" -le 1 ] && words="${COMMAND_NAMES.join(' ')}"`,
    `  COMPREPLY=($(compgen -W "$words" -- "${'$'}{COMP_WORDS[COMP_CWORD]}"))`,
    '}',
    'complete -F _kubectl_devshelf kubectl-devshelf',
    '',
  ].join('\n');
}
