// The parameters of the ops API: each is read strictly, an unknown or repeated one is refused by name.
import { parseAddress, parseDomain } from '#mail/address/address.ts';
import { isMessageId, type MessageId } from '#mail/header/message-id.ts';
import { isProblem } from '#mail/problem.ts';
import { isQueueName, type QueueName, queueNames } from '#pipeline/contract/stages.ts';
import { type Answer, badParameter, isAnswer } from './answer.ts';

const maxLimit = 500;
const maxTextLength = 500;
/** A cursor holds a key, and that an address of any length. */
const maxCursorLength = 1_500;

/** The query's parameters by name, or a refusal: only `allowed` ones, each once and of sane length. */
export function readQuery(
  query: URLSearchParams,
  allowed: readonly string[],
): Readonly<Record<string, string>> | Answer {
  const known: Record<string, string> = {};
  for (const [name, value] of query) {
    if (!allowed.includes(name)) {
      return badParameter(name, allowed.length === 0 ? 'no parameters here' : `one of ${allowed.join(', ')}`);
    }
    if (known[name] !== undefined) return badParameter(name, 'it once');
    const maxLength = name === 'after' ? maxCursorLength : maxTextLength;
    if (value.length > maxLength) return badParameter(name, `at most ${maxLength} characters`);
    known[name] = value;
  }
  return known;
}

/** `limit`, 1 to 500; 50 where it is not given. */
export function readLimit(text: string | undefined): number | Answer {
  if (text === undefined) return 50;
  const limit = /^\d{1,4}$/.test(text) ? Number(text) : 0;
  return limit >= 1 && limit <= maxLimit ? limit : badParameter('limit', `a whole number from 1 to ${maxLimit}`);
}

/** A whole mailbox, `local@domain`, domain in A-label form; or null where it is not given. */
export function readMailbox(text: string | undefined): string | null | Answer {
  if (text === undefined || text === '') return null;
  const address = parseAddress(text);
  if (isProblem(address)) return badParameter('mailbox', 'local@domain');
  return `${address.localPart.toLowerCase()}@${address.domain}`;
}

/** A mailbox, or all of a domain: `local@domain` or `@domain`. */
export function readMailboxOrDomain(text: string | undefined): string | null | Answer {
  if (text?.startsWith('@')) {
    const domain = parseDomain(text.slice(1));
    return isProblem(domain) ? badParameter('mailbox', 'local@domain or @domain') : `@${domain}`;
  }
  const mailbox = readMailbox(text);
  return isAnswer(mailbox) ? badParameter('mailbox', 'local@domain or @domain') : mailbox;
}

/** A message id; lower case is taken too, as people type it. */
export function readId(text: string | undefined): MessageId | Answer {
  const id = (text ?? '').toUpperCase();
  return isMessageId(id) ? id : badParameter('ID', 'a message id (26 letters and digits)');
}

/** A queue's name. */
export function readQueue(text: string | undefined): QueueName | Answer {
  return isQueueName(text) ? text : badParameter('NAME', `a queue: ${queueNames.join(', ')}`);
}
