// `pillarbox config` with `--stack NAME`: got, changed, put back, gone back to. Nobody's edit is overwritten.
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import type { CliWorld } from '#cli/command.ts';
import type { ConfigInput } from '#pipeline/config/config.ts';
import type { DeployedOptions } from '#pipeline/contract/deployed-options.ts';
import { configHistoryPrefix, configKey, deployedOptionsKey } from '#pipeline/contract/keys.ts';
import { type EmulatedDeployment, emulateDeployment } from '#test/support/aws/emulated-deployment.ts';
import { collect } from '#test/support/fakes/memory-store.ts';
import { runInProcess, runPillarbox } from '#test/support/worlds/run-pillarbox.ts';

const options: DeployedOptions = {
  serviceName: 'mail-test',
  hostname: 'mx.a.example',
  domains: ['a.example'],
  deliveryMode: 'mx',
  smarthost: null,
  smarthostUser: null,
  hooks: false,
  taskMemoryMiB: 512,
  rawDays: 30,
  inboxDays: 30,
  deliveriesDays: 90,
};
const base = {
  hostname: 'mx.a.example',
  tls: { certificate: 'secret:tls-certificate', key: 'secret:tls-key' },
  domains: { 'a.example': { mailboxes: ['postmaster'] } },
} satisfies ConfigInput;
const stored = `// by hand\n${JSON.stringify(base, null, 2)}\n`;

let stack: EmulatedDeployment;
let directory: string;
before(async () => {
  stack = await emulateDeployment('mail-test', base);
  directory = await mkdtemp(join(tmpdir(), 'pillarbox-config-'));
});
after(async () => {
  await stack.close();
  await rm(directory, { recursive: true });
});
beforeEach(async () => {
  for (const { key } of (await stack.store.list({ prefix: configHistoryPrefix })).objects)
    await stack.store.delete(key);
  await put(configKey, stored);
  await put(deployedOptionsKey, JSON.stringify(options));
});

const put = (key: string, text: string) =>
  stack.store.put({ key, body: Buffer.from(text), contentType: 'application/json' });
const current = async () => String(await collect((await stack.store.get(configKey))!.body));
const where = () => ['--stack', 'mail-test', '--region', stack.region, '--endpoint', stack.endpoint];
const cli = (args: readonly string[], over: Partial<CliWorld> = {}) =>
  runInProcess([...args, ...where()], { directory, ...over });

/** What `config get` prints, changed, in a file. */
async function gotten(change: (text: string) => string): Promise<string> {
  const { out, err, code } = await cli(['config', 'get']);
  assert.equal(code, 0, err);
  await writeFile(join(directory, 'pillarbox.json'), change(out));
  return 'pillarbox.json';
}

const withSales = (text: string) => text.replace('"postmaster"', '"postmaster", "sales"');

test('get, edited, push: every byte but the edit stays, and what is different is said with its path', async () => {
  const file = await gotten(withSales);
  const [told, pushed] = [await cli(['config', 'diff', file]), await cli(['config', 'push', file])];
  assert.equal(told.out, '  domains["a.example"].mailboxes: added "sales"\n');
  assert.equal(pushed.code, 0, pushed.err);
  assert.match(
    pushed.out,
    /^Wrote s3:\/\/\S+pillarbox\.json, in force within 30 seconds:\n {2}domains\["a\.example"\]/,
  );
  assert.equal(await current(), withSales(stored));
});

test('as a process: get prints a file that push takes as it is', async () => {
  const got = await runPillarbox(['config', 'get', ...where()]);
  assert.match(got.out, /^\/\/ Version \w+ of s3:\/\/\S+\/config\/pillarbox\.json; .*\n\/\/ by hand\n\{/, got.err);
  await writeFile(join(directory, 'as-it-is.json'), got.out);
  const pushed = await cli(['config', 'push', 'as-it-is.json']);
  assert.match(pushed.out, /Both do the same/, pushed.err);
  assert.equal(await current(), stored);
});

test('a push of a version that somebody else has replaced writes nothing', async () => {
  const file = await gotten(withSales);
  await put(configKey, `${stored}// theirs\n`);
  const { code, err } = await cli(['config', 'push', file]);
  assert.equal(code, 1);
  assert.match(err, /was changed by somebody else meanwhile: nothing was written/);
  assert.match(await current(), /\/\/ theirs/);
  const forced = await cli(['config', 'push', file, '--replace']);
  assert.equal(forced.code, 0, forced.err);
  assert.equal(await current(), withSales(stored));
});

test('somebody who is faster while the push is under way is not overwritten', async () => {
  const file = await gotten(withSales);
  const { openDeployment } = await import('#ops/aws/open-deployment.ts');
  const { silentLog } = await import('#test/support/fakes/silent-log.ts');
  const { code, err } = await cli(['config', 'push', file], {
    openDeployment: async (deployment, onProgress) => {
      const opened = await openDeployment(deployment, { clock: Date.now, log: silentLog(), onProgress });
      const { replace } = opened.configStore;
      const late: typeof replace = async (text, known) => {
        await put(configKey, `${stored}// theirs\n`);
        return replace(text, known);
      };
      return { ...opened, configStore: { ...opened.configStore, replace: late } };
    },
  });
  assert.deepEqual([code, /was changed by somebody else/.test(err)], [1, true], err);
  assert.match(await current(), /\/\/ theirs/);
});

test('a file without a version, and one of another deployment, are not pushed', async () => {
  await writeFile(join(directory, 'own.json'), stored);
  const unknown = await cli(['config', 'push', 'own.json']);
  assert.match(unknown.err, /own\.json does not say which version it was made from\. .*"config get".*--replace/);
  const file = await gotten((text) => text.replace(/s3:\/\/[^/]+/, 's3://another-bucket'));
  const other = await cli(['config', 'push', file]);
  assert.match(other.err, /pillarbox\.json is of another deployment: s3:\/\/another-bucket/);
  assert.equal(await current(), stored);
});

const refusedEdits: { title: string; edit: (text: string) => string; says: RegExp }[] = [
  {
    title: 'torn',
    edit: (text) => text.slice(0, -10),
    says: /pillarbox\.json cannot be used:\n {2}line \d+, .*not JSON/,
  },
  {
    title: 'of an unknown setting',
    edit: (text) => text.replace('"hostname"', '"hosts": 1, "hostname"'),
    says: /hosts: there is no such setting/,
  },
  {
    title: 'that names ports, as the file of `pillarbox init` does',
    edit: (text) => text.replace('"hostname"', '"listeners": [{"role": "mx", "port": 2525}], "hostname"'),
    says: /does not fit the deployment:\n {2}listeners: on AWS the deployment opens the ports.*take it out/,
  },
  {
    title: 'with a secret that no function can read',
    edit: (text) => text.replace('secret:tls-key', 'file:key.pem'),
    says: /tls\.key: no function can read file:/,
  },
  {
    title: 'that drifts from the options',
    edit: (text) => text.replace('mx.a.example', 'mx.b.example'),
    says: /hostname: mx\.b\.example here, but deployed with hostname mx\.a\.example/,
  },
];

refusedEdits.push({
  title: 'with a password that is kept in another deployment',
  edit: (text) =>
    text.replace(
      '"domains"',
      `"users": [{"name": "app", "password": "stored:${'0'.repeat(64)}", "mayFrom": ["*@a.example"]}], "domains"`,
    ),
  says: /users, app: stored:0{64} is not in this deployment, so app could not log in; copy the hash from where it is .*, or give a password with "pillarbox user password app --stack mail-test"/,
});

for (const { title, edit, says } of refusedEdits) {
  test(`an edit ${title} is refused with its place, by push and by diff, and nothing is written`, async () => {
    const file = await gotten(edit);
    for (const command of ['push', 'diff']) {
      const { code, err } = await cli(['config', command, file]);
      assert.equal(code, 1);
      assert.match(err, says);
    }
    assert.equal(await current(), stored);
  });
}

test('a fault is named by its line in the file as its editor shows it, with the line that says the version', async () => {
  const wrong = (text: string) => text.replace('"domains"', 'domains');
  const file = await gotten(wrong);
  const lines = (await readFile(join(directory, file), 'utf8')).split('\n');
  const line = lines.findIndex((text) => text.includes(' domains')) + 1;
  assert.match((await cli(['config', 'push', file])).err, new RegExp(`\\n {2}line ${line}, `));
  const editFile = async (path: string) => writeFile(path, wrong(await readFile(path, 'utf8')));
  const edited = await cli(['config', 'edit'], { editFile });
  assert.match(edited.err, new RegExp(`\\n {2}line ${line}, `));
  await rm(join(/kept in (\S+):/.exec(edited.err)![1]!, '..'), { recursive: true });
});

test('a deployment of a version that wrote no options is held to AWS’s rules all the same', async () => {
  await stack.store.delete(deployedOptionsKey);
  const file = await gotten((text) => text.replace('secret:tls-key', 'file:key.pem'));
  assert.match((await cli(['config', 'push', file])).err, /tls\.key: no function can read file:.*mail-test\/tls-key/);
  assert.equal(await current(), stored);
});

test('options that cannot be read are named, with what writes them anew', async () => {
  for (const text of ['{', '{"serviceName":"mail-test"}']) {
    await put(deployedOptionsKey, text);
    assert.match(
      (await cli(['check'])).err,
      /: s3:\/\/\S+\/config\/options\.json cannot be used: deploy again, which writes it anew/,
    );
  }
});

test('a file that is not there is named', async () => {
  for (const command of ['push', 'diff'])
    assert.match((await cli(['config', command, 'nowhere.json'])).err, /^pillarbox: there is no nowhere\.json\n$/);
});

test('the file of `pillarbox init` is refused for all that does not fit, in one go', async () => {
  const made = await runInProcess(['init', '--domain', 'a.example', '--config', 'init.json'], { directory });
  assert.equal(made.code, 0, made.err);
  const { err } = await cli(['config', 'push', 'init.json', '--replace']);
  assert.match(err, /^ {2}listeners: .*take it out$/m);
  assert.match(err, /^ {2}tls: .*write \{"certificate": "secret:tls-certificate"/m);
});

test('what was wrong before does not keep an edit from being made, and is told', async () => {
  await put(deployedOptionsKey, JSON.stringify({ ...options, hostname: 'mx.new.example' }));
  const { out, err, code } = await cli(['config', 'push', await gotten(withSales)]);
  assert.equal(code, 0, err);
  assert.match(out, /as before:\n {2}hostname: mx\.a\.example here, but deployed with hostname mx\.new\.example/);
});

test('a broken configuration is replaced by a good one', async () => {
  await put(configKey, stored.slice(0, -10));
  const file = await gotten((text) => `${text.slice(0, text.indexOf('\n') + 1)}${withSales(stored)}`);
  const { code, out, err } = await cli(['config', 'push', file]);
  assert.equal(code, 0, err);
  assert.match(out, /The one before cannot be read/);
  assert.equal(await current(), withSales(stored));
});

test('what was replaced is in the history, can be read and compared, and is restored', async () => {
  await cli(['config', 'push', await gotten(withSales)]);
  const listed = JSON.parse((await cli(['config', 'history', '--json'])).out);
  assert.deepEqual(
    listed.map(({ version }: { version: string }) => version.replace(/^\d{8}T\d{6}Z-\w+$/, 'old')),
    ['current', 'old'],
  );
  const [, { version }] = listed;
  assert.equal((await cli(['config', 'get', '--version', version])).out, stored);
  assert.equal(
    (await cli(['config', 'diff', '--version', version])).out,
    '  domains["a.example"].mailboxes: removed "sales"\n',
  );
  const restored = await cli(['config', 'restore', version]);
  assert.equal(restored.code, 0, restored.err);
  assert.equal(await current(), stored);
  assert.match((await cli(['config', 'restore', '20200101T000000Z-00000000'])).err, /there is no version 2020/);
});

test('edit: what the editor leaves is written; what cannot be used is kept for another try', async () => {
  let path = '';
  const editing = (edit: (text: string) => string) => ({
    editFile: async (file: string) => {
      path = file;
      await writeFile(file, edit(await readFile(file, 'utf8')));
    },
  });
  const done = await cli(['config', 'edit'], editing(withSales));
  assert.equal(done.code, 0, done.err);
  assert.equal(await current(), withSales(stored));
  await assert.rejects(stat(path), { code: 'ENOENT' });
  const same = await cli(
    ['config', 'edit'],
    editing((text) => text),
  );
  assert.match(same.out, /Nothing was changed/);
  const broken = await cli(
    ['config', 'edit'],
    editing((text) => text.replace('{', '[')),
  );
  assert.equal(broken.code, 1);
  assert.match(
    broken.err,
    /not JSON[\s\S]*Your edit is kept in \S+pillarbox\.json: correct it, then "pillarbox config push/,
  );
  assert.equal((await stat(path)).mode & 0o777, 0o600);
  await writeFile(path, (await readFile(path, 'utf8')).replace('[', '{').replace('"sales"', '"jobs"'));
  const pushed = await cli(['config', 'push', path]);
  assert.equal(pushed.code, 0, pushed.err);
  assert.match(await current(), /"jobs"/);
  await rm(join(path, '..'), { recursive: true });
});

test('without --stack, and without a terminal, it says what is missing', async () => {
  const none = await runInProcess(['config', 'get'], { directory });
  assert.deepEqual([none.code, /say of which deployment: --stack NAME/.test(none.err)], [2, true], none.err);
  assert.match((await cli(['config', 'edit'])).err, /there is no terminal to edit at/);
});

test('check --stack says what the deployment does otherwise than the stored file', async () => {
  await put(deployedOptionsKey, JSON.stringify({ ...options, hostname: 'mx.new.example', rawDays: 3 }));
  await put(
    configKey,
    JSON.stringify({ ...base, retention: { rawDays: 9 }, dns: { servers: ['127.0.0.1:1'], timeoutSeconds: 1 } }),
  );
  const { out } = await cli(['check']);
  assert.match(out, /^MISSING {2}hostname: mx\.a\.example here, but deployed with hostname mx\.new\.example$/m);
  assert.match(out, /^MISSING {2}retention\.rawDays: 9 here, but deployed with rawDays 3$/m);
});
