// `pillarbox show ID`: one message, for people, as JSON, or byte for byte.
import { z } from 'zod';
import { type Command, optionValue, plain, print } from '#cli/command.ts';
import { askServer, askServerJson, serverOptions } from '#cli/ops-client.ts';

const address = z.looseObject({ name: z.string(), address: z.string() });
const shape = z.looseObject({
  subject: z.string().nullable(),
  receivedAt: z.string(),
  from: z.array(address),
  to: z.array(address),
  mailbox: z.looseObject({ localPart: z.string(), domain: z.string() }),
  disposition: z.looseObject({ action: z.string(), reason: z.string() }),
  authentication: z.looseObject({
    spf: z.looseObject({ result: z.string(), reason: z.string() }),
    dmarc: z.looseObject({ result: z.string(), reason: z.string() }),
  }),
  headers: z.array(z.looseObject({ name: z.string(), value: z.string() })),
  /** A large one is kept apart. */
  text: z.union([z.string(), z.looseObject({ bytes: z.number() })]).nullable(),
  attachments: z.array(z.looseObject({ filename: z.string(), contentType: z.string(), bytes: z.number() })),
  problems: z.array(z.looseObject({ code: z.string(), detail: z.string() })),
});
type Shown = z.infer<typeof shape>;

/** See the file's head. */
export const show: Command = {
  name: 'show',
  usage: 'ID [options]',
  about: 'show one message',
  takes: [1, 1],
  options: {
    raw: { value: null, about: 'its bytes as they are stored, to standard output' },
    headers: { value: null, about: 'its header fields only' },
    mailbox: { value: 'MAILBOX', about: 'the copy of local@domain, where it went to several' },
    ...serverOptions,
  },
  run: async (given, world) => {
    const mailbox = optionValue(given, 'mailbox');
    const query = mailbox === null ? '' : `?${new URLSearchParams({ mailbox })}`;
    const path = `/api/messages/${encodeURIComponent(given.positionals[0] ?? '')}`;
    if (given.switches.has('raw')) {
      world.write(await askServer(given, world, { path: `${path}/raw${query}` }));
      return 0;
    }
    const message = await askServerJson(given, world, { path: `${path}${query}`, shape });
    const headers = message.headers.map(({ name, value }) => `${plain(name)}: ${plain(value)}`).join('\n');
    if (given.switches.has('headers')) print(given, world, { json: message.headers, text: headers });
    else print(given, world, { json: message, text: `${head(message)}\n\n${textOf(message)}` });
    return 0;
  },
};

/** A text that is kept apart is not fetched unasked: it may be very long. */
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
