// Capture mode and the usual mail programs, libraries and frameworks: host and port are all that they are told. docs/clients.md is what
// this test saw, docs/frameworks.md the table of settings; `npm run docs:clients` writes them anew.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { findFramework } from '#ops/programs/framework-settings.ts';
import { frameworkDocs } from '#test/support/frameworks/framework-docs.ts';
import { frameworkPrograms } from '#test/support/frameworks/framework-programs.ts';
import { clientDocs } from '#test/support/peers/client-docs.ts';
import { type ClientSetUp, clientSetUps, commandFor } from '#test/support/peers/client-set-ups.ts';
import { peerOptions } from '#test/support/peers/peers.ts';
import { temporaryFolder } from '#test/support/worlds/embedded-world.ts';
import { allMessages, eventually, startLocalService } from '#test/support/worlds/local-service.ts';

const run = promisify(execFile);
const home = fileURLToPath(new URL('../..', import.meta.url));
const folder = temporaryFolder();
const service = await startLocalService({ after: (end: any) => after(end) }, { folder });
const seen = new Map<ClientSetUp, readonly string[]>();
after(() => rmSync(folder, { recursive: true, force: true }));

describe('in capture mode, with host and port alone', { concurrency: 3 }, () => {
  for (const setUp of clientSetUps) {
    for (const login of [false, true]) {
      const how = login ? 'with' : 'without';
      test(`${titleOf(setUp)} sends ${how} a login`, peerOptions(...setUp.needs), async () => {
        const subject = `${clientSetUps.indexOf(setUp)} ${how} a login`;
        const [program, ...args] = commandFor(setUp, { port: service.ports.mx, subject, login });
        await run(program, args, { cwd: home, timeout: 30_000 });
        const { id } = await eventually('it is there', async () => {
          return (await allMessages(service)).find((one) => one.subject === subject);
        });
        const { session, disposition } = await service.json(`/api/messages/${id}?mailbox=bob@receiver.example`);
        assert.deepEqual([session.user, session.tls, disposition.action], [login ? 'app' : null, null, 'accept']);
        seen.set(setUp, [...(seen.get(setUp) ?? []), how]);
      });
    }
  }
});

describe('the settings for a framework, as they are to be copied,', { concurrency: 3 }, () => {
  for (const { name, needs, command } of frameworkPrograms) {
    test(`bring its mail here: ${name}`, peerOptions(...needs), async () => {
      const framework = findFramework(name) ?? assert.fail(name);
      const file = join(folder, `settings.${name}`);
      const text = framework.settings({ host: '127.0.0.1', port: service.ports.mx });
      writeFileSync(file, `${text}\n`);
      const [program, ...args] = command(file, text);
      await run(program, args, { cwd: home, timeout: 30_000 });
      await eventually('it is there', async () => {
        return (await allMessages(service)).find(({ subject }) => subject === `by ${name}`);
      });
    });
  }
});

const everyPeer = peerOptions(...clientSetUps.flatMap(({ needs }) => needs));
test('docs/clients.md is what was seen (else: npm run docs:clients)', everyPeer, () => {
  const path = join(home, 'docs', 'clients.md');
  const text = clientDocs(clientSetUps.map((setUp) => ({ setUp, works: seen.get(setUp) ?? [] })));
  if (process.env['UPDATE_DOCS'] === '1') writeFileSync(path, text);
  assert.equal(readFileSync(path, 'utf8'), text);
});

test('docs/frameworks.md has the settings of all frameworks (else: npm run docs:clients)', () => {
  const path = join(home, 'docs', 'frameworks.md');
  if (process.env['UPDATE_DOCS'] === '1') writeFileSync(path, frameworkDocs());
  assert.equal(readFileSync(path, 'utf8'), frameworkDocs());
});

function titleOf({ client, settings }: ClientSetUp): string {
  return settings === '' ? client : `${client} (${settings.replaceAll('`', '')})`;
}
