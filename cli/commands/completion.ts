// `pillarbox completion bash|zsh|fish`: a script that completes commands, their options and the names that they take, made of the table of
// commands, and of the options of the server, which `pillarbox` alone takes.
import { z } from 'zod';
import { type CliOption, type Command, commonOptions, print, usageError } from '#cli/command.ts';
import { exitCodes } from '#cli/exit-codes.ts';
import { startAbout, startOptions } from '#ops/start-options.ts';

const shells = { bash, zsh, fish } as const;

/** `commands`: all others; asked for when it runs, since this one is among them. */
export function completionCommand(commands: () => readonly Command[]): Command {
  return {
    name: 'completion',
    usage: 'bash|zsh|fish',
    about: 'print the completion for a shell: source <(pillarbox completion bash)',
    takes: [1, 1],
    options: {},
    completes: Object.keys(shells),
    gives: z.strictObject({ shell: z.string(), script: z.string() }),
    run: async (given, world) => {
      const [shell = ''] = given.positionals;
      const make = Object.entries(shells).find(([name]) => name === shell)?.[1];
      if (make === undefined) throw usageError(`${shell}: there is ${Object.keys(shells).join(', ')}`);
      const script = make([...commands().map(entryOf), server]);
      print(given, world, { json: { shell, script }, text: script });
      return exitCodes.done;
    },
  };
}

/** A command as a shell sees it. `names`: what may follow it. */
type Entry = {
  readonly name: string;
  readonly about: string;
  readonly names: readonly string[];
  readonly options: Readonly<Record<string, CliOption>>;
};

const server: Entry = {
  name: 'start',
  about: startAbout,
  names: [],
  options: { ...startOptions, help: commonOptions.help },
};

function entryOf({ name, about, options, completes = [] }: Command): Entry {
  const shown = Object.entries({ ...options, ...commonOptions }).filter(([, { hidden }]) => hidden !== true);
  return { name, about, names: completes, options: Object.fromEntries(shown) };
}

const isPlace = ({ value }: CliOption): boolean => /^(?:FILE|DIR|FOLDER)$/.test(value ?? '');
const first = ({ name }: Entry): string => name.split(' ')[0] ?? '';
const flags = (options: Entry['options']): readonly string[] => Object.keys(options).map((name) => `--${name}`);

/** Words that may stand in the first place, and in the second one behind each of them. */
function bash(entries: readonly Entry[]): string {
  const all = entries.flatMap(({ options }) => Object.entries(options));
  const named = (is: (option: CliOption) => boolean): string =>
    [...new Set(all.filter(([, option]) => is(option)).map(([name]) => `--${name}`))].join('|');
  const heads = [...new Set(entries.map(first))];
  const seconds = heads.flatMap((head) => {
    const words = entries.filter(({ name }) => name.startsWith(`${head} `)).map(({ name }) => name.split(' ')[1]);
    return words.length === 0 ? [] : [`    ${head}) words='${words.join(' ')}' ;;`];
  });
  const cases = entries.map(({ name, names, options }) => {
    const pattern = name.includes(' ') ? `'${name}'` : `${name}\\ *|${name}`;
    return `    ${pattern}) words='${[...names, ...flags(options)].join(' ')}' ;;`;
  });
  return `# pillarbox completion bash
_pillarbox() {
  local current=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD-1]} words=''
  case $before in
    ${named(isPlace)}) COMPREPLY=($(compgen -f -- "$current")); return ;;
    ${named((option) => option.value !== null && !isPlace(option))}) COMPREPLY=(); return ;;
  esac
  case "\${COMP_WORDS[1]-} \${COMP_WORDS[2]-}" in
${cases.join('\n')}
    -*) words='${flags(server.options).join(' ')}' ;;
  esac
  [ "$COMP_CWORD" = 2 ] && case \${COMP_WORDS[1]} in
${seconds.join('\n')}
  esac
  [ "$COMP_CWORD" = 1 ] && words='${[...heads, ...flags(server.options), '--version'].join(' ')}'
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o filenames -F _pillarbox pillarbox
`;
}

function zsh(entries: readonly Entry[]): string {
  return `# pillarbox completion zsh: the one of bash, which zsh understands\nautoload -Uz compinit bashcompinit\n(( $+functions[compdef] )) || compinit\nbashcompinit\n${bash(entries)}`;
}

function fish(entries: readonly Entry[]): string {
  const text = (value: string): string => `'${value.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
  const lines = entries.flatMap(({ name, about, names, options }) => {
    const [head = '', second] = name.split(' ');
    const behind = `__fish_seen_subcommand_from ${head}`;
    const here = second === undefined ? behind : `${behind}; and __fish_seen_subcommand_from ${second}`;
    const isServer = name === server.name ? 'not __fish_seen_subcommand_from $commands; or ' : '';
    const command =
      second === undefined
        ? `complete -c pillarbox -f -n __fish_use_subcommand -a ${head} -d ${text(about)}`
        : `complete -c pillarbox -f -n __fish_use_subcommand -a ${head}\ncomplete -c pillarbox -f -n ${text(`${behind}; and not __fish_seen_subcommand_from ${second}`)} -a ${second} -d ${text(about)}`;
    return [
      command,
      ...names.map((one) => `complete -c pillarbox -f -n ${text(here)} -a ${one}`),
      ...Object.entries(options).map(([option, { value, about: what, ...rest }]) => {
        const takes = value === null ? '' : isPlace({ value, about: what, ...rest }) ? ' -r -F' : ' -x';
        return `complete -c pillarbox -n "${isServer}${here}" -l ${option}${takes} -d ${text(what)}`;
      }),
    ];
  });
  const heads = [...new Set(entries.map(first))].join(' ');
  return `# pillarbox completion fish\nset -l commands ${heads}\n${[...new Set(lines)].join('\n')}\n`;
}
