// Each command of the documentation that needs no account of AWS runs, as it is written: against one local server, and where `--stack` is
// named against a deployment in the emulator.
import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { type ParseError, parse } from 'jsonc-parser';
import { contextOptions } from '#cdk/context-options.ts';
import { commands } from '#cli/commands.ts';
import { type EmulatedDeployment, emulateDeployment } from '#test/support/aws/emulated-deployment.ts';
import { type OperatorsAws, operatorsAws } from '#test/support/aws/operators-aws.ts';
import { testingExamples } from '#test/support/packages/testing-examples.ts';
import { peerOptions } from '#test/support/peers/peers.ts';
import { temporaryFolder } from '#test/support/worlds/embedded-world.ts';
import { allMessages, eventually, type LocalService, startLocalService } from '#test/support/worlds/local-service.ts';
import { runInProcess } from '#test/support/worlds/run-pillarbox.ts';
import { claims, commandTable, type Places, substituted } from './command-table.ts';
import { deploy, deployed, doInAccount, local, mailIn } from './docs-deployment.ts';
import { type DocsShell, openDocsShell } from './docs-shell.ts';
import { allows, policies, writtenPolicies } from './operator-policies.ts';
import { blocksOf, commandsOf, type DocsCommand, docsPages, home } from './read-docs.ts';

const pages = docsPages();
const all = pages.flatMap(commandsOf);
const at = ({ file, line, text }: DocsCommand) => `${file}:${line}: ${text}`;
const rowsOf = ({ text }: DocsCommand) => commandTable.filter(({ is }) => is.test(text));

test('each command of the documentation is one that runs here, or one that says why it does not', () => {
  assert.deepEqual(
    all
      .filter((command) => rowsOf(command).length !== 1)
      .map((command) => `${at(command)} (${rowsOf(command).length} rows)`),
    [],
  );
  const idle = commandTable.filter(({ is }) => !all.some(({ text }) => is.test(text)));
  assert.deepEqual(idle, [], 'no row is for nothing');
});

test('what does not run here is good shell; who runs it does; and a command spoken of by its name exists', () => {
  const names = commands.map(({ name }) => name);
  const notRun = all.filter((command) => rowsOf(command)[0]?.kind === 'account').map(({ text }) => text);
  execFileSync('sh', ['-n', '-c', notRun.join('\n')]);
  const { scripts } = JSON.parse(readFileSync(join(home, 'package.json'), 'utf8'));
  for (const command of all) {
    for (const row of rowsOf(command)) {
      if (row.kind === 'elsewhere') assert.match(readFileSync(join(home, row.by), 'utf8'), row.says, at(command));
      if (row.kind === 'script') assert.ok(scripts[command.text.replace(/^npm (?:run )?(\S+).*$/s, '$1')], at(command));
      if (row.kind === 'name') assert.ok(names.includes(command.text.replace(/^(?:npx )?pillarbox /, '')), at(command));
    }
  }
});

test('each example in another language is one that a test reads: compiled, built, or parsed', () => {
  const { version } = JSON.parse(readFileSync(join(home, 'package.json'), 'utf8'));
  const testing = new Set(Object.values(testingExamples()));
  for (const page of pages) {
    const text = readFileSync(join(home, page), 'utf8');
    for (const [, named] of text.matchAll(/pillarbox-(\d\S*)\.tgz/g)) assert.equal(named, version, page);
    for (const { language, line, lines } of blocksOf(text)) {
      const code = lines.join('\n');
      // test/packages/linked.ts compiles those that read mail, long-commands.ts those for the CDK.
      const isCompiled = language === 'ts' && /from 'pillarbox';|new (?:MailRule|Pillarbox)\(/.test(code);
      // Files of an app: test/packages/linked.ts and runners.ts run them.
      const isRun = page === 'docs/testing.md' && testing.has(code);
      const isJson = language === 'json' && [code, `{${code.trim().replace(/,$/, '')}}`].some(isParsed);
      assert.ok(/^(?:sh)?$/.test(language) || isCompiled || isRun || isJson, `${page}:${line}`);
    }
  }
});

function isParsed(text: string): boolean {
  const errors: ParseError[] = [];
  parse(text, errors);
  return errors.length === 0;
}

test('options that a deploy is told, on the command line or by cdk.json, are options with such values', () => {
  const blocks = blocksOf(readFileSync(join(home, 'docs/deploy.md'), 'utf8'));
  const context =
    blocks.find(({ lines }) => lines[0]?.startsWith('"hostname": ')) ?? assert.fail('no options for cdk.json');
  assert.ok(contextOptions(JSON.parse(`{ ${context.lines.join('').replace(/,\s*$/, '')} }`), 'accepted'));
  for (const command of all.filter(({ text }) => /\bcdk deploy\b/.test(text))) {
    const given = [...command.text.matchAll(/ -c (\S+?)=(\S+)/g)].map(([, key, value]) => [key, value]);
    assert.ok(contextOptions({ ...Object.fromEntries(given), trial: 'true' }, 'accepted'), at(command));
  }
});

describe('run as written', peerOptions('curl', 'swaks', 'sha256sum'), () => {
  const folder = temporaryFolder();
  let [service, stack, aws, shell]: [LocalService, EmulatedDeployment, OperatorsAws, DocsShell] = [] as never;
  let ids: Pick<Places, 'localId' | 'stackId'>;
  const ending: (() => void | Promise<void>)[] = [];
  before(async () => {
    [service, stack] = await Promise.all([
      startLocalService({ after: (end: any) => ending.push(end) }, { folder }),
      emulateDeployment('pillarbox', deployed.config),
    ]);
    aws = await operatorsAws(stack.endpoint);
    shell = await openDocsShell({ endpoint: aws.endpoint, mxPort: service.ports.mx, data: join(folder, 'data') });
    const server = ['--server', `127.0.0.1:${service.ports.mx}`];
    const sent = await runInProcess(['send', '--from', 'ann@a.example', '--to', 'support@b.example', ...server]);
    ids = { localId: sent.out.trim(), stackId: await mailIn(stack) };
    await eventually('it is there', async () => (await allMessages(service)).length === 1);
  });
  after(async () => {
    shell.close();
    aws.close();
    await stack.close();
    for (const end of ending) await end();
    rmSync(folder, { recursive: true, force: true });
  });

  for (const page of pages) {
    const commandsHere = all.filter(({ file }) => file === page);
    const runs = commandsHere.filter((command) => rowsOf(command)[0]?.kind === 'run');
    if (runs.length === 0) continue;
    test(`the ${runs.length} commands of ${page} do what it says`, async () => {
      aws.reset();
      await deploy(stack, aws, ids.stackId);
      const region = runs.some(({ text }) => text.startsWith('export AWS_REGION')) ? null : stack.region;
      const config = runs.some(({ text }) => text.includes('pillarbox init')) ? null : local;
      const { folder: here, run } = shell.openPage({ region, config });
      let behind = '';
      for (const command of commandsHere) {
        const text = substituted(command.text, { ...ids, mxPort: service.ports.mx, http: service.http, folder: here });
        const claim = claims.find((one) => one.of.test(text) && one.behind?.test(behind) !== false);
        if (!runs.includes(command)) await doInAccount(stack, aws, command.text);
        else if (isNew(text, claim)) checkRan(command, { claim, text, ran: await run(text) });
        behind = command.text;
        const policy = policies.find(({ commands }) => commands.some((name) => text.includes(`pillarbox ${name} `)));
        for (const one of aws.asked) policy?.asked.add(one);
        aws.asked.clear();
      }
    });
  }

  for (const [n, { commands: named, asked }] of policies.entries()) {
    test(`policy ${n + 1} of docs/deploy.md lets the operator do what ${named.join(', ')} ask of AWS, and nothing more`, () => {
      const written = writtenPolicies();
      assert.equal(written.length, policies.length);
      const allowed = written[n]!;
      const wanted = [...asked];
      assert.deepEqual(
        wanted.filter((one) => !allowed.some((other) => allows(other, one))),
        [],
      );
      assert.deepEqual(
        allowed.filter((other) => !wanted.some((one) => allows(other, one))),
        [],
      );
    });
  }

  test('npx itself finds the command in the repository', async () => {
    const env = { ...process.env, PILLARBOX_URL: service.http };
    const { stdout } = await promisify(execFile)('npx', ['pillarbox', 'list'], { cwd: home, env });
    assert.match(stdout, new RegExp(`^${ids.localId} `, 'm'));
  });
});

type Claim = (typeof claims)[number];
type Ran = Awaited<ReturnType<ReturnType<DocsShell['openPage']>['run']>>;

function checkRan(
  command: DocsCommand,
  { claim, text, ran }: { claim: Claim | undefined; text: string; ran: Ran },
): void {
  const shown = `${at(command)}\nran as: ${text}\n${ran.out}${ran.err}${ran.cli.map(({ err }) => err).join('')}`;
  assert.equal(ran.cli.at(-1)?.code ?? ran.code, claim?.exit ?? 0, shown);
  assert.match(ran.cli.at(-1)?.out ?? ran.out, claim?.prints ?? /(?:)/, shown);
}

const known = new Map<string, Claim | undefined>();

/** The same words on another page do the same, and cost as much; not so what writes a file that the next command reads. */
function isNew(text: string, claim: Claim | undefined): boolean {
  const isKnown = !text.includes('>') && known.has(text) && known.get(text) === claim;
  known.set(text, claim);
  return !isKnown;
}
