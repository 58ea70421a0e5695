// One of `hooks`: what the configuration takes, and what it refuses with which words.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { configSchema } from '#pipeline/config/config.ts';
import { blocksOf, home } from '#test/docs/read-docs.ts';

const secret = 'env:HOOK';
const read = (...hooks: object[]) => configSchema.safeParse({ hooks });
const refusal = (...hooks: object[]) =>
  read(...hooks)
    .error?.issues.map(({ message }) => message)
    .join() ?? '';

test('a hook without a name is called by the host of its URL, and wants all of the inbox', () => {
  const [hook] = read({ url: 'https://Hooks.Receiver.example:8443/mail', secret }).data?.hooks ?? [];
  assert.deepEqual(
    [hook?.name, hook?.match, hook?.allowPrivate],
    ['hooks.receiver.example', { folder: 'inbox' }, false],
  );
});

const wrong: readonly (readonly [string, object, RegExp])[] = [
  ['http to another machine', { url: 'http://receiver.example/', secret }, /expected https/],
  ['a URL of a file', { url: 'file:///etc/passwd', secret }, /expected an http\(s\) URL/],
  ['a password in the URL', { url: 'https://ann:pass@receiver.example/', secret }, /password does not belong here/],
  ['a secret itself', { url: 'https://receiver.example/', secret: 'whsec_abc' }, /a reference/],
  ['no secret', { url: 'https://receiver.example/' }, /needs the secret/],
  ['no way at all', { name: 'a' }, /one of url, command and module/],
  ['a URL and a command', { url: 'https://receiver.example/', secret, command: ['cat'] }, /one of url, command/],
  ['a command and a module', { name: 'a', command: ['cat'], module: 'a.js' }, /one of url, command and module/],
  ['a module with a secret', { name: 'a', module: 'a.js', secret }, /a command or a module has none/],
  ['a command as one text', { name: 'a', command: 'cat file' }, /expected array/],
  ['a command without a name', { command: ['cat'] }, /a command or a module needs a name/],
  [
    'a URL with variables',
    { url: 'https://receiver.example/', secret, environment: { A: 'b' } },
    /a url has no environment/,
  ],
  [
    'a mailbox that is a number',
    { name: 'a', module: 'a.js', match: { mailbox: 5 } },
    /expected a text, or an array of texts/,
  ],
  ['an unknown word of match', { url: 'https://receiver.example/', secret, match: { sender: 'x' } }, /sender/],
];
for (const [title, hook, says] of wrong) {
  test(`${title} is refused`, () => assert.match(refusal(hook), says));
}

test('http is taken to this machine, and elsewhere with allowPrivate', () => {
  for (const url of ['http://127.0.0.1:3000/', 'http://[::1]:3000/', 'http://localhost:3000/']) {
    assert.equal(refusal({ url, secret }), '');
  }
  assert.equal(refusal({ url: 'http://192.168.0.7/', secret, allowPrivate: true }), '');
});

test('two hooks of one name are refused: a job names its hook', () => {
  const url = 'https://receiver.example/';
  assert.match(refusal({ url, secret }, { url, secret }), /two hooks are called "receiver\.example"/);
});

test('the configurations of docs/consume.md are good', () => {
  const blocks = blocksOf(readFileSync(join(home, 'docs/consume.md'), 'utf8')).filter(
    ({ language }) => language === 'json',
  );
  const hooks = blocks.flatMap(({ lines }) => configSchema.parse(JSON.parse(lines.join('\n'))).hooks);
  for (const way of ['url', 'module', 'command'] as const) assert.ok(hooks.some((hook) => hook[way] !== undefined));
});
