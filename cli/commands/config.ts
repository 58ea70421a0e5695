// `pillarbox config`: the configuration file of a deployment on AWS, got, changed and put back.

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { z } from 'zod';
import {
  type CliArguments,
  type CliWorld,
  type Command,
  cliError,
  optionValue,
  print,
  table,
  usageError,
} from '#cli/command.ts';
import {
  type ConfigChange,
  type GivenConfig,
  isBase,
  judgeChange,
  marked,
  overtaken,
  replaceConfig,
  shownChange,
  unmarked,
} from '#cli/config/deployed-config.ts';
import { stackOptions, withDeployment } from '#cli/deployment.ts';
import { type ExitCode, exitCodes } from '#cli/exit-codes.ts';
import { errorMessage } from '#mail/problem.ts';
import type { ConfigStore, StoredConfig } from '#ops/aws/config-store.ts';
import { storedReference, takeOutHashes } from '#pipeline/config/stored-hashes.ts';

const version = { value: 'VERSION', about: 'one that was replaced, of "config history"; or last-good' } as const;

const changeShape = z.strictObject({ changes: z.array(z.string()).nullable(), problems: z.array(z.string()) });
const writtenShape = changeShape.extend({
  where: z.string(),
  moved: z.array(z.strictObject({ user: z.string(), reference: z.string() })),
});

const get: Command = {
  name: 'config get',
  usage: '--stack NAME [options]',
  about: 'print the configuration of a deployment, with its version in the first line',
  takes: [0, 0],
  options: { version, ...stackOptions },
  gives: z.strictObject({ text: z.string(), etag: z.string(), modifiedAt: z.string() }),
  run: (given, world) =>
    withConfigs(given, world, async (configs) => {
      const wanted = optionValue(given, 'version');
      const stored = await readVersion(configs, wanted);
      print(given, world, { json: stored, text: wanted === null ? marked(stored, configs.where) : stored.text });
    }),
};

const push: Command = {
  name: 'config push',
  usage: 'FILE --stack NAME [options]',
  about: 'put a file in the place of the version that it was made from',
  takes: [1, 1],
  options: {
    replace: { value: null, about: 'put it in the place of whatever is there' },
    ...stackOptions,
  },
  gives: writtenShape,
  run: (given, world) =>
    withConfigs(given, world, async (configs) => {
      const file = await readGiven(given, world);
      const current = await configs.read();
      if (!given.switches.has('replace')) refuseUnlessBase(file, configs, current);
      showWritten(given, world, configs, await change(configs, current, file));
    }),
};

const diff: Command = {
  name: 'config diff',
  usage: '[FILE] --stack NAME [options]',
  about: 'say what a file, or an older version, would change',
  takes: [0, 1],
  options: { version, ...stackOptions },
  gives: changeShape,
  run: (given, world) =>
    withConfigs(given, world, async (configs) => {
      const wanted = optionValue(given, 'version');
      if ((wanted === null) === (given.positionals[0] === undefined)) throw usageError('name a FILE, or a --version');
      const file =
        wanted === null
          ? await readGiven(given, world)
          : { ...(await readVersion(configs, wanted)), name: wanted, self: given.self };
      const judged = await judgeChange(configs, await configs.read(), file);
      print(given, world, { json: judged, text: shownChange(judged) });
    }),
};

const edit: Command = {
  name: 'config edit',
  usage: '--stack NAME [options]',
  about: 'edit the configuration of a deployment in your editor ($VISUAL, $EDITOR)',
  takes: [0, 0],
  options: stackOptions,
  gives: writtenShape,
  run: (given, world) =>
    withConfigs(given, world, async (configs) => {
      const { editFile } = world;
      if (editFile === null)
        throw cliError('there is no terminal to edit at: use "config get" and "config push"', 'no-terminal');
      const current = await readVersion(configs, null);
      const path = join(await mkdtemp(join(tmpdir(), 'pillarbox-config-')), 'pillarbox.json');
      await writeFile(path, marked(current, configs.where), { mode: 0o600 });
      try {
        await editFile(path);
        const { text, base } = unmarked(await readFile(path, 'utf8'));
        const written = { text, name: 'what you wrote', isMarked: base !== null, self: given.self };
        if (text === current.text) print(given, world, { json: unchanged(configs), text: 'Nothing was changed.' });
        else showWritten(given, world, configs, await change(configs, current, written));
      } catch (thrown) {
        const rest = `Your edit is kept in ${path}: correct it, then "${given.self} config push ${path} --stack ${optionValue(given, 'stack')}".`;
        throw cliError(`${errorMessage(thrown)}\n${rest}`, 'not-written');
      }
      await rm(dirname(path), { recursive: true });
    }),
};

const history: Command = {
  name: 'config history',
  usage: '--stack NAME [options]',
  about: 'list the versions that can be read and restored',
  takes: [0, 0],
  options: stackOptions,
  gives: z.array(z.strictObject({ version: z.string(), modifiedAt: z.string(), bytes: z.int() })),
  run: (given, world) =>
    withConfigs(given, world, async (configs) => {
      const all = await configs.versions();
      const rows = all.map(({ version: name, modifiedAt, bytes }) => [name, modifiedAt, String(bytes)]);
      print(given, world, { json: all, text: table(['VERSION', 'WRITTEN', 'BYTES'], rows, given.columns) });
    }),
};

const restore: Command = {
  name: 'config restore',
  usage: 'VERSION --stack NAME [options]',
  about: 'put an older version back in force',
  takes: [1, 1],
  options: stackOptions,
  gives: writtenShape,
  run: (given, world) =>
    withConfigs(given, world, async (configs) => {
      const [name = ''] = given.positionals;
      const current = await configs.read();
      const { text } = await readVersion(configs, name);
      showWritten(given, world, configs, await change(configs, current, { text, name, self: given.self }));
    }),
};

/** In the order of the help. */
export const configCommands: readonly Command[] = [get, edit, push, diff, history, restore];

async function withConfigs(
  given: CliArguments,
  world: CliWorld,
  use: (configs: ConfigStore) => Promise<void>,
): Promise<ExitCode> {
  if (optionValue(given, 'stack') === null) throw usageError('say of which deployment: --stack NAME');
  await withDeployment(given, world, ({ configStore }) => use(configStore));
  return exitCodes.done;
}

type Given = GivenConfig & Pick<ReturnType<typeof unmarked>, 'base'>;

async function readGiven(
  { positionals: [name = ''], self }: CliArguments,
  { directory, readInput }: CliWorld,
): Promise<Given> {
  if (name === '-') return givenConfig((await readInput()).toString('utf8'), name, self);
  const text = await readFile(resolve(directory, name), 'utf8').catch((thrown: unknown) => {
    const isAbsent = thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT';
    throw cliError(isAbsent ? `there is no ${name}` : `${name} cannot be read: ${errorMessage(thrown)}`, 'no-file');
  });
  return givenConfig(text, name, self);
}

function givenConfig(file: string, name: string, self: string): Given {
  const { text, base } = unmarked(file);
  return { text, base, name, self, isMarked: base !== null };
}

/** Throws a CliError if there is no such version. */
async function readVersion(configs: ConfigStore, name: string | null): Promise<StoredConfig> {
  const stored = await configs.read(name ?? undefined);
  if (stored !== null) return stored;
  if (name === null) throw cliError(`there is no ${configs.where}`, 'no-config');
  throw cliError(`there is no version ${name}: "config history" lists them`, 'no-version');
}

function refuseUnlessBase({ name, base }: Given, { where }: ConfigStore, current: StoredConfig | null): void {
  const again = 'Get it again with "config get" and put your changes there, or say --replace.';
  if (base === null) {
    if (current === null) return;
    throw cliError(`${name} does not say which version it was made from. ${again}`, 'no-base');
  }
  if (base.where !== where) throw cliError(`${name} is of another deployment: ${base.where}`, 'other-deployment');
  if (!isBase(base, current)) throw cliError(`${overtaken(where).message}. ${again}`, 'changed');
}

/** `moved`: the users whose hash was in the file, and what the stored configuration says in its place. */
type Written = ConfigChange & { readonly moved: readonly { readonly user: string; readonly reference: string }[] };

async function change(configs: ConfigStore, before: StoredConfig | null, file: GivenConfig): Promise<Written> {
  const judged = await judgeChange(configs, before, file);
  const { hashes } = takeOutHashes(file.text);
  if (before?.text !== file.text || hashes.length > 0) await replaceConfig(configs, before, file.text);
  return { ...judged, moved: hashes.map(({ user, hash }) => ({ user, reference: storedReference(hash) })) };
}

function unchanged({ where }: ConfigStore) {
  return { where, changes: [], problems: [], moved: [] };
}

function showWritten(given: CliArguments, world: CliWorld, { where }: ConfigStore, written: Written): void {
  const moved = written.moved.map(({ user, reference }) => `  ${user}: "password" is ${reference} there\n`);
  const hashes = `\nMoved these password hashes to where the listener alone reads them:\n${moved.join('')}`;
  const text = `Wrote ${where}, in force within 30 seconds:\n${shownChange(written)}${moved.length === 0 ? '' : hashes}`;
  print(given, world, { json: { where, ...written }, text });
}
