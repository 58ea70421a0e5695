// The parameters behind MAIL FROM and RCPT TO: which there are, what they may say, what a wrong one is answered.
// RFC 1870 (SIZE), RFC 6152 and RFC 3030 (BODY), RFC 6531 (SMTPUTF8), RFC 8689 (REQUIRETLS), RFC 3461 and RFC 6533
// (RET, ENVID, NOTIFY, ORCPT), RFC 4954 §5 (AUTH). An unknown one is 555 (RFC 5321 §4.1.1.11).
import { formatAddress, parseAddress } from '#mail/address/address.ts';
import { isProblem, type Problem } from '#mail/problem.ts';
import { replies } from './replies.ts';
import type { Reply } from './reply.ts';
import { decodeOriginalRecipient, decodeXtext } from './xtext.ts';

/** What stands behind MAIL FROM; absent is null or false. */
export type MailParameters = {
  /** Declared octets; a number too large to count is the largest safe integer. */
  readonly size: number | null;
  readonly bodyType: '7bit' | '8bitmime' | 'binarymime';
  readonly smtpUtf8: boolean;
  readonly requireTls: boolean;
  readonly ret: 'full' | 'hdrs' | null;
  /** Decoded. */
  readonly envid: string | null;
  /** The submitter's address; the empty string is `AUTH=<>`. */
  readonly auth: string | null;
};

/** One word of NOTIFY (RFC 3461 §4.1). */
type Notify = 'never' | 'success' | 'failure' | 'delay';

/** What stands behind RCPT TO; absent is null. `orcpt` is decoded: `rfc822;a@b.example` or `utf-8;…`. */
export type RcptParameters = { readonly notify: Notify[] | null; readonly orcpt: string | null };

/** Why parameters are refused, with the reply to give. */
export type ParameterProblem = Problem & { readonly reply: Reply };

/** The keywords of MAIL FROM. */
export type MailKeyword = 'SIZE' | 'BODY' | 'SMTPUTF8' | 'REQUIRETLS' | 'RET' | 'ENVID' | 'AUTH';

const maxEnvidChars = 100; // RFC 3461 §4.4
const maxOrcptChars = 500; // RFC 3461 §4.2
const maxTextChars = 4_096;

/**
 * Reads the parameters of MAIL FROM, as one text or already split. `offered`: the keywords of the extensions this
 * session was offered (all where it is left out; none after HELO): any other is unknown.
 */
export function parseMailParameters(
  parameters: string | readonly string[],
  offered: readonly MailKeyword[] = ['SIZE', 'BODY', 'SMTPUTF8', 'REQUIRETLS', 'RET', 'ENVID', 'AUTH'],
): MailParameters | ParameterProblem {
  const values = splitParameters(parameters, offered);
  if (isProblem(values)) return values;
  const size = read(values, 'SIZE', readSize);
  if (isProblem(size)) return size;
  const bodyType = read(values, 'BODY', readBody);
  if (isProblem(bodyType)) return bodyType;
  const smtpUtf8 = read(values, 'SMTPUTF8', readFlag('SMTPUTF8'));
  if (isProblem(smtpUtf8)) return smtpUtf8;
  const requireTls = read(values, 'REQUIRETLS', readFlag('REQUIRETLS'));
  if (isProblem(requireTls)) return requireTls;
  const ret = read(values, 'RET', readRet);
  if (isProblem(ret)) return ret;
  const envid = read(values, 'ENVID', readEnvid);
  if (isProblem(envid)) return envid;
  const auth = read(values, 'AUTH', readAuth);
  if (isProblem(auth)) return auth;
  return {
    size,
    bodyType: bodyType ?? '7bit',
    smtpUtf8: smtpUtf8 ?? false,
    requireTls: requireTls ?? false,
    ret,
    envid,
    auth,
  };
}

/** Reads the parameters of RCPT TO, as one text or already split. `offered` as for {@link parseMailParameters}. */
export function parseRcptParameters(
  parameters: string | readonly string[],
  offered: readonly ('NOTIFY' | 'ORCPT')[] = ['NOTIFY', 'ORCPT'],
): RcptParameters | ParameterProblem {
  const values = splitParameters(parameters, offered);
  if (isProblem(values)) return values;
  const notify = read(values, 'NOTIFY', readNotify);
  if (isProblem(notify)) return notify;
  const orcpt = read(values, 'ORCPT', readOrcpt);
  if (isProblem(orcpt)) return orcpt;
  return { notify, orcpt };
}

/** Keyword (upper case) → value, null where there is no `=`. */
type Values = ReadonlyMap<string, string | null>;

function splitParameters(
  parameters: string | readonly string[],
  offered: readonly string[],
): Values | ParameterProblem {
  const words = typeof parameters === 'string' ? parameters.split(' ').filter((word) => word !== '') : parameters;
  const values = new Map<string, string | null>();
  for (const word of words) {
    // RFC 5321 §4.1.2: esmtp-keyword and esmtp-value; RFC 6531 §3.4 adds UTF-8 to the value.
    const match = /^([A-Za-z0-9][A-Za-z0-9-]*)(?:=((?:[!-<>-~]|[^\0-\x7f])+))?$/u.exec(word.slice(0, maxTextChars));
    const keyword = match?.[1]?.toUpperCase();
    if (keyword === undefined || word.length > maxTextChars) return refuse(`Not a parameter: ${shown(word)}`);
    if (!offered.includes(keyword)) return refuseWith(replies.unknownParameter(keyword.slice(0, 40)));
    if (values.has(keyword)) return refuse(`${keyword} is given twice`);
    values.set(keyword, match?.[2] ?? null);
  }
  return values;
}

function read<Value>(
  values: Values,
  keyword: string,
  reader: (value: string | null) => Value | ParameterProblem,
): Value | null | ParameterProblem {
  const value = values.get(keyword);
  return value === undefined ? null : reader(value);
}

/** RFC 1870 §3: one to twenty digits. */
function readSize(value: string | null): number | ParameterProblem {
  if (value === null || !/^[0-9]{1,20}$/.test(value)) return refuse('SIZE is a number of octets');
  return Math.min(Number(value), Number.MAX_SAFE_INTEGER);
}

function readBody(value: string | null): MailParameters['bodyType'] | ParameterProblem {
  const word = value?.toLowerCase();
  if (word === '7bit' || word === '8bitmime' || word === 'binarymime') return word;
  return refuse('BODY is 7BIT, 8BITMIME or BINARYMIME');
}

function readFlag(keyword: string): (value: string | null) => boolean | ParameterProblem {
  return (value) => (value === null ? true : refuse(`${keyword} has no value`));
}

function readRet(value: string | null): 'full' | 'hdrs' | ParameterProblem {
  const word = value?.toLowerCase();
  return word === 'full' || word === 'hdrs' ? word : refuse('RET is FULL or HDRS');
}

/** RFC 3461 §4.4: xtext of printable US-ASCII, at most 100 characters. */
function readEnvid(value: string | null): string | ParameterProblem {
  const envid = value === null || value.length > maxEnvidChars ? null : decodeXtext(value);
  return envid !== null && /^[ -~]+$/.test(envid) ? envid : refuse('ENVID is at most 100 characters of xtext');
}

/** RFC 4954 §5: a mailbox in xtext, or `<>`. */
function readAuth(value: string | null): string | ParameterProblem {
  // RFC 6531 §3.4 lets it be plain UTF-8 as well.
  const text = value === null || /[^\0-\x7f]/.test(value) ? value : decodeXtext(value);
  if (text === '<>') return '';
  const address = text === null ? null : parseAddress(text);
  if (address === null || isProblem(address)) return refuse('AUTH is an address in xtext, or <>');
  return formatAddress(address);
}

/** RFC 3461 §4.1: NEVER stands alone; the others in any order, each once. */
function readNotify(value: string | null): Notify[] | ParameterProblem {
  const words = (value ?? '').toLowerCase().split(',');
  const known = words.filter(
    (word) => word === 'never' || word === 'success' || word === 'failure' || word === 'delay',
  );
  const isUnique = new Set(words).size === words.length;
  if (known.length !== words.length || !isUnique || (words.includes('never') && words.length > 1)) {
    return refuse('NOTIFY is NEVER, or some of SUCCESS, FAILURE, DELAY');
  }
  return known;
}

function readOrcpt(value: string | null): string | ParameterProblem {
  const orcpt = value === null || value.length > maxOrcptChars ? null : decodeOriginalRecipient(value);
  return orcpt ?? refuse('ORCPT is an address type, a semicolon and an address in xtext');
}

function refuse(problem: string): ParameterProblem {
  return refuseWith(replies.badParameter(problem));
}

function refuseWith(reply: Reply): ParameterProblem {
  return { problem: reply.text, reply };
}

function shown(text: string): string {
  return text.slice(0, 40).replace(/[^ -~]/g, '?');
}
