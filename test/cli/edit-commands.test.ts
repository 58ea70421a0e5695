// Commands that change one thing of the configuration: the same of a file and of a deployment, whose rest stays as it was written.
import assert from 'node:assert/strict';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, describe, test } from 'node:test';
import { openDeployment } from '#ops/aws/open-deployment.ts';
import { parseConfig } from '#pipeline/config/parse-config.ts';
import { verifyPassword } from '#pipeline/config/password.ts';
import { takeOutHashes } from '#pipeline/config/stored-hashes.ts';
import type { DeployedOptions } from '#pipeline/contract/deployed-options.ts';
import { configKey, deployedOptionsKey, passwordHashKey } from '#pipeline/contract/keys.ts';
import { type EmulatedDeployment, emulateDeployment } from '#test/support/aws/emulated-deployment.ts';
import { collect } from '#test/support/fakes/memory-store.ts';
import { silentLog } from '#test/support/fakes/silent-log.ts';
import { openSesameHash } from '#test/support/samples/password-hashes.ts';
import { runInProcess } from '#test/support/worlds/run-pillarbox.ts';

const written = `// The mail of a.example.
{
  "hostname": "mx.a.example",
  "tls": { "certificate": "secret:tls-certificate", "key": "secret:tls-key" },
  "domains": {
    // ours since 1999
    "A.Example": {
      "mailboxes": ["ann"], // more to come
      "aliases": { "Info": ["ann"] },
    },
  },
  "users": [
    { "name": "ann", "password": "${openSesameHash}", "mayFrom": ["*@a.example"] }, // Ann's phone
    { "name": "app", "password": "secret:user-app", "mayFrom": ["app@a.example"] }, // the shop
  ],
}
`;
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
  addresses: { mx: ['192.0.2.25'], outbound: '192.0.2.26' },
};

let stack: EmulatedDeployment;
let directory: string;
before(async () => {
  stack = await emulateDeployment('mail-test', {});
  directory = await mkdtemp(join(tmpdir(), 'pillarbox-edit-'));
});
after(async () => {
  await stack.close();
  await rm(directory, { recursive: true });
});

type Ran = Awaited<ReturnType<typeof runInProcess>>;
type World = {
  readonly name: string;
  readonly flags: () => string;
  readonly put: (text: string) => Promise<void>;
  readonly read: () => Promise<string>;
  readonly hashOf: (password: string) => Promise<string>;
  readonly args: () => readonly string[];
};

const put = async (key: string, text: string): Promise<void> => {
  await stack.store.put({ key, body: Buffer.from(text), contentType: 'application/json' });
};
const readKey = async (key: string) => String(await collect((await stack.store.get(key))!.body));

const worlds: readonly World[] = [
  {
    name: 'a file',
    flags: () => ' --config mail.json',
    put: async (text) => {
      await writeFile(join(directory, 'mail.json'), text);
      await chmod(join(directory, 'mail.json'), 0o600);
    },
    read: () => readFile(join(directory, 'mail.json'), 'utf8'),
    hashOf: async (password) => password,
    args: () => ['--config', 'mail.json'],
  },
  {
    name: 'a deployment',
    flags: () => ` --stack mail-test --region ${stack.region}`,
    put: (text) => put(configKey, text),
    read: () => readKey(configKey),
    hashOf: (password) => readKey(passwordHashKey(password.replace('stored:', ''))),
    args: () => ['--stack', 'mail-test', '--region', stack.region, '--endpoint', stack.endpoint],
  },
];

for (const { name, flags, args, read, hashOf, ...place } of worlds) {
  describe(`of ${name}`, () => {
    beforeEach(async () => {
      await put(deployedOptionsKey, JSON.stringify(options));
      await place.put(written);
    });
    const run = (line: string, input = ''): Promise<Ran> =>
      runInProcess([...line.split(' '), ...args()], { directory, readInput: async () => Buffer.from(input) });
    const config = async () => parseConfig(await read(), 'stored');

    /** A text as it is stored: a deployment keeps hashes elsewhere. */
    const kept = (text: string): string => (flags().includes('--stack') ? takeOutHashes(text).text : text);

    /** What is different line by line, but for the hash that a deployment moves: lines that are gone, and those that are new. */
    async function changedLines(): Promise<readonly [gone: readonly string[], added: readonly string[]]> {
      const [was, is] = [written, await read()].map((text) =>
        text.replaceAll(/(scrypt|stored):[^"]+/g, 'HASH').split('\n'),
      );
      return [was!.filter((line) => !is!.includes(line)), is!.filter((line) => !was!.includes(line))];
    }

    test('user list shows who may send as whom, and never a hash', async () => {
      const { out, code, err } = await run('user list');
      assert.equal(code, 0, err);
      assert.match(
        out,
        /^NAME +MAY SEND AS +PASSWORD\nann +\*@a\.example +hash\napp +app@a\.example +secret:user-app\n$/,
      );
      const { users } = JSON.parse((await run('user list --json')).out);
      assert.deepEqual(users[0], { name: 'ann', mayFrom: ['*@a.example'], password: 'hash' });
      assert.doesNotMatch(JSON.stringify(users), /scrypt/);
    });

    test('user password gives one user another password, and nothing else changes', async () => {
      const ran = await run('user password app', 'correct horse\n');
      assert.equal(ran.code, 0, ran.err);
      assert.match(ran.out, /^app has a new password[\s\S]*^secret:user-app is not read for app any more$/m);
      const [ann, app] = (await config()).users;
      assert.ok(await verifyPassword('correct horse', await hashOf(app!.password)));
      assert.equal(await hashOf(ann!.password), openSesameHash);
      assert.deepEqual(await changedLines(), [
        ['    { "name": "app", "password": "secret:user-app", "mayFrom": ["app@a.example"] }, // the shop'],
        ['    { "name": "app", "password": "HASH", "mayFrom": ["app@a.example"] }, // the shop'],
      ]);
      assert.doesNotMatch((await run('user list')).out, /secret:/);
    });

    test('user remove takes a user out with the comment on its line, and nothing else', async () => {
      const ran = await run('user remove app --json');
      assert.equal(ran.code, 0, ran.err);
      assert.equal(JSON.parse(ran.out).name, 'app');
      assert.deepEqual((await changedLines())[1], []);
      assert.deepEqual(
        (await config()).users.map((user) => user.name),
        ['ann'],
      );
      assert.doesNotMatch(await read(), /the shop/);
    });

    test('a user who is not there is none to change, and the nearest name is offered', async () => {
      for (const line of ['user remove apq', 'user password apq']) {
        const { code, err } = await run(line, 'correct horse\n');
        assert.deepEqual([code, /there is no user apq in .*\. Did you mean "app"\?/.test(err)], [1, true], err);
      }
      assert.equal(await read(), written);
    });

    test('domain add takes mail for a domain, with the records to publish and the commands that come next', async () => {
      const { out, code, err } = await run('domain add Bücher.example --mailbox shop');
      assert.equal(code, 0, err);
      const way = flags().includes('--stack') ? 'ip4:192.0.2.26' : 'a:mx.a.example';
      assert.match(out, /^xn--bcher-kva\.example\. MX 10 mx\.a\.example\.$/m);
      assert.ok(out.includes(`xn--bcher-kva.example. TXT "v=spf1 ${way} -all"\n`), out);
      assert.ok(
        out.endsWith(`pillarbox dkim new xn--bcher-kva.example${flags()}, then: pillarbox check${flags()}\n`),
        out,
      );
      const { domains } = await config();
      assert.deepEqual(domains['xn--bcher-kva.example' as never]!.mailboxes, ['shop']);
      assert.deepEqual((await changedLines())[0], []);
      const again = await run('domain add bücher.example');
      assert.deepEqual([again.code, /is there already/.test(again.err)], [1, true]);
    });

    test('mailbox add makes a mailbox where the file has its domain, and says of a domain that is not there how to add it', async () => {
      const { code, err, out } = await run('mailbox add Sales+eu@a.example --json');
      assert.equal(code, 0, err);
      assert.equal(JSON.parse(out).mailbox, 'sales@a.example');
      assert.deepEqual(await changedLines(), [
        ['      "mailboxes": ["ann"], // more to come'],
        ['      "mailboxes": ["ann", "sales"], // more to come'],
      ]);
      for (const [line, says] of [
        ['mailbox add ANN@a.example', 'ann@a.example is a mailbox already'],
        ['mailbox add info@a.example', 'info@a.example is an alias already'],
        ['mailbox add x@b.example', `"pillarbox domain add b.example${flags()}" adds it`],
      ] as const) {
        const refused = await run(line);
        assert.deepEqual([refused.code, refused.err.includes(says)], [1, true], refused.err);
      }
      assert.equal((await run('mailbox add nowhere')).code, 2);
    });

    test('alias add leads an address on, also one that is there as it is written; what leads nowhere is refused', async () => {
      const first = await run('alias add info@a.example boss@else.example Ann@A.example --json');
      assert.equal(first.code, 0, first.err);
      assert.deepEqual(JSON.parse(first.out).targets, ['ann', 'boss@else.example']);
      assert.match(await read(), /"aliases": \{ "Info": \["ann", "boss@else\.example"\] \},/);
      assert.equal((await run('alias add all@a.example info ann')).code, 0);
      const before = await read();
      for (const [line, says] of [
        ['alias add info@a.example ann', 'info@a.example leads there already'],
        ['alias add ann@a.example boss@else.example', 'ann@a.example is a mailbox, and would get nothing any more'],
        ['alias add x@a.example nobody', `pillarbox mailbox add nobody@a.example${flags()}`],
      ] as const) {
        const refused = await run(line);
        assert.deepEqual([refused.code, refused.err.includes(says)], [1, true], refused.err);
      }
      assert.equal(await read(), before);
      assert.equal((await run('alias add ann@a.example ann boss@else.example')).code, 0);
    });

    test('mailbox remove takes one mailbox out, says where its mail goes and how to delete what it holds', async () => {
      assert.equal((await run('mailbox add Sales@a.example')).code, 0);
      const { code, err, out } = await run('mailbox remove SALES+x@a.example --json');
      assert.equal(code, 0, err);
      assert.deepEqual([JSON.parse(out).mailbox, JSON.parse(out).goesTo], ['sales@a.example', []]);
      assert.equal(await read(), kept(written));
      await run('mailbox add sales@a.example');
      const stack = flags().includes('--stack') ? flags() : '';
      const { out: told } = await run('mailbox remove sales@a.example');
      assert.match(told, /Mail for it is refused from now on\./);
      assert.ok(told.includes(`"pillarbox delete --mailbox sales@a.example${stack}" deletes it`), told);
    });

    test('alias remove takes an alias out, or some of its targets', async () => {
      await run('alias add info@a.example boss@else.example');
      const some = await run('alias remove Info@a.example ANN --json');
      assert.equal(some.code, 0, some.err);
      assert.deepEqual(JSON.parse(some.out).targets, ['boss@else.example']);
      assert.match(await read(), /"aliases": \{ "Info": \["boss@else\.example"\] \},/);
      const all = await run('alias remove info@a.example --json');
      assert.equal(all.code, 0, all.err);
      assert.match(await read(), /"aliases": \{ \},/);
      await run('alias add ann@a.example ann boss@else.example');
      const copy = await run('alias remove ann@a.example ann');
      assert.deepEqual([copy.code, /ann@a\.example is a mailbox, and would get nothing/.test(copy.err)], [1, true]);
      assert.equal((await run('mailbox remove ann@a.example')).code, 1, 'its alias names it');
      assert.deepEqual(JSON.parse((await run('alias remove ann@a.example --json')).out).goesTo, ['ann@a.example']);
    });

    test('domain remove takes a domain out with its comment, and says what of it stays', async () => {
      await run('domain add b.example --mailbox shop');
      await run('alias add all@b.example shop');
      const { code, err, out } = await run('domain remove B.example');
      assert.equal(code, 0, err);
      assert.match(out, /^Mail for b\.example is refused from now on; .* its mailbox shop and its alias all\.$/m);
      const stack = flags().includes('--stack') ? flags() : '';
      assert.ok(out.includes(`"pillarbox list --mailbox @b.example${stack}" lists it`), out);
      assert.equal(await read(), kept(written));
      const dkim = [{ selector: 's1', privateKey: 'secret:dkim-c-s1' }];
      await place.put(written.replace('{\n    // ours', `{ "c.example": ${JSON.stringify({ dkim })},\n    // ours`));
      const signed = await run('domain remove c.example');
      assert.match(signed.out, /^Its DKIM keys stay, .*: secret:dkim-c-s1 \(s1\._domainkey\.c\.example\)\./m);
    });

    test('what aliases, users, a catch-all, a hook or another domain still name is not removed, and each is told', async () => {
      const more = written
        .replace('"aliases": {', '"catchAll": "ann",\n      "aliases": { "sales": ["app"],')
        .replace('["ann"], //', '["ann", "app", "sales"], //')
        .replace(
          '  "users"',
          '  "hooks": [{ "name": "shop", "url": "https://shop.example", "secret": "secret:hook", "match": { "mailbox": "Ann" } }],\n  "users"',
        )
        .replace('"domains": {', '"domains": {\n    "b.example": { "aliases": { "x": ["ann+b@a.example"] } },');
      await place.put(more);
      for (const { line, says } of [
        {
          line: 'mailbox remove ann@a.example',
          says: [
            'the setting "catchAll" of a.example',
            `the alias x@b.example: "pillarbox alias remove x@b.example ann+b@a.example${flags()}"`,
            `the alias info@a.example: "pillarbox alias remove info@a.example ann${flags()}"`,
            'the hook shop: its "match"',
          ],
        },
        {
          line: 'mailbox remove app@a.example',
          says: [
            `the alias sales@a.example: "pillarbox alias remove sales@a.example app${flags()}"`,
            `the user app, who may send as app@a.example: "pillarbox user remove app${flags()}"`,
          ],
        },
        {
          line: 'domain remove a.example',
          says: [
            `the alias x@b.example: "pillarbox alias remove x@b.example ann+b@a.example${flags()}"`,
            `the user ann, who may send as *@a.example: "pillarbox user remove ann${flags()}"`,
            `the user app, who may send as app@a.example: "pillarbox user remove app${flags()}"`,
          ],
        },
      ]) {
        const { code, err } = await run(line);
        assert.deepEqual([code, err.split('\n').slice(1, -1)], [1, says.map((one) => `  ${one}`)], err);
      }
      for (const line of ['mailbox remove anm@a.example', 'alias remove inof@a.example', 'domain remove c.example']) {
        const { code, err } = await run(line);
        assert.deepEqual([code, /Did you mean "(ann|info|[ab]\.example)"\?/.test(err)], [1, true], err);
      }
      assert.equal((await run('alias remove info@a.example boss@else.example')).code, 1);
      assert.equal(await read(), more);
      // A mailbox with an alias of its name: its mail goes by the alias already.
      const { out } = await run('mailbox remove sales@a.example --json');
      assert.deepEqual(JSON.parse(out).goesTo, ['app@a.example']);
    });
  });
}

const where = () => worlds[1]!.args();

test('an edit that a deployment does not do is refused by its rules, as config push refuses it; a file is written, and the problem told', async () => {
  const delivery = {
    mode: 'smarthost',
    smarthost: {
      host: 'email-smtp.eu-central-1.amazonaws.com',
      user: 'AKIA',
      password: 'secret:smarthost-password',
    },
  };
  const text = written.replace('  "users"', `  "delivery": ${JSON.stringify(delivery)},\n  "users"`);
  for (const { put: store } of worlds) await store(text);
  await put(deployedOptionsKey, JSON.stringify({ ...options, deliveryMode: 'smarthost' }));
  const line = ['alias', 'add', 'boss@a.example', 'boss@else.example'];
  const deployed = await runInProcess([...line, ...where()], { directory });
  assert.equal(deployed.code, 1);
  assert.match(
    deployed.err,
    /does not fit the deployment:\n {2}domains\["a\.example"\]\.aliases\.boss: .*leaves by SES/,
  );
  assert.equal(await readKey(configKey), text);
  const local = await runInProcess([...line, '--config', 'mail.json'], { directory });
  assert.equal(local.code, 0, local.err);
  assert.match(local.out, /aliases\.boss: .*leaves by SES/);
});

test('two edits at once are both kept: the slower one is made anew of what the faster one wrote', async () => {
  await put(deployedOptionsKey, JSON.stringify(options));
  await put(configKey, written);
  let isFirst = true;
  const ran = await runInProcess(['user', 'remove', 'ann', ...where()], {
    directory,
    openDeployment: async (deployment, onProgress) => {
      const opened = await openDeployment(deployment, { clock: Date.now, log: silentLog(), onProgress });
      const { replace } = opened.configStore;
      const late: typeof replace = async (text, known) => {
        if (isFirst)
          await put(
            configKey,
            written.replace(
              '"users": [',
              '"users": [\n    { "name": "new", "password": "secret:user-new", "mayFrom": ["*@a.example"] },',
            ),
          );
        isFirst = false;
        return replace(text, known);
      };
      return { ...opened, configStore: { ...opened.configStore, replace: late } };
    },
  });
  assert.equal(ran.code, 0, ran.err);
  const { users } = parseConfig(await readKey(configKey), 'stored');
  assert.deepEqual(
    users.map(({ name }) => name),
    ['new', 'app'],
  );
});
