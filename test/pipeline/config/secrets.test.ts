// Secrets by reference: found, kept for five minutes, never repeated in an error.
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { createAwsSecrets, secretsManagerSecrets } from '#pipeline/aws/clients.ts';
import { createSecrets, secretFiles } from '#pipeline/config/secrets.ts';
import { scriptedAws } from '#test/support/aws/scripted-aws.ts';
import { setClock } from '#test/support/fakes/set-clock.ts';

async function folder(t: { after: (run: () => unknown) => void }): Promise<string> {
  const made = await mkdtemp(join(tmpdir(), 'pillarbox-secrets-'));
  t.after(() => rm(made, { recursive: true }));
  await mkdir(join(made, 'secrets'));
  await writeFile(join(made, 'secrets', 'dkim-s1'), 'the key\n');
  await writeFile(join(made, 'cert.pem'), 'the certificate');
  return made;
}

test('each kind of reference leads to its text, without the last line break', async (t) => {
  const directory = await folder(t);
  const named = secretFiles(join(directory, 'secrets'));
  const secrets = createSecrets({ named, directory, environment: { PASSWORD: 'pw' }, clock: setClock() });
  assert.equal(await secrets.read('secret:dkim-s1'), 'the key');
  assert.equal(await secrets.read('file:cert.pem'), 'the certificate');
  assert.equal(await secrets.read(`file:${join(directory, 'cert.pem')}`), 'the certificate');
  assert.equal(await secrets.read('env:PASSWORD'), 'pw');
});

test('what is not there throws and names the reference', async (t) => {
  const directory = await folder(t);
  const named = secretFiles(join(directory, 'secrets'));
  const secrets = createSecrets({ named, directory, environment: {}, clock: setClock() });
  for (const reference of ['secret:none', 'secret:../cert.pem', 'secret:..', 'file:none', 'env:NONE']) {
    await assert.rejects(
      secrets.read(reference),
      new RegExp(`secret "${reference.replaceAll('.', '\\.')}" cannot be read`),
    );
  }
});

test('a secret written where a reference belongs is not repeated in the error', async () => {
  const secrets = createSecrets({ named: async () => '', directory: '.', environment: {}, clock: setClock() });
  await assert.rejects(secrets.read('hunter2'), (error: Error) => !error.message.includes('hunter2'));
});

test('a value is kept for five minutes, a failure not at all', async () => {
  const clock = setClock();
  let value: string | null = null;
  let asked = 0;
  const named = async () => {
    asked += 1;
    if (value === null) throw new Error('throttled');
    return value;
  };
  const secrets = createSecrets({ named, directory: '.', environment: {}, clock });
  await assert.rejects(secrets.read('secret:a'), /throttled/);
  value = 'one';
  assert.equal(await secrets.read('secret:a'), 'one');
  value = 'two';
  clock.advance(299_999);
  assert.equal(await secrets.read('secret:a'), 'one');
  clock.advance(1);
  assert.equal(await secrets.read('secret:a'), 'two');
  assert.equal(asked, 3);
});

test('Secrets Manager is asked for the name behind the prefix; text and bytes are both understood', async () => {
  const asked: unknown[] = [];
  const answers: object[] = [{ SecretString: 'text' }, { SecretBinary: Buffer.from('bytes') }, {}];
  const client: any = {
    send: async ({ input }: { input: unknown }) => {
      asked.push(input);
      return answers.shift();
    },
  };
  const named = secretsManagerSecrets({ client, prefix: 'pillarbox/' });
  assert.equal(await named('a'), 'text');
  assert.equal(await named('b'), 'bytes');
  await assert.rejects(named('c'), /pillarbox\/c has no value/);
  assert.deepEqual(asked[0], { SecretId: 'pillarbox/a' });
});

test('Secrets Manager is asked at its endpoint for each secret that is read', async () => {
  const { place, seen } = await scriptedAws((_, n) => ({
    status: 200,
    body: JSON.stringify({ SecretString: `number ${n}` }),
  }));
  const named = createAwsSecrets(place, 'pillarbox/');
  assert.deepEqual([await named('a'), await named('b')], ['number 0', 'number 1']);
  const asked = seen.map(({ body }) => JSON.parse(body.toString('utf8')).SecretId);
  assert.deepEqual(asked, ['pillarbox/a', 'pillarbox/b']);
});
