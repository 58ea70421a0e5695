// The configuration file of a deployment as the command line changes it. A file that was got says in its first line which version it is,
// so that it is put back only in place of that one. An edit is refused for what it makes worse; what was wrong before is told.

import { cliError } from '#cli/command.ts';
import { errorMessage } from '#mail/problem.ts';
import type { ConfigStore, StoredConfig } from '#ops/aws/config-store.ts';
import { awsProblems } from '#pipeline/config/aws-problems.ts';
import type { Config } from '#pipeline/config/config.ts';
import { deployedProblems, shownProblem } from '#pipeline/config/deployed-problems.ts';
import { describeChanges } from '#pipeline/config/describe-changes.ts';
import { parseConfig } from '#pipeline/config/parse-config.ts';

const mark = /^\uFEFF?\/\/ Version (\S+) of (\S+?)[;:,]? .*(?:\r?\n|$)/;

/** The text with its version in a first line that is a comment. */
export function marked({ text, etag }: StoredConfig, where: string): string {
  return `// Version ${bare(etag)} of ${where}; "config push" puts this file in its place.\n${text}`;
}

/** The text without that line, and what the line says; null if there is none. */
export function unmarked(text: string): {
  readonly text: string;
  readonly base: { version: string; where: string } | null;
} {
  const [line = '', version, where] = mark.exec(text) ?? [];
  return {
    text: text.slice(line.length),
    base: version === undefined || where === undefined ? null : { version, where },
  };
}

/** `changes`: what is different, null if the one before cannot be read. `problems`: what was wrong before, and still is. */
export type ConfigChange = { readonly changes: readonly string[] | null; readonly problems: readonly string[] };

/** `isMarked`: its file has the line that `text` lacks; lines are counted with it. `self`: how a person starts this program. */
export type GivenConfig = {
  readonly text: string;
  readonly name: string;
  readonly isMarked?: boolean;
  readonly self: string;
};

/** Throws a CliError if `text` is no good configuration, or if the deployment does not do something that it newly says. */
export async function judgeChange(
  configs: ConfigStore,
  before: StoredConfig | null,
  { text, name, isMarked = false, self }: GivenConfig,
): Promise<ConfigChange> {
  const after = parsed(isMarked ? text.replace(/^\uFEFF?/, '\n') : text, name);
  if (after instanceof Error) throw cliError(errorMessage(after), 'bad-config');
  const options = await configs.options();
  const problemsOf = (of: string, config: Config) =>
    (options === null ? awsProblems(config, configs.stack) : deployedProblems(of, config, options)).map((one) =>
      shownProblem(one, self),
    );
  const was = before === null ? null : parsed(before.text, configs.where);
  const isReadable = was !== null && !(was instanceof Error);
  const known = isReadable ? problemsOf(before?.text ?? '', was) : [];
  const problems = problemsOf(text, after);
  const earlier = isReadable ? was.users.map(({ password }) => password) : [];
  const newUsers = after.users.filter(({ password }) => !earlier.includes(password));
  const refused = [
    ...problems.filter((problem) => !known.includes(problem)),
    ...(await withoutHash(configs, newUsers, self)),
  ];
  if (refused.length > 0) {
    throw cliError(
      `${name} does not fit the deployment:\n${refused.map((one) => `  ${one}`).join('\n')}`,
      'not-fitting',
    );
  }
  return { changes: isReadable ? describeChanges(was, after) : null, problems };
}

/** Those whose hash is kept elsewhere: the file may come from another deployment. */
async function withoutHash(
  { hasHash, stack }: ConfigStore,
  users: Config['users'],
  self: string,
): Promise<readonly string[]> {
  const sentences = users.map(async ({ name, password }) => {
    if (!password.startsWith('stored:') || (await hasHash(password))) return [];
    const mend = `copy the hash from where it is (docs/two-regions.md), or give a password with "${self} user password ${name} --stack ${stack}"`;
    return [`users, ${name}: ${password} is not in this deployment, so ${name} could not log in; ${mend}`];
  });
  return (await Promise.all(sentences)).flat();
}

/** Throws a CliError if somebody else was faster. */
export async function replaceConfig(configs: ConfigStore, before: StoredConfig | null, text: string): Promise<void> {
  const { outcome } = await configs.replace(text, before);
  if (outcome === 'conflict') throw overtaken(configs.where);
}

export function overtaken(where: string) {
  return cliError(`${where} was changed by somebody else meanwhile: nothing was written`, 'changed');
}

/** Whether the current one is still the version that a file was made from. */
export function isBase(base: { readonly version: string }, current: StoredConfig | null): boolean {
  return current !== null && bare(current.etag) === base.version;
}

/** For people. */
export function shownChange({ changes, problems }: ConfigChange): string {
  const list = (all: readonly string[]) => all.map((one) => `  ${one}\n`).join('');
  return [
    changes === null ? 'The one before cannot be read, so what is different is not known.\n' : list(changes),
    changes?.length === 0 ? 'Both do the same.\n' : '',
    problems.length === 0 ? '' : `\nWhat the deployment does not do, as before:\n${list(problems)}`,
  ].join('');
}

function bare(etag: string): string {
  return etag.replaceAll('"', '');
}

function parsed(text: string, name: string): Config | Error {
  try {
    return parseConfig(text, name);
  } catch (thrown) {
    return thrown instanceof Error ? thrown : new Error(errorMessage(thrown));
  }
}
