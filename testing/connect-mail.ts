// The mail of a running server, for tests: what came is waited for, read and deleted, in all or in a mailbox of one's own.
import { randomBytes } from 'node:crypto';
import { deletedSome } from '#ops/messages/delete-messages.ts';
import { type AskServer, askServer } from './ask-server.ts';
import { readTestMessage, summariesSchema, type TestMessage } from './test-message.ts';
import { type Wanted, waitFor } from './wait-for.ts';

/** An address that nobody else has: what comes to it is apart from the mail of tests that run beside. */
export type Mailbox = {
  readonly address: string;
  /** As {@link Mail.waitFor}, of this address alone. */
  readonly waitFor: (wanted?: Omit<Wanted, 'to'>) => Promise<TestMessage>;
  /** All that came to it, newest first. */
  readonly messages: () => Promise<readonly TestMessage[]>;
  /** Deletes all that came to it; answers how many. */
  readonly clear: () => Promise<number>;
};

/** The mail of a server. */
export type Mail = {
  /** The URL of its page and API. */
  readonly http: string;
  /** Resolves with the newest message that fits: at once, or the moment it comes. Rejects with a `MailTimeout` that lists what came instead. */
  readonly waitFor: (wanted?: Wanted) => Promise<TestMessage>;
  /** All mail, newest first; a message to several recipients is there once. */
  readonly messages: () => Promise<readonly TestMessage[]>;
  /** Deletes all mail; answers how many messages. */
  readonly clear: () => Promise<number>;
  /** A fresh address that begins with this name (default `test`): letters, digits, dots and hyphens. */
  readonly mailbox: (name?: string) => Mailbox;
};

/** `domain`: of the addresses that `mailbox` makes (`example.com`). `token`: what the server asks for if it is not on loopback. */
export type ConnectOptions = { readonly domain?: string; readonly token?: string };

const pageSize = 500;

/** The mail of the server at this URL (`http://127.0.0.1:8025`). Nothing is asked before it is needed. */
export function connectMail(url: string, { domain = 'example.com', token }: ConnectOptions = {}): Mail {
  const ask = askServer(url, token);
  return {
    http: url,
    waitFor: (wanted = {}) => waitFor(ask, wanted),
    messages: () => allMessages(ask, ''),
    clear: () => deleteAll(ask, 'all=true'),
    mailbox: (name = 'test') => openMailbox(ask, freshAddress(name, domain)),
  };
}

function openMailbox(ask: AskServer, address: string): Mailbox {
  const query = `mailbox=${encodeURIComponent(address)}`;
  return {
    address,
    waitFor: (wanted = {}) => waitFor(ask, { ...wanted, to: address }),
    messages: () => allMessages(ask, query),
    clear: () => deleteAll(ask, query),
  };
}

function freshAddress(name: string, domain: string): string {
  if (!/^[a-z0-9](?:[a-z0-9.-]{0,40}[a-z0-9])?$/i.test(name) || name.includes('..')) {
    throw new TypeError(`${JSON.stringify(name)}: a mailbox has a name of letters, digits, dots and hyphens`);
  }
  return `${name.toLowerCase()}-${randomBytes(5).toString('hex')}@${domain.toLowerCase()}`;
}

async function allMessages(ask: AskServer, query: string): Promise<readonly TestMessage[]> {
  const found: TestMessage[] = [];
  let after = '';
  do {
    const { json } = await ask.json(`/api/messages?limit=${pageSize}&${query}${after}`.replace(/&$/, ''));
    const { messages, next } = summariesSchema.parse(json);
    for (const { id, mailboxes } of messages) {
      const [mailbox = ''] = mailboxes;
      const copy = await ask.json(`/api/messages/${id}?mailbox=${encodeURIComponent(mailbox)}`);
      found.push(await readTestMessage(ask, copy.json));
    }
    after = next === null ? '' : `&after=${encodeURIComponent(next)}`;
  } while (after !== '');
  return found;
}

async function deleteAll(ask: AskServer, query: string): Promise<number> {
  let sum = 0;
  for (;;) {
    const { json } = await ask.json(`/api/messages?${query}`, { method: 'DELETE' });
    const { deleted, left } = deletedSome.parse(json);
    sum += deleted;
    if (left === 0) return sum;
  }
}
