// Mail that came in: listed, one shown, traced, replayed, released.

import { z } from 'zod';
import { type Command, plain, shortTime, table, usageError } from '#cli/command.ts';
import { exitCodes } from '#cli/exit-codes.ts';
import { ask, asking, page, pageDefaults, pageOptions } from '#cli/ops-client.ts';
import { listedMessage, listMessages } from '#ops/messages/list-messages.ts';
import { replayOneMessage } from '#ops/messages/replay-message.ts';
import { showMessage, showRaw } from '#ops/messages/show-message.ts';
import { acceptMessage } from '#ops/releases/accept-message.ts';
import { maxReleasedTo, releaseMessage } from '#ops/releases/release-message.ts';
import { traceMessage } from '#ops/trace/trace-message.ts';
import { mark, remove, tag } from './change-messages.ts';

const text = z.string();

const row = listedMessage
  .pick({ id: true, receivedAt: true, mailboxes: true, from: true, subject: true })
  .extend({ disposition: text });

const list = asking({
  name: 'list',
  usage: '[options]',
  about: 'list the mail that came in, newest first',
  asks: listMessages,
  options: {
    mailbox: { value: 'MAILBOX', about: 'only that of local@domain, or of @domain' },
    q: { value: 'WORDS', about: 'only what this search finds: words, "phrases", from:ann, is:unread, -tag:done, …' },
    ...pageOptions,
  },
  defaults: pageDefaults,
  reads: z.object({ messages: z.array(row), next: text.nullable() }),
  shows: ({ messages, next }, { columns }) => {
    if (messages.length === 0) return page('No mail.', next);
    const rows = messages.map(({ id, receivedAt, from, mailboxes, subject, disposition }) => [
      id,
      shortTime(receivedAt),
      from ?? '(nobody)',
      mailboxes.join(','),
      `${disposition === 'quarantine' ? '[quarantine] ' : ''}${subject ?? '(no subject)'}`,
    ]);
    return page(table(['ID', 'RECEIVED (UTC)', 'FROM', 'MAILBOX', 'SUBJECT'], rows, columns), next);
  },
});

const trace = asking({
  name: 'trace',
  usage: 'ID [options]',
  about: 'tell what happened to a message, and where it is now; with --stack also what the log says of it',
  asks: traceMessage,
  reads: z.object({
    events: z.array(z.object({ at: text, text })),
    where: z.array(text),
    notes: z.array(text).default([]),
  }),
  shows: ({ events, where, notes }) =>
    [
      ...events.map(({ at, text: happened }) => `${at}  ${plain(happened)}`),
      ...where.map((place) => `now: ${plain(place)}`),
      ...notes.map((note) => `note: ${plain(note)}`),
    ].join('\n'),
});

const replay = asking({
  name: 'replay',
  usage: 'ID [options]',
  about: 'judge and parse a stored message again; what is there stays, what is missing is made',
  asks: replayOneMessage,
  options: { to: { value: 'MAILBOX', about: 'into this mailbox (local@domain) instead, as a new message' } },
  reads: z.object({ id: text, recipients: z.array(text), leftOut: z.array(text), kept: z.array(text) }),
  shows: ({ id, recipients, leftOut, kept }, { self }) =>
    [
      `${id} is on its way again for ${recipients.join(', ')}; see "${self} trace ${id}"`,
      ...leftOut.map((reason) => `left out: ${reason}`),
      ...(kept.length === 0 ? [] : ['already there, and stays as it is:']),
      ...kept.map((key) => `  ${key}`),
    ].join('\n'),
});

const release = asking({
  name: 'release',
  usage: 'ID ADDRESS… [options]',
  about: 'send a copy of a stored message on to real addresses, which release.to of the configuration allows',
  asks: releaseMessage,
  takes: [2, 1 + maxReleasedTo],
  body: ({ positionals }) => ({ to: positionals.slice(1) }),
  reads: z.object({
    id: text,
    to: z.array(text),
    reversePath: text,
    failed: z.array(z.object({ to: z.array(text), reason: text })),
  }),
  shows: ({ id, to, reversePath, failed }, { self }) =>
    [
      `on its way to ${to.map(plain).join(', ')} as message ${id}; see "${self} trace ${id}"`,
      `a report that it failed goes ${reversePath === '' ? 'to nobody: the trace tells' : `to ${plain(reversePath)}`}`,
      ...failed.map(
        ({ to: left, reason }) => `not to ${left.map(plain).join(', ')}: ${plain(reason)}; release it to them again`,
      ),
    ].join('\n'),
});

const accept = asking({
  name: 'accept',
  usage: 'ID [options]',
  about: 'release a message from quarantine: put it into the inbox of its mailboxes',
  asks: acceptMessage,
  options: { mailbox: { value: 'MAILBOX', about: 'only the copies in local@domain, or in @domain' } },
  reads: z.object({ id: text, outcome: text, mailboxes: z.array(text) }),
  shows: ({ id, outcome, mailboxes }, { self }) => {
    const where = mailboxes.map(plain).join(', ');
    if (outcome === 'in-inbox') return `it is in the inbox of ${where} already`;
    return `on its way to the inbox of ${where}; see "${self} trace ${id}"`;
  },
});

const address = z.object({ name: text, address: text });
const verdict = z.object({ result: text, reason: text });
const shown = z.object({
  subject: text.nullable(),
  receivedAt: text,
  from: z.array(address),
  to: z.array(address),
  mailbox: z.object({ localPart: text, domain: text }),
  disposition: z.object({ action: text, reason: text }),
  authentication: z.object({ spf: verdict, dmarc: verdict }),
  headers: z.array(z.looseObject({ name: text, value: text })),
  /** A large one is stored apart. */
  text: z.union([text, z.object({ bytes: z.number() })]).nullable(),
  attachments: z.array(z.object({ filename: text, contentType: text, bytes: z.number() })),
  problems: z.array(z.object({ code: text, detail: text })),
});
type Shown = z.output<typeof shown>;

const printed = asking({
  name: 'show',
  usage: 'ID [options]',
  about: 'show one message',
  asks: showMessage,
  options: {
    raw: { value: null, about: 'its bytes as they are stored, to standard output' },
    headers: { value: null, about: 'its header fields only' },
    mailbox: { value: 'MAILBOX', about: 'the copy of local@domain, if it went to several' },
  },
  reads: shown,
  check: ({ switches }) => {
    if (switches.has('raw') && switches.has('json')) throw usageError('--raw and --json exclude one another');
  },
  shows: (message, { switches }) =>
    switches.has('headers')
      ? message.headers.map(({ name, value }) => `${plain(name)}: ${plain(value)}`).join('\n')
      : `${head(message)}\n\n${textOf(message)}`,
});

const show: Command = {
  ...printed,
  run: async (given, world) => {
    if (!given.switches.has('raw') || given.switches.has('json')) return printed.run(given, world);
    world.write(await ask(given, world, { asks: showRaw }));
    return exitCodes.done;
  },
};

/** A text that is stored apart is not fetched: it may be very long. */
function textOf({ text }: Shown): string {
  if (text === null) return '';
  if (typeof text === 'string') return text.split(/\r?\n/).map(plain).join('\n');
  return `(the text has ${text.bytes} bytes: --raw gives the whole message)`;
}

function head(message: Shown): string {
  const who = (list: Shown['from']): string => list.map(({ name, address: at }) => `${name} <${at}>`.trim()).join(', ');
  const { spf, dmarc } = message.authentication;
  const lines = [
    ['Subject', message.subject ?? '(none)'],
    ['From', who(message.from)],
    ['To', who(message.to)],
    ['Mailbox', `${message.mailbox.localPart}@${message.mailbox.domain}`],
    ['Received', message.receivedAt],
    ['Judged', `${message.disposition.action}: ${message.disposition.reason}`],
    ['SPF', `${spf.result}: ${spf.reason}`],
    ['DMARC', `${dmarc.result}: ${dmarc.reason}`],
    ...message.attachments.map((part, n) => [
      `File ${n + 1}`,
      `${part.filename} (${part.contentType}, ${part.bytes} bytes)`,
    ]),
    ...message.problems.map(({ code, detail }) => ['Problem', `${code}: ${detail}`]),
  ];
  return lines.map(([name, value]) => `${`${name}:`.padEnd(10)} ${plain(value)}`).join('\n');
}

/** In the order of the help. */
export const messageCommands = [list, show, mark, tag, remove, trace, replay, release, accept];
