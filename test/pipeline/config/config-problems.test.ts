import assert from 'node:assert/strict';
import { test } from 'node:test';
import { whyNotPublic } from '#mail/address/reserved-name.ts';
import { configSchema } from '#pipeline/config/config.ts';
import { placeholderProblem } from '#pipeline/config/config-problems.ts';

for (const [name, isPublic] of [
  ['localhost', false],
  ['mail', false],
  ['mx.localhost', false],
  ['example.org', false],
  ['mx.example.org', false],
  ['mx.example.com', false],
  ['example', false],
  ['mx.pillarbox.example', false],
  ['mx.a.test', false],
  ['x.invalid', false],
  ['mx.notexample.org', true],
  ['mx.example.org.uk', true],
  ['test.internal', true],
  ['mail.lan', true],
] as const) {
  test(`${name} ${isPublic ? 'can be' : 'cannot be'} the name of a server on a network (RFC 2606, RFC 6761)`, () => {
    assert.equal(whyNotPublic(name) === null, isPublic);
  });
}

for (const [title, given, isRefused] of [
  ['a placeholder on all addresses', { host: '0.0.0.0' }, true],
  ['a placeholder on all addresses (IPv6)', { host: '::' }, true],
  ['a placeholder on the address of a network', { host: '192.0.2.1' }, true],
  ['a placeholder on this machine', { host: '127.0.0.1' }, false],
  ['a placeholder on this machine (IPv6)', { host: '::1' }, false],
  ['a placeholder of a capture server', { host: '0.0.0.0', mode: 'capture' as const }, false],
  ['a name of its own on all addresses', { host: '0.0.0.0', hostname: 'mx.pillarbox.internal' }, false],
] as const) {
  test(`${title} is ${isRefused ? 'not served' : 'served'}`, () => {
    const { host, ...rest } = { hostname: 'mx.example.org', mode: 'serve' as const, ...given };
    const config = configSchema.parse({ ...rest, listeners: [{ role: 'mx', port: 2525, host }] });
    const problem = placeholderProblem(config);
    if (isRefused) assert.match(problem ?? '', /^hostname: mx\.example\.org is a placeholder.*:2525\. Set "hostname"/);
    else assert.equal(problem, null);
  });
}
