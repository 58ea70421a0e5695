// Where we are sure of the one author's domain, mailparser shows nobody of another one.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type AddressObject, type EmailAddress, simpleParser } from 'mailparser';
import { authorsOf } from '#mail/address/authors.ts';
import { domainsMentioned } from '#mail/address/domains-mentioned.ts';
import { readHeader } from '#mail/header/read-header.ts';

const [ceo, evil] = ['ceo@victim.example', 'x@evil.example'];
const pieces = [
  ...['"', '(', ')', '<', '>', ',', ';', ':', '@', '\\', ' ', '\r\n ', '.', '[', ']', 'a', 'é', '＠', '\u00a0', '\v'],
  ...[ceo, evil, `<${ceo}>`, `<${evil}>`, `"${ceo}"`, `(${ceo})`, '.evil.example', '=?utf-8?q?ceo=40victim.example?='],
];
const value = fc.array(fc.constantFrom(...pieces), { minLength: 1, maxLength: 8 }).map((parts) => parts.join(''));

test('mailparser shows no author of another domain in a From field that is clear', async () => {
  let clear = 0;
  await fc.assert(
    fc.asyncProperty(value, fc.constantFrom('', `A <${evil}> `, `${evil}, `), async (text, before) => {
      const message = Buffer.from(`From: ${before}${text}\r\nSubject: x\r\n\r\n`);
      const { fieldCount, domains, doubts } = authorsOf(readHeader(message));
      if (fieldCount !== 1 || doubts.length > 0 || domains.length !== 1) return;
      clear += 1;
      const { from } = await simpleParser(message);
      const shown = addressesOf(from?.value ?? []).filter((address) => /@.*\.[a-z]/i.test(address));
      for (const address of shown)
        assert.deepEqual(domainsMentioned(address).slice(-1), domains, `${text} shows ${address}`);
    }),
    { numRuns: 1_500, seed: 10 },
  );
  assert.ok(clear > 100, `only ${clear} were clear`);
});

function addressesOf(list: AddressObject['value']): readonly string[] {
  return list.flatMap(({ address, group = [] }: EmailAddress) => [address ?? '', ...addressesOf(group)]);
}
