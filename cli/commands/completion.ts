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
    about: 'print the completion for a shell, which is to source it',
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

/** A command as a shell sees it. `names`: what may follow it; `isFile`: a file or a folder follows it. */
type Entry = {
  readonly name: string;
  readonly about: string;
  readonly names: readonly string[];
  readonly isFile: boolean;
  readonly options: Readonly<Record<string, CliOption>>;
};

const server: Entry = {
  name: 'start',
  about: startAbout,
  names: [],
  isFile: false,
  options: { ...startOptions, help: commonOptions.help },
};

function entryOf({ name, about, usage, options, completes = [] }: Command): Entry {
  const shown = Object.entries({ ...options, ...commonOptions }).filter(([, { hidden }]) => hidden !== true);
  const isFile = /^\[?(?:FILE|DIR|FOLDER)\b/.test(usage);
  return { name, about, names: completes, isFile, options: Object.fromEntries(shown) };
}

const isPlace = ({ value }: CliOption): boolean => /^(?:FILE|DIR|FOLDER)$/.test(value ?? '');
const first = ({ name }: Pick<Entry, 'name'>): string => name.split(' ')[0] ?? '';
const flags = (options: Entry['options']): readonly string[] => Object.keys(options).map((name) => `--${name}`);

/** What may stand in the second place behind a word. */
function secondsOf(entries: readonly Entry[], head: string): readonly string[] {
  return entries.flatMap(({ name }) => (name.startsWith(`${head} `) ? [name.slice(head.length + 1)] : []));
}

/** Words that may stand in the first place, and in the second one behind each of them. */
function bash(entries: readonly Entry[]): string {
  const all = entries.flatMap(({ options }) => Object.entries(options));
  const named = (is: (option: CliOption) => boolean): string =>
    [...new Set(all.filter(([, option]) => is(option)).map(([name]) => `--${name}`))].join('|');
  const heads = [...new Set(entries.map(first))];
  const seconds = heads.flatMap((head) => {
    const words = secondsOf(entries, head);
    return words.length === 0 ? [] : [`    ${head}) words="${words.join(' ')} $words" ;;`];
  });
  // Two words before one: "chaos set" is no "chaos".
  const cases = entries.toSorted((a, b) => b.name.split(' ').length - a.name.split(' ').length).map(bashCase);
  return `# pillarbox completion bash
_pillarbox() {
  local current=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD-1]} words='' names='' place=0 files=''
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
  [ "$COMP_CWORD" = "$place" ] && words="$names $words"
  COMPREPLY=($(compgen -W "$words" -- "$current"))
  [ "$COMP_CWORD" = "$place" ] && [ -n "$files" ] && COMPREPLY+=($(compgen -f -- "$current"))
  return 0
}
complete -o filenames -F _pillarbox pillarbox
`;
}

/** `place`: where `names` or files may stand. */
function bashCase({ name, names, isFile, options }: Entry): string {
  const pattern = name.includes(' ') ? `'${name}'` : `${name}\\ *|${name}`;
  const follows = names.length > 0 || isFile ? ` place=${name.split(' ').length + 1}` : '';
  const more = `${names.length === 0 ? '' : ` names='${names.join(' ')}'`}${isFile ? ' files=1' : ''}`;
  return `    ${pattern}) words='${flags(options).join(' ')}'${follows}${more} ;;`;
}

function zsh(entries: readonly Entry[]): string {
  return `# pillarbox completion zsh: the one of bash, which zsh understands\nautoload -Uz compinit bashcompinit\n(( $+functions[compdef] )) || compinit\nbashcompinit\n${bash(entries)}`;
}

/** Conditions over the words before the one that is completed: they begin with a command, or they are that command. */
const fishWords = `function __pillarbox_in
  set -l words (commandline -opc)[2..]
  set -l length (count $argv)
  test (count $words) -ge $length; and test "$words[1..$length]" = "$argv"
end
function __pillarbox_at
  test (count (commandline -opc)) -eq (math (count $argv) + 1); and __pillarbox_in $argv
end
function __pillarbox_first
  test (count (commandline -opc)) -eq 1
end
function __pillarbox_server
  __pillarbox_first; or string match -q -- '-*' (commandline -opc)[2]; or __pillarbox_in start
end
complete -c pillarbox -f
`;

function fish(entries: readonly Entry[]): string {
  const text = (value: string): string => `'${value.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
  const complete = (when: string, rest: string): string => `complete -c pillarbox -n ${text(when)} ${rest}`;
  const lines = entries.flatMap(({ name, about, names, isFile, options }) => {
    const [head = '', second] = name.split(' ');
    const others = second === undefined ? secondsOf(entries, head) : [];
    const behind = [`__pillarbox_in ${name}`, ...others.map((one) => `not __pillarbox_in ${head} ${one}`)].join(
      '; and ',
    );
    const here = name === server.name ? '__pillarbox_server' : behind;
    return [
      ...(second === undefined
        ? [complete('__pillarbox_first', `-a ${head} -d ${text(about)}`)]
        : [
            complete('__pillarbox_first', `-a ${head}`),
            complete(`__pillarbox_at ${head}`, `-a ${second} -d ${text(about)}`),
          ]),
      ...names.map((one) => complete(`__pillarbox_at ${name}`, `-a ${one}`)),
      ...(isFile ? [complete(`__pillarbox_at ${name}`, '-F')] : []),
      ...Object.entries(options).map(([option, shown]) => {
        const takes = shown.value === null ? '' : isPlace(shown) ? ' -r -F' : ' -x';
        return complete(here, `-l ${option}${takes} -d ${text(shown.about)}`);
      }),
    ];
  });
  return `# pillarbox completion fish\n${fishWords}${[...new Set(lines)].join('\n')}\n`;
}
