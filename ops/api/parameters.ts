// The parameters of the ops API as zod schemas; the error message of each says what is expected.
import { z } from 'zod';
import { type EmailAddress, parseAddress, parseDomain } from '#mail/address/address.ts';
import { isMessageId } from '#mail/header/message-id.ts';
import { isProblem, type Problem, problem } from '#mail/problem.ts';
import { parseSearch } from '#ops/messages/search-query.ts';
import { queueNames } from '#pipeline/contract/stages.ts';

export function text(maxLength = 500) {
  return z.string().max(maxLength, `at most ${maxLength} characters`);
}

/** What `parse` makes of the text; `expected` is what a refusal says. */
export function parsed<Value>(expected: string, parse: (text: string) => Value | Problem, maxLength?: number) {
  const read = text(maxLength).transform((given, context): Value => {
    const value = parse(given);
    if (!isProblem(value)) return value;
    context.issues.push({ code: 'custom', message: expected, input: given });
    return z.NEVER;
  });
  return read.describe(expected);
}

/** `next` of the page before. It holds a key, and a key may hold a long address. */
export function cursor<Value>(parse: (text: string) => Value | Problem) {
  return parsed('the "next" of the page before', parse, 1_500).optional();
}

/** `limit`, 1 to 500; 50 if it is not given. */
export const limit = parsed('a whole number from 1 to 500', (given) => {
  const number = /^\d{1,4}$/.test(given) ? Number(given) : 0;
  return number >= 1 && number <= 500 ? number : problem('out of range');
})
  .default(50)
  .meta({ type: 'integer', minimum: 1, maximum: 500 });

/** `true` or `false`, which it is if it is not given. */
export const flag = z
  .enum(['true', 'false'], 'true or false')
  .default('false')
  .transform((given) => given === 'true');

/** A message id; lower case is taken too, as people type it. */
export const messageId = parsed('a message id (26 letters and digits)', (given) => {
  const id = given.toUpperCase();
  return isMessageId(id) ? id : problem('no id');
});

/** A search (search-query.ts); empty if there is none. The refusal says what of it is not understood. */
export const searchText = text()
  .trim()
  .superRefine((given, context) => {
    const read = parseSearch(given);
    if (isProblem(read)) context.addIssue({ code: 'custom', message: read.problem });
  })
  .default('')
  .describe('a search: words and fields');

/** A whole mailbox, `local@domain`, domain in A-label form; null if it is empty. */
export const mailbox = parsed('local@domain', readMailbox).default(null);

/** A mailbox, or all of a domain: `local@domain` or `@domain`. */
export const mailboxOrDomain = parsed('local@domain or @domain', (given) => {
  if (!given.startsWith('@')) return readMailbox(given);
  const domain = parseDomain(given.slice(1));
  return isProblem(domain) ? domain : `@${domain}`;
}).default(null);

export function address(expected = 'an address (local@domain)') {
  return parsed(expected, parseAddress);
}

export const queueName = z.enum(queueNames, `a queue: ${queueNames.join(', ')}`);

/** An address, or as lists name a mailbox: its local part as it is, without the quotes that it would need in an address. */
function readMailbox(given: string): string | null | Problem {
  if (given === '') return null;
  const read = parseAddress(given);
  if (!isProblem(read)) return nameOf(read);
  const at = given.lastIndexOf('@');
  const listed = at > 0 ? parseAddress(`"${given.slice(0, at).replace(/["\\]/g, '\\$&')}"${given.slice(at)}`) : read;
  return isProblem(listed) ? read : nameOf(listed);
}

function nameOf({ localPart, domain }: EmailAddress): string {
  return `${localPart.toLowerCase()}@${domain}`;
}
