// A search as Mailpit's users write it, in the words of ours (Mailpit's documentation, "Search filters").
import type { InboxMessage } from '#pipeline/contract/records/inbox-message.ts';

/** `q`: in our words. `keeps`: what of that fits; null: all of it. */
export type MailpitSearch = {
  readonly q: string;
  readonly keeps: ((message: Pick<InboxMessage, 'attachments'>) => boolean) | null;
};

type Term = { readonly q: string; readonly keeps?: NonNullable<MailpitSearch['keeps']> };
type Word = { readonly not: '' | '-'; readonly field: string; readonly value: string };

/** Fields of ours, and those that are another one there; `~`: a part of a header field. */
const ours = ['from', 'to', 'subject', 'tag', 'address', 'mailbox', 'verdict', 'header', 'id'];
const fields: ReadonlyMap<string, string> = new Map([
  ...ours.map((name): [string, string] => [name, `${name}:`]),
  ['cc', 'header:Cc~'],
  ['bcc', 'to:'],
  ['addressed', 'address:'],
  ['reply-to', 'header:Reply-To~'],
]);

/** `!` negates there; a field that Mailpit does not know is a text. `tz`: the time zone of days and times, UTC unless given. */
export function fromMailpitSearch(query: string, tz = 'UTC'): MailpitSearch {
  const words = query.match(/[-!]?(?:[a-z-]+:)?"[^"]*"?|\S+/gi) ?? [];
  const terms = words.map((word) => asOurs(word, tz));
  const checks = terms.flatMap(({ keeps }) => (keeps === undefined ? [] : [keeps]));
  return {
    q: terms.flatMap(({ q }) => (q === '' ? [] : [q])).join(' '),
    keeps: checks.length === 0 ? null : (message) => checks.every((check) => check(message)),
  };
}

function asOurs(word: string, tz: string): Term {
  const [, sign = '', field, value = ''] = /^([-!]?)(?:([a-z-]+):(?!\/\/))?(.*)$/is.exec(word) ?? [];
  const not = sign === '' || word.length === 1 ? '' : '-';
  if (field === undefined) return { q: /^["!-]*$/.test(value) ? '' : `${not}${value}` };
  return fieldTerm({ not, field: field.toLowerCase(), value }, tz);
}

function fieldTerm(word: Word, tz: string): Term {
  const { not, field, value } = word;
  const plain = value.replaceAll('"', '').trim();
  switch (field) {
    case 'has':
      return hasTerm(word, plain.toLowerCase());
    case 'is':
      return /^(?:read|unread|tagged)$/i.test(plain) ? { q: `${not}is:${plain}` } : textTerm(word);
    case 'larger':
    case 'smaller':
      return /^\d+[kmg]?b?$/i.test(plain) ? { q: `${not}${field}:${plain}` } : textTerm(word);
    case 'before':
    case 'after':
      return { q: `${not}${field}:"${timeIn(plain, tz) ?? plain}"` };
    case 'message-id': {
      const id = plain.replace(/^<|>$/g, '');
      return { q: `${not}header:"Message-ID${id.includes('@') ? '=<' : '~'}${id}"` };
    }
    default: {
      const known = fields.get(field);
      if (known === undefined) return textTerm(word);
      const [, name = '', begin = ''] = /^([a-z]+:)(.*)$/i.exec(known) ?? [];
      return { q: plain === '' ? '' : `${not}${name}"${begin}${plain}"` };
    }
  }
}

/** What stands within the text of a message is no attachment there. */
function hasTerm(word: Word, what: string): Term {
  const isInline = /^inlines?$/.test(what);
  if (!isInline && !/^attachments?$/.test(what)) return textTerm(word);
  const isWanted = word.not === '';
  const keeps: Term['keeps'] = ({ attachments }) => attachments.some(({ inline }) => inline === isInline) === isWanted;
  return { q: isWanted ? 'has:attachment' : '', keeps };
}

function textTerm({ not, field, value }: Word): Term {
  return { q: `${not}"${field}:${value.replaceAll('"', '')}"` };
}

/** A day or time as people write it; null if it is none. */
function timeIn(text: string, tz: string): string | null {
  const [, year, month, day, hour = '0', minute = '0', second = '0', offset] =
    /^(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?:[ T](\d{1,2}):(\d\d)(?::(\d\d)(?:\.\d+)?)?)?(Z|[+-]\d\d:?\d\d)?$/i.exec(
      text,
    ) ?? [];
  if (year === undefined) {
    const read = Date.parse(`${text} UTC`);
    return Number.isNaN(read) ? null : new Date(read - offsetMs(read, tz)).toISOString();
  }
  const utc = Date.UTC(Number(year), Number(month) - 1, Number(day), Number(hour), Number(minute), Number(second));
  if (offset === undefined) return new Date(utc - offsetMs(utc, tz)).toISOString();
  const [, sign, hours = '0', minutes = '0'] = /^([+-])(\d\d):?(\d\d)$/.exec(offset) ?? [];
  const ms = (Number(hours) * 60 + Number(minutes)) * 60_000;
  return new Date(utc - (sign === '-' ? -ms : ms)).toISOString();
}

/** What clocks there are ahead of UTC; 0 where the zone is not known. */
function offsetMs(at: number, tz: string): number {
  try {
    const parts = new Intl.DateTimeFormat('en-US', { timeZone: tz, timeZoneName: 'longOffset' }).formatToParts(at);
    const [, sign, hours = '0', minutes = '0'] =
      /^GMT([+-])(\d\d):(\d\d)/.exec(parts.find(({ type }) => type === 'timeZoneName')?.value ?? '') ?? [];
    const ms = (Number(hours) * 60 + Number(minutes)) * 60_000;
    return sign === '-' ? -ms : ms;
  } catch {
    return 0;
  }
}
