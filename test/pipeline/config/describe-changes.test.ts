import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ConfigInput, configSchema } from '#pipeline/config/config.ts';
import { describeChanges } from '#pipeline/config/describe-changes.ts';
import { storedReference } from '#pipeline/config/stored-hashes.ts';

const base = {
  hostname: 'mx.a.example',
  domains: {
    'a.example': { mailboxes: ['support', 'sales'], dkim: [{ selector: 's1', privateKey: 'secret:dkim-s1' }] },
  },
  users: [{ name: 'app', password: 'scrypt:one', mayFrom: ['*@a.example'] }],
} satisfies ConfigInput;
const [a] = [base.domains['a.example']];

const rows: readonly { title: string; after: ConfigInput; says: readonly string[] }[] = [
  { title: 'nothing', after: base, says: [] },
  { title: 'a default that is written down', after: { ...base, limits: { recipients: 100 } }, says: [] },
  {
    title: 'a limit',
    after: { ...base, limits: { recipients: 50 } },
    says: ['limits.recipients: 50, was 100'],
  },
  {
    title: 'mailboxes',
    after: { ...base, domains: { 'a.example': { ...a, mailboxes: ['support', 'jobs'] } } },
    says: ['domains["a.example"].mailboxes: added "jobs"; removed "sales"'],
  },
  {
    title: 'another order',
    after: { ...base, domains: { 'a.example': { ...a, mailboxes: ['sales', 'support'] } } },
    says: ['domains["a.example"].mailboxes: in another order: ["sales","support"]'],
  },
  {
    title: 'an alias',
    after: { ...base, domains: { 'a.example': { ...a, aliases: { info: ['sales'] } } } },
    says: ['domains["a.example"].aliases.info: added, ["sales"]'],
  },
  {
    title: 'the reference to a key',
    after: { ...base, domains: { 'a.example': { ...a, dkim: [{ selector: 's1', privateKey: 'secret:dkim-x' }] } } },
    says: ['domains["a.example"].dkim.s1.privateKey: "secret:dkim-x", was "secret:dkim-s1"'],
  },
  {
    title: 'the hash of a password, which is not shown',
    after: { ...base, users: [{ ...base.users[0]!, password: 'scrypt:two' }] },
    says: ['users.app.password: another hash'],
  },
  {
    title: 'a hash that is now kept elsewhere is no change',
    after: { ...base, users: [{ ...base.users[0]!, password: storedReference(base.users[0]!.password) }] },
    says: [],
  },
  {
    title: 'a user who is gone, whose hash is not shown',
    after: { ...base, users: [] },
    says: ['users.app: removed, was {"name":"app","password":"(a hash)","mayFrom":["*@a.example"]}'],
  },
  {
    title: 'a relay where there was none',
    after: { ...base, delivery: { mode: 'smarthost', smarthost: { host: 'smtp.relay.example' } } },
    says: [
      'delivery.mode: "smarthost", was "mx"',
      'delivery.smarthost: {"host":"smtp.relay.example","port":587,"tls":"starttls","user":null,"password":null}, was null',
    ],
  },
];

for (const { title, after, says } of rows) {
  test(`a change is told by where it is, what it is and what it was: ${title}`, () => {
    assert.deepEqual(describeChanges(configSchema.parse(base), configSchema.parse(after)), says);
  });
}
