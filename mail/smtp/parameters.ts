// The parameters of MAIL FROM and RCPT TO: one table, a row each. The listener's EHLO answer, the reading of both commands, and
// what the deliver stage writes to the next host all go by it. To add one: a row here, and its value in mail/envelope.
import { type EnvelopeOptions, envelopeOptionsSchema } from '#mail/envelope/envelope.ts';
import { noDsn, type RecipientDsn, type RemoteRecipient } from '#mail/envelope/recipient.ts';
import type { Problem } from '#mail/problem.ts';
import {
  readAuth,
  readBody,
  readEnvid,
  readFlag,
  readNotify,
  readOrcpt,
  readPriority,
  readRet,
  readSize,
} from './parameter-values.ts';
import { replies } from './replies.ts';
import type { Reply } from './reply.ts';
import { encodeOriginalRecipient, encodeXtext } from './xtext.ts';

/** What stands behind MAIL FROM: what the envelope keeps, and two that it does not. Absent is what is usual, or null. */
export type MailParameters = Omit<EnvelopeOptions, 'dsn'> &
  EnvelopeOptions['dsn'] & {
    /** Declared octets; a number too large to count is the largest safe integer. */
    readonly size: number | null;
    /** The submitter's address; the empty string is `AUTH=<>`. */
    readonly auth: string | null;
  };

/** What the offers of a session depend on. */
type Offered = { readonly isTls: boolean; readonly takesLogIn: boolean; readonly messageBytes: number };

/** A message on its way to the next host: `bytes` as sent, before dots are doubled. */
export type SentMessage = {
  readonly envelope: EnvelopeOptions & { readonly reversePath: string };
  readonly bytes: number;
  /** Whether an address or the header needs SMTPUTF8 (RFC 6531 §3.2), not merely whether the sender asked. */
  readonly needsUtf8: boolean;
};

/** A recipient on its way to the next host. */
export type SentRecipient = Pick<RemoteRecipient, 'forwardPath' | 'dsn'>;

/** The next host. `capabilities`: EHLO keyword in upper case → what stood behind it; `isTrusted`: TLS, with a good certificate. */
export type NextHop = { readonly capabilities: ReadonlyMap<string, string>; readonly isTrusted: boolean };

/**
 * One parameter. `Read`: what it adds to the parameters of its command. `Sent`: what it is written from for the next host.
 * `Passed`: the parameter to send to it; null: none; or the refusal with which the message cannot go there.
 */
type Row<Read, Sent, Passed> = {
  readonly name: string;
  /** What a wrong value is answered. */
  readonly syntax: string;
  /** Null where the value is not of that syntax. */
  readonly read: (value: string | null) => Partial<Read> | null;
  /** The EHLO keywords that offer it; null where the session is not offered it. */
  readonly offer: (session: Offered) => readonly string[] | null;
  readonly pass: (sent: Sent, hop: NextHop) => Passed;
};

const mailTable: readonly Row<MailParameters, SentMessage, string | null | Reply>[] = [
  {
    name: 'SIZE', // RFC 1870
    syntax: 'SIZE is a number of octets',
    read: (value) => given(readSize(value), (size) => ({ size })),
    offer: ({ messageBytes }) => [`SIZE ${messageBytes}`],
    pass: ({ bytes }, { capabilities }) => {
      const limit = capabilities.get('SIZE');
      if (limit === undefined) return null;
      return Number(limit) > 0 && bytes > Number(limit) ? replies.hopTooSmall(bytes, Number(limit)) : `SIZE=${bytes}`;
    },
  },
  {
    name: 'BODY', // RFC 6152, RFC 3030
    syntax: 'BODY is 7BIT, 8BITMIME or BINARYMIME',
    read: (value) => given(readBody(value), (bodyType) => ({ bodyType })),
    offer: () => ['8BITMIME', 'BINARYMIME'],
    pass: ({ envelope: { bodyType } }, { capabilities }) => {
      if (bodyType === 'binarymime') return replies.hopWithoutBinary;
      // Without 8BITMIME at the peer 8-bit bytes go as they are: nobody re-encodes any more, and signatures would break.
      return bodyType === '8bitmime' && capabilities.has('8BITMIME') ? 'BODY=8BITMIME' : null;
    },
  },
  {
    name: 'SMTPUTF8', // RFC 6531
    syntax: 'SMTPUTF8 has no value',
    read: (value) => given(readFlag(value), (smtpUtf8) => ({ smtpUtf8 })),
    offer: () => ['SMTPUTF8'],
    pass: ({ needsUtf8 }, { capabilities }) => {
      if (!needsUtf8) return null;
      return capabilities.has('SMTPUTF8') ? 'SMTPUTF8' : replies.hopWithoutUtf8;
    },
  },
  {
    name: 'REQUIRETLS', // RFC 8689
    syntax: 'REQUIRETLS has no value',
    read: (value) => given(readFlag(value), (requireTls) => ({ requireTls })),
    offer: ({ isTls }) => (isTls ? ['REQUIRETLS'] : []),
    pass: ({ envelope: { requireTls } }, { capabilities, isTrusted }) => {
      if (!requireTls) return null;
      return isTrusted && capabilities.has('REQUIRETLS') ? 'REQUIRETLS' : replies.hopNotSecure;
    },
  },
  {
    name: 'MT-PRIORITY', // RFC 6710: offered only where there is a log-in, since anybody else could put mail before that of others
    syntax: 'MT-PRIORITY is a number from -9 to 9',
    read: (value) => given(readPriority(value), (mtPriority) => ({ mtPriority })),
    offer: ({ takesLogIn }) => (takesLogIn ? ['MT-PRIORITY'] : null),
    pass: ({ envelope: { mtPriority } }, { capabilities }) =>
      mtPriority === 0 || !capabilities.has('MT-PRIORITY') ? null : `MT-PRIORITY=${mtPriority}`,
  },
  {
    name: 'RET', // RFC 3461 §4.3
    syntax: 'RET is FULL or HDRS',
    read: (value) => given(readRet(value), (ret) => ({ ret })),
    offer: () => ['DSN'],
    pass: ({ envelope: { dsn } }, { capabilities }) =>
      dsn.ret === null || !capabilities.has('DSN') ? null : `RET=${dsn.ret.toUpperCase()}`,
  },
  {
    name: 'ENVID', // RFC 3461 §4.4
    syntax: 'ENVID is at most 100 characters of xtext',
    read: (value) => given(readEnvid(value), (envid) => ({ envid })),
    offer: () => ['DSN'],
    pass: ({ envelope: { dsn } }, { capabilities }) =>
      dsn.envid === null || !capabilities.has('DSN') ? null : `ENVID=${encodeXtext(dsn.envid)}`,
  },
  {
    name: 'AUTH', // RFC 4954 §5: understood where there is a log-in, and not passed on; EHLO offers it while nobody is logged in
    syntax: 'AUTH is an address in xtext, or <>',
    read: (value) => given(readAuth(value), (auth) => ({ auth })),
    offer: ({ takesLogIn }) => (takesLogIn ? [] : null),
    pass: () => null,
  },
];

const rcptTable: readonly Row<RecipientDsn, SentRecipient, string | null>[] = [
  {
    name: 'NOTIFY', // RFC 3461 §4.1
    syntax: 'NOTIFY is NEVER, or some of SUCCESS, FAILURE, DELAY',
    read: (value) => given(readNotify(value), (notify) => ({ notify })),
    offer: () => ['DSN'],
    pass: ({ dsn: { notify } }, { capabilities }) =>
      notify === null || !capabilities.has('DSN') ? null : `NOTIFY=${notify.join(',').toUpperCase()}`,
  },
  {
    name: 'ORCPT', // RFC 3461 §4.2
    syntax: 'ORCPT is an address type, a semicolon and an address in xtext',
    read: (value) => given(readOrcpt(value), (orcpt) => ({ orcpt })),
    offer: () => ['DSN'],
    pass: ({ dsn: { orcpt } }, { capabilities }) =>
      orcpt === null || !capabilities.has('DSN') ? null : `ORCPT=${encodeOriginalRecipient(orcpt)}`,
  },
];

const maxWordChars = 4_096;
const table = [...mailTable, ...rcptTable];
const { dsn: usualDsn, ...usual } = envelopeOptionsSchema.parse({});
const noMailParameters: MailParameters = { ...usual, ...usualDsn, size: null, auth: null };

/** The lines of an EHLO answer that offer parameters, each once. */
export function offeredKeywords(session: Offered): readonly string[] {
  return [...new Set(table.flatMap(({ offer }) => offer(session) ?? []))];
}

/** The names of the parameters that a session may use. */
export function offeredParameters(session: Offered): readonly string[] {
  return table.filter(({ offer }) => offer(session) !== null).map(({ name }) => name);
}

/** Why parameters are refused, with the reply to give. */
export type ParameterProblem = Problem & { readonly reply: Reply };

/**
 * Reads the parameters of MAIL FROM, as one text or already split. `offered`: the names this session may use (all where it is
 * left out; none after HELO): any other is unknown, which is 555 (RFC 5321 §4.1.1.11).
 */
export function parseMailParameters(
  parameters: string | readonly string[],
  offered?: readonly string[],
): MailParameters | ParameterProblem {
  return parse(mailTable, noMailParameters, { parameters, offered });
}

/** What of the parameters of MAIL goes into the envelope. */
export function envelopeOptionsOf({ size: _, auth: __, ret, envid, ...options }: MailParameters): EnvelopeOptions {
  return { ...options, dsn: { ret, envid } };
}

/** Reads the parameters of RCPT TO, as {@link parseMailParameters} those of MAIL FROM. */
export function parseRcptParameters(
  parameters: string | readonly string[],
  offered?: readonly string[],
): RecipientDsn | ParameterProblem {
  return parse(rcptTable, noDsn, { parameters, offered });
}

/** The MAIL command for the next host, or the refusal with which the message cannot go there. */
export function mailCommand(message: SentMessage, hop: NextHop): string | Reply {
  const passed = mailTable.map(({ pass }) => pass(message, hop));
  const refusal = passed.findLast((parameter) => parameter !== null && typeof parameter !== 'string');
  return (
    refusal ??
    [`MAIL FROM:<${message.envelope.reversePath}>`, ...passed.filter((parameter) => parameter !== null)].join(' ')
  );
}

/** The RCPT command for the next host. */
export function rcptCommand(recipient: SentRecipient, hop: NextHop): string {
  const passed = rcptTable.map(({ pass }) => pass(recipient, hop));
  return [`RCPT TO:<${recipient.forwardPath}>`, ...passed.filter((parameter) => parameter !== null)].join(' ');
}

type Given = { readonly parameters: string | readonly string[]; readonly offered: readonly string[] | undefined };

function parse<Read>(
  rows: readonly Pick<Row<Read, never, unknown>, 'name' | 'syntax' | 'read'>[],
  none: Read,
  { parameters, offered }: Given,
): Read | ParameterProblem {
  const words = typeof parameters === 'string' ? parameters.split(' ').filter((word) => word !== '') : parameters;
  const seen = new Set<string>();
  let all = none;
  for (const word of words) {
    // RFC 5321 §4.1.2: esmtp-keyword and esmtp-value; RFC 6531 §3.4 adds UTF-8 to the value.
    const match = /^([A-Za-z0-9][A-Za-z0-9-]*)(?:=((?:[!-<>-~]|[^\0-\x7f])+))?$/u.exec(word.slice(0, maxWordChars));
    const name = match?.[1]?.toUpperCase();
    if (name === undefined || word.length > maxWordChars)
      return refuse(replies.badParameter(`Not a parameter: ${shown(word)}`));
    const row = rows.find((candidate) => candidate.name === name);
    if (row === undefined || offered?.includes(name) === false)
      return refuse(replies.unknownParameter(name.slice(0, 40)));
    if (seen.has(name)) return refuse(replies.badParameter(`${name} is given twice`));
    seen.add(name);
    const read = row.read(match?.[2] ?? null);
    if (read === null) return refuse(replies.badParameter(row.syntax));
    all = { ...all, ...read };
  }
  return all;
}

function given<Value extends NonNullable<unknown>, Read>(
  value: Value | null,
  make: (value: Value) => Read,
): Read | null {
  return value === null ? null : make(value);
}

function refuse(reply: Reply): ParameterProblem {
  return { problem: reply.text, reply };
}

function shown(text: string): string {
  return text.slice(0, 40).replace(/[^ -~]/g, '?');
}
